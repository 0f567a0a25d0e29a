package phone

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// enough is how many windows in a row must hold a tone before a wait believes it.
const enough = 2

// fresh is how old the last window may be for "now": its own length, one
// more, and the time until a lull is noticed.
const fresh = 350 * time.Millisecond

// Hears reports whether t is heard now.
func (c *Call) Hears(t Tone) bool {
	w, ok := c.media.ear.last()
	return ok && time.Since(w.To) < fresh && w.Hears(t)
}

// Hearing lists the tones heard now.
func (c *Call) Hearing() []Tone {
	w, ok := c.media.ear.last()
	if !ok || time.Since(w.To) >= fresh {
		return nil
	}
	return w.Tones()
}

// Level is the amplitude of t in the last window, 1 being that at which
// phones send; 0 if nothing is received now.
func (c *Call) Level(t Tone) float64 {
	w, ok := c.media.ear.last()
	if !ok || time.Since(w.To) >= fresh {
		return 0
	}
	return w.Level(t)
}

// Windows lists what was heard in the windows that began in [from, to), oldest
// first. The last ten minutes of audio are kept.
func (c *Call) Windows(from, to time.Time) []Window {
	all, _ := c.media.ear.since(nil, from)
	return slices.DeleteFunc(all, func(w Window) bool { return !w.From.Before(to) })
}

// HeardBetween lists the windows in which t was heard and that began in [from, to).
func (c *Call) HeardBetween(t Tone, from, to time.Time) []Window {
	return slices.DeleteFunc(c.Windows(from, to), func(w Window) bool { return !w.Hears(t) })
}

// LastHeard is when t was last heard, zero if never.
func (c *Call) LastHeard(t Tone) time.Time { return c.media.ear.lastHeard(t) }

// Missing counts the 20 ms frames in [from, to] in which t was not received:
// frames lost on the way, and frames that came without it. It looks at half a
// minute at most. Other tones sent at the same time should be 300 Hz away or
// more, for 20 ms tell them apart no better.
func (c *Call) Missing(t Tone, from, to time.Time) int { return c.media.ear.missing(t, from, to) }

// Frames counts the 20 ms frames that came in [from, to] and held t, with the same limits as Missing.
func (c *Call) Frames(t Tone, from, to time.Time) int { return c.media.ear.holding(t, from, to) }

// Stats counts the call's RTP frames.
func (c *Call) Stats() Stats { return c.media.stats() }

// WaitHears waits until t is heard, in two windows running that begin after
// the call of WaitHears, and returns the second of them.
func (c *Call) WaitHears(ctx context.Context, t Tone) (Window, error) {
	w, err := c.await(ctx, func(w *Window) bool { return w.Hears(t) })
	if err != nil {
		return w, fmt.Errorf("%s does not hear %v: %w", c, t, err)
	}
	return w, nil
}

// WaitHearsOnly waits until exactly these tones are heard, in two windows running.
func (c *Call) WaitHearsOnly(ctx context.Context, tones ...Tone) (Window, error) {
	want := set(tones)
	w, err := c.await(ctx, func(w *Window) bool { return w.heard == want })
	if err != nil {
		return w, fmt.Errorf("%s does not hear just %v: %w", c, tones, err)
	}
	return w, nil
}

// HearsOnly makes sure, for a time d from now on, that these tones are heard
// and no other. Only windows in which all of them are heard make up that time, for
// a PBX on a busy machine may let a frame fall; ctx bounds the wait for them. A
// single window with another tone in it is a [*HeardError].
func (c *Call) HearsOnly(ctx context.Context, d time.Duration, tones ...Tone) error {
	want, proven := set(tones), time.Duration(0)
	err := c.each(ctx, func(w *Window) (bool, error) {
		for _, t := range w.Tones() {
			if want&(1<<t) == 0 {
				return false, &HeardError{Call: c.String(), Tone: t, Window: *w}
			}
		}
		if w.heard == want {
			proven += windowTime
		}
		return proven >= d, nil
	})
	if err != nil {
		return fmt.Errorf("%s does not keep hearing just %v: %w", c, tones, err)
	}
	return nil
}

func set(tones []Tone) (s uint64) {
	for _, t := range tones {
		s |= 1 << t
	}
	return s
}

// await waits for windows from now on that fit.
func (c *Call) await(ctx context.Context, fits func(*Window) bool) (found Window, err error) {
	row := 0
	err = c.each(ctx, func(w *Window) (bool, error) {
		if !fits(w) {
			row = 0
			return false, nil
		}
		row++
		found = *w
		return row == enough, nil
	})
	return found, err
}

// each looks at the windows that begin from now on, one after the other,
// until look is done or fails.
func (c *Call) each(ctx context.Context, look func(*Window) (done bool, err error)) error {
	from := time.Now()
	var buf []Window
	for {
		windows, changed := c.media.ear.since(buf[:0], from)
		buf = windows
		for i := range windows {
			from = windows[i].From.Add(1)
			if done, err := look(&windows[i]); done || err != nil {
				return err
			}
		}
		if err := c.more(ctx, changed); err != nil {
			return fmt.Errorf("%w (%s)", err, c.account())
		}
	}
}

// more waits for the next window.
func (c *Call) more(ctx context.Context, changed <-chan struct{}) error {
	select {
	case <-changed:
		return nil
	case <-c.done:
		return &EndedError{c.Ending()}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// account says for a failed test what was heard last.
func (c *Call) account() string {
	w, ok := c.media.ear.last()
	if !ok {
		return "nothing was received"
	}
	return fmt.Sprintf("last heard %v, %d ms ago; %+v", w.Tones(), time.Since(w.To).Milliseconds(), c.Stats())
}

// A HeardError says that a tone was heard that should not have been.
type HeardError struct {
	Call   string
	Tone   Tone
	Window Window
}

func (e *HeardError) Error() string {
	return fmt.Sprintf("%s hears %v (level %.2f)", e.Call, e.Tone, e.Window.Level(e.Tone))
}

// DoesNotHear makes sure, for a time d from now on, that t is not heard. Only
// windows in which the tone beside is heard make up that time (with beside 0: any
// window of received audio), so an absence is never that of everything; ctx
// bounds the wait for them. A single window with t in it is a [*HeardError].
func (c *Call) DoesNotHear(ctx context.Context, t, beside Tone, d time.Duration) error {
	proven := time.Duration(0)
	err := c.each(ctx, func(w *Window) (bool, error) {
		if w.Hears(t) {
			return false, &HeardError{Call: c.String(), Tone: t, Window: *w}
		}
		if beside == 0 || w.Hears(beside) {
			proven += windowTime
		}
		return proven >= d, nil
	})
	var heard *HeardError
	if err != nil && !errors.As(err, &heard) {
		return fmt.Errorf("%s: absence of %v not proven beside %v: %w", c, t, beside, err)
	}
	return err
}
