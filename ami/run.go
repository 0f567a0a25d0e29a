package ami

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Run keeps a connection until ctx ends: it connects as [Dial] does, calls onConnect, and when the connection is lost or
// could not be made it tries again, for ever, with the pauses of [Config.RetryMin] and its neighbours. A refused log-in
// is tried again too, more slowly, since the PBX may be set right while the program runs. Config.OnDown hears of each
// failure.
//
// onConnect may be nil. It is called after each log-in, with a context that ends when the connection does, and may stay
// for as long as it likes. When it returns an error the connection is closed and made anew; when it returns nil the
// connection is kept. Events come in Config.OnEvent independently of it, also before it is called.
//
// Run waits for onConnect and for the client's goroutines. It returns the cause of ctx's end, or, at once, what is wrong
// with the configuration.
func Run(ctx context.Context, cfg Config, onConnect func(context.Context, *Client) error) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = cfg.RetryMin, cfg.RetryMax
	for {
		lasted, cause := keep(ctx, cfg, onConnect)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// Only a connection that held for a while starts the pauses over: one that is accepted and dropped at once
		// would be tried four times a second for ever.
		if lasted > cfg.RetryMax {
			pauses.Reset()
		}
		pause := pauses.NextBackOff()
		if errors.Is(cause, ErrAuth) {
			pause = cfg.RetryAuth
		}
		if cfg.OnDown != nil {
			cfg.OnDown(cause, pause)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// keep makes one connection and returns how long it lasted and why it ended.
func keep(ctx context.Context, cfg Config, onConnect func(context.Context, *Client) error) (time.Duration, error) {
	c, err := dial(ctx, cfg)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	connected, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-c.closing:
			cancel(c.Err())
		case <-connected.Done():
		}
	}()
	if onConnect != nil {
		err = onConnect(connected, c)
	}
	if err == nil {
		<-connected.Done()
	}
	cancel(nil)
	<-watched
	lost := c.Err() // before Close makes it ErrClosed: the connection's own end explains onConnect's error
	c.Close()
	if lost != nil {
		err = lost
	}
	return time.Since(began), err
}
