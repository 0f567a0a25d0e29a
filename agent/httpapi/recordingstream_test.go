package httpapi_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// slow is a client that reads when it is told to.
type slow struct {
	conn net.Conn
	r    *bufio.Reader
	resp *http.Response
}

func (s *shelf) slowly(who, path string) *slow {
	s.t.Helper()
	u, _ := url.Parse(s.web.URL)
	conn, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", u.Host)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(256 << 10)
	s.t.Cleanup(func() { _ = conn.Close() })
	head := ""
	if who != "" {
		head = "Authorization: Bearer " + s.token[who] + "\r\n"
	}
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, head)
	c := &slow{conn: conn, r: bufio.NewReader(conn)}
	if c.resp, err = http.ReadResponse(c.r, nil); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// A stream under way breaks off when the right goes: by the policy, the token, the second authority, or because the recording is deleted; and goes on
// when nothing goes.
func TestAStreamBreaksOffWhenTheRightGoes(t *testing.T) {
	data := tune(8 << 20)
	for name, tc := range map[string]struct {
		link   bool
		lose   func(s *shelf, id string)
		reason string
	}{
		"nothing":        {lose: func(*shelf, string) {}},
		"another policy": {lose: func(s *shelf, _ string) { s.gate.SetPolicy(s.policy(recordingPolicy + "#")) }},
		"the policy": {lose: func(s *shelf, _ string) {
			s.gate.SetPolicy(s.policy(strings.Replace(recordingPolicy, "recordings: own", "recordings: none", 1)))
		}, reason: "no_right"},
		"the employee": {lose: func(s *shelf, _ string) { s.gate.SetPolicy(s.policy("version: 1\nemployees: {boris: {name: B}}")) }, reason: "unknown_subject"},
		"the token":    {lose: func(s *shelf, _ string) { s.withdraw("anna") }, reason: "credential_ended"},
		"the file":     {lose: func(s *shelf, _ string) { s.deleteAs("dora") }, reason: "no_such_recording"},
		"the link's policy": {link: true, lose: func(s *shelf, _ string) {
			s.gate.SetPolicy(s.policy(strings.Replace(recordingPolicy, "recordings: own", "recordings: none", 1)))
		}, reason: "no_right"},
		"the link's token": {link: true, lose: func(s *shelf, _ string) { s.withdraw("anna") }, reason: "credential_ended"},
		"the row": {lose: func(s *shelf, _ string) {
			s.gate.SetPolicy(s.policy(strings.Replace(recordingPolicy, "journal: any", "journal: none", 1)))
		}, reason: "no_such_recording"},
		"the link's row": {link: true, lose: func(s *shelf, _ string) {
			s.gate.SetPolicy(s.policy(strings.Replace(recordingPolicy, "journal: any", "journal: none", 1)))
		}, reason: "no_such_recording"},
		"nothing of a link's": {link: true, lose: func(*shelf, string) {}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, nil)
			c := s.keep(t, "a.wav", data, nil, annas, ivans)
			path, who := "/v1/recordings/"+s.id("anna", c), "anna"
			if tc.link {
				path, who = s.link("anna", path), ""
			}
			client := s.slowly(who, path)
			if client.resp.StatusCode != 200 {
				t.Fatal(client.resp.Status)
			}
			first := make([]byte, 4096)
			if _, err := io.ReadFull(client.resp.Body, first); err != nil || !bytes.Equal(first, data[:4096]) {
				t.Fatalf("the beginning: %v", err)
			}
			tc.lose(s, path)
			rest, err := io.ReadAll(client.resp.Body)
			_ = client.resp.Body.Close()
			if tc.reason == "" {
				if err != nil || !bytes.Equal(rest, data[4096:]) {
					t.Fatalf("it did not go on: %v, %d bytes", err, len(rest))
				}
				return
			}
			if err == nil || len(rest) > len(data)/2 {
				t.Fatalf("it went on: %v, %d bytes", err, len(rest))
			}
			list := s.phases("play")
			if last := list[len(list)-1]; last.Phase != audit.Revoked || last.Reason != tc.reason || last.ID != list[0].ID {
				t.Errorf("the record: %+v", list)
			}
			if a := s.ask(who, "GET", path, ""); a.status == 200 {
				t.Error("it can be had again")
			}
		})
	}
}

func (s *shelf) withdraw(who string) {
	s.t.Helper()
	data, err := os.ReadFile(s.file)
	if err != nil {
		s.t.Fatal(err)
	}
	entry := regexp.MustCompile(`(?s)employee: "?` + who + `"?\s.*?sha256:`).FindIndex(data)
	if entry == nil {
		s.t.Fatal("the token is not in the file")
	}
	copy(data[entry[1]:], strings.Repeat("0", 64)) // another token's from now on
	if err := os.WriteFile(s.file, data, 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := s.tokens.Reload(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shelf) deleteAs(who string) {
	s.t.Helper()
	for _, c := range s.book.calls {
		if a := s.ask(who, "DELETE", "/v1/recordings/"+s.id(who, &c), ""); a.status != 204 {
			s.t.Fatalf("delete: %d %s", a.status, a.body)
		}
	}
}

func (s *shelf) link(who, path string) string {
	s.t.Helper()
	a := s.ask(who, "POST", path+"/links", `{}`)
	if a.status != 201 {
		s.t.Fatalf("make a link: %d %s", a.status, a.body)
	}
	var l mask.RecordingLink
	a.decode(s.t.(*testing.T), &l)
	return l.URL
}

func TestALinkPlaysForItsPersonAndEnds(t *testing.T) {
	s := newShelf(t, func(r *gate.Recordings) { r.TTL = 2 * time.Second })
	data := tune(5000)
	c := s.keep(t, "a.wav", data, nil, annas, ivans)
	path := "/v1/recordings/" + s.id("anna", c)
	link := s.link("anna", path)
	if n := len(s.phases("play")); n != 0 {
		t.Errorf("making it left %d entries", n)
	}
	for range 3 {
		if a := s.ask("", "GET", link, "", "Range", "bytes=0-99"); a.status != 206 || !bytes.Equal(a.body, data[:100]) {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	list := s.phases("play")
	if len(list) != 2 || list[1].Phase != audit.Disclosed || list[1].Subject != "anna" || !strings.HasPrefix(list[1].Credential, "token:") {
		t.Errorf("the record: %+v", list)
	}
	for name, other := range map[string]string{
		"to download": link + "?download=1", "with more": link + "a", "cut": link[:len(link)-1], "in capitals": gate.LinkPath + strings.ToUpper(link[len(gate.LinkPath):]),
		"as an id": "/v1/recordings/" + link[len(gate.LinkPath):], "an id as a link": gate.LinkPath + s.id("anna", c),
	} {
		if a := s.ask("anna", "GET", other, ""); a.status == 200 || a.status == 206 || bytes.Contains(a.body, data[:20]) {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for s.ask("", "GET", link, "").status == 200 {
		select {
		case <-deadline.C:
			t.Fatal("the link does not end")
		default:
		}
	}
	if p := s.ask("", "GET", link, "").problem(t); p.Code != "no_such_recording" {
		t.Errorf("afterwards: %+v", p)
	}
	if a := s.ask("anna", "GET", path, ""); a.status != 200 {
		t.Errorf("the recording itself: %d", a.status)
	}
}

// Whoever says who he is has to be whose link it is; and a link ends with the right to see the row, though the one to play is left.
func TestALinkIsBoundToItsPersonAndHisRow(t *testing.T) {
	s := newShelf(t, nil)
	c := s.keep(t, "a.wav", tune(500), nil, annas, ivans)
	link := s.link("anna", "/v1/recordings/"+s.id("anna", c))
	for who, want := range map[string]string{"": "", "anna": "", "dora": "no_such_recording", "carl": "no_such_recording"} {
		switch a := s.ask(who, "GET", link, ""); {
		case want == "" && a.status != 200:
			t.Errorf("as %q: %d %s", who, a.status, a.body)
		case want != "" && (a.status != 404 || a.problem(t).Code != want):
			t.Errorf("as %q: %d", who, a.status)
		}
	}
	if a := s.ask("", "GET", link, "", "Authorization", "Bearer nobodys"); a.status != 401 {
		t.Errorf("with a credential that is none: %d", a.status)
	}
	s.gate.SetPolicy(s.policy(strings.Replace(recordingPolicy, "journal: any", "journal: none", 1)))
	if a := s.ask("", "GET", link, ""); a.status != 404 || a.problem(t).Code != "no_such_recording" {
		t.Errorf("of a row that she does not see: %d %s", a.status, a.body)
	}
	s.gate.SetPolicy(s.policy(recordingPolicy))
	if a := s.ask("", "GET", link, ""); a.status != 200 {
		t.Errorf("of one that she sees again: %d %s", a.status, a.body)
	}
}

// Who does not read what he has asked for is not waited for longer than one write may take, and holds up nobody.
func TestWhoDoesNotReadARecordingIsCutOffAlone(t *testing.T) {
	s := newShelf(t, nil, func(c *httpapi.Config) { c.WriteTimeout = 200 * time.Millisecond })
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	c := s.keep(t, "a.wav", data, nil, annas, ivans)
	path := "/v1/recordings/" + s.id("anna", c)
	client := s.slowly("anna", path)
	if client.resp.StatusCode != 200 {
		t.Fatal(client.resp.Status)
	}
	s.logged(t, `"route":"/v1/recordings/{id}"`) // it is over, and nothing was read
	if a := s.ask("dora", "GET", "/v1/me", ""); a.status != 200 {
		t.Errorf("another is answered by %d", a.status)
	}
	rest, err := io.ReadAll(client.resp.Body)
	_ = client.resp.Body.Close()
	if err == nil || len(rest) >= len(data) {
		t.Errorf("all of it came: %d bytes, %v", len(rest), err)
	}
	quick, err := io.ReadAll(s.slowly("anna", path).resp.Body)
	if err != nil || !bytes.Equal(quick, data) {
		t.Errorf("who reads has %d bytes, %v", len(quick), err)
	}
}
