package httpapi_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/agent/pbxtest/browser"
	"github.com/earshot-pbx/earshot/cache"
)

// chromium is one browser for all tests of the page.
var chromium = sync.OnceValues(func() (*browser.Browser, error) { return browser.Start(context.Background()) })

// afterwards is done when all tests of the package have run, and before what they leave is looked for.
var (
	afterwards []func() error
	opened     sync.Once
)

// panelWorld is a world that serves the page and makes sessions; a journal may be kept.
func panelWorld(t testing.TB, keep bool, change func(*gate.Config)) *world {
	t.Helper()
	return newWorldKept(t, keep, change, func(c *httpapi.Config) {
		tokens := c.Auth.(*auth.Tokens)
		c.Panel = true
		c.Sessions = auth.NewSessions(auth.SessionOptions{Store: cache.NewMemory(cache.Options{}), Tokens: tokens})
		c.Auth = auth.Chain{tokens, c.Sessions}
	})
}

func asItIs(*gate.Config) {}

// visit opens the page of a world.
func (w *world) visit(t *testing.T) *browser.Page {
	t.Helper()
	b, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	opened.Do(func() { afterwards = append(afterwards, b.Close) })
	p := b.Open(t)
	p.Go(w.web.URL + "/")
	p.Wait(`'ready' in document.documentElement.dataset`)
	return p
}

// signIn opens the page as somebody, and waits until it is live.
func (w *world) signIn(t *testing.T, who string) *browser.Page {
	t.Helper()
	p := w.visit(t)
	p.Click("#token")
	p.Type(w.token[who])
	p.Press("Enter")
	p.Wait(`document.querySelector('#link').dataset.state === 'live'`)
	p.Wait(`document.querySelector('#board li')`)
	return p
}

// quiet holds that the console has complained of nothing.
func quiet(t *testing.T, p *browser.Page) {
	t.Helper()
	for _, fault := range p.Faults() {
		t.Errorf("the console: %s", fault)
	}
}

func row(who string) string { return `#board li[data-id="` + who + `"]` }

// TestEachSeesOfACallWhatTheyMay has two people look at the same call in two browsers.
func TestEachSeesOfACallWhatTheyMay(t *testing.T) {
	w := panelWorld(t, false, asItIs)
	sees, not := w.signIn(t, "carl"), w.signIn(t, "boris")
	for _, p := range []*browser.Page{sees, not} {
		p.Says(row("anna"), "Free")
	}
	w.ingest(ivanov.rings("1", "PJSIP/101", "101", 10)...)
	for _, p := range []*browser.Page{sees, not} {
		p.Says(row("anna"), "Ringing")
	}
	w.ingest(ivanov.talks("1", "PJSIP/101", "101", 15)...)
	for _, p := range []*browser.Page{sees, not} {
		p.Says(row("anna"), "Talking")
		p.Says(row("anna"), "incoming")
	}
	if text := sees.Text(row("anna")); !strings.Contains(text, "Ivanov") || !strings.Contains(text, ivanov.number) {
		t.Errorf("who may see the peer sees %q", text)
	}
	text := not.Text("body")
	if !strings.Contains(text, "not shown to you") || strings.Contains(text, "Ivanov") || strings.Contains(text, ivanov.number) {
		t.Errorf("who may not see the peer sees %q", text)
	}
	buttons := func(p *browser.Page) (all []string) {
		p.Eval(`[...document.querySelectorAll('`+row("anna")+` button')].map((b) => b.dataset.act)`, &all)
		return all
	}
	if got := strings.Join(buttons(sees), " "); got != "spy whisper barge" {
		t.Errorf("carl has the buttons %s", got)
	}
	if got := strings.Join(buttons(not), " "); got != "" {
		t.Errorf("boris has the buttons %s", got)
	}
	w.ingest(ends("1", 60)...)
	for _, p := range []*browser.Page{sees, not} {
		p.Says(row("anna"), "Free")
		p.Lacks(row("anna") + " button")
		quiet(t, p)
	}
}
