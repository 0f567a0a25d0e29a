package gate

import (
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// Prefix begins the unique id of every leg and bridge that Earshot makes, so that it knows its own after a restart.
const Prefix = "earshot-"

func own(id call.LegID) bool { return strings.HasPrefix(string(id), Prefix) }

// States of an act.
const (
	stateRinging = "ringing"
	stateActive  = "active"
	stateTaken   = "taken"
	stateEnded   = "ended"
)

// Why an act ended, as its subject is told. Reasons of a lost right are the policy's own codes, or not_for_this_call.
const (
	reasonBySupervisor = "ended_by_supervisor" // he asked for it, or hung up
	reasonCallEnded    = "call_ended"
	reasonNoAnswer     = "no_answer"     // the own phone was not answered
	reasonTakenByOther = "answered"      // the ringing call was answered elsewhere
	reasonPBX          = "pbx_failed"    // the PBX did not carry it out
	reasonLegGone      = "leg_gone"      // the PBX ended the leg (lease, restart)
	reasonShutdown     = "earshot_stops" // Earshot is stopping
)

// ending is why an act ends.
type ending struct {
	reason  string          // what the subject is told
	revoked bool            // its ground is gone
	ground  policy.Decision // the real ground, for the audit log
	at      time.Time       // when the ground was lost, for the metric
	set     *policy.Set     // the policy that decided it
	err     error           // what went wrong, for the log
}

// act is one thing that was permitted and is under way: a supervision, or an intercept until the call is taken. Its fields are guarded by the
// gate's lock; its goroutine is told by channels.
type act struct {
	id          string // its audit record's id too
	subject     auth.Subject
	employee    string // id of the subject
	supervision bool
	action      policy.Action
	target      string        // employee id
	targetPhone string        // the endpoint that the target leg belongs to
	leg         call.LegID    // the target's leg
	handle      string        // how the subject knows it
	phone       string        // the subject's own phone
	caller      call.Identity // intercept: whom the taker's display shows

	own, snoop call.LegID
	bridge     call.BridgeID

	state  string
	since  time.Time
	reason string
	door   string
	asked  time.Time
	with   []string // employees on the call when it was decided, for the record

	hadPeer bool        // somebody was on the other side
	leaving *time.Timer // runs while nobody is

	ownSeen, snoopSeen bool // the table has had the own legs

	earshot []call.LegID // the legs that were within earshot when the ground was last decided

	entered     chan struct{} // closed when the own leg has entered the Stasis application
	enteredOnce sync.Once
	taken       chan struct{} // closed when the call is the taker's
	takenOnce   sync.Once
	over        chan struct{} // closed when it has to end
	end         ending
	done        chan struct{} // closed when it has ended
}

func newAct(s auth.Subject, action policy.Action, door string) *act {
	id := newID()
	return &act{
		id: id, subject: s, employee: s.Employee(), action: action, door: door,
		supervision: action != policy.Intercept,
		own:         call.LegID(Prefix + id), snoop: call.LegID(Prefix + id + "-snoop"), bridge: call.BridgeID(Prefix + id + "-bridge"),
		state: stateRinging, asked: time.Now(), since: time.Now(),
		entered: make(chan struct{}), taken: make(chan struct{}), over: make(chan struct{}), done: make(chan struct{}),
	}
}

// finish says once why the act has to end; the first reason stands. Caller holds the gate's lock.
func (a *act) finish(e ending) {
	select {
	case <-a.over:
	default:
		a.end = e
		close(a.over)
	}
}

func (a *act) finished() bool {
	select {
	case <-a.over:
		return true
	default:
		return false
	}
}

// concerns reports whether changes may alter the ground: they touch a leg within earshot, one of the act's own, one tied to them, or a leg of
// the target's phone, which may bring another call within earshot.
func (a *act) concerns(t *call.Table, changes []call.Change) bool {
	within := func(id call.LegID) bool {
		if id == "" {
			return false
		}
		if id == a.leg || id == a.own || id == a.snoop {
			return true
		}
		if slices.Contains(a.earshot, id) {
			return true
		}
		l := t.Leg(id)
		return l != nil && l.Endpoint() == a.targetPhone
	}
	for i := range changes {
		c := &changes[i]
		if within(c.Leg) || within(c.Other) {
			return true
		}
		var room [8]*call.Leg
		for _, l := range t.BridgeLegs(room[:0], c.Bridge) {
			if within(l.ID()) {
				return true
			}
		}
	}
	return false
}

// view is the supervision as its supervisor sees it.
func (a *act) view() mask.Supervision {
	return mask.Supervision{ID: a.id, Target: a.target, Mode: a.action.String(), Call: a.handle, Phone: a.phone, State: a.state, Since: a.since.UTC(), Reason: a.reason}
}

// interceptView is the intercept as the taker sees it.
func (a *act) interceptView() mask.Intercept {
	return mask.Intercept{ID: a.id, Target: a.target, Call: a.handle, Phone: a.phone, State: a.state, Since: a.since.UTC(), Reason: a.reason}
}

// entry is the act's audit entry for a phase. Caller holds the gate's lock.
func (a *act) entry(phase audit.Phase, set *policy.Set, d policy.Decision) audit.Entry {
	e := audit.Entry{
		ID: a.id, Phase: phase, Subject: a.employee, Credential: a.subject.Credential(), Action: a.action.String(),
		Employees: slices.Clone(a.with), Door: a.door, Generation: set.Generation(),
	}
	if a.target != "" {
		e.Targets = []string{a.target}
	}
	if a.supervision {
		e.Mode = a.action.String()
	}
	if phase == audit.Decided || phase == audit.Revoked {
		e.Outcome = audit.Deny
		if d.Allowed {
			e.Outcome = audit.Allow
		}
		e.Reason = d.Reason.String()
		if r := set.Rule(d.Rule); r.Line > 0 {
			e.Rule = audit.Rule{File: r.File, Line: r.Line}
		}
	}
	return e
}

// newID makes an id that cannot be guessed.
func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return handleText.EncodeToString(b[:])
}
