package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-pbx/earshot/ami"
)

// followed are the events of a call that both Asterisk and Earshot tell, with the field that names the channel that they are about.
var followed = map[string]struct {
	kind  uint32
	field string
}{
	"Newchannel": {0, "Channel"}, "Newstate": {1, "Channel"}, "DialBegin": {2, "DestChannel"}, "DialEnd": {3, "DestChannel"},
	"BridgeEnter": {4, "Channel"}, "BridgeLeave": {5, "Channel"}, "Hangup": {6, "Channel"},
}

// about is what an event is about: its kind and the number of the phone. A phone has one call at a time, so the n-th about the same at a panel
// is the n-th about it at Asterisk, whatever else the two call the channel.
type about uint32

func aboutOf(m *ami.Message) (about, bool) {
	f, ok := followed[string(m.Event())]
	if !ok {
		return 0, false
	}
	name, _ := m.Lookup(f.field)
	rest, ok := bytes.CutPrefix(name, []byte("PJSIP/"))
	if !ok {
		return 0, false
	}
	phone := uint32(0)
	for _, c := range rest {
		if c < '0' || c > '9' {
			break
		}
		phone = phone*10 + uint32(c-'0')
	}
	return about(f.kind<<24 | phone), phone >= firstPhone
}

// panel is an AMI client that is told of everything.
type panel struct {
	client *ami.Client
	bytes  atomic.Int64
	events atomic.Int64

	mu    sync.Mutex
	heard map[about][]int64 // when, in nanoseconds
	count int
	when  bool // it is Asterisk's own time that counts, which stands in the event
}

type counted struct {
	net.Conn
	n *atomic.Int64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.n.Add(int64(n))
	return n, err
}

func (p *panel) hear(m *ami.Message) error {
	at := time.Now().UnixNano()
	p.events.Add(1)
	a, ok := aboutOf(m)
	if !ok {
		return nil
	}
	if p.when {
		said, err := stamped(m)
		if err != nil {
			return err
		}
		at = said.UnixNano()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard[a] = append(p.heard[a], at)
	p.count++
	return nil
}

// stamped is when Asterisk wrote an event.
func stamped(m *ami.Message) (time.Time, error) {
	stamp, _ := m.Lookup("Timestamp")
	whole, frac, ok := bytes.Cut(stamp, []byte("."))
	s, err := strconv.ParseInt(string(whole), 10, 64)
	us, err2 := strconv.ParseInt(string(frac), 10, 64)
	if !ok || len(frac) != 6 || errors.Join(err, err2) != nil {
		return time.Time{}, fmt.Errorf("an event of Asterisk's has no time: %q", stamp)
	}
	return time.Unix(s, us*1000), nil
}

// dial logs a panel in.
func dial(ctx context.Context, addr, user, secret string, plain, when bool, events string) (*panel, error) {
	p := &panel{heard: map[about][]int64{}, when: when}
	var err error
	p.client, err = ami.Dial(ctx, ami.Config{Addr: addr, Username: user, Secret: ami.Secret(secret), PlainLogin: plain, OnEvent: p.hear, Events: events,
		PingInterval: time.Minute, PingTimeout: 30 * time.Second,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return counted{conn, &p.bytes}, nil
		}})
	return p, err
}

// panels logs n of them in at Asterisk, or at Earshot as an employee each. All have been told what there is when it returns.
func (c *company) panels(ctx context.Context, n int, where string) ([]*panel, error) {
	var all []*panel
	account := c.PBX.Site().Admin
	for i := range n {
		var p *panel
		var err error
		if where == onEarshot {
			id := fmt.Sprint("e", i)
			p, err = dial(ctx, c.AMI, id, c.tokens[id], true, false, "on")
		} else {
			events := "on"
			if where == onAsteriskCalls {
				events = "call"
			}
			p, err = dial(ctx, c.PBX.AMI(), account.User, account.Password, false, false, events)
		}
		if err == nil {
			all = append(all, p)
			_, err = p.client.Do(ctx, ami.NewAction("Ping"))
		}
		if err != nil {
			hangUpAll(all)
			return nil, fmt.Errorf("panel %d of %d: %w", i+1, n, err)
		}
	}
	return all, nil
}

func hangUpAll(all []*panel) {
	for _, p := range all {
		p.client.Close()
	}
}

// forget has what was heard so far not count.
func (p *panel) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.heard)
	p.count = 0
	p.bytes.Store(0)
	p.events.Store(0)
}

// compare holds what a panel was told against what Asterisk said, and gives how long each event took.
func (p *panel) compare(said *panel, delays []time.Duration) (_ []time.Duration, missing int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for a, times := range said.heard {
		heard := p.heard[a]
		missing += max(0, len(times)-len(heard))
		for i := range min(len(times), len(heard)) {
			delays = append(delays, time.Duration(heard[i]-times[i]))
		}
	}
	return delays, missing
}

// caughtUp waits until a panel was told of so many of the events that are followed.
func (p *panel) caughtUp(ctx context.Context, count int) error {
	for {
		p.mu.Lock()
		have := p.count
		p.mu.Unlock()
		if have >= count {
			return nil
		}
		select {
		case <-p.client.Done():
			return fmt.Errorf("the panel was cut off: %w", p.client.Err())
		case <-ctx.Done():
			return fmt.Errorf("the panel was told %d events of %d: %w", have, count, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// at gives the value that so much of them are below: 0.5 the median.
func at[T int | float64 | time.Duration](all []T, part float64) T {
	if len(all) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(all))
	return s[min(len(s)-1, int(part*float64(len(s))))]
}
