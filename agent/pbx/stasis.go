package pbx

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// What a client that steers calls itself does with legs that Ring has brought into the Stasis application. ErrGone says of all of it that the leg, the
// bridge or the playback is there no more; of a leg also that it is not in the application, as one that rings is not yet.

// Enter is the order to put legs into a bridge, or to take them out of it.
type Enter struct {
	Bridge call.BridgeID
	Legs   []call.LegID
}

// Music is the order to play the PBX's default music on hold, or to end that.
type Music struct {
	Leg    call.LegID    // to this one,
	Bridge call.BridgeID // or to all in this
	On     bool
}

// CreateBridge makes a mixing bridge, by an id that begins with Prefix. Drop removes it.
func (l *Link) CreateBridge(ctx context.Context, bridge call.BridgeID) error {
	_, err := l.rest.CreateBridge(ctx, ari.BridgeRequest{ID: string(bridge), Type: ari.BridgeMixing})
	return err
}

// Enter puts legs into a bridge, out of another if they are in one. It returns when they are in it; first it waits for what is played to the legs
// themselves to end. When it fails for one leg, others may be in it.
func (l *Link) Enter(ctx context.Context, o Enter) error {
	if len(o.Legs) == 0 {
		return nil
	}
	if err := l.playbacks.over(ctx, o.Legs...); err != nil {
		return err
	}
	return goneFrom(l.rest.AddChannel(ctx, string(o.Bridge), o.legs(), ari.AddOptions{}))
}

// Leave takes legs out of a bridge; they stay in the application. ErrGone says also that one of them is not in it, and then all stay.
func (l *Link) Leave(ctx context.Context, o Enter) error {
	if len(o.Legs) == 0 {
		return nil
	}
	return goneFrom(l.rest.RemoveChannel(ctx, string(o.Bridge), o.legs()...))
}

func (o Enter) legs() []string {
	ids := make([]string, len(o.Legs))
	for i, leg := range o.Legs {
		ids[i] = string(leg)
	}
	return ids
}

// Hold puts a leg's phone on hold, or takes it off. Mostly the phone has music then, and is told of it only where its endpoint has moh_passthrough; Asterisk
// sends no event.
func (l *Link) Hold(ctx context.Context, leg call.LegID, on bool) error {
	return turn(ctx, leg, on, l.rest.Hold, l.rest.Unhold)
}

// Ringing lets a leg's phone hear ringing, or ends that.
func (l *Link) Ringing(ctx context.Context, leg call.LegID, on bool) error {
	return turn(ctx, leg, on, l.rest.Ring, l.rest.StopRing)
}

// Silence lets a leg's phone hear silence, or ends that.
func (l *Link) Silence(ctx context.Context, leg call.LegID, on bool) error {
	return turn(ctx, leg, on, l.rest.StartSilence, l.rest.StopSilence)
}

// turn turns something on or off that a leg has.
func turn(ctx context.Context, leg call.LegID, on bool, begin, end func(context.Context, string) error) error {
	if !on {
		begin = end
	}
	return goneLeg(begin(ctx, string(leg)))
}

// Music carries out a Music order. To end what has not begun is no error.
func (l *Link) Music(ctx context.Context, o Music) error {
	switch {
	case o.Bridge == "" && o.On:
		return goneLeg(l.rest.StartMOH(ctx, string(o.Leg), ""))
	case o.Bridge == "":
		return goneLeg(l.rest.StopMOH(ctx, string(o.Leg)))
	case o.On:
		return gone(l.rest.StartBridgeMOH(ctx, string(o.Bridge), ""))
	}
	err := l.rest.StopBridgeMOH(ctx, string(o.Bridge))
	if errors.Is(err, ari.ErrConflict) {
		return nil
	}
	return gone(err)
}

// goneLeg says by ErrGone that a leg is not there, or that it is not in the application (ARI: 409, and 412 while it rings).
func goneLeg(err error) error { return gone(err, ari.ErrConflict, ari.ErrInvalidState) }

// goneFrom says by ErrGone that a bridge or a leg is not there (ARI: 400), or that the leg is not in the application, or not in the bridge (422).
func goneFrom(err error) error { return gone(err, ari.ErrBadRequest, ari.ErrUnprocessable) }

// gone says by ErrGone that what an order names is not there; or is one of these.
func gone(err error, or ...error) error {
	if errors.Is(err, ari.ErrNotFound) || slices.ContainsFunc(or, func(e error) bool { return errors.Is(err, e) }) {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return err
}
