package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/earshot-pbx/earshot/agent/httpapi"
)

// A link is for the audio element of a panel's page, which has another address than Earshot: a browser plays it there, and embeds nothing else of Earshot's.
func TestAPageOfAPanelPlaysALink(t *testing.T) {
	s := newShelf(t, nil)
	path := "/v1/recordings/" + s.id("anna", s.keep(t, "a.wav", tune(5000), nil, annas, ivans))
	link := s.link("anna", path)
	for want, of := range map[string]string{"cross-origin": link, "same-origin": path} {
		if a := s.ask("anna", "GET", of, ""); a.status != 200 || a.header.Get("Cross-Origin-Resource-Policy") != want {
			t.Errorf("%d with %q, want %q", a.status, a.header.Get("Cross-Origin-Resource-Policy"), want)
		}
	}
	panel := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "<!doctype html><p>a panel") }))
	defer panel.Close()
	b, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	opened.Do(func() { afterwards = append(afterwards, b.Close) })
	p := b.Open(t)
	p.Go(panel.URL)
	for of, want := range map[string]string{link: "embedded", "/v1/me": "refused"} {
		// As an element asks, which sends no credential and needs no leave by CORS.
		p.Eval(fmt.Sprintf(`(() => { globalThis.came = ''; fetch(%q, { mode: 'no-cors' }).then(() => { globalThis.came = 'embedded' }, () => { globalThis.came = 'refused' }); })()`, s.web.URL+of), nil)
		p.Wait(`globalThis.came !== ''`)
		got := ""
		p.Eval(`globalThis.came`, &got)
		if got != want {
			t.Errorf("%s is %s, not %s", of[:10], got, want)
		}
	}
}

// A page that goes on asking by a link which was good and has ended tries nothing out, and keeps nobody else at its address from signing in; who makes links
// up does.
func TestALinkThatHasEndedIsNoGuess(t *testing.T) {
	s := newShelf(t, nil, func(c *httpapi.Config) { c.Limits.Failures = httpapi.Rate{PerMinute: 1, Burst: 3} })
	link := s.link("anna", "/v1/recordings/"+s.id("anna", s.keep(t, "a.wav", tune(5000), nil, annas, ivans)))
	if a := s.ask("", "GET", link, ""); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	s.withdraw("anna")
	for range 10 {
		if a := s.ask("", "GET", link, ""); a.status != 404 {
			t.Fatalf("the link that has ended: %d", a.status)
		}
	}
	if a := s.ask("boris", "GET", "/v1/me", ""); a.status != 200 {
		t.Errorf("somebody signs in: %d", a.status)
	}
	for range 4 {
		s.ask("", "GET", link+"a", "")
	}
	if a := s.ask("", "GET", link+"b", ""); a.status != 429 {
		t.Errorf("a made-up link: %d", a.status)
	}
	if a := s.ask("carl", "GET", "/v1/me", ""); a.status != 429 {
		t.Errorf("where somebody guesses, a new token is answered %d", a.status)
	}
}
