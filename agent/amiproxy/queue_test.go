package amiproxy_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/earshot-pbx/earshot/ami"
)

// waitsAndGoes has two wait of whom the first gives up, and the second goes on elsewhere. It returns what a listener is sent of it, and the list when
// both wait and when one does.
func waitsAndGoes(t *testing.T, who, name, number string) (told, listed []*ami.Message) {
	t.Helper()
	w := newWorld(t)
	l := w.listen(t, who, "on")
	list := func() {
		for _, r := range rows(t, l.client, "QueueStatus") {
			if string(r.Event()) == "QueueEntry" {
				listed = append(listed, r)
			}
		}
	}
	w.queued("9.t", name, number)
	w.queued("8.t", name, number)
	told = append(told, l.until("QueueCallerJoin", "")...)
	told = append(told, l.until("QueueCallerJoin", "")...)
	list()
	w.ingest(call.Event{Kind: call.LegGone, Channel: call.Channel{ID: "9.t"}, At: at(30)})
	told = append(told, l.until("QueueCallerLeave", "")...)
	list()
	w.gate.Queues(queue.Event{Kind: queue.CallerLeft, Queue: "q-sales", Caller: queue.Caller{Leg: "8.t"}})
	return append(told, l.until("QueueCallerLeave", "")...), listed
}

// opaque are the handles in a text, by the order in which they come.
var opaque = regexp.MustCompile(`\bc[a-z2-9]{20}\b`)

// actionID is what the client has called its request, and for how long somebody has waited.
var actionID = regexp.MustCompile(`(ActionID|HoldTime|Wait): .*\r\n`)

func ordered(all []*ami.Message) string {
	var b strings.Builder
	for _, m := range all {
		b.WriteString(actionID.ReplaceAllString(string(m.Raw()), ""))
	}
	ids := map[string]string{}
	return opaque.ReplaceAllStringFunc(b.String(), func(id string) string {
		if ids[id] == "" {
			ids[id] = fmt.Sprintf("<%d>", len(ids))
		}
		return ids[id]
	})
}

// Who waits has one name and one id in the events of his wait and in the lists, and when he gives up his place at the beginning is told.
func TestWhoWaitsHasOneNameFromTheJoinToTheLeave(t *testing.T) {
	for who, phone := range map[string]string{"erik": "Queue/q-sales-", "olga": "PJSIP/trunk-"} {
		told, listed := waitsAndGoes(t, who, "Ivanov", "+4915550001")
		events, names := map[string][]string{}, []string{}
		for _, m := range told {
			if m.Get("Queue") == "" || m.Get("Uniqueid") == "" {
				continue
			}
			name := m.Get("Channel")
			if name != phone+m.Get("Uniqueid") {
				t.Errorf("%s: %s has the id %s", who, name, m.Get("Uniqueid"))
			}
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
			events[name] = append(events[name], string(m.Event())+m.Get("Position")+m.Get("OriginalPosition"))
		}
		if len(names) != 2 || fmt.Sprint(events[names[0]], events[names[1]]) != "[QueueCallerJoin1 QueueCallerAbandon11 QueueCallerLeave1] [QueueCallerJoin2 QueueCallerLeave1]" {
			t.Errorf("%s is told %v", who, events)
			continue
		}
		var in []string
		for _, r := range listed {
			in = append(in, r.Get("Channel"))
			if r.Get("Channel") != phone+r.Get("Uniqueid") {
				t.Errorf("%s: in the list %s has the id %s", who, r.Get("Channel"), r.Get("Uniqueid"))
			}
		}
		if want := []string{names[0], names[1], names[1]}; !slices.Equal(in, want) {
			t.Errorf("%s has in the list %v, not %v", who, in, want)
		}
	}
}

// Two worlds that differ in who waits alone send who may not see that the same, in events and lists.
func TestWhoWaitsIsTheSameInTwoWorlds(t *testing.T) {
	text := func(who, name, number string) string {
		told, listed := waitsAndGoes(t, who, name, number)
		return ordered(append(told, listed...))
	}
	one, two := text("erik", "Ivanov", "+4915550001"), text("erik", "A. Very-Long Name Indeed", "+79161234567")
	if one != two {
		t.Errorf("erik can tell them apart:\n%s\n---\n%s", one, two)
	}
	if strings.Contains(one, "4915550001") || !strings.Contains(one, "Channel: Queue/q-sales-<0>\r\n") {
		t.Errorf("erik is told\n%s", one)
	}
	if seen := text("olga", "Ivanov", "+4915550001"); !strings.Contains(seen, "CallerIDNum: +4915550001") {
		t.Errorf("olga is told\n%s", seen)
	}
}
