//go:build faults

package agent_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent"
)

// lane is one direction of one kind of connections to the PBX.
type lane struct {
	kind string // "ami", "stream" (ARI's events) or "rest" (ARI's requests)
	up   bool   // to the PBX
}

// both are the lanes of kinds of connections.
func both(kinds ...string) (all []lane) {
	for _, kind := range kinds {
		all = append(all, lane{kind, true}, lane{kind, false})
	}
	return all
}

// valves carries the connections between Earshot and the PBX, and stops in some lanes when told so: nothing gets through any more, while every connection stays
// open and new ones are accepted, as when a host or a firewall between has vanished. What is underway then arrives when they are opened again, as what TCP sends anew does.
type valves struct {
	ami, ari net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	closed map[lane]chan struct{} // closed when the lane is opened again
	slow   map[lane]delay         // how much later what comes in a lane arrives
	conns  []net.Conn
	over   bool
}

// delay is between which times something arrives later; each piece of a connection behind the one before it.
type delay struct{ least, most time.Duration }

func (d delay) next() time.Duration { return d.least + rand.N(d.most-d.least+1) }

// slows has what comes from the PBX by kinds of connections arrive later; a zero delay at once again, but for what is on its way.
func (v *valves) slows(d delay, kinds ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, kind := range kinds {
		if v.slow[lane{kind, false}] = d; d == (delay{}) {
			delete(v.slow, lane{kind, false})
		}
	}
}

// valves puts them between an Earshot, which is told so by change, and the PBX.
func (o *office) valves() (v *valves, change func(*agent.Config)) {
	o.Helper()
	v = &valves{closed: map[lane]chan struct{}{}, slow: map[lane]delay{}}
	listen := func(target, kind string) net.Listener {
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
		o.must(err)
		v.running.Go(func() { v.accept(l, target, kind) })
		return l
	}
	v.ami = listen(o.PBX.AMI(), "ami")
	v.ari = listen(strings.TrimSuffix(strings.TrimPrefix(o.PBX.ARI(), "http://"), "/ari"), "")
	o.Cleanup(func() {
		_, _ = v.ami.Close(), v.ari.Close()
		v.mu.Lock()
		v.over = true
		for _, c := range v.conns {
			_ = c.Close()
		}
		v.mu.Unlock()
		v.open()
		v.running.Wait()
	})
	return v, func(c *agent.Config) {
		c.PBX.AMI.Address, c.PBX.ARI.URL = v.ami.Addr().String(), "http://"+v.ari.Addr().String()+"/ari"
	}
}

// close stops lanes.
func (v *valves) close(lanes []lane) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, l := range lanes {
		v.closed[l] = make(chan struct{})
	}
}

// open opens all.
func (v *valves) open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.closed {
		close(c)
	}
	clear(v.closed)
}

func (v *valves) accept(l net.Listener, target, kind string) {
	for {
		near, err := l.Accept()
		if err != nil {
			return
		}
		far, err := new(net.Dialer).DialContext(context.Background(), "tcp", target)
		if err != nil {
			_ = near.Close()
			continue
		}
		v.mu.Lock()
		v.conns = append(v.conns, near, far)
		if v.over {
			_, _ = near.Close(), far.Close()
		}
		v.mu.Unlock()
		v.running.Go(func() { v.carry(near, far, kind) })
	}
}

// carry carries one connection. Which kind of ARI's it is its first request tells.
func (v *valves) carry(near, far net.Conn, kind string) {
	first := make([]byte, 32<<10)
	n := 0
	if kind == "" {
		var err error
		if n, err = near.Read(first); err != nil {
			_, _ = near.Close(), far.Close()
			return
		}
		kind = "rest"
		if line, _, _ := bytes.Cut(first[:n], []byte("\r\n")); bytes.Contains(line, []byte("/ari/events")) {
			kind = "stream"
		}
	}
	v.running.Go(func() { v.pump(near, far, lane{kind, false}) })
	v.pump(far, io.MultiReader(bytes.NewReader(first[:n]), near), lane{kind, true})
}

// piece is what has been read at once, and when it is to arrive.
type piece struct {
	bytes []byte
	at    time.Time
}

// pump carries bytes, and the end of them, as far as the lane lets, and as late as it says.
func (v *valves) pump(to net.Conn, from io.Reader, l lane) {
	pieces, broken := make(chan piece, 1<<10), make(chan struct{})
	v.running.Go(func() {
		defer close(broken)
		for p := range pieces {
			time.Sleep(time.Until(p.at)) // the fault itself
			if _, err := to.Write(p.bytes); err != nil {
				_ = to.Close()
				return
			}
		}
		_ = to.(*net.TCPConn).CloseWrite()
	})
	defer close(pieces)
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		v.mu.Lock()
		stopped, slow := v.closed[l], v.slow[l]
		v.mu.Unlock()
		if stopped != nil {
			<-stopped
		}
		if n > 0 {
			select {
			case pieces <- piece{bytes.Clone(buf[:n]), time.Now().Add(slow.next())}:
			case <-broken:
				_, _ = io.Copy(io.Discard, from)
				return
			}
		}
		if err != nil {
			return
		}
	}
}
