package clients_test

import (
	"bytes"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/clients"
)

// Every way in which a system can fail or lie. After each nothing is known of the number, the reason is told without it, and it is counted.
func TestASystemThatFailsOrLiesGrantsNothing(t *testing.T) {
	const ask = "/find?phone={digits}"
	typed := func(contentType, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write([]byte(text))
		}
	}
	for name, tc := range map[string]struct {
		handler    http.HandlerFunc
		reason     string
		kind       string
		change     func(h *clients.HTTP)
		connection bool // the handler is not reached by it
	}{
		"an error":               {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, answerVera, 500) }, "it answers with status 500", "status", nil, false},
		"not found":              {http.NotFound, "it answers with status 404", "status", nil, false},
		"no longer allowed":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "the credential is not, or no longer, good", "status", nil, false},
		"no content":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "it answers with status 204", "status", nil, false},
		"too slow":               {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "it did not answer in time", "timeout", func(h *clients.HTTP) { h.Timeout = 100 * time.Millisecond }, false},
		"slow in the middle":     {drip, "it did not answer in time", "timeout", func(h *clients.HTTP) { h.Timeout = 100 * time.Millisecond }, false},
		"half an answer":         {half, "the answer broke off", "broken_off", nil, false},
		"no answer":              {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "the answer broke off", "broken_off", nil, false},
		"a huge answer":          {answer(`{"found": true, "name": "` + strings.Repeat("x", 2000) + `"}`), "the answer has more than 1024 bytes", "size", func(h *clients.HTTP) { h.MaxBytes = 1024 }, false},
		"an endless answer":      {endless, "the answer has more than 262144 bytes", "size", nil, false},
		"a page":                 {typed("text/html", answerVera), "not application/json", "content_type", nil, false},
		"no type at all":         {typed("nonsense;;", answerVera), "not application/json", "content_type", nil, false},
		"another encoding":       {typed("application/json; charset=windows-1251", answerVera), "not in UTF-8", "content_type", nil, false},
		"what is not UTF-8":      {answer("{\"found\": true, \"name\": \"\xc2\xe5\xf0\xe0\"}"), "not JSON in UTF-8", "malformed", nil, false},
		"no JSON":                {answer("found"), "not JSON in UTF-8", "malformed", nil, false},
		"more than JSON":         {answer(answerVera + "x"), "not JSON in UTF-8", "malformed", nil, false},
		"nothing":                {answer(""), "not JSON in UTF-8", "malformed", nil, false},
		"very deep":              {answer(`{"found":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}"), "not JSON in UTF-8", "malformed", nil, false},
		"an answer to others":    {answer(`{"name": "Vera", "manager": "anna"}`), "fields.found is not in the answer", "malformed", nil, false},
		"a text that says no":    {answer(`{"found": "false", "name": "Vera", "manager": "anna"}`), "fields.found is not in the answer", "malformed", nil, false},
		"a name that is none":    {answer(`{"found": true, "name": ["Vera"], "manager": "anna"}`), "fields.name is no text", "malformed", nil, false},
		"a person that is none":  {answer(`{"found": true, "name": "Vera", "manager": {"id": 1}}`), "fields.responsible is no id", "malformed", nil, false},
		"a person with a point":  {answer(`{"found": true, "manager": 1.5}`), "fields.responsible is no id", "malformed", nil, false},
		"a person below zero":    {answer(`{"found": true, "manager": -1}`), "fields.responsible is no id", "malformed", nil, false},
		"everybody":              {answer(`{"found": true, "manager": true}`), "fields.responsible is no id", "malformed", nil, false},
		"access that is none":    {answer(`{"found": true, "manager": "anna", "team": {"a": "boris"}}`), "fields.access is no list of ids", "malformed", nil, false},
		"access of lists":        {answer(`{"found": true, "manager": "anna", "team": [["boris"]]}`), "fields.access is no list of ids", "malformed", nil, false},
		"access of far too many": {answer(`{"found": true, "manager": "anna", "team": [` + numbers(101) + `]}`), "fields.access is no list of ids", "malformed", nil, false},
		"a redirect":             {http.RedirectHandler("/elsewhere?phone=79161234567", http.StatusFound).ServeHTTP, "it answers with a redirect", "redirect", nil, false},
		"a redirect to another":  {http.RedirectHandler("https://evil.test/?phone=79161234567", http.StatusFound).ServeHTTP, "it answers with a redirect", "redirect", func(h *clients.HTTP) { h.Redirects = 5 }, false},
		"a redirect from TLS": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+r.Host+"/79161234567", http.StatusFound)
		}, "it answers with a redirect", "redirect", func(h *clients.HTTP) { h.Redirects = 5 }, false},
		"redirects in a circle": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.String(), http.StatusTemporaryRedirect)
		}, "it answers with a redirect", "redirect", func(h *clients.HTTP) { h.Redirects = 5 }, false},
		"a redirect to nonsense":  {http.RedirectHandler("https://%zz79161234567", http.StatusFound).ServeHTTP, "", "", nil, false},
		"an unknown authority":    {answer(answerVera), "its certificate is not one to be trusted", "tls", func(h *clients.HTTP) { h.CAFile = "" }, true},
		"another's certificate":   {answer(answerVera), "its certificate is for another host", "tls", func(h *clients.HTTP) { h.URL = strings.Replace(h.URL, "127.0.0.1", "localhost", 1) }, true},
		"no TLS":                  {answer(answerVera), "it does not speak the TLS that is needed", "tls", plainServer(t), true},
		"nobody there":            {answer(answerVera), "no connection to it: connection refused", "connect", func(h *clients.HTTP) { h.URL = "https://" + nobodyListens(t) + ask }, true},
		"a host that is not":      {answer(answerVera), "", "", func(h *clients.HTTP) { h.URL = "https://crm.invalid" + ask }, true},
		"what no transport reads": {garbage, "the answer broke off", "broken_off", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			reached := make(chan struct{}, 100)
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				reached <- struct{}{}
				tc.handler(w, r)
			}))
			s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that are refused
			s.EnableHTTP2 = false
			s.StartTLS()
			defer s.Close()
			h := plain()
			h.URL = s.URL + ask
			h.CAFile = file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
			if tc.change != nil {
				tc.change(&h)
			}
			c := newCRM(t, h, clients.Environment{})
			defer c.stop()
			c.is(vera, clients.Unknown)
			if tc.reason == "" { // it depends on the machine how
				if err := <-c.reports; err == nil || strings.Contains(err.Error(), vera[2:]) {
					t.Errorf("reported %v", err)
				}
			} else {
				c.fails(tc.reason)
			}
			c.is(vera, clients.Unknown)
			if tc.kind != "" && c.gathered("requests_total", tc.kind) != 1 {
				t.Errorf("not counted as %s", tc.kind)
			}
			if len(c.changes) > 0 {
				t.Error("a change is told of")
			}
			if tc.connection == (len(reached) > 0) {
				t.Errorf("reached %d times", len(reached))
			}
		})
	}
}

// The same system over the same connections, well: else the table above would say nothing.
func TestASystemWithAnOwnAuthorityAndARedirectWithinIsBelieved(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/find" {
			http.Redirect(w, r, "/now?"+r.URL.RawQuery, http.StatusTemporaryRedirect)
			return
		}
		if r.Header.Get("Authorization") != "Bearer s3cret" {
			t.Error("the redirect lost the header")
		}
		answer("\ufeff"+answerVera)(w, r)
	}))
	defer s.Close()
	h := plain()
	h.URL, h.Redirects, h.HeadersFile = s.URL+"/find?phone={digits}", 1, file(t, "Authorization: Bearer s3cret\n")
	h.CAFile = file(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	c := newCRM(t, h, clients.Environment{})
	if client := c.learn(vera, clients.Found); client.Responsible != "anna" {
		t.Errorf("%q", client.Responsible)
	}
	c.stop()
}

func TestAStatusMaySayThatThereIsNoSuchClient(t *testing.T) {
	h := plain()
	h.AbsentStatus = 404
	c := newCRM(t, h, clients.Environment{Transport: within(http.NotFound)})
	c.learn(vera, clients.Stranger)
}

func numbers(n int) string {
	var list []string
	for i := range n {
		list = append(list, strconv.Itoa(i))
	}
	return strings.Join(list, ",")
}

// drip begins to answer and does not go on.
func drip(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"found": true,`))
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// half says that it answers more than it does.
func half(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1000")
	_, _ = w.Write([]byte(answerVera))
}

// endless answers for as long as it is read.
func endless(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"found": true, "name": "`))
	for part := bytes.Repeat([]byte("x"), 64<<10); ; {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

// garbage answers something that is not HTTP.
func garbage(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = conn.Write([]byte("79161234567 is Vera\r\n\r\n"))
	_ = conn.Close()
}

func plainServer(t *testing.T) func(h *clients.HTTP) {
	s := httptest.NewServer(answer(answerVera))
	t.Cleanup(s.Close)
	return func(h *clients.HTTP) {
		h.URL = strings.Replace(s.URL, "http:", "https:", 1) + "/find?phone={digits}"
	}
}

func nobodyListens(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
