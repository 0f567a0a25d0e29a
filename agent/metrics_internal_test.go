package agent

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

var tabulate = flag.Bool("tabulate", false, "write the table of metrics anew")

// metricsFile ends with the table, which begins with tableHead.
const metricsFile, tableHead = "../deploy/prometheus/README.md", "|---|---|---|---|\n"

// everything is an agent with every part that has metrics of its own, whose door has been asked something.
func everything(t *testing.T) *Agent {
	t.Helper()
	_, dir, _ := house(t)
	dir = elsewhere(t, dir)
	cert, key := pair(t, 1, time.Now().Add(time.Hour))
	write(t, filepath.Join(dir, "cert.pem"), cert)
	write(t, filepath.Join(dir, "key.pem"), key)
	if err := os.Mkdir(filepath.Join(dir, "monitor"), 0o700); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "earshot.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(string(text), "clients: clients.yaml\n", "", 1)
	config = strings.Replace(config, "audit: {file: audit.jsonl}", "audit: {file: audit.jsonl, stream: {keep: 100}}", 1)
	write(t, filepath.Join(dir, "earshot.yaml"), config)
	write(t, filepath.Join(dir, "key"), strings.Repeat("k", 32))
	a, _ := reopen(t, dir, secureDoor+`cache: {redis: "redis://127.0.0.1:1"}
publication: {role: give, key_file: key, overlay: true}
cluster: {pbx: pbx-a}
ami: {listen: "127.0.0.1:0"}
ari: {listen: "127.0.0.1:0"}
shadow: {policy: next.yaml, file: differences.jsonl}
journal: {file: journal.db}
recordings: {spools: [{name: monitor, path: monitor}]}
directory: {sources: [{name: crm, http: {recipe: 1c, url: "http://127.0.0.1:1/crm"}}, {name: file, file: clients.yaml}]}
`)
	t.Cleanup(a.closeFiles)
	answer := httptest.NewRecorder()
	a.door.HTTP().Handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/v1/me", nil))
	if answer.Code != http.StatusUnauthorized {
		t.Fatalf("the door answers %d", answer.Code)
	}
	return a
}

// described reads what prometheus.Desc prints, which is the only way to know it.
var described = regexp.MustCompile(`^Desc\{fqName: "(\w+)", help: "(.*)", unit: "", constLabels: \{\}, variableLabels: \{(.*)\}\}$`)

// metricTable is a line for each metric of Earshot's own, sorted.
func (a *Agent) metricTable(t *testing.T) []string {
	t.Helper()
	families, err := a.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, f := range families {
		types[f.GetName()] = strings.ToLower(f.GetType().String())
	}
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		a.reg.Describe(descs)
	}()
	var table []string
	for d := range descs {
		if !strings.HasPrefix(d.String(), `Desc{fqName: "earshot_`) {
			continue // the Go collector's and the process collector's
		}
		m := described.FindStringSubmatch(d.String())
		if m == nil {
			t.Errorf("%s cannot be read", d)
			continue
		}
		kind := types[m[1]]
		switch {
		case kind == "" && strings.HasSuffix(m[1], "_total"):
			kind = "counter" // without a series yet; the linter wants this ending of counters and of nothing else
		case kind == "":
			t.Errorf("%s has no series, so nothing says what it is", m[1])
		}
		labels := ""
		if m[3] != "" {
			labels = "`" + strings.ReplaceAll(m[3], ",", "`, `") + "`"
		}
		table = append(table, fmt.Sprintf("| `%s` | %s | %s | %s |", m[1], kind, labels, strings.ReplaceAll(m[2], `\"`, `"`)))
	}
	slices.Sort(table)
	return table
}

// The table for administrators has every metric that there is, and none that there is not.
func TestEveryMetricIsInTheTable(t *testing.T) {
	text, err := os.ReadFile(metricsFile)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `earshot_") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	want := everything(t).metricTable(t)
	if len(want) < 50 {
		t.Fatalf("there are %d metrics", len(want))
	}
	if *tabulate {
		text, _, _ := strings.Cut(string(text), tableHead)
		if err := os.WriteFile(metricsFile, []byte(text+tableHead+strings.Join(want, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s has to have the lines\n%s\nwhich -tabulate writes", metricsFile, strings.Join(want, "\n"))
	}
}

// Names, types and help are as promtool check metrics wants them.
func TestMetricsAreNamedAndTypedAsPrometheusWantsThem(t *testing.T) {
	a := everything(t)
	faults, err := testutil.GatherAndLint(a.reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Errorf("%s: %s", f.Metric, f.Text)
	}
	// That the linter looks at them at all.
	a.reg.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "earshot_wrong_total", Help: "A gauge with the name of a counter."})) //nolint:promlinter // what is wrong is what the test is about
	if faults, err = testutil.GatherAndLint(a.reg); err != nil || len(faults) != 1 {
		t.Errorf("of a gauge named as a counter it says %v, %v", faults, err)
	}
}
