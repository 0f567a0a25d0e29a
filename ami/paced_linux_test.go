package ami

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/processor"
)

// pace is so many panels, each of which is sent so many events a second.
type pace struct {
	Panels, Rate, Events int
	Login                bool
	Addr                 string

	check func() error // whether a panel has been cut off
}

// paced is what came of it.
type paced struct {
	CPU            time.Duration // of the sending process, for each delivery
	Half, Most     time.Duration // from the moment an event was made until a panel had it: the median and the 99th percentile
	Worst          time.Duration
	Behind         time.Duration // how much later than planned the last event was made
	Readers        time.Duration // CPU of the reading process, for each delivery
	Writes, Events int64
}

// The window of the AMI door, which agent/amiproxy has too.
const doorWindow = 4 * time.Millisecond

// keptPanels are about as many as the usual broadcaster keeps the pace with on two cores.
const keptPanels = 300

// What is aimed at: the part of the broadcaster's CPU for a delivery, and how late one in a hundred may be.
const (
	mostCPU  = 0.5
	mostLate = 8 * time.Millisecond
)

// TestPacedFanOut sends events at an even pace to panels in a process of their own, by sessions and by the usual broadcaster that writes once for each
// event and connection, and holds what it costs and how late it is. Everybody gets everything. What is counted is the CPU of the sending process, where
// all that the kernel does for its writes belongs, and the readers' beside it.
//
// With EARSHOT_CAMPAIGN=1 there are 1,000 panels and 1,000 events a second, in rounds, and what is aimed at has to be reached. On two cores the broadcaster
// does not keep that pace: it is some tenths of a second behind then, the kernel joins what it could not send yet, and a write costs what it costs in a
// burst, now about half and now two thirds of what it costs at a pace. So there are fewer panels too, where both keep the pace, and its cost is that of
// the most panels with which it does; what it costs while it is behind is told beside it.
func TestPacedFanOut(t *testing.T) {
	campaign := os.Getenv("EARSHOT_CAMPAIGN") != ""
	p, rounds := pace{Panels: 20, Rate: 500, Events: 250}, 1
	if campaign {
		p, rounds = pace{Panels: 1000, Rate: 1000, Events: 10_000}, 3
	}
	for _, name := range []string{"EARSHOT_PANELS", "EARSHOT_RATE"} { // other sizes, to see where a machine's limit is
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			if name == "EARSHOT_PANELS" {
				p.Panels = n
			} else {
				p.Rate, p.Events = n, 10*n
			}
		}
	}
	sizes := []int{p.Panels}
	if campaign && p.Panels > keptPanels {
		sizes = []int{keptPanels, p.Panels}
	}
	var floor time.Duration // of a write each, where that keeps the pace
	for _, p.Panels = range sizes {
		ours, usual := p.measure(t, rounds)
		if usual.Half <= mostLate {
			floor = usual.CPU
		}
		t.Logf("%d panels: CPU for a delivery: %.2f of one write for each event and connection in the same rounds, with the readers' %.2f; 99%% within %s", p.Panels,
			float64(ours.CPU)/float64(usual.CPU), float64(ours.CPU+ours.Readers)/float64(usual.CPU+usual.Readers), ours.Most)
		if !campaign {
			continue
		}
		if floor == 0 {
			t.Fatalf("one write each keeps the pace with none of %v panels: there is nothing to compare with", sizes)
		}
		ratio := float64(ours.CPU) / float64(floor)
		t.Logf("%d panels: CPU for a delivery: %.2f of one write each that keeps the pace", p.Panels, ratio)
		if ratio > mostCPU {
			t.Errorf("%d panels: it takes %.2f of the CPU, and not %.2f", p.Panels, ratio, mostCPU)
		}
		if ours.Most > mostLate {
			t.Errorf("%d panels: one in a hundred is later than %s", p.Panels, ours.Most)
		}
	}
}

// measure returns the medians of some rounds, of each figure by itself.
func (p pace) measure(t *testing.T, rounds int) (ours, usual paced) {
	t.Helper()
	t.Logf("%d panels, %d events a second, of 440 bytes", p.Panels, p.Rate)
	var all [2][]paced
	for range rounds {
		for i, name := range []string{"sessions", "one write each"} {
			send := pacedSessions
			if i == 1 {
				send = pacedWrites
			}
			r := send(t, p)
			all[i] = append(all[i], r)
			t.Logf("%-15s %6d ns of CPU for a delivery (readers %d), %4.1f events in a write; a panel has it after %s, 99%% %s, at worst %s; the last was made %s late", name,
				r.CPU.Nanoseconds(), r.Readers.Nanoseconds(), float64(r.Events)/float64(max(r.Writes, 1)), r.Half, r.Most, r.Worst, r.Behind)
		}
	}
	median := func(of []paced, figure func(*paced) *time.Duration) time.Duration {
		var each []time.Duration
		for i := range of {
			each = append(each, *figure(&of[i]))
		}
		slices.Sort(each)
		return each[len(each)/2]
	}
	for _, figure := range []func(*paced) *time.Duration{
		func(r *paced) *time.Duration { return &r.CPU },
		func(r *paced) *time.Duration { return &r.Readers },
		func(r *paced) *time.Duration { return &r.Half },
		func(r *paced) *time.Duration { return &r.Most },
	} {
		*figure(&ours), *figure(&usual) = median(all[0], figure), median(all[1], figure)
	}
	return ours, usual
}

// pacedSessions sends by sessions, to every other one the masked form.
func pacedSessions(t *testing.T, p pace) paced {
	var events, writes atomic.Int64
	s := serve(t, ServerConfig{
		MaxPending: p.Panels, MaxPerAddr: p.Panels, MaxSessions: p.Panels, Window: doorWindow,
		Observer: Observer{Wrote: func(n, _ int) {
			if n > 0 {
				events.Add(int64(n))
				writes.Add(1)
			}
		}},
	})
	p.Addr, p.Login = s.addr, true
	read := readers(t, p)
	sessions := make([]*Session, p.Panels)
	for i := range sessions {
		sessions[i] = <-s.logins
	}
	p.check = func() error {
		for _, session := range sessions {
			if err := session.Err(); err != nil {
				return err
			}
		}
		return nil
	}
	r := p.send(t, read, func(forms [2]*Prepared) {
		for i, session := range sessions {
			if !session.Send(forms[i&1]) {
				t.Fatalf("a panel is cut off: %v", session.Err())
			}
		}
	})
	r.Events, r.Writes = events.Load(), writes.Load()
	return r
}

// pacedWrites is the usual broadcaster.
func pacedWrites(t *testing.T, p pace) paced {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p.Addr = l.Addr().String()
	read := readers(t, p)
	queues := make([]chan []byte, p.Panels)
	var writers sync.WaitGroup
	for i := range queues {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		queue := make(chan []byte, p.Events)
		queues[i] = queue
		writers.Go(func() {
			defer conn.Close()
			for wire := range queue {
				if _, err := conn.Write(wire); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	r := p.send(t, read, func(forms [2]*Prepared) {
		for i, queue := range queues {
			queue <- forms[i&1].wire
		}
	})
	for _, queue := range queues {
		close(queue)
	}
	writers.Wait()
	r.Events = int64(p.Panels * p.Events)
	r.Writes = r.Events
	return r
}

const (
	sentField = "Sent: "
	sentWidth = 19
)

// made are the forms of an event that says when it was made, behind its first line.
func made(t *testing.T) (forms [2]*Prepared) {
	t.Helper()
	now := fmt.Sprintf("%0*d", sentWidth, time.Now().UnixNano())
	for i, number := range []string{"+79160000001", "------------"} {
		m := NewEvent("Newstate", ClassCall)
		m.Append("Sent", now)
		for _, name := range []string{"Channel", "ConnectedLineNum", "CallerIDNum", "Exten", "Context", "Uniqueid", "Linkedid", "ConnectedLineName", "CallerIDName"} {
			m.Append(name, number+"/0123456789")
		}
		m.Append("AccountCode", strings.Repeat("x", 20))
		p, err := Prepare(m)
		if err != nil {
			t.Fatal(err)
		}
		forms[i] = p
	}
	return forms
}

// send makes the events at their times and waits until all are read.
func (p pace) send(t *testing.T, read *reading, hand func([2]*Prepared)) paced {
	t.Helper()
	hand(made(t)) // the way is open
	read.await(t, 1, p.check)
	before, began := processor.Used(t), time.Now()
	var behind time.Duration
	for i := range p.Events {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(p.Rate))
		time.Sleep(time.Until(due))
		behind = time.Since(due)
		hand(made(t))
	}
	read.await(t, 1+p.Events, p.check)
	deliveries := time.Duration(p.Panels * p.Events)
	r := read.end(t)
	r.CPU, r.Behind = (processor.Used(t)-before)/deliveries, behind
	r.Readers /= deliveries
	return r
}

// reading is the process of the panels: it is asked for a line once everybody has read so many events, and for figures in the end.
type reading struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func readers(t *testing.T, p pace) *reading {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	r := &reading{cmd: exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestPacedReaders$")}
	r.cmd.Env = append(os.Environ(), "EARSHOT_READERS="+string(text), "GORACE=halt_on_error=1")
	r.cmd.Stderr = os.Stderr
	if r.in, err = r.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.out = bufio.NewScanner(out)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *reading) await(t *testing.T, n int, check func() error) {
	t.Helper()
	if _, err := fmt.Fprintln(r.in, n); err != nil {
		t.Fatal(err)
	}
	said := make(chan bool, 1)
	go func() { said <- r.out.Scan() }()
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case ok := <-said:
			if !ok || r.out.Text() != strconv.Itoa(n) {
				t.Fatalf("the readers say %q, %v", r.out.Text(), r.out.Err())
			}
			return
		case <-look.C:
			if check == nil {
				continue
			}
			if err := check(); err != nil {
				t.Fatalf("a panel is cut off: %v", err)
			}
		}
	}
}

func (r *reading) end(t *testing.T) (p paced) {
	t.Helper()
	if err := r.in.Close(); err != nil {
		t.Fatal(err)
	}
	if !r.out.Scan() {
		t.Fatalf("the readers say nothing: %v", r.out.Err())
	}
	if err := json.Unmarshal(r.out.Bytes(), &p); err != nil {
		t.Fatalf("the readers say %q: %v", r.out.Text(), err)
	}
	for r.out.Scan() {
	}
	if err := r.cmd.Wait(); err != nil {
		t.Fatalf("the readers: %v", err)
	}
	return p
}
