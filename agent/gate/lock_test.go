package gate_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// lock locks a call and returns the lock, or the code of why not.
func (o *office) lock(subject string, handle ...string) (mask.Lock, string) {
	o.t.Helper()
	v, err := o.gate.Lock(o.t.Context(), who(subject), gate.LockAsk{Call: strings.Join(handle, ""), Door: "test"})
	if err != nil {
		return v, gate.AsProblem(err).Code
	}
	return v, ""
}

func (o *office) mustLock(subject string, handle ...string) mask.Lock {
	o.t.Helper()
	v, code := o.lock(subject, handle...)
	if code != "" {
		o.t.Fatalf("%s may not lock: %s", subject, code)
	}
	return v
}

func TestALockEndsTheSupervisionOfTheCallAndBarsTheNext(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.talk("y", other, "PJSIP/102")
	bystander := o.active("dora", "spy", "boris")
	carl := o.watch("carl")
	id := o.active("carl", "spy", "anna")
	v := o.mustLock("anna")
	if v.Call != calls(o, "anna", "anna") {
		t.Fatalf("%+v", v)
	}
	if reason := carl.act(id, "ended"); reason != "not_for_this_call" {
		t.Fatalf("carl is told %q", reason)
	}
	e := o.audit.waits(t, id, audit.Revoked)
	if e.Reason != "locked" {
		t.Fatalf("%+v", e)
	}
	for _, mode := range []string{"spy", "whisper", "barge"} {
		o.refused("not_for_this_call", "carl", mode, "anna")
	}
	if e := o.audit.last(t, audit.Decided); e.Reason != "locked" || e.Outcome != audit.Deny {
		t.Fatalf("%+v", e)
	}
	if _, err := o.gate.Supervision(who("dora"), bystander); err != nil {
		t.Fatal("another call's supervision has ended")
	}
	// Whoever sees the call has no buttons for it; to others nothing has changed.
	if can := o.row("carl", "anna").Can; len(can) != 0 {
		t.Errorf("carl can %v", can)
	}
	if can := o.row("dora", "anna").Can; !slices.Equal(can, []string{"spy"}) {
		t.Errorf("dora can %v", can)
	}
	if again := o.mustLock("anna"); again.ID != v.ID {
		t.Errorf("a locked call was locked again: %+v", again)
	}
	if err := o.gate.Unlock(t.Context(), who("anna"), v.ID); err != nil {
		t.Fatal(err)
	}
	if e := o.audit.last(t, audit.Ended); e.Reason != "unlocked" || e.ID != v.ID || e.Action != "lock" {
		t.Fatalf("%+v", e)
	}
	if can := o.row("carl", "anna").Can; !slices.Equal(can, []string{"spy", "whisper", "barge"}) {
		t.Errorf("carl can %v after the lock is off", can)
	}
	o.active("carl", "spy", "anna")
}

func TestOnlyTheLockersOwnRowSaysThatHisCallIsLocked(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", "PJSIP/102", "PJSIP/101")
	boris, anna := o.watch("boris"), o.watch("anna")
	v := o.mustLock("anna")
	m := anna.next()
	if m.Employee == nil || m.Employee.ID != "anna" || !m.Employee.Calls[0].Locked {
		t.Fatalf("%+v", m)
	}
	for _, m := range boris.all() {
		t.Errorf("boris is told %+v", m)
	}
	if err := o.gate.Unlock(t.Context(), who("anna"), v.ID); err != nil {
		t.Fatal(err)
	}
	if m := anna.next(); m.Employee == nil || m.Employee.Calls[0].Locked {
		t.Fatalf("%+v", m)
	}
}

func TestWhoMayNotLockOrIsOnNoCallIsRefused(t *testing.T) {
	o := newOffice(t, house)
	if _, code := o.lock("anna"); code != "not_on_call" {
		t.Fatalf("on no call: %q", code)
	}
	o.rings("x", ivanov, "PJSIP/101")
	if _, code := o.lock("anna"); code != "not_on_call" {
		t.Fatalf("while it rings: %q", code)
	}
	o.answers("x", 1)
	if _, code := o.lock("anna", calls(o, "boris", "anna")); code != "no_such_call" {
		t.Fatalf("by another's handle: %q", code)
	}
	o.talk("y", "PJSIP/102", other)
	if _, code := o.lock("boris"); code != "no_right" {
		t.Fatalf("boris: %q", code)
	}
	if e := o.audit.last(t, audit.Decided); e.Outcome != audit.Deny || e.Reason != "no_right" || e.Subject != "boris" || e.Action != "lock" {
		t.Fatalf("%+v", e)
	}
	if locks, err := o.gate.Locks(who("anna")); err != nil || len(locks) != 0 {
		t.Fatalf("%v %v", locks, err)
	}
	// Of several calls the one that is up is meant, and otherwise one has to be named.
	o.talk("z", other, "PJSIP/101")
	if _, code := o.lock("anna"); code != "several_calls" {
		t.Fatalf("of two: %q", code)
	}
	o.ingest(call.Event{Kind: call.LegHeld, Channel: o.ch("x.1")})
	first, second := o.row("anna", "anna").Calls[0].ID, o.row("anna", "anna").Calls[1].ID
	if v := o.mustLock("anna"); v.Call != second {
		t.Fatalf("%+v is not the one that is up", v)
	}
	held := o.mustLock("anna", first)
	if locks, err := o.gate.Locks(who("anna")); err != nil || len(locks) != 2 || locks[1].ID != held.ID || locks[1].Call != first {
		t.Fatalf("%v %v", locks, err)
	}
	if locks, _ := o.gate.Locks(who("carl")); len(locks) != 0 {
		t.Fatal("carl is shown another's locks")
	}
	if err := o.gate.Unlock(t.Context(), who("carl"), held.ID); gate.AsProblem(err).Code != "no_such_lock" {
		t.Fatalf("carl takes it off: %v", err)
	}
}

func TestALockThatIsNotOnRecordIsNone(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.audit.failing(audit.Decided)
	if _, code := o.lock("anna"); code != "not_recorded" {
		t.Fatal(code)
	}
	o.audit.failing()
	o.active("carl", "spy", "anna")
	v := o.mustLock("anna")
	o.log.until(t, "record revoked deny locked")
	o.audit.failing(audit.Ended)
	if err := o.gate.Unlock(t.Context(), who("anna"), v.ID); gate.AsProblem(err).Code != "not_recorded" {
		t.Fatal(err)
	}
	o.audit.failing()
	o.refused("not_for_this_call", "carl", "spy", "anna")
}

// Its call may end while it is being taken off: where that cannot be recorded, this is.
func TestALockWhoseCallEndsWhileItIsTakenOffHasAnEndOnRecord(t *testing.T) {
	for name, c := range map[string]struct {
		fails  error
		reason string
	}{"the disk is full": {errDisk, "call_ended"}, "it is written": {nil, "unlocked"}} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house)
			o.talk("x", ivanov, "PJSIP/101")
			v := o.mustLock("anna")
			first := true
			o.audit.mu.Lock()
			o.audit.within = func(_ context.Context, e audit.Entry) error {
				if e.Phase != audit.Ended || !first {
					return nil
				}
				first = false
				o.hangUp("x")
				return c.fails
			}
			o.audit.mu.Unlock()
			if err := o.gate.Unlock(t.Context(), who("anna"), v.ID); (err != nil) != (c.fails != nil) {
				t.Fatal(err)
			}
			if err := o.gate.Close(t.Context()); err != nil { // what is on its way is on record then
				t.Fatal(err)
			}
			ends := 0
			for _, e := range o.audit.of(v.ID) {
				if e.Phase == audit.Ended {
					if ends++; e.Reason != c.reason || e.Action != "lock" || e.Subject != "anna" {
						t.Errorf("%+v", e)
					}
				}
			}
			if ends != 1 {
				t.Errorf("%d ends of it are on record", ends)
			}
		})
	}
}

// The lock goes with the call by every road.
func TestALockGoesWithTheCall(t *testing.T) {
	transferred := func(o *office) {
		o.leg("b", "PJSIP/102", call.StateUp, "")
		o.leave("x", "x.1")
		o.enter("x", "b")
		o.gone("x.1")
	}
	for name, way := range map[string]func(o *office){
		"as it is":    func(o *office) { o.leg("b", "PJSIP/102", call.StateUp, ""); o.enter("x", "b") },
		"transferred": transferred,
		"parked and taken up": func(o *office) {
			o.leave("x", "x.0", "x.1")
			o.gone("x.1")
			o.ingest(call.Event{Kind: call.BridgeEntered, Bridge: call.Bridge{ID: "park", Type: "holding"}, Channel: o.ch("x.0")})
			o.pass(60)
			o.leg("b", "PJSIP/102", call.StateUp, "")
			o.leave("park", "x.0")
			o.enter("again", "b", "x.0")
		},
		"through a queue": func(o *office) {
			o.leave("x", "x.0", "x.1")
			o.gone("x.1")
			o.pass(60)
			o.leg("b", "PJSIP/102", call.StateDown, "")
			o.dial("x.0", "b", "102")
			o.state("b", call.StateUp)
			o.enter("again", "b", "x.0")
		},
		"transferred twice, and the first two have gone": func(o *office) {
			o.leg("c", "+78123334455", call.StateUp, "102")
			o.enter("x", "c")
			o.gone("x.0", "x.1")
			o.leg("b", "PJSIP/102", call.StateUp, "")
			o.enter("x", "b")
		},
		"by Local channels that are optimised away": func(o *office) {
			for half, id := range []string{"l1", "l2"} {
				o.seen(call.Channel{ID: call.LegID(id), Name: "Local/5@c-1;" + string(rune('1'+half)), State: call.StateUp})
			}
			o.leg("b", "PJSIP/102", call.StateUp, "")
			o.enter("x", "l1")
			o.enter("y", "l2", "b")
			o.leave("x", "x.1", "x.0", "l1")
			o.gone("x.1")
			o.enter("y", "x.0")
			o.gone("l1", "l2")
		},
		"through a resync": func(o *office) {
			transferred(o)
			p := o.picture()
			o.ingest(call.Event{Kind: call.LinkLost})
			o.ingest(call.Event{Kind: call.Resynced, Snapshot: p})
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t, house)
			o.talk("x", ivanov, "PJSIP/101")
			v := o.mustLock("anna")
			way(o)
			o.refused("not_for_this_call", "carl", "spy", "boris")
			if locks, _ := o.gate.Locks(who("anna")); len(locks) != 1 || locks[0].ID != v.ID || (locks[0].Call == "") != (o.ch("x.1").ID == "") {
				t.Fatalf("%+v", locks)
			}
			o.talk("z", other, "PJSIP/105")
			o.active("carl", "spy", "egor")
			for _, id := range []string{"x.0", "x.1", "b", "c", "l1", "l2"} {
				if o.ch(id).ID != "" {
					o.gone(id)
				}
			}
			o.log.until(t, "record ended call_ended")
			if locks, _ := o.gate.Locks(who("anna")); len(locks) != 0 {
				t.Fatalf("it has outlived the call: %+v", locks)
			}
		})
	}
}

func TestALockEndsWithTheRightToIt(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.mustLock("anna")
	o.gate.SetPolicy(set(t, strings.Replace(house, ", lock: true", "", 1)))
	o.log.until(t, "record revoked deny no_right")
	o.active("carl", "spy", "anna")
}

func TestALockBarsNobodyBeforeItIsOnRecord(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	id := o.active("carl", "spy", "anna")
	o.audit.before = func(e audit.Entry) {
		if e.Phase == audit.Decided && e.Action == "lock" {
			o.ingest(call.Event{Kind: call.LegHeld, Channel: o.ch("x.0")}) // on which everything is looked at anew
			if o.gate.Ending(id) {
				t.Error("it has ended what runs already")
			}
		}
	}
	o.mustLock("anna")
	if !o.gate.Ending(id) {
		t.Error("it has ended nothing")
	}
}

func TestALockFollowsTheCallWhileNobodyLooks(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.mustLock("anna")
	o.leg("b", "PJSIP/102", call.StateUp, "")
	p := o.picture("x.1")
	for i := range p.Bridges {
		if p.Bridges[i].ID == "x" {
			p.Bridges[i].Legs = []call.LegID{"x.0", "b"}
		}
	}
	o.ingest(call.Event{Kind: call.LinkLost})
	o.ingest(call.Event{Kind: call.Resynced, Snapshot: p})
	o.gone("x.0") // and so it lies on b alone
	o.leg("d", other, call.StateUp, "")
	o.enter("x", "d")
	o.refused("not_for_this_call", "carl", "spy", "boris")
	o.ingest(call.Event{Kind: call.LinkLost})
	o.snapshot()
	o.log.until(t, "record ended call_ended")
}

func TestALockThatCameTooLateForTheCallIsRecordedInOrder(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.audit.before = func(e audit.Entry) {
		if e.Phase == audit.Decided {
			o.hangUp("x")
		}
	}
	if _, code := o.lock("anna"); code != "call_moved" {
		t.Fatal(code)
	}
	o.log.until(t, "record ended call_ended")
	if got := o.log.all(); !slices.Equal(got, []string{"record decided allow allowed", "record ended call_ended"}) {
		t.Fatalf("%q", got)
	}
}

// After a restart the record says on which legs the lock lay, and follows the call so that one of them is there.
func TestALockIsFoundAgainAfterARestart(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	v := o.mustLock("anna")
	e := o.audit.last(t, audit.Decided)
	if e.Detail != "legs:x.1+x.0" {
		t.Fatalf("%+v", e)
	}
	o.leg("b", "PJSIP/102", call.StateUp, "")
	o.enter("x", "b")
	o.gone("x.1")
	o.log.until(t, "record decided allow", 2)
	if e = o.audit.last(t, audit.Decided); e.Detail != "legs:b+x.0" || e.ID != v.ID {
		t.Fatalf("%+v", e)
	}
	e.Time = start
	for name, c := range map[string]struct {
		there  bool
		policy string
		want   string
	}{
		"the call goes on":      {true, house, "record decided allow"},
		"it is over":            {false, house, "record ended call_ended"},
		"the right is gone":     {true, strings.Replace(house, ", lock: true", "", 1), "record revoked deny no_right"},
		"the locker is unknown": {true, strings.Replace(house, "anna:  {", "anja:  {", 1), "record revoked deny unknown_subject"},
	} {
		t.Run(name, func(t *testing.T) {
			after := newOffice(t, c.policy, func(g *gate.Config) {
				g.Estate = gate.Estate{Acts: []audit.Act{{Entry: e}}, Resume: func(string, string) (auth.Subject, bool) { return auth.Subject{}, false }}
			})
			p := &call.Snapshot{}
			if c.there {
				p = o.picture()
			}
			for _, ch := range p.Channels {
				after.chans[string(ch.ID)] = ch
			}
			after.ingest(call.Event{Kind: call.Resynced, Snapshot: p})
			after.log.until(t, c.want)
			if name != "the call goes on" {
				if c.there {
					after.active("carl", "spy", "boris")
				}
				return
			}
			if e := after.audit.last(t, audit.Decided); e.ID != v.ID || e.Subject != "anna" || e.Credential == "" || e.Detail != "legs:x.0+b" && e.Detail != "legs:b+x.0" {
				t.Fatalf("%+v", e)
			}
			after.refused("not_for_this_call", "carl", "spy", "boris")
			if locks, _ := after.gate.Locks(who("anna")); len(locks) != 1 || locks[0].ID != v.ID || !locks[0].Since.Equal(start) {
				t.Fatalf("%+v", locks)
			}
		})
	}
}

// By one code a phone locks the call that its owner has on hold, and takes the lock off again; another's lock and another call stay as they are.
func TestOnePhoneCodeLocksAndUnlocks(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	id := o.active("carl", "spy", "anna")
	carl := o.watch("carl")
	o.ingest(call.Event{Kind: call.LegHeld, Channel: o.ch("x.1")})
	said := func(subject, leg, phone string) string {
		t.Helper()
		o.pbx.set(func() { o.pbx.sends = nil })
		if err := o.gate.SwitchLock(t.Context(), who(subject), o.waits(leg, phone)); err != nil {
			return code(err)
		}
		if s := o.pbx.sends; len(s) != 1 || s[0].Leg != call.LegID(leg) || s[0].Context != "earshot" {
			t.Fatalf("%+v", s)
		}
		return o.pbx.sends[0].Extension
	}
	if got := said("anna", "l1", "PJSIP/101"); got != "locked" {
		t.Fatal(got)
	}
	if reason := carl.act(id, "ended"); reason != "not_for_this_call" {
		t.Fatalf("carl is told %q", reason)
	}
	if e := o.audit.last(t, audit.Decided); e.Action != "lock" || e.Door != "phone" || e.Subject != "anna" || e.Outcome != audit.Allow {
		t.Fatalf("%+v", e)
	}
	if got := said("anna", "l2", "PJSIP/101"); got != "unlocked" {
		t.Fatal(got)
	}
	if e := o.audit.last(t, audit.Ended); e.Reason != "unlocked" || e.Action != "lock" {
		t.Fatalf("%+v", e)
	}
	o.ingest(call.Event{Kind: call.LegUnheld, Channel: o.ch("x.1")})
	o.active("carl", "spy", "anna")
	// Whoever may not, or is on no call, is told so.
	o.talk("y", other, "PJSIP/102")
	for _, c := range []struct{ subject, phone, want string }{{"boris", "PJSIP/102", "no_right"}, {"carl", "PJSIP/113", "no_right"}} {
		if got := said(c.subject, "l-"+c.subject, c.phone); got != c.want {
			t.Errorf("%s: %s and not %s", c.subject, got, c.want)
		}
	}
	o.hangUp("x")
	if got := said("anna", "l3", "PJSIP/101"); got != "not_on_call" {
		t.Error(got)
	}
}
