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
	Leg    call.LegID    // the unique id that the tone's leg is to have; begins with Prefix
	Target call.LegID    // who talks on it hears the tone
	Both   bool          // and so does the other side
	Every  time.Duration // more than toneTime; whole milliseconds
	Lease  time.Duration
	Begun  time.Time // of one that is kept: when it was heard first, by which it keeps time
}

// The tone that recordings are told by: 47 CFR 64.501 (1986) had a beep of 1400 Hz every fifteen seconds.
const (
	toneHz   = 1400
	toneTime = 400 * time.Millisecond
)

// ErrNotPlayed means that Asterisk did not begin to play a tone.
var ErrNotPlayed = errors.New("asterisk does not play the tone")

// Tone carries out a Tone order. It returns when Asterisk has begun to play; if it does not, nothing of it is left. Asterisk plays it for as long as
// the leg is there, and needs nobody for that; Config.Silenced is told when it ends otherwise than by Drop.
func (l *Link) Tone(ctx context.Context, o Tone) error {
	err := l.tone(ctx, o)
	if err == nil {
		return nil
	}
	l.unheeded(o.Leg)
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
	return l.play(ctx, o.Leg, o.media(0))
}

// KeepTone sets the lease of a tone's leg anew. Asterisk does nothing else on a leg that it plays a tone on (ARI: the variable's request waits for
// its end), so that is stopped for the moment and goes on where it would be. ErrNotPlayed says that it did not go on, any other error that it
// was not stopped.
func (l *Link) KeepTone(ctx context.Context, o Tone) error {
	if id := l.unheeded(o.Leg); id != "" {
		if err := unlessGone(l.rest.StopPlayback(ctx, id)); err != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.tones[o.Leg] = id
			return err
		}
	}
	err := l.Renew(ctx, o.Lease, o.Leg)
	if err == nil {
		err = l.play(ctx, o.Leg, o.media(time.Since(o.Begun)))
	}
	if err != nil && !errors.Is(err, ErrNotPlayed) {
		err = fmt.Errorf("%w: %w", ErrNotPlayed, err)
	}
	return err
}

// unheeded forgets what is played on a leg, so that nobody is told when it ends, and returns its id; empty when nothing is.
func (l *Link) unheeded(leg call.LegID) (playback string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	playback = l.tones[leg]
	delete(l.tones, leg)
	return playback
}

// play has Asterisk play on a leg, and returns when it does.
func (l *Link) play(ctx context.Context, leg call.LegID, media string) error {
	begun := make(chan bool, 1)
	l.mu.Lock()
	l.plays++
	id := fmt.Sprintf("%s.%d", leg, l.plays)
	l.playing[id], l.tones[leg] = begun, id
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.playing, id)
	}()
	if _, err := l.rest.Play(ctx, string(leg), ari.PlayRequest{Media: []string{media}, PlaybackID: id}); err != nil {
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

// media is the tone for Asterisk when it has been played for so long already. Asterisk begins again when it has come to its end, but for the parts
// with a mark (indications.conf: frequency/milliseconds; 0 is silence; ! is once).
func (o *Tone) media(since time.Duration) string {
	every, tone, at := o.Every.Milliseconds(), toneTime.Milliseconds(), (since % o.Every).Milliseconds()
	once := ""
	switch {
	case at >= tone:
		once = fmt.Sprintf("!0/%d,", every-at)
	case at > 0:
		once = fmt.Sprintf("!%d/%d,!0/%d,", toneHz, tone-at, every-tone)
	}
	return fmt.Sprintf("tone:%s%d/%d,0/%d", once, toneHz, tone, every-tone)
}

// toned takes what Asterisk tells of a tone.
func (l *Link) toned(id string, begun bool) {
	leg := call.LegID(id[:max(0, strings.LastIndexByte(id, '.'))])
	l.mu.Lock()
	waits := l.playing[id]
	delete(l.playing, id)
	heeded := !begun && l.tones[leg] == id
	if heeded {
		delete(l.tones, leg)
	}
	l.mu.Unlock()
	if waits != nil {
		waits <- begun
	}
	if heeded && l.cfg.Silenced != nil {
		l.cfg.Silenced(leg)
	}
}
