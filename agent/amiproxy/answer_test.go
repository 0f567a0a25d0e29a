package amiproxy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/earshot-pbx/earshot/ami"
)

// tooLong is how long a test waits for what has to come.
const tooLong = 10 * time.Second

// called lets the phone that was rung to call somebody ring, and be answered or not.
func (w *world) called(t *testing.T, phone string, up bool) {
	w.t.Helper()
	w.pbx.ordered(t, "call "+phone)
	l := call.Channel{ID: w.pbx.rung(), Name: phone + "-00000001", State: call.StateRinging, Created: start}
	w.ingest(call.Event{Kind: call.LegSeen, Channel: l, At: at(28)})
	if up {
		l.State = call.StateUp
		w.ingest(call.Event{Kind: call.LegSeen, Channel: l, At: at(29)})
	} else {
		w.ingest(call.Event{Kind: call.LegGone, Channel: l, At: at(29)})
	}
}

func TestAnOriginateThatDoesNotWaitIsAnsweredByAnEventToWhoAsked(t *testing.T) {
	for up, want := range map[bool][2]string{true: {"Success", "4"}, false: {"Failure", "3"}} {
		w := newWorld(t)
		alice, events := w.listener("alice")
		_, others := w.listener("alice")
		m := act("Originate", "Channel", "PJSIP/100", "Context", "from-internal", "Exten", "120", "Priority", "1", "Async", "true")
		if got := answered(t, alice, m); got != "ok" {
			t.Fatal(got)
		}
		w.called(t, "PJSIP/100", up)
		e := next(t, events, "OriginateResponse")
		if e.Get("Response") != want[0] || e.Get("Reason") != want[1] || e.Get("ActionID") == "" || e.Get("Exten") != "120" {
			t.Errorf("answered %v: it says %v", up, e)
		}
		if _, ok := e.Lookup("Application"); ok {
			t.Errorf("it names an application: %v", e)
		}
		channel, id := "PJSIP/100", "<null>"
		if up {
			channel, id = channelOf(t, alice, "PJSIP/100")
		}
		if e.Get("Channel") != channel || e.Get("Uniqueid") != id {
			t.Errorf("answered %v: it names %s and %s, not %s and %s", up, e.Get("Channel"), e.Get("Uniqueid"), channel, id)
		}
		if got := answered(t, alice, act("UserEvent", "UserEvent", "Behind")); got != "ok" {
			t.Fatal(got)
		}
		for {
			e := <-others
			if string(e.Event()) == "OriginateResponse" {
				t.Error("another session is told")
			}
			if string(e.Event()) == "UserEvent" {
				break
			}
		}
	}
}

func TestAnOriginateThatWaitsIsAnsweredWhenThePhoneIs(t *testing.T) {
	for up, want := range map[bool]string{true: "ok", false: "Originate failed"} {
		w := newWorld(t)
		alice := w.as("alice")
		said := make(chan string, 1)
		go func() {
			_, err := alice.Do(t.Context(), act("Originate", "Channel", "PJSIP/100", "Exten", "120", "Priority", "1"))
			var no *ami.RefusedError
			switch {
			case errors.As(err, &no):
				said <- no.Message
			case err != nil:
				said <- err.Error()
			default:
				said <- "ok"
			}
		}()
		w.pbx.ordered(t, "call PJSIP/100")
		select {
		case got := <-said:
			t.Fatalf("it is answered by %q while the phone does not even ring", got)
		default:
		}
		w.pbx.more <- struct{}{}
		w.called(t, "PJSIP/100", up)
		if got := <-said; got != want {
			t.Errorf("answered %v: %q", up, got)
		}
	}
}

// Who works on a line pauses himself, comes and goes, without the right to change it; his penalty and others are not his to set.
func TestAnAgentPausesHimself(t *testing.T) {
	w := newWorld(t)
	w.changes(strings.NewReplacer(
		`numbers: ["210"]}`, `numbers: ["210"], line.view: own, line.connect: own}`, "members: [bob]", "members: [bob, dave]").Replace(policyText))
	w.gate.Queues(queue.Event{Kind: queue.Taken, Queues: []queue.State{{Name: "q-sales", Members: []queue.Member{{Interface: "PJSIP/210"}, {Interface: "PJSIP/130"}}}}})
	bob := w.as("bob")
	var orders []string
	for _, c := range []struct {
		m     *ami.Message
		order string // empty: it is refused
	}{
		{act("QueuePause", "Interface", "PJSIP/210", "Paused", "true"), "queue pause"},
		{act("QueuePause", "Queue", "q-sales", "Interface", "PJSIP/210", "Paused", "true", "Reason", "lunch"), "queue pause lunch"},
		{act("QueuePause", "Interface", "PJSIP/130", "Paused", "true"), ""},
		{act("QueuePenalty", "Interface", "PJSIP/210", "Penalty", "5"), ""},
		{act("QueueRemove", "Queue", "q-sales", "Interface", "PJSIP/130"), ""},
		{act("QueueRemove", "Queue", "q-sales", "Interface", "PJSIP/210"), "queue remove"},
	} {
		got := answered(t, bob, c.m)
		if c.order != "" {
			orders = append(orders, c.order)
		}
		if (got == "ok") != (c.order != "") {
			t.Errorf("%s of %s: %q", c.m.Action(), c.m.Get("Interface"), got)
		}
	}
	w.gate.Queues(queue.Event{Kind: queue.Taken, Queues: []queue.State{{Name: "q-sales"}}})
	if got := answered(t, bob, act("QueueAdd", "Queue", "q-sales", "Interface", "PJSIP/210", "Penalty", "0")); got != "ok" {
		t.Errorf("he is not there again: %q", got)
	}
	if got := w.pbx.taken(); !slices.Equal(got, append(orders, "queue add")) {
		t.Errorf("the PBX was asked for %v", got)
	}
}

// A recording is known by its id from the beginning to its end, and paused in both directions.
func TestARecordingIsBegunPausedAndStopped(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "", "+4915550001", "PJSIP/210")
	olga := w.as("olga")
	name, _ := channelOf(t, olga, "PJSIP/210")
	begun, err := olga.Do(t.Context(), act("MixMonitor", "Channel", name, "File", "/tmp/mine.wav"))
	if err != nil {
		t.Fatal(err)
	}
	id := begun.Get("MixMonitorID")
	if id == "" {
		t.Fatalf("it has no id: %v", begun)
	}
	for _, m := range []*ami.Message{
		act("MixMonitorMute", "Channel", name, "Direction", "both", "State", "1"),
		act("MixMonitorMute", "Channel", name, "Direction", "both", "State", "0", "MixMonitorID", id),
		act("StopMixMonitor", "Channel", name, "MixMonitorID", id),
	} {
		if got := answered(t, olga, m); got != "ok" {
			t.Errorf("%s: %q", m.Action(), got)
		}
	}
	if got := answered(t, olga, act("StopMixMonitor", "Channel", name)); got == "ok" {
		t.Error("it is stopped twice")
	}
	want := []string{"record 1.p", "pause", "resume"}
	got := w.pbx.taken()
	if len(got) != len(want) {
		t.Fatalf("the PBX was asked for %v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("the PBX was asked for %v", got)
		}
	}
}
