package httpapi_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/call"
)

func TestWhoSignsInKeepsNoTokenAndWhoSignsOutEndsHisSession(t *testing.T) {
	o := newBureau(t)
	p := o.visit(t)
	p.Says("#signin", "Sign in")
	p.Lacks("#tabs")
	p.Wait(`document.activeElement.id === 'token'`)
	p.Type("ear_wrong")
	p.Press("Enter")
	p.Says("#signin-error", "This token is not valid.")
	if faults := strings.Join(p.Faults(), "\n"); !strings.Contains(faults, "401") { // the one that a browser tells by itself
		t.Errorf("%s", faults)
	}
	p.Wait(`document.activeElement.id === 'token'`)
	p.Type(o.token["anna"]) // in the place of what is marked
	p.Press("Enter")
	p.Says("#link", "Live")
	p.Says("#myself", "Anna Petrova")
	var kept struct{ URL, Session, Local, Cookies string }
	look := `({ url: location.href, session: JSON.stringify(sessionStorage), local: JSON.stringify(localStorage), cookies: document.cookie })`
	p.Eval(look, &kept)
	all, err := json.Marshal(kept)
	if err != nil || strings.Contains(string(all), o.token["anna"]) || !strings.Contains(kept.Session, "ears_") || kept.Local != "{}" || kept.Cookies != "" || strings.Contains(kept.URL, "ear") {
		t.Errorf("%s %v", all, err)
	}
	// It is still there when the page is loaded anew, and in no other window.
	p.Do("Page.reload", nil, nil)
	p.Says("#link", "Live")
	o.visit(t).Says("#signin", "Sign in")

	var session string
	p.Eval(`sessionStorage.getItem('earshot.token')`, &session)
	o.token["session"] = session
	if a := o.ask("session", http.MethodGet, "/v1/me", ""); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	p.Click("#signout")
	p.Says("#signin", "Sign in")
	p.Lacks("#view-board")
	p.Eval(look, &kept)
	if kept.Session != "{}" {
		t.Errorf("%+v", kept)
	}
	if a := o.ask("session", http.MethodGet, "/v1/me", ""); a.status != 401 {
		t.Errorf("the session still works: %d", a.status)
	}
	var left string
	if p.Eval(`document.body.textContent`, &left); strings.Contains(left, "Petrova") || strings.Contains(left, "Boris") || strings.Contains(left, "PJSIP") || strings.Contains(left, "support") {
		t.Errorf("who has signed out left %q", left)
	}
	quiet(t, p)
}

func TestWhoseTokenIsTakenAwayIsSignedOutAndTold(t *testing.T) {
	o := newBureau(t)
	p := o.signIn(t, "anna")
	o.revoke("anna")
	o.door.Recheck()
	p.Says("#signin-error", "You were signed out")
	p.Lacks("#view-board")
}

// cable is a way to the server that can be cut.
type cable struct {
	listener net.Listener
	to       string
	all      sync.WaitGroup

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{listener: l, to: to, conns: map[net.Conn]struct{}{}}
	c.all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.all.Go(func() { c.carry(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		c.set(true)
		c.all.Wait()
	})
	return c
}

func (c *cable) carry(near net.Conn) {
	defer func() { _ = near.Close() }()
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer func() { _ = far.Close() }()
	c.mu.Lock()
	if c.cut {
		c.mu.Unlock()
		return
	}
	c.conns[near], c.conns[far] = struct{}{}, struct{}{}
	c.mu.Unlock()
	c.all.Go(func() { _, _ = io.Copy(far, near); _ = far.Close(); _ = near.Close() })
	_, _ = io.Copy(near, far)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, near)
	delete(c.conns, far)
}

// set cuts the cable, or mends it.
func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	for conn := range c.conns {
		if cut {
			_ = conn.Close()
		}
	}
}

func TestALostConnectionIsShownAndComesBack(t *testing.T) {
	o := newBureau(t)
	c := newCable(t, strings.TrimPrefix(o.web.URL, "http://"))
	o.web.URL = "http://" + c.listener.Addr().String()
	p := o.signIn(t, "carl")
	o.talking(ivanov, "1", "PJSIP/101", "101")
	p.Says(row("anna"), "Talking")
	c.set(true)
	p.Says("#link", "Connection lost at")
	p.Wait(`document.querySelector('#board').classList.contains('stale')`)
	// What happens meanwhile is there when it comes back.
	o.ingest(ends("1", 30)...)
	o.talking(smith, "2", "PJSIP/102", "102")
	p.Click(`[data-id="egor"] [data-act="dial"]`)
	p.Says(".note[role=alert]", "Earshot cannot be reached. Nothing was done.")
	c.set(false)
	p.Says("#link", "Live")
	p.Says(row("anna"), "Free")
	p.Says(row("boris"), "J. Smith & Sons <London>")
	p.Wait(`!document.querySelector('#board').classList.contains('stale')`)

	// The PBX is another matter: it is away, and Earshot says so.
	o.feed.LinkLost()
	p.Says("#link", "The PBX is out of reach")
	p.Says(row("boris"), "Unknown")
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{}})
	p.Says("#link", "Live")
}

func TestWhatIsChosenIsThereWhenThePageIsLoadedAnewAndNotForTheNext(t *testing.T) {
	o := newBureau(t)
	o.kept(t, "21", "anna", "PJSIP/101", ivanov, 3*time.Hour, 184, false)
	p := o.signIn(t, "carl")
	choose(p, "#phone", "PJSIP/113")
	p.Click("#tab-journal")
	p.Says("#journal-rows tbody", "Anna Petrova")
	p.Do("Page.reload", nil, nil)
	p.Says("#journal-rows tbody", "Anna Petrova")
	p.Wait(`document.querySelector('#phone').value === 'PJSIP/113' && document.querySelector('#view-board').hidden`)
	p.Click("#signout")
	p.Click("#token")
	p.Type(o.token["carl"])
	p.Press("Enter")
	p.Says("#board", "Anna Petrova")
	p.Wait(`document.querySelector('#phone').value === 'PJSIP/103'`)
	quiet(t, p)
}

func TestATabBehindOthersTellsInItsTitleThatAClientCalls(t *testing.T) {
	o := newBureau(t)
	p := o.signIn(t, "boris")
	hide := func(hidden string) {
		p.Eval(`(() => { Object.defineProperty(document, 'hidden', { value: `+hidden+`, configurable: true }); document.dispatchEvent(new Event('visibilitychange')); })()`, nil)
	}
	hide("true")
	p.Wait(`document.title === 'Earshot'`)
	o.ingest(ivanov.rings("1", "PJSIP/106", "106", 10)...)
	p.Wait(`document.title === 'Your client Ivanov & Sons · +79161234567 is calling. – Earshot'`)
	hide("false")
	p.Wait(`document.title === 'Earshot'`)
	hide("true")
	p.Wait(`document.title.startsWith('Your client')`)
	o.ingest(ends("1", 20)...)
	p.Wait(`document.title === 'Earshot'`)
	quiet(t, p)
}

// A browser does not tell its page why a WebSocket was refused. The slow tries are held here until the test asks for them.
func TestAWindowTooManySaysSoAndComesWhenAnotherIsClosed(t *testing.T) {
	o := newBureau(t)
	var others []*watcher
	for range 10 {
		others = append(others, o.watch("carl"))
	}
	p := o.visit(t)
	p.Eval(`(() => { const real = globalThis.setTimeout; globalThis.waits = []; globalThis.said = [];
		globalThis.setTimeout = (f, ms, ...more) => { if (!(ms >= 10000)) return real(f, ms, ...more); waits.push(ms); globalThis.again = f; return 0; };
		const link = document.querySelector('#link'); new MutationObserver(() => said.push(link.dataset.state)).observe(link, { attributes: true }); })()`, nil)
	p.Click("#token")
	p.Type(o.token["carl"])
	p.Press("Enter")
	p.Says("#link", "Too many windows are open: close one.")
	choose(p, "#language", "ru")
	p.Says("#link", "Открыто слишком много окон")
	choose(p, "#language", "en")
	tried := func() (all []float64) { p.Eval(`waits`, &all); return all }
	if all := tried(); len(all) != 1 || all[0] < 15_000 || all[0] > 25_000 {
		t.Errorf("it tries again after %v ms", all)
	}
	p.Eval(`again()`, nil)
	p.Wait(`waits.length === 2`)
	p.Says("#link", "Too many windows are open: close one.")
	var said []string
	if p.Eval(`said`, &said); !slices.Contains(said, "crowded") || slices.Contains(said, "lost") {
		t.Errorf("the page has said %v", said)
	}

	if err := others[0].conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	late := time.Now().Add(30 * time.Second)
	for live := false; !live; { // the other gives its place back a moment later
		if time.Now().After(late) {
			t.Fatalf("it does not come: %s", p.Text("#link"))
		}
		n := strconv.Itoa(len(tried()))
		p.Eval(`again()`, nil)
		p.Wait(`document.querySelector('#link').dataset.state === 'live' || waits.length > ` + n)
		p.Eval(`document.querySelector('#link').dataset.state === 'live'`, &live)
	}
	p.Says(row("anna"), "Free")
}
