package pbx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// Request is what a leg brings that the dialplan has sent into the Stasis application. No order has made the leg.
type Request struct {
	Leg      call.LegID
	Endpoint string   // that the leg belongs to, by the channel's name: Asterisk's word and not the phone's; empty for a leg that is no phone's
	Args     []string // Stasis(application,ARGS…); never none
}

// Seat is the order to answer a leg that waits in the application, so that a supervision can be joined with it. The leg keeps no other limit
// than the lease.
type Seat struct {
	Leg    call.LegID
	Bridge call.BridgeID // the mixing bridge that will carry the supervision; begins with Prefix
	Lease  time.Duration // whole seconds
}

// Send is the order to let a leg that is in the application go on in the dialplan.
type Send struct {
	Leg       call.LegID
	Context   string
	Extension string
	Ringing   call.LegID // when not empty, the leg whose call is to be taken there: it finds its unique id in the variable RingingVariable
}

// RingingVariable is the channel variable with the unique id of the leg whose call is to be taken.
const RingingVariable = "EARSHOT_RINGING"

// asked hands on what a leg brings from the dialplan. Asterisk tells of other applications' legs too.
func (l *Link) asked(e *ari.Event, ch call.Channel) {
	if l.cfg.Asked == nil || e.Application != l.cfg.Application {
		return
	}
	r := Request{Leg: call.LegID(strings.Clone(string(ch.ID))), Endpoint: strings.Clone(ch.Endpoint()), Args: slices.Clone(e.Args)}
	for i := range r.Args {
		r.Args[i] = strings.Clone(r.Args[i]) // the event is decoded into again
	}
	l.cfg.Asked(r)
}

// pressed hands on a key.
func (l *Link) pressed(e *ari.Event) {
	if l.cfg.Pressed != nil && e.Channel != nil && l.known.Load() {
		l.cfg.Pressed(call.LegID(strings.Clone(e.Channel.ID)), strings.Clone(e.Digit))
	}
}

// Seat carries out a Seat order.
func (l *Link) Seat(ctx context.Context, o Seat) error {
	err := both(
		func() error { return l.CreateBridge(ctx, o.Bridge) },
		func() error { return l.Renew(ctx, o.Lease, o.Leg) },
	)
	if err != nil {
		return err
	}
	return l.rest.Answer(ctx, string(o.Leg))
}

// Send carries out a Send order. Nothing of it can be anything but one extension: what the dialplan would read otherwise is refused.
func (l *Link) Send(ctx context.Context, o Send) error {
	if o.Context == "" || o.Extension == "" || strings.Trim(o.Extension, "0123456789+*#abcdefghijklmnopqrstuvwxyz") != "" {
		return errors.New("pbx: what a leg is to be sent to is no extension")
	}
	if o.Ringing != "" {
		if err := takable(o.Ringing); err != nil {
			return err
		}
		if err := l.rest.SetVariable(ctx, string(o.Leg), RingingVariable, string(o.Ringing)); err != nil {
			return fmt.Errorf("tell a leg which call to take: %w", err)
		}
	}
	return l.rest.Continue(ctx, string(o.Leg), ari.ContinueRequest{Context: o.Context, Extension: o.Extension, Priority: 1})
}
