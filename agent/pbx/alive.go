package pbx

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/ari"
)

// defaultPulse is Config.Pulse when that is zero. With it a PBX that hangs is noticed within ten seconds.
const defaultPulse = 5 * time.Second

// lateTime is how long after a connection is made the attempts that came to nothing before it may still arrive.
const lateTime = 30 * time.Second

// keepARI keeps the connection to ARI until ctx ends or another Earshot has come.
//
// A paused Asterisk takes up, when it goes on, every attempt to connect that was given up meanwhile, in any order. Each takes the application
// from the one that holds, which is told as it is told of another Earshot. So as many takings as there were such attempts are followed by
// connecting again.
func (l *Link) keepARI(ctx context.Context) error {
	lost := 0 // attempts of which it is not known what has become
	var connected time.Time
	opts := ari.RunOptions{
		Listen:   ari.ListenOptions{SubscribeAll: true, Disallow: l.disallowed(), PingInterval: l.cfg.Pulse, PingTimeout: l.cfg.Pulse},
		MaxDelay: 5 * time.Second,
		OnRetry: func(err error, retry time.Duration) {
			var unanswered *ari.RequestError
			if errors.As(err, &unanswered) && unanswered.Sent {
				lost++
			}
			l.log.Warn().Str("cause", advice("ARI", err)).Dur("retry", retry).Msg("no ARI connection")
		},
	}
	for {
		err := l.rest.Run(ctx, l.cfg.Application, opts, func(ctx context.Context, s *ari.Stream) error {
			connected = time.Now()
			err := l.session(ctx, s)
			if time.Since(connected) > lateTime {
				lost = 0
			}
			return err
		})
		if !errors.Is(err, ari.ErrReplaced) || lost == 0 {
			return err
		}
		lost--
		l.log.Warn().Msg("an earlier attempt to connect has taken the application; connecting again")
	}
}

// attend looks from time to time whether Asterisk still has the application and answers requests, and returns when it does not. Asterisk drops the application
// when a connection ends that had it before, be it that another has it now (the same attempts to connect): no event comes from then on, and pings are answered
// as ever. They are answered too when requests, which go by other connections, are not; and then nothing can be ended any more, and nothing is to be begun.
func (l *Link) attend(ctx context.Context, s *ari.Stream) error {
	tick := time.NewTicker(l.cfg.Pulse)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if took := s.Latency(); took > 0 { // it has answered, or is to
			l.met.latency.WithLabelValues("events").Set(took.Seconds())
		}
		if err := l.holds(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// holds asks once. An answer that says nothing of the kind is no reason to give the connection up, and that this one has not come is none while others do: it may
// wait behind many others for a connection, or Asterisk be slow over it. Only who answers nothing at all for as long as it may take is lost; to give up one who is slow would
// be to ask him for everything anew.
func (l *Link) holds(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer func() {
		cancel()
		asking.Wait()
	}()
	answer := make(chan error, 1)
	asked := time.Now()
	quiet := asked // since when nothing has been answered
	asking.Go(func() {
		_, err := l.rest.GetApplication(ctx, l.cfg.Application)
		answer <- err
	})
	timer := time.NewTimer(l.cfg.Pulse)
	defer timer.Stop()
	for {
		select {
		case err := <-answer:
			var unanswered *ari.RequestError
			if took := time.Since(asked); !errors.As(err, &unanswered) || took >= l.cfg.Pulse { // a connection that ends at once says nothing
				l.met.latency.WithLabelValues("requests").Set(took.Seconds())
			}
			if errors.Is(err, ari.ErrNotFound) {
				return errors.New("asterisk has dropped the application, and sends no events")
			}
			return nil
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if at := l.rest.Answered(); at.After(quiet) {
			quiet = at
		}
		left := l.cfg.Pulse - time.Since(quiet)
		if left <= 0 {
			return errors.New("asterisk sends events and does not answer requests")
		}
		timer.Reset(left)
	}
}
