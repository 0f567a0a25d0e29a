package browser_test

import (
	"bytes"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/earshot-pbx/earshot/agent/pbxtest/browser"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const document = `<!doctype html><title>Test</title><meta name="viewport" content="width=device-width"><script src="script.js"></script><style>p { color: red }</style>
<label>Name <input id="name"></label> <button id="press" onclick="inline()">Press</button> <p id="out"></p><p hidden id="unseen">unseen</p>`

const script = `addEventListener('load', () => {
	document.querySelector('#press').addEventListener('click', () => { document.querySelector('#out').textContent = 'pressed ' + document.querySelector('#name').value; });
	document.querySelector('#name').addEventListener('keydown', (e) => { if (e.key === 'Enter' && e.shiftKey) throw new Error('thrown'); });
	console.error('complained');
});`

// TestAPageIsDrivenAndHeardOut holds what the tests of the page rest on: that what is done is done as by hand, and that nothing which the console
// complains of is missed.
func TestAPageIsDrivenAndHeardOut(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'")
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte(document))
		case "/script.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write([]byte(script))
		default:
			http.NotFound(w, r)
		}
	}))
	defer web.Close()
	t.Setenv("TMPDIR", t.TempDir())
	b, err := browser.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("pages", func(t *testing.T) {
		p, other := b.Open(t), b.Open(t)
		p.Go(web.URL + "/")
		p.Click("#name")
		p.Type("Jürgen")
		p.Click("#press")
		p.Says("#out", "pressed Jürgen")
		p.Lacks("#unseen")
		p.Click("#name")
		p.Press("Shift+Enter", "Tab")
		p.Wait(`document.activeElement.id === 'press'`)
		p.Press("Shift+Tab")
		p.Wait(`document.activeElement.id === 'name'`)
		p.Eval(`localStorage.setItem('a', 'b')`, nil)
		other.Go(web.URL + "/")
		var shared string
		if other.Eval(`localStorage.getItem('a') ?? 'nothing'`, &shared); shared != "nothing" {
			t.Errorf("a page sees %s of another", shared)
		}
		heard := strings.Join(p.Faults(), "\n")
		for _, want := range []string{"complained", "thrown", "inline style", "inline event handler"} {
			if !strings.Contains(strings.ToLower(heard), want) {
				t.Errorf("%q was not heard in\n%s", want, heard)
			}
		}
		if again := p.Faults(); len(again) > 0 {
			t.Errorf("heard twice: %v", again)
		}
		if tree := p.Tree(); !slices.Contains(tree, browser.Node{Role: "textbox", Name: "Name", Focusable: true}) || !slices.Contains(tree, browser.Node{Role: "button", Name: "Press", Focusable: true}) {
			t.Errorf("%+v", tree)
		}
		p.Size(360, 640, 2)
		p.Media("dark")
		p.Wait(`innerWidth === 360 && matchMedia('(prefers-color-scheme: dark)').matches`)
		if img, err := png.DecodeConfig(bytes.NewReader(p.Picture())); err != nil || img.Width != 720 || img.Height != 1280 {
			t.Errorf("%+v %v", img, err)
		}
	})
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
