package gate_test

import (
	"context"
	"fmt"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// turned is an order that turns something on or off for a leg.
type turned struct {
	what string // "hold", "ringing" or "silence"
	leg  call.LegID
	on   bool
}

// controlled is an order about what plays: "stop" or one of ARI's operations.
type controlled struct{ id, operation string }

// leaving is the order to take legs out of a bridge, which has the type of the one to put them in.
type leaving pbx.Enter

// stasisOrder takes an order about what a Stasis has; fail and hold know it by its name. A leg that is not there is gone.
func (p *fakePBX) stasisOrder(ctx context.Context, name string, o any, legs ...call.LegID) error {
	if err := p.order(ctx, name); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, leg := range legs {
		if _, there := p.legs[leg]; leg != "" && !there {
			return pbx.ErrGone
		}
	}
	p.stasis = append(p.stasis, o)
	return nil
}

// CreateBridge makes a bridge.
func (p *fakePBX) CreateBridge(ctx context.Context, bridge call.BridgeID) error {
	if err := p.stasisOrder(ctx, "create", bridge); err != nil {
		return err
	}
	p.tells(func() {
		p.office.ingest(call.Event{Kind: call.BridgeSeen, Bridge: call.Bridge{ID: bridge, Type: "mixing"}})
	})
	return nil
}

// Enter lets legs enter a bridge, and leave the one that they are in.
func (p *fakePBX) Enter(ctx context.Context, o pbx.Enter) error {
	if err := p.stasisOrder(ctx, "enter", o, o.Legs...); err != nil {
		return err
	}
	for _, leg := range o.Legs {
		p.quit(leg)
		if !p.move(leg, o.Bridge) {
			return pbx.ErrGone
		}
		p.tells(func() { p.office.enter(string(o.Bridge), string(leg)) })
	}
	return nil
}

// tells lets the events of an order come at once, unless the test has them come later.
func (p *fakePBX) tells(events func()) {
	var later func(func())
	p.set(func() { later = p.later })
	if later == nil {
		events()
		return
	}
	later(events)
}

// lateEvents are events that are told behind the orders that cause them.
type lateEvents struct{ all []func() }

func (l *lateEvents) add(events func()) { l.all = append(l.all, events) }

func (l *lateEvents) come() {
	for _, events := range l.all {
		events()
	}
}

// Leave lets legs leave a bridge.
func (p *fakePBX) Leave(ctx context.Context, o pbx.Enter) error {
	if err := p.stasisOrder(ctx, "leave", leaving(o), o.Legs...); err != nil {
		return err
	}
	for _, leg := range o.Legs {
		in := true
		if p.set(func() { in = p.legs[leg] == o.Bridge }); !in {
			return fmt.Errorf("%w: the leg is not in that bridge", pbx.ErrGone) // Asterisk says 422
		}
	}
	for _, leg := range o.Legs {
		p.quit(leg)
	}
	return nil
}

// quit lets a leg leave the bridge that it is in.
func (p *fakePBX) quit(leg call.LegID) {
	var was call.BridgeID
	p.set(func() { was = p.legs[leg] })
	if was != "" && p.move(leg, "") {
		p.tells(func() { p.office.leave(string(was), string(leg)) })
	}
}

func (p *fakePBX) Hold(ctx context.Context, leg call.LegID, on bool) error {
	return p.stasisOrder(ctx, "hold", turned{"hold", leg, on}, leg)
}

func (p *fakePBX) Ringing(ctx context.Context, leg call.LegID, on bool) error {
	return p.stasisOrder(ctx, "ringing", turned{"ringing", leg, on}, leg)
}

func (p *fakePBX) Silence(ctx context.Context, leg call.LegID, on bool) error {
	return p.stasisOrder(ctx, "silence", turned{"silence", leg, on}, leg)
}

func (p *fakePBX) Music(ctx context.Context, o pbx.Music) error {
	return p.stasisOrder(ctx, "music", o, o.Leg)
}

// Play queues; the test tells the gate what is played.
func (p *fakePBX) Play(ctx context.Context, o pbx.Play) error {
	return p.stasisOrder(ctx, "play", o, o.Leg)
}

func (p *fakePBX) StopPlay(ctx context.Context, id string) error {
	return p.stasisOrder(ctx, "stop", controlled{id, "stop"})
}

func (p *fakePBX) ControlPlay(ctx context.Context, id, operation string) error {
	return p.stasisOrder(ctx, operation, controlled{id, operation})
}
