package gate_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/agent/queue"
)

// lineHouse has two lines. anna and boris work on sales; hana, who is protected, and egor on support. rosa may all on sales but for what egor is on;
// gus is responsible for a client; dora may nothing; vic views.
const lineHouse = `
version: 1
departments: {sales: {name: Sales}}
lines:
  sales:   {name: Sales line, queue: q-sales, members: [anna, boris]}
  support: {members: [egor, hana]}
employees:
  anna:  {name: Anna,  phones: [PJSIP/101], numbers: ["101"], department: sales, lock: true}
  boris: {name: Boris, phones: [PJSIP/102], numbers: ["102"], department: sales}
  rosa:  {name: Rosa,  phones: [PJSIP/103], numbers: ["103"], observe: true, listen: true, line.view: any, line.connect: any, line.change: [line:sales], line.replies: [line:sales], line.join: {to: [line:sales], except: [egor]}}
  dora:  {name: Dora,  phones: [PJSIP/104], numbers: ["104"]}
  egor:  {name: Egor,  phones: [PJSIP/105], numbers: ["105"]}
  gus:   {name: Gus,   phones: [PJSIP/107], numbers: ["107"]}
  hana:  {name: Hana,  phones: [PJSIP/108], numbers: ["108"]}
  vic:   {name: Vic,   phones: [PJSIP/109], numbers: ["109"], line.view: [line:sales], line.connect: [line:sales]}
  carl:  {name: Carl,  phones: [PJSIP/113], numbers: ["113"], observe: true, listen: true}
  nils:  {name: Nils,  numbers: ["110"]}
protected:
  employees: [hana]
  numbers: ["+7 495 765-43-21"]
trunks: [PJSIP/trunk]
`

func newLineOffice(t testing.TB, change ...func(*gate.Config)) *office {
	t.Helper()
	o := newOffice(t, lineHouse, append(change, func(c *gate.Config) { c.LinesEvery = 1 })...)
	o.gate.Queues(queue.Event{Kind: queue.Taken, Queues: []queue.State{
		{Name: "q-sales", Members: []queue.Member{{Interface: "PJSIP/101", Fixed: true}, {Interface: "Local/102@phones/n", Device: "PJSIP/102", Penalty: 3}, {Interface: "PJSIP/999"}}},
		{Name: "support", Members: []queue.Member{{Interface: "PJSIP/105"}}},
	}})
	return o
}

// queued lets somebody call a queue, where he waits; leg NAME.0.
func (o *office) queued(name, from, to string) {
	o.leg(name+".0", from, call.StateUp, "600")
	ch := o.ch(name + ".0")
	ch.App, ch.Queue = "Queue", to
	o.seen(ch)
	o.gate.Queues(queue.Event{Kind: queue.CallerJoined, Queue: to, Caller: queue.Caller{Leg: name + ".0", Channel: ch.Name, Since: o.moment()}})
}

// ringsAt lets the queue ring phones for who waits there.
func (o *office) ringsAt(name string, phones ...string) {
	for i, phone := range phones {
		id := fmt.Sprintf("%s.%d", name, i+1)
		o.leg(id, phone, call.StateDown, "")
		o.dial(name+".0", id, phone)
		o.state(id, call.StateRinging)
	}
}

// converses is a conversation of a queue with the phone: NAME.0 and NAME.1.
func (o *office) converses(name, from, to, phone string) {
	o.queued(name, from, to)
	o.ringsAt(name, phone)
	o.answers(name, 1)
	o.gate.Queues(queue.Event{Kind: queue.CallerLeft, Queue: to, Caller: queue.Caller{Leg: name + ".0"}})
}

func (o *office) holds(leg string) {
	o.ingest(call.Event{Kind: call.LegHeld, Channel: o.ch(leg)})
}

// named is the leg of a channel's name.
func (o *office) named(name string) call.Channel {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, ch := range o.chans {
		if ch.Name == name {
			return ch
		}
	}
	return call.Channel{}
}

// Join lets the phone ring and, once it is answered, go where Bridge and BridgeAdd would put it.
func (p *fakePBX) Join(ctx context.Context, r pbx.Join) error {
	if err := p.order(ctx, "join"); err != nil {
		return err
	}
	p.set(func() { p.joins = append(p.joins, r) })
	p.appear(r.Leg, r.Endpoint)
	silent := false
	p.set(func() { silent = p.silent })
	if !silent {
		p.joined(r)
	}
	return nil
}

func (p *fakePBX) joined(r pbx.Join) {
	o := p.office
	with := o.named(r.With)
	bridge := call.BridgeID("")
	var others []call.LegID
	o.feed.Read(func(t *call.Table) {
		bridge = t.Leg(with.ID).Bridge()
		for _, l := range t.BridgeLegs(nil, bridge) {
			if l.ID() != with.ID {
				others = append(others, l.ID())
			}
		}
	})
	o.state(string(r.Leg), call.StateUp)
	if !r.Alone {
		p.put(r.Leg, bridge)
		o.enter(string(bridge), string(r.Leg))
		return
	}
	o.leave(string(bridge), string(with.ID))
	o.enter("taken", string(with.ID), string(r.Leg))
	p.put(r.Leg, "taken")
	for _, id := range others {
		o.leave(string(bridge), string(id))
		o.gone(string(id))
	}
}

func (p *fakePBX) member(ctx context.Context, what string, r pbx.QueueMember) error {
	p.set(func() { p.members = append(p.members, r) })
	return p.order(ctx, what)
}

func (p *fakePBX) QueueAdd(ctx context.Context, r pbx.QueueMember) error {
	return p.member(ctx, fmt.Sprintf("add %s %s %d %v", r.Queue, r.Interface, r.Penalty, r.Paused), r)
}

func (p *fakePBX) QueueRemove(ctx context.Context, r pbx.QueueMember) error {
	return p.member(ctx, fmt.Sprintf("remove %s %s", r.Queue, r.Interface), r)
}

func (p *fakePBX) QueuePenalty(ctx context.Context, r pbx.QueueMember) error {
	return p.member(ctx, fmt.Sprintf("penalty %s %s %d", r.Queue, r.Interface, r.Penalty), r)
}

func (p *fakePBX) QueuePause(ctx context.Context, r pbx.QueueMember) error {
	return p.member(ctx, fmt.Sprintf("pause %s %s %v", r.Queue, r.Interface, r.Paused), r)
}
