package ari

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// RunOptions say how Run connects.
type RunOptions struct {
	Listen ListenOptions
	// MinDelay and MaxDelay bound the time between two attempts. It doubles from one to the other, with half of it
	// left to chance, and begins anew after a connection that has lasted for MaxDelay. Zero means 250 ms and 5 s.
	MinDelay time.Duration
	MaxDelay time.Duration
	// RefusedDelay is the time between two attempts after ErrUnauthorized or ErrForbidden. Zero means 30 s.
	RefusedDelay time.Duration
	// OnRetry, when set, is told why there is no connection, or no longer one, and when the next attempt follows. Run
	// calls it on its own goroutine and waits for it.
	OnRetry func(err error, delay time.Duration)
}

const (
	defaultMinDelay     = 250 * time.Millisecond
	defaultMaxDelay     = 5 * time.Second
	defaultRefusedDelay = 30 * time.Second
)

// errHandlerEnded stands for a function that gave no reason when it ended a connection.
var errHandlerEnded = errors.New("ari: the function that read the events has returned")

// Run keeps an application connected until ctx ends, and returns the cause of that. After each connect it calls
// onConnect, on its own goroutine, with a stream that has been opened just now; onConnect reads it until it can or will
// no longer, whatever it returns then the stream is closed, and Run connects again after a delay. Asterisk keeps no
// events for an application that is away: onConnect begins with a snapshot each time.
//
// What will not mend by itself (a wrong password, a user who may not) is tried again all the same, after RefusedDelay
// each time. There is one error at which Run returns: ErrReplaced, because connecting again would take the application from
// whoever has it now. It does so even if onConnect has returned for another reason while Asterisk was saying so.
func (c *Client) Run(ctx context.Context, app string, options RunOptions, onConnect func(context.Context, *Stream) error) error {
	maxDelay := orDefault(options.MaxDelay, defaultMaxDelay)
	delays := &backoff.ExponentialBackOff{
		InitialInterval:     orDefault(options.MinDelay, defaultMinDelay),
		MaxInterval:         maxDelay,
		Multiplier:          2,
		RandomizationFactor: 0.5,
	}
	delays.Reset()
	for {
		lasted, err := c.runOnce(ctx, app, options.Listen, onConnect)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, ErrReplaced) {
			return err
		}
		if lasted >= maxDelay {
			delays.Reset()
		}
		delay := delays.NextBackOff()
		if errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrForbidden) {
			delay = orDefault(options.RefusedDelay, defaultRefusedDelay)
		}
		if options.OnRetry != nil {
			options.OnRetry(err, delay)
		}
		timer := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// runOnce makes one connection and tells how long it lasted and why it ended; the error is never nil.
func (c *Client) runOnce(
	ctx context.Context, app string, options ListenOptions, onConnect func(context.Context, *Stream) error,
) (time.Duration, error) {
	s, err := c.Listen(ctx, app, options)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	connected := time.Now()
	err = onConnect(ctx, s)
	lasted := time.Since(connected)
	if s.replaced(ctx) {
		return lasted, ErrReplaced
	}
	if err == nil {
		err = errHandlerEnded
	}
	return lasted, err
}

// drainTime is how long replaced looks through what has arrived and was not read.
const drainTime = 200 * time.Millisecond

// replaced reports whether Asterisk has told that the application has been taken over, be it in an event that nobody
// has read yet. It ends the stream.
func (s *Stream) replaced(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	for {
		_, err := s.Next(ctx)
		var undecodable *DecodeError
		if err != nil && !errors.As(err, &undecodable) {
			return errors.Is(err, ErrReplaced)
		}
	}
}
