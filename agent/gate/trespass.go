package gate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// What became of a trespass, for the metric and the record.
const (
	didLeft         = "left"         // the policy covers it, or the software is trusted
	didReported     = "reported"     // it goes on
	didEnded        = "ended"        // its leg was hung up
	didHandedBack   = "handed_back"  // who called rings again where he rang, and its leg was hung up
	didGone         = "gone"         // it was over before it could be ended
	didContradicted = "contradicted" // AMI said so, and ARI says otherwise: nothing was ended
	didFailed       = "failed"       // the PBX could not be asked, or did not hang up
)

// watchdogDoor is the door of the audit entries of what came by none.
const watchdogDoor = "watchdog"

// endTime is how long the PBX may take to answer, and to end a trespass.
const endTime = 5 * time.Second

// trespass is one thing that somebody did past the gate, from its beginning to its end. It is guarded by the gate's lock; noted and what is
// set before it is closed may be read afterwards.
type trespass struct {
	id      string
	kind    trespassKind
	leg     call.LegID    // that spies, carries the audio away, has joined or taken, is recorded or redirected
	on      call.LegID    // the leg that is heard or was taken; empty: not known
	bridge  call.BridgeID // that it has joined
	put     bool          // by somebody else: it may be whoever calls
	at      time.Time     // when it was seen; of one that was covered, when it was so no longer
	began   time.Time
	app     string   // of the dialplan, that carries away or records what is said on the leg
	within  string   // the application of the dialplan with which it is over; empty: with something else
	from    []string // the endpoints of phones that a call was taken from
	confirm []string // the applications one of which ARI has to say the leg is in, or nothing is ended

	phone   string // the audit's word for who, where no employee is known
	subject string // the employee
	target  string // the employee whose leg it is about
	whom    []string
	verdict string
	trusted bool
	ground  policy.Decision
	reason  string
	set     *policy.Set
	stolen  *rang // of a pickup

	together chan struct{} // of a pickup: closed when ARI shows that he talks to who called
	parted   chan struct{} // of a pickup: closed when its leg is gone

	noted chan struct{} // closed when the last that became of it is on record
	did   string
}

// trespasses takes up what somebody has begun, unless it is known. Caller holds the lock.
func (g *Gate) trespasses(t *call.Table, x *trespass) {
	if g.dog.cfg.response(x.kind) == Off {
		return
	}
	for _, o := range g.dog.open {
		if o.kind == x.kind && o.leg == x.leg {
			if x.on != "" {
				o.on = x.on
			}
			return
		}
	}
	x.id, x.began = newID(), x.at
	x.together, x.parted = make(chan struct{}), make(chan struct{})
	g.assess(t, g.policy.Load(), x)
	g.dog.open = append(g.dog.open, x)
	g.tend(x)
}

// tend carries out what was decided about a trespass and writes it down, without being waited for. What happens on the PBX does not wait for
// the record: nobody is heard by an entry that comes later. Caller holds the lock.
func (g *Gate) tend(x *trespass) {
	before, noted := x.noted, make(chan struct{})
	x.noted = noted
	e, at := x.entry(audit.Witnessed), x.at
	var back handing
	if x.verdict == didHandedBack {
		back = x.handing()
	}
	verdict, leg, app, confirm, trusted := x.verdict, x.leg, x.app, x.confirm, x.app == "" && (x.kind == trespassSpy || x.kind == trespassMedia)
	g.running.Add(1)
	go func() {
		defer g.running.Done()
		did, err := verdict, error(nil)
		if verdict != didLeft && (trusted && len(g.dog.cfg.Applications) > 0 && len(confirm) == 0 && g.applies(leg) || g.trustsApp(leg, app)) {
			did, e.Outcome, e.Reason = didLeft, audit.Allow, reasonTrusted
		}
		switch did {
		case didEnded:
			did, err = g.put(leg, confirm, at)
		case didHandedBack:
			did, err = g.handBack(back)
		}
		e.Detail = did
		g.met.watched(x.kind, did)
		if before != nil {
			<-before
		}
		if rec := g.fact(e); rec != nil {
			err = errors.Join(err, rec)
		}
		g.witnessed(&e, err)
		g.locked(func(*call.Table) { x.did = did })
		close(noted)
	}()
}

// put ends a trespass by hanging up its own leg, once ARI has said that the leg does what AMI says.
func (g *Gate) put(leg call.LegID, confirm []string, at time.Time) (did string, err error) {
	ctx, cancel := context.WithTimeout(g.ctx, endTime)
	defer cancel()
	if len(confirm) > 0 {
		app, _, err := g.dog.cfg.Look(ctx, leg)
		switch {
		case errors.Is(err, pbx.ErrGone):
			return didGone, nil
		case err != nil:
			return didFailed, err
		case !slices.Contains(confirm, app):
			return didContradicted, nil
		}
	}
	g.met.caught.Observe(time.Since(at).Seconds())
	if err := g.cfg.PBX.Drop(ctx, "", leg); err != nil {
		return didFailed, err
	}
	return didEnded, nil
}

// applies reports whether a leg is in an ARI application that is trusted. A snoop is in none for the moment that it takes to be made.
func (g *Gate) applies(leg call.LegID) bool {
	ctx, cancel := context.WithTimeout(g.ctx, endTime)
	defer cancel()
	wait := time.NewTicker(2 * time.Millisecond)
	defer wait.Stop()
	for range 5 {
		app, arguments, err := g.dog.cfg.Look(ctx, leg)
		if err != nil {
			return false
		}
		if app != "" {
			name, _, _ := strings.Cut(arguments, ",")
			return app == "Stasis" && slices.Contains(g.dog.cfg.Applications, name)
		}
		select {
		case <-wait.C:
		case <-ctx.Done():
			return false
		}
	}
	return false
}

// over ends what is over: it is written down how long it lasted. Caller holds the lock.
func (g *Gate) over(at time.Time, which func(*trespass) bool) {
	g.dog.open = slices.DeleteFunc(g.dog.open, func(x *trespass) bool {
		if !which(x) {
			return false
		}
		close(x.parted)
		e := x.entry(audit.Ended)
		e.Outcome, e.Seconds = "", max(0, at.Sub(x.began).Seconds())
		noted := x.noted
		g.running.Add(1)
		go func() {
			defer g.running.Done()
			<-noted
			if x.did == didEnded || x.did == didHandedBack {
				e.Phase = audit.Revoked
			}
			e.Detail = x.did
			g.witnessed(&e, g.fact(e))
		}()
		return true
	})
}

// entry is the trespass's audit entry for a phase. Caller holds the lock.
func (x *trespass) entry(phase audit.Phase) audit.Entry {
	e := audit.Entry{
		ID: x.id, Phase: phase, Subject: x.subject, Credential: x.phone, Action: string(x.kind), Employees: slices.Clone(x.whom),
		Outcome: audit.Deny, Reason: x.reason, Generation: x.set.Generation(), Door: watchdogDoor,
	}
	if x.target != "" {
		e.Targets = []string{x.target}
	}
	if x.verdict == didLeft {
		e.Outcome = audit.Allow
	}
	if r := x.set.Rule(x.ground.Rule); r.Line > 0 {
		e.Rule = audit.Rule{File: r.File, Line: r.Line}
	}
	return e
}

// witnessed writes the one log line of an entry. It holds ids of the policy, never a number or an outside name; an endpoint is in the record.
func (g *Gate) witnessed(e *audit.Entry, err error) {
	line := g.log.Info()
	if e.Outcome == audit.Deny {
		line = g.log.Warn()
	}
	line.Str("id", e.ID).Str("phase", string(e.Phase)).Str("kind", e.Action).Str("did", e.Detail).Str("subject", e.Subject).
		Strs("employees", e.Employees).Str("reason", e.Reason).Float64("seconds", e.Seconds).Msg("somebody went past the gate")
	if err != nil {
		g.log.Error().Err(err).Str("id", e.ID).Msg("what went past the gate was not ended, or not recorded")
	}
}
