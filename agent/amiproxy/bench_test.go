package amiproxy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/amiproxy"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/audience"
	"github.com/earshot-pbx/earshot/agent/pbxtest/processor"
)

const (
	// ahead is how many calls may be under way to the panels: fewer than anybody may be behind, so that nobody is cut off.
	ahead = 16
	// least is what of the rate of a plain broadcaster is asked for, leastTimes how often that of one write for each event.
	least, leastTimes = 0.75, 3
	// chunk is about what one write hands over, here as at the door.
	chunk = 64 << 10
)

// BenchmarkEventDelivery brings calls from the PBX's events to panels that are logged in over loopback TCP: a call comes in, is answered and ends. Every
// other panel may observe, the others are told of a hidden call; each has handles of its own. One op is one call, told to all and read by all.
//
// The floor is a plain broadcaster in the place of the door's sessions. Two panels are the door's there too, one of each kind, so that everything is
// applied, decided and made events of; to all others it sends what those were told once, the same bytes for all of a kind. For each connection it has
// a queue of bytes, and a goroutine that writes whatever waits in one go, as sessions do.
func BenchmarkEventDelivery(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("sessions=%d/earshot", n), func(b *testing.B) {
			stream(b, n)
			if n >= 100 {
				b.ReportMetric(least, "min-ratio")
			}
		})
		b.Run(fmt.Sprintf("sessions=%d/floor", n), func(b *testing.B) { broadcastBeside(b, n, chunk) })
	}
}

// BenchmarkEventStream is the whole road beside a plain broadcaster that only takes the events of the PBX into a table of calls, as without one nobody
// could say what they mean: it asks no policy and makes no event, but sends to each kind of panel what was recorded from the door before. With few
// panels, what is done once for all is most of the difference, and no ratio is asked for.
func BenchmarkEventStream(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("sessions=%d/earshot", n), func(b *testing.B) {
			stream(b, n)
			if n > 100 {
				b.ReportMetric(least, "min-ratio")
			}
		})
		b.Run(fmt.Sprintf("sessions=%d/floor", n), func(b *testing.B) { broadcast(b, n) })
	}
}

// BenchmarkEventDeliveryWrites is BenchmarkEventDelivery beside the usual broadcaster, which writes once for each event and connection.
func BenchmarkEventDeliveryWrites(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("sessions=%d/earshot", n), func(b *testing.B) {
			stream(b, n)
			if n >= 100 {
				b.ReportMetric(leastTimes, "min-ratio")
			}
		})
		b.Run(fmt.Sprintf("sessions=%d/floor", n), func(b *testing.B) { broadcastBeside(b, n, 1) })
	}
}

// crew is a policy of n employees e0, e1, …, of whom the even ones may observe; it returns their names too.
func crew(n int) (policy string, people []string) {
	var b strings.Builder
	b.WriteString("version: 1\nemployees:\n")
	for i := range n {
		people = append(people, fmt.Sprint("e", i))
		fmt.Fprintf(&b, "  e%d: {name: Employee %d, phones: [PJSIP/%d], numbers: [\"%d\"], observe: %v}\n", i, i, 1000+i, 1000+i, i%2 == 0)
	}
	return b.String() + "trunks: [PJSIP/trunk]\n", people
}

// called is who is called all the time.
const called = "PJSIP/1000"

// life is all that the PBX tells of one call.
func life(i int) (events []call.Event) {
	w := &world{collect: &events}
	id := fmt.Sprintf("%08d", i)
	w.talks(id, "Ivanov", "+4915550001", called)
	w.hangsUp(id)
	return events
}

// panels are clients that are logged in: by turns one who may observe and one who may not.
type panels struct {
	b     *testing.B
	conns []net.Conn
}

// logIn logs n panels in at a door whose people those of the crew are.
func logIn(b *testing.B, w *world, people []string, n int) *panels {
	p := &panels{b: b}
	for i := range n {
		who := people[2+i%(len(people)-2)] // whose call it is none is
		conn, err := net.Dial("tcp", w.addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = conn.Close() })
		fmt.Fprintf(conn, "Action: Login\r\nUsername: %s\r\nSecret: %s\r\n\r\n", who, w.token[who])
		if got := until(b, conn, "Status: Fully Booted\r\n\r\n"); !bytes.Contains(got, []byte("Response: Success")) {
			b.Fatalf("%s is told\n%s", who, got)
		}
		p.conns = append(p.conns, conn)
	}
	return p
}

// until reads up to a text.
func until(b *testing.B, conn net.Conn, text string) []byte {
	b.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	var got []byte
	for one := make([]byte, 1); !bytes.HasSuffix(got, []byte(text)); got = append(got, one[0]) {
		if _, err := io.ReadFull(conn, one); err != nil {
			b.Fatalf("%v behind\n%s", err, got)
		}
	}
	_ = conn.SetReadDeadline(time.Time{})
	return got
}

// crowd lets one employee have all the sessions of a benchmark.
func crowd(cfg *amiproxy.Config) { cfg.PerEmployee = 100_000 }

// over is the end of what is told of a call.
const over = "StatusText: Idle\r\n\r\n"

// recorded is what one who may observe and one who may not are told of a call, event by event.
func recorded(b *testing.B) (told [2][][]byte) {
	policy, people := crew(100)
	w := newWorldOf(b, policy, people, crowd)
	p := logIn(b, w, people, 2)
	w.ingest(life(0)...)
	for i := range told {
		for event := range bytes.SplitAfterSeq(until(b, p.conns[i], over), []byte("\r\n\r\n")) {
			if len(event) != 0 {
				told[i] = append(told[i], event)
			}
		}
	}
	return told
}

func stream(b *testing.B, n int) {
	told := recorded(b)
	policy, people := crew(100)
	w := newWorldOf(b, policy, people, crowd)
	p := logIn(b, w, people, n)
	p.measure(told, func(i int) { w.ingest(life(i)...) })
}

// broadcast is the floor that has a table of calls.
func broadcast(b *testing.B, n int) {
	table := call.NewTable()
	table.Apply(&call.Event{Kind: call.Resynced, At: start, Snapshot: &call.Snapshot{}})
	send(&panels{b: b}, n, chunk, func(i int) {
		events := life(i)
		for i := range events {
			table.Apply(&events[i])
		}
	})
}

// broadcastBeside is the floor that has a gate, and the door for two of the panels; its writes are of at most limit bytes, or of one event.
func broadcastBeside(b *testing.B, n, limit int) {
	policy, people := crew(100)
	w := newWorldOf(b, policy, people, crowd)
	send(logIn(b, w, people, 2), n-2, limit, func(i int) { w.ingest(life(i)...) })
}

// send adds n panels to those that are there, and has them sent what was recorded of a call whenever one has been applied.
func send(p *panels, n, limit int, apply func(i int)) {
	b := p.b
	told := recorded(b)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	there := len(p.conns) // an even number
	queues := make([]chan []byte, n)
	var writers sync.WaitGroup
	for i := range n {
		conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		p.conns = append(p.conns, conn)
		theirs, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		queue := make(chan []byte, 2*ahead*len(told[0]))
		queues[i] = queue
		writers.Go(func() {
			defer func() { _ = theirs.Close() }()
			drain(b, theirs, queue, limit)
		})
	}
	p.measure(told, func(i int) {
		apply(i)
		for e := range max(len(told[0]), len(told[1])) {
			for i, queue := range queues {
				if all := told[i&1]; e < len(all) {
					queue <- all[e]
				}
			}
		}
	})
	for i, queue := range queues {
		close(queue)
		_ = p.conns[there+i].Close()
	}
	writers.Wait()
}

// drain writes what is in a queue.
func drain(b *testing.B, conn net.Conn, queue <-chan []byte, limit int) {
	buf := make([]byte, 0, chunk)
	for wire := range queue {
		buf = append(buf[:0], wire...)
		for open := true; open && len(buf)+len(wire) <= limit; {
			select {
			case wire, open = <-queue:
				buf = append(buf, wire...)
				continue
			default:
			}
			break
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
func (p *panels) measure(told [2][][]byte, life func(i int)) {
	b := p.b
	size, events := [2]int{}, [2]int{}
	for i := range told {
		events[i] = len(told[i])
		for _, e := range told[i] {
			size[i] += len(e)
		}
	}
	a := audience.New(p.conns, func(i int) int { return ahead * size[i&1] })
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
	began, before := processor.Used(b), made
	for b.Loop() {
		step()
	}
	deliveries := 0.0
	for i := range p.conns {
		deliveries += float64((made - before) * events[i&1])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/deliveries, "ns/delivery")
	b.ReportMetric(float64((processor.Used(b)-began).Nanoseconds())/deliveries, "cpu-ns/delivery")
	for made%ahead != 0 {
		step()
	}
	if err := a.Leave(); err != nil {
		b.Fatal(err)
	}
}
