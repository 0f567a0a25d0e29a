package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

func init() {
	for kind, f := range map[string]func(context.Context, *turn) error{
		"supervise": supervise, "excluded": joinsExcluded, "forbidden": forbidden, "lock": lock, "record": tape, "intercept": intercept, "click": click,
	} {
		deeds[kind] = f
		explains[kind] = []string{partPBX, partEarshot, partPolicy}
	}
	explains["lock"] = append(explains["lock"], partRedis)
}

// supervises has a supervisor listen, and gives the call on his phone.
func (t *turn) supervises(ctx context.Context, who, target, mode string, hears ...phone.Tone) (id string, sup *phone.Call, err error) {
	t.phones[who].SetReaction(phone.Reaction{Answer: true})
	var s site.Supervision
	var last error
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_ = eventually(wait, func() error { // the board may be a moment behind the phones
		s, last = t.as(who).Supervise(wait, target, mode)
		var p *site.Problem
		if errors.As(last, &p) && p.Status != 404 && p.Status != 409 && p.Status < 500 {
			return nil // which waiting does not change
		}
		return last
	})
	if s.ID == "" {
		return "", nil, fmt.Errorf("%s may not %s %s: %w", who, mode, target, last)
	}
	if sup, err = t.next(ctx, who); err != nil {
		return s.ID, nil, err
	}
	for _, tone := range hears {
		if _, err := sup.WaitHears(wait, tone); err != nil {
			return s.ID, sup, fmt.Errorf("%s does not hear %v: %w", who, tone, err)
		}
	}
	return s.ID, sup, nil
}

// supervise is a call with somebody who listens, changes how, and ends it in one of the ways that there are.
func supervise(ctx context.Context, t *turn) error {
	target, who := t.who[0], t.who[1]
	_, out, in, p, err := t.called(ctx, target)
	if err != nil {
		return err
	}
	id, sup, err := t.supervises(ctx, who, target, "spy", in.Tone(), out.Tone())
	if err != nil {
		return err
	}
	asked := time.Now()
	changed := false
	for range t.r.IntN(3) {
		mode := []string{"whisper", "spy", "barge"}[t.r.IntN(3)]
		_, err := t.as(who).Change(ctx, id, mode)
		var refusal *site.Problem
		switch {
		case errors.As(err, &refusal) && refusal.Status == 403: // the policy of the moment
		case err != nil:
			return fmt.Errorf("change to %s: %w", mode, err)
		default:
			changed = changed || mode != "spy"
		}
		t.pause(ctx, 100*time.Millisecond, 800*time.Millisecond)
	}
	if !changed {
		for _, c := range []*phone.Call{in, out} {
			if heard := c.HeardBetween(sup.Tone(), asked, time.Now()); len(heard) > 0 {
				t.faults.add("deed %d: %v heard %s, who only spied, in %d windows", t.deed.number, c, who, len(heard))
			}
		}
		t.listened.Add(1)
	}
	switch t.r.IntN(4) {
	case 0:
		if err := t.as(who).End(ctx, id); err != nil {
			return fmt.Errorf("end it: %w", err)
		}
	case 1:
		if err := sup.Hangup(ctx); err != nil {
			return err
		}
	default: // with the call
		err := t.hangUp(ctx, out, in, p)
		return errors.Join(err, over(ctx, sup))
	}
	if err := over(ctx, sup); err != nil {
		return err
	}
	if err := together(ctx, out, in); err != nil {
		return fmt.Errorf("after the supervision: %w", err)
	}
	return t.hangUp(ctx, out, in, p)
}

// joinsExcluded brings the one whom nobody may hear into a call to which somebody listens.
func joinsExcluded(ctx context.Context, t *turn) error {
	target, who := t.who[1], t.who[2]
	id, out, in, first, err := t.called(ctx, target)
	if err != nil {
		return err
	}
	_, sup, err := t.supervises(ctx, who, target, "spy", in.Tone(), out.Tone())
	if err != nil {
		return err
	}
	second := &part{who: excluded, direction: "in", outcome: "answered", outside: id, by: t.deed.number}
	t.past.add(second)
	at := time.Now()
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	moved := make(chan error, 1)
	go func() { moved <- in.Transfer(wait, t.number(excluded)) }()
	next, err := t.next(ctx, excluded)
	if err == nil {
		t.pause(ctx, 0, 500*time.Millisecond)
		err = next.Answer(ctx)
	}
	if err = errors.Join(<-moved, err); err != nil {
		return err
	}
	if err := over(ctx, in); err != nil {
		return err
	}
	first.ended, first.transfers, first.whole = since(at), 1, true
	err = t.taken(ctx, out, next, second, at)
	if heard := sup.HeardBetween(next.Tone(), at, time.Now()); len(heard) > 0 && t.ledger.touched(at, time.Now(), settles, partEarshot, partPBX, partMachine) == nil {
		t.faults.add("deed %d: %s heard %s in %d windows of 100 ms", t.deed.number, who, excluded, len(heard))
	}
	t.listened.Add(1)
	return errors.Join(err, over(ctx, sup))
}

// forbidden is somebody who asks for what he may not, at each door that has it.
func forbidden(ctx context.Context, t *turn) error {
	target := t.who[0]
	_, out, in, p, err := t.called(ctx, target)
	if err != nil {
		return err
	}
	for _, path := range []string{"/v1/supervisions", "/v1/recordings", "/v1/intercepts"} {
		for _, who := range []string{"karl", "t1", excluded} {
			if who == target {
				continue
			}
			err := t.as(who).Do(ctx, http.MethodPost, path, map[string]string{"target": target, "mode": "spy"}, nil)
			var refusal *site.Problem
			if !errors.As(err, &refusal) {
				if err == nil {
					t.faults.add("deed %d: %s was allowed %s of %s", t.deed.number, who, path, target)
				}
				return fmt.Errorf("%s asks for what he may not: %w", who, err)
			}
		}
	}
	return t.hangUp(ctx, out, in, p)
}

// lock is a private one: who listens is cut off, and nobody begins.
func lock(ctx context.Context, t *turn) error {
	target, who := t.who[0], t.who[1]
	_, out, in, p, err := t.called(ctx, target)
	if err != nil {
		return err
	}
	_, sup, err := t.supervises(ctx, who, target, "spy", in.Tone(), out.Tone())
	if err != nil {
		return err
	}
	if _, err := t.as(target).Lock(ctx); err != nil {
		return fmt.Errorf("%s locks his call: %w", target, err)
	}
	if err := over(ctx, sup); err != nil {
		return err
	}
	if _, err := t.as(who).Supervise(ctx, target, "spy"); err == nil {
		t.faults.add("deed %d: %s was allowed to listen to a locked call of %s", t.deed.number, who, target)
	}
	return t.hangUp(ctx, out, in, p)
}

// tape is somebody who records his own call, pauses it, and stops or forgets it.
func tape(ctx context.Context, t *turn) error {
	who := t.who[0]
	_, out, in, p, err := t.called(ctx, who)
	if err != nil {
		return err
	}
	var v struct{ ID, State string }
	if err := t.as(who).Do(ctx, http.MethodPost, "/v1/recordings", map[string]string{"target": who}, &v); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	for _, state := range []string{"paused", "recording", "stopped"}[:t.r.IntN(4)] {
		t.pause(ctx, 100*time.Millisecond, 500*time.Millisecond)
		if err := t.as(who).Do(ctx, http.MethodPatch, "/v1/recordings/"+v.ID, map[string]string{"state": state}, nil); err != nil {
			return fmt.Errorf("have the recording %s: %w", state, err)
		}
	}
	return t.hangUp(ctx, out, in, p)
}

// intercept takes a ringing call by the HTTP door.
func intercept(ctx context.Context, t *turn) error {
	target, who := t.who[1], t.who[0]
	id := t.hidden.fresh(t.r)
	first := &part{who: target, direction: "in", outcome: "elsewhere", outside: id, by: t.deed.number}
	second := &part{who: who, direction: "in", outcome: "answered", outside: id, by: t.deed.number}
	t.past.add(first, second)
	at := time.Now()
	out, err := t.outside(ctx, id, t.number(target))
	if err != nil {
		return err
	}
	rings, err := t.next(ctx, target)
	if err != nil {
		return err
	}
	first.began = since(at)
	at = time.Now()
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t.phones[who].SetReaction(phone.Reaction{Answer: true})
	err = eventually(wait, func() error {
		_, err := t.as(who).Intercept(wait, target)
		return err
	})
	if err != nil {
		return fmt.Errorf("take it: %w", err)
	}
	takes, err := t.next(ctx, who)
	if err != nil {
		return err
	}
	if err := over(ctx, rings); err != nil {
		return err
	}
	first.ended, first.whole = since(at), true
	return t.taken(ctx, out, takes, second, at)
}

// click has a panel call: one's own phone rings first.
func click(ctx context.Context, t *turn) error {
	who := t.who[0]
	id := t.hidden.fresh(t.r)
	p := &part{who: who, direction: "out", outcome: "answered", outside: id, by: t.deed.number}
	t.past.add(p)
	waits := t.soak.trunk.expect(id)
	t.phones[who].SetReaction(phone.Reaction{Answer: true})
	at := time.Now()
	if err := t.as(who).Call(ctx, id.number); err != nil {
		return fmt.Errorf("have it called: %w", err)
	}
	own, err := t.next(ctx, who)
	if err != nil {
		return err
	}
	other, err := waits(ctx)
	if err != nil {
		return err
	}
	t.calls = append(t.calls, other)
	other.SetTone(t.voice())
	p.began = since(at)
	if err := other.Answer(ctx); err != nil {
		return err
	}
	if err := together(ctx, own, other); err != nil {
		return err
	}
	p.answered = since(at)
	return t.hangUp(ctx, own, other, p)
}
