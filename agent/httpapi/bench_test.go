package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbxtest/processor"
)

const (
	employees = 100
	// ahead is how many changes may be under way: fewer than a watcher may be behind, so that nobody is cut off.
	ahead = 64
	// warmth is how many changes come before any is measured: so many that there has been one of each sort for each employee who is called.
	warmth = 128
	// least is what of the floor's rate is asked for.
	least = 0.75
)

// BenchmarkEventStream brings the changes of a busy board to many watchers over loopback TCP: calls come, are answered and end at a company of
// 100, of whom every other may observe. One op is one change, read by all. The floor is a broadcaster
// that writes each message once as JSON and sends the same bytes to all; it too writes whatever waits for a connection in one go. It begins
// where Earshot begins, at the PBX's events, and takes them into a table of calls, as without one nobody could say what has become of a row; but
// it makes no row and asks no policy: the messages are there before. The one beside it that is named told does not even follow the calls.
func BenchmarkEventStream(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("watchers=%d/earshot", n), func(b *testing.B) {
			stream(b, n, ahead)
			b.ReportMetric(least, "min-ratio")
		})
		b.Run(fmt.Sprintf("watchers=%d/floor", n), func(b *testing.B) { broadcast(b, n, ahead, follower()) })
		b.Run(fmt.Sprintf("watchers=%d/told", n), func(b *testing.B) { broadcast(b, n, ahead, func() {}) })
	}
}

// BenchmarkEventStreamAtRest is the same with one change under way at a time, as it is most of the day: nothing is ever behind, so there is
// one write for each message.
func BenchmarkEventStreamAtRest(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("watchers=%d/earshot", n), func(b *testing.B) { stream(b, n, 1) })
		b.Run(fmt.Sprintf("watchers=%d/floor", n), func(b *testing.B) { broadcast(b, n, 1, follower()) })
	}
}

// BenchmarkEventStreamDiscarded is the same without the network: what would be written is counted and thrown away. It is what the two differ in.
func BenchmarkEventStreamDiscarded(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("watchers=%d/earshot", n), func(b *testing.B) {
			w := newCompany(b)
			c := &crowd{b: b, ahead: ahead, told: make(chan struct{}, n), reads: make([]int, n), conns: make([]net.Conn, n)}
			for i := range n {
				var one *gate.Watcher
				who, err := w.tokens.Authenticate(b.Context(), auth.Credential{Token: w.token["panel"], Employee: fmt.Sprint("e", i%employees)})
				if err == nil {
					one, err = w.gate.Watch(who)
				}
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(one.Close)
				c.done.Go(func() {
					var frames []byte
					for one.Wait() == nil {
						var messages uint64
						frames, messages = httpapi.Collect(frames[:0], one)
						c.count(i, 1, int(messages))
					}
				})
				c.leave = append(c.leave, one.Close)
			}
			c.wait()
			d := newDay()
			w.ingest(d.waiting...)
			measure(b, c, 1, func(int) { w.ingest(d.next()...) })
		})
		b.Run(fmt.Sprintf("watchers=%d/floor", n), func(b *testing.B) {
			messages := recorded(b)
			f := &floor{all: make(chan struct{})}
			close(f.all)
			c := &crowd{b: b, ahead: ahead, told: make(chan struct{}, n), reads: make([]int, n), conns: make([]net.Conn, n)}
			for i := range n {
				out := make(chan []byte, 512)
				f.out = append(f.out, out)
				c.done.Go(func() {
					drain(out, func(_ []byte, messages int) error {
						c.count(i, 0, messages)
						return nil
					})
				})
				c.leave = append(c.leave, func() { close(out) })
			}
			follow := follower()
			measure(b, c, 0, func(i int) {
				follow()
				m := messages[i%len(messages)]
				m.Seq = uint64(i + 1)
				f.send(b, m)
			})
		})
	}
}

func stream(b *testing.B, n, ahead int) {
	w := newCompany(b)
	web := httptest.NewServer(w.door)
	b.Cleanup(web.Close)
	c := newCrowd(b, n, 1, ahead, web.Listener.Addr().String(), w.token["panel"])
	c.wait() // for the snapshots
	d := newDay()
	w.ingest(d.waiting...)
	measure(b, c, 1, func(int) { w.ingest(d.next()...) })
}

// follower takes the events of the company's day into a table of calls, those of another change each time that it is called.
func follower() (follow func()) {
	table, d := call.NewTable(), newDay()
	apply := func(events []call.Event) {
		for i := range events {
			table.Apply(&events[i])
		}
	}
	apply([]call.Event{{Kind: call.Resynced, At: start, Snapshot: &call.Snapshot{}}})
	apply(d.waiting)
	return func() { apply(d.next()) }
}

// broadcast is the floor; follow is what it does with the PBX's events.
func broadcast(b *testing.B, n, ahead int, follow func()) {
	messages := recorded(b)
	f := newFloor(b, n)
	c := newCrowd(b, n, 0, ahead, f.web.Listener.Addr().String(), "")
	<-f.all
	measure(b, c, 0, func(i int) {
		follow()
		m := messages[i%len(messages)]
		m.Seq = uint64(i + 1)
		f.send(b, m)
	})
}

// measure makes changes, those of the warmth first, waiting for the crowd whenever so many as may be are under way, and for all of them in the end.
func measure(b *testing.B, c *crowd, before int, change func(i int)) {
	b.ReportAllocs()
	i := 0
	step := func() {
		change(i)
		if i++; i%c.ahead == 0 {
			c.wait()
		}
	}
	for i < warmth {
		step()
	}
	began := processor.Used(b)
	for b.Loop() {
		step()
	}
	deliveries := float64((i - warmth) * len(c.conns))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/deliveries, "ns/delivery")
	b.ReportMetric(float64((processor.Used(b)-began).Nanoseconds())/deliveries, "cpu-ns/delivery")
	for i%c.ahead != 0 {
		step()
	}
	c.check(before + i)
}

// newCompany is a world of 100 employees e0, e1, …; the even ones may observe all, and all may spy on all.
func newCompany(t testing.TB) *world {
	// Its clients answer no ping: who had been there for 30 s would be cut off, as somebody who has gone.
	w := newWorld(t, func(c *httpapi.Config) { c.PingInterval = time.Hour })
	var b strings.Builder
	b.WriteString("version: 1\ndepartments: {sales: {name: Sales}}\nemployees:\n")
	for i := range employees {
		fmt.Fprintf(&b, "  e%d: {name: Employee %d, phones: [PJSIP/%d], numbers: [\"%d\"], department: sales, observe: %v, listen: true, intercept: true}\n",
			i, i, 1000+i, 1000+i, i%2 == 0)
	}
	b.WriteString("trunks: [PJSIP/trunk]\n")
	w.gate.SetPolicy(w.policy(b.String()))
	token, hash := auth.NewToken()
	w.token["panel"] = token
	if err := auth.AddToken(w.file, auth.Entry{Panel: "crm", ActsFor: []string{auth.Everyone}, Hash: hash}); err != nil {
		t.Fatal(err)
	}
	if err := w.tokens.Reload(); err != nil {
		t.Fatal(err)
	}
	return w
}

// day is what happens at the company: customers wait, and one after the other rings at an employee's, who answers; the call that was answered
// ten calls ago ends. Each is one change, of which the PBX tells by one event, but for a call that comes: there the leg is told of before it
// is dialled.
type day struct {
	waiting []call.Event
	calls   [40]struct{ rings, talks, ends, holds []call.Event }
	step    int
}

func newDay() *day {
	d := &day{}
	for i := range d.calls {
		id, endpoint, exten := fmt.Sprint(i), fmt.Sprintf("PJSIP/%d", 1000+2*i), fmt.Sprint(1000+2*i)
		o := outside{fmt.Sprintf("Caller %d", i), fmt.Sprintf("+7916%07d", i)}
		rings, talks, ends := o.rings(id, endpoint, exten, 10), o.talks(id, endpoint, exten, 15), ends(id, 20)
		d.waiting = append(d.waiting, rings[0])
		c := &d.calls[i]
		c.rings, c.talks, c.ends = rings[1:3], talks[:1], ends[2:3]
		c.holds = []call.Event{{Kind: call.LegHeld, Channel: talks[0].Channel, At: at(17)}}
	}
	return d
}

// next is what the PBX tells of the next change.
func (d *day) next() []call.Event {
	round, kind := d.step/3, d.step%3
	d.step++
	c := &d.calls[round%len(d.calls)]
	switch {
	case kind == 0:
		// The ids come again, as those of other channels.
		created := start.Add(time.Duration(round) * time.Millisecond)
		c.rings[0].Channel.Created, c.rings[1].Peer.Created, c.talks[0].Channel.Created = created, created, created
		return c.rings
	case kind == 1:
		return c.talks
	case round < 10:
		return c.holds
	}
	return d.calls[(round-10)%len(d.calls)].ends
}

// recorded are the messages of the script as watchers get them, in turn of one who may observe and of one who may not.
func recorded(t testing.TB) []gate.Message {
	w := newCompany(t)
	web := httptest.NewServer(w.door)
	t.Cleanup(web.Close)
	watchers := [2]*watcher{w.watchAs("e0"), w.watchAs("e1")}
	for _, r := range watchers {
		r.next()
	}
	s := newDay()
	w.ingest(s.waiting...)
	var out []gate.Message
	for i := range 3 * len(s.calls) {
		w.ingest(s.next()...)
		for k, r := range watchers {
			if m := r.next(); k == i%2 {
				out = append(out, m)
			}
		}
	}
	return out
}

// TestTheBenchmarksWatchersAreToldTheTruth plays the script of the benchmark to all who are in it: each gets one message for each change, and
// what they have been told adds up to the board.
func TestTheBenchmarksWatchersAreToldTheTruth(t *testing.T) {
	w := newCompany(t)
	s := newDay()
	w.ingest(s.waiting...)
	var watchers []*watcher
	for i := range employees {
		r := w.watchAs(fmt.Sprint("e", i))
		r.next()
		watchers = append(watchers, r)
	}
	told := make([]map[string]mask.Row, employees)
	const steps = 150
	for range steps {
		w.ingest(s.next()...)
	}
	for i, r := range watchers {
		told[i] = map[string]mask.Row{}
		for step := range steps {
			m := r.next()
			if m.Type != gate.MessageEmployee || m.Seq != uint64(step+2) {
				t.Fatalf("%+v", m)
			}
			told[i][m.Employee.ID] = *m.Employee
		}
	}
	hidden, seen := 0, 0
	for i := range watchers {
		var board gate.Board
		w.ask("panel", "GET", "/v1/employees", "", "X-Earshot-Employee", fmt.Sprint("e", i)).decode(t, &board)
		for _, row := range board.Employees {
			for _, v := range row.Calls {
				if v.Hidden {
					hidden++
				} else {
					seen++
				}
			}
			got, ok := told[i][row.ID]
			if !ok {
				continue // nobody has called him yet
			}
			a, _ := json.Marshal(got)
			if b, _ := json.Marshal(row); string(a) != string(b) {
				t.Fatalf("e%d was told\n%s of what is\n%s", i, a, b)
			}
		}
	}
	if hidden == 0 || seen == 0 {
		t.Fatalf("%d calls hidden and %d seen", hidden, seen)
	}
}
