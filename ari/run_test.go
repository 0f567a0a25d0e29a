package ari_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/ari"
)

const soon = time.Millisecond

// readAll is what a handler does that only reads.
func readAll(ctx context.Context, s *ari.Stream) error {
	for {
		if _, err := s.Next(ctx); err != nil {
			return err
		}
	}
}

func TestRunComesBackUntilItsContextEnds(t *testing.T) {
	var connections atomic.Int32
	a := newAsterisk(t)
	a.events = func(conn *websocket.Conn, r *http.Request) {
		send(t, conn, fmt.Sprintf(`{"type":"Number%d"}`, connections.Add(1))) // and breaks off
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	var seen []string
	retries := 0
	err := a.client().Run(ctx, "earshot", ari.RunOptions{
		Listen: ari.ListenOptions{Disallow: []string{"X"}}, MinDelay: soon, MaxDelay: soon,
		OnRetry: func(err error, delay time.Duration) {
			if err == nil || delay <= 0 || delay > 2*soon {
				t.Errorf("retry: %v, %v", err, delay)
			}
			retries++
		},
	}, func(ctx context.Context, s *ari.Stream) error {
		if r := a.last(); r.method != "PUT" {
			t.Errorf("the filter is not set: %+v", r)
		}
		e, err := s.Next(ctx)
		if err != nil {
			return err
		}
		if seen = append(seen, e.Type); len(seen) == 4 {
			cancel(stop)
		}
		return readAll(ctx, s)
	})
	if err != stop {
		t.Errorf("Run returns %v", err)
	}
	if want := []string{"Number1", "Number2", "Number3", "Number4"}; !slices.Equal(seen, want) {
		t.Errorf("seen %v", seen)
	}
	if retries != 3 {
		t.Errorf("%d retries", retries)
	}
}

func TestRunComesBackWhenTheFunctionReturnsNil(t *testing.T) {
	a := newAsterisk(t)
	a.events = func(conn *websocket.Conn, r *http.Request) { hold(conn) }
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := a.client().Run(ctx, "earshot", ari.RunOptions{MinDelay: soon, MaxDelay: soon, OnRetry: func(err error, _ time.Duration) {
		if err == nil {
			t.Error("a retry without a reason")
		}
	}}, func(context.Context, *ari.Stream) error {
		if calls++; calls == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || calls != 3 {
		t.Errorf("Run returns %v after %d calls", err, calls)
	}
}

func TestRunStopsWhenItsApplicationIsReplaced(t *testing.T) {
	const replaced = `{"type":"ApplicationReplaced","application":"earshot"}`
	for name, handler := range map[string]func(context.Context, *ari.Stream) error{
		"and the function has read it": readAll,
		"and the function hides the error": func(ctx context.Context, s *ari.Stream) error {
			_ = readAll(ctx, s)
			return nil
		},
		"and the function has failed before it read it": func(context.Context, *ari.Stream) error { return errors.New("no snapshot") },
	} {
		t.Run(name, func(t *testing.T) {
			var connections atomic.Int32
			a := newAsterisk(t)
			a.events = func(conn *websocket.Conn, r *http.Request) {
				connections.Add(1)
				send(t, conn, `{"type":"A"}`, `broken`, replaced)
				hold(conn)
			}
			err := a.client().Run(t.Context(), "earshot", ari.RunOptions{MinDelay: soon, MaxDelay: soon, OnRetry: func(err error, _ time.Duration) {
				t.Errorf("a retry after %v", err)
			}}, func(ctx context.Context, s *ari.Stream) error {
				err := handler(ctx, s)
				var broken *ari.DecodeError
				if errors.As(err, &broken) {
					return handler(ctx, s)
				}
				return err
			})
			if !errors.Is(err, ari.ErrReplaced) {
				t.Errorf("Run returns %v", err)
			}
			if n := connections.Load(); n != 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

func TestRunTriesAWrongPasswordSlowlyAndAMissingAsteriskFaster(t *testing.T) {
	a := newAsterisk(t)
	for _, c := range []struct {
		status int
		want   func(delay time.Duration, n int) bool
	}{
		{401, func(delay time.Duration, _ int) bool { return delay == 7*soon }},
		{403, func(delay time.Duration, _ int) bool { return delay == 7*soon }},
		// Doubling from 1 ms to 40 ms, with half of it left to chance.
		{503, func(delay time.Duration, n int) bool {
			middle := min(soon<<n, 40*soon)
			return delay >= middle/2 && delay <= middle*3/2+1
		}},
	} {
		a.says(c.status, `{}`)
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		err := a.client().Run(ctx, "earshot", ari.RunOptions{MinDelay: soon, MaxDelay: 40 * soon, RefusedDelay: 7 * soon, OnRetry: func(err error, delay time.Duration) {
			var status *ari.StatusError
			if !errors.As(err, &status) || status.Status != c.status {
				t.Errorf("retry after %v", err)
			}
			if !c.want(delay, n) {
				t.Errorf("status %d: delay %d is %v", c.status, n, delay)
			}
			if n++; n == 8 {
				cancel()
			}
		}}, func(context.Context, *ari.Stream) error {
			t.Error("connected")
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Run returns %v", err)
		}
		cancel()
	}
}

func TestDelaysBeginAnewAfterAConnectionThatLasted(t *testing.T) {
	a := newAsterisk(t)
	a.events = func(conn *websocket.Conn, r *http.Request) { hold(conn) }
	ctx, cancel := context.WithCancel(t.Context())
	var delays []time.Duration
	const longest = 20 * time.Millisecond
	err := a.client().Run(ctx, "earshot", ari.RunOptions{MinDelay: soon, MaxDelay: longest, OnRetry: func(_ error, delay time.Duration) {
		if delays = append(delays, delay); len(delays) == 8 {
			cancel()
		}
	}}, func(ctx context.Context, s *ari.Stream) error {
		if len(delays) < 6 {
			return errors.New("at once")
		}
		ctx, cancel := context.WithTimeout(ctx, 2*longest)
		defer cancel()
		return readAll(ctx, s)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Run returns %v", err)
	}
	if delays[5] < longest/2 || delays[6] > 2*soon || delays[7] > 2*soon {
		t.Errorf("delays are %v", delays)
	}
}
