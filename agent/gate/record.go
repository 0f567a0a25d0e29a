package gate

import (
	"context"
	"errors"
	"slices"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// RecordAsk is a request to record a call, or about a recording that Earshot makes.
type RecordAsk struct {
	ID     string // of the recording; to begin one, empty. Where it is empty otherwise, Target and Call say which
	Target string // employee id: oneself, or a colleague
	Call   string // handle of the call, as on the target's row; empty for the only one that fits
	Door   string // which door it came in by, for the record
}

// StartRecording begins to record a call, and returns when the PBX does. Who may: whoever the policy lets record the target's calls, decided over everybody
// within earshot. It goes on until it is stopped, the call is over or its ground is gone; everybody whose call it is sees that on his own row.
func (g *Gate) StartRecording(ctx context.Context, s auth.Subject, ask RecordAsk) (mask.Taping, error) {
	if g.cfg.Cluster == nil && !g.tapes() {
		return mask.Taping{}, noTapes()
	}
	a := g.newTaping(s, ask.Door)
	err := g.beginAs(ctx, a, g.tapeOn,
		func(t *call.Table, set *policy.Set, d *policy.Decision) *Problem {
			return g.admitTape(t, set, a, ask, d)
		},
		func(t *call.Table, set *policy.Set, d policy.Decision) { g.secondTape(t, set, a, d) })
	if err != nil {
		return across[mask.Taping](ctx, g, s, err, opRecord, ask.at)
	}
	select {
	case <-a.tape.begun:
	case <-a.done:
	case <-ctx.Done():
		return mask.Taping{}, ctx.Err()
	}
	var v mask.Taping
	p := (*Problem)(nil)
	g.locked(func(*call.Table) {
		if v = a.tapingView(); a.state != stateEnded || closed(a.tape.begun) {
			return
		}
		switch e := &a.end; {
		case e.set != nil:
			p = g.refusal(e.set, g.told(e.set, a, e.ground), a.id)
		case e.reason == reasonCallEnded:
			p = callMoved(a.id)
		case e.reason == reasonNotRecorded:
			p = notRecorded(e.err)
		default:
			p = notTaped(e.err)
		}
	})
	if p != nil {
		return mask.Taping{}, p
	}
	return v, nil
}

// tapes reports whether recordings are made here.
func (g *Gate) tapes() bool { return g.archive != nil && g.archive.Spools.TakesARI() }

// at is the request as it is made where the call is.
func (ask RecordAsk) at(to *afar) any {
	ask.Target, ask.Call = to.target, to.call
	return ask
}

// admitTape decides. The order of the checks is that of admit.
func (g *Gate) admitTape(t *call.Table, set *policy.Set, a *act, ask RecordAsk, d *policy.Decision) *Problem {
	subject, p := g.asker(set, a)
	if p != nil {
		return p
	}
	target, ok := set.Employee(ask.Target)
	if !ok {
		return noSuchEmployee()
	}
	a.target = set.ID(target)
	if *d = set.Decide(&policy.Request{Subject: subject, Action: policy.Record, Target: target}); !d.Allowed {
		return g.refusal(set, *d, a.id)
	}
	if p := g.route(set, subject, a, Ask{Call: ask.Call}, tapeable); p != nil || a.afar != nil {
		return p
	}
	if !g.tapes() {
		return noTapes()
	}
	f, p := g.pick(set, subject, a, g.board[target], ask.Call, tapeable)
	if p != nil {
		return p
	}
	l := t.Leg(f.leg)
	if l == nil {
		return callMoved(a.id)
	}
	a.leg, a.targetPhone, a.hadPeer = f.leg, l.Endpoint(), f.facts.Peer != nil
	a.sight = g.sight(set, subject, target, f)
	a.handle = g.handle(a.employee, a.target, f.leg, a.sight)
	if *d = g.ground(t, set, a); !d.Allowed {
		return g.refusal(set, *d, a.id)
	}
	if slices.ContainsFunc(g.hearing[a.leg], func(o *act) bool { return o != a && o.tape != nil && o.leg == a.leg }) {
		return taped()
	}
	return nil
}

// tapeable reports whether a leg can be recorded: it is up with somebody on the other side, and no supervisor's, who hears another call there.
func tapeable(f *legFacts, named bool) bool {
	return talks(f, named) && f.facts.Supervision == "" && f.other != ""
}

// secondTape compares the decision of a request with what the second policy says.
func (g *Gate) secondTape(t *call.Table, live *policy.Set, a *act, d policy.Decision) {
	shadow := g.beside()
	switch {
	case shadow == nil || a.target == "":
	case a.leg != "":
		g.second(t, live, a, a.action, d)
	default:
		subject, _ := live.Employee(a.employee)
		target, _ := live.Employee(a.target)
		r := shadow.ForeignRequest(live, &policy.Request{Subject: subject, Action: a.action, Target: target})
		g.contrast(live, shadow, a, a.action, d, shadow.Decide(&r), false)
	}
}

// Recordings lists the recordings that the subject has begun and that run, on whichever PBX.
func (g *Gate) Recordings(s auth.Subject) ([]mask.Taping, error) {
	out := []mask.Taping{}
	g.locked(func(*call.Table) {
		for _, f := range g.actsOf(s.Employee()) {
			if f.Recording != nil {
				out = append(out, *f.Recording)
			}
		}
	})
	return out, nil
}

// PauseRecording leaves out of the file what is said from now on. Who may record the call may pause any recording that Earshot makes of it.
func (g *Gate) PauseRecording(ctx context.Context, s auth.Subject, ask RecordAsk) (mask.Taping, error) {
	return g.turn(ctx, s, ask, mask.TapePaused)
}

// ResumeRecording has a paused recording go on.
func (g *Gate) ResumeRecording(ctx context.Context, s auth.Subject, ask RecordAsk) (mask.Taping, error) {
	return g.turn(ctx, s, ask, mask.TapeRecording)
}

// StopRecording ends a recording for good, and returns when that has come to pass. The file is found as others are.
func (g *Gate) StopRecording(ctx context.Context, s auth.Subject, ask RecordAsk) (mask.Taping, error) {
	return g.turn(ctx, s, ask, mask.TapeStopped)
}

// turns are the requests by which a recording comes into a state beside another PBX.
var turns = map[string]string{mask.TapePaused: opPause, mask.TapeRecording: opResume, mask.TapeStopped: opStop}

// turn changes what a recording that runs does. It is a decision of its own, recorded under the recording's id with who asked.
func (g *Gate) turn(ctx context.Context, s auth.Subject, ask RecordAsk, state string) (mask.Taping, error) {
	if err := ctx.Err(); err != nil {
		return mask.Taping{}, err
	}
	if to := g.tapeAfar(s, ask); to != nil {
		if ask.ID == "" {
			ask.Target, ask.Call = to.target, to.call
		}
		if state == mask.TapeStopped {
			return sendEnd[mask.Taping](ctx, g, s, to.pbx, opStop, ask.ID, ask)
		}
		return send[mask.Taping](ctx, g, s, to.pbx, turns[state], ask)
	}
	var a *act
	var e audit.Entry
	var v mask.Taping
	p := (*Problem)(nil)
	there := false
	g.locked(func(t *call.Table) {
		var d policy.Decision
		if a, d, p = g.findTape(t, s, ask); p != nil {
			return
		}
		v = a.viewFor(s)
		switch {
		case state == mask.TapeStopped:
		case a.tape.changing:
			p = tapeChanges()
		case v.State == mask.TapeStarting:
			p = tapeStarts()
		case v.State == state:
			there = true
		default:
			a.tape.changing = true
			a.noting.Add(1) // the end is not recorded before what comes of this
		}
		e = g.tapeEntry(a, s, audit.Decided, state, ask.Door, d)
	})
	switch {
	case a == nil && p.Code == noSuchTape().Code:
		return v, g.notOurs(ctx, s, ask)
	case p != nil:
		return v, p
	case there:
		return v, nil
	}
	g.met.decision(policy.Record, string(e.Outcome), e.Reason)
	g.canonical(&e)
	err := g.record(e)
	if state == mask.TapeStopped {
		if err != nil {
			return mask.Taping{}, notRecorded(err)
		}
		return g.stopTape(ctx, a, s)
	}
	defer a.noting.Done()
	if err != nil {
		g.locked(func(*call.Table) { a.tape.changing = false })
		return mask.Taping{}, notRecorded(err)
	}
	return g.pauseTape(a, s, ask.Door, state)
}

// findTape finds the recording that is meant, if the subject may record its call himself as things stand. What is not there and what is not for him have
// one answer.
func (g *Gate) findTape(t *call.Table, s auth.Subject, ask RecordAsk) (*act, policy.Decision, *Problem) {
	d := policy.Decision{}
	set := g.policy.Load()
	subject, ok := set.Employee(s.Employee())
	switch {
	case !g.known || g.closed:
		return nil, d, stateUnknown()
	case !g.holds(s):
		return nil, d, credentialEnded()
	case !ok:
		return nil, d, refusedSubject()
	}
	a := g.acts[ask.ID]
	if ask.ID == "" {
		target, ok := set.Employee(ask.Target)
		if !ok {
			return nil, d, noSuchTape()
		}
		f, p := g.pick(set, subject, &act{employee: s.Employee(), target: ask.Target, tape: &tape{}}, g.board[target], ask.Call, tapeable)
		if p != nil {
			return nil, d, p
		}
		a = g.taped[f.leg]
	}
	if a == nil || a.tape == nil || !a.begun || a.ended {
		return nil, d, noSuchTape()
	}
	// As if he began it himself now.
	asker := &act{
		employee: s.Employee(), action: policy.Record, tape: a.tape, target: a.target, leg: a.leg, own: a.own, snoop: a.snoop,
	}
	if d = g.weigh(t, set, asker).Decision; !d.Allowed {
		return nil, d, noSuchTape()
	}
	return a, d, nil
}

// pauseTape pauses a recording or has it go on, and writes down what came of it.
func (g *Gate) pauseTape(a *act, s auth.Subject, door, state string) (mask.Taping, error) {
	ctx, cancel := context.WithTimeout(a.ctx, tapeTime)
	defer cancel()
	order := g.cfg.PBX.PauseRecording
	if state == mask.TapeRecording {
		order = g.cfg.PBX.ResumeRecording
	}
	err := order(ctx, a.tape.name)
	if errors.Is(err, pbx.ErrNotRecording) {
		g.finish(a, ending{reason: reasonLegGone, err: err})
	}
	unheard := outOfTime(err)
	if unheard && state == mask.TapeRecording && a.ctx.Err() == nil {
		unheard = false
		g.pauseAgain(a)
	}
	var v mask.Taping
	var e audit.Entry
	over := false
	g.locked(func(t *call.Table) {
		a.tape.changing = false
		phase := audit.Failed
		if over = a.ended; err == nil {
			phase, a.tape.paused = audit.Done, state == mask.TapePaused
		}
		if e = g.tapeEntry(a, s, phase, state, door, policy.Decision{}); err != nil {
			e.Reason = reasonPBX
		} else if !over {
			g.showTape(t, a)
			g.become(a, stateActive)
		}
		v = a.viewFor(s)
	})
	rec := g.fact(e)
	switch {
	case rec != nil:
		g.finish(a, ending{reason: reasonNotRecorded, err: rec})
		return mask.Taping{}, notRecorded(rec)
	case over:
		return mask.Taping{}, noSuchTape()
	case err != nil:
		p := notTaped(err)
		p.open = unheard
		return mask.Taping{}, p
	}
	return v, nil
}

// pauseAgain takes back that a paused recording is to go on, where nobody knows whether it does: what is shown as paused records nothing. Where that
// cannot be had, it ends.
func (g *Gate) pauseAgain(a *act) {
	ctx, cancel := context.WithTimeout(a.ctx, tapeTime)
	defer cancel()
	if err := g.cfg.PBX.PauseRecording(ctx, a.tape.name); err != nil {
		g.finish(a, ending{reason: reasonPBX, err: err})
	}
}

// stopTape ends a recording and waits until it has ended.
func (g *Gate) stopTape(ctx context.Context, a *act, s auth.Subject) (v mask.Taping, err error) {
	g.finish(a, ending{reason: reasonStopped})
	select {
	case <-a.done:
		g.locked(func(*call.Table) { v = a.viewFor(s) })
		return v, nil
	case <-ctx.Done():
		return v, ctx.Err()
	}
}

// viewFor is the recording as somebody sees it who may record the call. The handle of the call is its beginner's.
func (a *act) viewFor(s auth.Subject) mask.Taping {
	v := a.tapingView()
	if s.Employee() != a.employee {
		v.Call = ""
	}
	return v
}

// notOurs is the answer about a recording that Earshot does not make: to who sees that there is one it is said that it is not Earshot's to change.
func (g *Gate) notOurs(ctx context.Context, s auth.Subject, ask RecordAsk) error {
	if ask.ID == "" || g.archive == nil {
		return noSuchTape()
	}
	r, p := g.reader(s)
	if p != nil {
		return noSuchTape()
	}
	_, rec, err := r.recording(ctx, ask.ID)
	switch {
	case err != nil || !rec.Deleted.IsZero():
		return noSuchTape()
	case rec.Ended.IsZero():
		return &Problem{Kind: Conflict, Code: "not_ours", Text: "Earshot has not begun that recording, so it cannot pause or stop it: the dialplan's or another software's ends with the call."}
	}
	return &Problem{Kind: Conflict, Code: "recording_over", Text: "That recording has ended; what there is of it can be played or deleted."}
}

func noTapes() *Problem {
	return &Problem{Kind: NotFound, Code: "no_recordings", Text: "No recordings are made from here: of recordings.spools in Earshot's configuration none is ARI's."}
}

func noSuchTape() *Problem {
	return &Problem{Kind: NotFound, Code: "no_such_recording", Text: "No such recording is being made, or not of a call that you may record. Rows of the board and GET /v1/recordings have the ids."}
}

func taped() *Problem {
	return &Problem{Kind: Conflict, Code: "already_recording", Text: "Earshot records that call already; the row of the board has the id."}
}

func tapeChanges() *Problem {
	return &Problem{Kind: Conflict, Code: "changing", Text: "The recording is being paused or resumed just now; ask again in a moment."}
}

func tapeStarts() *Problem {
	return &Problem{Kind: Conflict, Code: "recording_starts", Text: "The recording is only beginning; ask again in a moment."}
}

func notTaped(cause error) *Problem {
	return &Problem{Kind: Unavailable, Code: reasonPBX, Text: reasonTexts[reasonPBX], cause: cause, open: outOfTime(cause)}
}
