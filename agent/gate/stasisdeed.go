package gate

import (
	"context"
	"errors"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// StasisAsk is a request to ring one of the subject's own phones.
type StasisAsk struct {
	Phone   string // empty for the first
	Seconds int    // how long it rings at most; 0 for the gate's RingTimeout, which is also the most
	Reason  string // why he asks, in his own words, for the record
}

// Originate rings one of the subject's own phones, and keeps its leg once it is answered, which StasisBegan tells. It returns when the phone is being rung.
// What becomes of it may be told before it returns.
func (st *Stasis) Originate(ctx context.Context, ask StasisAsk) (channel string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	g := st.gate
	if ask.Seconds < 0 {
		return "", badSeconds()
	}
	reason, p := given(ask.Reason)
	if p != nil {
		return "", p
	}
	a := st.asking(wordOriginate, reason)
	var l *stasisLeg
	var e audit.Entry
	g.locked(func(*call.Table) {
		set := g.policy.Load()
		e = a.entry(audit.Decided, set, policy.Decision{})
		if p = st.may(); p != nil {
			return
		}
		subject, _ := set.Employee(a.employee)
		switch p = g.ownPhone(set, subject, a, ask.Phone); {
		case p != nil:
		case len(st.legs) >= maxStasisLegs, g.has(st.subject, func(st *Stasis) int { return len(st.legs) }) >= maxSubjectLegs:
			p = stasisFull()
		default:
			l = st.newLeg(set, subject, a)
			g.running.Add(1)
			st.orders.Add(1)
		}
	})
	if p != nil {
		return "", g.refuse(a, p, policy.Decision{}, e)
	}
	defer g.running.Done()
	defer st.orders.Done()
	err = st.recorded(a, e, ownPhoneCode, func() error { return st.ring(ctx, l, ask) })
	if err != nil {
		g.locked(func(*call.Table) { st.forget(l) })
		return "", err
	}
	return l.handle, nil
}

// asking is an act that is there for the record alone.
func (st *Stasis) asking(word ownWord, reason string) *act {
	a := st.gate.newAct(st.subject, policy.Dial, st.door)
	a.stop()
	a.word, a.given = word, reason
	return a
}

// recorded writes down that something is permitted, does it, and writes down what came of it. What do returns is a Problem or why the PBX did not.
func (st *Stasis) recorded(a *act, e audit.Entry, code string, do func() error) error {
	g := st.gate
	e.Outcome, e.Reason, e.Rule = audit.Allow, code, audit.Rule{}
	g.met.decision(a.word, string(e.Outcome), e.Reason)
	g.canonical(&e)
	if err := g.record(e); err != nil {
		return notRecorded(err)
	}
	err := do()
	e.Phase, e.Outcome, e.Reason = audit.Done, "", ""
	if err != nil {
		p := (*Problem)(nil)
		switch {
		case errors.As(err, &p):
			p.ID = a.id
		case errors.Is(err, pbx.ErrUnreachable):
			p = phoneUnreachable(a.id, err)
		default:
			p = undone(a.id, err)
		}
		e.Phase, e.Reason, err = audit.Failed, p.Code, p
		if p.cause != nil {
			g.log.Error().Err(p.cause).Str("id", a.id).Msg("what was decided was not carried out")
		}
	}
	g.recordCame(e)
	return err
}

// ring has the PBX ring a leg's phone. Nothing is rung, or rings on, that has been taken out of the book meanwhile, since the phone is his no more.
func (st *Stasis) ring(ctx context.Context, l *stasisLeg, ask StasisAsk) error {
	g := st.gate
	seconds := g.cfg.RingTimeout
	if asked := time.Duration(ask.Seconds) * time.Second; asked > 0 && asked < seconds {
		seconds = asked
	}
	gone := false
	g.locked(func(*call.Table) {
		if gone = l.gone; !gone {
			l.until = time.Now().Add(g.cfg.Lease)
		}
	})
	if gone {
		return callMoved("")
	}
	ctx, cancel := st.order(ctx)
	defer cancel()
	err := g.cfg.PBX.Ring(ctx, pbx.Ring{Leg: l.id, Endpoint: l.phone, Display: "Earshot", Timeout: seconds, Lease: g.cfg.Lease})
	g.locked(func(t *call.Table) {
		if gone = l.gone; err == nil && !gone {
			if l.rung = true; l.lost {
				st.forget(l)
				return
			}
			l.rings = time.AfterFunc(seconds+answerTime, l.unanswered)
			l.begin(t)
		}
	})
	switch {
	case errors.Is(err, pbx.ErrUnreachable):
		return err
	case err != nil: // it may be rung all the same
		g.drop("", l.id)
		return err
	case gone:
		g.drop("", l.id)
		return callMoved("")
	}
	return nil
}

// unanswered gives up a phone that the PBX should have told to be gone.
func (l *stasisLeg) unanswered() {
	l.st.gate.locked(func(*call.Table) {
		if !l.gone && !l.up {
			l.st.forget(l)
			l.st.gate.clear("", l.id)
		}
	})
}

// answerTime is how much longer than it may ring a phone is waited for.
const answerTime = 5 * time.Second

// HangUp hangs up a leg, or ends a supervision, by its id. It returns when the PBX has been told.
func (st *Stasis) HangUp(ctx context.Context, channel string) error {
	g := st.gate
	var s *stasisSnoop
	var l *stasisLeg
	var e audit.Entry
	a := st.asking(wordHangUp, "")
	return st.deal(ctx, dealing{
		word: wordHangUp, turn: st.isSnoop(channel), noted: true,
		prepare: func(*call.Table) *Problem {
			if l, s = st.leg(channel), st.snoop(channel); s == nil && (l == nil || !l.rung) {
				return noSuchChannel()
			}
			e = a.entry(audit.Decided, g.policy.Load(), policy.Decision{})
			return nil
		},
		do: func(ctx context.Context) error {
			if s != nil {
				return st.endSnoop(ctx, s)
			}
			return st.recorded(a, e, ownCallCode, func() error { return st.hangUp(ctx, l) })
		},
	})
}

// isSnoop reports whether a channel is one.
func (st *Stasis) isSnoop(channel string) (is bool) {
	st.gate.locked(func(*call.Table) { is = st.snoop(channel) != nil })
	return is
}

// hangUp hangs a leg up. That it is gone the table tells; of one that it has not seen yet it will not.
func (st *Stasis) hangUp(ctx context.Context, l *stasisLeg) error {
	g := st.gate
	g.locked(func(*call.Table) { g.hangsUp(l.id) })
	if err := g.cfg.PBX.Drop(ctx, "", l.id); err != nil {
		return err
	}
	g.locked(func(*call.Table) {
		if !l.seen {
			st.forget(l)
		}
	})
	return nil
}

// legDeed is what is done with one leg.
type legDeed struct {
	listens bool // also with one that a supervision has
	alone   bool // not with one in a bridge
	do      func(ctx context.Context, leg call.LegID) error
}

func (st *Stasis) onLeg(ctx context.Context, channel string, x legDeed) error {
	var l *stasisLeg
	return st.deal(ctx, dealing{
		word: wordLeg,
		prepare: func(t *call.Table) (p *Problem) {
			switch l, p = st.find(t, channel); {
			case p != nil:
			case !x.listens && !l.idle():
				p = listening()
			case x.alone && l.bridge != nil:
				p = isBridged()
			}
			return p
		},
		do: func(ctx context.Context) error { return x.do(ctx, l.id) },
	})
}

// Hold puts a leg's phone on hold, or takes it off.
func (st *Stasis) Hold(ctx context.Context, channel string, on bool) error {
	return st.onLeg(ctx, channel, legDeed{do: func(ctx context.Context, leg call.LegID) error {
		return st.gate.cfg.PBX.Hold(ctx, leg, on)
	}})
}

// Mute mutes a leg, MuteIn, MuteOut or MuteAll, or unmutes it.
func (st *Stasis) Mute(ctx context.Context, channel, direction string, on bool) error {
	if direction != MuteIn && direction != MuteOut && direction != MuteAll {
		return badDirection()
	}
	return st.onLeg(ctx, channel, legDeed{listens: true, do: func(ctx context.Context, leg call.LegID) error {
		return st.gate.cfg.PBX.Mute(ctx, pbx.Mute{Leg: leg, Direction: direction, On: on})
	}})
}

// Ring lets a leg hear ringing, or ends that.
func (st *Stasis) Ring(ctx context.Context, channel string, on bool) error {
	return st.onLeg(ctx, channel, legDeed{do: func(ctx context.Context, leg call.LegID) error {
		return st.gate.cfg.PBX.Ringing(ctx, leg, on)
	}})
}

// Silence lets a leg that is in no bridge hear silence, or ends that.
func (st *Stasis) Silence(ctx context.Context, channel string, on bool) error {
	return st.onLeg(ctx, channel, legDeed{alone: on, do: func(ctx context.Context, leg call.LegID) error {
		return st.gate.cfg.PBX.Silence(ctx, leg, on)
	}})
}

// Press sends a leg's phone digits; see [OwnAsk].
func (st *Stasis) Press(ctx context.Context, channel, digits string) error {
	if !areDigits(digits) {
		return badDigits()
	}
	return st.onLeg(ctx, channel, legDeed{listens: true, do: func(ctx context.Context, leg call.LegID) error {
		return st.gate.cfg.PBX.Press(ctx, pbx.Press{Leg: leg, Digits: digits})
	}})
}
