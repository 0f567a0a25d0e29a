package gate_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// fakePBX carries out orders as Asterisk would: the legs that they make appear in the feed, and what is hung up goes. It can be told to fail, to
// let a phone ring until somebody answers it, and to hold an order until it is let go.
type fakePBX struct {
	office *office
	making sync.Mutex // held while a phone's leg appears, here and in the feed

	mu       sync.Mutex
	unseen   bool             // of phones that are rung nothing is told
	silent   bool             // phones are not answered by themselves
	fail     map[string]error // by order
	hold     map[string]chan struct{}
	legs     map[call.LegID]call.BridgeID // own legs that are there, and where
	rung     []pbx.Ring
	takes    []pbx.Take
	joins    []pbx.Join
	members  []pbx.QueueMember
	taps     []pbx.Tap
	swaps    []pbx.Swap
	tones    []pbx.Tone
	tapes    []pbx.Record
	calls    []pbx.Call
	seats    []pbx.Seat
	sends    []pbx.Send
	returns  []pbx.Return
	fetches  []pbx.Fetch
	owns     []any               // what is done with calls of one's own
	stasis   []any               // and with what a Stasis has
	later    func(events func()) // takes the events of its orders; nil: they come at once
	renews   int
	renewed  []call.LegID // by the last
	kept     []pbx.Tone
	appeared func(call.LegID) // is told of a leg that is rung, before the order is done
	toned    func(call.LegID) // is told of a tone's leg that has appeared, before the order is done
	swapped  func()           // is called when a swap is made, before the gate is told
	late     bool             // a swap is done before its events have come that the old snoop is gone

	packets map[call.LegID]uint64 // of audio, that each leg's phone has sent; none: not to be told
	rate    map[call.LegID]int    // how many come until it is looked again
	looks   map[call.LegID]int
}

// looked waits until it has been looked so often how much a leg's phone has sent.
func (p *fakePBX) looked(leg call.LegID, times int) {
	for {
		n := 0
		p.set(func() { n = p.looks[leg] })
		if n >= times {
			return
		}
		p.office.log.wait(5 * time.Millisecond)
	}
}

func (p *fakePBX) Received(_ context.Context, leg call.LegID) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.looks == nil {
		p.looks = map[call.LegID]int{}
	}
	p.looks[leg]++
	n, ok := p.packets[leg]
	if !ok {
		return 0, errors.New("no RTP")
	}
	p.packets[leg] += uint64(p.rate[leg])
	return n, nil
}

// order logs an order, waits if it is held, and tells whether it fails.
func (p *fakePBX) order(ctx context.Context, name string) error {
	p.office.log.add("%s", name)
	p.mu.Lock()
	hold, err := p.hold[name], p.fail[name]
	p.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func (p *fakePBX) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *fakePBX) failing(name string, err error) {
	p.set(func() { p.fail = map[string]error{name: err} })
}

// holds lets an order wait until let.
func (p *fakePBX) holds(name string) {
	p.set(func() { p.hold = map[string]chan struct{}{name: make(chan struct{})} })
}

func (p *fakePBX) let() {
	p.set(func() {
		for name, c := range p.hold {
			close(c)
			delete(p.hold, name)
		}
	})
}

func (p *fakePBX) put(leg call.LegID, bridge call.BridgeID) {
	p.set(func() {
		if p.legs == nil {
			p.legs = map[call.LegID]call.BridgeID{}
		}
		p.legs[leg] = bridge
	})
}

// move puts a client's leg into a bridge, and reports whether it is there: one that has been hung up does not come back.
func (p *fakePBX) move(leg call.LegID, bridge call.BridgeID) (there bool) {
	p.set(func() {
		if _, there = p.legs[leg]; there {
			p.legs[leg] = bridge
		}
	})
	return there
}

func (p *fakePBX) appear(leg call.LegID, endpoint string) {
	o := p.office
	p.making.Lock() // who is told of it may have it hung up at once, and is told so behind that
	p.put(leg, "")
	o.seen(call.Channel{ID: leg, Name: endpoint + "-00000001", State: call.StateDown, App: "AppDial2"})
	p.making.Unlock()
	o.ingest(call.Event{Kind: call.DialBegan, Peer: o.ch(string(leg))})
	o.state(string(leg), call.StateRinging)
}

// answer lets an own phone be answered.
func (p *fakePBX) answer(leg call.LegID) {
	o := p.office
	o.state(string(leg), call.StateUp)
	o.ingest(call.Event{Kind: call.DialEnded, Peer: o.ch(string(leg)), Answered: true})
	o.gate.Entered(leg)
}

func (p *fakePBX) Ring(ctx context.Context, r pbx.Ring) error {
	if err := p.order(ctx, "ring"); err != nil {
		return err
	}
	p.set(func() { p.rung = append(p.rung, r) })
	if r.Bridge != "" {
		p.office.ingest(call.Event{Kind: call.BridgeSeen, Bridge: call.Bridge{ID: r.Bridge, Type: "mixing"}})
	}
	silent, appeared, unseen := false, func(call.LegID) {}, false
	if p.set(func() { unseen = p.unseen }); unseen {
		return nil
	}
	p.appear(r.Leg, r.Endpoint)
	p.set(func() {
		if silent = p.silent; p.appeared != nil {
			appeared = p.appeared
		}
	})
	appeared(r.Leg)
	if !silent {
		p.answer(r.Leg)
	}
	return nil
}

func (p *fakePBX) Swap(ctx context.Context, r pbx.Swap) error {
	if err := p.order(ctx, "swap"); err != nil {
		return err
	}
	o := p.office
	o.seen(call.Channel{ID: r.New, Name: "Snoop/" + string(r.Target) + "-0002", State: call.StateUp, App: "Stasis"})
	p.put(r.New, r.Bridge)
	o.enter(string(r.Bridge), string(r.New))
	late := false
	p.set(func() { late = p.late })
	if !late {
		o.gone(string(r.Old))
	}
	swapped := func() {}
	p.set(func() {
		p.swaps = append(p.swaps, r)
		delete(p.legs, r.Old)
		if p.swapped != nil {
			swapped = p.swapped
		}
	})
	swapped()
	return nil
}

func (p *fakePBX) Tap(ctx context.Context, r pbx.Tap) error {
	if err := p.order(ctx, "tap"); err != nil {
		return err
	}
	if strings.HasSuffix(string(r.Supervisor), "-stasis") && !p.move(r.Supervisor, r.Bridge) {
		return pbx.ErrGone
	}
	p.set(func() { p.taps = append(p.taps, r) })
	o := p.office
	o.seen(call.Channel{ID: r.Snoop, Name: "Snoop/" + string(r.Target) + "-0001", State: call.StateUp, App: "Stasis"})
	for _, leg := range []call.LegID{r.Supervisor, r.Snoop} {
		if strings.HasSuffix(string(leg), "-stasis") {
			if !p.move(leg, r.Bridge) {
				continue
			}
		} else {
			p.put(leg, r.Bridge)
		}
		o.enter(string(r.Bridge), string(leg))
	}
	return nil
}

// Tone lets the tone's leg appear, on nothing but the target's.
func (p *fakePBX) Tone(ctx context.Context, r pbx.Tone) error {
	if err := p.order(ctx, "tone"); err != nil {
		return err
	}
	p.office.seen(call.Channel{ID: r.Leg, Name: "Snoop/" + string(r.Target) + "-0003", State: call.StateUp, App: "Stasis"})
	p.put(r.Leg, "")
	toned := func(call.LegID) {}
	p.set(func() {
		p.tones = append(p.tones, r)
		if p.toned != nil {
			toned = p.toned
		}
	})
	toned(r.Leg)
	return nil
}

func (p *fakePBX) KeepTone(ctx context.Context, r pbx.Tone) error {
	p.set(func() { p.kept = append(p.kept, r) })
	return p.order(ctx, "keep")
}

// Record lets the two snoops appear that a recording is made with.
func (p *fakePBX) Record(ctx context.Context, r pbx.Record) error {
	if err := p.order(ctx, "record"); err != nil {
		return err
	}
	p.set(func() { p.tapes = append(p.tapes, r) })
	for _, leg := range [...]struct{ id, of call.LegID }{{r.Holder, r.Target}, {r.Snoop, r.Holder}} {
		p.put(leg.id, "")
		p.office.seen(call.Channel{ID: leg.id, Name: "Snoop/" + string(leg.of) + "-0004", State: call.StateUp, App: "Stasis"})
	}
	return nil
}

func (p *fakePBX) PauseRecording(ctx context.Context, name string) error {
	return p.order(ctx, "pause "+name[:8])
}

func (p *fakePBX) ResumeRecording(ctx context.Context, name string) error {
	return p.order(ctx, "resume "+name[:8])
}

func (p *fakePBX) Renew(ctx context.Context, _ time.Duration, legs ...call.LegID) error {
	p.set(func() { p.renews, p.renewed = p.renews+1, legs })
	return p.order(ctx, "renew")
}

func (p *fakePBX) Call(ctx context.Context, r pbx.Call) error {
	if err := p.order(ctx, "call"); err != nil {
		return err
	}
	p.set(func() { p.calls = append(p.calls, r) })
	return nil
}

func (p *fakePBX) Seat(ctx context.Context, r pbx.Seat) error {
	if err := p.order(ctx, "seat"); err != nil {
		return err
	}
	p.set(func() { p.seats = append(p.seats, r) })
	p.office.ingest(call.Event{Kind: call.BridgeSeen, Bridge: call.Bridge{ID: r.Bridge, Type: "mixing"}})
	p.put(r.Leg, "")
	p.office.state(string(r.Leg), call.StateUp)
	return nil
}

// Send lets a leg go on: one that takes a call does so, a client's is told that there is nothing and hung up, another leaves the bridge that it is in.
func (p *fakePBX) Send(ctx context.Context, r pbx.Send) error {
	p.set(func() { // before it is logged: who waits for the log looks here next
		if p.fail["send "+r.Extension] == nil {
			p.sends = append(p.sends, r)
		}
	})
	if err := p.order(ctx, "send "+r.Extension); err != nil {
		return err
	}
	silent, there := false, false
	p.set(func() {
		_, there = p.legs[r.Leg]
		delete(p.legs, r.Leg)
		silent = p.silent
	})
	if there && strings.HasSuffix(string(r.Leg), "-stasis") {
		p.office.gone(string(r.Leg))
	}
	if r.Ringing != "" && !silent {
		p.pickUp(pbx.Take{Leg: r.Leg, Ringing: r.Ringing})
	}
	return nil
}

func (p *fakePBX) Take(ctx context.Context, r pbx.Take) error {
	if err := p.order(ctx, "take"); err != nil {
		return err
	}
	p.set(func() { p.takes = append(p.takes, r) })
	p.appear(r.Leg, r.Endpoint)
	silent := false
	p.set(func() { silent = p.silent })
	if !silent {
		p.pickUp(r)
	}
	return nil
}

// pickUp lets the taker's phone be answered and PickupChan put it in the ringing leg's place.
func (p *fakePBX) pickUp(r pbx.Take) {
	o, leg, caller := p.office, string(r.Leg), ""
	caller = strings.SplitN(string(r.Ringing), ".", 2)[0] + ".0"
	o.state(leg, call.StateUp)
	o.gone(string(r.Ringing))
	o.state(caller, call.StateUp)
	o.enter("taken", leg, caller)
}

func (p *fakePBX) Drop(ctx context.Context, bridge call.BridgeID, legs ...call.LegID) error {
	var there []call.LegID
	p.making.Lock()
	p.set(func() {
		for _, leg := range legs {
			if _, ok := p.legs[leg]; ok {
				there = append(there, leg)
				delete(p.legs, leg)
			}
		}
	})
	p.making.Unlock()
	names := []string{"drop"}
	for _, leg := range there {
		switch {
		case strings.HasSuffix(string(leg), "-snoop"):
			names = append(names, "snoop")
		case strings.Contains(string(leg), "-tone-"):
			names = append(names, "tone")
		case strings.HasSuffix(string(leg), "-take"):
			names = append(names, "take")
		default:
			names = append(names, "own")
		}
	}
	err := p.order(ctx, strings.Join(names, " "))
	for _, leg := range there {
		p.office.gone(string(leg))
	}
	if bridge != "" {
		p.empty(bridge)
		p.office.ingest(call.Event{Kind: call.BridgeGone, Bridge: call.Bridge{ID: bridge}})
	}
	return err
}

// empty lets everybody leave a bridge.
func (p *fakePBX) empty(bridge call.BridgeID) {
	var in []call.LegID
	p.set(func() {
		for leg, at := range p.legs {
			if at == bridge {
				in = append(in, leg)
			}
		}
	})
	for _, leg := range in {
		p.quit(leg)
	}
}

// left is how many own legs there are.
func (p *fakePBX) left() (n int) {
	p.set(func() { n = len(p.legs) })
	return n
}

// Return lets a leg leave its bridge.
func (p *fakePBX) Return(ctx context.Context, r pbx.Return) error {
	if err := p.order(ctx, "return"); err != nil {
		return err
	}
	p.set(func() { p.returns = append(p.returns, r) })
	o := p.office
	ch := o.ch(string(r.Leg))
	ch.Exten = "returned"
	o.ingest(call.Event{Kind: call.BridgeLeft, Bridge: call.Bridge{ID: "taken"}, Channel: ch})
	return nil
}

// Fetch rings a phone; when it is answered the caller comes to it, as the dialplan would have it.
func (p *fakePBX) Fetch(ctx context.Context, r pbx.Fetch) error {
	if err := p.order(ctx, "fetch"); err != nil {
		return err
	}
	p.set(func() { p.fetches = append(p.fetches, r) })
	p.appear(r.Leg, r.Endpoint)
	silent := false
	p.set(func() { silent = p.silent })
	if !silent {
		p.comes(r)
	}
	return nil
}

// comes lets the phone of a Fetch be answered, and the caller come to it.
func (p *fakePBX) comes(r pbx.Fetch) {
	o := p.office
	o.state(string(r.Leg), call.StateUp)
	o.into(string(r.Caller), "Bridge")
	o.enter("taken", string(r.Leg), string(r.Caller))
}
