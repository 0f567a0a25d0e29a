package httpapi_test

import (
	"context"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/ari"
)

// fakePBX takes orders and carries out nothing: the tests ingest what would have come of them.
type fakePBX struct {
	gate.PBX // what this door asks for nothing of

	rung    chan pbx.Ring
	tapped  chan pbx.Tap
	taken   chan pbx.Take
	joined  chan pbx.Join
	fetched chan pbx.Fetch

	mu    sync.Mutex
	drops int
	fail  error
}

func (f *fakePBX) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fail
}

func (f *fakePBX) Ring(_ context.Context, o pbx.Ring) error             { f.rung <- o; return f.err() }
func (f *fakePBX) Tap(_ context.Context, o pbx.Tap) error               { f.tapped <- o; return f.err() }
func (f *fakePBX) Swap(context.Context, pbx.Swap) error                 { return f.err() }
func (f *fakePBX) Tone(context.Context, pbx.Tone) error                 { return f.err() }
func (f *fakePBX) KeepTone(context.Context, pbx.Tone) error             { return f.err() }
func (f *fakePBX) Call(context.Context, pbx.Call) error                 { return f.err() }
func (f *fakePBX) Seat(context.Context, pbx.Seat) error                 { return f.err() }
func (f *fakePBX) Send(context.Context, pbx.Send) error                 { return f.err() }
func (f *fakePBX) Return(context.Context, pbx.Return) error             { return f.err() }
func (f *fakePBX) Fetch(_ context.Context, o pbx.Fetch) error           { f.fetched <- o; return f.err() }
func (f *fakePBX) Take(_ context.Context, o pbx.Take) error             { f.taken <- o; return f.err() }
func (f *fakePBX) Join(_ context.Context, o pbx.Join) error             { f.joined <- o; return f.err() }
func (f *fakePBX) QueueAdd(context.Context, pbx.QueueMember) error      { return f.err() }
func (f *fakePBX) QueueRemove(context.Context, pbx.QueueMember) error   { return f.err() }
func (f *fakePBX) QueuePenalty(context.Context, pbx.QueueMember) error  { return f.err() }
func (f *fakePBX) QueuePause(context.Context, pbx.QueueMember) error    { return f.err() }
func (f *fakePBX) Received(context.Context, call.LegID) (uint64, error) { return 0, ari.ErrNotFound }

func (f *fakePBX) Record(context.Context, pbx.Record) error      { return f.err() }
func (f *fakePBX) PauseRecording(context.Context, string) error  { return f.err() }
func (f *fakePBX) ResumeRecording(context.Context, string) error { return f.err() }

func (f *fakePBX) Renew(context.Context, time.Duration, ...call.LegID) error {
	return nil
}

func (f *fakePBX) Drop(context.Context, call.BridgeID, ...call.LegID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drops++
	return nil
}

// poke tells one who waits.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
