package gate_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"pgregory.net/rapid"
)

var staff = []string{"anna", "boris", "carl", "dora", "gus"}

// anyPolicy is a policy in which everybody's rights are drawn.
func anyPolicy(r *rapid.T) string {
	scope := func(name string) string {
		more := []string{}
		if name == "observe" {
			more = []string{"kind", "{to: department, show: kind, except: [carl]}"}
		}
		if name == "listen" {
			more = []string{"{to: any, reason: [anna, gus]}", "{to: any, allow: [spy, barge], except: [boris], reason: true}"}
		}
		return rapid.SampledFrom(append(more,
			"false", "true", "department", "{to: any, except: [boris]}", "{to: any, except: [anna, gus]}", "{only: [anna]}", "{only: [department:sales], except: [carl]}",
		)).Draw(r, name)
	}
	var b strings.Builder
	b.WriteString("version: 1\ndepartments: {sales: {name: Sales}, back: {name: \"Back <Office>\"}}\nemployees:\n")
	for i, id := range staff {
		fmt.Fprintf(&b, "  %s: {name: \"%s & Co\", phones: [PJSIP/10%d, PJSIP/11%d], numbers: [\"10%d\"], department: %s, observe: %s, listen: %s, intercept: %s, dial: %s, lock: true}\n",
			id, id, i+1, i+1, i+1, rapid.SampledFrom([]string{"sales", "back"}).Draw(r, "department"), scope("observe"), scope("listen"), scope("intercept"),
			rapid.SampledFrom([]string{"none", "any", "clients+employees", "{employees: true, except: {employees: [carl]}}"}).Draw(r, "dial"))
	}
	fmt.Fprintf(&b, "protected: {employees: [%s], numbers: [\"%s\"]}\n", rapid.SampledFrom([]string{"", "dora", "boris"}).Draw(r, "protected"), secret)
	b.WriteString(rapid.SampledFrom([]string{"", "unknown_phones: outside\n"}).Draw(r, "unknown") + "trunks: [PJSIP/trunk]\n")
	return b.String()
}

// ear is a subject with two streams, one read as JSON and one as messages.
type ear struct {
	plain, typed *watcher
	shown        map[string]string // by employee, the row that he was last shown
}

// hear takes what has come, holds the two streams against each other, and reports whether there were rows.
func (e *ear) hear(t *rapid.T, subject string) (rows int) {
	for _, m := range e.typed.all() {
		want, err := json.Marshal(m)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if err := e.plain.Wait(); err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
		got, ok := e.plain.Append([]byte("x"))
		if !ok || string(got) != "x"+string(want) {
			t.Fatalf("%s is sent\n%s, not\n%s", subject, got, want)
		}
		switch {
		case m.Board != nil:
			clear(e.shown)
			for _, row := range m.Board.Employees {
				data, _ := json.Marshal(row)
				e.shown[row.ID] = string(data)
			}
		case m.Employee != nil:
			data, _ := json.Marshal(m.Employee)
			if e.shown[m.Employee.ID] == string(data) {
				t.Fatalf("%s is sent again %s", subject, data)
			}
			e.shown[m.Employee.ID] = string(data)
			rows++
		}
	}
	if got, ok := e.plain.Append(nil); ok {
		t.Fatalf("%s is sent more: %s", subject, got)
	}
	return rows
}

// Rows are shared by all who see the same. Under any policy and in any order of events, what each watcher has been sent adds up, byte by byte and
// handle by handle, to what he would be shown if everything were decided and written for him alone.
func TestASharedRowIsTheRowThatEachWouldBeWrittenAlone(t *testing.T) {
	ends := []string{"PJSIP/101", "PJSIP/102", "PJSIP/103", "PJSIP/104", "PJSIP/105", "PJSIP/111", "PJSIP/999", ivanov, other, secret, "101"}
	legs := []string{"a", "b", "c", "d", "r.0", "r.1", "r.2"}
	rows, hidden, seen := 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		o := newOffice(t, anyPolicy(r))
		defer o.close()
		ears := map[string]*ear{}
		open := func(subject string) {
			ears[subject] = &ear{plain: o.stream(subject), typed: o.stream(subject), shown: map[string]string{}}
		}
		for _, subject := range []string{"anna", "boris", "carl", "gus"} {
			open(subject)
		}
		there := func(id string) bool { return o.ch(id).ID != "" }
		for range rapid.IntRange(1, 60).Draw(r, "n") {
			id, other := rapid.SampledFrom(legs).Draw(r, "leg"), rapid.SampledFrom(legs).Draw(r, "other")
			switch op := rapid.IntRange(0, 19).Draw(r, "op"); {
			case op <= 3 && !there(id):
				s := rapid.SampledFrom([]call.State{call.StateDown, call.StateRing, call.StateRinging, call.StateUp}).Draw(r, "state")
				o.leg(id, rapid.SampledFrom(ends).Draw(r, "who"), s, rapid.SampledFrom([]string{"", "102", "7"}).Draw(r, "exten"))
			case op == 4 && there(id):
				o.gone(id)
			case op <= 6 && there(id):
				o.state(id, rapid.SampledFrom([]call.State{call.StateRinging, call.StateUp}).Draw(r, "state"))
			case op <= 8 && there(id):
				o.enter(rapid.SampledFrom([]string{"x", "y"}).Draw(r, "bridge"), id)
			case op == 9 && there(id):
				o.leave(rapid.SampledFrom([]string{"x", "y"}).Draw(r, "bridge"), id)
			case op <= 11 && there(id) && there(other) && id != other:
				o.dial(id, other, "7")
			case op == 12 && there(id):
				o.ingest(call.Event{Kind: rapid.SampledFrom([]call.Kind{call.LegHeld, call.LegUnheld}).Draw(r, "hold"), Channel: o.ch(id)})
			case op == 13 && there(id):
				ch := o.ch(id)
				if number := call.Number(rapid.SampledFrom([]string{"", "102", secret, "777", ivanov}).Draw(r, "number")); rapid.Bool().Draw(r, "connected") {
					ch.Connected.Number = number
				} else {
					ch.Caller.Number = number
				}
				o.seen(ch)
			case op == 18:
				_, _ = o.gate.Lock(t.Context(), who(rapid.SampledFrom([]string{"anna", "boris"}).Draw(r, "locker")), gate.LockAsk{})
			case op == 19:
				for _, subject := range []string{"anna", "boris"} {
					locks, _ := o.gate.Locks(who(subject))
					for _, k := range locks {
						if err := o.gate.Unlock(t.Context(), who(subject), k.ID); err != nil {
							r.Fatal(err)
						}
					}
				}
			case op >= 16 && !there("r.0") && !there("r.1") && !there("r.2"):
				o.rings("r", rapid.SampledFrom([]string{ivanov, other, "PJSIP/103"}).Draw(r, "caller"), rapid.SampledFrom([][]string{{"PJSIP/101"}, {"PJSIP/101", "PJSIP/102"}, {"PJSIP/104", "PJSIP/105"}}).Draw(r, "rung")...)
			case op == 14:
				o.gate.SetPolicy(set(t, anyPolicy(r)))
			case op == 15:
				o.pass(1)
				if ears["dora"] == nil {
					open("dora") // who comes later is told no other thing
				}
			}
			for subject, e := range ears {
				rows += e.hear(r, subject)
				for _, row := range o.gate.Naive(subject) {
					want, err := json.Marshal(row)
					if err != nil {
						r.Fatalf("%v", err)
					}
					if e.shown[row.ID] != string(want) {
						r.Fatalf("%s has been shown\n%s, not\n%s", subject, e.shown[row.ID], want)
					}
					for _, c := range row.Calls {
						if c.Hidden {
							hidden++
						} else {
							seen++
						}
					}
				}
				board, err := o.gate.Employees(who(subject))
				if err != nil {
					r.Fatalf("%v", err)
				}
				if !slices.EqualFunc(board.Employees, o.gate.Naive(subject), same) {
					r.Fatalf("%s asks and is answered otherwise", subject)
				}
			}
		}
	})
	if rows < 100 || hidden < 100 || seen < 100 {
		t.Fatalf("%d rows were sent, %d calls hidden and %d seen: too few to say anything", rows, hidden, seen)
	}
}

func same[A, B any](a A, b B) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// stream opens a stream and leaves its snapshot to be read.
func (o *office) stream(subject string) *watcher {
	w, err := o.gate.Watch(who(subject))
	if err != nil {
		o.t.Fatal(err)
	}
	return &watcher{Watcher: w, t: o.t}
}

// Nobody's bytes may depend on who else watches, and what is put into a queue must not cost memory for each who has one.
func TestTellingManyAllocatesForTheRowAndNotForTheWatcher(t *testing.T) {
	each := func(watchers int) float64 {
		o := newOffice(t, company(20))
		o.talk("x", ivanov, "PJSIP/1000")
		var all []*watcher
		for i := range watchers {
			all = append(all, o.stream(fmt.Sprint("e", 2+i%18)))
		}
		events := [2]call.Event{{Kind: call.LegHeld, Channel: call.Channel{ID: "x.1"}, At: start}, {Kind: call.LegUnheld, Channel: call.Channel{ID: "x.1"}, At: start}}
		buf, i := make([]byte, 0, 64<<10), 0
		tell := func() {
			o.feed.Ingest(&events[i%2])
			i++
			for _, w := range all {
				buf = buf[:0]
				ok := true
				for n := 0; ok; n++ {
					if buf, ok = w.Append(buf); !ok && n == 0 {
						t.Fatal("nobody was told")
					}
				}
			}
		}
		for range 20 {
			tell() // the snapshots, and memory that is used again
		}
		return testing.AllocsPerRun(200, tell)
	}
	few, many := each(18), each(180)
	if many > few+1 || few > 20 {
		t.Errorf("%v allocations for an event told to 18, %v to 180", few, many)
	}
	t.Logf("%v and %v", few, many)
}

// What he sees as the one responsible for a client goes when the caller turns out to be another, though nothing else about the call is new.
func TestTheOneResponsibleNoLongerSeesACallerWhoIsNotHisClient(t *testing.T) {
	o := newOffice(t, house)
	o.rings("x", ivanov, "PJSIP/102")
	w := o.watch("gus")
	if c := o.row("gus", "boris").Calls[0]; c.Hidden || c.Peer == nil {
		t.Fatalf("%+v", c)
	}
	ch := o.ch("x.0")
	ch.Caller.Number = other
	o.seen(ch)
	if m := w.next(); m.Employee == nil || !m.Employee.Calls[0].Hidden || m.Employee.Calls[0].Peer != nil {
		t.Fatalf("%+v", m.Employee)
	}
}
