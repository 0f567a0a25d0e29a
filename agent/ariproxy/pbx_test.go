package ariproxy_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/agent/recording"
)

// fakePBX does what it is told, and writes down all of it. Phones are answered at once, or never.
type fakePBX struct {
	gate.PBX
	world *world

	mu         sync.Mutex
	orders     []string
	in         map[call.LegID]call.BridgeID // own legs that are there, and where
	unanswered atomic.Bool                  // nobody answers
	failed     bool                         // what it has recorded it records no more
	slow       atomic.Bool                  // a call is begun, and its leg appears when the test says so
}

func newFakePBX(w *world) *fakePBX { return &fakePBX{world: w, in: map[call.LegID]call.BridgeID{}} }

// order writes an order down, whole.
func (p *fakePBX) order(word string, all ...any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.orders = append(p.orders, strings.TrimSpace(word+" "+fmt.Sprintf("%+v", all)))
	return nil
}

// taken are the orders so far.
func (p *fakePBX) taken() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.orders)
}

// put has a leg be in a bridge, or in none, and tells of it.
func (p *fakePBX) put(id call.LegID, bridge call.BridgeID) {
	p.mu.Lock()
	was, there := p.in[id]
	p.in[id] = bridge
	p.mu.Unlock()
	if there && was != "" {
		p.world.ingest(call.Event{Kind: call.BridgeLeft, Bridge: call.Bridge{ID: was}, Channel: call.Channel{ID: id}})
	}
	if bridge != "" {
		p.world.ingest(call.Event{Kind: call.BridgeEntered, Bridge: call.Bridge{ID: bridge, Type: "mixing"}, Channel: call.Channel{ID: id}})
	}
}

// ofEarshot is a leg that Earshot has had rung.
func ofEarshot(id call.LegID, endpoint string, s call.State) call.Channel {
	return call.Channel{ID: id, Name: endpoint + "-00000001", State: s, App: "AppDial2", Created: start}
}

// appear has a phone be rung.
func (p *fakePBX) appear(id call.LegID, endpoint string) {
	ch := ofEarshot(id, endpoint, call.StateDown)
	p.put(id, "")
	ringing := ch
	ringing.State = call.StateRinging
	p.world.ingest(call.Event{Kind: call.LegSeen, Channel: ch}, call.Event{Kind: call.DialBegan, Peer: ch}, call.Event{Kind: call.LegSeen, Channel: ringing})
}

func (p *fakePBX) Ring(_ context.Context, o pbx.Ring) error {
	_ = p.order("ring", o)
	p.appear(o.Leg, o.Endpoint)
	if p.unanswered.Load() {
		return nil
	}
	up := ofEarshot(o.Leg, o.Endpoint, call.StateUp)
	p.world.ingest(call.Event{Kind: call.LegSeen, Channel: up}, call.Event{Kind: call.DialEnded, Peer: up, Answered: true})
	p.world.gate.Entered(o.Leg)
	return nil
}

func (p *fakePBX) Call(_ context.Context, o pbx.Call) error {
	_ = p.order("call", o.Endpoint, string(o.Number), o.Context, string(o.Leg))
	if !p.slow.Load() {
		p.appear(o.Leg, o.Endpoint)
	}
	return nil
}

func (p *fakePBX) CreateBridge(_ context.Context, bridge call.BridgeID) error {
	_ = p.order("create", bridge)
	p.world.ingest(call.Event{Kind: call.BridgeSeen, Bridge: call.Bridge{ID: bridge, Type: "mixing"}})
	return nil
}

func (p *fakePBX) Enter(_ context.Context, o pbx.Enter) error {
	_ = p.order("enter", o)
	for _, id := range o.Legs {
		p.put(id, o.Bridge)
	}
	return nil
}

func (p *fakePBX) Leave(_ context.Context, o pbx.Enter) error {
	_ = p.order("leave", o)
	for _, id := range o.Legs {
		p.put(id, "")
	}
	return nil
}

// Drop orders nothing that has to be decided where nothing of that is there.
func (p *fakePBX) Drop(_ context.Context, bridge call.BridgeID, legs ...call.LegID) error {
	for _, id := range legs {
		p.mu.Lock()
		_, own := p.in[id]
		delete(p.in, id)
		p.mu.Unlock()
		if own || !strings.HasPrefix(string(id), pbx.Prefix) {
			_ = p.order("drop", id)
			p.world.ingest(call.Event{Kind: call.LegGone, Channel: call.Channel{ID: id}, Cause: 16})
		}
	}
	if bridge != "" {
		_ = p.order("remove", bridge)
		p.world.ingest(call.Event{Kind: call.BridgeGone, Bridge: call.Bridge{ID: bridge}})
	}
	return nil
}

func (p *fakePBX) Play(_ context.Context, o pbx.Play) error {
	_ = p.order("play", o)
	for i := range o.Media {
		p.world.gate.Played(pbx.Played{ID: o.ID, State: map[bool]string{true: "playing", false: "continuing"}[i == 0]})
	}
	return nil
}

func (p *fakePBX) StopPlay(_ context.Context, id string) error {
	p.world.gate.Played(pbx.Played{ID: id, State: "done"})
	return p.order("stop", id)
}

func (p *fakePBX) ControlPlay(_ context.Context, id, operation string) error {
	return p.order("control", id, operation)
}

func (p *fakePBX) Hold(_ context.Context, id call.LegID, on bool) error {
	return p.order("hold", id, on)
}

func (p *fakePBX) Ringing(_ context.Context, id call.LegID, on bool) error {
	return p.order("ringing", id, on)
}

func (p *fakePBX) Silence(_ context.Context, id call.LegID, on bool) error {
	return p.order("silence", id, on)
}
func (p *fakePBX) Music(_ context.Context, o pbx.Music) error   { return p.order("music", o) }
func (p *fakePBX) Mute(_ context.Context, o pbx.Mute) error     { return p.order("mute", o) }
func (p *fakePBX) Press(_ context.Context, o pbx.Press) error   { return p.order("press", o) }
func (p *fakePBX) Record(_ context.Context, o pbx.Record) error { return p.order("record", o) }
func (p *fakePBX) PauseRecording(_ context.Context, name string) error {
	p.mu.Lock()
	failed := p.failed
	p.mu.Unlock()
	if failed {
		return pbx.ErrNotRecording
	}
	return p.order("pause", name)
}

func (p *fakePBX) ResumeRecording(_ context.Context, name string) error {
	return p.order("resume", name)
}
func (p *fakePBX) Renew(context.Context, time.Duration, ...call.LegID) error { return nil }

func (p *fakePBX) Tap(_ context.Context, o pbx.Tap) error { return p.order("tap", o) }

func (p *fakePBX) Received(context.Context, call.LegID) (uint64, error) { return 0, pbx.ErrGone }

// shelf has past calls with recordings, as journal and book.
type shelf struct {
	gate.Journal
	spools *recording.Spools
	dir    string

	mu    sync.Mutex
	calls []*journal.Call
}

func newShelf(t testing.TB) *shelf {
	t.Helper()
	s := &shelf{dir: t.TempDir()}
	var err error
	if s.spools, err = recording.OpenSpools([]recording.SpoolConfig{{Name: "ari", Path: s.dir, ARI: true}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.spools.Close() })
	return s
}

// keep puts a call of an employee's with somebody outside, and a recording of it, on the shelf.
func (s *shelf) keep(employee, endpoint, file string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.calls)
	id, began := fmt.Sprint("call", n), at(60*n)
	s.calls = append(s.calls, &journal.Call{
		ID: id, Began: began, Answered: began, Ended: began.Add(time.Minute), Outcome: journal.Answered,
		Legs: []journal.Leg{
			{ID: call.LegID(id + ".p"), Endpoint: endpoint, Employee: employee, Direction: call.In, Began: began, Answered: began, Ended: began.Add(time.Minute), Outcome: journal.Answered, Peers: []call.LegID{call.LegID(id + ".t")}},
			{ID: call.LegID(id + ".t"), Endpoint: "PJSIP/trunk", Direction: call.Out, Number: "+4915550009", Began: began, Answered: began, Ended: began.Add(time.Minute), Outcome: journal.Answered, Peers: []call.LegID{call.LegID(id + ".p")}},
		},
		Recordings: []journal.Recording{{ID: "rec" + fmt.Sprint(n), Call: id, Leg: call.LegID(id + ".p"), Spool: "ari", File: file, Source: "ari", Began: began, Ended: began.Add(time.Minute), Size: 5}},
	})
}

// Rows are those of employees, newest first.
func (s *shelf) Rows(_ context.Context, f journal.Filter) (all []journal.Row, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := len(s.calls) - 1; n >= 0; n-- {
		c := s.calls[n]
		row := journal.Row{Call: c, Leg: &c.Legs[0], At: journal.CursorAt(c.Began.UnixMicro(), int64(n+1))}
		began, number := f.Before.Place()
		if f.Before != (journal.Cursor{}) && (c.Began.UnixMicro() > began || c.Began.UnixMicro() == began && int64(n+1) >= number) {
			continue
		}
		if (f.Employees == nil || slices.Contains(f.Employees, c.Legs[0].Employee)) && len(all) < f.Limit {
			all = append(all, row)
		}
	}
	return all, nil
}

func (s *shelf) Grades(context.Context, string) ([]journal.Grade, error) { return nil, nil }

func (s *shelf) find(fits func(*journal.Recording) bool) (journal.Recording, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if fits(&c.Recordings[0]) {
			return c.Recordings[0], nil
		}
	}
	return journal.Recording{}, journal.ErrNoRecording
}

func (s *shelf) Recording(_ context.Context, id string) (journal.Recording, error) {
	return s.find(func(r *journal.Recording) bool { return r.ID == id })
}

func (s *shelf) RecordingOf(_ context.Context, spool, file string) (journal.Recording, error) {
	return s.find(func(r *journal.Recording) bool { return r.Spool == spool && r.File == file })
}

func (s *shelf) Call(_ context.Context, id string) (journal.Call, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if c.ID == id {
			return *c, nil
		}
	}
	return journal.Call{}, journal.ErrNoRecording
}

func (s *shelf) MarkDeleted(_ context.Context, id string, when time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if c.Recordings[0].ID == id {
			c.Recordings[0].Deleted = when
		}
	}
	return nil
}
