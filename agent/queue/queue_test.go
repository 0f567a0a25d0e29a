package queue_test

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/queue"
)

var nine = time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)

func TestAPhoneIsTheDeviceOrTheInterface(t *testing.T) {
	for _, c := range []struct {
		m    queue.Member
		want string
	}{
		{queue.Member{Interface: "PJSIP/101"}, "PJSIP/101"},
		{queue.Member{Interface: "PJSIP/101", Device: "PJSIP/101"}, "PJSIP/101"},
		{queue.Member{Interface: "Local/201@phones/n", Device: "PJSIP/201"}, "PJSIP/201"},
		{queue.Member{Interface: "Local/201@phones/n"}, ""},
		{queue.Member{Interface: "Local/201@phones/n", Device: "hint:201@phones"}, ""},
		{queue.Member{Interface: "PJSIP/101", Device: "Custom:day/night"}, "PJSIP/101"},
		{queue.Member{Interface: "101"}, ""},
		{queue.Member{}, ""},
	} {
		if got := c.m.Endpoint(); got != c.want {
			t.Errorf("%+v: %q", c.m, got)
		}
	}
}

func TestTheTableFollowsWhatItIsTold(t *testing.T) {
	var table queue.Table
	anna, boris := queue.Member{Interface: "PJSIP/101"}, queue.Member{Interface: "PJSIP/102", Penalty: 2}
	first, second := queue.Caller{Leg: "1.1", Since: nine}, queue.Caller{Leg: "1.2", Since: nine.Add(time.Minute)}
	paused, later := anna, first
	paused.Paused = true
	later.Since = nine.Add(time.Hour)
	for i, c := range []struct {
		ev      queue.Event
		changed bool
		want    string // members and callers
	}{
		{queue.Event{Kind: queue.MemberSeen, Queue: "sales", Member: anna}, false, "unknown"},
		{queue.Event{Kind: queue.Taken, Queues: []queue.State{{Name: "sales", Members: []queue.Member{boris, anna}, Callers: []queue.Caller{second}}}}, true, "101 102 / 1.2"},
		{queue.Event{Kind: queue.MemberSeen, Queue: "sales", Member: anna}, false, "101 102 / 1.2"},
		{queue.Event{Kind: queue.MemberSeen, Queue: "sales", Member: paused}, true, "101p 102 / 1.2"},
		{queue.Event{Kind: queue.CallerJoined, Queue: "sales", Caller: first}, true, "101p 102 / 1.1 1.2"},
		{queue.Event{Kind: queue.CallerJoined, Queue: "sales", Caller: later}, false, "101p 102 / 1.1 1.2"},
		{queue.Event{Kind: queue.CallerJoined, Queue: "other", Caller: first}, false, "101p 102 / 1.1 1.2"},
		{queue.Event{Kind: queue.CallerLeft, Queue: "sales", Caller: queue.Caller{Leg: "1.1"}}, true, "101p 102 / 1.2"},
		{queue.Event{Kind: queue.CallerLeft, Queue: "sales", Caller: queue.Caller{Leg: "1.1"}}, false, "101p 102 / 1.2"},
		{queue.Event{Kind: queue.MemberGone, Queue: "sales", Member: queue.Member{Interface: "PJSIP/102"}}, true, "101p / 1.2"},
		{queue.Event{Kind: queue.MemberGone, Queue: "sales", Member: queue.Member{Interface: "PJSIP/102"}}, false, "101p / 1.2"},
		{queue.Event{}, false, "101p / 1.2"},
		{queue.Event{Kind: queue.Lost}, true, "unknown"},
		{queue.Event{Kind: queue.Lost}, false, "unknown"},
	} {
		if got := table.Apply(&c.ev); got != c.changed {
			t.Errorf("%d: changed %v", i, got)
		}
		if got := show(&table); got != c.want {
			t.Errorf("%d: %s, not %s", i, got, c.want)
		}
	}
}

func TestALegThatIsGoneWaitsNowhere(t *testing.T) {
	var table queue.Table
	table.Apply(&queue.Event{Kind: queue.Taken, Queues: []queue.State{{Name: "sales", Callers: []queue.Caller{{Leg: "1.1", Since: nine}, {Leg: "1.2", Since: nine}}}}})
	if !table.Forget("1.1") || table.Forget("1.1") {
		t.Error("it was there once")
	}
	if got := show(&table); got != " / 1.2" {
		t.Error(got)
	}
}

func show(t *queue.Table) (s string) {
	q, ok := t.Queue("sales")
	if ok != t.Known() {
		return "known and not there"
	}
	if !ok {
		return "unknown"
	}
	for i, m := range q.Members {
		if i > 0 {
			s += " "
		}
		s += m.Interface[len("PJSIP/"):]
		if m.Paused {
			s += "p"
		}
	}
	s += " /"
	for _, c := range q.Callers {
		s += " " + c.Leg
	}
	return s
}
