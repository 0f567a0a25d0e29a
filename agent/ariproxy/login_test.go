package ariproxy_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/ariproxy"
)

func TestWhoAsksProvesHimselfByBasicOrByKey(t *testing.T) {
	w := newWorld(t)
	key := func(user, secret string) answer {
		return w.ask("GET /ari/channels?api_key="+user+":"+secret, nil, "")
	}
	for name, got := range map[string]answer{
		"by Basic": w.as("alice", "GET /channels"), "by key": key("alice", w.token["alice"]), "by an escaped key": key("alice", strings.ReplaceAll(w.token["alice"], "_", "%5F")),
		"a panel": w.as("wall", "GET /channels"), "in any case": w.ask("GET /ari/channels", []string{strings.Replace(w.by("alice"), "Basic", "bASIC", 1)}, ""),
	} {
		if got.status != http.StatusOK || got.body != "[]" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	bearer := "Authorization: Bearer " + w.token["alice"]
	for name, ask := range map[string]func() answer{
		"nothing":                  func() answer { return w.ask("GET /ari/channels", nil, "") },
		"nobody's":                 func() answer { return key("alice", "ear_"+strings.Repeat("a", 43)) },
		"another's":                func() answer { return key("alice", w.token["bob"]) },
		"a panel's under his name": func() answer { return key("alice", w.token["crm"]) },
		"his as a panel's":         func() answer { return key("crm", w.token["alice"]) },
		"no secret":                func() answer { return key("alice", "") },
		"no user":                  func() answer { return key("", w.token["alice"]) },
		"another scheme":           func() answer { return w.ask("GET /ari/channels", []string{bearer}, "") },
		"no base 64":               func() answer { return w.ask("GET /ari/channels", []string{"Authorization: Basic ***"}, "") },
		"of what is not there":     func() answer { return w.ask("GET /ari/nothing?api_key=alice:x", nil, "") },
		"of the description":       func() answer { return w.ask("GET /ari/api-docs/resources.json", nil, "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // a refusal may take a second
			if got := ask(); got.status != http.StatusUnauthorized || got.message() != "Authentication required" || !strings.HasPrefix(got.header.Get("Www-Authenticate"), "Basic ") {
				t.Errorf("%d %v %s", got.status, got.header, got.body)
			}
		})
	}
	for name, got := range map[string]answer{
		"both": w.ask("GET /ari/channels?api_key=alice:"+w.token["alice"], []string{w.by("alice")}, ""), "two keys": w.ask("GET /ari/channels?api_key=alice:x&api_key=alice:"+w.token["alice"], nil, ""),
		"two headers": w.ask("GET /ari/channels", []string{w.by("alice"), w.by("carol")}, ""),
	} {
		if got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

// A browser asks without the page's credential whether the page may send it: it is told so for the pages that may ask, and no more is done for it.
func TestABrowserLearnsBeforeTheCredentialWhetherAPageMayAsk(t *testing.T) {
	w := newWorld(t, func(c *ariproxy.Config) { c.Origins = []string{"panel.example.com"} })
	const page, method = "Origin: https://panel.example.com", "Access-Control-Request-Method: DELETE"
	headers := []string{page, method, "Access-Control-Request-Headers: authorization,x-made-up"}
	for _, path := range []string{"/ari/bridges/x", "/ari/channels/x?api_key=alice:x", "/ari/nothing"} {
		got := w.ask("OPTIONS "+path, headers, "")
		if got.status != http.StatusNoContent || got.body != "" || got.header.Get("Access-Control-Allow-Origin") != "https://panel.example.com" ||
			got.header.Get("Access-Control-Allow-Credentials") != "true" || got.header.Get("Access-Control-Allow-Methods") != "GET, POST, PUT, DELETE" ||
			got.header.Get("Access-Control-Allow-Headers") != "Authorization, Content-Type, Range, X-Earshot-Employee, X-Earshot-Reason" {
			t.Errorf("of %s it is told %d %v %s", path, got.status, got.header, got.body)
		}
	}
	for name, tc := range map[string]struct {
		line    string
		headers []string
		status  int
	}{
		"a page that may not ask":  {"OPTIONS /ari/channels", []string{"Origin: https://other.example.com", method}, http.StatusForbidden},
		"two pages":                {"OPTIONS /ari/channels", []string{page, page, method}, http.StatusForbidden},
		"no page":                  {"OPTIONS /ari/channels", []string{method}, http.StatusUnauthorized},
		"no question of a browser": {"OPTIONS /ari/channels", []string{page}, http.StatusUnauthorized},
		"the request itself":       {"DELETE /ari/bridges/x", []string{page, method}, http.StatusUnauthorized},
		"what is not to be read":   {"OPTIONS /ari//channels", []string{page, method}, http.StatusBadRequest},
	} {
		got := w.ask(tc.line, tc.headers, "")
		if got.status != tc.status || got.header.Get("Access-Control-Allow-Methods") != "" {
			t.Errorf("%s: %d %v %s", name, got.status, got.header, got.body)
		}
	}
	if got := w.as("alice", "DELETE /bridges/x", page); got.status != http.StatusNotFound || got.header.Get("Access-Control-Allow-Origin") != "https://panel.example.com" {
		t.Errorf("the page's own request is answered by %d %v %s", got.status, got.header, got.body)
	}
	if strings.Contains(w.log.String(), "x-made-up") {
		t.Errorf("the log has %s", w.log)
	}
}

// What is written down of a request has neither its credential in it nor anything that its client made up.
func TestNoCredentialIsWrittenDown(t *testing.T) {
	w := newWorld(t)
	w.ask("GET /ari/channels?api_key=alice:"+w.token["alice"], nil, "")
	w.ask("GET /ari/channels/MadeUp?api_key=alice:secretOne", nil, "")
	w.as("alice", "GET /channels/MadeUp?x=MadeUp")
	w.as("alice", "GET /nothing/MadeUp")
	w.listen("alice", "app=MadeUp")
	all := w.log.String() + fmt.Sprint(w.book.Denied())
	for _, secret := range []string{w.token["alice"], "secretOne", "MadeUp", "Basic"} {
		if strings.Contains(all, secret) {
			t.Errorf("%q is in\n%s", secret, all)
		}
	}
	if !strings.Contains(all, `"operation":"GET /channels/{channelId}"`) || !strings.Contains(all, "operation_unknown") {
		t.Errorf("it says\n%s", all)
	}
}

func TestAPanelNamesTheEmployeeForWhomItAsks(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	for who, sees := range map[string]bool{"olga": true, "alice": false} {
		got := w.as("crm", "GET /channels", "X-Earshot-Employee: "+who)
		if got.status != http.StatusOK || strings.Contains(got.body, "Ivanov") != sees {
			t.Errorf("for %s: %d %s", who, got.status, got.body)
		}
	}
	words := map[string]bool{}
	for _, who := range []string{"carol", "ghost"} {
		got := w.as("crm", "GET /channels", "X-Earshot-Employee: "+who)
		words[fmt.Sprint(got.status, got.body)] = true
	}
	if len(words) != 1 || !words[`403{"message":"You may not ask for the employee in X-Earshot-Employee"}`] {
		t.Errorf("of others it is told %v", words)
	}
	if got := w.as("crm", "GET /channels"); got.status != http.StatusForbidden || !strings.Contains(got.message(), "Name the employee") {
		t.Errorf("of nobody it is told %d %s", got.status, got.body)
	}
	if got := w.as("crm", "GET /asterisk/ping"); got.status != http.StatusOK {
		t.Errorf("a ping is answered by %d %s", got.status, got.body)
	}
	if got := w.as("wall", "GET /channels"); !strings.Contains(got.body, "Ivanov") {
		t.Errorf("as itself the wall is told %s", got.body)
	}
	if got := w.as("alice", "GET /channels", "X-Earshot-Employee: olga"); got.status != http.StatusForbidden {
		t.Errorf("who names another is answered by %d %s", got.status, got.body)
	}
	if got := w.as("alice", "GET /channels", "X-Earshot-Employee: alice"); got.status != http.StatusOK {
		t.Errorf("who names himself is answered by %d %s", got.status, got.body)
	}
}

func TestWhoAsksTooOftenWaits(t *testing.T) {
	w := newWorld(t, func(c *ariproxy.Config) { c.PerMinute, c.Burst = 1, 3 })
	for i := range 5 {
		got := w.as("alice", "GET /asterisk/ping")
		if want := map[bool]int{true: http.StatusOK, false: http.StatusTooManyRequests}[i < 3]; got.status != want {
			t.Errorf("request %d is answered by %d", i, got.status)
		}
	}
	if got := w.as("carol", "GET /asterisk/ping"); got.status != http.StatusOK {
		t.Errorf("another is answered by %d", got.status)
	}
}

// A connection on which nobody proves himself does not last, whatever is asked on it, and one on which somebody has goes on.
func TestAConnectionIsForWhoProvesHimself(t *testing.T) {
	w := newWorld(t, func(c *ariproxy.Config) { c.LoginTimeout = 300 * time.Millisecond })
	open := func() net.Conn {
		conn, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		return conn
	}
	silent, stranger, alice := open(), open(), open()
	fmt.Fprintf(stranger, "GET /ari/channels HTTP/1.1\r\nHost: x\r\n\r\n")
	ask := func() {
		t.Helper()
		fmt.Fprintf(alice, "GET /ari/asterisk/ping HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", w.by("alice"))
		b := make([]byte, 4096)
		if n, err := alice.Read(b); err != nil || !strings.HasPrefix(string(b[:n]), "HTTP/1.1 200") {
			t.Fatalf("%s %v", b[:n], err)
		}
	}
	ask()
	for name, conn := range map[string]net.Conn{"silent": silent, "stranger": stranger} {
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	ask()
}

// Too many who have not proven themselves keep nobody out: who has waited longest makes room.
func TestACrowdOfStrangersKeepsNobodyOut(t *testing.T) {
	w := newWorld(t, func(c *ariproxy.Config) { c.LoginTimeout = time.Minute })
	var crowd []net.Conn
	defer func() {
		for _, c := range crowd {
			_ = c.Close()
		}
	}()
	for range 300 {
		conn, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		crowd = append(crowd, conn)
	}
	if got := w.as("alice", "GET /asterisk/ping"); got.status != http.StatusOK {
		t.Errorf("she is answered by %d", got.status)
	}
	_ = crowd[0].SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := crowd[0].Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the first is there yet: %v", err)
	}
}

func TestAMethodThatIsNotThereAndOptions(t *testing.T) {
	w := newWorld(t)
	if got := w.as("alice", "PUT /channels"); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "OPTIONS,GET,POST" || got.message() != "Invalid method" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	if got := w.as("alice", "OPTIONS /channels"); got.status != http.StatusNoContent || !slices.Contains(strings.Split(got.header.Get("Allow"), ","), "GET") || got.body != "" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
}
