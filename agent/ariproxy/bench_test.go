package ariproxy_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/ariproxy"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/audience"
)

const (
	// ahead is how many calls may be under way to the panels: fewer than anybody may be behind, so that nobody is cut off.
	ahead = 16
	// least is what of the rate of a plain broadcaster is asked for: the WebSocket's own work for each message is the difference.
	least = 0.5
	// chunk is about what one write hands over, here as at the door.
	chunk = 32 << 10
)

// BenchmarkEventDelivery brings calls from the PBX's events to panels whose event streams are open over loopback TCP: a call comes in, is answered and
// ends. Every other panel may observe, the others are told of a hidden call; each has handles of its own. One op is one call, told to all and read by all.
//
// The floor is a plain broadcaster in the place of the door's streams. Two panels are the door's there too, one of each kind, so that everything is
// applied, decided and made events of; to all others it sends what those were told once, the same frames for all of a kind. For each connection it has a
// queue of frames, and a goroutine that writes whatever waits in one go, as streams do.
func BenchmarkEventDelivery(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("sessions=%d/earshot", n), func(b *testing.B) {
			w, people := office(b)
			measure(b, open(b, w, people, n), recorded(b), func(i int) { w.ingest(life(i)...) })
			if n >= 100 {
				b.ReportMetric(least, "min-ratio")
			}
		})
		b.Run(fmt.Sprintf("sessions=%d/floor", n), func(b *testing.B) { broadcast(b, n) })
	}
}

// office is a world of a hundred employees, of whom the even ones may observe.
func office(b *testing.B) (w *world, people []string) {
	var p strings.Builder
	p.WriteString("version: 1\nemployees:\n")
	for i := range 100 {
		people = append(people, fmt.Sprint("e", i))
		fmt.Fprintf(&p, "  e%d: {name: Employee %d, phones: [PJSIP/%d], numbers: [\"%d\"], observe: %v}\n", i, i, 1000+i, 1000+i, i%2 == 0)
	}
	return newWorldOf(b, p.String()+"trunks: [PJSIP/trunk]\n", people, func(c *ariproxy.Config) {
		c.PerEmployee, c.MaxSessions = 1000, 2000
		c.Recheck = time.Hour // the clients count bytes, and answer no ping: who had been there for 30 s would be cut off, as somebody who has gone
	}), people
}

// life is all that the PBX tells of one call.
func life(i int) (events []call.Event) {
	w := &world{collect: &events}
	id := fmt.Sprintf("%08d", i)
	w.talks(id, "Ivanov", "+4915550001", "PJSIP/1000")
	w.hangsUp(id)
	return events
}

// open opens n streams: by turns of one who may observe and of one who may not.
func open(b *testing.B, w *world, people []string, n int) (conns []net.Conn) {
	for i := range n {
		who := people[2+i%(len(people)-2)] // whose call it is none is
		conn, err := net.Dial("tcp", w.addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		fmt.Fprintf(conn, "GET /ari/events?app=app%04d&subscribeAll=true HTTP/1.1\r\nHost: x\r\n%s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", i, w.by(who))
		var head []byte
		for one := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, one[0]) {
			if _, err := io.ReadFull(conn, one); err != nil {
				b.Fatalf("%v behind %s", err, head)
			}
		}
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
			b.Fatalf("%s is answered by %s", who, head)
		}
		conns = append(conns, conn)
	}
	return conns
}

// recorded is what one who may observe and one who may not are told of a call, frame by frame.
func recorded(b *testing.B) (told [2][][]byte) {
	w, people := office(b)
	conns := open(b, w, people, 2)
	w.ingest(life(0)...)
	for i, conn := range conns {
		r := bufio.NewReader(conn)
		for last := []byte(nil); !bytes.Contains(last, []byte("NOT_INUSE")); told[i] = append(told[i], last) {
			head := make([]byte, 4)
			if _, err := io.ReadFull(r, head); err != nil || head[0] != 0x81 || head[1] != 126 {
				b.Fatalf("a frame begins with %v: %v", head, err)
			}
			last = append(head, make([]byte, binary.BigEndian.Uint16(head[2:]))...)
			if _, err := io.ReadFull(r, last[4:]); err != nil {
				b.Fatal(err)
			}
		}
	}
	return told
}

// broadcast is the floor.
func broadcast(b *testing.B, n int) {
	w, people := office(b)
	conns, told := open(b, w, people, 2), recorded(b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	queues := make([]chan []byte, n-len(conns))
	var writers sync.WaitGroup
	for i := range queues {
		conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		conns = append(conns, conn)
		theirs, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		queues[i] = make(chan []byte, 2*ahead*len(told[0]))
		writers.Go(func() {
			defer func() { _ = theirs.Close() }()
			drain(b, theirs, queues[i])
		})
	}
	measure(b, conns, told, func(i int) {
		w.ingest(life(i)...)
		for e := range told[0] {
			for i, queue := range queues {
				if all := told[i&1]; e < len(all) {
					queue <- all[e]
				}
			}
		}
	})
	for i, queue := range queues {
		close(queue)
		_ = conns[2+i].Close()
	}
	writers.Wait()
}

// drain writes what is in a queue.
func drain(b *testing.B, conn net.Conn, queue <-chan []byte) {
	buf := make([]byte, 0, 2*chunk)
	for frame := range queue {
		buf = append(buf[:0], frame...)
		for more := true; more && len(buf) < chunk; {
			select {
			case frame, more = <-queue:
				if more {
					buf = append(buf, frame...)
				}
			default:
				more = false
			}
		}
		if _, err := conn.Write(buf); err != nil {
			b.Error(err)
			_ = conn.Close()  // so that nobody waits for what would come behind it
			for range queue { // nor for room in the queue
			}
		}
	}
}

// measure makes calls, waiting for all panels whenever so many as may be are under way.
func measure(b *testing.B, conns []net.Conn, told [2][][]byte, life func(i int)) {
	size := [2]int{}
	for i := range told {
		for _, e := range told[i] {
			size[i] += len(e)
		}
	}
	a := audience.New(conns, func(i int) int { return ahead * size[i&1] })
	made := 0
	step := func() {
		if life(made); made%ahead == ahead-1 {
			if err := a.Wait(); err != nil {
				b.Fatal(err)
			}
		}
		made++
	}
	for made < 4*ahead { // queues have grown
		step()
	}
	b.ReportAllocs()
	before := made
	for b.Loop() {
		step()
	}
	deliveries := 0.0
	for i := range conns {
		deliveries += float64((made - before) * len(told[i&1]))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/deliveries, "ns/delivery")
	for made%ahead != 0 {
		step()
	}
	if err := a.Leave(); err != nil {
		b.Fatal(err)
	}
}
