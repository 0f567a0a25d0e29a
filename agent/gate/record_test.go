package gate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/agent/recording"
)

// studio is the house with the right to record: anna and boris their own calls, carl sees all and records all, dora sees nothing and records all but
// egor, ivo sees all and records nobody, kay records her department.
var studio = strings.NewReplacer(
	`department: sales, lock: true}`, `department: sales, lock: true, record: own}`,
	`numbers: ["102"], department: sales}`, `numbers: ["102"], department: sales, record: own, lock: true}`,
	`observe: true, listen: true, intercept: {to: any}}`, `observe: true, listen: true, intercept: {to: any}, record: true}`,
	`except: [egor]}}
  egor`, `except: [egor]}, record: {to: any, except: [egor]}}
  kay:   {name: Kay, phones: [PJSIP/111], department: sales, record: department}
  egor`,
).Replace(house)

// newStudio is an office that records.
func newStudio(t testing.TB, text string, change ...func(*gate.Config)) *office {
	t.Helper()
	spools, err := recording.OpenSpools([]recording.SpoolConfig{{Name: "ari", Path: t.TempDir(), ARI: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = spools.Close() })
	return newOffice(t, text, append([]func(*gate.Config){func(c *gate.Config) { c.Recordings = &gate.Recordings{Spools: spools} }}, change...)...)
}

// tape begins a recording, and returns it or the code of why not.
func (o *office) tape(subject, target string, handle ...string) (mask.Taping, string) {
	o.t.Helper()
	v, err := o.gate.StartRecording(o.t.Context(), who(subject), gate.RecordAsk{Target: target, Call: strings.Join(handle, ""), Door: "test"})
	if err != nil {
		return v, gate.AsProblem(err).Code
	}
	return v, ""
}

func (o *office) mustTape(subject, target string, handle ...string) mask.Taping {
	o.t.Helper()
	v, code := o.tape(subject, target, handle...)
	if code != "" {
		o.t.Fatalf("%s may not record %s: %s", subject, target, code)
	}
	return v
}

// shows is the recording on the only call of an employee's row; nil when none is shown.
func (o *office) shows(subject, target string) *mask.Taped {
	o.t.Helper()
	b, err := o.gate.Employees(who(subject))
	if err != nil {
		o.t.Fatal(err)
	}
	for i := range b.Employees {
		if r := &b.Employees[i]; r.ID == target && len(r.Calls) == 1 {
			return r.Calls[0].Taped
		}
	}
	o.t.Fatalf("%s has no call", target)
	return nil
}

// codeOf is that of the problem of an answer.
func codeOf(_ mask.Taping, err error) string {
	if err == nil {
		return ""
	}
	return gate.AsProblem(err).Code
}

// taped waits until a recording has a state and returns it.
func (w *watcher) taped(id, state string) mask.Taping {
	w.t.Helper()
	for {
		if r := w.next().Recording; r != nil && r.ID == id && r.State == state {
			return *r
		}
	}
}

func TestARecordingIsDecidedRecordedCarriedOutAndShownToBothSides(t *testing.T) {
	var told []string
	o := newStudio(t, studio, func(c *gate.Config) {
		c.Recordings.Taped = func(leg call.LegID, name string, _ time.Time) { told = append(told, string(leg)+" "+name) }
	})
	o.talk("x", "PJSIP/102", "PJSIP/101")
	before := len(o.steps())
	anna := o.watch("anna")
	v := o.mustTape("anna", "anna")
	if v.State != mask.TapeRecording || v.Target != "anna" || v.Call != calls(o, "anna", "anna") || v.Since.IsZero() {
		t.Fatalf("%+v", v)
	}
	if got, want := o.steps()[before:], []string{"record decided allow allowed", "record", "record done"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	r := o.pbx.tapes[0]
	if r.Target != "x.1" || len(r.Name) < 30 || !strings.HasPrefix(r.Name, pbx.Prefix) || r.Lease != 30*time.Second {
		t.Errorf("%+v", r)
	}
	if !slices.Equal(told, []string{"x.1 " + r.Name}) {
		t.Errorf("of whose call it is, this was told: %q", told)
	}
	if e := o.audit.last(t, audit.Done); e.Action != "record" || e.Subject != "anna" || !slices.Equal(e.Targets, []string{"anna"}) || !slices.Contains(e.Employees, "boris") {
		t.Errorf("%+v", e)
	}
	if got := anna.taped(v.ID, mask.TapeRecording); got != v {
		t.Errorf("she is told %+v", got)
	}
	// Both see it, and of the others who sees whom they talk to and may record it.
	for subject, targets := range map[string]string{"anna": "anna", "boris": "boris", "carl": "anna boris"} {
		for target := range strings.FieldsSeq(targets) {
			if shown := o.shows(subject, target); shown == nil || *shown != (mask.Taped{ID: v.ID, State: mask.TapeRecording}) {
				t.Errorf("%s sees of %s %+v", subject, target, shown)
			}
		}
	}
	for _, subject := range []string{"dora", "ivo", "kay", "fay"} {
		for _, target := range []string{"anna", "boris"} {
			if shown := o.shows(subject, target); shown != nil {
				t.Errorf("%s sees of %s %+v", subject, target, shown)
			}
		}
	}
	if _, code := o.tape("carl", "anna"); code != "already_recording" {
		t.Errorf("again: %q", code)
	}
	list, err := o.gate.Recordings(who("anna"))
	if err != nil || len(list) != 1 || list[0] != v {
		t.Errorf("%+v %v", list, err)
	}
	if list, _ := o.gate.Recordings(who("carl")); len(list) != 0 {
		t.Errorf("carl's are %+v", list)
	}
	stopped, err := o.gate.StopRecording(t.Context(), who("anna"), gate.RecordAsk{ID: v.ID, Door: "test"})
	if err != nil || stopped.State != mask.TapeStopped || stopped.Reason != "stopped" {
		t.Fatalf("%+v %v", stopped, err)
	}
	if e := o.audit.last(t, audit.Ended); e.ID != v.ID || e.Reason != "stopped" || e.Action != "record" {
		t.Errorf("%+v", e)
	}
	if o.pbx.left() != 0 || o.shows("boris", "boris") != nil {
		t.Error("something of it is left")
	}
	anna.taped(v.ID, mask.TapeStopped)
	if c := codeOf(o.gate.PauseRecording(t.Context(), who("anna"), gate.RecordAsk{ID: v.ID})); c != "no_such_recording" {
		t.Errorf("to pause one that is over: %q", c)
	}
	o.mustTape("carl", "anna") // and it may be begun again
}

func TestWhoMayNotRecordIsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		from, to        string
		subject, target string
		code, reason    string
		prepare         func(*office)
	}{
		"no right":                            {"PJSIP/102", "PJSIP/101", "ivo", "anna", "no_right", "no_right", nil},
		"nobody knows the target":             {"PJSIP/102", "PJSIP/101", "carl", "nobody", "no_such_employee", "", nil},
		"another department":                  {ivanov, "PJSIP/105", "kay", "egor", "no_right", "no_right", nil},
		"her department's talks to others":    {"PJSIP/101", "PJSIP/105", "kay", "anna", "", "", nil},
		"and they are not in it":              {"PJSIP/101", "PJSIP/105", "kay", "egor", "no_right", "no_right", nil},
		"excluded":                            {ivanov, "PJSIP/105", "dora", "egor", "excluded", "excluded", nil},
		"excluded on the other side":          {"PJSIP/105", "PJSIP/101", "dora", "anna", "not_for_this_call", "excluded_other", nil},
		"excluded by a number that is his":    {"+79160000105", "PJSIP/101", "dora", "anna", "not_for_this_call", "excluded_other", nil},
		"protected":                           {ivanov, "PJSIP/108", "carl", "hana", "protected", "protected", nil},
		"protected on the other side":         {"PJSIP/108", "PJSIP/101", "carl", "anna", "not_for_this_call", "protected_other", nil},
		"a protected number":                  {secret, "PJSIP/101", "anna", "anna", "not_for_this_call", "protected_number", nil},
		"a phone of nobody's":                 {"PJSIP/999", "PJSIP/101", "anna", "anna", "not_for_this_call", "unknown_phone", nil},
		"locked by the other":                 {"PJSIP/102", "PJSIP/101", "anna", "anna", "not_for_this_call", "locked", func(o *office) { o.mustLock("boris") }},
		"locked, and one looks on":            {"PJSIP/102", "PJSIP/101", "carl", "anna", "not_for_this_call", "locked", func(o *office) { o.mustLock("anna") }},
		"locked by herself":                   {"PJSIP/102", "PJSIP/101", "anna", "anna", "", "", func(o *office) { o.mustLock("anna") }},
		"no call is up":                       {"PJSIP/102", "PJSIP/101", "carl", "fay", "not_talking", "not_talking", nil},
		"somebody protected barges in by now": {"PJSIP/102", "PJSIP/101", "carl", "anna", "not_for_this_call", "protected_other", func(o *office) { o.active("hana", "barge", "anna") }},
		"somebody protected spies by now":     {"PJSIP/102", "PJSIP/101", "carl", "anna", "", "", func(o *office) { o.active("hana", "spy", "anna") }},
		"one's own supervising leg": {"PJSIP/102", "PJSIP/101", "carl", "carl", "not_talking", "not_talking", func(o *office) {
			o.active("carl", "spy", "anna")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			o := newStudio(t, studio)
			o.talk("x", tc.from, tc.to)
			if tc.prepare != nil {
				tc.prepare(o)
			}
			left := o.pbx.left()
			_, code := o.tape(tc.subject, tc.target)
			if code != tc.code {
				t.Fatalf("%q, want %q", code, tc.code)
			}
			e := o.audit.last(t, audit.Decided)
			if code == "" {
				if e.Outcome != audit.Allow || o.pbx.left() != left+2 {
					t.Errorf("%+v, %d legs", e, o.pbx.left())
				}
				return
			}
			if tc.reason != "" && (e.Outcome != audit.Deny || e.Reason != tc.reason || e.Action != "record") {
				t.Errorf("%+v", e)
			}
			if o.pbx.left() != left {
				t.Error("something was done")
			}
		})
	}
}

func TestARecordingEndsTheMomentItsGroundIsGone(t *testing.T) {
	for name, tc := range map[string]struct {
		subject string
		change  func(*office)
		reason  string // that the subject is told
		phase   audit.Phase
		ground  string
	}{
		"somebody excluded joins": {"dora", func(o *office) {
			o.leg("z.0", "PJSIP/105", call.StateUp, "")
			o.enter("x", "z.0")
		}, "not_for_this_call", audit.Revoked, "excluded_other"},
		"somebody protected is being dialled": {"carl", func(o *office) {
			o.leg("z.0", "PJSIP/108", call.StateDown, "")
			o.dial("x.0", "z.0", "108")
		}, "not_for_this_call", audit.Revoked, "protected_other"},
		"the right is lost": {"carl", func(o *office) { o.gate.SetPolicy(set(o.t, strings.Replace(studio, ", record: true", "", 1))) }, "no_right", audit.Revoked, "no_right"},
		"the credential ends": {"carl", func(o *office) {
			o.gate.Recheck(func(auth.Subject) bool { return false })
		}, "credential_ended", audit.Revoked, "credential_ended"},
		"the other side locks":              {"carl", func(o *office) { o.mustLock("anna") }, "not_for_this_call", audit.Revoked, "locked"},
		"somebody protected barges in":      {"carl", func(o *office) { o.active("hana", "barge", "anna") }, "not_for_this_call", audit.Revoked, "protected_other"},
		"the call is over":                  {"carl", func(o *office) { o.hangUp("x") }, "call_ended", audit.Ended, "call_ended"},
		"the other side is gone for good":   {"carl", func(o *office) { o.gone("x.0") }, "call_ended", audit.Ended, "call_ended"},
		"the PBX ends what it is made by":   {"carl", func(o *office) { o.gone(string(o.pbx.tapes[0].Snoop)) }, "leg_gone", audit.Ended, "leg_gone"},
		"its holder is brought into a call": {"carl", func(o *office) { o.enter("y", string(o.pbx.tapes[0].Holder)) }, "not_for_this_call", audit.Revoked, "unknown_party"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newStudio(t, studio)
			o.talk("x", "PJSIP/102", "PJSIP/101")
			o.talk("y", ivanov, "PJSIP/106")
			w := o.watch(tc.subject)
			v := o.mustTape(tc.subject, "anna")
			tc.change(o)
			if got := w.taped(v.ID, mask.TapeStopped); got.Reason != tc.reason {
				t.Errorf("the subject is told %q", got.Reason)
			}
			if e := o.audit.waits(t, v.ID, tc.phase); e.Reason != tc.ground || e.Action != "record" {
				t.Errorf("%+v", e)
			}
			o.pbx.set(func() {
				for _, leg := range []call.LegID{o.pbx.tapes[0].Holder, o.pbx.tapes[0].Snoop} {
					if _, left := o.pbx.legs[leg]; left && o.ch(string(leg)).ID != "" {
						t.Errorf("%s is left", leg)
					}
				}
			})
		})
	}
}

func TestARecordingGoesOnAfterWhatTakesNobodysGround(t *testing.T) {
	o := newStudio(t, studio)
	o.talk("x", "PJSIP/102", "PJSIP/101")
	v := o.mustTape("carl", "anna")
	o.active("carl", "spy", "anna")
	o.active("egor", "barge", "anna")
	o.mustLock("anna") // ends it, since carl is no locker: and nothing before has
	if e := o.audit.waits(t, v.ID, audit.Revoked); e.Reason != "locked" || !slices.Contains(e.Employees, "egor") {
		t.Errorf("%+v", e)
	}
}

// Should what a recording is made with ever be brought into another call, those are heard there who are recorded, until it has ended.
func TestWhoIsBroughtTogetherWithARecordingHearsWhatItHears(t *testing.T) {
	o := newStudio(t, studio)
	o.talk("x", ivanov, "PJSIP/105")
	o.talk("y", other, "PJSIP/106")
	o.mustTape("carl", "egor")
	dora := o.watch("dora")
	id := o.active("dora", "spy", "fay")
	o.enter("y", string(o.pbx.tapes[0].Holder))
	if reason := dora.act(id, "ended"); reason != "not_for_this_call" {
		t.Errorf("%q", reason)
	}
	if e := o.audit.waits(t, id, audit.Revoked); e.Reason != "excluded_other" {
		t.Errorf("%+v", e)
	}
}

func TestARecordingIsPausedAndGoesOnByWhoMayRecordTheCall(t *testing.T) {
	o := newStudio(t, studio)
	o.talk("x", "PJSIP/102", "PJSIP/101")
	v := o.mustTape("carl", "anna")
	ask := gate.RecordAsk{ID: v.ID, Door: "test"}
	for _, subject := range []string{"ivo", "fay", "boris", "nils"} {
		for _, err := range []string{codeOf(o.gate.PauseRecording(t.Context(), who(subject), ask)), codeOf(o.gate.StopRecording(t.Context(), who(subject), ask))} {
			if err != "no_such_recording" {
				t.Errorf("%s: %q", subject, err)
			}
		}
	}
	before := len(o.steps())
	paused, err := o.gate.PauseRecording(t.Context(), who("anna"), ask)
	if err != nil || paused.State != mask.TapePaused || paused.Call != "" {
		t.Fatalf("%+v %v", paused, err)
	}
	if got, want := o.steps()[before:], []string{"record decided allow allowed", "pause earshot-", "record done"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if e := o.audit.last(t, audit.Done); e.ID != v.ID || e.Subject != "anna" || e.Mode != "paused" {
		t.Errorf("%+v", e)
	}
	if shown := o.shows("anna", "anna"); shown == nil || shown.State != mask.TapePaused {
		t.Errorf("her row says %+v", shown)
	}
	if again, err := o.gate.PauseRecording(t.Context(), who("carl"), ask); err != nil || again.State != mask.TapePaused || again.Call == "" {
		t.Errorf("again: %+v %v", again, err)
	}
	byCall := gate.RecordAsk{Target: "boris", Door: "test"}
	if c := codeOf(o.gate.ResumeRecording(t.Context(), who("boris"), byCall)); c != "no_such_recording" {
		t.Errorf("of a leg that is not recorded: %q", c)
	}
	o.pbx.failing("resume earshot-", errors.New("busy"))
	if c := codeOf(o.gate.ResumeRecording(t.Context(), who("anna"), gate.RecordAsk{Target: "anna"})); c != "pbx_failed" {
		t.Errorf("%q", c)
	}
	if e := o.audit.last(t, audit.Failed); e.ID != v.ID || e.Mode != "recording" || e.Reason != "pbx_failed" {
		t.Errorf("%+v", e)
	}
	o.pbx.set(func() { o.pbx.fail = nil })
	if on, err := o.gate.ResumeRecording(t.Context(), who("anna"), gate.RecordAsk{Target: "anna", Door: "test"}); err != nil || on.State != mask.TapeRecording {
		t.Errorf("%+v %v", on, err)
	}
	// A pause that cannot be written down is none.
	o.audit.failing(audit.Decided)
	if c := codeOf(o.gate.PauseRecording(t.Context(), who("carl"), ask)); c != "not_recorded" {
		t.Errorf("%q", c)
	}
	o.audit.failing("")
	if shown := o.shows("anna", "anna"); shown.State != mask.TapeRecording {
		t.Errorf("her row says %+v", shown)
	}
	if _, err := o.gate.StopRecording(t.Context(), who("anna"), ask); err != nil {
		t.Fatal(err)
	}
	if e := o.audit.waits(t, v.ID, audit.Ended); e.Reason != "stopped" {
		t.Errorf("%+v", e)
	}
}

// One that is shown as paused is not to go on because the PBX was slow: what may be resumed late is paused again, or ends.
func TestAResumptionThatIsNotAnsweredIsTakenBack(t *testing.T) {
	o := newStudio(t, studio)
	o.talk("x", "PJSIP/102", "PJSIP/101")
	v := o.mustTape("carl", "anna")
	ask := gate.RecordAsk{ID: v.ID, Door: "test"}
	if _, err := o.gate.PauseRecording(t.Context(), who("carl"), ask); err != nil {
		t.Fatal(err)
	}
	late := fmt.Errorf("no answer: %w", context.DeadlineExceeded)
	resumed := func() (steps []string, p *gate.Problem) {
		before := len(o.steps())
		_, err := o.gate.ResumeRecording(t.Context(), who("carl"), ask)
		return o.steps()[before:], gate.AsProblem(err)
	}
	o.pbx.failing("resume earshot-", late)
	steps, p := resumed()
	if want := []string{"record decided allow allowed", "resume earshot-", "pause earshot-", "record failed pbx_failed"}; !slices.Equal(steps, want) || p.Code != "pbx_failed" || p.MayBeDone() {
		t.Errorf("%q, %s, may be done: %v", steps, p.Code, p.MayBeDone())
	}
	if shown := o.shows("anna", "anna"); shown == nil || shown.State != mask.TapePaused {
		t.Errorf("her row says %+v", shown)
	}
	// What was refused has nothing to be taken back, and of a pause that comes late less is recorded than is shown.
	o.pbx.failing("resume earshot-", errors.New("busy"))
	if steps, p = resumed(); slices.Contains(steps, "pause earshot-") || p.Code != "pbx_failed" {
		t.Errorf("%q, %s", steps, p.Code)
	}
	o.pbx.set(func() { o.pbx.fail = nil })
	if on, err := o.gate.ResumeRecording(t.Context(), who("carl"), ask); err != nil || on.State != mask.TapeRecording {
		t.Errorf("%+v %v", on, err)
	}
	o.pbx.failing("pause earshot-", late)
	_, err := o.gate.PauseRecording(t.Context(), who("carl"), ask)
	if p := gate.AsProblem(err); p.Code != "pbx_failed" || !p.MayBeDone() {
		t.Errorf("%s, may be done: %v", p.Code, p.MayBeDone())
	}
	if shown := o.shows("anna", "anna"); shown == nil || shown.State != mask.TapeRecording {
		t.Errorf("her row says %+v", shown)
	}
	// Where nobody can say what it does it ends.
	o.pbx.set(func() { o.pbx.fail = nil })
	if _, err := o.gate.PauseRecording(t.Context(), who("carl"), ask); err != nil {
		t.Fatal(err)
	}
	o.pbx.set(func() { o.pbx.fail = map[string]error{"resume earshot-": late, "pause earshot-": late} })
	if _, p := resumed(); p.Code != "no_such_recording" {
		t.Errorf("%s", p.Code)
	}
	if e := o.audit.waits(t, v.ID, audit.Ended); e.Reason != "pbx_failed" {
		t.Errorf("%+v", e)
	}
}

func TestARecordingThatThePBXDoesNotBeginIsNone(t *testing.T) {
	o := newStudio(t, studio)
	o.talk("x", "PJSIP/102", "PJSIP/101")
	o.pbx.failing("record", errors.New("no"))
	if _, code := o.tape("anna", "anna"); code != "pbx_failed" {
		t.Fatalf("%q", code)
	}
	if e := o.audit.last(t, audit.Failed); e.Action != "record" || e.Reason != "pbx_failed" {
		t.Errorf("%+v", e)
	}
	if o.shows("anna", "anna") != nil {
		t.Error("her row says that it is recorded")
	}
	o.pbx.set(func() { o.pbx.fail = nil })
	o.audit.failing(audit.Done)
	if _, code := o.tape("anna", "anna"); code != "not_recorded" {
		t.Fatalf("%q", code)
	}
	o.audit.failing("")
	if o.pbx.left() != 0 || o.shows("anna", "anna") != nil {
		t.Error("something is left of one that could not be recorded")
	}
	if _, code := newOfficeTape(t); code != "no_recordings" {
		t.Errorf("where nothing is recorded: %q", code)
	}
}

func newOfficeTape(t *testing.T) (mask.Taping, string) {
	o := newOffice(t, studio)
	o.talk("x", "PJSIP/102", "PJSIP/101")
	return o.tape("anna", "anna")
}

// What an Earshot before has left is hung up, and its end written down.
func TestARecordingOfTheEarshotBeforeIsEnded(t *testing.T) {
	old := audit.Act{Entry: audit.Entry{ID: "aaaa", Phase: audit.Decided, Subject: "carl", Credential: "token", Action: "record", Targets: []string{"anna"}, Employees: []string{"anna"}, Outcome: audit.Allow, Reason: "allowed", Door: "test", Generation: 1}, Carried: start}
	o := newStudio(t, studio, func(c *gate.Config) {
		c.Estate = gate.Estate{Acts: []audit.Act{old}, Resume: func(string, string) (auth.Subject, bool) { return auth.Subject{}, false }}
	})
	holder, snoop := call.LegID(pbx.Prefix+"aaaa-tape"), call.LegID(pbx.Prefix+"aaaa-tape-snoop")
	o.pbx.put(holder, "")
	o.pbx.put(snoop, "")
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: &call.Snapshot{Channels: []call.Channel{
		{ID: holder, Name: "Snoop/x.1-0001", State: call.StateUp, App: "Stasis"}, {ID: snoop, Name: "Snoop/" + string(holder) + "-0002", State: call.StateUp, App: "Stasis"},
	}}})
	if e := o.audit.waits(t, "aaaa", audit.Ended); e.Reason != "earshot_restarted" || e.Action != "record" {
		t.Errorf("%+v", e)
	}
	for o.pbx.left() > 0 {
		o.log.wait(5 * time.Millisecond)
	}
}

// A watcher who does not see the other side gets the same bytes whoever it is and whoever records the call, and whatever he records himself.
func TestARecordingTellsNothingOfAHiddenCall(t *testing.T) {
	worlds := map[string]func(*office){
		"with boris":         func(o *office) { o.talk("x", "PJSIP/102", "PJSIP/101") },
		"with somebody else": func(o *office) { o.talk("x", ivanov, "PJSIP/101"); o.talk("y", "PJSIP/102", other) },
	}
	told := map[string]string{}
	for name, begin := range worlds {
		o := newStudio(t, studio)
		begin(o)
		w := o.watch("dora")
		v := o.mustTape("dora", "anna")
		if _, err := o.gate.PauseRecording(t.Context(), who("dora"), gate.RecordAsk{ID: v.ID}); err != nil {
			t.Fatal(err)
		}
		var all []any
		for _, m := range w.all() {
			if m.Recording != nil {
				m.Recording.Since, m.Recording.ID, m.Recording.Call = time.Time{}, "", ""
			}
			all = append(all, m)
		}
		b, err := o.gate.Employees(who("dora"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Employees {
			for k := range b.Employees[i].Calls {
				b.Employees[i].Calls[k].ID = ""
			}
		}
		data, _ := json.Marshal([]any{all, b.Employees})
		told[name] = string(data)
		if !strings.Contains(told[name], mask.TapePaused) {
			t.Errorf("she is told nothing of her own recording: %s", data)
		}
		if o.shows("anna", "anna") == nil {
			t.Error("anna is not told")
		}
	}
	if told["with boris"] != told["with somebody else"] {
		t.Errorf("%s\n%s", told["with boris"], told["with somebody else"])
	}
}
