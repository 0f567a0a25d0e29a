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

// Return is the order to take a leg out of the call that it is on and let it ring a phone. What the leg runs in the dialplan is broken off.
type Return struct {
	Leg      call.LegID
	Endpoint string     // "PJSIP/101"
	Mover    call.LegID // the unique id of the leg that does it; begins with Prefix
}

// Where in the include a leg is let ring a phone. ARI itself moves only legs that are in a Stasis application, and AMI's Redirect needs the write
// class call; a leg of Earshot's that runs ChannelRedirect there needs neither.
const (
	BackContext   = "earshot-back"
	ExtenMove     = "move"     // moves the leg of CallerVariable
	ExtenReturned = "returned" // rings the endpoint in EndpointVariable

	CallerVariable   = "EARSHOT_CALLER" // the mover's channel variable with the unique id of the leg that is moved
	EndpointVariable = "EARSHOT_BACK"   // the mover's channel variable with the endpoint at which that is to ring, and then that leg's shared one
)

// ErrNoInclude means that the dialplan has no place for what was ordered, ErrNoPhone that Asterisk knows that the endpoint cannot ring.
var (
	ErrNoInclude = errors.New("the dialplan has no such place of Earshot's include")
	ErrNoPhone   = errors.New("the phone is not there")
)

// unringable are the states of a device that no call rings (main/devicestate.c).
var unringable = []string{"UNAVAILABLE", "INVALID"}

// returnTime is how long the PBX may take to move a leg.
const returnTime = 3 * time.Second

// Return carries out a Return order. It is done when it returns nil: from then on the leg goes its own way, whoever is hung up. ErrNoInclude,
// ErrNoPhone and ErrGone say that nothing was done. A phone that is busy counts as one that can ring: the dialplan tries again.
func (l *Link) Return(ctx context.Context, o Return) error {
	if !isName(string(o.Leg), ".-_") || !isEndpoint(o.Endpoint) {
		return errors.New("pbx: who is to be handed back, or the phone for him, cannot stand in the dialplan")
	}
	ctx, cancel := context.WithTimeout(ctx, returnTime)
	defer cancel()
	if err := l.hasPlace(ctx, o.Leg, ExtenReturned); err != nil {
		return err
	}
	// Where Asterisk has no func_devstate it cannot be told, and the dialplan tries for as long as it may.
	if state, err := l.rest.Variable(ctx, string(o.Leg), "DEVICE_STATE("+o.Endpoint+")"); err == nil && slices.Contains(unringable, state) {
		return ErrNoPhone
	}
	moved, done := l.expect(o.Mover)
	defer done()
	_, err := l.rest.Originate(ctx, ari.OriginateRequest{
		Endpoint: "Local/" + ExtenMove + "@" + BackContext + "/n", App: l.cfg.Application, ChannelID: string(o.Mover), Timeout: returnTime,
		Variables: map[string]string{CallerVariable: string(o.Leg), EndpointVariable: o.Endpoint, timeout: seconds(returnTime)},
	})
	if err != nil {
		return fmt.Errorf("have a leg moved: %w", err)
	}
	select {
	case <-moved: // it is answered only once the other has been moved
		return l.Drop(context.WithoutCancel(ctx), "", o.Mover)
	case <-ctx.Done():
		return fmt.Errorf("wait for a leg to be moved: %w", ctx.Err())
	}
}

// isEndpoint reports whether s is one endpoint, such as PJSIP/101, and nothing that Dial would read otherwise.
func isEndpoint(s string) bool {
	tech, resource, ok := strings.Cut(s, "/")
	return ok && isName(tech, "") && isName(resource, ".-_")
}

// isName reports whether s is of letters, digits and the signs that are named.
func isName(s, signs string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r|0x20 >= 'a' && r|0x20 <= 'z' || strings.ContainsRune(signs, r))
	})
}
