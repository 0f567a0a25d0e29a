package fanout

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/earshot-pbx/earshot/agent/amiproxy"
	"github.com/earshot-pbx/earshot/agent/call"
)

const (
	// callsAhead is how many calls may be under way to the panels of AMI: fewer than anybody may be behind, so that nobody is cut off.
	callsAhead = 16
	// chunk is about what one write hands over at the AMI door.
	chunk = 64 << 10
	// over is the end of what is told of a call.
	over = "StatusText: Idle\r\n\r\n"
)

// caller is who calls each time, but for the checks.
var caller = outside{"Ivanov", "+4915550001"}

// life is all that the PBX tells of one call, which e0 takes.
func life(i int, who outside) []call.Event {
	id, out := fmt.Sprintf("%08d", i), call.Identity{Name: who.name, Number: call.Number(who.number)}
	trunk, phone := leg(id+".t", "PJSIP/trunk", call.StateRing, out, call.Identity{}), leg(id+".p", "PJSIP/1000", call.StateRinging, call.Identity{}, out)
	trunk.App, phone.App = "Dial", "AppDial"
	trunkUp, phoneUp := leg(id+".t", "PJSIP/trunk", call.StateUp, out, call.Identity{}), leg(id+".p", "PJSIP/1000", call.StateUp, call.Identity{}, out)
	bridge := call.Bridge{ID: call.BridgeID(id + ".b"), Type: "mixing"}
	return []call.Event{
		{Kind: call.LegSeen, Channel: trunk, At: at(10)},
		{Kind: call.LegSeen, Channel: phone, At: at(10)},
		{Kind: call.DialBegan, Channel: trunk, Peer: phone, At: at(10)},
		{Kind: call.LegSeen, Channel: phoneUp, At: at(15)},
		{Kind: call.DialEnded, Channel: trunkUp, Peer: phoneUp, Answered: true, At: at(15)},
		{Kind: call.BridgeSeen, Bridge: bridge, At: at(15)},
		{Kind: call.BridgeEntered, Bridge: bridge, Channel: phoneUp, At: at(15)},
		{Kind: call.BridgeEntered, Bridge: bridge, Channel: trunkUp, At: at(15)},
		{Kind: call.BridgeLeft, Bridge: call.Bridge{ID: bridge.ID}, Channel: call.Channel{ID: trunk.ID}, At: at(40)},
		{Kind: call.LegGone, Channel: call.Channel{ID: trunk.ID}, Cause: 17, At: at(40)},
		{Kind: call.LegGone, Channel: call.Channel{ID: phone.ID}, Cause: 17, At: at(40)},
		{Kind: call.BridgeGone, Bridge: call.Bridge{ID: bridge.ID}, At: at(40)},
	}
}

// newAMI is an office with its AMI door open.
func newAMI() (o *office, addr string, err error) {
	if o, err = newOffice(Panels+2, ""); err != nil {
		return nil, "", err
	}
	door, err := amiproxy.New(amiproxy.Config{
		Gate: o.gate, Auth: o.tokens, Panel: o.tokens.Panel, Context: "from-internal", Version: "peers", Log: zerolog.Nop(),
		Clock: func() time.Time { return at(75) },
	})
	if err != nil {
		return nil, "", err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- door.Serve(ctx, l) }()
	o.later(func() { cancel(); must(<-served) })
	return o, l.Addr().String(), nil
}

// logIn logs n panels in: by turns one who may observe and one who may not, none of whom the calls are.
func logIn(o *office, addr string, n int) (conns []net.Conn, err error) {
	for i := range n {
		who := fmt.Sprint("e", 2+i)
		conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", addr)
		if err != nil {
			return nil, err
		}
		o.later(func() { _ = conn.Close() })
		if _, err := fmt.Fprintf(conn, "Action: Login\r\nUsername: %s\r\nSecret: %s\r\n\r\n", who, o.token[who]); err != nil {
			return nil, err
		}
		got, err := until(conn, "Status: Fully Booted\r\n\r\n")
		if err != nil || !bytes.Contains(got, []byte("Response: Success")) {
			return nil, fmt.Errorf("%s is told %q: %w", who, got, err)
		}
		conns = append(conns, conn)
	}
	return conns, nil
}

// until reads up to a text.
func until(conn net.Conn, text string) (got []byte, err error) {
	must(conn.SetReadDeadline(time.Now().Add(30 * time.Second)))
	for one := make([]byte, 1); !bytes.HasSuffix(got, []byte(text)); got = append(got, one[0]) {
		if _, err := io.ReadFull(conn, one); err != nil {
			return got, err
		}
	}
	return got, conn.SetReadDeadline(time.Time{})
}

// recorded is what one who may observe and one who may not are told of a call, event by event.
func recorded() (told [2][][]byte, err error) {
	o, addr, err := newAMI()
	if err != nil {
		return told, err
	}
	defer o.close()
	conns, err := logIn(o, addr, len(told))
	if err != nil {
		return told, err
	}
	o.ingest(life(0, caller)...)
	for i := range told {
		all, err := until(conns[i], over)
		if err != nil {
			return told, err
		}
		for event := range bytes.SplitAfterSeq(all, []byte("\r\n\r\n")) {
			if len(event) != 0 {
				told[i] = append(told[i], event)
			}
		}
	}
	return told, nil
}

// telling makes calls one after the other, and waits for all panels whenever so many as may be are under way.
type telling struct {
	life func(i int)
	read chan struct{}
	made int
	of   int // panels
}

// read has each panel read what it is told, and tell when it has read all of so many calls as may be under way.
func read(conns []net.Conn, told [2][][]byte, life func(i int), o *office) *telling {
	t := &telling{life: life, read: make(chan struct{}, len(conns)), of: len(conns)}
	var readers sync.WaitGroup
	for i, conn := range conns {
		size := 0
		for _, e := range told[i&1] {
			size += callsAhead * len(e)
		}
		readers.Go(func() {
			buf := make([]byte, chunk)
			for got := 0; ; {
				n, err := conn.Read(buf)
				if err != nil {
					return // when all is over; if not, who waits for it says so
				}
				for got += n; got >= size; got -= size {
					t.read <- struct{}{}
				}
			}
		})
	}
	o.later(readers.Wait)
	for _, conn := range conns {
		o.later(func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	}
	return t
}

// do makes n calls, a multiple of those that may be under way.
func (t *telling) do(n int) {
	for range n {
		if t.life(t.made); t.made%callsAhead == callsAhead-1 {
			for range t.of {
				select {
				case <-t.read:
				case <-time.After(30 * time.Second):
					panic("a panel was not told of all calls")
				}
			}
		}
		t.made++
	}
}
