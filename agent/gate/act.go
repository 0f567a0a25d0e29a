package gate

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// How the ids go on after pbx.Prefix. A leg that took a call is that call's from then on, through restarts of Earshot too.
const (
	bridgeSuffix = "-bridge"
	snoopSuffix  = "-snoop"
	toneSuffix   = "-tone-"
	takeSuffix   = "-take"
	callSuffix   = "-call"
)

// own reports whether a leg has a unique id as those have that an act answers for. It proves nothing: who originates a call or snoops may choose the id,
// and owns knows whose it is. One that was rung for its owner to call somebody is his own from the beginning, as is
// one that his client steers, and the two that hand a caller back end by themselves.
func own(id call.LegID) bool {
	return strings.HasPrefix(string(id), pbx.Prefix) && !strings.HasSuffix(string(id), callSuffix) && !steered(id) && !moves(id)
}

// clicked reports whether a leg was rung for its owner to call somebody, or for a client of his: for whoever looks on, he calls.
func clicked(id call.LegID) bool {
	return strings.HasPrefix(string(id), pbx.Prefix) && strings.HasSuffix(string(id), callSuffix) || steered(id)
}

// hasTake reports whether a leg was made to take a call.
func hasTake(id call.LegID) bool { return strings.HasSuffix(string(id), takeSuffix) }

// supervises reports whether a leg is there for a supervision, so that nobody on it is a party to a call: one that came by the phone door is
// known by its act, one that was rung for it by its id too.
func (g *Gate) supervises(id call.LegID) bool {
	if a := g.byLeg[id]; a != nil {
		return a.supervision
	}
	return !hasTake(id) && g.owns(id)
}

// owns reports whether a leg is one that was made for an act: of those that there are, of one that is over, whose order may have come through all the
// same, or of the Earshot before. Caller holds the lock.
func (g *Gate) owns(id call.LegID) bool {
	if !own(id) {
		return false
	}
	return g.byLeg[id] != nil || slices.Contains(g.past, id) || slices.ContainsFunc(g.estate, func(base call.LegID) bool {
		rest, ok := strings.CutPrefix(string(id), string(base))
		return ok && (rest == "" || rest[0] == '-')
	})
}

// maxPast is how many legs of acts that are over are known for Earshot's own though the table has not seen them: some seconds' worth.
const maxPast = 1024

// disown takes an act's leg out of those that it answers for. One that has taken a call is that call's.
func (g *Gate) disown(a *act, id call.LegID) {
	if g.byLeg[id] != a {
		return
	}
	delete(g.byLeg, id)
	if !own(id) || id == a.own && a.isTaken() {
		return
	}
	if len(g.past) == maxPast {
		g.past = slices.Delete(g.past, 0, 1)
	}
	g.past = append(g.past, id)
}

// States of an act.
const (
	stateRinging = "ringing"
	stateWaiting = "waiting"
	stateActive  = "active"
	stateTaken   = "taken"
	stateEnded   = "ended"
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

// act is one thing that was permitted and is under way: a supervision, or an intercept until the call is taken. What is set after admit is
// guarded by the gate's lock; its goroutine is told by channels.
type act struct {
	id          string // its audit record's id too
	subject     auth.Subject
	employee    string // id of the subject
	supervision bool
	action      policy.Action
	word        ownWord       // of what is done with a call of one's own; of anything else empty
	mode        lineMode      // of what is done on a line; of anything else none
	line        string        // id of the line
	customer    call.LegID    // the leg that has come by the line's queue
	channel     string        // the name of the leg that the own one is put together with
	announced   bool          // of one who joins: a tone has told everybody
	waits       bool          // of an intercept: leg is a caller whom no phone rang when it was asked for
	rings       bool          // the conversation has not begun: the line rings at the target's
	target      string        // employee id
	targetPhone string        // the endpoint that the target leg belongs to
	leg         call.LegID    // the target's leg
	afar        *afar         // of a request: it is about a leg on another PBX, where it is asked again; nil: it is not
	sight       mask.Sight    // of the subject on it
	handle      string        // how he knows it; follows his sight
	phone       string        // the subject's own phone
	caller      call.Identity // intercept: whom the taker's display shows

	own, snoop call.LegID
	bridge     call.BridgeID
	base       call.LegID   // how the unique ids of the legs begin that are made for it
	seated     bool         // own is no leg that was rung for it: he called in on it, by the phone door
	steered    *stasisSnoop // of a supervision that a Stasis has begun: own, once there is one, is one of its legs, lent; nil: none has

	// While a change of mode is under way: the mode to come, and the snoop that will carry it. The ground has to hold for both.
	next        policy.Action
	nextSnoop   call.LegID
	givenBefore string         // the reason that stands if the change does not come about
	changes     int            // how many there have been, for the snoops' ids
	swapping    sync.WaitGroup // before what the PBX changes is settled it is not told that the act is over; added to under the lock unless it has ended
	// A snoop that is not needed any more, which the table may show for a moment though the PBX has hung it up: no stranger.
	lastSnoop call.LegID

	state  string
	since  time.Time
	reason string
	door   string
	given  string // why the subject says that he asks
	asked  time.Time
	begun  bool         // its decision is on record; before that nobody is told of it
	tapped bool         // the PBX has let the subject hear
	with   []string     // employees within earshot when it was last decided, for the record
	claims []policy.Ref // employees whom a number claimed then, by the policy then in force

	recorded []string       // employees of whom the record says that they are or were within earshot
	noting   sync.WaitGroup // entries about who joined that are on their way; before them the end is not recorded

	peerSilent bool // whoever is on the other side sends no audio

	unsure  bool        // as of a verdict
	doubted time.Time   // when that lasts too long
	doubt   *time.Timer // runs while it does not, and the act would end for that
	hadPeer bool        // somebody was on the other side
	leaving *time.Timer // runs while nobody is
	lost    *time.Timer // runs when an own leg is gone and may be gone for a good reason
	expiry  *time.Timer // of the credential

	vouched   time.Time   // of a subject for whom another sidecar vouches: since when it has been taken at its word,
	proven    bool        // and whether it has said so since this Earshot was started
	verifying *time.Timer // runs until it has to have said so again

	ownSeen, snoopSeen bool // the table has had the own legs
	hungUp             bool // whose it is has hung the own leg up

	renewed time.Time // when its lease was set last, as far as it is known; zero where it is not held yet

	earshot []call.LegID // the legs on which the ground rested when it was last decided

	told    telling             // to whom it is told that it runs
	minuted journal.Supervision // what the journal has been told of it
	tone    tone                // by which it is told in the call

	compared comparison // with what the second policy says, if there is one

	tape *tape // of a recording that the act makes; nil: it makes none

	entered     chan struct{} // closed when the own leg has entered the Stasis application
	enteredOnce sync.Once
	taken       chan struct{} // closed when the call is the taker's
	takenOnce   sync.Once
	ctx         context.Context // of its orders; ends when the act has to
	stop        context.CancelFunc
	ended       bool
	end         ending
	left        []call.LegID  // own legs that are to be hung up; with ended it is there to be read without the lock once ctx is over
	done        chan struct{} // closed when it has ended
}

func (g *Gate) newAct(s auth.Subject, action policy.Action, door string) *act {
	return g.newActAs(newID(), s, action, door)
}

// ownLeg is the unique id of the subject's leg of an act.
func ownLeg(id, action string) call.LegID {
	leg := call.LegID(pbx.Prefix + id)
	switch action {
	case policy.Intercept.String(), policy.LineJoin.String(): // an ordinary party's for everybody
		leg += takeSuffix
	case policy.Dial.String():
		leg += callSuffix
	}
	return leg
}

func (g *Gate) newActAs(id string, s auth.Subject, action policy.Action, door string) *act {
	leg := ownLeg(id, action.String())
	a := &act{
		id: id, subject: s, employee: s.Employee(), action: action, door: door,
		supervision: action.Supervises(),
		own:         leg, base: leg, snoop: leg + snoopSuffix, bridge: call.BridgeID(pbx.Prefix + id + bridgeSuffix),
		state: stateRinging, asked: time.Now(), since: time.Now(), vouched: time.Now(), proven: true, tone: newTone(),
		entered: make(chan struct{}), taken: make(chan struct{}), done: make(chan struct{}),
	}
	a.ctx, a.stop = context.WithCancel(g.ctx)
	return a
}

// finish says once why the act has to end, and calls off the order that is under way; the first reason stands. Caller holds the gate's lock.
func (a *act) finish(e ending) {
	if a.ended {
		return
	}
	a.ended, a.end, a.left = true, e, a.legs()
	a.stop()
}

// isOwn reports whether a leg is one of the act's own.
func (a *act) isOwn(id call.LegID) bool {
	return id == a.own || id == a.snoop || a.nextSnoop != "" && id == a.nextSnoop || a.lastSnoop != "" && id == a.lastSnoop || a.tone.has(id)
}

// speaks reports whether the supervisor may be heard by somebody.
func (a *act) speaks() bool {
	return a.action != policy.Spy || a.next != 0 && a.next != policy.Spy
}

// takes reports whether it is there to take a call.
func (a *act) takes() bool { return !a.supervision && a.mode != modeJoin && a.tape == nil }

// spyMode is what one of the act's own legs on somebody's call does there: the tone's hears nobody, and nobody speaks by it or by a recording's.
func (a *act) spyMode(id call.LegID) call.SpyMode {
	switch {
	case a.tone.has(id):
		return call.SpyMode{}
	case a.tape != nil:
		return call.SpyMode{Hears: true} // and nobody is with it, or he would hear
	}
	return call.SpyMode{Hears: true, Speaks: a.speaks()}
}

// answered reports whether the subject's phone was.
func (a *act) answered() bool { return closed(a.entered) }

// isTaken reports whether the call is the taker's.
func (a *act) isTaken() bool { return closed(a.taken) }

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// view is the supervision as its supervisor sees it.
func (a *act) view() mask.Supervision {
	return mask.Supervision{
		ID: a.id, Target: a.target, Mode: a.action.String(), Call: a.handle, Phone: a.phone, State: a.state, Since: a.since.UTC(),
		PeerSilent: a.peerSilent && a.state == stateActive, Reason: a.reason, Text: reasonText(a.reason),
	}
}

// interceptView is the intercept as the taker sees it.
func (a *act) interceptView() mask.Intercept {
	return mask.Intercept{ID: a.id, Target: a.target, Call: a.handle, Phone: a.phone, State: a.state, Since: a.since.UTC(), Reason: a.reason, Text: reasonText(a.reason)}
}

// entry is the act's audit entry for a phase. Caller holds the gate's lock.
func (a *act) entry(phase audit.Phase, set *policy.Set, d policy.Decision) audit.Entry {
	e := audit.Entry{
		ID: a.id, Phase: phase, Subject: a.employee, Credential: a.subject.Credential(), Action: a.doing().String(),
		Employees: slices.Clone(a.with), Door: a.door, Given: a.given, Generation: set.Generation(),
	}
	if a.target != "" {
		e.Targets = []string{a.target}
	}
	if a.supervision {
		e.Mode = a.action.String()
	}
	if a.line != "" {
		e.Mode, e.Detail = string(a.mode), lineCode(a.line)
	}
	if a.waits {
		e.Detail = waitingDetail
	}
	if phase == audit.Decided || phase == audit.Revoked {
		e.Outcome = audit.Deny
		if d.Allowed {
			e.Outcome = audit.Allow
		}
		e.Reason = d.Reason.String()
		if phase == audit.Revoked && d.Reason == policy.ReasonNoPolicy {
			e.Reason = a.end.reason // not the policy took the ground away
		}
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

// byAge orders acts as they were asked for.
func byAge(a, b *act) int { return cmp.Or(a.asked.Compare(b.asked), cmp.Compare(a.id, b.id)) }
