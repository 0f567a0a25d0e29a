package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
	companies "github.com/earshot-pbx/earshot/policy/company"
	"github.com/rs/zerolog"
)

// memory is heap that stays in use, in bytes, at several sizes.
type memory struct {
	Table     []sized // the call table alone, by calls
	Policy    []sized // a compiled policy that uses the whole language, by employees
	Calls     []sized // all of Earshot, by live calls on the real PBX
	Employees []sized // all of Earshot, by employees
}

type sized struct {
	Size  int
	Bytes float64
}

// each is what one more costs, from the smallest size to the largest.
func (m memory) each(s []sized) float64 {
	a, b := s[0], s[len(s)-1]
	return (b.Bytes - a.Bytes) / float64(b.Size-a.Size)
}

func heap() float64 {
	for range 3 { // what has a finalizer goes in the second
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// held is how much heap what make makes holds.
func held[T any](make func() (T, error)) (float64, error) {
	before := heap()
	made, err := make()
	after := heap()
	runtime.KeepAlive(made)
	return after - before, err
}

// table is a table with n calls between two phones, as Asterisk's events make it.
func table(n int) *call.Table {
	t := call.NewTable()
	began := time.Now()
	for i := range n {
		leg := func(side int, name string) call.Channel {
			return call.Channel{ID: call.LegID(fmt.Sprintf("%d.%d", began.Unix(), 2*i+side)), Name: fmt.Sprintf("PJSIP/%d-%08x", 10000+2*i+side, 2*i+side),
				Caller: call.Identity{Name: "Anna Petrova", Number: call.Number(fmt.Sprint(10000 + 2*i + side))}, Created: began, App: name}
		}
		a, b := leg(0, "Dial"), leg(1, "AppDial")
		a.State, a.Exten = call.StateRing, fmt.Sprint(10001+2*i)
		b.Connected = a.Caller
		ringing, up, aUp := b, b, a
		b.State, ringing.State, up.State, aUp.State = call.StateDown, call.StateRinging, call.StateUp, call.StateUp
		room := call.Bridge{ID: call.BridgeID(fmt.Sprintf("%08x-5a1c-4d4e-9b7d-0123456789ab", i)), Type: "mixing"}
		for _, ev := range []call.Event{
			{Kind: call.LegSeen, Channel: a}, {Kind: call.LegSeen, Channel: b}, {Kind: call.DialBegan, Channel: a, Peer: b, Dialled: a.Exten},
			{Kind: call.LegSeen, Channel: ringing}, {Kind: call.LegSeen, Channel: up}, {Kind: call.DialEnded, Channel: a, Peer: up, Answered: true},
			{Kind: call.LegSeen, Channel: aUp}, {Kind: call.BridgeEntered, Channel: up, Bridge: room}, {Kind: call.BridgeEntered, Channel: aUp, Bridge: room},
		} {
			ev.At = began
			t.Apply(&ev)
		}
	}
	return t
}

// memory measures within this process; Earshot's parts run in it.
func (c *company) memory(ctx context.Context, tables, employees, calls []int, say func(string, ...any)) (m memory, err error) {
	for _, n := range tables {
		b, err := held(func() (*call.Table, error) { return table(n), nil })
		if err != nil {
			return m, err
		}
		m.Table = append(m.Table, sized{n, b})
		say("the table with %d calls: %.0f KiB", n, b/1024)
	}
	for _, n := range employees {
		text := companies.New(n, 1).YAML()
		b, err := held(func() (*policy.Set, error) { s, _, err := policy.Load("company.yaml", text, time.Now()); return s, err })
		runtime.KeepAlive(text)
		if err != nil {
			return m, err
		}
		m.Policy = append(m.Policy, sized{n, b})
		say("a compiled policy with %d employees: %.0f KiB", n, b/1024)
	}
	c.leave()
	for _, n := range employees {
		b, err := c.alone(ctx, n)
		if err != nil {
			return m, err
		}
		m.Employees = append(m.Employees, sized{n, b})
		say("Earshot with %d employees: %.1f MiB of heap", n, b/(1<<20))
	}
	c.fakes.audio.speak(false)
	var talks []talk
	defer func() {
		var wg sync.WaitGroup
		for _, t := range talks {
			wg.Go(func() { _ = c.end(ctx, t) })
		}
		wg.Wait()
		err = errors.Join(err, c.empty(ctx))
	}()
	for _, n := range calls {
		for i := len(talks); i < n; i++ {
			t, err := c.call(ctx, 2*i, 2*i+1)
			if err != nil {
				return m, err
			}
			talks = append(talks, t)
		}
		b, err := c.alone(ctx, c.phones)
		if err != nil {
			return m, err
		}
		m.Calls = append(m.Calls, sized{n, b})
		say("Earshot with %d live calls: %.1f MiB of heap", n, b/(1<<20))
	}
	return m, nil
}

// alone is how much heap an Earshot of n employees holds beside the PBX as it is now: it runs in this process, and then does not.
func (c *company) alone(ctx context.Context, n int) (float64, error) {
	if err := errors.Join(c.Write("policy.yaml", policyOf(n, "")), c.know(0)); err != nil {
		return 0, err
	}
	cfg, err := agent.LoadConfig(c.Path("earshot.yaml"))
	if err != nil {
		return 0, err
	}
	a, err := agent.New(cfg, zerolog.Nop(), "pbxbench")
	if err != nil {
		return 0, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	var failed error
	go func() { failed = a.Run(running); close(ended) }()
	if err := c.WaitReady(ctx, ended); err != nil {
		return 0, errors.Join(err, failed)
	}
	http.DefaultClient.CloseIdleConnections()
	pause(ctx, 500*time.Millisecond) // what starting has begun is over
	with := heap()
	runtime.KeepAlive(a)
	stop()
	<-ended
	a = nil
	pause(ctx, 500*time.Millisecond)
	return with - heap(), failed
}
