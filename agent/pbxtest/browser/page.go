package browser

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a page is waited for.
const patience = 20 * time.Second

// Page is a tab in a window of its own that shares nothing with others. It is for the goroutine of its test; what goes wrong fails the test.
type Page struct {
	t       testing.TB
	b       *Browser
	context string
	target  string
	session string

	mu     sync.Mutex
	faults []string
}

// Open opens a page, which is closed with the test.
func (b *Browser) Open(t testing.TB) *Page {
	t.Helper()
	p := &Page{t: t, b: b}
	var c struct{ BrowserContextID string }
	p.must(b.do(t.Context(), "", "Target.createBrowserContext", map[string]any{"disposeOnDetach": true}, &c))
	p.context = c.BrowserContextID
	t.Cleanup(p.close)
	var target struct{ TargetID string }
	p.must(b.do(t.Context(), "", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": p.context, "width": 1280, "height": 800}, &target))
	p.target = target.TargetID
	var session struct{ SessionID string }
	p.must(b.do(t.Context(), "", "Target.attachToTarget", map[string]any{"targetId": p.target, "flatten": true}, &session))
	p.session = session.SessionID
	b.mu.Lock()
	b.pages[p.session] = p
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network", "DOM", "Accessibility"} {
		p.Do(domain+".enable", nil, nil)
	}
	return p
}

func (p *Page) close() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.b.mu.Lock()
	delete(p.b.pages, p.session)
	p.b.mu.Unlock()
	_ = p.b.do(ctx, "", "Target.disposeBrowserContext", map[string]any{"browserContextId": p.context}, nil) // it ends with the browser too
}

func (p *Page) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// Do sends a command of the DevTools protocol and reads the answer into out, if that is not nil.
func (p *Page) Do(method string, params map[string]any, out any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.must(p.b.do(ctx, p.session, method, params, out))
}

// heard keeps what the console has to say: errors, exceptions, and what the content security policy has stopped.
func (p *Page) heard(method string, params json.RawMessage) {
	var fault string
	switch method {
	case "Log.entryAdded":
		var m struct {
			Entry struct{ Level, Source, Text, URL string }
		}
		if json.Unmarshal(params, &m) == nil && (m.Entry.Level == "error" || m.Entry.Level == "warning") {
			fault = m.Entry.Level + " " + m.Entry.Source + ": " + m.Entry.Text + " " + m.Entry.URL
		}
	case "Runtime.exceptionThrown":
		fault = "exception: " + string(params)
	case "Runtime.consoleAPICalled":
		var m struct{ Type string }
		if json.Unmarshal(params, &m) == nil && (m.Type == "error" || m.Type == "warning" || m.Type == "assert") {
			fault = "console: " + string(params)
		}
	}
	if fault != "" {
		p.mu.Lock()
		p.faults = append(p.faults, fault)
		p.mu.Unlock()
	}
}

// Faults returns what the console has complained of, and forgets it.
func (p *Page) Faults() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.faults
	p.faults = nil
	return all
}

// Go opens an address and waits until it is loaded.
func (p *Page) Go(address string) {
	p.t.Helper()
	var a struct{ ErrorText string }
	p.Do("Page.navigate", map[string]any{"url": address}, &a)
	if a.ErrorText != "" {
		p.t.Fatalf("open the page: %s", a.ErrorText)
	}
	p.Wait(`document.readyState === 'complete' && location.href.startsWith(` + quote(address) + `)`)
}

// Eval evaluates a JavaScript expression, awaits it, and reads its value into out, if that is not nil.
func (p *Page) Eval(expression string, out any) {
	p.t.Helper()
	value, err := p.eval(expression)
	p.must(err)
	if out != nil {
		if err := json.Unmarshal(value, out); err != nil {
			p.t.Fatalf("%s: %s: %v", expression, value, err)
		}
	}
}

func (p *Page) eval(expression string) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var a struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	err := p.b.do(ctx, p.session, "Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true}, &a)
	if err == nil && a.ExceptionDetails != nil {
		err = fmt.Errorf("%s: %s %s", expression, a.ExceptionDetails.Text, a.ExceptionDetails.Exception.Description)
	}
	return a.Result.Value, err
}

// Wait waits until a JavaScript expression is true. The page itself looks at each change of its document and each frame.
func (p *Page) Wait(expression string) {
	p.t.Helper()
	late := time.Now().Add(patience)
	for {
		value, err := p.eval(`new Promise((done) => {
			const look = () => { try { return Boolean(` + expression + `); } catch { return false; } };
			const end = performance.now() + 2000;
			const step = () => { if (look()) done(true); else if (performance.now() > end) done(false); else setTimeout(step, 10); };
			step();
		})`)
		if err == nil && string(value) == "true" {
			return
		}
		// A page that is being loaded anew loses what waits in it.
		if err != nil && !strings.Contains(err.Error(), "context") && !strings.Contains(err.Error(), "navigated") || time.Now().After(late) {
			text, _ := p.eval(`document.body?.innerText`)
			p.t.Fatalf("it did not come to %s: %v; the page says %s; the console %v", expression, err, text, p.Faults())
		}
	}
}

// Text is the text of the first element that fits a selector, as one sees it.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	var s string
	p.Eval(`document.querySelector(`+quote(selector)+`)?.innerText ?? ''`, &s)
	return s
}

// Says waits until an element that fits the selector is to be seen and has the text in it.
func (p *Page) Says(selector, text string) {
	p.t.Helper()
	p.Wait(`[...document.querySelectorAll(` + quote(selector) + `)].some((el) => el.checkVisibility() && el.innerText.includes(` + quote(text) + `))`)
}

// Lacks waits until no element that fits the selector is to be seen.
func (p *Page) Lacks(selector string) {
	p.t.Helper()
	p.Wait(`![...document.querySelectorAll(` + quote(selector) + `)].some((el) => el.checkVisibility())`)
}

// Click waits for an element that fits the selector and clicks into its middle, as a mouse does.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.Wait(`document.querySelector(` + quote(selector) + `)?.checkVisibility() && !document.querySelector(` + quote(selector) + `).disabled`)
	var at struct{ X, Y float64 }
	p.Eval(`(() => { const el = document.querySelector(`+quote(selector)+`); el.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
		const r = el.getBoundingClientRect(); return { x: r.x + r.width / 2, y: r.y + r.height / 2 }; })()`, &at)
	for _, kind := range []string{"mousePressed", "mouseReleased"} {
		p.Do("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": at.X, "y": at.Y, "button": "left", "clickCount": 1}, nil)
	}
}

// Type types into what has the focus.
func (p *Page) Type(text string) {
	p.t.Helper()
	p.Do("Input.insertText", map[string]any{"text": text}, nil)
}

// keys are those with a code that is not their name.
var keys = map[string]struct {
	code int
	text string
}{
	"Tab": {9, ""}, "Enter": {13, "\r"}, "Escape": {27, ""}, "Space": {32, " "}, "PageDown": {34, ""}, "End": {35, ""}, "Home": {36, ""},
	"ArrowLeft": {37, ""}, "ArrowUp": {38, ""}, "ArrowRight": {39, ""}, "ArrowDown": {40, ""}, "/": {191, "/"},
}

// Press presses keys, one after the other: Tab, Shift+Tab, Enter, ArrowDown …
func (p *Page) Press(names ...string) {
	p.t.Helper()
	for _, name := range names {
		name, shift := strings.CutPrefix(name, "Shift+")
		k := keys[name]
		key := name
		if name == "Space" {
			key = " "
		}
		event := map[string]any{"key": key, "code": name, "windowsVirtualKeyCode": k.code, "type": "keyDown", "text": k.text}
		if shift {
			event["modifiers"] = 8
		}
		p.Do("Input.dispatchKeyEvent", event, nil)
		event["type"] = "keyUp"
		delete(event, "text")
		p.Do("Input.dispatchKeyEvent", event, nil)
	}
}

// Media sets the colour scheme (light, dark) that the system is said to have.
func (p *Page) Media(scheme string) {
	p.t.Helper()
	p.Do("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
}

// Size sets the size of the window, in CSS pixels, with so many of the screen's for each.
func (p *Page) Size(width, height int, scale float64) {
	p.t.Helper()
	p.Do("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}, nil)
}

// Picture is what is to be seen, as PNG.
func (p *Page) Picture() []byte {
	p.t.Helper()
	var a struct{ Data string }
	p.Do("Page.captureScreenshot", map[string]any{"format": "png"}, &a)
	data, err := base64.StdEncoding.DecodeString(a.Data)
	p.must(err)
	return data
}

// A Node is one that a screen reader is told of.
type Node struct {
	Role, Name string
	Focusable  bool
}

// Tree is what a screen reader is told of the page, in order, without what it passes over.
func (p *Page) Tree() []Node {
	p.t.Helper()
	var a struct {
		Nodes []struct {
			Ignored    bool
			Role       struct{ Value string }
			Name       struct{ Value string }
			Properties []struct {
				Name  string
				Value struct{ Value any }
			}
		}
	}
	p.Do("Accessibility.getFullAXTree", nil, &a)
	var all []Node
	for _, n := range a.Nodes {
		if n.Ignored {
			continue
		}
		node := Node{Role: n.Role.Value, Name: strings.TrimSpace(n.Name.Value)}
		for _, q := range n.Properties {
			if q.Name == "focusable" && q.Value.Value == true {
				node.Focusable = true
			}
		}
		all = append(all, node)
	}
	return all
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // cannot be: it is text
	}
	return string(b)
}

// Downloads has files that the page saves put into a folder.
func (p *Page) Downloads(dir string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.must(p.b.do(ctx, "", "Browser.setDownloadBehavior", map[string]any{"behavior": "allow", "browserContextId": p.context, "downloadPath": dir}, nil))
}
