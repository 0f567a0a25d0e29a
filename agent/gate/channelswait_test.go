package gate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/queue"
)

// inLine are the handles of those who wait on a line, in the list.
func (o *office) inLine(subject string) (ids []string) {
	o.t.Helper()
	lines, err := o.gate.Lines(who(subject))
	if err != nil {
		o.t.Fatal(err)
	}
	for _, c := range lines[0].Callers {
		ids = append(ids, c.Endpoint+" "+c.ID)
	}
	return ids
}

// queued takes from changes those about callers who wait.
func queued(all []mask.ChannelChange) (out []mask.ChannelChange) {
	for _, c := range all {
		if c.Queue != nil && c.Queue.Member == nil {
			out = append(out, c)
		}
	}
	return out
}

// waiters are two who wait, of whom the first gives up and the second is answered by anna.
func waiters(o *office, from string, each func()) {
	for _, step := range []func(){
		func() { o.queued("x", from, "q-sales") },
		func() { o.queued("y", from, "q-sales") },
		func() { o.goes("x.0", 16) },
		func() { o.ringsAt("y", "PJSIP/101") },
		func() {
			o.answers("y", 1)
			o.gate.Queues(queue.Event{Kind: queue.CallerLeft, Queue: "q-sales", Caller: queue.Caller{Leg: "y.0"}})
		},
		func() { o.goes("y.0", 16) },
	} {
		step()
		each()
	}
}

// Who waits is one from when he joins until he is gone, in events and lists: as the channel that is shown for him, or as nobody.
func TestWhoWaitsIsOneFromWhenHeJoinsUntilHeIsGone(t *testing.T) {
	for subject, sees := range map[string]bool{"rosa": true, "vic": false, "anna": false} { // anna sees who rings at hers, and not who waits
		o := newLineOffice(t)
		o.gate.SetPolicy(set(t, strings.Replace(lineHouse, "department: sales, lock: true", "department: sales, lock: true, line.view: own, line.connect: own", 1)))
		p, again := o.panel(subject), o.panel(subject)
		ids, listed, shown := map[string][]string{}, [][]string{}, map[string]bool{}
		waiters(o, ivanov, func() {
			all := p.changes()
			for i, c := range queued(all) {
				if other := queued(again.changes()); i == 0 && other[0].Queue.Caller != c.Queue.Caller {
					t.Errorf("%s: two streams of one subject have different handles", subject)
				}
				ids[c.Queue.Endpoint+" "+c.Queue.Caller] = append(ids[c.Queue.Endpoint+" "+c.Queue.Caller], fmt.Sprintf("%s %d %d", kindWords[c.Kind], c.Queue.Position, c.Queue.Joined))
				if (c.Channel != nil) != sees || sees && (c.Channel.ID != c.Queue.Caller || c.Channel.Endpoint != c.Queue.Endpoint) {
					t.Errorf("%s: %s, by the channel %+v", subject, c.Queue.Caller, c.Channel)
				}
			}
			for _, c := range all {
				for _, ch := range []*mask.Channel{c.Channel, c.Other} {
					if ch != nil {
						shown[ch.Endpoint+" "+ch.ID] = true
					}
				}
			}
			listed = append(listed, o.inLine(subject))
		})
		one, two := listed[0][0], listed[1][1]
		if got := fmt.Sprint(ids[one], ids[two]); got != "[joined 1 0 abandoned 1 1] [joined 2 0 answered 1 2]" || len(ids) != 2 {
			t.Errorf("%s is told %s, in all %v", subject, got, ids)
		}
		if !slices.Equal(listed[1], []string{one, two}) || !slices.Equal(listed[2], []string{two}) || !slices.Equal(listed[3], []string{two}) || len(listed[4]) != 0 {
			t.Errorf("%s has in lists %v", subject, listed)
		}
		if shown[one] != sees || shown[two] != sees || one == two || strings.HasPrefix(one, "PJSIP/trunk ") != sees {
			t.Errorf("%s: %s and %s, of the channels %v", subject, one, two, shown)
		}
		if subject == "anna" && len(shown) < 2 {
			t.Error("nothing was compared: anna is not shown who calls her")
		}
		p.agrees()
	}
}

// The same caller has different handles for different watchers, and in different queues.
func TestEverybodyHasHandlesOfHisOwnForThoseWhoWait(t *testing.T) {
	o := newLineOffice(t)
	o.queued("x", ivanov, "q-sales")
	ids := map[string]string{}
	for _, subject := range []string{"rosa", "vic"} {
		o.panel(subject)
		ids[o.inLine(subject)[0]] = subject
	}
	p := o.panel("vic")
	was := o.inLine("vic")[0]
	o.gate.Queues(queue.Event{Kind: queue.CallerLeft, Queue: "q-sales", Caller: queue.Caller{Leg: "x.0"}})
	if got := queued(p.changes()); len(got) != 1 || " "+got[0].Queue.Caller != was || len(ids) != 2 {
		t.Errorf("%s leaves as %+v; the handles are %v", was, got, ids)
	}
}

// Who loses the sight of who waits is told that the same waits no more.
func TestWhoWaitsIsTheSameUnderAnotherSight(t *testing.T) {
	o := newLineOffice(t)
	p := o.panel("rosa")
	o.queued("x", ivanov, "q-sales")
	was := o.inLine("rosa")[0]
	o.gate.SetPolicy(set(t, strings.Replace(lineHouse, "observe: true", "observe: false", 1)))
	p.changes()
	if is := o.inLine("rosa")[0]; is != was {
		t.Errorf("in the list %s is %s", was, is)
	}
	o.goes("x.0", 16)
	if got := queued(p.changes()); len(got) != 1 || got[0].Channel != nil || got[0].Queue.Endpoint+" "+got[0].Queue.Caller != was {
		t.Errorf("%s leaves as %+v", was, got)
	}
}

// Two worlds that differ in who waits tell who may not see him the same.
func TestThoseWhoWaitAreTheSameInTwoWorlds(t *testing.T) {
	world := func(from string) map[string]string {
		o := newLineOffice(t)
		panels, got := map[string]*panel{}, map[string][]string{}
		for _, subject := range []string{"rosa", "vic"} {
			panels[subject] = o.panel(subject)
		}
		waiters(o, from, func() {
			for subject, p := range panels {
				for _, c := range p.changes() {
					for _, text := range p.plain(&c) {
						got[subject] = append(got[subject], fmt.Sprintf("%q", text))
					}
				}
				for _, text := range o.inLine(subject) {
					endpoint, id, _ := strings.Cut(text, " ")
					got[subject] = append(got[subject], fmt.Sprintf("%q %q", endpoint, id))
				}
			}
		})
		return map[string]string{"rosa": alike(got["rosa"]), "vic": alike(got["vic"])}
	}
	one := world(ivanov)
	for _, from := range []string{other, secret} {
		two := world(from)
		if one["vic"] != two["vic"] {
			t.Errorf("vic can tell %s:\n%s", from, differ(one["vic"], two["vic"]))
		}
		if one["rosa"] == two["rosa"] {
			t.Error("rosa, who may see, got the same: nothing was compared")
		}
	}
	if n := strings.Count(one["vic"], "«"); n < 8 {
		t.Errorf("vic was shown %d handles", n)
	}
}

// Who has ended a call of a queue is told to who sees it, as far as it can be known.
func TestWhoEndedACallOfAQueueIsToldToWhoSeesIt(t *testing.T) {
	hangsUp := func(id string) func(o *office) {
		return func(o *office) {
			o.ingest(call.Event{Kind: call.LegHungUp, Channel: o.ch(id)})
			o.leave("x", "x.0", "x.1")
		}
	}
	for want, ends := range map[string]func(o *office){
		"caller": hangsUp("x.0"),
		"agent":  hangsUp("x.1"),
		"transfer": func(o *office) {
			o.ingest(call.Event{Kind: call.BlindTransferred, Channel: o.ch("x.1"), Transferee: "x.0", Dialled: "102"})
			hangsUp("x.1")(o)
		},
		"": func(o *office) { o.leave("x", "x.1", "x.0") },
	} {
		o := newLineOffice(t)
		rosa, vic := o.panel("rosa"), o.panel("vic")
		o.converses("x", ivanov, "q-sales", "PJSIP/101")
		ends(o)
		o.goes("x.1", 16)
		o.goes("x.0", 16)
		told := 0
		for _, c := range rosa.changes() {
			if c.Kind == mask.AgentCompleted {
				if told++; c.Queue.Reason != want {
					t.Errorf("%q is told as %q", want, c.Queue.Reason)
				}
			}
		}
		for _, c := range vic.changes() {
			if c.Queue != nil && c.Queue.Reason != "" {
				t.Errorf("vic is told of %q", c.Queue.Reason)
			}
		}
		if told != 1 {
			t.Errorf("the end is told %d times", told)
		}
	}
}
