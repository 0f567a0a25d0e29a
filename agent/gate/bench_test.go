package gate_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// company is a policy of n employees e0, e1, …; the even ones see all but e1, the odd ones nothing, and all may spy.
func company(n int) string {
	var b strings.Builder
	b.WriteString("version: 1\nemployees:\n")
	for i := range n {
		observe := "false"
		if i%2 == 0 {
			observe = "{to: any, except: [e1]}"
		}
		fmt.Fprintf(&b, "  e%d: {phones: [PJSIP/%d], numbers: [\"%d\"], observe: %s, listen: {to: any, except: [e1]}, intercept: true, dial: clients+employees}\n", i, 1000+i, 1000+i, observe)
	}
	b.WriteString("trunks: [PJSIP/trunk]\n")
	return b.String()
}

// streams opens n streams and reads them to the end.
func streams(b *testing.B, o *office, n, employees int) {
	for i := range n {
		w, err := o.gate.Watch(who(fmt.Sprintf("e%d", 2+i%(employees-2))))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(w.Close)
		go func() {
			for {
				if _, err := w.Next(context.Background()); err != nil {
					return
				}
			}
		}()
	}
}

// One event of a call that everybody is told of: a phone puts its call on hold and takes it back, in turn.
func BenchmarkAppliedToldToAll(b *testing.B) {
	for _, n := range []int{0, 10, 100, 1000} {
		b.Run(fmt.Sprintf("watchers=%d", n), func(b *testing.B) {
			o := newOffice(b, company(100))
			o.talk("x", ivanov, "PJSIP/1000")
			streams(b, o, n, 100)
			held := call.Event{Kind: call.LegHeld, Channel: call.Channel{ID: "x.1"}, At: start}
			back := call.Event{Kind: call.LegUnheld, Channel: call.Channel{ID: "x.1"}, At: start}
			b.ReportAllocs()
			for b.Loop() {
				o.feed.Ingest(&held)
				o.feed.Ingest(&back)
				for range 4 { // who reads gets time to
					o.gate.Policy()
				}
			}
		})
	}
}

// One event that changes what nobody is shown: a caller's name, on a call that is hidden from all.
func BenchmarkAppliedToldToNobody(b *testing.B) {
	for _, n := range []int{0, 10, 100, 1000} {
		b.Run(fmt.Sprintf("watchers=%d", n), func(b *testing.B) {
			o := newOffice(b, strings.ReplaceAll(company(100), "except: [e1]", "except: [e0]"))
			o.talk("x", ivanov, "PJSIP/1000")
			streams(b, o, n, 100)
			names := [2]call.Event{}
			for i := range names {
				ch := o.ch("x.0")
				ch.Caller.Name = fmt.Sprint("Name ", i)
				names[i] = call.Event{Kind: call.LegSeen, Channel: ch, At: start}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				o.feed.Ingest(&names[i%2])
			}
		})
	}
}

// One event on a call that nobody supervises, and one on a call that somebody does, while 100 supervisions run.
func BenchmarkAppliedWhileOthersAreSupervised(b *testing.B) {
	for _, which := range []string{"another", "supervised"} {
		b.Run(which, func(b *testing.B) {
			o := newOffice(b, company(302))
			for i := range 100 {
				o.talk(fmt.Sprint("c", i), ivanov, fmt.Sprintf("PJSIP/%d", 1100+i))
				o.active(fmt.Sprint("e", 201+i), "spy", fmt.Sprint("e", 100+i))
			}
			o.talk("x", other, "PJSIP/1000")
			leg := "x.0"
			if which == "supervised" {
				leg = "c7.0"
			}
			names := [2]call.Event{}
			for i := range names {
				ch := o.ch(leg)
				ch.Caller.Name = fmt.Sprint("Name ", i)
				names[i] = call.Event{Kind: call.LegSeen, Channel: ch, At: start}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				o.feed.Ingest(&names[i%2])
			}
		})
	}
}

// A whole board of 1000 employees, 50 of whom talk.
func BenchmarkBoard(b *testing.B) {
	o := newOffice(b, company(1000))
	for i := range 50 {
		o.talk(fmt.Sprint("c", i), ivanov, fmt.Sprintf("PJSIP/%d", 1100+i))
	}
	s := who("e3")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.gate.Employees(s); err != nil {
			b.Fatal(err)
		}
	}
}

// A request that is refused, with its record.
func BenchmarkRefusal(b *testing.B) {
	o := newOffice(b, company(100))
	o.talk("x", "PJSIP/1001", "PJSIP/1000")
	s := who("e3")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.gate.Supervise(b.Context(), s, gate.Ask{Target: "e0", Mode: "spy"}); gate.AsProblem(err).Code != "not_for_this_call" {
			b.Fatal(err)
		}
		o.audit.entries, o.log.lines = o.audit.entries[:0], o.log.lines[:0]
	}
}

// A call's change on another PBX that everybody is told of, beside the same change here: BenchmarkAppliedToldToAll.
func BenchmarkElsewhereToldToAll(b *testing.B) {
	for _, n := range []int{0, 100} {
		b.Run(fmt.Sprintf("watchers=%d", n), func(b *testing.B) {
			c := newFakeCluster(b)
			far := c.office(b, "far", company(100))
			o := c.office(b, "near", company(100))
			var news [2]gate.News
			far.talk("x", ivanov, "PJSIP/1000")
			for i, kind := range [...]call.Kind{call.LegHeld, call.LegUnheld} {
				far.ingest(call.Event{Kind: kind, Channel: call.Channel{ID: "x.1"}})
				news[i] = gate.News{PBX: "far", Known: true, Shown: []gate.Shown{{Key: "leg/x.1", Value: c.members["far"].shown["leg/x.1"]}}}
			}
			c.settle()
			streams(b, o, n, 100)
			b.ReportAllocs()
			for b.Loop() {
				o.gate.Elsewhere(news[0])
				o.gate.Elsewhere(news[1])
				for range 4 { // who reads gets time to
					o.gate.Policy()
				}
			}
		})
	}
}

// nowhere is a cluster that takes what it is shown and has no others.
type nowhere struct{ gate.Cluster }

func (nowhere) PBX() string            { return "near" }
func (nowhere) Secret(string) [32]byte { return [32]byte{1} }
func (nowhere) Show(string, []byte)    {}
func (nowhere) Hide(string)            {}

// What it takes to show the others a call's change, beside the same change where there are no others.
func BenchmarkShown(b *testing.B) {
	for _, which := range []string{"nobody", "others"} {
		b.Run(which, func(b *testing.B) {
			o := newOffice(b, company(100), func(c *gate.Config) {
				if which == "others" {
					c.Cluster = nowhere{}
				}
			})
			o.talk("x", ivanov, "PJSIP/1000")
			held := call.Event{Kind: call.LegHeld, Channel: call.Channel{ID: "x.1"}, At: start}
			back := call.Event{Kind: call.LegUnheld, Channel: call.Channel{ID: "x.1"}, At: start}
			b.ReportAllocs()
			for b.Loop() {
				o.feed.Ingest(&held)
				o.feed.Ingest(&back)
			}
		})
	}
}
