package pbx

import (
	"context"
	"errors"
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

// attend looks from time to time whether Asterisk still has the application, and returns when it has not. Asterisk drops it when a connection
// ends that had it before, be it that another has it now (the same attempts to connect): no event comes from then on, and pings are answered
// as ever. Whether there are answers at all is not looked at here; the pings do that.
func (l *Link) attend(ctx context.Context) error {
	tick := time.NewTicker(l.cfg.Pulse)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if _, err := l.rest.GetApplication(ctx, l.cfg.Application); errors.Is(err, ari.ErrNotFound) {
			return errors.New("asterisk has dropped the application, and sends no events")
		}
	}
}
