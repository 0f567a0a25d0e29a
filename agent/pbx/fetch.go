package pbx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// Fetch is the order to ring a phone to which, once it is answered, a caller comes who is in no bridge: in a queue's music, say, or in a menu. He is
// redirected by the dialplan, so that he keeps his unique id and leaves a queue by its door, and nothing of it is done by who gave the order: what
// happens to that one meanwhile moves nobody and stops nobody.
type Fetch struct {
	Leg      call.LegID // the unique id that the phone's leg is to have; begins with Prefix
	Endpoint string     // "PJSIP/101"
	Caller   call.LegID
	Display  call.Identity // the caller, for the phone's display
	Timeout  time.Duration // how long it may ring; whole seconds
}

// Where in the include that is.
const (
	ExtenFetch   = "fetch"   // the phone's leg, once answered: has the leg of CallerVariable come to it
	ExtenFetched = "fetched" // the caller: joins the leg in TakerVariable, or goes back to the place in PlaceVariable

	TakerVariable = "EARSHOT_TAKER" // the caller's shared variable with the name of the phone's channel
	PlaceVariable = "EARSHOT_PLACE" // and with where in the dialplan he was when the phone began to ring
)

// Fetch carries out a Fetch order as far as the phone is being rung. ErrNoInclude, ErrGone (the caller) and ErrUnreachable say that no phone rings.
func (l *Link) Fetch(ctx context.Context, o Fetch) error {
	if !isName(string(o.Caller), ".-_") || !isEndpoint(o.Endpoint) {
		return errors.New("pbx: who is to be fetched, or the phone for him, cannot stand in the dialplan")
	}
	ctx, cancel := context.WithTimeout(ctx, returnTime)
	defer cancel()
	if err := l.hasPlace(ctx, o.Caller, ExtenFetch); err != nil {
		return err
	}
	at, err := l.rest.GetChannel(ctx, string(o.Caller))
	switch {
	case errors.Is(err, ari.ErrNotFound):
		return fmt.Errorf("%w: %w", ErrGone, err)
	case err != nil:
		return err
	}
	_, err = l.rest.Originate(ctx, ari.OriginateRequest{
		Endpoint: o.Endpoint, Context: BackContext, Extension: ExtenFetch, Priority: 1, ChannelID: string(o.Leg),
		CallerID: `"` + spoken(o.Display.Name) + `" <` + dialable(o.Display.Number) + `>`, Timeout: o.Timeout,
		Variables: map[string]string{CallerVariable: string(o.Caller), EndpointVariable: o.Endpoint, PlaceVariable: placeOf(at.Dialplan)},
	})
	return unreachable(err)
}

// placeOf is where in the dialplan a leg is, as Goto takes it; empty where that has a sign that Goto might read otherwise.
func placeOf(d ari.Dialplan) string {
	if !isName(d.Context, "._-") || !isName(d.Exten, "+*#._-") || d.Priority < 1 {
		return ""
	}
	return fmt.Sprintf("%s,%s,%d", d.Context, d.Exten, d.Priority)
}

// hasPlace asks whether the include has an extension by which a leg can be moved. ErrNoInclude says that it has not, ErrGone that there is no such
// leg.
func (l *Link) hasPlace(ctx context.Context, leg call.LegID, exten string) error {
	return l.exists(ctx, leg, BackContext, exten)
}

// exists is hasPlace for any context.
func (l *Link) exists(ctx context.Context, leg call.LegID, place, exten string) error {
	there, err := l.rest.Variable(ctx, string(leg), "DIALPLAN_EXISTS("+place+","+exten+",1)")
	switch {
	case errors.Is(err, ari.ErrNotFound):
		return fmt.Errorf("%w: %w", ErrGone, err)
	case err != nil:
		return err
	case there != "1":
		return ErrNoInclude
	}
	return nil
}
