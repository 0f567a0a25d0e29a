package ami

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest/audience"
	"github.com/earshot-pbx/earshot/agent/pbxtest/processor"
)

const (
	// ahead is how many events may be under way in a benchmark: a few batches, far fewer than a client may be behind.
	ahead = 128
	// Least is what of the rate of a plain broadcaster is asked for, leastTimes how often that of one write for each event.
	least, leastTimes = 0.75, 3
)

// BenchmarkFanOut sends events of 440 bytes to many clients over loopback TCP, who read at once; every other one gets
// the masked form of an event. One op is one event, sent to all and read by all. The floor is a plain broadcaster: a
// queue of bytes and a goroutine for each connection, that writes whatever is waiting in one go, as sessions do; it
// knows nothing of masks, filters, limits and slow clients.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("sessions=%d/earshot", n), func(b *testing.B) {
			fanOut(b, n)
			b.ReportMetric(least, "min-ratio")
			if n <= 100 { // with more, queues and buffers still grow for a while
				b.ReportMetric(0, "max-allocs")
			}
		})
		b.Run(fmt.Sprintf("sessions=%d/floor", n), func(b *testing.B) { broadcast(b, n, writeChunk) })
	}
}

// BenchmarkFanOutWrites is the same beside the usual broadcaster, which writes once for each event and connection.
func BenchmarkFanOutWrites(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("sessions=%d/earshot", n), func(b *testing.B) {
			fanOut(b, n)
			if n == 100 {
				b.ReportMetric(leastTimes, "min-ratio")
			}
		})
		b.Run(fmt.Sprintf("sessions=%d/floor", n), func(b *testing.B) { broadcast(b, n, 1) })
	}
}

// forms are an event as those see it who may observe, and as the others do, of the same length.
func forms(b *testing.B) (forms [2]*Prepared) {
	for i, number := range []string{"+79160000001", "------------"} {
		m := NewEvent("Newstate", ClassCall)
		for _, name := range []string{"Channel", "ConnectedLineNum", "CallerIDNum", "Exten", "Context", "Uniqueid", "Linkedid", "ConnectedLineName", "CallerIDName", "AccountCode"} {
			m.Append(name, number+"/0123456789")
		}
		p, err := Prepare(m)
		if err != nil {
			b.Fatal(err)
		}
		forms[i] = p
	}
	return forms
}

// BenchmarkFanOutFilled is BenchmarkFanOut of events with holes, which every session is sent with handles of its own.
func BenchmarkFanOutFilled(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("sessions=%d/earshot", n), func(b *testing.B) {
			fanOutFilled(b, n)
			if n == 100 { // with more, memory still grows for a while
				b.ReportMetric(least, "min-ratio")
			}
			if n <= 100 {
				b.ReportMetric(0, "max-allocs")
			}
		})
		b.Run(fmt.Sprintf("sessions=%d/floor", n), func(b *testing.B) { broadcast(b, n, writeChunk) })
	}
}

// BenchmarkFanOutFilledWrites is the same beside the usual broadcaster, which writes once for each event and connection.
func BenchmarkFanOutFilledWrites(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("sessions=%d/earshot", n), func(b *testing.B) {
			fanOutFilled(b, n)
			if n == 100 {
				b.ReportMetric(leastTimes, "min-ratio")
			}
		})
		b.Run(fmt.Sprintf("sessions=%d/floor", n), func(b *testing.B) { broadcast(b, n, 1) })
	}
}

// hollowForms are the forms of an event with three places for two handles of a session's own, as long as those without.
func hollowForms(b *testing.B) (forms [2]*Prepared) {
	const begin, width = "\x01handle", 21
	hole := func(i int) string { return fmt.Sprintf("%s%0*d", begin, width-len(begin), i) }
	builder := Builder{Holes: Holes{Width: width, Next: func(text []byte) (at, i int, ok bool) {
		at = bytes.Index(text, []byte(begin))
		if at < 0 {
			return 0, 0, false
		}
		return at, int(text[at+width-1] - '0'), true
	}}}
	for i, number := range []string{"+79160000001", "------------"} {
		m := NewEvent("Newstate", ClassCall)
		for _, name := range []string{"Channel", "ConnectedLineNum", "CallerIDNum", "Exten", "Context", "Uniqueid", "Linkedid", "ConnectedLineName", "CallerIDName", "AccountCode"} {
			switch name {
			case "Channel", "Uniqueid":
				m.Append(name, "/"+hole(0)+"/")
			case "Linkedid":
				m.Append(name, "/"+hole(1)+"/")
			default:
				m.Append(name, number+"/0123456789")
			}
		}
		if err := builder.Add(m); err != nil {
			b.Fatal(err)
		}
		forms[i] = builder.Done()
	}
	return forms
}

func fanOut(b *testing.B, n int) {
	events := forms(b)
	fan(b, n, events, func(_ int, s *Session, p *Prepared) bool { return s.Send(p) })
}

func fanOutFilled(b *testing.B, n int) {
	events := hollowForms(b)
	if plain := forms(b); events[0].Len() != plain[0].Len() || events[1].Len() != plain[1].Len() || len(events[0].holes) != 3 {
		b.Fatalf("one event has %d bytes, the other %d", events[0].Len(), plain[0].Len())
	}
	fills := make([][]byte, n)
	for i := range fills {
		fills[i] = fmt.Appendf(nil, "c%020dc%020d", i, i+n)
	}
	fan(b, n, events, func(i int, s *Session, p *Prepared) bool { return s.SendFilled(fills[i], p) })
}

// fan sends events to n sessions, to every other one the second form.
func fan(b *testing.B, n int, events [2]*Prepared, send func(i int, s *Session, p *Prepared) bool) {
	s := serve(b, ServerConfig{MaxPending: n, MaxPerAddr: n, MaxSessions: n})
	sessions := make([]*Session, n)
	conns := make([]net.Conn, n)
	for i := range n {
		r, session := s.login("")
		conns[i], sessions[i] = r.conn, session
	}
	spread(b, conns, events[0].Len(), func() {
		for i, session := range sessions {
			if !send(i, session, events[i&1]) {
				b.Fatal(session.Err())
			}
		}
	})
}

// broadcast is the floor; its writes are of at most limit bytes, or of one event.
func broadcast(b *testing.B, n, limit int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	events := forms(b)
	conns, queues := make([]net.Conn, n), make([]chan []byte, n)
	var writers sync.WaitGroup
	for i := range n {
		if conns[i], err = (&net.Dialer{}).DialContext(context.Background(), "tcp", l.Addr().String()); err != nil {
			b.Fatal(err)
		}
		conn, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		queue := make(chan []byte, 2*ahead)
		queues[i] = queue
		writers.Go(func() {
			defer conn.Close()
			buf := make([]byte, 0, writeChunk)
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
		})
	}
	spread(b, conns, len(events[0].wire), func() {
		for i, queue := range queues {
			queue <- events[i&1].wire
		}
	})
	for i, queue := range queues {
		close(queue)
		_ = conns[i].Close()
	}
	writers.Wait()
}

// spread sends events, waiting for all clients whenever so many as may be are under way.
func spread(b *testing.B, conns []net.Conn, size int, send func()) {
	a := audience.New(conns, func(int) int { return ahead * size })
	sent := 0
	step := func() {
		send()
		if sent++; sent%ahead == 0 {
			if err := a.Wait(); err != nil {
				b.Fatal(err)
			}
		}
	}
	for sent < 2*ahead { // queues have grown
		step()
	}
	b.ReportAllocs()
	began, before := processor.Used(b), sent
	for b.Loop() {
		step()
	}
	deliveries := float64((sent - before) * len(conns))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/deliveries, "ns/delivery")
	b.ReportMetric(float64((processor.Used(b)-began).Nanoseconds())/deliveries, "cpu-ns/delivery")
	for sent%ahead != 0 {
		step()
	}
	if err := a.Leave(); err != nil {
		b.Fatal(err)
	}
}
