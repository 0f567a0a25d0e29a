package ariproxy_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/ariproxy"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
)

// tells reports whether a text has who is hidden in it, however it is written.
func tells(text string) bool {
	if plain, err := url.QueryUnescape(text); err == nil {
		text += plain
	}
	return stage.Tells(text)
}

// fast is a door that is asked as often as a fuzz target likes.
func fast(c *ariproxy.Config) { c.PerMinute, c.Burst, c.PerEmployee = 1e9, 1e9, 1000 }

// serve has the door answer a request as somebody, without a network. What is no request at all has the status 0.
func (w *world) serve(t testing.TB, who, method, target, kind, body string) (status int, text string) {
	u, err := url.ParseRequestURI(target)
	if err != nil || u.Host != "" || !strings.HasPrefix(target, "/") {
		return 0, ""
	}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+w.addr+"/", strings.NewReader(body))
	if err != nil {
		return 0, ""
	}
	r.URL, r.RequestURI, r.RemoteAddr = u, target, "127.0.0.1:1"
	r.Header.Set("Content-Type", kind)
	r.SetBasicAuth(user(who), w.token[who])
	a := httptest.NewRecorder()
	w.door.ServeHTTP(a, r)
	return a.Code, fmt.Sprint(a.Header()) + a.Body.String()
}

// Whatever somebody asks who has no right: nothing is ordered of the PBX, nothing but refusals comes into the record, no answer tells who is hidden, and none is
// the door's own fault.
func FuzzRequest(f *testing.F) {
	plain := strings.NewReplacer("{{U210}}", "1.p", "{{U200}}", "2.p", "{{U100}}", "3.p")
	for _, c := range attacks(f) {
		for _, s := range append(c.Send, c.Twin) {
			if method, target, ok := strings.Cut(plain.Replace(s), " "); ok && len(target) < 500 && len(c.Body) < 500 {
				f.Add(method, target, c.Kind, c.Body)
			}
		}
	}
	for _, path := range []string{"channels", "bridges", "endpoints", "deviceStates", "playbacks/x", "recordings/live/x", "recordings/stored", "sounds", "asterisk/info", "applications", "mailboxes", "api-docs/resources.json"} {
		f.Add("GET", "/ari/"+path, "", "")
	}
	f.Add("POST", "/ari/channels", "application/json", `{"endpoint":"PJSIP/400","app":"x","variables":{"A":"b"}}`)
	f.Add("PUT", "/ari/applications/x/eventFilter", "application/json", `{"allowed":[{"type":"StasisStart"}]}`)
	f.Add("POST", "/ari/events/user/x?application=x&source=channel:1.p", "", "")
	w := newWorldOf(f, strings.Replace(policyText, "\n  alice:", "\n  nobody: {name: Nobody, phones: [PJSIP/400], numbers: [\"400\"]}\n  alice:", 1), []string{"nobody", "alice", "olga"}, fast)
	w.talks("1", stage.HiddenName, "+"+stage.HiddenNumber, "PJSIP/210")
	w.talks("2", stage.HiddenName, "+"+stage.HiddenNumber, "PJSIP/200")
	w.rings("3", stage.HiddenName, "+"+stage.HiddenNumber, "PJSIP/120")
	if _, all := w.serve(f, "olga", "GET", "/ari/channels", "", ""); !tells(all) {
		f.Fatalf("nobody is hidden: %s", all)
	}
	f.Fuzz(func(t *testing.T, method, target, kind, body string) {
		if len(target)+len(body) > 64<<10 {
			return
		}
		w.book.Forget()
		status, got := w.serve(t, "nobody", method, target, kind, body)
		if status >= 500 && status != http.StatusNotImplemented && status != http.StatusServiceUnavailable {
			t.Fatalf("%s %q %q is answered by %d %s", method, target, body, status, got)
		}
		if tells(got) && !tells(target+body+method) {
			t.Fatalf("%s %q is told %s", method, target, got)
		}
		if got := w.pbx.taken(); len(got) > 0 {
			t.Fatalf("for %s %q %q the PBX was asked for %v", method, target, body, got)
		}
		for _, e := range w.book.All() {
			if e.Outcome == "allow" || e.Subject != "nobody" && e.Subject != "" {
				t.Fatalf("%s %q is recorded as %+v", method, target, e)
			}
		}
	})
}

// bob is whom calls are for.
var bob = call.Identity{Name: "Bob", Number: "210"}

// Whatever Asterisk's events have in their fields of who is on the other side, and however the call goes: no answer and no event tells it to who may not see
// it, and the one who may is told.
func FuzzHidden(f *testing.F) {
	f.Add("", "", []byte{0, 1, 2})
	f.Add("+", "", []byte{0, 1, 2, 3, 6, 7})
	f.Add("\r\nx: ", " \"<x>", []byte{4, 5, 8, 9})
	f.Add("Local/", "@ctx-1;2", []byte{8, 0, 1, 2, 10, 11})
	f.Add("PJSIP/210-", "&SIP/1", []byte{11, 9, 4, 0, 2, 1})
	f.Add("\",\"a\":\"", "\\", []byte{7, 0, 0, 2})
	w := newWorld(f, fast)
	// The streams go on for all inputs: what the one is sent of any of them is hidden.
	blind := w.listen("alice", subscribe)
	n := 0
	f.Fuzz(func(t *testing.T, before, behind string, plot []byte) {
		if len(before)+len(behind) > 200 {
			return
		}
		n++
		events, legs := stage.Plot(fmt.Sprint("f", n), "PJSIP/210", bob, before, behind, plot)
		w.ingest(events...)
		var told, all string
		for _, path := range []string{"channels", "bridges", "endpoints", "deviceStates", "applications"} {
			_, a := w.serve(t, "alice", "GET", "/ari/"+path, "", "")
			_, o := w.serve(t, "olga", "GET", "/ari/"+path, "", "")
			told, all = told+a, all+o
		}
		w.ingest(stage.Gone(legs)...)
		for more := true; more; {
			select {
			case e := <-blind.events:
				told += e.text
			case err := <-blind.over:
				t.Fatalf("the stream is over: %v", err)
			default:
				more = false
			}
		}
		if tells(told) {
			t.Fatalf("%q %q %v: alice is told\n%s", before, behind, plot, told)
		}
		if !tells(all) && before == "" && behind == "" {
			t.Fatalf("%v: olga is not told\n%s", plot, all)
		}
	})
}
