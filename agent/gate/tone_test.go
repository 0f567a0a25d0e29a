package gate_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

var errMute = errors.New("no tone")

// toned is house with what the supervised are told of each mode of dora's.
func toned(spy, barge string) string {
	return strings.Replace(house, "listen: {to: any, allow: [spy], except: [egor]}}",
		"spy: {to: any, except: [egor], notify: "+spy+"}, barge: {to: any, notify: "+barge+"}}", 1)
}

// steps are the orders and the ends among what happened.
func (o *office) steps() (steps []string) {
	for _, l := range o.log.all() {
		if !strings.HasPrefix(l, "renew") && l != "drop" && l != "keep" {
			steps = append(steps, l)
		}
	}
	return steps
}

func (o *office) played() (tones []pbx.Tone) {
	o.pbx.set(func() { tones = slices.Clone(o.pbx.tones) })
	return tones
}

// sounding waits until so many tones are played, and nobody knows of another leg for one.
func (o *office) sounding(n int) {
	o.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; o.log.wait(5 * time.Millisecond) {
		there := 0
		o.pbx.set(func() {
			for id := range o.pbx.legs {
				if strings.Contains(string(id), "-tone-") {
					there++
				}
			}
		})
		if there == n {
			return
		}
		if time.Now().After(deadline) {
			o.t.Fatalf("%d tones are played and not %d", there, n)
		}
	}
}

func TestATonePlaysBeforeTheSupervisorHearsAnythingAndEndsWithHim(t *testing.T) {
	for notify, want := range map[string]struct{ played, both bool }{
		"none": {}, "panel": {}, "after": {}, "{how: [panel, after], to: both}": {},
		"tone": {played: true}, "[tone, panel]": {played: true}, "{how: tone, to: employee}": {played: true}, "{how: [after, tone], to: both}": {true, true},
	} {
		t.Run(notify, func(t *testing.T) {
			o := newOffice(t, toned(notify, "none"), func(c *gate.Config) { c.ToneEvery, c.Lease = 7*time.Second, 9*time.Second })
			o.talk("x", ivanov, "PJSIP/101")
			id := o.active("dora", "spy", "anna")
			steps := []string{"record decided allow allowed", "ring", "tone", "tap", "record done"}
			if !want.played {
				steps = slices.Delete(steps, 2, 3)
			}
			if got := o.steps(); !slices.Equal(got, steps) {
				t.Fatalf("%q, want %q", got, steps)
			}
			if tones := o.played(); want.played {
				if o := tones[0]; o.Target != "x.1" || o.Both != want.both || o.Every != 7*time.Second || o.Lease != 9*time.Second || !strings.HasPrefix(string(o.Leg), "earshot-"+id+"-tone-") {
					t.Fatalf("%+v", o)
				}
			}
			if err := o.gate.EndSupervision(t.Context(), who("dora"), id); err != nil {
				t.Fatal(err)
			}
			o.sounding(0)
			if o.pbx.left() != 0 {
				t.Errorf("%d legs are left", o.pbx.left())
			}
			if want.played { // who heard it is on record as one who was told
				o.log.until(t, "record disclosed")
				if e := o.audit.last(t, audit.Disclosed); e.Action != gate.NoticeAction || !slices.Equal(e.Targets, []string{"anna"}) {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

func TestWhoIsOnTheOtherSideIsOnRecordWhereHeHearsTheTone(t *testing.T) {
	for notify, want := range map[string][]string{"tone": {"anna"}, "{how: tone, to: both}": {"anna", "boris"}} {
		o := newOffice(t, toned(notify, "none"))
		o.talk("x", "PJSIP/102", "PJSIP/101")
		o.active("dora", "spy", "anna")
		o.hangUp("x")
		o.log.until(t, "record disclosed")
		if e := o.audit.last(t, audit.Disclosed); !slices.Equal(slices.Sorted(slices.Values(e.Targets)), want) || len(e.Employees) != 0 {
			t.Errorf("%s: %+v", notify, e)
		}
	}
}

func TestWithoutItsToneNoSupervisionBegins(t *testing.T) {
	o := newOffice(t, toned("tone", "none"))
	o.talk("x", ivanov, "PJSIP/101")
	o.pbx.failing("tone", errMute)
	w := o.watch("dora")
	id := o.must("dora", "spy", "anna")
	if reason := w.act(id, "ended"); reason != "not_told" {
		t.Fatal(reason)
	}
	o.log.until(t, "record failed not_told")
	if len(o.pbx.taps) != 0 || o.pbx.left() != 0 {
		t.Fatalf("%q", o.log.all())
	}
	// What needs none begins all the same.
	o.active("dora", "barge", "anna")
}

// One that the PBX has ended before it has said that it plays is none.
func TestAToneThatIsOverAtOnceIsNone(t *testing.T) {
	for name, over := range map[string]func(o *office, leg call.LegID){
		"its leg is gone": func(o *office, leg call.LegID) { o.gone(string(leg)) },
		"it was stopped":  func(o *office, leg call.LegID) { o.gate.Silenced(leg) },
	} {
		o := newOffice(t, toned("tone", "none"))
		o.talk("x", ivanov, "PJSIP/101")
		o.pbx.set(func() { o.pbx.toned = func(leg call.LegID) { over(o, leg) } })
		w := o.watch("dora")
		if reason := w.act(o.must("dora", "spy", "anna"), "ended"); reason != "not_told" || len(o.pbx.taps) != 0 {
			t.Errorf("%s: %s %q", name, reason, o.log.all())
		}
	}
}

func TestATonesWayGoesWithTheMode(t *testing.T) {
	t.Run("it goes on", func(t *testing.T) {
		o := newOffice(t, toned("tone", "[tone, after]"))
		o.talk("x", ivanov, "PJSIP/101")
		id := o.active("dora", "spy", "anna")
		for _, mode := range []string{"barge", "spy", "barge"} {
			if got := o.change("dora", id, mode); got != mode {
				t.Fatal(got)
			}
		}
		if len(o.played()) != 1 {
			t.Errorf("%q", o.steps())
		}
		o.sounding(1)
	})
	t.Run("it comes first and goes last", func(t *testing.T) {
		o := newOffice(t, toned("none", "tone"))
		o.talk("x", ivanov, "PJSIP/101")
		id := o.active("dora", "spy", "anna")
		if got := o.change("dora", id, "barge"); got != "barge" {
			t.Fatal(got)
		}
		o.sounding(1)
		if got := o.change("dora", id, "spy"); got != "spy" {
			t.Fatal(got)
		}
		o.log.until(t, "drop tone")
		o.sounding(0)
		swaps := slices.DeleteFunc(o.steps(), func(l string) bool { return !slices.Contains([]string{"tone", "swap", "drop tone"}, l) })
		if want := []string{"tone", "swap", "swap", "drop tone"}; !slices.Equal(swaps, want) {
			t.Errorf("%q, want %q", swaps, want)
		}
	})
	t.Run("others are to hear it", func(t *testing.T) {
		o := newOffice(t, toned("tone", "{how: tone, to: both}"))
		o.talk("x", ivanov, "PJSIP/101")
		id := o.active("dora", "spy", "anna")
		if got := o.change("dora", id, "barge"); got != "barge" {
			t.Fatal(got)
		}
		o.sounding(1)
		if p := o.played(); len(p) != 2 || p[0].Both || !p[1].Both {
			t.Errorf("%+v", p)
		}
	})
	t.Run("it cannot be put up", func(t *testing.T) {
		o := newOffice(t, toned("none", "tone"))
		o.talk("x", ivanov, "PJSIP/101")
		id := o.active("dora", "spy", "anna")
		o.pbx.failing("tone", errMute)
		if got := o.change("dora", id, "barge"); got != "pbx_failed" {
			t.Fatal(got)
		}
		if v, err := o.gate.Supervision(who("dora"), id); err != nil || v.State != "active" || v.Mode != "spy" || len(o.pbx.swaps) != 0 {
			t.Errorf("%+v %v %q", v, err, o.steps())
		}
	})
	t.Run("the change fails", func(t *testing.T) {
		o := newOffice(t, toned("none", "tone"))
		o.talk("x", ivanov, "PJSIP/101")
		id := o.active("dora", "spy", "anna")
		o.pbx.failing("swap", errMute)
		if got := o.change("dora", id, "barge"); got != "pbx_failed" {
			t.Fatal(got)
		}
		o.log.until(t, "drop tone")
		o.sounding(0)
	})
}

func TestAChangedPolicyPutsUpATone(t *testing.T) {
	o := newOffice(t, toned("none", "none"))
	o.talk("x", ivanov, "PJSIP/101")
	id := o.active("dora", "spy", "anna")
	for _, step := range []struct {
		notify string
		order  string
		n      int
		left   int
	}{{"tone", "tone", 1, 1}, {"{how: tone, to: both}", "drop tone", 1, 1}, {"tone", "drop tone", 2, 1}, {"panel", "drop tone", 3, 0}, {"tone", "tone", 4, 1}} {
		o.gate.SetPolicy(set(t, toned(step.notify, "none")))
		o.log.until(t, step.order, step.n)
		o.sounding(step.left)
	}
	if p := o.played(); len(p) != 4 || p[0].Both || !p[1].Both || p[2].Both || p[3].Both {
		t.Errorf("%+v", p)
	}
	// Whoever may do it unnoticed is told of to nobody.
	o.gate.SetPolicy(set(t, toned("tone", "none")+"roles: {quiet: {unnoticed: true}}\nassign: [{role: quiet, to: [dora]}]\n"))
	o.sounding(0)
	o.pbx.failing("tone", errMute)
	w := o.watch("dora")
	o.gate.SetPolicy(set(t, toned("tone", "none")))
	if reason := w.act(id, "ended"); reason != "not_told" {
		t.Errorf("it went on though the tone could not be put up: %s", reason)
	}
}

func TestASupervisionWhoseToneEndsDoesToo(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(o *office, tone string)
		want    string
	}{
		"its leg is hung up":     {func(o *office, tone string) { o.gone(tone) }, "not_told"},
		"it is played no more":   {func(o *office, tone string) { o.gate.Silenced(call.LegID(tone)) }, "not_told"},
		"somebody has joined it": {func(o *office, tone string) { o.leg("z", "PJSIP/102", call.StateUp, ""); o.enter("zz", "z", tone) }, "not_for_this_call"},
		"the call ends with it": {func(o *office, tone string) {
			o.gate.Silenced(call.LegID(tone))
			o.gone(tone, "x.1")
		}, "call_ended"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, toned("tone", "none"))
			o.talk("x", ivanov, "PJSIP/101")
			w := o.watch("dora")
			id := o.must("dora", "spy", "anna")
			w.act(id, "active")
			c.happens(o, string(o.played()[0].Leg))
			if reason := w.act(id, "ended"); reason != c.want {
				t.Errorf("%s, want %s", reason, c.want)
			}
			o.waitEmpty()
		})
	}
	// The end of one that is not needed any more is none of a supervision.
	o := newOffice(t, toned("tone", "{how: tone, to: both}"))
	o.talk("x", ivanov, "PJSIP/101")
	id := o.active("dora", "spy", "anna")
	first := o.played()[0].Leg
	o.change("dora", id, "barge")
	o.gate.Silenced(first)
	o.gate.Silenced("earshot-nobodys-tone-x")
	time.AfterFunc(40*time.Millisecond, func() { o.log.add("grace is over") })
	o.log.until(t, "grace is over")
	if v, err := o.gate.Supervision(who("dora"), id); err != nil || v.State != "active" {
		t.Errorf("%+v %v", v, err)
	}
}

func TestTheLeaseOfAToneIsRenewedWithTheOthers(t *testing.T) {
	bubbled(t, func(t *testing.T) {
		o := newOffice(t, toned("tone", "none"), func(c *gate.Config) { c.Lease = 3 * time.Second })
		defer o.close()
		o.talk("x", ivanov, "PJSIP/101")
		id := o.active("dora", "spy", "anna")
		o.log.until(t, "keep", 2)
		o.pbx.set(func() {
			for _, k := range o.pbx.kept {
				want := o.pbx.tones[0]
				if want.Begun = k.Begun; k != want || time.Since(k.Begun) > time.Minute {
					t.Errorf("%+v, want %+v", k, want)
				}
			}
		})
		// While it plays on, what fails is tried again.
		w := o.watch("dora")
		o.pbx.failing("keep", errMute)
		n := len(o.pbx.kept)
		o.log.until(t, "keep", n+2)
		if v, err := o.gate.Supervision(who("dora"), id); err != nil || v.State != "active" {
			t.Fatalf("%+v %v", v, err)
		}
		o.pbx.failing("keep", pbx.ErrNotPlayed)
		if reason := w.act(id, "ended"); reason != "not_told" {
			t.Error(reason)
		}
	})
}

// A tone is nobody: no board, no other supervision and no watchdog takes its leg for somebody who is on the call or listens to it.
func TestATonesLegIsNobodysAndNoTrespass(t *testing.T) {
	boards := map[string][]string{}
	for notify, n := range map[string]int{"none": 0, "{how: tone, to: both}": 1} {
		y := newYard(t, toned(notify, "none"))
		y.talk("x", "PJSIP/102", "PJSIP/101")
		watchers := map[string]*watcher{}
		for _, who := range []string{"anna", "boris", "carl", "gus"} {
			watchers[who] = y.watch(who)
		}
		id := y.active("dora", "spy", "anna")
		if tones := y.played(); len(tones) != n {
			t.Fatalf("%+v", tones)
		} else if len(tones) > 0 {
			tone := string(tones[0].Leg)
			y.ingest(call.Event{Kind: call.SpyBegan, Channel: y.ch(tone), Peer: y.ch("x.1")}) // as AMI tells of a snoop
		}
		if _, code := y.ask("egor", "spy", "anna"); code != "" { // dora's own legs do not stand in another's way
			t.Fatalf("%s: another supervision: %s", notify, code)
		}
		y.log.until(t, "tap", 2)
		if err := y.gate.EndSupervision(t.Context(), who("dora"), id); err != nil {
			t.Fatal(err)
		}
		y.sounding(0)
		for _, who := range []string{"anna", "boris", "carl", "gus"} {
			for _, m := range watchers[who].all() {
				data, err := json.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(data), "tone") {
					t.Errorf("%s is sent %s", who, data)
				}
				boards[notify] = append(boards[notify], who+" "+m.Type)
			}
		}
		for _, l := range y.log.all() {
			if strings.HasPrefix(l, "record witnessed") {
				t.Errorf("%s: the watchdog says %s", notify, l)
			}
		}
	}
	if !slices.Equal(boards["none"], boards["{how: tone, to: both}"]) {
		t.Errorf("without a tone there came\n%q\nand with one\n%q", boards["none"], boards["{how: tone, to: both}"])
	}
}

func TestATonePlaysOnAfterARestart(t *testing.T) {
	carl := func(notify string) string {
		return strings.Replace(house, "observe: true, listen: true, intercept: {to: any}", "observe: true, listen: {to: any, notify: "+notify+"}", 1)
	}
	old := call.Channel{ID: "earshot-act1-tone-a", Name: "Snoop/x.1-2", State: call.StateUp, App: "Stasis", Created: start}
	found := func(t *testing.T, notify string, change func(o *left)) *office {
		l := leftBehind()
		l.channels = append(l.channels, old)
		change(l)
		return l.found(t, carl(notify))
	}
	t.Run("anew", func(t *testing.T) {
		o := found(t, "{how: tone, to: both}", func(*left) {})
		o.log.until(t, "drop tone") // nobody knows who was to hear that
		o.log.until(t, "renew")
		o.sounding(1)
		if all := o.log.all(); slices.Index(all, "tone") > slices.Index(all, "renew") {
			t.Errorf("the lease is renewed before the tone is put up: %q", all)
		}
		if p := o.played(); len(p) != 1 || p[0].Leg == old.ID || p[0].Target != "x.1" || !p[0].Both {
			t.Fatalf("%+v", p)
		}
		if v, err := o.gate.Supervision(who("carl"), "act1"); err != nil || v.State != "active" {
			t.Fatalf("%+v %v", v, err)
		}
	})
	t.Run("not where nobody is to hear it any more", func(t *testing.T) {
		o := found(t, "panel", func(*left) {})
		o.log.until(t, "drop tone")
		o.log.until(t, "renew")
		o.sounding(0)
		if p := o.played(); len(p) != 0 {
			t.Fatalf("%+v", p)
		}
	})
	t.Run("nor where nothing is taken up", func(t *testing.T) {
		o := found(t, "tone", func(l *left) { l.holds = false })
		o.log.until(t, "record ended earshot_restarted")
		o.sounding(0)
	})
}

// What is told afterwards is told though Earshot was killed meanwhile.
func TestWhatIsToldAfterwardsOutlivesAKilledEarshot(t *testing.T) {
	carl := func(notify string) string {
		return strings.Replace(house, "observe: true, listen: true, intercept: {to: any}", "observe: true, listen: {to: any, notify: "+notify+"}", 1)
	}
	for name, c := range map[string]struct {
		text   string
		change func(*left)
		want   []string // who is told
		ends   string
	}{
		"its end was not seen":        {carl("after"), func(l *left) { l.channels, l.bridges = nil, nil }, []string{"anna"}, "record ended earshot_restarted"},
		"both sides":                  {carl("{how: after, to: both}"), func(l *left) { l.channels, l.bridges = nil, nil }, []string{"anna", "boris"}, "record ended earshot_restarted"},
		"its ground is gone":          {strings.Replace(carl("after"), "hana]", "hana, anna]", 1), func(*left) {}, []string{"anna"}, "record revoked deny protected"},
		"who was there has left":      {carl("{how: after, to: both}"), func(*left) {}, []string{"anna", "boris"}, ""},
		"nobody is to be told":        {carl("panel"), func(l *left) { l.channels, l.bridges = nil, nil }, nil, "record ended earshot_restarted"},
		"the phone still rang":        {carl("after"), ringing, nil, "record failed earshot_restarted"},
		"it was not on record":        {carl("after"), func(l *left) { l.acts[0].Carried = time.Time{} }, []string{"anna"}, "record ended earshot_restarted"},
		"the record names no target":  {carl("after"), func(l *left) { l.acts[0].Targets = nil }, nil, "record ended earshot_restarted"},
		"it may be done unnoticed":    {strings.Replace(carl("after"), "notify: after}", "notify: after}, unnoticed: true", 1), func(l *left) { l.channels, l.bridges = nil, nil }, nil, "record ended earshot_restarted"},
		"the supervisor is no longer": {strings.Replace(house, "carl:", "karl:", 1), func(*left) {}, []string{"anna", "boris"}, "record ended earshot_restarted"}, // nobody can say what he was to do
	} {
		t.Run(name, func(t *testing.T) {
			l := leftBehind()
			l.acts[0].Employees = []string{"anna", "boris"}
			c.change(l)
			o := l.found(t, c.text)
			if c.ends == "" {
				if list := o.notices("anna"); len(list) != 0 {
					t.Fatalf("she is told while it goes on: %+v", list)
				}
				o.gone("x.1")
				c.ends = "record ended call_ended"
			}
			o.log.until(t, c.ends)
			if len(c.want) > 0 {
				o.log.until(t, "record disclosed")
				e := o.audit.last(t, audit.Disclosed)
				if e.Action != gate.NoticeAction || e.Subject != "carl" || e.Mode != "whisper" || !slices.Equal(slices.Sorted(slices.Values(e.Employees)), c.want) {
					t.Errorf("%+v", e)
				}
			}
			for _, who := range []string{"anna", "boris", "gus"} {
				list := o.notices(who)
				if slices.Contains(c.want, who) != (len(list) == 1) {
					t.Errorf("%s is told %+v", who, list)
				} else if len(list) == 1 && (list[0].By != "carl" || list[0].Mode != "whisper" || list[0].State != "ended" || !list[0].Since.Equal(start.Add(-time.Hour)) || list[0].Until == nil) {
					t.Errorf("%s is told %+v", who, list[0])
				}
			}
		})
	}
}
