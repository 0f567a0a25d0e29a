package gate

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// transferTime is how far apart Asterisk tells that a leg was transferred, and that it is where it was transferred to: the dialplan and the teller
// run beside each other (main/bridge.c: ast_bridge_transfer_blind).
const transferTime = time.Second

// transfer is a blind transfer as Asterisk has told of it: by whose leg, and where to.
type transfer struct {
	leg      call.LegID
	endpoint string // of who has transferred it
	number   string
	at       time.Time
}

// transferred notes a blind transfer of a single leg. Caller holds the lock.
func (g *Gate) transferred(ev *call.Event) {
	if ev.Kind != call.BlindTransferred || ev.Transferee == "" || ev.Dialled == "" {
		return
	}
	now := time.Now()
	g.transfers = slices.DeleteFunc(g.transfers, func(x transfer) bool { return x.leg == ev.Transferee || now.Sub(x.at) > transferTime })
	g.transfers = append(g.transfers, transfer{
		leg: call.LegID(strings.Clone(string(ev.Transferee))), endpoint: strings.Clone(ev.Channel.Endpoint()), number: strings.Clone(ev.Dialled), at: now,
	})
	close(g.transferSeen)
	g.transferSeen = make(chan struct{})
}

// transferOf is the transfer that has brought a leg to a number just now, or nil. Caller holds the lock.
func (g *Gate) transferOf(leg call.LegID, number string) *transfer {
	for i := range g.transfers {
		if x := &g.transfers[i]; x.leg == leg && x.number == number && time.Since(x.at) <= 2*transferTime {
			return x
		}
	}
	return nil
}

// TransferredBy returns the endpoint that has sent a leg to a number by a blind transfer just now, by what Asterisk tells of transfers, and not by
// what the leg says or carries. It waits a moment for that to be told. The leg asks on his behalf then.
func (g *Gate) TransferredBy(ctx context.Context, leg, number string) (endpoint string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, transferTime)
	defer cancel()
	for {
		var seen chan struct{}
		up := false
		g.locked(func(t *call.Table) {
			if x := g.transferOf(call.LegID(leg), number); x != nil && g.known {
				endpoint, ok = x.endpoint, true
			}
			// Only a leg that has been on a call can be transferred.
			l := t.Leg(call.LegID(leg))
			up, seen = l != nil && (l.State() == call.StateUp || l.Kind() == call.KindLocal && g.consults.about(number)), g.transferSeen
		})
		if ok || !up {
			return endpoint, ok
		}
		select {
		case <-seen:
		case <-ctx.Done():
			return "", false
		}
	}
}

// sitTransferred is sit for a leg that the subject has transferred to the number. Caller holds the lock.
func (g *Gate) sitTransferred(t *call.Table, a *act, leg call.LegID, number string) *Problem {
	l, x := t.Leg(leg), g.transferOf(leg, number)
	if !g.known || l == nil || x == nil || l.Bridge() != "" || g.byLeg[leg] != nil || !samePhone(x.endpoint, a.phone) {
		return notYourPhone()
	}
	g.transfers = slices.DeleteFunc(g.transfers, func(o transfer) bool { return o.leg == leg }) // it is good for once
	a.own, a.seated = leg, true
	return nil
}
