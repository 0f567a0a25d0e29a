package pbx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// Swap is the order to change to whom a supervisor's voice goes: a second snoop on the same leg takes the place of the first.
type Swap struct {
	Old, New call.LegID // the snoop that runs, and the unique id of the one in its place; begins with Prefix
	Target   call.LegID
	Bridge   call.BridgeID
	Voice    Voice
	Lease    time.Duration
}

// settleTime is how long a new snoop runs muted before it takes over. It hears nothing for its first two or three frames; measured over 30
// swaps, one frame is lost with this pause and up to four are without.
const settleTime = 100 * time.Millisecond

// Swap carries out a Swap order. The directions of a snoop are fixed, so there are two for a moment. The new one joins muted, or the supervisor
// would hear the call twice; once the old one has left the bridge, joining again without the mute lifts it (ARI's unmute does not: it is
// about the channel and not about its place in the bridge). From then on the new one is what is heard, so the old one is hung up whether or
// not ctx has ended meanwhile. When something goes wrong the new snoop is hung up, and the old one is in the bridge as before unless
// Asterisk could not be reached at all.
func (l *Link) Swap(ctx context.Context, o Swap) error {
	err := l.join(ctx, o)
	if err == nil {
		err = afterwards(ctx, func(ctx context.Context) error { return unlessGone(l.rest.Hangup(ctx, string(o.Old), "normal")) })
	}
	if err == nil {
		return nil
	}
	undone := afterwards(ctx, func(ctx context.Context) error {
		first := make(chan struct{})
		return both(
			func() error {
				defer close(first)
				return unlessGone(l.rest.Hangup(ctx, string(o.New), "normal"))
			},
			func() error {
				select {
				case <-first:
				case <-time.After(headStart): // an Asterisk that answers late does things at once all the same
				}
				return unlessGone(l.rest.AddChannel(ctx, string(o.Bridge), []string{string(o.Old)}, ari.AddOptions{AbsorbDTMF: true}))
			})
	})
	if undone != nil {
		return fmt.Errorf("%w: %w", ErrBetweenModes, errors.Join(err, undone))
	}
	return err
}

// ErrBetweenModes means that a swap was neither made nor undone: nobody can say to whom the supervisor's voice goes.
var ErrBetweenModes = errors.New("a change of mode was neither made nor undone")

// afterwards does what must be done though ctx may have ended, within enterTime.
func afterwards(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), enterTime)
	defer cancel()
	return do(ctx)
}

// join brings the new snoop to the place of the old one.
func (l *Link) join(ctx context.Context, o Swap) error {
	if err := l.snoop(ctx, l.snoopRequest(o.New, o.Target, o.Voice)); err != nil {
		return err
	}
	if err := l.Renew(ctx, o.Lease, o.New); err != nil {
		return err
	}
	in := []string{string(o.New)}
	if err := l.rest.AddChannel(ctx, string(o.Bridge), in, ari.AddOptions{AbsorbDTMF: true, Mute: true}); err != nil {
		return err
	}
	settled := time.NewTimer(settleTime)
	defer settled.Stop()
	select {
	case <-settled.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := l.rest.RemoveChannel(ctx, string(o.Bridge), string(o.Old)); err != nil {
		return err
	}
	return l.rest.AddChannel(ctx, string(o.Bridge), in, ari.AddOptions{AbsorbDTMF: true})
}

// snoopRequest asks for a snoop pinned to one leg. Every mode hears both sides.
func (l *Link) snoopRequest(snoop, target call.LegID, v Voice) ari.SnoopRequest {
	r := ari.SnoopRequest{Channel: string(target), SnoopID: string(snoop), Spy: ari.DirectionBoth, App: l.cfg.Application}
	switch v {
	case VoiceNobody:
	case VoiceTarget:
		r.Whisper = ari.DirectionOut
	case VoiceBoth:
		r.Whisper = ari.DirectionBoth
	}
	return r
}
