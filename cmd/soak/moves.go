package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// taken is the part of who has somebody else's caller then.
func (t *turn) taken(ctx context.Context, out, in *phone.Call, p *part, at time.Time) error {
	if err := together(ctx, out, in); err != nil {
		return err
	}
	p.began, p.answered = since(at), since(at)
	t.pause(ctx, 200*time.Millisecond, time.Second)
	return t.hangUp(ctx, out, in, p)
}

// answers is the next call at a phone, answered.
func (t *turn) answers(ctx context.Context, who string) (*phone.Call, error) {
	c, err := t.next(ctx, who)
	if err != nil {
		return nil, err
	}
	return c, c.Answer(ctx)
}

func blind(ctx context.Context, t *turn) error {
	id, out, in, first, err := t.called(ctx, t.who[0])
	if err != nil {
		return err
	}
	t.pause(ctx, 0, time.Second)
	second := &part{who: t.who[1], direction: "in", outcome: "answered", outside: id, by: t.deed.number}
	t.past.add(second)
	at := time.Now()
	var moved sync.WaitGroup
	var transferred error
	moved.Go(func() {
		wait, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if t.deed.choices%2 == 0 || keyless(t.who[0]) {
			transferred = in.Transfer(wait, t.number(t.who[1]))
			return
		}
		if transferred = in.DTMF(wait, pbxtest.FeatureBlind); transferred == nil {
			_ = in.DTMF(wait, t.number(t.who[1])) // the call ends with the last digit
		}
	})
	next, err := t.answers(ctx, t.who[1])
	moved.Wait()
	if err = errors.Join(transferred, err); err != nil {
		return err
	}
	if err := over(ctx, in); err != nil {
		return err
	}
	first.ended, first.transfers, first.whole = since(at), 1, true
	return t.taken(ctx, out, next, second, at)
}

func attended(ctx context.Context, t *turn) error {
	id, out, in, first, err := t.called(ctx, t.who[0])
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at := time.Now()
	if err := in.Hold(wait); err != nil {
		return err
	}
	// The colleague's one part is that with the caller in the end; with whom he spoke before stands in it.
	asks := &part{who: t.who[0], direction: "out", outcome: "answered", peer: t.who[1], by: t.deed.number}
	last := &part{who: t.who[1], direction: "in", outcome: "answered", outside: id, peer: t.who[0], by: t.deed.number}
	t.past.add(asks, last)
	consultation, err := t.dials(ctx, t.who[0], t.number(t.who[1]))
	if err != nil {
		return err
	}
	next, err := t.answers(ctx, t.who[1])
	if err != nil {
		return err
	}
	if err := together(ctx, consultation, next); err != nil {
		return err
	}
	asks.began, asks.answered = since(at), since(at)
	handed := time.Now()
	if err := in.TransferTo(wait, consultation); err != nil {
		return err
	}
	if err := over(ctx, in, consultation); err != nil {
		return err
	}
	first.ended, first.transfers, first.whole = since(handed), 1, true
	asks.ended, asks.whole = since(handed), true
	return t.taken(ctx, out, next, last, at)
}

// parking is one at a time, for the first slot is to be free.
var parking sync.Mutex

func park(ctx context.Context, t *turn) error {
	parking.Lock()
	defer parking.Unlock()
	id, out, in, first, err := t.called(ctx, t.who[0])
	if err != nil {
		return err
	}
	if keyless(t.who[0]) {
		return t.hangUp(ctx, out, in, first)
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at := time.Now()
	if err := in.DTMF(wait, pbxtest.FeaturePark); err != nil {
		return err
	}
	if _, err := out.WaitHearsOnly(wait, phone.Music); err != nil {
		return fmt.Errorf("who is parked hears no music: %w", err)
	}
	_ = in.Hangup(wait) // the PBX may have
	if err := over(ctx, in); err != nil {
		return err
	}
	first.ended, first.whole = between{first.answered[0], time.Now()}, true
	second := &part{who: t.who[1], direction: "out", outcome: "answered", outside: id, by: t.deed.number}
	t.past.add(second)
	fetch, err := t.dials(ctx, t.who[1], "701")
	if err != nil {
		return err
	}
	return t.taken(ctx, out, fetch, second, at)
}

// keyless are the phones whose keys do nothing within a call: their audio goes past the PBX.
func keyless(who string) bool { return who == "nina" || who == "gleb" }

// rooms are one at a time: whoever is in it hears the others.
var rooms sync.Mutex

func conference(ctx context.Context, t *turn) error {
	rooms.Lock()
	defer rooms.Unlock()
	var all []*phone.Call
	for _, who := range t.who {
		p := &part{who: who, direction: "out", outcome: "answered", any: true, by: t.deed.number}
		t.past.add(p)
		at := time.Now()
		c, err := t.dials(ctx, who, roomNumber)
		if err != nil {
			return err
		}
		wait, cancel := context.WithTimeout(ctx, patience)
		err = c.WaitAnswered(wait)
		cancel()
		if err != nil {
			return err
		}
		p.began, p.answered = since(at), since(at)
		defer func() { p.ended = since(at); p.whole = c.State() == phone.Ended }()
		all = append(all, c)
	}
	for i, c := range all {
		wait, cancel := context.WithTimeout(ctx, patience)
		_, err := c.WaitHears(wait, all[(i+1)%len(all)].Tone())
		cancel()
		if err != nil {
			return err
		}
	}
	for _, c := range all {
		if err := c.Hangup(ctx); err != nil {
			return err
		}
	}
	return over(ctx, all...)
}

func pickup(ctx context.Context, t *turn) error {
	id := t.hidden.fresh(t.r)
	first := &part{who: t.who[0], direction: "in", outcome: "elsewhere", outside: id, by: t.deed.number}
	second := &part{who: t.who[1], direction: "in", outcome: "answered", outside: id, by: t.deed.number}
	t.past.add(first, second)
	at := time.Now()
	out, err := t.outside(ctx, id, t.number(t.who[0]))
	if err != nil {
		return err
	}
	rings, err := t.next(ctx, t.who[0])
	if err != nil {
		return err
	}
	first.began = since(at)
	at = time.Now()
	takes, err := t.dials(ctx, t.who[1], pbxtest.PrefixPickup+t.number(t.who[0]))
	if err != nil {
		return err
	}
	if err := over(ctx, rings); err != nil {
		return err
	}
	first.ended, first.whole = since(at), true
	return t.taken(ctx, out, takes, second, at)
}

func queue(ctx context.Context, t *turn) error {
	id := t.hidden.fresh(t.r)
	answers, other := t.who[0], t.who[1]
	if t.r.IntN(2) == 0 {
		answers, other = other, answers
	}
	first := &part{who: answers, direction: "in", outcome: "answered", outside: id, line: lineName, by: t.deed.number}
	second := &part{who: other, direction: "in", outcome: "elsewhere", outside: id, line: lineName, by: t.deed.number}
	t.past.add(first, second)
	at := time.Now()
	out, err := t.outside(ctx, id, lineNumber)
	if err != nil {
		return err
	}
	in, err := t.next(ctx, answers)
	if err != nil {
		return err
	}
	vain, err := t.next(ctx, other)
	if err != nil {
		return err
	}
	first.began, second.began = since(at), since(at)
	t.pause(ctx, 0, time.Second)
	at = time.Now()
	if err := in.Answer(ctx); err != nil {
		return err
	}
	if err := together(ctx, out, in); err != nil {
		return err
	}
	first.answered = since(at)
	if err := over(ctx, vain); err != nil {
		return err
	}
	second.ended, second.whole = since(at), true
	t.pause(ctx, 200*time.Millisecond, 2*time.Second)
	return t.hangUp(ctx, out, in, first)
}
