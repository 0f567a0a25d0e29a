package fanout

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/rs/zerolog"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/testdata/peers/contest"
)

// serve serves on loopback until all is over.
func serve(s *http.Server, later func(func())) (addr string, err error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	later(func() { _ = s.Close(); <-done })
	return l.Addr().String(), nil
}

// newWeb is an office with its HTTP door open; all may spy and intercept, so that there are buttons to tell of.
func newWeb() (o *office, addr string, err error) {
	if o, err = newOffice(Panels, ", listen: true, intercept: true"); err != nil {
		return nil, "", err
	}
	much := httpapi.Rate{PerMinute: 1e9, Burst: 1e9}
	door := httpapi.New(httpapi.Config{
		Gate: o.gate, Auth: o.tokens, Log: zerolog.Nop(), Version: "peers", Limits: httpapi.Limits{Commands: much, Reads: much, Exports: much, Failures: much},
	})
	o.later(func() { _ = door.Close(context.Background()) })
	if addr, err = serve(door.HTTP(), o.later); err != nil {
		return nil, "", err
	}
	return o, addr, nil
}

// watch opens the event stream as an employee, by a client that others wrote.
func watch(o *office, addr, employee string) (next func() (gate.Message, []byte, error), err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	o.later(cancel)
	conn, _, err := websocket.Dial(ctx, "ws://"+addr+"/v1/events", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + o.token["crm"]}, "X-Earshot-Employee": {employee}},
	})
	if err != nil {
		return nil, err
	}
	o.later(func() { _ = conn.CloseNow() })
	conn.SetReadLimit(1 << 20)
	return func() (m gate.Message, text []byte, err error) {
		if _, text, err = conn.Read(ctx); err == nil {
			err = json.Unmarshal(text, &m)
		}
		return m, text, err
	}, nil
}

// messages are those of a day as panels get them, in turn as one who may observe and one who may not.
func messages() (out []gate.Message, err error) {
	o, addr, err := newWeb()
	if err != nil {
		return nil, err
	}
	defer o.close()
	var watchers [2]func() (gate.Message, []byte, error)
	for i := range watchers {
		if watchers[i], err = watch(o, addr, fmt.Sprint("e", i)); err != nil {
			return nil, err
		}
		if _, _, err := watchers[i](); err != nil { // the snapshot
			return nil, err
		}
	}
	d := newDay()
	o.ingest(d.waiting...)
	for i := range d.changes() {
		o.ingest(d.next()...)
		for k, next := range watchers {
			m, _, err := next()
			if err != nil {
				return nil, err
			}
			if k == i%2 {
				out = append(out, m)
			}
		}
	}
	return out, nil
}

// Web has the changes of a board brought to the panels by WebSocket: by the door, and by broadcasters that write the same messages, one of each change
// for all, made JSON of once. Those too begin where Earshot begins, at the PBX's events, and take them into a table of calls; but they make no row and
// ask no policy: the messages are there before.
func Web() (contenders []contest.Contender, end func(), err error) {
	var ends []func()
	later := func(f func()) { ends = append(ends, f) }
	end = func() {
		for i := len(ends) - 1; i >= 0; i-- {
			ends[i]()
		}
	}
	add := func(name string, c *crowd) {
		contenders = append(contenders, contest.Contender{Name: name, Do: c.do, AtLeast: changesAhead, Crew: true, Holds: Panels})
	}
	o, addr, err := newWeb()
	if err != nil {
		return nil, end, err
	}
	later(o.close)
	c, err := connect(Panels, 1, addr, o.token["crm"], o.later)
	if err != nil {
		return nil, end, err
	}
	if err := c.wait(); err != nil { // for the snapshots
		return nil, end, err
	}
	d := newDay()
	o.ingest(d.waiting...)
	c.change = func(int) { o.ingest(d.next()...) }
	add(Earshot, c)

	recorded, err := messages()
	if err != nil {
		return nil, end, err
	}
	for _, name := range []string{Batched, Single} {
		b, err := newBroadcaster(name == Batched, later)
		if err != nil {
			return nil, end, err
		}
		if c, err = connect(Panels, 0, b.addr, "", later); err != nil {
			return nil, end, err
		}
		<-b.all
		follow, d := follower(), newDay()
		follow(d.waiting...)
		c.change = func(i int) {
			follow(d.next()...)
			m := recorded[i%len(recorded)]
			m.Seq = uint64(i + 1)
			b.send(&m)
		}
		add(name, c)
	}
	return contenders, end, nil
}
