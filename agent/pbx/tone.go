package pbx

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// Tone is the order to let whoever talks on a leg hear that somebody listens: a short tone at once, and again and again. It is played into the
// call by a snoop of its own, which hears nothing. Who listens by another snoop of the same leg does not hear it.
type Tone struct {
	Leg    call.LegID // the unique id that the tone's leg is to have; begins with Prefix
	Target call.LegID // who talks on it hears the tone
	Both   bool       // and so does the other side
	Every  time.Duration
	Lease  time.Duration
}

// The tone that recordings are told by: 47 CFR 64.501 (1986) had a beep of 1400 Hz every fifteen seconds.
const (
	toneHz   = 1400
	toneTime = 400 * time.Millisecond
)

// ErrNotPlayed means that Asterisk did not begin to play a tone.
var ErrNotPlayed = errors.New("asterisk does not play the tone")

// Tone carries out a Tone order. It returns when Asterisk has begun to play; if it does not, nothing of it is left. Asterisk plays it for as long as
// the leg is there, and needs nobody for that; Config.Silenced is told when it ends.
func (l *Link) Tone(ctx context.Context, o Tone) error {
	err := l.tone(ctx, o)
	if err == nil {
		return nil
	}
	return errors.Join(err, afterwards(ctx, func(ctx context.Context) error { return unlessGone(l.rest.Hangup(ctx, string(o.Leg), "normal")) }))
}

func (l *Link) tone(ctx context.Context, o Tone) error {
	r := ari.SnoopRequest{Channel: string(o.Target), SnoopID: string(o.Leg), Whisper: ari.DirectionOut, App: l.cfg.Application}
	if o.Both {
		r.Whisper = ari.DirectionBoth
	}
	if err := l.snoop(ctx, r); err != nil {
		return err
	}
	if err := l.Renew(ctx, o.Lease, o.Leg); err != nil {
		return err
	}
	begun := make(chan bool, 1)
	l.mu.Lock()
	l.playing[o.Leg] = begun
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.playing, o.Leg)
	}()
	if _, err := l.rest.Play(ctx, string(o.Leg), ari.PlayRequest{Media: []string{o.media()}, PlaybackID: string(o.Leg)}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, enterTime)
	defer cancel()
	select {
	case ok := <-begun:
		if !ok {
			return ErrNotPlayed
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrNotPlayed, ctx.Err())
	}
}

// media is the tone for Asterisk, which begins again when it has come to its end (indications.conf: frequency/milliseconds, 0 is silence).
func (o *Tone) media() string {
	return fmt.Sprintf("tone:%d/%d,0/%d", toneHz, toneTime.Milliseconds(), (o.Every - toneTime).Milliseconds())
}

// played takes what Asterisk tells of something that is played: the id is that of the tone's leg.
func (l *Link) played(e *ari.Event) {
	if e.Playback == nil || e.Application != l.cfg.Application || !strings.HasPrefix(e.Playback.ID, Prefix) {
		return
	}
	leg := call.LegID(strings.Clone(e.Playback.ID))
	begun := e.Type == ari.TypePlaybackStarted
	l.mu.Lock()
	waits := l.playing[leg]
	delete(l.playing, leg)
	l.mu.Unlock()
	if waits != nil {
		waits <- begun
	}
	if !begun && l.cfg.Silenced != nil {
		l.cfg.Silenced(leg)
	}
}
