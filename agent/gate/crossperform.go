package gate

import (
	"context"
	"encoding/json"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// What can be asked beside another PBX. What else the gate does is not about another PBX's call: commands on one's own calls come by the doors of the PBX that
// has them, lines and their queues, the journal, statistics and the archive of recordings are each sidecar's own.
const (
	opSupervise = "supervise"
	opMode      = "mode"
	opEnd       = "end"
	opIntercept = "intercept"
	opDial      = "dial"
	opLock      = "lock"
	opUnlock    = "unlock"
	opRecord    = "record"
	opPause     = "pause"
	opResume    = "resume"
	opStop      = "stop"
	opSettings  = "settings"
	opSet       = "set"
)

// begins reports whether something runs afterwards on the strength of the credential.
func begins(op string) bool { return op == opSupervise || op == opIntercept || op == opRecord }

// ops are what Perform does. An undo makes undone what cannot be reported: it ends what was begun and puts the rest in the state in which less is heard
// and recorded. Without one nothing is undone: an end is one however often it is asked for, and settings are what they are read to be.
var ops = map[string]op{
	opSupervise: does((*Gate).Supervise, func(g *Gate, v mask.Supervision) { g.unbegin(v.ID) }),
	opIntercept: does((*Gate).Intercept, func(g *Gate, v mask.Intercept) { g.unbegin(v.ID) }),
	opRecord:    does((*Gate).StartRecording, func(g *Gate, v mask.Taping) { g.unbegin(v.ID) }),
	opDial:      does((*Gate).Dial, (*Gate).undial),
	opMode:      performs((*Gate).performMode),
	opLock:      performs((*Gate).performLock),
	opResume:    performs((*Gate).performResume),
	opEnd:       does((*Gate).performEnd, nil),
	opUnlock:    does((*Gate).performUnlock, nil),
	opPause:     does((*Gate).PauseRecording, nil),
	opStop:      does((*Gate).StopRecording, nil),
	opSettings:  does((*Gate).performSettings, nil),
	opSet:       does((*Gate).ChangeSettings, nil),
}

// op carries out what is asked. Undo is nil where nothing was done, or nothing is to be undone.
type op func(ctx context.Context, g *Gate, s auth.Subject, ask json.RawMessage) (done any, undo func(), err error)

// performs makes an op of a function.
func performs[A, V any](do func(*Gate, context.Context, auth.Subject, A) (V, func(), error)) op {
	return func(ctx context.Context, g *Gate, s auth.Subject, raw json.RawMessage) (any, func(), error) {
		var ask A
		if !readForm(raw, &ask) {
			return nil, nil, notPerformed()
		}
		v, undo, err := do(g, ctx, s, ask)
		if err != nil {
			return nil, nil, err
		}
		return v, undo, nil
	}
}

// does makes an op of a function of the gate's and one that undoes it.
func does[A, V any](do func(*Gate, context.Context, auth.Subject, A) (V, error), undo func(*Gate, V)) op {
	return performs(func(g *Gate, ctx context.Context, s auth.Subject, ask A) (V, func(), error) {
		v, err := do(g, ctx, s, ask)
		if err != nil || undo == nil {
			return v, nil, err
		}
		return v, func() { undo(g, v) }, nil
	})
}

// Perform carries out what the sidecar beside another PBX asks, of which it is believed who the subject is and nothing else: it is decided by the policy and the
// state here, recorded and carried out as if he had asked here. What has been begun is carried through whatever becomes of ctx; the caller calls undo,
// unless that is nil, when the answer could not be given to who asked. That a request comes but once is for the caller to see to.
func (g *Gate) Perform(ctx context.Context, from string, message []byte) (answer []byte, undo func()) {
	done, undo, err := g.performed(ctx, from, message)
	r := reply{Version: crossVersion}
	if err == nil {
		r.Done, err = json.Marshal(done)
	}
	if err != nil {
		p := AsProblem(err)
		if p.cause != nil {
			g.log.Warn().Err(p.cause).Str("pbx", from).Str("code", p.Code).Str("id", p.ID).Msg("what was asked beside another PBX was not done")
		}
		r.Done, r.Problem = nil, &problemForm{p.Kind, p.Code, p.Text, p.Rule, p.ID}
	}
	answer, _ = json.Marshal(r) // nothing in it fails
	return answer, undo
}

func (g *Gate) performed(ctx context.Context, from string, message []byte) (done any, undo func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	var r request
	if g.cfg.Cluster == nil || from == g.cfg.Cluster.PBX() || !readForm(message, &r) || r.Version != crossVersion || ops[r.Op] == nil {
		return nil, nil, notPerformed()
	}
	s, ok := auth.Vouched(from, r.Subject)
	if !ok {
		return nil, nil, notPerformed()
	}
	return ops[r.Op](context.WithoutCancel(ctx), g, s, r.Ask)
}

func notPerformed() *Problem {
	return &Problem{Kind: Invalid, Code: "not_performed", Text: "The Earshot beside the other PBX does not know such a request, so nothing was done; the administrator has to bring all of them to the same version."}
}

// unbegin ends an act of which nobody could be told. A call that was taken is the taker's.
func (g *Gate) unbegin(id string) {
	g.locked(func(*call.Table) {
		if a := g.acts[id]; a != nil && !a.isTaken() {
			a.finish(ending{reason: reasonUntoldAsker})
		}
	})
}

// undial hangs up a phone that rings for its owner to call somebody. Once it is answered the call is his.
func (g *Gate) undial(v mask.Dialled) {
	leg := ownLeg(v.ID, policy.Dial.String())
	var e *audit.Entry
	g.locked(func(t *call.Table) {
		l, c := t.Leg(leg), g.clicked[leg].act
		if c == nil || closed(g.clicked[leg].answer.told) || l != nil && l.State() == call.StateUp || g.closed {
			return
		}
		end := c.entry(audit.Ended, g.policy.Load(), policy.Decision{})
		end.Reason = reasonUntoldAsker
		e = &end
		g.running.Add(1)
	})
	if e == nil {
		return
	}
	defer g.running.Done()
	g.drop("", leg)
	g.canonical(e)
	g.recordCame(*e)
}

// modeAsk is what ChangeMode is asked.
type modeAsk struct {
	ID     string
	Mode   string
	Reason string
}

// performMode changes a mode. To undo it is to have the mode again that was before; where that cannot be, the supervision ends.
func (g *Gate) performMode(ctx context.Context, s auth.Subject, ask modeAsk) (v mask.Supervision, undo func(), err error) {
	var was modeAsk
	changes := 0
	g.locked(func(*call.Table) {
		if a := g.mine(s, ask.ID); a != nil {
			was, changes = modeAsk{ask.ID, a.action.String(), a.given}, a.changes
		}
	})
	if v, err = g.ChangeMode(ctx, s, ask.ID, ask.Mode, ask.Reason); err != nil {
		return v, nil, err
	}
	return v, func() {
		changed := false
		g.locked(func(*call.Table) {
			a := g.mine(s, ask.ID)
			changed = a != nil && a.changes == changes+1 // otherwise it was so already, or somebody has changed it since
		})
		if !changed {
			return
		}
		if _, err := g.ChangeMode(context.WithoutCancel(ctx), s, was.ID, was.Mode, was.Reason); err != nil {
			g.unbegin(ask.ID)
		}
	}, nil
}

// idAsk is what is asked of something that runs.
type idAsk struct{ ID string }

// noAnswer is the answer of what has none.
type noAnswer struct{}

func (g *Gate) performEnd(ctx context.Context, s auth.Subject, ask idAsk) (noAnswer, error) {
	return noAnswer{}, g.EndSupervision(ctx, s, ask.ID)
}

func (g *Gate) performUnlock(ctx context.Context, s auth.Subject, ask idAsk) (noAnswer, error) {
	return noAnswer{}, g.Unlock(ctx, s, ask.ID)
}

// performLock locks. One that was there before stays.
func (g *Gate) performLock(ctx context.Context, s auth.Subject, ask LockAsk) (mask.Lock, func(), error) {
	v, made, err := g.lay(ctx, s, ask)
	if err != nil || !made {
		return v, nil, err
	}
	return v, func() {
		if err := g.takeOff(s, v.ID, reasonUntoldAsker); err != nil && AsProblem(err).Kind != NotFound {
			g.log.Error().Err(err).Str("id", v.ID).Msg("a lock of which nobody could be told was not taken off")
		}
	}, nil
}

// performResume has a recording go on. To undo it is to pause it again, or to end it; a pause of which nobody could be told stays.
func (g *Gate) performResume(ctx context.Context, s auth.Subject, ask RecordAsk) (mask.Taping, func(), error) {
	v, err := g.ResumeRecording(ctx, s, ask)
	if err != nil {
		return v, nil, err
	}
	return v, func() {
		if _, err := g.PauseRecording(context.WithoutCancel(ctx), s, RecordAsk{ID: v.ID, Door: ask.Door}); err != nil {
			g.unbegin(v.ID)
		}
	}, nil
}

func (g *Gate) performSettings(ctx context.Context, s auth.Subject, ask idAsk) (UserSettings, error) {
	return g.Settings(ctx, s, ask.ID)
}
