package deploy_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// alerts reads the alert rules.
func alerts(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "deploy/prometheus/earshot.rules.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) < 10 {
		t.Fatalf("%d groups", len(file.Groups))
	}
	return file.Groups[0].Rules
}

type rule struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

var (
	documented = regexp.MustCompile("(?m)^\\| `(earshot_\\w+)` \\| (\\w+) \\|")
	ownMetric  = regexp.MustCompile(`\bearshot_\w+`)
	part       = regexp.MustCompile(`_(bucket|count|sum)$`)
)

// metrics are Earshot's own, as its table has them, which a test of the package agent holds to the code: name to type.
func metrics(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, m := range documented.FindAllStringSubmatch(read(t, "deploy/prometheus/README.md"), -1) {
		all[m[1]] = m[2]
	}
	if len(all) < 50 {
		t.Fatalf("the table has %d metrics", len(all))
	}
	return all
}

// knows holds that each metric of Earshot's in an expression is there, and has parts when it is a histogram and then alone.
func knows(t *testing.T, all map[string]string, where, expr string) {
	t.Helper()
	for _, name := range ownMetric.FindAllString(expr, -1) {
		whole := part.ReplaceAllString(name, "")
		if kind := all[whole]; kind == "" || (kind == "histogram") != (whole != name) {
			t.Errorf("%s: there is no %s", where, name)
		}
	}
}

// Every alert is of metrics that there are, says what it is and what to do, and is tried.
func TestEveryAlertIsExplainedAndTried(t *testing.T) {
	all := metrics(t)
	guide, tries := read(t, "deploy/prometheus/README.md"), read(t, "deploy/prometheus/earshot.test.yaml")
	var names []string
	for _, r := range alerts(t) {
		names = append(names, r.Alert)
		knows(t, all, r.Alert, r.Expr)
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s is of the severity %q", r.Alert, r.Labels["severity"])
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || !strings.HasSuffix(r.Annotations["runbook_url"], "/deploy/prometheus/README.md#"+strings.ToLower(r.Alert)) {
			t.Errorf("%s does not say what it is: %v", r.Alert, r.Annotations)
		}
		if strings.Count(tries, "alertname: "+r.Alert+"\n") != 1 {
			t.Errorf("%s is not tried", r.Alert)
		}
	}
	var told []string
	for _, m := range regexp.MustCompile(`(?m)^### (\w+)\n\n\S`).FindAllStringSubmatch(guide, -1) {
		told = append(told, m[1])
	}
	if !slices.Equal(told, names) {
		t.Errorf("the guide has %v, the rules %v", told, names)
	}
}

// promtool finds nothing to say of the rules, and they fire as they are tried; one that would not is found.
func TestTheAlertsFire(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := r.fetch("prometheus", "bookworm", "prometheus")
	rules := filepath.Join(top, "deploy/prometheus/earshot.rules.yaml")
	if out, err := r.run(r.packaged(root, []string{"promtool", "check", "rules", "--lint=all", "--lint-fatal", rules})); err != nil || !strings.Contains(out, "SUCCESS") {
		t.Errorf("%v: %s", err, out)
	}
	try := func() (string, error) {
		return r.run(r.packaged(root, []string{"promtool", "test", "rules", r.dir + "/earshot.test.yaml"}))
	}
	text := read(t, "deploy/prometheus/earshot.rules.yaml")
	r.write("/earshot.test.yaml", read(t, "deploy/prometheus/earshot.test.yaml"), 0o644)
	r.write("/earshot.rules.yaml", text, 0o644)
	if out, err := try(); err != nil || !strings.Contains(out, "SUCCESS") {
		t.Errorf("%v: %s", err, out)
	}
	// Never true of anything.
	broken := regexp.MustCompile(`(?s)expr: .*?\n(        for|        labels)`).ReplaceAllString(text, "expr: vector(0) > 1\n$1")
	r.write("/earshot.rules.yaml", broken, 0o644)
	_, err := try()
	for _, a := range alerts(t) {
		if err == nil || !strings.Contains(err.Error(), "alertname: "+a.Alert+",") {
			t.Errorf("that %s never comes is not found: %v", a.Alert, err)
		}
	}
}
