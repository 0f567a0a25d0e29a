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

// deeds are how each kind is done. An error is a fault unless a part was away.
var deeds map[string]func(context.Context, *turn) error

func init() {
	deeds = map[string]func(context.Context, *turn) error{
		"incoming": incoming, "internal": internal, "outgoing": outgoing, "hold": hold, "unanswered": unanswered, "busy": busy, "blind": blind,
		"attended": attended, "park": park, "conference": conference, "pickup": pickup, "queue": queue,
	}
}

// explains are the parts whose being away explains that a deed fails; that of the PBX alone where nothing is said: calls do not need Earshot.
var explains = map[string][]string{}

// next is the next call at an employee's phone.
func (t *turn) next(ctx context.Context, who string) (*phone.Call, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := t.phones[who].Incoming(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s's phone does not ring: %w", who, err)
	}
	t.calls = append(t.calls, c)
	return c, nil
}

// dials has an employee dial.
func (t *turn) dials(ctx context.Context, who, number string) (*phone.Call, error) {
	c, err := t.phones[who].Dial(ctx, number)
	if err == nil {
		t.calls = append(t.calls, c)
	}
	return c, err
}

// outside has somebody outside dial a number of the company's.
func (t *turn) outside(ctx context.Context, id identity, number string) (*phone.Call, error) {
	c, err := t.Trunk.Dial(ctx, "74950000"+number, phone.As(id.number, id.name), phone.WithTone(t.voice()))
	if err == nil {
		t.calls = append(t.calls, c)
	}
	return c, err
}

// voice is a tone that no employee has.
func (t *turn) voice() phone.Tone { return phone.Tone(21 + t.deed.number%9) }

func (t *turn) number(who string) string { return t.phones[who].User() }

// together waits until two hear each other.
func together(ctx context.Context, a, b *phone.Call) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := errors.Join(a.WaitAnswered(ctx), b.WaitAnswered(ctx)); err != nil {
		return fmt.Errorf("they are not together: %w", err)
	}
	for _, pair := range [][2]*phone.Call{{a, b}, {b, a}} {
		if _, err := pair[0].WaitHears(ctx, pair[1].Tone()); err != nil {
			return fmt.Errorf("%v does not hear %v: %w", pair[0], pair[1].Tone(), err)
		}
	}
	return nil
}

// over waits until calls have ended.
func over(ctx context.Context, calls ...*phone.Call) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, c := range calls {
		if err := c.WaitEnded(ctx); err != nil {
			return fmt.Errorf("%v has not ended: %w", c, err)
		}
	}
	return nil
}

// between is a time of which the phones know when it was at the earliest and at the latest.
type between [2]time.Time

// since is from a moment until now.
func since(at time.Time) between { return between{at, time.Now()} }

// called has somebody outside, whom nobody knows, call an employee, who answers.
func (t *turn) called(ctx context.Context, who string) (id identity, out, in *phone.Call, p *part, err error) {
	id = t.hidden.fresh(t.r)
	p = &part{who: who, direction: "in", outcome: "answered", outside: id, by: t.deed.number}
	t.past.add(p)
	at := time.Now()
	if out, err = t.outside(ctx, id, t.number(who)); err != nil {
		return
	}
	if in, err = t.next(ctx, who); err != nil {
		return
	}
	p.began = since(at)
	t.pause(ctx, 0, 400*time.Millisecond)
	at = time.Now()
	if err = in.Answer(ctx); err != nil {
		return
	}
	err = together(ctx, out, in)
	p.answered = since(at)
	return
}

// hangUp has one of two hang up, and waits for the other.
func (t *turn) hangUp(ctx context.Context, a, b *phone.Call, parts ...*part) error {
	if t.r.IntN(2) == 0 {
		a, b = b, a
	}
	at := time.Now()
	if err := a.Hangup(ctx); err != nil {
		return err
	}
	err := over(ctx, a, b)
	for _, p := range parts {
		p.ended, p.whole = since(at), err == nil
	}
	return err
}

func incoming(ctx context.Context, t *turn) error {
	_, out, in, p, err := t.called(ctx, t.who[0])
	if err != nil {
		return err
	}
	t.pause(ctx, 300*time.Millisecond, 3*time.Second)
	return t.hangUp(ctx, out, in, p)
}

// talk has two employees talk.
func (t *turn) talk(ctx context.Context, from, to, number string) (out, in *phone.Call, parts []*part, err error) {
	a, b := &part{who: from, direction: "out", outcome: "answered", peer: to, by: t.deed.number}, &part{who: to, direction: "in", outcome: "answered", peer: from, by: t.deed.number}
	parts = []*part{a, b}
	t.past.add(parts...)
	at := time.Now()
	if out, err = t.dials(ctx, from, number); err != nil {
		return
	}
	if in, err = t.next(ctx, to); err != nil {
		return
	}
	a.began, b.began = since(at), since(at)
	at = time.Now()
	if err = in.Answer(ctx); err != nil {
		return
	}
	err = together(ctx, out, in)
	a.answered, b.answered = since(at), since(at)
	return
}

func internal(ctx context.Context, t *turn) error {
	number := t.number(t.who[1])
	if n := t.r.IntN(4); n < 2 { // through a Local channel
		number = []string{pbxtest.PrefixLocal, pbxtest.PrefixLocalN}[n] + number
	}
	out, in, parts, err := t.talk(ctx, t.who[0], t.who[1], number)
	if err != nil {
		return err
	}
	t.pause(ctx, 300*time.Millisecond, 3*time.Second)
	return t.hangUp(ctx, out, in, parts...)
}

func outgoing(ctx context.Context, t *turn) error {
	id := t.hidden.fresh(t.r)
	p := &part{who: t.who[0], direction: "out", outcome: "answered", outside: id, by: t.deed.number}
	t.past.add(p)
	waits := t.trunk.expect(id)
	at := time.Now()
	out, err := t.dials(ctx, t.who[0], pbxtest.PrefixOutside+id.number[1:])
	if err != nil {
		return err
	}
	in, err := waits(ctx)
	if err != nil {
		return err
	}
	t.calls = append(t.calls, in)
	in.SetTone(t.voice())
	p.began = since(at)
	at = time.Now()
	if err := in.Answer(ctx); err != nil {
		return err
	}
	if err := together(ctx, out, in); err != nil {
		return err
	}
	p.answered = since(at)
	t.pause(ctx, 300*time.Millisecond, 2*time.Second)
	return t.hangUp(ctx, out, in, p)
}

func hold(ctx context.Context, t *turn) error {
	_, out, in, p, err := t.called(ctx, t.who[0])
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := in.Hold(wait); err != nil {
		return err
	}
	if _, err := out.WaitHears(wait, phone.Music); err != nil {
		return fmt.Errorf("who is held hears no music: %w", err)
	}
	t.pause(ctx, 100*time.Millisecond, time.Second)
	if err := in.Unhold(wait); err != nil {
		return err
	}
	if err := together(ctx, out, in); err != nil {
		return err
	}
	return t.hangUp(ctx, out, in, p)
}

func unanswered(ctx context.Context, t *turn) error {
	id := t.hidden.fresh(t.r)
	p := &part{who: t.who[0], direction: "in", outcome: "missed", outside: id, by: t.deed.number}
	t.past.add(p)
	at := time.Now()
	out, err := t.outside(ctx, id, t.number(t.who[0]))
	if err != nil {
		return err
	}
	in, err := t.next(ctx, t.who[0])
	if err != nil {
		return err
	}
	p.began = since(at)
	t.pause(ctx, 100*time.Millisecond, 1500*time.Millisecond)
	at = time.Now()
	if err := out.Hangup(ctx); err != nil {
		return err
	}
	err = over(ctx, out, in)
	p.ended, p.whole = since(at), err == nil
	return err
}

func busy(ctx context.Context, t *turn) error {
	id := t.hidden.fresh(t.r)
	p := &part{who: t.who[0], direction: "in", outcome: "busy", outside: id, by: t.deed.number}
	t.past.add(p)
	at := time.Now()
	out, err := t.outside(ctx, id, t.number(t.who[0]))
	if err != nil {
		return err
	}
	in, err := t.next(ctx, t.who[0])
	if err != nil {
		return err
	}
	p.began = since(at)
	at = time.Now()
	if err := in.Reject(ctx, 486); err != nil {
		return err
	}
	err = over(ctx, out, in)
	p.ended, p.whole = since(at), err == nil
	return err
}

// trunk hands calls to outside to who waits for them.
type trunk struct {
	mu    sync.Mutex
	waits map[string]chan *phone.Call // by the number's end
	ended chan struct{}
	stop  context.CancelFunc
}

func openTrunk(p *phone.Phone) *trunk {
	ctx, cancel := context.WithCancel(context.Background())
	tr := &trunk{waits: map[string]chan *phone.Call{}, ended: make(chan struct{}), stop: cancel}
	go func() {
		defer close(tr.ended)
		for {
			c, err := p.Incoming(ctx)
			if err != nil {
				return
			}
			number := c.Called()
			tr.mu.Lock()
			w := tr.waits[number[max(0, len(number)-digits):]]
			tr.mu.Unlock()
			if w == nil {
				go func() { _ = c.Reject(ctx, 404) }()
				continue
			}
			select {
			case w <- c:
			default: // a second one
			}
		}
	}()
	return tr
}

func (tr *trunk) close() {
	tr.stop()
	<-tr.ended
}

// expect says that somebody is about to be called. The call has to be waited for.
func (tr *trunk) expect(id identity) (wait func(context.Context) (*phone.Call, error)) {
	ch := make(chan *phone.Call, 1)
	tr.mu.Lock()
	tr.waits[id.tail()] = ch
	tr.mu.Unlock()
	return func(ctx context.Context) (*phone.Call, error) {
		limit := time.NewTimer(patience)
		defer limit.Stop()
		defer func() {
			tr.mu.Lock()
			delete(tr.waits, id.tail())
			tr.mu.Unlock()
		}()
		select {
		case c := <-ch:
			return c, nil
		case <-limit.C:
			return nil, errors.New("nobody outside is called")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
