package httpapi_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/cache"
)

const (
	crmToken  = "crm-t0ken-0123456789abcdef"
	hookToken = "h00k-t0ken"
)

// crmWorld is a world whose clients are in a real directory: what a CRM pushes, and before that a system that is asked.
type crmWorld struct {
	*world
	sources *clients.Sources
	config  clients.Config
	secret  string      // the file with the CRM's token
	asked   chan string // what the system is asked
}

// newCRMWorld makes one, over the file of pushed clients if there is one.
func newCRMWorld(t testing.TB, pushed string, options ...option) *crmWorld {
	t.Helper()
	c := &crmWorld{asked: make(chan string, 100)}
	system := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.asked <- r.URL.Query().Get("n")
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"found": false}`)
	}))
	t.Cleanup(system.Close)
	dir := t.TempDir()
	file := func(name, text string) string {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	if pushed == "" {
		pushed = filepath.Join(dir, "pushed.jsonl")
	}
	c.secret = file("token", crmToken+"\n")
	c.config = clients.Config{Region: "RU", Sources: []clients.SourceConfig{
		{Name: "pushed", Pushed: clients.PushedConfig{File: pushed, TokenFile: c.secret, Max: 20_000}},
		{Name: "office", HTTP: clients.HTTP{
			URL: system.URL + "/?n={digits}", Fields: clients.Fields{Found: "found", Name: "name"}, Webhook: clients.Webhook{TokenFile: file("hook", hookToken+"\n")},
		}},
		{Name: "deaf", HTTP: clients.HTTP{URL: system.URL + "/?n={digits}", Fields: clients.Fields{Found: "found", Name: "name"}}},
	}}
	var err error
	c.sources, err = clients.New(c.config, clients.Environment{
		Cache:    cache.NewMemory(cache.Options{}),
		Known:    func(id string) bool { _, ok := c.gate.Policy().Employee(id); return ok },
		OnChange: func(number string) { c.gate.Learned(number) },
	})
	if err != nil {
		t.Fatal(err)
	}
	c.world = newWorldOver(t, func(g *gate.Config) { g.Clients, g.Intake = c.sources, c.sources }, options...)
	c.token["crm"] = crmToken
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.sources.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		wg.Wait()
		_ = c.sources.Close() // a test may have done it
	})
	return c
}

// put puts clients as the CRM.
func (c *crmWorld) put(t *testing.T, body string) gate.ClientsPut {
	t.Helper()
	a := c.ask("crm", http.MethodPut, "/v1/clients", body)
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var n gate.ClientsPut
	a.decode(t, &n)
	return n
}

// recorded is what the audit log has.
func (c *crmWorld) recorded() []audit.Entry {
	return c.book.All()
}
