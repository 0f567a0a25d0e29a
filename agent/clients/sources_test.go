package clients_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/cache"
)

// openSources runs the sources of a configuration.
func openSources(t *testing.T, c clients.Config, env clients.Environment) (s *clients.Sources, changes chan string) {
	t.Helper()
	changes = make(chan string, 100)
	env.Cache, env.OnChange = cache.NewMemory(cache.Options{}), func(number string) { changes <- number }
	s, err := clients.New(c, env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, changes
}

func TestTheFirstSourceThatHasANumberSaysWhoseItIs(t *testing.T) {
	var down atomic.Bool
	asked, let := make(chan string, 100), make(chan struct{})
	yaml := file(t, "- {number: \"+79160000001\", name: In the file, responsible: anna}\n")
	csv := file(t, "number,name,responsible\n+79160000001,In CSV,boris\n+79160000002,In CSV,boris\n+79160000003,In CSV,boris\n+79160000004,In CSV,boris\n")
	s, changes := openSources(t, clients.Config{Region: "RU", Prefixes: []string{"9"}, Sources: []clients.SourceConfig{
		{Name: "file", File: yaml},
		{Name: "pushed", Pushed: clients.PushedConfig{File: filepath.Join(t.TempDir(), "pushed.jsonl"), TokenFile: file(t, "a-t0ken-that-is-l0ng\n")}},
		{Name: "crm", HTTP: plain()},
		{Name: "csv", CSV: clients.CSVFile{File: csv}},
	}}, clients.Environment{Known: staff.Known, Transport: within(func(w http.ResponseWriter, r *http.Request) {
		number := strings.TrimPrefix(r.URL.Query().Get("phone"), "+7916000000")
		asked <- number
		if !down.Load() {
			select {
			case <-let: // not before it has been looked at what is said meanwhile
			case <-t.Context().Done():
			}
		}
		switch {
		case down.Load():
			w.WriteHeader(500)
		case number == "3" || number == "2":
			answer(`{"found": true, "name": "In the CRM", "manager": "vera"}`)(w, r)
		default:
			answer(`{"found": false}`)(w, r)
		}
	})})
	find := func(number string, want clients.Answer, name string) {
		t.Helper()
		c, a := s.Find(number)
		if a != want || c.Name != name {
			t.Errorf("%s: %v, %q; want %v, %q", number, a, c.Name, want, name)
		}
		if c, ok := s.Lookup(number); ok != (want == clients.Found) || c.Name != name {
			t.Errorf("Lookup(%s): %v, %q", number, ok, c.Name)
		}
	}
	if err := s.Pushed().Put(context.Background(), []clients.Client{{Number: "+79160000002", Name: "Pushed"}}); err != nil {
		t.Fatal(err)
	}
	if got := <-changes; got != "+79160000002" {
		t.Errorf("told of %q", got)
	}
	find("89160000001", clients.Found, "In the file")
	find("89160000002", clients.Found, "Pushed")
	find("89160000003", clients.Unknown, "") // not "In CSV", which the CRM may know better
	let <- struct{}{}
	<-changes
	find("89160000003", clients.Found, "In the CRM")
	find("89160000004", clients.Unknown, "")
	let <- struct{}{}
	<-changes
	find("89160000004", clients.Found, "In CSV") // the CRM has said that it has him not
	find("101", clients.Stranger, "")
	find("anonymous", clients.Stranger, "")
	down.Store(true)
	find("89160000005", clients.Unknown, "")
	for range 3 {
		<-asked
	}
	find("89160000005", clients.Unknown, "")
	find("89160000001", clients.Found, "In the file")
	if got, ok := s.Numbering().Dialled("9 8 916 000-00-01"); !ok || got != "+79160000001" {
		t.Errorf("dialled %q", got)
	}
	if len(asked) > 0 {
		t.Errorf("the CRM was asked about %s too", <-asked)
	}
	var none clients.Sources
	if _, a := none.Find(vera); a != clients.Stranger || none.Pushed() != nil || none.Hook(context.Background(), "crm", js, nil) != clients.ErrNoSource || none.Close() != nil {
		t.Errorf("without sources: %v", a)
	}
}

// Read without the region, a number in the national form would be a stranger to the CRM, and the file below would say whose it is.
func TestTheRegionOfAFileIsThatOfTheSourcesAboveItToo(t *testing.T) {
	const national, full = "89160000001", "+79160000001"
	journal := filepath.Join(t.TempDir(), "pushed.jsonl")
	c := clients.Config{Sources: []clients.SourceConfig{
		{Name: "pushed", Pushed: clients.PushedConfig{File: journal, TokenFile: file(t, "a-t0ken-that-is-l0ng\n")}},
		{Name: "crm", HTTP: plain()},
		{Name: "list", File: file(t, "- {number: \"89160000002\", name: In the list}\n")},
		{Name: "csv", CSV: clients.CSVFile{File: file(t, "number,name\n89160000003,In CSV\n")}},
		{Name: "file", File: file(t, "region: RU\nclients: [{number: \"89160000001\", name: In the file, responsible: anna}]\n")},
		{Name: "abroad", File: file(t, "region: GB\nclients: [{number: \"020 7946 0958\", name: Abroad}]\n")},
	}}
	directories, err := c.Check()
	if err != nil || len(directories) != 4 {
		t.Fatalf("Check: %d directories, %v", len(directories), err)
	}
	for i, want := range []string{"RU", "RU", "RU", "GB"} {
		if got := directories[i].Region(); got != want {
			t.Errorf("directory %d is read as of %q, not %s", i, got, want)
		}
	}
	asked := make(chan string, 10)
	s, changes := openSources(t, c, clients.Environment{Transport: within(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Query().Get("phone")
		answer(answerVera)(w, r)
	})})
	if region := s.Numbering().Region; region != "RU" {
		t.Errorf("the numbering is of %q", region)
	}
	if c, a := s.Find(national); a != clients.Unknown {
		t.Fatalf("before the CRM has answered: %v, %q", a, c.Name)
	}
	if got := <-asked; got != full {
		t.Errorf("the CRM was asked about %q", got)
	}
	<-changes
	if c, a := s.Find(national); a != clients.Found || c.Name != "Vera" {
		t.Errorf("%v, %q", a, c.Name)
	}
	if err := s.Pushed().Put(context.Background(), []clients.Client{{Number: national, Name: "Pushed"}}); err != nil {
		t.Fatal(err)
	}
	if c, a := s.Find(full); a != clients.Found || c.Name != "Pushed" {
		t.Errorf("%v, %q", a, c.Name)
	}
	<-changes
	if _, err := c.Check(); err != nil {
		t.Errorf("with a client pushed: %v", err)
	}

	c.Region = "GB"
	if _, err := c.Check(); err == nil || !strings.Contains(err.Error(), "this is no possible telephone number") {
		t.Errorf("the region of the configuration is not above those of files: %v", err)
	}
}

func TestEachFileOfTheSourcesIsReadAnew(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.yaml", "- {number: \"101\", name: A}\n")
	write("b.csv", "number,name\n102,B\n")
	write("url", "https://crm.test/one?n={digits}\n")
	write("headers", "X-Key: one\n")
	write("token", "one\n")
	asked := make(chan string, 10)
	h := clients.HTTP{URLFile: at("url"), HeadersFile: at("headers"), Webhook: clients.Webhook{TokenFile: at("token")}, Fields: plain().Fields}
	c := clients.Config{Sources: []clients.SourceConfig{{Name: "a", File: at("a.yaml")}, {Name: "b", CSV: clients.CSVFile{File: at("b.csv")}}, {Name: "crm", HTTP: h}}}
	registry := prometheus.NewRegistry()
	s, changes := openSources(t, c, clients.Environment{Metrics: clients.NewMetrics(registry), Transport: within(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path + " " + r.Header.Get("X-Key")
		answer(answerVera)(w, r)
	})})
	var paths []string
	for _, f := range s.Files() {
		paths = append(paths, filepath.Base(f.Path))
	}
	if want := []string{"a.yaml", "b.csv", "url", "headers", "token"}; !slices.Equal(paths, want) {
		t.Fatalf("watched %q", paths)
	}
	s.Find(vera)
	<-changes
	hook := func(token string) error {
		return s.Hook(context.Background(), "crm", js, []byte(`{"token": "`+token+`", "numbers": ["`+vera+`"]}`))
	}
	if err := hook("one"); err != nil {
		t.Fatal(err)
	}
	<-changes

	write("a.yaml", "oops\n")
	write("headers", "oops\n")
	write("b.csv", "number,name\n102,B\n103,C\n")
	err := s.Reload()
	if err == nil || !strings.Contains(err.Error(), "a.yaml:1:1: ") || !strings.Contains(err.Error(), "crm: headers_file: "+at("headers")+":1: ") || strings.Contains(err.Error(), "b.csv") {
		t.Fatalf("%v", err)
	}
	if _, a := s.Find("101"); a != clients.Found {
		t.Error("a broken file is taken")
	}
	if _, a := s.Find("103"); a != clients.Found {
		t.Error("the good file beside it is not")
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`# HELP earshot_clients_entries Clients in a file, or pushed by a CRM.
# TYPE earshot_clients_entries gauge
earshot_clients_entries{source="a"} 1
earshot_clients_entries{source="b"} 2
`), "earshot_clients_entries"); err != nil {
		t.Error(err)
	}
	write("a.yaml", "- {number: \"101\", name: A}\n")
	write("headers", "X-Key: two\n")
	write("url", "https://crm.test/two?n={digits}\n")
	write("token", "two\n")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	if err := hook("one"); !errors.Is(err, clients.ErrToken) {
		t.Errorf("the old token: %v", err)
	}
	if err := hook("two"); err != nil {
		t.Error(err)
	}
	s.Find(vera)
	if first, second := <-asked, <-asked; first != "/one one" || second != "/two two" {
		t.Errorf("asked %q, then %q", first, second)
	}
}
