package clients_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/cache"
)

const (
	vera     = "+79161234567"
	stranger = "+79261112233"
)

// plain is how most tests ask: whose client a number is stands in the answer.
func plain() clients.HTTP {
	return clients.HTTP{
		URL: "https://crm.test/find?phone={e164}", Fields: clients.Fields{Found: "found", Name: "name", Responsible: "manager", Access: "team"},
	}
}

const answerVera = `{"found": true, "name": "Vera", "manager": "anna", "team": ["boris"]}`

// crm is a source with a system behind it, and what it tells.
type crm struct {
	*clients.Remote
	t       *testing.T
	changes chan string
	reports chan error
	metrics *prometheus.Registry
	stop    func()
}

// newCRM runs a source over the network.
func newCRM(t *testing.T, h clients.HTTP, env clients.Environment) *crm {
	t.Helper()
	c := &crm{t: t, changes: make(chan string, 1000), reports: make(chan error, 1000), metrics: prometheus.NewRegistry()}
	if env.Cache == nil {
		env.Cache = cache.NewMemory(cache.Options{})
	}
	env.OnChange = func(number string) { c.changes <- number }
	env.Report = func(_ string, err error) { c.reports <- err }
	env.Metrics = clients.NewMetrics(c.metrics)
	var err error
	if c.Remote, err = clients.NewRemote("crm", "RU", h, env); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	c.stop = func() { cancel(); wg.Wait() }
	t.Cleanup(c.stop)
	return c
}

// within is a transport that hands requests to a handler, without a network.
func within(h http.HandlerFunc) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		done := make(chan struct{})
		go func() { defer close(done); h(w, req) }()
		select {
		case <-done:
			return w.Result(), nil
		case <-req.Context().Done():
			<-done // a handler of these tests ends with its request
			return nil, req.Context().Err()
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = w.Write([]byte(text))
	}
}

// is checks what is known of a number now.
func (c *crm) is(number string, want clients.Answer) clients.Client {
	c.t.Helper()
	client, a := c.Find(number)
	if a != want {
		c.t.Fatalf("Find: %v, want %v", a, want)
	}
	return client
}

// changed waits until something else is known of a number.
func (c *crm) changed(want string) {
	c.t.Helper()
	select {
	case number := <-c.changes:
		if number != want {
			c.t.Fatalf("told of %q, want %q", number, want)
		}
	case <-time.After(20 * time.Second):
		c.t.Fatal("nothing is told")
	}
}

// fails waits for a report.
func (c *crm) fails(want string) {
	c.t.Helper()
	select {
	case err := <-c.reports:
		switch {
		case err == nil && want != "" || err != nil && !strings.Contains(err.Error(), want) || err != nil && want == "":
			c.t.Fatalf("reported %v, want %q", err, want)
		case err != nil && (strings.Contains(err.Error(), vera[2:]) || strings.Contains(err.Error(), "Vera")):
			c.t.Fatalf("the report tells the client: %v", err)
		}
	case <-time.After(20 * time.Second):
		c.t.Fatal("nothing is reported")
	}
}

// learn asks about a number until it is known.
func (c *crm) learn(number string, want clients.Answer) clients.Client {
	c.t.Helper()
	c.is(number, clients.Unknown)
	c.changed(number)
	return c.is(number, want)
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestANumberIsAskedAboutOnceAndAnsweredFromMemory(t *testing.T) {
	asked := make(chan string, 10)
	c := newCRM(t, plain(), clients.Environment{Transport: within(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.String()
		if strings.Contains(r.URL.RawQuery, "7916") {
			answer(answerVera)(w, r)
		} else {
			answer(`{"found": false}`)(w, r)
		}
	})})
	client := c.learn(vera, clients.Found)
	if client.Number != vera || client.Name != "Vera" || client.Responsible != "anna" || !slices.Equal(client.Access, []string{"boris"}) {
		t.Fatalf("%q, %q, %q, %q", client.Number, client.Name, client.Responsible, client.Access)
	}
	c.learn(stranger, clients.Stranger)
	for _, number := range []string{"89161234567", "+7 (916) 123-45-67", "9161234567"} {
		if client := c.is(number, clients.Found); client.Number != vera {
			t.Errorf("%s is %q", number, client.Number)
		}
	}
	for _, number := range []string{"101", "", "anonymous", "+7916", "*89161234567"} {
		c.is(number, clients.Stranger)
	}
	c.stop()
	if first, second := <-asked, <-asked; first != "https://crm.test/find?phone=%2B79161234567" || second != "https://crm.test/find?phone=%2B79261112233" || len(asked) > 0 {
		t.Errorf("asked %s, %s and %d more", first, second, len(asked))
	}
}

// gathered is the value of a metric with these labels.
func (c *crm) gathered(name string, labels ...string) float64 {
	c.t.Helper()
	families, err := c.metrics.Gather()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			found := f.GetName() == "earshot_clients_"+name
			for _, want := range labels {
				found = found && slices.Contains(values, want)
			}
			switch {
			case !found:
			case m.GetCounter() != nil:
				return m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				return m.GetGauge().GetValue()
			default:
				return float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return 0
}

func TestAnswersAndRequestsAreCounted(t *testing.T) {
	c := newCRM(t, plain(), clients.Environment{Transport: within(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "7916") {
			answer(answerVera)(w, r)
		} else {
			answer(`[]`)(w, r)
		}
	})})
	c.learn(vera, clients.Found)
	c.is(stranger, clients.Unknown)
	c.fails("fields.found is not in the answer")
	c.is("101", clients.Stranger)
	for _, m := range []struct {
		want   float64
		name   string
		labels []string
	}{
		{1, "lookups_total", []string{"crm", "found"}}, {2, "lookups_total", []string{"crm", "unknown"}}, {1, "lookups_total", []string{"crm", "stranger"}},
		{1, "requests_total", []string{"crm", "found"}}, {1, "requests_total", []string{"crm", "malformed"}}, {0, "requests_total", []string{"crm", "absent"}},
		{2, "request_seconds", []string{"crm"}}, {1, "breaker_state", []string{"crm", "closed"}}, {0, "breaker_state", []string{"crm", "open"}},
	} {
		if got := c.gathered(m.name, m.labels...); got != m.want {
			t.Errorf("%s%v is %v, want %v", m.name, m.labels, got, m.want)
		}
	}
}

func TestTheNumberIsToldAsTheSystemWantsIt(t *testing.T) {
	for want, h := range map[string]clients.HTTP{
		"GET /n/79161234567?a=9161234567&b=89161234567&c=%2B79161234567 ": {URL: "https://crm.test/n/{digits}?a={national}&b={trunk}&c={e164}"},
		`POST /n {"phone": "+79161234567", "other": {"x": 1}}`:            {URL: "https://crm.test/n", Body: `{"phone": "{e164}", "other": {"x": 1}}`},
	} {
		got := make(chan string, 1)
		h.Fields, h.HeadersFile = plain().Fields, file(t, "Authorization: Bearer s3cret\n\nX-Key:  k \n")
		c := newCRM(t, h, clients.Environment{Transport: within(func(w http.ResponseWriter, r *http.Request) {
			var body []byte
			if r.Body != nil {
				var err error
				if body, err = io.ReadAll(r.Body); err != nil {
					t.Error(err)
				}
			}
			got <- r.Method + " " + r.URL.RequestURI() + " " + string(body)
			if r.Header.Get("Authorization") != "Bearer s3cret" || r.Header.Get("X-Key") != "k" || r.Header.Get("Accept") != "application/json" {
				t.Errorf("headers %v", r.Header)
			}
			answer(answerVera)(w, r)
		})})
		c.learn(vera, clients.Found)
		if got := <-got; got != want {
			t.Errorf("asked %q, want %q", got, want)
		}
	}
}

func TestForeignIDsAreTurnedIntoEmployees(t *testing.T) {
	for name, tc := range map[string]struct {
		employees clients.Employees
		answer    string
		want      string
		access    []string
	}{
		"as they are":        {clients.Employees{}, `{"found": 1, "manager": "anna", "team": "boris"}`, "anna", []string{"boris"}},
		"by a map":           {clients.Employees{IDs: map[string]string{"99": "anna", "7": "boris"}}, `{"found": {"a":1}, "manager": 99, "team": [7, "99", 8, null]}`, "anna", []string{"boris"}},
		"one who is in none": {clients.Employees{IDs: map[string]string{"99": "anna"}}, `{"found": [0], "manager": "anna"}`, "", nil},
		"by a pattern":       {clients.Employees{Pattern: `OFFICE\\(\w+)`}, `{"found": true, "manager": "OFFICE\\anna", "team": ["xOFFICE\\boris", "OFFICE\\vera "]}`, "anna", []string{"vera"}},
		"nobody":             {clients.Employees{}, `{"found": true, "manager": null}`, "", nil},
		"nobody at all":      {clients.Employees{}, `{"found": true, "name": " a\tb \u0000 "}`, "", nil},
	} {
		h := plain()
		h.Employees = tc.employees
		c := newCRM(t, h, clients.Environment{Transport: within(answer(tc.answer))})
		if client := c.learn(vera, clients.Found); client.Responsible != tc.want || !slices.Equal(client.Access, tc.access) || client.Name != "" && client.Name != "a b" {
			t.Errorf("%s: %q, %q, %q", name, client.Responsible, client.Access, client.Name)
		}
		c.stop()
	}
}
