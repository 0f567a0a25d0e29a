package ami

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// down is what Config.OnDown was told.
type down struct {
	cause error
	retry time.Duration
}

func TestRunConnectsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("stop")
		var downs []down
		var events atomic.Int64
		connects := 0
		var contexts []context.Context
		cfg := scripted(t,
			logged(func(p *peer) { p.write("Event: A\r\n\r\n") }),
			func(*peer) {},
			func(p *peer) { p.write("no Asterisk\r\n") },
			logged(func(p *peer) { p.write("Event: B\r\n\r\n"); p.rest() }),
		)
		cfg.OnEvent = func(*Message) error { events.Add(1); return nil }
		cfg.OnDown = func(cause error, retry time.Duration) { downs = append(downs, down{cause, retry}) }
		err := Run(ctx, cfg, func(ctx context.Context, c *Client) error {
			connects++
			contexts = append(contexts, ctx)
			if connects == 1 {
				<-ctx.Done() // stays until the connection ends
				if !errors.Is(context.Cause(ctx), io.EOF) {
					t.Errorf("the connection's context ended with %v", context.Cause(ctx))
				}
				return ctx.Err()
			}
			synctest.Wait()
			time.AfterFunc(time.Minute, func() { cancel(stop) })
			return nil // the connection is kept
		})
		if !errors.Is(err, stop) {
			t.Errorf("Run ended with %v", err)
		}
		if connects != 2 || events.Load() != 2 {
			t.Errorf("%d connections, %d events", connects, events.Load())
		}
		want := []error{io.EOF, io.EOF, ErrGreeting}
		if len(downs) != len(want) {
			t.Fatalf("told of %v", downs)
		}
		pause := 250 * time.Millisecond
		for i, d := range downs {
			if !errors.Is(d.cause, want[i]) {
				t.Errorf("end %d: %v, want %v", i, d.cause, want[i])
			}
			if d.retry < pause/2 || d.retry > pause*3/2 {
				t.Errorf("pause %d is %s, want about %s", i, d.retry, pause)
			}
			pause += pause / 2
		}
		for i, ctx := range contexts {
			if ctx.Err() == nil {
				t.Errorf("the context of connection %d is still there", i)
			}
		}
	})
}

func TestRunStartsThePausesOverAfterAGoodConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var pauses []time.Duration
		dead := func(*peer) {}
		cfg := scripted(t, dead, dead, dead, dead, dead, dead, dead, dead, dead, dead, dead, dead,
			logged(func(*peer) { time.Sleep(time.Minute) }), dead)
		cfg.OnDown = func(_ error, retry time.Duration) {
			if pauses = append(pauses, retry); len(pauses) == 14 {
				cancel()
			}
		}
		if err := Run(ctx, cfg, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if longest := slices.Max(pauses); longest > 7500*time.Millisecond || longest < 2500*time.Millisecond {
			t.Errorf("the longest pause is %s", longest)
		}
		if pauses[12] > 375*time.Millisecond {
			t.Errorf("the pause after a good minute is %s", pauses[12])
		}
	})
}

func TestRunTriesARefusedLoginSlowlyAndReportsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		refuse := func(p *peer) {
			p.write(greeting)
			p.answer(p.next("Challenge"), "Response: Success", "Challenge: 1")
			p.answer(p.next("Login"), "Response: Error", "Message: Authentication failed")
		}
		cfg := scripted(t, refuse, refuse, logged((*peer).rest))
		var downs []down
		cfg.OnDown = func(cause error, retry time.Duration) { downs = append(downs, down{cause, retry}) }
		began := time.Now()
		err := Run(ctx, cfg, func(context.Context, *Client) error {
			cancel() // the PBX was set right
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if len(downs) != 2 || !errors.Is(downs[0].cause, ErrAuth) || downs[0].retry != 30*time.Second || downs[1].retry != 30*time.Second {
			t.Errorf("told of %v", downs)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("took %s", took)
		}
	})
}

func TestRunMakesTheConnectionAnewWhenOnConnectFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		half := errors.New("half a resync")
		var downs []down
		cfg := scripted(t, logged((*peer).rest))
		cfg.OnDown = func(cause error, retry time.Duration) { downs = append(downs, down{cause, retry}) }
		var clients []*Client
		err := Run(ctx, cfg, func(_ context.Context, c *Client) error {
			if clients = append(clients, c); len(clients) == 3 {
				cancel()
				return nil
			}
			return half
		})
		if !errors.Is(err, context.Canceled) || len(downs) != 2 || !errors.Is(downs[1].cause, half) {
			t.Errorf("Run ended with %v, told of %v", err, downs)
		}
		for i, c := range clients {
			if !errors.Is(c.Err(), ErrClosed) {
				t.Errorf("connection %d ended with %v", i, c.Err())
			}
		}
	})
}

func TestRunEndsWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := Run(ctx, scripted(t, func(*peer) {}), nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 100*time.Millisecond {
			t.Errorf("Run ended with %v after %s", err, time.Since(began))
		}
	})
}

func TestRunRefusesABadConfigurationAtOnce(t *testing.T) {
	if err := Run(t.Context(), Config{Addr: "x:1", RetryMax: -1}, nil); err == nil || !strings.Contains(err.Error(), "RetryMax") {
		t.Errorf("error is %v", err)
	}
}
