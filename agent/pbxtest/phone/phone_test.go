package phone_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func background(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func listen(t *testing.T, cfg phone.Config) *phone.Phone {
	t.Helper()
	p, err := phone.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close %s: %v", p.User(), err)
		}
	})
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func hears(t *testing.T, ctx context.Context, c *phone.Call, tones ...phone.Tone) {
	t.Helper()
	_, err := c.WaitHearsOnly(ctx, tones...)
	must(t, err)
}

// talk makes two phones talk.
func talk(t *testing.T, ctx context.Context, a, b *phone.Phone) (ca, cb *phone.Call) {
	t.Helper()
	ca, err := a.Dial(ctx, b.User(), phone.At(b.Addr()))
	must(t, err)
	cb, err = b.Incoming(ctx)
	must(t, err)
	must(t, ca.WaitRinging(ctx))
	must(t, cb.Answer(ctx))
	must(t, ca.WaitAnswered(ctx))
	return ca, cb
}

func TestTwoPhonesTalk(t *testing.T) {
	ctx := background(t)
	a := listen(t, phone.Config{User: "101", Name: "Anna", Tone: 1})
	b := listen(t, phone.Config{User: "102", Tone: 2})
	start := time.Now()
	ca, cb := talk(t, ctx, a, b)
	if got, want := cb.Remote(), (phone.Identity{Name: "Anna", Number: "101"}); got != want {
		t.Errorf("display shows %+v, want %+v", got, want)
	}
	if cb.Called() != "102" || !cb.Incoming() || ca.Incoming() {
		t.Errorf("called %q, incoming %v, %v", cb.Called(), cb.Incoming(), ca.Incoming())
	}
	hears(t, ctx, ca, 2)
	hears(t, ctx, cb, 1)
	must(t, ca.DoesNotHear(ctx, 1, 2, 500*time.Millisecond))
	if !ca.Hears(2) || ca.Hears(1) || ca.Level(2) < 0.9 || !slices.Equal(ca.Hearing(), []phone.Tone{2}) {
		t.Errorf("hears %v, level %.2f", ca.Hearing(), ca.Level(2))
	}
	var heard *phone.HeardError
	if err := ca.DoesNotHear(ctx, 2, 0, time.Second); !errors.As(err, &heard) || heard.Tone != 2 {
		t.Errorf("hears the peer, but: %v", err)
	}
	must(t, ca.Hangup(ctx))
	must(t, cb.WaitEnded(ctx))
	if e := cb.Ending(); !e.Remote || e.Status != 0 {
		t.Errorf("ending %+v", e)
	}
	last := ca.LastHeard(2)
	if last.Before(start) || len(ca.HeardBetween(2, start, last)) < 5 || len(ca.HeardBetween(2, last.Add(1), time.Now())) > 0 {
		t.Errorf("record of the ended call: %d windows, last %v", len(ca.HeardBetween(2, start, time.Now())), last)
	}
	if s := ca.Stats(); s.Lost > 0 || s.Received < 30 || s.Sent < 30 || s.Streams != 1 {
		t.Errorf("stats %+v", s)
	}
	if err := ca.WaitAnswered(ctx); err != nil {
		t.Errorf("an answered call stays answered: %v", err)
	}
	if len(a.Calls()) != 0 || len(b.Calls()) != 0 {
		t.Error("ended calls are still listed")
	}
}

func TestAbsenceIsNotProvenBySilence(t *testing.T) {
	ctx := background(t)
	a := listen(t, phone.Config{User: "101", Tone: 1})
	b := listen(t, phone.Config{User: "102", Tone: 2})
	ca, cb := talk(t, ctx, a, b)
	hears(t, ctx, ca, 2)
	cb.Silence(true)
	short, cancel := context.WithTimeout(ctx, 800*time.Millisecond)
	defer cancel()
	if err := ca.DoesNotHear(short, 9, 0, 700*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no RTP came, yet absence is %v", err)
	}
	if ca.Hears(2) {
		t.Error("a silent phone is heard")
	}
	cb.Silence(false)
	hears(t, ctx, ca, 2)
	cb.SetTone(0)
	must(t, ca.DoesNotHear(ctx, 9, 0, 200*time.Millisecond)) // empty frames are presence enough
	hears(t, ctx, ca)
	cb.SetTone(7)
	hears(t, ctx, ca, 7)
}

func TestAPhoneReacts(t *testing.T) {
	ctx := background(t)
	a := listen(t, phone.Config{User: "101", Tone: 1})
	b := listen(t, phone.Config{User: "102", Tone: 2, Reaction: phone.Reaction{Answer: true, After: 100 * time.Millisecond, Tone: 5}})
	dial := func() *phone.Call {
		c, err := a.Dial(ctx, "102", phone.At(b.Addr()))
		must(t, err)
		return c
	}
	c := dial()
	must(t, c.WaitRinging(ctx))
	must(t, c.WaitAnswered(ctx))
	hears(t, ctx, c, 5)
	must(t, c.Hangup(ctx))

	b.SetReaction(phone.Reaction{Reject: 486})
	c = dial()
	var ended *phone.EndedError
	if err := c.WaitAnswered(ctx); !errors.As(err, &ended) || ended.Status != 486 || !ended.Remote {
		t.Errorf("busy phone: %v", err)
	}

	b.SetReaction(phone.Reaction{Silent: true})
	c = dial()
	in, err := b.Incoming(ctx)
	must(t, err)
	if s := c.State(); s != phone.Dialling {
		t.Errorf("no 180 came, state is %v", s)
	}
	must(t, in.Reject(ctx, 603))
	must(t, c.WaitEnded(ctx))
	if e := c.Ending(); e.Status != 603 {
		t.Errorf("declined: %+v", e)
	}
	if err := in.Answer(ctx); err == nil {
		t.Error("an ended call was answered")
	}
}

func TestHangupFitsTheState(t *testing.T) {
	ctx := background(t)
	a := listen(t, phone.Config{User: "101", Tone: 1})
	b := listen(t, phone.Config{User: "102", Tone: 2})
	c, err := a.Dial(ctx, "102", phone.At(b.Addr()))
	must(t, err)
	in, err := b.Incoming(ctx)
	must(t, err)
	must(t, c.WaitRinging(ctx))
	must(t, c.Hangup(ctx))
	must(t, in.WaitEnded(ctx))
	if e := in.Ending(); e.Status != 487 || !e.Remote {
		t.Errorf("cancelled: %+v", e)
	}

	c, err = a.Dial(ctx, "102", phone.At(b.Addr()))
	must(t, err)
	in, err = b.Incoming(ctx)
	must(t, err)
	must(t, in.Hangup(ctx))
	must(t, c.WaitEnded(ctx))
	if e := c.Ending(); e.Status != 603 {
		t.Errorf("declined: %+v", e)
	}
	must(t, c.Hangup(ctx)) // again is no error
}

func TestHold(t *testing.T) {
	ctx := background(t)
	a := listen(t, phone.Config{User: "101", Tone: 1})
	b := listen(t, phone.Config{User: "102", Tone: 2})
	ca, cb := talk(t, ctx, a, b)
	hears(t, ctx, ca, 2)
	must(t, ca.Hold(ctx))
	if !ca.Held() || !cb.HeldByOther() || cb.Held() {
		t.Errorf("held %v, by other %v", ca.Held(), cb.HeldByOther())
	}
	held := time.Now()
	must(t, cb.Hold(ctx)) // both may
	must(t, cb.Unhold(ctx))
	must(t, ca.Unhold(ctx))
	if ca.Held() || cb.HeldByOther() {
		t.Error("still held")
	}
	hears(t, ctx, ca, 2)
	hears(t, ctx, cb, 1)
	if ws := ca.HeardBetween(2, held.Add(100*time.Millisecond), held); len(ws) > 0 {
		t.Errorf("heard while held: %d", len(ws))
	}
}

func TestNobodyIsHeardOnHold(t *testing.T) {
	ctx := background(t)
	a := listen(t, phone.Config{User: "101", Tone: 1})
	b := listen(t, phone.Config{User: "102", Tone: 2})
	ca, cb := talk(t, ctx, a, b)
	hears(t, ctx, ca, 2)
	hears(t, ctx, cb, 1)
	must(t, ca.Hold(ctx))
	before := [2]int{ca.Stats().Sent, cb.Stats().Sent}
	// A third call is the clock: by the time it hears three windows, 300 ms are over.
	other := listen(t, phone.Config{User: "103", Tone: 3, Reaction: phone.Reaction{Answer: true}})
	cc, err := a.Dial(ctx, "103", phone.At(other.Addr()))
	must(t, err)
	must(t, cc.DoesNotHear(ctx, 9, 3, 400*time.Millisecond))
	if after := [2]int{ca.Stats().Sent, cb.Stats().Sent}; after[0] > before[0]+1 || after[1] > before[1]+1 {
		t.Errorf("frames sent on hold: %v then %v", before, after)
	}
	if cb.Hears(1) || ca.Hears(2) {
		t.Error("heard on hold")
	}
}

func TestBothHoldAtOnce(t *testing.T) {
	ctx := background(t)
	a := listen(t, phone.Config{User: "101", Tone: 1})
	b := listen(t, phone.Config{User: "102", Tone: 2})
	ca, cb := talk(t, ctx, a, b)
	for range 5 {
		errs := make(chan error)
		go func() { errs <- ca.Hold(ctx) }()
		go func() { errs <- cb.Hold(ctx) }()
		must(t, errors.Join(<-errs, <-errs))
		go func() { errs <- ca.Unhold(ctx) }()
		go func() { errs <- cb.Unhold(ctx) }()
		must(t, errors.Join(<-errs, <-errs))
	}
	hears(t, ctx, ca, 2)
	hears(t, ctx, cb, 1)
}

func TestDTMF(t *testing.T) {
	ctx := background(t)
	a := listen(t, phone.Config{User: "101", Tone: 1})
	b := listen(t, phone.Config{User: "102", Tone: 2})
	ca, cb := talk(t, ctx, a, b)
	must(t, ca.DTMF(ctx, "1122#*d"))
	if got := cb.Digits(); got != "1122#*D" {
		t.Errorf("received %q", got)
	}
	if err := ca.DTMF(ctx, "5x"); err == nil {
		t.Error("x is a digit")
	}
	hears(t, ctx, cb, 1)
}

func TestBlindTransfer(t *testing.T) {
	ctx := background(t)
	a := listen(t, phone.Config{User: "101", Tone: 1})
	b := listen(t, phone.Config{User: "102", Tone: 2})
	c := listen(t, phone.Config{User: "103", Tone: 3, Reaction: phone.Reaction{Reject: 404}})
	cb, ca := talk(t, ctx, b, a)
	var refused *phone.StatusError
	if err := cb.Transfer(ctx, "sip:404@"+c.Addr()); !errors.As(err, &refused) || refused.Status != 404 {
		t.Errorf("transfer to nobody: %v", err)
	}
	if cb.State() != phone.Up {
		t.Error("a failed transfer ended the call")
	}
	c.SetReaction(phone.Reaction{Answer: true})
	must(t, cb.Transfer(ctx, "sip:103@"+c.Addr()))
	must(t, ca.WaitEnded(ctx))
	in, err := c.Incoming(ctx)
	must(t, err)
	hears(t, ctx, in, 1)
	hears(t, ctx, a.Calls()[0], 3)
}

func TestAttendedTransfer(t *testing.T) {
	ctx := background(t)
	a := listen(t, phone.Config{User: "101", Tone: 1})
	b := listen(t, phone.Config{User: "102", Tone: 2})
	c := listen(t, phone.Config{User: "103", Tone: 3})
	call, peer := talk(t, ctx, b, a)
	must(t, call.Hold(ctx))
	consultation, before := talk(t, ctx, b, c)
	hears(t, ctx, before, 2)
	must(t, call.TransferTo(ctx, consultation))
	for _, gone := range []*phone.Call{call, peer, consultation, before} {
		must(t, gone.WaitEnded(ctx))
	}
	in, err := c.Incoming(ctx)
	must(t, err)
	hears(t, ctx, in, 1)
	hears(t, ctx, a.Calls()[0], 3)
	if in.Remote().Number != "101" {
		t.Errorf("transferred to %+v", in.Remote())
	}
}

func TestSeveralCallsAtOnce(t *testing.T) {
	ctx := background(t)
	trunk := listen(t, phone.Config{User: "trunk", Host: "127.0.0.2", React: func(c *phone.Call) phone.Reaction {
		return phone.Reaction{Answer: true, Tone: phone.Tone(c.Called()[0] - '0')}
	}})
	a := listen(t, phone.Config{User: "101", Tone: 20, Server: trunk.Addr()})
	var calls []*phone.Call
	for _, number := range []string{"1", "2", "3", "4", "5"} {
		c, err := a.Dial(ctx, number, phone.As("+7495000000"+number, "Out"))
		must(t, err)
		calls = append(calls, c)
	}
	for i, c := range calls {
		hears(t, ctx, c, phone.Tone(i+1))
	}
	if n := len(trunk.Calls()); n != 5 {
		t.Errorf("trunk has %d calls", n)
	}
	if got := trunk.Calls()[0].Remote(); len(got.Number) != 12 || got.Name != "Out" {
		t.Errorf("trunk sees %+v", got)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	ctx := background(t)
	a := listen(t, phone.Config{User: "101", Tone: 1})
	b := listen(t, phone.Config{User: "102", Tone: 2})
	_, cb := talk(t, ctx, a, b)
	waiting, err := a.Dial(ctx, "102", phone.At(b.Addr()))
	must(t, err)
	ringing, err := b.Incoming(ctx)
	must(t, err)
	must(t, a.Close())
	must(t, cb.WaitEnded(ctx))
	must(t, ringing.WaitEnded(ctx))
	must(t, waiting.WaitEnded(ctx))
	if _, err := a.Dial(ctx, "102", phone.At(b.Addr())); err == nil {
		t.Error("a closed phone dials")
	}
	if _, err := a.Incoming(ctx); err == nil {
		t.Error("a closed phone rings")
	}
}

func TestACallToNobodyCanBeGivenUp(t *testing.T) {
	ctx := background(t)
	gone := listen(t, phone.Config{User: "102"})
	addr := gone.Addr()
	must(t, gone.Close())
	a := listen(t, phone.Config{User: "101"})
	c, err := a.Dial(ctx, "102", phone.At(addr))
	must(t, err)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := c.WaitRinging(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody rings, yet: %v", err)
	}
	must(t, a.Close())
	must(t, c.WaitEnded(ctx))
}
