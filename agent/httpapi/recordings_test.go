package httpapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/gate"
	past "github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/recording"
)

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
		"the head, which has none":  {"HEAD", []string{"Range", "bytes=0-9"}, 200, nil},
		"of another unit":           {"GET", []string{"Range", "seconds=1-2"}, 200, data},
		"several parts":             {"GET", []string{"Range", "bytes=0-9,20-29"}, 200, data},
		"a range that is none":      {"GET", []string{"Range", "bytes=9-1"}, 416, nil},
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

// What lies in a folder that cannot be read is not gone: it cannot be looked up, and as a copy may lie there nothing is deleted.
func TestAFolderThatIsAwayIsNoMissingRecording(t *testing.T) {
	s := newShelf(t, nil)
	c := s.keep(t, "a.wav", tune(100), nil, annas, ivans)
	id := s.id("dora", c)
	if a := s.ask("dora", "GET", "/v1/recordings/"+id, ""); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	refused := func(what, method string) {
		t.Helper()
		if a := s.ask("dora", method, "/v1/recordings/"+id, ""); a.status != 503 || a.problem(t).Code != "recording_unreadable" {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	if err := os.Remove(s.second); err != nil {
		t.Fatal(err)
	}
	refused("delete without the other folder", "DELETE")
	if _, err := os.Stat(filepath.Join(s.main, "a.wav")); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(s.main); err != nil {
		t.Fatal(err)
	}
	refused("play", "GET")
	refused("delete", "DELETE")
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
	s.book2().Refuse(os.ErrPermission)
	for _, method := range []string{"GET", "DELETE"} {
		if a := s.ask("dora", method, "/v1/recordings/"+id, ""); a.status != 503 || a.problem(t).Code != "not_recorded" {
			t.Errorf("%s: %d %s", method, a.status, a.body)
		}
	}
	s.book2().Refuse(nil)
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
