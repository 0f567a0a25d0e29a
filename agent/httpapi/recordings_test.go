package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	past "github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/recording"
)

const recordingPolicy = `
version: 1
departments: {sales: {name: Sales, head: carl}, back: {name: Back Office}}
groups: {board: [fred]}
employees:
  anna:  {name: Anna Petrova, phones: [PJSIP/101], numbers: ["101"], department: sales, recordings: own}
  boris: {name: Boris Orlov, phones: [PJSIP/102], numbers: ["102"], department: sales, play: [department:sales]}
  carl:  {name: Carl Weber, phones: [PJSIP/103], numbers: ["103"], department: back, recordings: {to: department, except: [group:board]}}
  dora:  {name: Dora Lang, phones: [PJSIP/104], numbers: ["104"], department: back, recordings: {allow: [play, download, delete]}}
  egor:  {name: Egor Kim, phones: [PJSIP/105], numbers: ["105"], department: back, recordings: {to: any, reason: true}}
  fred:  {name: Fred Voss, phones: [PJSIP/106], numbers: ["106"], department: back}
protected: {numbers: ["+7 495 765-43-21"]}
roles: {reader: {journal: any}}
assign: [{role: reader, to: [everyone]}]
trunks: [PJSIP/trunk]
`

// book is a journal in memory.
type book struct {
	mu         sync.Mutex
	calls      map[string]past.Call
	recordings map[string]past.Recording
	order      []string // ids of the calls, by the place of their rows
	shown      *past.Call
}

func (b *book) Callers(context.Context, string) ([]call.Number, error) { return nil, nil }

// Rows has one row of each call: the one that is shown, or the one that a handle leads to.
func (b *book) Rows(_ context.Context, f past.Filter) ([]past.Row, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, n := b.shown, int64(0)
	if _, before := f.Before.Place(); before > 1 {
		if n = before - 1; n > int64(len(b.order)) {
			return nil, nil
		}
		was := b.calls[b.order[n-1]]
		was.Recordings = slices.Clone(was.Recordings)
		c = &was
	} else if c == nil || before != 0 {
		return nil, nil
	} else {
		n = int64(slices.Index(b.order, c.ID)) + 1
	}
	for i := range c.Recordings {
		c.Recordings[i] = b.recordings[c.Recordings[i].ID]
	}
	return []past.Row{{Call: c, Leg: &c.Legs[0], At: past.CursorAt(1, n)}}, nil
}

func (*book) Gaps(context.Context, time.Time, time.Time) ([]past.Gap, error)    { return nil, nil }
func (*book) Statistics(context.Context, past.StatsFilter) ([]past.Stat, error) { return nil, nil }
func (*book) Grade(context.Context, past.Grade) error                           { return nil }
func (*book) Grades(context.Context, string) ([]past.Grade, error)              { return nil, nil }

func (b *book) Recording(_ context.Context, id string) (past.Recording, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.recordings[id]
	if !ok {
		return r, past.ErrNoRecording
	}
	return r, nil
}

func (b *book) RecordingOf(_ context.Context, spool, file string) (past.Recording, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.recordings {
		if r.Spool == spool && r.File == file && r.Deleted.IsZero() {
			return r, nil
		}
	}
	return past.Recording{}, past.ErrNoRecording
}

func (b *book) Call(_ context.Context, id string) (past.Call, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.calls[id]
	if !ok {
		return c, past.ErrNoCall
	}
	return c, nil
}

func (b *book) MarkDeleted(_ context.Context, id string, at time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.recordings[id]
	r.Deleted = at
	b.recordings[id] = r
	return nil
}

// shelf is a world with recordings in two folders.
type shelf struct {
	*world
	book         *book
	main, second string // the folders
	secret       string // a file beside them
}

func newShelf(t *testing.T, change func(*gate.Recordings), options ...option) *shelf {
	t.Helper()
	s := &shelf{book: &book{calls: map[string]past.Call{}, recordings: map[string]past.Recording{}}}
	dir := t.TempDir()
	s.main, s.second, s.secret = filepath.Join(dir, "main"), filepath.Join(dir, "second"), filepath.Join(dir, "secret.wav")
	for _, d := range []string{s.main, s.second} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.write(t, s.secret, []byte("what lies beside the spools"))
	spools, err := recording.OpenSpools([]recording.SpoolConfig{{Name: "main", Path: s.main}, {Name: "second", Path: s.second}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = spools.Close() })
	r := &gate.Recordings{Book: s.book, Spools: spools}
	if change != nil {
		change(r)
	}
	s.world = newWorldOver(t, func(c *gate.Config) {
		c.Recordings, c.Journal = r, s.book
		c.Policy = (&world{t: t}).policy(recordingPolicy)
		c.Holds = func(who auth.Subject) bool { return s.world == nil || s.tokens.Holds(who) }
	}, options...)
	return s
}

func (s *shelf) write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// leg is one of a call.
func leg(id, endpoint, employee, number string) past.Leg {
	return past.Leg{ID: call.LegID(id), Endpoint: endpoint, Employee: employee, Number: call.Number(number), Began: start}
}

var (
	annas  = leg("1.1", "PJSIP/101", "anna", "101")
	ivans  = leg("1.2", "PJSIP/trunk", "", "+79161234567")
	borisL = leg("1.3", "PJSIP/102", "boris", "102")
	doras  = leg("1.4", "PJSIP/104", "dora", "104")
	freds  = leg("1.5", "PJSIP/106", "fred", "106")
)

// keep puts a recording of a call onto the shelf.
func (s *shelf) keep(t testing.TB, name string, data []byte, change func(*past.Call), legs ...past.Leg) *past.Call {
	t.Helper()
	s.write(t, filepath.Join(s.main, name), data)
	c := past.Call{ID: "call-" + name, Began: start, Ended: at(60), Legs: legs}
	r := past.Recording{ID: "REC" + strings.Map(func(r rune) rune {
		if r == '.' {
			return -1
		}
		return r
	}, name), Call: c.ID, Spool: "main", File: name, Source: "spool", Began: start, Ended: at(60), Size: int64(len(data))}
	c.Recordings = []past.Recording{r}
	if change != nil {
		change(&c)
	}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	s.book.calls[c.ID] = c
	if !slices.Contains(s.book.order, c.ID) {
		s.book.order = append(s.book.order, c.ID)
	}
	s.book.recordings[r.ID] = c.Recordings[0]
	return &c
}

// subject is somebody who has proven himself.
func (s *shelf) subjectOf(who string) auth.Subject {
	s.t.Helper()
	v, err := s.tokens.Authenticate(s.t.Context(), auth.Credential{Token: s.token[who]})
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// sees is a call's only recording as somebody sees it in the journal; the zero value when he does not see the call.
func (s *shelf) sees(who string, c *past.Call) mask.JournalRecording {
	s.t.Helper()
	s.book.mu.Lock()
	s.book.shown = c
	s.book.mu.Unlock()
	page, err := s.gate.Journal(s.t.Context(), s.subjectOf(who), gate.JournalAsk{})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(page.Rows) == 0 {
		return mask.JournalRecording{}
	}
	list := page.Rows[0].Recordings
	if len(list) != 1 || (list[0].State == mask.RecordingAvailable || list[0].State == mask.RecordingRunning) != (list[0].ID != "") {
		s.t.Fatalf("%s sees %+v", who, list)
	}
	return list[0]
}

// id is the recording's id; empty when he has no access.
func (s *shelf) id(who string, c *past.Call) string {
	s.t.Helper()
	return s.sees(who, c).ID
}

func tune(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func (s *shelf) phases(action string) (list []audit.Entry) {
	s.book2().mu.Lock()
	defer s.book2().mu.Unlock()
	for _, e := range s.book2().entries {
		if e.Action == action {
			list = append(list, e)
		}
	}
	return list
}

func (s *shelf) book2() *recorder { return s.world.book }

func TestARecordingIsServedInWholeAndInParts(t *testing.T) {
	s := newShelf(t, nil)
	data := tune(200_000)
	id := s.id("anna", s.keep(t, "a.wav", data, nil, annas, ivans))
	path := "/v1/recordings/" + id
	whole := s.ask("anna", http.MethodGet, path, "")
	if whole.status != 200 || !bytes.Equal(whole.body, data) {
		t.Fatalf("%d, %d bytes", whole.status, len(whole.body))
	}
	for name, want := range map[string]string{
		"Content-Type": "audio/wav", "Content-Disposition": `inline; filename="recording-20261001-090000.wav"`, "Cache-Control": "private, no-store",
		"X-Content-Type-Options": "nosniff", "Accept-Ranges": "bytes", "Content-Length": "200000",
	} {
		if got := whole.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	tag := whole.header.Get("Etag")
	for name, tc := range map[string]struct {
		method string
		header []string
		status int
		body   []byte
	}{
		"a part":                    {"GET", []string{"Range", "bytes=1000-1999"}, 206, data[1000:2000]},
		"its end":                   {"GET", []string{"Range", "bytes=-500"}, 206, data[199_500:]},
		"from a place on":           {"GET", []string{"Range", "bytes=150000-"}, 206, data[150_000:]},
		"if it is the same":         {"GET", []string{"Range", "bytes=0-9", "If-Range", tag}, 206, data[:10]},
		"if it is not the same":     {"GET", []string{"Range", "bytes=0-9", "If-Range", `"other"`}, 200, data},
		"by its time":               {"GET", []string{"Range", "bytes=0-9", "If-Range", whole.header.Get("Last-Modified")}, 206, data[:10]},
		"its head":                  {"HEAD", nil, 200, nil},
		"the head of a part":        {"HEAD", []string{"Range", "bytes=0-9"}, 206, nil},
		"a range that is none":      {"GET", []string{"Range", "seconds=1-2"}, 416, nil},
		"a range beyond its end":    {"GET", []string{"Range", "bytes=200000-"}, 416, nil},
		"what is known has changed": {"GET", []string{"If-None-Match", tag}, 304, nil},
	} {
		a := s.ask("anna", tc.method, path, "", tc.header...)
		if a.status != tc.status || a.status < 400 && !bytes.Equal(a.body, tc.body) {
			t.Errorf("%s: %d, %d bytes", name, a.status, len(a.body))
		}
		if a.status == 416 {
			if p := a.problem(t); p.Code != "no_such_range" || a.header.Get("Cache-Control") != "private, no-store" {
				t.Errorf("%s: %+v", name, p)
			}
		}
	}
	if a := s.ask("anna", http.MethodGet, path+"?download=1", ""); a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") || !bytes.Equal(a.body, data) {
		t.Errorf("as a file: %d %q", a.status, a.header.Get("Content-Disposition"))
	}
	// All that is one listening and one download.
	for _, action := range []string{"play", "download"} {
		list := s.phases(action)
		if len(list) != 2 || list[0].Phase != audit.Decided || list[1].Phase != audit.Disclosed || list[0].ID != list[1].ID || list[0].Subject != "anna" || list[0].Targets[0] != "anna" {
			t.Errorf("the record of %s: %+v", action, list)
		}
	}
}

// Each right is decided by itself, over everybody who was on the call.
func TestWhoMayPlayDownloadAndDelete(t *testing.T) {
	s := newShelf(t, nil)
	secret := leg("1.9", "PJSIP/trunk", "", "+74957654321")
	claimed := leg("1.9", "PJSIP/trunk", "", "106")
	for i, tc := range []struct {
		name   string
		change func(*past.Call)
		legs   []past.Leg
		may    map[string]string // p, d, x: play, download, delete
	}{
		{"a call of Anna's", nil, []past.Leg{annas, ivans}, map[string]string{"anna": "pd", "boris": "p", "carl": "pd", "dora": "pdx", "egor": ""}},
		{"one of Dora's", nil, []past.Leg{doras, ivans}, map[string]string{"anna": "", "boris": "", "carl": "pd", "dora": "pdx", "egor": ""}},
		{"one of both", nil, []past.Leg{annas, doras}, map[string]string{"anna": "pd", "boris": "p", "carl": "pd", "dora": "pdx"}},
		{"with somebody who is excepted", nil, []past.Leg{annas, freds}, map[string]string{"anna": "pd", "boris": "p", "carl": "", "dora": "pdx"}},
		{"with somebody who may be excepted", nil, []past.Leg{annas, claimed}, map[string]string{"anna": "pd", "boris": "p", "carl": "", "dora": "pdx"}},
		{"a number grants nothing", nil, []past.Leg{freds, leg("1.9", "PJSIP/trunk", "", "101")}, map[string]string{"anna": "", "boris": "", "carl": "", "dora": "pdx"}},
		{"with a protected number", nil, []past.Leg{annas, secret}, map[string]string{"anna": "", "boris": "", "carl": "", "dora": ""}},
		{"with an unknown phone", nil, []past.Leg{annas, leg("1.9", "PJSIP/999", "", "")}, map[string]string{"anna": "", "boris": "", "dora": ""}},
		{"with somebody who is not known any more", nil, []past.Leg{annas, leg("1.9", "PJSIP/109", "gone", "")}, map[string]string{"anna": "", "dora": ""}},
		{"that was not seen wholly", func(c *past.Call) { c.Gap = true }, []past.Leg{annas, ivans}, map[string]string{"anna": "", "dora": ""}},
		{"into which Fred spoke", func(c *past.Call) {
			c.Supervisions = []past.Supervision{{By: "fred", Target: "anna", Mode: "barge"}}
		}, []past.Leg{annas, ivans}, map[string]string{"anna": "pd", "carl": "", "dora": "pdx"}},
		{"of nobody's", nil, []past.Leg{ivans}, map[string]string{"anna": "", "dora": ""}},
	} {
		data := tune(100 + i)
		name := fmt.Sprintf("t%d.wav", i)
		for who, may := range tc.may {
			s.gate.SetPolicy(s.policy(recordingPolicy))
			c := s.keep(t, name, data, tc.change, tc.legs...)
			// With an id that he has from a time when he might.
			open := *c
			open.Gap, open.Legs, open.Supervisions = false, []past.Leg{leg("1.1", "PJSIP/101", who, "")}, nil
			s.gate.SetPolicy(s.policy(strings.Replace(recordingPolicy, "journal: any", "journal: any, recordings: {allow: [play, download, delete]}", 1)))
			id := s.id(who, &open)
			if id == "" {
				t.Fatalf("%s: %s has no id", tc.name, who)
			}
			s.gate.SetPolicy(s.policy(recordingPolicy))
			got := ""
			for _, do := range []struct{ letter, method, query string }{{"p", "GET", ""}, {"d", "GET", "?download=1"}, {"x", "DELETE", ""}} {
				a := s.ask(who, do.method, "/v1/recordings/"+id+do.query, "")
				switch {
				case a.status == 403:
					if bytes.Contains(a.body, []byte("fred")) || len(tc.legs) > 1 && tc.legs[1].ID != ivans.ID && (a.problem(t).Rule != "" || a.problem(t).Code != "not_for_this_call" && a.problem(t).Code != "no_right") {
						t.Errorf("%s: %s is told %s", tc.name, who, a.body)
					}
				case a.status == 404 && a.problem(t).Code == "no_such_recording": // he does not see the call
				case do.method == "GET" && a.status == 200 && bytes.Equal(a.body, data), do.method == "DELETE" && a.status == 204:
					got += do.letter
				default:
					t.Errorf("%s: %s %s as %s: %d %s", tc.name, do.method, do.query, who, a.status, a.body)
				}
			}
			if got != may {
				t.Errorf("%s: %s may %q, want %q", tc.name, who, got, may)
			}
			if _, err := os.Stat(filepath.Join(s.main, name)); (err == nil) != !strings.Contains(may, "x") {
				t.Errorf("%s: after %s the file: %v", tc.name, who, err)
			}
			if seen := s.sees(who, c); seen.State != mask.RecordingDeleted && (seen.ID != "") != (may != "" || who == "egor" && i < 2) {
				t.Errorf("%s: %s sees %+v", tc.name, who, seen)
			}
		}
	}
}

// Phones that the policy does not know may be taken to be outside; one that is somebody's by now is his all the same, whatever was known of it then.
func TestAPhoneOfSomebodysIsNotOutside(t *testing.T) {
	s := newShelf(t, nil)
	for _, tc := range []struct {
		phone, protected string
		may              string // who is played it
	}{
		{"PJSIP/999", "", "carl dora"},
		{"PJSIP/106", "", "dora"}, // fred is excepted for carl
		{"PJSIP/106", "employees: [fred], ", ""},
	} {
		s.gate.SetPolicy(s.policy(strings.Replace(recordingPolicy, "protected: {", "unknown_phones: outside\nprotected: {"+tc.protected, 1)))
		c := s.keep(t, "a.wav", tune(100), nil, annas, leg("1.9", tc.phone, "", ""))
		for _, who := range []string{"carl", "dora"} {
			id := s.id(who, c)
			if a := s.ask(who, "GET", "/v1/recordings/"+id, ""); (id != "" && a.status == 200) != strings.Contains(tc.may, who) {
				t.Errorf("%s, protected %q: %s gets %d", tc.phone, tc.protected, who, a.status)
			}
		}
	}
}

func TestAReasonIsAskedForAndRecorded(t *testing.T) {
	s := newShelf(t, nil)
	id := s.id("egor", s.keep(t, "a.wav", tune(100), nil, annas, ivans))
	if p := s.ask("egor", "GET", "/v1/recordings/"+id, "").problem(t); p.Code != "reason_required" || p.ID == "" {
		t.Errorf("without: %+v", p)
	}
	if a := s.ask("egor", "GET", "/v1/recordings/"+id, "", "X-Earshot-Reason", "a complaint"); a.status != 200 {
		t.Errorf("with: %d %s", a.status, a.body)
	}
	list := s.phases("play")
	if len(list) != 3 || list[0].Outcome != audit.Deny || list[1].Given != "a complaint" || list[2].Phase != audit.Disclosed || list[2].Given != "a complaint" {
		t.Errorf("the record: %+v", list)
	}
}

func TestDeletingIsFinal(t *testing.T) {
	s := newShelf(t, nil)
	c := s.keep(t, "a.wav", tune(100), nil, annas, ivans)
	id, annasID := s.id("dora", c), s.id("anna", c)
	s.write(t, filepath.Join(s.main, "a.mp3"), tune(50))
	s.write(t, filepath.Join(s.second, "a.wav"), tune(100))
	s.write(t, filepath.Join(s.second, "b.wav"), tune(100))
	if a := s.ask("anna", "DELETE", "/v1/recordings/"+annasID, ""); a.status != 403 {
		t.Fatalf("who may not: %d", a.status)
	}
	if a := s.ask("dora", "DELETE", "/v1/recordings/"+id, ""); a.status != 204 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for path, there := range map[string]bool{s.main + "/a.wav": false, s.main + "/a.mp3": false, s.second + "/a.wav": false, s.second + "/b.wav": true} {
		if _, err := os.Stat(path); (err == nil) != there {
			t.Errorf("%s: %v", filepath.Base(path), err)
		}
	}
	told := ""
	for _, e := range s.phases("delete")[1:] {
		told += fmt.Sprintf("%s %s %s %s\n", e.Phase, e.Subject, e.Detail, e.Mode)
		if e.ID != s.phases("delete")[1].ID {
			t.Errorf("another act's: %+v", e)
		}
	}
	pieces := "dora recording:RECawav copy:main.mp3\n|dora recording:RECawav copy:second.wav\n|dora recording:RECawav \n"
	if want := "decided " + strings.ReplaceAll(pieces, "|", "decided ") + "done " + strings.ReplaceAll(pieces, "|", "done "); told != want {
		t.Errorf("the record:\n%snot\n%s", told, want)
	}
	for who, id := range map[string]string{"dora": id, "anna": annasID} {
		for _, method := range []string{"GET", "DELETE"} {
			if p := s.ask(who, method, "/v1/recordings/"+id, "").problem(t); p.Code != "no_such_recording" {
				t.Errorf("%s %s afterwards: %+v", who, method, p)
			}
		}
	}
	after, _ := s.book.Call(t.Context(), c.ID)
	after.Recordings[0], _ = s.book.Recording(t.Context(), c.Recordings[0].ID)
	if v := s.sees("dora", &after); v.State != mask.RecordingDeleted || v.ID != "" {
		t.Errorf("it is seen as %+v", v)
	}
}

// Another call's file of the same name is its own; a copy that is of the same call goes too, unless it is still written or the storage says no.
func TestDeletingOneCallsRecordingLeavesAnothers(t *testing.T) {
	second := &authority{yes: true}
	s := newShelf(t, func(r *gate.Recordings) { r.Second = second })
	c := s.keep(t, "a.wav", tune(100), nil, annas, ivans)
	id := s.id("dora", c)
	bind := func(id, call, file string, ended time.Time) {
		s.write(t, filepath.Join(s.second, file), tune(100))
		s.book.mu.Lock()
		defer s.book.mu.Unlock()
		s.book.recordings[id] = past.Recording{ID: id, Call: call, Spool: "second", File: file, Began: start, Ended: ended}
	}
	bind("RECother", "call-other", "a.wav", at(60))
	bind("RECcopy", c.ID, "a.mp3", time.Time{})
	try := func(want string, there ...string) {
		t.Helper()
		code := "none"
		if a := s.ask("dora", "DELETE", "/v1/recordings/"+id, ""); a.status != 204 {
			code = a.problem(t).Code
		}
		if code != want {
			t.Fatalf("%s, want %s", code, want)
		}
		for _, path := range []string{"main/a.wav", "second/a.mp3", "second/a.wav"} {
			if _, err := os.Stat(filepath.Join(s.main, "..", path)); (err == nil) != slices.Contains(there, path) {
				t.Errorf("%s: %s: %v", want, path, err)
			}
		}
	}
	all := []string{"main/a.wav", "second/a.mp3", "second/a.wav"}
	try("recording_runs", all...)
	bind("RECcopy", c.ID, "a.mp3", at(60))
	second.deny = "a.mp3"
	try("second_authority", all...)
	second.deny = ""
	try("none", "second/a.wav")
	for id, deleted := range map[string]bool{"RECother": false, "RECcopy": true, "RECawav": true} {
		if r, _ := s.book.Recording(t.Context(), id); r.Deleted.IsZero() == deleted {
			t.Errorf("%s: %+v", id, r)
		}
	}
	if slices.ContainsFunc(second.was, func(q recording.Question) bool { return q.Spool == "second" && q.File == "a.wav" }) {
		t.Error("it was asked about the other call's")
	}
	if e := s.phases("delete"); e[len(e)-2].Detail != "recording:RECcopy" || e[len(e)-2].Mode != "copy:second.mp3" {
		t.Errorf("the record: %+v", e)
	}
}

func TestWithoutARecordNothingIsDisclosedOrDeleted(t *testing.T) {
	s := newShelf(t, nil)
	id := s.id("dora", s.keep(t, "a.wav", tune(100), nil, annas, ivans))
	s.book2().refuse(os.ErrPermission)
	for _, method := range []string{"GET", "DELETE"} {
		if a := s.ask("dora", method, "/v1/recordings/"+id, ""); a.status != 503 || a.problem(t).Code != "not_recorded" {
			t.Errorf("%s: %d %s", method, a.status, a.body)
		}
	}
	s.book2().refuse(nil)
	if a := s.ask("dora", "GET", "/v1/recordings/"+id, ""); a.status != 200 {
		t.Errorf("with one: %d %s", a.status, a.body)
	}
}

func TestARecordingThatIsMadeIsNotServed(t *testing.T) {
	s := newShelf(t, nil)
	c := s.keep(t, "a.wav", tune(100), func(c *past.Call) { c.Recordings[0].Ended = time.Time{} }, annas, ivans)
	if v := s.sees("dora", c); v.State != mask.RecordingRunning {
		t.Errorf("seen as %+v", v)
	}
	for _, method := range []string{"GET", "DELETE"} {
		if p := s.ask("dora", method, "/v1/recordings/"+s.id("dora", c), "").problem(t); p.Code != "recording_runs" || p.Status != 409 {
			t.Errorf("%s: %+v", method, p)
		}
	}
}

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

// Ten thousand requests with guessed ids, foreign ids and links, dots, encodings and ranges get nothing. Beside them, all along, one with a right is served.
func TestTenThousandGuessesDiscloseNothing(t *testing.T) {
	s := newShelf(t, nil)
	secret := append([]byte("SECRETSECRET"), tune(4000)...)
	c := s.keep(t, "a-1763790000.12.wav", secret, nil, annas, ivans)
	if err := os.Symlink(s.secret, filepath.Join(s.main, "out.wav")); err != nil {
		t.Fatal(err)
	}
	mine, foreign := s.id("anna", c), s.id("dora", c)
	annasLink := s.link("anna", "/v1/recordings/"+mine)
	r := rand.New(rand.NewPCG(7, 7))
	const alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
	word := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	flip := func(s string) string {
		b := []byte(s)
		for i := r.IntN(len(b)); ; i = r.IntN(len(b)) {
			if x := alphabet[r.IntN(len(alphabet))]; x != b[i] {
				b[i] = x
				return string(b)
			}
		}
	}
	paths := []string{
		"a-1763790000.12.wav", "main/a-1763790000.12.wav", c.Recordings[0].ID, c.ID, "../a-1763790000.12.wav", "..%2fa-1763790000.12.wav", "%2e%2e%2fsecret.wav", "..%5csecret.wav",
		"%252e%252e%252fsecret.wav", "....//secret.wav", "%c0%ae%c0%ae/secret.wav", "out.wav", "%00", mine + "%00", mine + "%2f", mine + "/", mine + "/..", mine + "%20", mine + ".wav", strings.ToUpper(mine),
		"%2fetc%2fpasswd", url.PathEscape(s.secret), "file:" + url.PathEscape(s.secret), "1", "0", "-1", "*", mine[:len(mine)-1], mine + "a", "%e2%80%ae" + mine,
	}
	guess := func() (who, path string) {
		switch r.IntN(9) {
		case 0:
			return "anna", "/v1/recordings/" + word(len(mine))
		case 1:
			return "anna", "/v1/recordings/" + flip(mine)
		case 2:
			return "anna", "/v1/recordings/" + foreign
		case 3:
			return []string{"boris", "carl", "dora", "egor"}[r.IntN(4)], "/v1/recordings/" + mine
		case 4:
			return "", annasLink[:len(gate.LinkPath)] + flip(annasLink[len(gate.LinkPath):])
		case 5:
			return "", "/v1/recordings/" + mine
		case 6:
			return "boris", gate.LinkPath + word(len(annasLink)-len(gate.LinkPath))
		case 7:
			return "boris", gate.LinkPath + paths[r.IntN(len(paths))]
		}
		return "anna", "/v1/recordings/" + paths[r.IntN(len(paths))]
	}
	methods := []string{"GET", "GET", "GET", "HEAD", "DELETE", "POST"}
	ranges := []string{"", "bytes=0-9", "bytes=-1", "bytes=0-", "bytes=0-0,2-3,5-", "bytes=18446744073709551616-", "bytes=--1", "bytes=abc"}
	before := len(s.phases("play"))
	statuses := map[int]int{}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	for i := range 10_000 {
		who, path := guess()
		method := methods[r.IntN(len(methods))]
		if i%500 == 0 {
			if a := s.ask("anna", "GET", "/v1/recordings/"+mine, "", "Range", "bytes=0-11"); a.status != 206 || string(a.body) != "SECRETSECRET" {
				t.Fatalf("the control: %d", a.status)
			}
		}
		var body io.Reader
		if method == "POST" {
			path, body = path+"/links", strings.NewReader("{}")
		}
		req, err := http.NewRequestWithContext(t.Context(), method, s.web.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = "//" + req.URL.Host + path // as it is written, so that no client of Go's tidies it
		if body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		if who != "" {
			req.Header.Set("Authorization", "Bearer "+s.token[who])
		}
		if x := ranges[r.IntN(len(ranges))]; x != "" {
			req.Header.Set("Range", x)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		statuses[resp.StatusCode]++
		if resp.StatusCode < 400 || resp.Header.Get("Etag") != "" || resp.Header.Get("Content-Range") != "" || bytes.Contains(got, []byte("SECRET")) || bytes.Contains(got, []byte("beside the spools")) {
			t.Fatalf("%s %s as %q: %d %q", method, path, who, resp.StatusCode, got)
		}
		if method == "GET" && resp.StatusCode == 404 && strings.HasPrefix(path, "/v1/recordings/") && !strings.Contains(strings.TrimPrefix(path, "/v1/recordings/"), "/") {
			var p struct{ Code string }
			if json.Unmarshal(got, &p) != nil || p.Code != "no_such_recording" && p.Code != "no_such_path" {
				t.Fatalf("%s: not as every other: %s", path, got)
			}
		}
	}
	t.Logf("statuses: %v", statuses)
	if n := len(s.phases("play")) - before; n != 2 {
		t.Errorf("%d entries were made of it, want those of the control", n)
	}
	if _, err := os.Stat(filepath.Join(s.main, "a-1763790000.12.wav")); err != nil {
		t.Error("the recording is gone")
	}
}

// authority answers what it is told to.
type authority struct {
	mu   sync.Mutex
	yes  bool
	deny string // of which file it says no all the same
	err  error
	was  []recording.Question
}

func (a *authority) Allow(_ context.Context, q recording.Question) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.was = append(a.was, q)
	return a.yes && (a.deny == "" || q.File != a.deny), a.err
}

func TestTheSecondAuthorityHasToSayYesToo(t *testing.T) {
	second := &authority{}
	s := newShelf(t, func(r *gate.Recordings) { r.Second = second })
	c := s.keep(t, "a.wav", tune(100), nil, annas, ivans)
	path := "/v1/recordings/" + s.id("anna", c)
	try := func(yes bool, err error) answer {
		second.mu.Lock()
		second.yes, second.err = yes, err
		second.mu.Unlock()
		return s.ask("anna", "GET", path, "")
	}
	if p := try(false, nil).problem(t); p.Status != 403 || p.Code != "second_authority" {
		t.Errorf("no: %+v", p)
	}
	if p := try(true, os.ErrDeadlineExceeded).problem(t); p.Status != 503 || p.Code != "second_authority_silent" {
		t.Errorf("silence: %+v", p)
	}
	if a := try(true, nil); a.status != 200 {
		t.Errorf("yes: %d", a.status)
	}
	if q := second.was[0]; q != (recording.Question{Employee: "anna", Action: "play", Place: recording.Place{Spool: "main", File: "a.wav"}}) {
		t.Errorf("it was asked %+v", q)
	}
	// Whom the policy refuses it is not asked about.
	n := len(second.was)
	s.gate.SetPolicy(s.policy(strings.Replace(recordingPolicy, "recordings: own", "recordings: none", 1)))
	if a := try(true, nil); a.status != 403 || len(second.was) != n {
		t.Errorf("refused by the policy: %d", a.status)
	}
}
