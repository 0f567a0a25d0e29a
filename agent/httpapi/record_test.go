package httpapi_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	past "github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// mayRecord gives anna her own calls to record, and dora everybody's.
var mayRecord = strings.NewReplacer("lock: true}", "lock: true, record: own}", "except: [egor]}", "except: [egor]}, record: {to: any, except: [egor]}").Replace(policyText)

func TestARecordingFromRequestToEnd(t *testing.T) {
	w := newWorldKept(t, true, func(*gate.Config) {})
	w.gate.SetPolicy(w.policy(mayRecord))
	if a := w.ask("anna", http.MethodPost, "/v1/recordings", `{"target":"anna"}`); a.status != 409 || a.problem(t).Code != "not_talking" {
		t.Fatalf("on no call: %d %s", a.status, a.body)
	}
	if a := w.ask("anna", http.MethodPost, "/v1/recordings", `{}`); a.status != 422 || a.problem(t).Code != "no_target" {
		t.Fatalf("of nobody: %d %s", a.status, a.body)
	}
	w.talking(ivanov, "1", "PJSIP/101", "101")
	if a := w.ask("boris", http.MethodPost, "/v1/recordings", `{"target":"anna"}`); a.status != 403 || a.problem(t).Code != "no_right" {
		t.Fatalf("by who may not: %d %s", a.status, a.body)
	}
	a := w.ask("anna", http.MethodPost, "/v1/recordings", `{"target":"anna"}`)
	var v mask.Taping
	a.decode(t, &v)
	if a.status != 201 || v.State != mask.TapeRecording || a.header.Get("Location") != "/v1/recordings/"+v.ID {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := w.ask("anna", http.MethodGet, "/v1/employees", ""); !strings.Contains(string(a.body), `"recording":{"id":"`+v.ID+`","state":"recording"}`) {
		t.Fatalf("her own row does not say so: %s", a.body)
	}
	if a := w.ask("carl", http.MethodGet, "/v1/employees", ""); strings.Contains(string(a.body), v.ID) {
		t.Fatalf("another is told: %s", a.body)
	}
	var list httpapi.Recordings
	w.ask("anna", http.MethodGet, "/v1/recordings", "").decode(t, &list)
	if len(list.Recordings) != 1 || list.Recordings[0] != v {
		t.Fatalf("%+v", list)
	}
	path := "/v1/recordings/" + v.ID
	if a := w.ask("carl", http.MethodPatch, path, `{"state":"stopped"}`); a.status != 404 || a.problem(t).Code != "no_such_recording" {
		t.Fatalf("by another: %d %s", a.status, a.body)
	}
	for _, state := range []string{"", "running", "STOPPED"} {
		if a := w.ask("anna", http.MethodPatch, path, `{"state":"`+state+`"}`); a.status != 422 {
			t.Fatalf("%q: %d %s", state, a.status, a.body)
		}
	}
	// One that is being made is no file yet, and is not deleted by mistake for stopped.
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if a := w.ask("anna", method, path, ""); a.status != 404 || a.problem(t).Code != "no_such_recording" {
			t.Fatalf("%s: %d %s", method, a.status, a.body)
		}
	}
	for _, state := range []string{"paused", "paused", "recording", "stopped"} {
		a := w.ask("anna", http.MethodPatch, path, `{"state":"`+state+`"}`)
		a.decode(t, &v)
		if a.status != 200 || v.State != state {
			t.Fatalf("%s: %d %s", state, a.status, a.body)
		}
	}
	if a := w.ask("anna", http.MethodPatch, path, `{"state":"stopped"}`); a.status != 404 {
		t.Fatalf("again: %d %s", a.status, a.body)
	}
}

func TestWhatOthersRecordIsNotEarshotsToStop(t *testing.T) {
	s := newShelf(t, nil)
	runs := s.keep(t, "a.wav", tune(100), func(c *past.Call) { c.Recordings[0].Ended = time.Time{} }, annas, ivans)
	for _, state := range []string{"paused", "stopped"} {
		if p := s.ask("dora", http.MethodPatch, "/v1/recordings/"+s.id("dora", runs), `{"state":"`+state+`"}`).problem(t); p.Code != "not_ours" || p.Status != 409 {
			t.Errorf("%+v", p)
		}
	}
	over := s.keep(t, "b.wav", tune(100), nil, annas, ivans)
	if p := s.ask("dora", http.MethodPatch, "/v1/recordings/"+s.id("dora", over), `{"state":"stopped"}`).problem(t); p.Code != "recording_over" || p.Status != 409 {
		t.Errorf("%+v", p)
	}
	// By another's handle there is none.
	for _, id := range []string{s.id("dora", over), "caaaaaaaaaaaaaaaaaaaa"} {
		if p := s.ask("anna", http.MethodPatch, "/v1/recordings/"+id, `{"state":"stopped"}`).problem(t); p.Code != "no_such_recording" || p.Status != 404 {
			t.Errorf("%+v", p)
		}
	}
	if p := s.ask("dora", http.MethodPost, "/v1/recordings", `{"target":"anna"}`).problem(t); p.Code != "no_recordings" || p.Status != 404 {
		t.Errorf("without a folder of ARI's: %+v", p)
	}
}

// Of a call of which Earshot did not see all nobody can say that nobody excluded was on it. Who has the right is told that this is why; to others it is one to
// which they have no access.
func TestACallWithAGapIsPlayedToNobody(t *testing.T) {
	s := newShelf(t, nil)
	whole := s.keep(t, "a.wav", tune(100), nil, annas, ivans)
	link := s.link("dora", "/v1/recordings/"+s.id("dora", whole))
	gap := s.keep(t, "b.wav", tune(100), func(c *past.Call) { c.Gap = true }, annas, ivans)
	freds := s.keep(t, "c.wav", tune(100), func(c *past.Call) { c.Gap = true }, annas, freds)
	for _, who := range []string{"dora", "anna"} {
		if got := s.sees(who, gap); !reflect.DeepEqual(got, mask.JournalRecording{State: mask.RecordingNoAccess, Reason: "gap"}) {
			t.Errorf("%s sees %+v", who, got)
		}
	}
	if got := s.sees("carl", freds); !reflect.DeepEqual(got, mask.JournalRecording{State: mask.RecordingNoAccess}) {
		t.Errorf("carl, who is excluded whatever else there was, sees %+v", got)
	}
	if got := s.sees("dora", whole); got.State != mask.RecordingAvailable || got.Reason != "" || len(got.Can) == 0 {
		t.Errorf("of a call without one dora sees %+v", got)
	}
	if a := s.ask("", http.MethodGet, link, ""); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	s.keep(t, "a.wav", tune(100), func(c *past.Call) { c.Gap = true }, annas, ivans) // the same call
	if p := s.ask("", http.MethodGet, link, "").problem(t); p.Code != "gap" || p.Status != 403 || p.Rule != "" {
		t.Errorf("%+v", p)
	}
	list := s.phases("play")
	if e := list[len(list)-1]; e.Reason != "gap" || e.Outcome != audit.Deny || e.Subject != "dora" {
		t.Errorf("%+v", e)
	}
}
