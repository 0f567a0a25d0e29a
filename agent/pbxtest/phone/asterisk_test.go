package phone_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/processor"
)

func startPBX(t *testing.T) *pbxtest.PBX {
	t.Helper()
	p, err := pbxtest.Start(t.Context(), pbxtest.Options{Plan: pbxtest.Demo()})
	must(t, err)
	t.Cleanup(func() { must(t, p.Stop()) })
	return p
}

// member is a registered phone of the demo PBX.
func member(t *testing.T, ctx context.Context, p *pbxtest.PBX, cfg phone.Config) *phone.Phone {
	t.Helper()
	plan := p.Plan()
	cfg.Password, _ = plan.Secret(cfg.User)
	cfg.Server = p.SIP()
	ph := listen(t, cfg)
	must(t, ph.Register(ctx))
	return ph
}

func call(t *testing.T, ctx context.Context, a, b *phone.Phone) (ca, cb *phone.Call) {
	t.Helper()
	ca, err := a.Dial(ctx, b.User())
	must(t, err)
	cb, err = b.Incoming(ctx)
	must(t, err)
	must(t, cb.Answer(ctx))
	must(t, ca.WaitAnswered(ctx))
	return ca, cb
}

func TestPhonesAgainstAsterisk(t *testing.T) {
	p := startPBX(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	t.Run("a wrong password is refused", func(t *testing.T) {
		ph := listen(t, phone.Config{User: "101", Password: "wrong", Server: p.SIP()})
		var refused *phone.StatusError
		if err := ph.Register(ctx); !errors.As(err, &refused) || refused.Status != 401 && refused.Status != 403 {
			t.Errorf("register: %v", err)
		}
		c, err := ph.Dial(ctx, "102")
		must(t, err)
		var ended *phone.EndedError
		if err := c.WaitAnswered(ctx); !errors.As(err, &ended) || ended.Status != 401 && ended.Status != 403 {
			t.Errorf("call: %v", err)
		}
	})

	t.Run("the display shows who it is", func(t *testing.T) {
		a := member(t, ctx, p, phone.Config{User: "101", Tone: 1})
		b := member(t, ctx, p, phone.Config{User: "102", Tone: 2})
		ca, cb := call(t, ctx, a, b)
		if got := cb.Remote(); got.Number != "101" || got.Name != "Anna Petrova" {
			t.Errorf("called phone shows %+v", got)
		}
		hears(t, ctx, ca, 2)
		hears(t, ctx, cb, 1)
		trunk := member(t, ctx, p, phone.Config{User: "trunk", Tone: 20})
		c := member(t, ctx, p, phone.Config{User: "103", Tone: 3})
		in, err := trunk.Dial(ctx, "74950000103", phone.As("79161234567", "Ivan"), phone.WithTone(9), phone.WithHeader("X-Test", "1"))
		must(t, err)
		cc, err := c.Incoming(ctx)
		must(t, err)
		if got, want := cc.Remote(), (phone.Identity{Name: "Ivan", Number: "79161234567"}); got != want {
			t.Errorf("called phone shows %+v, want %+v", got, want)
		}
		must(t, cc.Answer(ctx))
		hears(t, ctx, cc, 9)
		must(t, cc.HearsOnly(ctx, 300*time.Millisecond, 9))
		hears(t, ctx, in, 3)
	})

	t.Run("held, it hears music; back, no frame is lost", func(t *testing.T) {
		a := member(t, ctx, p, phone.Config{User: "101", Tone: 1})
		b := member(t, ctx, p, phone.Config{User: "102", Tone: 10})
		ca, cb := call(t, ctx, a, b)
		for range 3 {
			must(t, ca.Hold(ctx))
			hears(t, ctx, cb, phone.Music)
			must(t, ca.Unhold(ctx))
			hears(t, ctx, cb, 1)
			hears(t, ctx, ca, 10)
		}
		from := time.Now()
		must(t, ca.HearsOnly(ctx, time.Second, 10))
		if n := ca.Missing(10, from, time.Now()); n != 0 {
			t.Errorf("%d frames missing in an undisturbed second", n)
		}
		if n := ca.Missing(20, from, time.Now()); n < 40 {
			t.Errorf("only %d frames lack a tone that nobody sends", n)
		}
	})

	t.Run("direct media moves the audio and nobody falls silent", func(t *testing.T) {
		a := member(t, ctx, p, phone.Config{User: "302", Tone: 1})
		b := member(t, ctx, p, phone.Config{User: "303", Tone: 2})
		ca, cb := call(t, ctx, a, b)
		direct := func() bool {
			a, toB := ca.Audio()
			b, toA := cb.Audio()
			return a == toA && b == toB
		}
		for !direct() { // each round waits for audio, so the move is one that is heard
			hears(t, ctx, ca, 2)
			hears(t, ctx, cb, 1)
		}
		hears(t, ctx, ca, 2)
		hears(t, ctx, cb, 1)
		must(t, ca.Hold(ctx)) // Asterisk takes the audio back to play music
		hears(t, ctx, cb, phone.Music)
		must(t, ca.Unhold(ctx))
		hears(t, ctx, ca, 2)
		hears(t, ctx, cb, 1)
	})

	t.Run("a registration is renewed and outlives Asterisk", func(t *testing.T) {
		a := member(t, ctx, p, phone.Config{User: "101", Tone: 1})
		b := member(t, ctx, p, phone.Config{User: "102", Tone: 2})
		must(t, p.Kill())
		must(t, p.Restart(ctx))
		must(t, a.Register(ctx))
		must(t, b.Register(ctx))
		ca, cb := call(t, ctx, a, b)
		hears(t, ctx, ca, 2)
		must(t, cb.Hangup(ctx))
		must(t, ca.WaitEnded(ctx))
		must(t, b.Unregister(ctx))
		c, err := a.Dial(ctx, "102")
		must(t, err)
		var ended *phone.EndedError
		if err := c.WaitAnswered(ctx); !errors.As(err, &ended) {
			t.Errorf("call to a phone that is not registered: %v", err)
		}
	})
}

func TestTenPhonesTalkingTakeLittleOfOneCore(t *testing.T) {
	ctx := background(t)
	var phones [10]*phone.Phone
	for i := range phones {
		phones[i] = listen(t, phone.Config{User: "10" + string(rune('0'+i)), Tone: phone.Tone(i + 1)})
	}
	var calls []*phone.Call
	for i := 0; i < len(phones); i += 2 {
		ca, cb := talk(t, ctx, phones[i], phones[i+1])
		calls = append(calls, ca, cb)
	}
	begun, used := time.Now(), processor.Used(t)
	var wg sync.WaitGroup
	for i, c := range calls {
		wg.Go(func() {
			if err := c.HearsOnly(ctx, 2*time.Second, phone.Tone(i^1+1)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	share := float64(processor.Used(t)-used) / float64(time.Since(begun))
	t.Logf("%.1f %% of one core", 100*share)
	if share > 0.5 { // with the race detector; a tenth of it without
		t.Errorf("ten calls take %.0f %% of one core", 100*share)
	}
}
