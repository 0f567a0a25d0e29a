package pbx

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/earshot-pbx/earshot/ari"
	"github.com/rs/zerolog"
)

// plainFit reports whether lines are those of an event, read as simply as possible: the oracle of what AMI is believed.
func plainFit(s schema, lines []string, class string) bool {
	for _, want := range s {
		name, optional := strings.CutPrefix(want, "?")
		if len(lines) > 0 && strings.HasPrefix(lines[0], name+": ") && (name != "Privilege" || lines[0] == "Privilege: "+class) {
			lines = lines[1:]
		} else if !optional {
			return false
		}
	}
	return len(lines) == 0
}

// witnesses are the kinds of events that AMI alone may tell. None of them opens or ends a leg.
var witnesses = []call.Kind{call.SpyBegan, call.SpyEnded, call.PickedUp, call.RecordingBegan, call.RecordingEnded, call.Parked, call.Unparked}

// Of what AMI says only what has exactly the form of Asterisk's event is believed, and it says of the leg what stands in its lines; everything else about what
// is looked at is answered by a resync, and the rest is left alone. Nothing of it opens or ends a leg.
func FuzzWitness(f *testing.F) {
	for _, lines := range recordedBlocks(f) {
		block := strings.Join(lines, "\r\n") + end
		f.Add(block)
		f.Add(strings.Replace(block, "Uniqueid: ", "Uniqueid: x\r\nUniqueid: ", 1))
		f.Add(strings.ReplaceAll(block, "\r\n", "\n"))
	}
	f.Add("Spyer: x\r\n\r\nEvent: ChanSpyStart\r\n\r\n")
	f.Add("Event: QueueCallerLeave\r\nPrivilege: agent,all\r\n\r\n")
	f.Fuzz(func(t *testing.T, stream string) {
		if len(stream) > 16<<10 {
			return
		}
		s, queues := &sink{}, []queue.Event(nil)
		l, err := New(Config{ARI: ari.Config{BaseURL: "http://pbx/ari", Username: "earshot"}, Sink: s, Log: zerolog.Nop(), Queues: func(ev queue.Event) { queues = append(queues, ev) }})
		if err != nil {
			t.Fatal(err)
		}
		l.known.Store(true)
		l.queues.known = true
		r := ami.NewReader(strings.NewReader(stream), ami.Limits{})
		for {
			m, err := r.Read()
			if err != nil {
				return
			}
			taken, asked, told := len(s.ingested), s.asked, len(queues)
			if err := l.witness(m); err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimRight(string(m.Raw()), "\r\n"), "\r\n")
			w, one := witnessed[string(m.Event())]
			q, other := queueEvents[string(m.Event())]
			regular := m.Irregular() == 0
			switch believed := len(s.ingested) - taken; {
			case one && regular && plainFit(w.fields, lines, classCall):
				ev := s.ingested[len(s.ingested)-1]
				if believed != 1 || s.asked != asked || !slices.Contains(witnesses, ev.Kind) {
					t.Fatalf("%q became %d events, %v", m.Raw(), believed, ev)
				}
				for _, c := range []call.Channel{ev.Channel, ev.Peer} {
					if c.ID != "" && (!strings.Contains(string(m.Raw()), "Uniqueid: "+string(c.ID)+"\r\n") || !strings.Contains(string(m.Raw())+"\r\n", "Channel: "+c.Name+"\r\n")) {
						t.Fatalf("%q is about %v", m.Raw(), c)
					}
				}
			case other && regular && plainFit(q.fields, lines, classAgent) && len(queues) == told+1:
				if queues[told].Queue != m.Get("Queue") || believed != 0 || s.asked != asked {
					t.Fatalf("%q became %v", m.Raw(), queues[told])
				}
			case one || other || m.Event() == nil:
				if believed != 0 || s.asked != asked+1 || len(queues) != told {
					t.Fatalf("%q is believed, or nobody asks again", m.Raw())
				}
			case believed != 0 || s.asked != asked || len(queues) != told:
				t.Fatalf("%q is looked at", m.Raw())
			}
		}
	})
}

// recordedBlocks are events of a real Asterisk, one of each name.
func recordedBlocks(f *testing.F) [][]string {
	f.Helper()
	found := map[string][]string{}
	for _, tape := range tapes(f) {
		for i := range tape {
			if lines := tape[i].AMI; lines != nil {
				found[lines[0]] = lines
			}
		}
	}
	var all [][]string
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[name])
	}
	if len(all) < 5 {
		f.Fatalf("%d events are recorded", len(all))
	}
	return all
}

// Rows of a list of queues become states that hold each row once, or none: nobody waits in a queue, or works on one, of which no row says so.
func FuzzQueues(f *testing.F) {
	const params = "Event: QueueParams\r\nQueue: a\r\nMax: 0\r\nStrategy: ringall\r\nCalls: 0\r\nHoldtime: 0\r\nTalkTime: 0\r\nCompleted: 0\r\nAbandoned: 0\r\nServiceLevel: 0\r\nServicelevelPerf: 0.0\r\nWeight: 0\r\n\r\n"
	const member = "Event: QueueMember\r\nQueue: a\r\nName: x\r\nLocation: PJSIP/101\r\nStateInterface: PJSIP/101\r\nMembership: static\r\nPenalty: 1\r\nCallsTaken: 0\r\nLastCall: 0\r\nLastPause: 0\r\nInCall: 0\r\nStatus: 1\r\nPaused: 0\r\nPausedReason: \r\n\r\n"
	const entry = "Event: QueueEntry\r\nQueue: a\r\nPosition: 1\r\nChannel: PJSIP/t-1\r\nUniqueid: 1.1\r\nCallerIDNum: 1\r\nCallerIDName: n\r\nConnectedLineNum: x\r\nConnectedLineName: y\r\nWait: 3\r\nPriority: 0\r\n\r\n"
	f.Add(params + member + entry)
	f.Add(member)
	f.Add(params + entry + entry + params)
	f.Add(params + strings.Replace(member, "Penalty: 1", "Penalty: x", 1))
	f.Add(params + strings.Replace(entry, "Wait: 3", "Wait: 4294967296", 1))
	at := time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, stream string) {
		r := ami.NewReader(strings.NewReader(stream), ami.Limits{})
		var rows []*ami.Message
		n := map[string]int{}
		for m, err := r.Read(); err == nil; m, err = r.Read() {
			rows = append(rows, m.Clone())
			n[string(m.Event())]++
		}
		states, odd, err := readQueues(rows, at)
		if err != nil {
			if states != nil {
				t.Fatal("states beside an error")
			}
			return
		}
		members, callers := 0, 0
		for _, s := range states {
			members += len(s.Members)
			callers += len(s.Callers)
			for _, m := range s.Members {
				if m.Interface == "" || !strings.Contains(stream, "Location: "+m.Interface) {
					t.Fatalf("%q works on %q", m.Interface, s.Name)
				}
			}
			for _, c := range s.Callers {
				if c.Since.After(at) || !strings.Contains(stream, "Uniqueid: "+c.Leg) {
					t.Fatalf("%q waits on %q since %v", c.Leg, s.Name, c.Since)
				}
			}
		}
		if len(states) != n["QueueParams"] || members != n["QueueMember"] || callers+odd != len(rows)-len(states)-members {
			t.Fatalf("%d queues, %d members, %d callers and %d odd of %v", len(states), members, callers, odd, n)
		}
	})
}

// Whatever ARI's events say, in whatever order they come, the table stays whole, has no leg that no event named, and is no larger than they explain.
func FuzzEvents(f *testing.F) {
	all := tapes(f)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var lines []string
		for _, l := range all[name] {
			if l.ARI != nil && len(lines) < 6 && len(l.ARI) < 1500 {
				lines = append(lines, string(l.ARI))
			}
		}
		f.Add(strings.Join(lines, "\n"))
	}
	f.Add(`{"type":"Dial","peer":{"id":"1"},"dialstatus":""}` + "\n" + `{"type":"ChannelDestroyed","channel":{"id":"1"}}`)
	f.Add(`{"type":"BridgeMerged","bridge":{"id":"a","channels":["1"]},"bridge_from":{"id":"a"}}` + "\n" + `{"type":"ChannelEnteredBridge","bridge":{"id":"a"},"channel":{"id":"1","name":"Local/x@y;1"}}`)
	f.Fuzz(func(t *testing.T, stream string) {
		lines := strings.Split(stream, "\n")
		if len(lines) > 100 || len(stream) > 64<<10 {
			return
		}
		table := call.NewTable()
		named := map[string]bool{}
		for _, line := range lines {
			e, err := ari.ParseEvent([]byte(line))
			if err != nil {
				continue
			}
			for _, c := range []*ari.Channel{e.Channel, e.Caller, e.Peer, e.ReplaceChannel} {
				if c != nil {
					named[c.ID] = true
				}
			}
			if e.Transfer != nil && e.Transfer.FirstLeg != nil {
				named[e.Transfer.FirstLeg.ID] = true
			}
			if e.Transfer != nil && e.Transfer.SecondLeg != nil {
				named[e.Transfer.SecondLeg.ID] = true
			}
			ev, ok := translate(e)
			if !ok {
				continue
			}
			table.Apply(&ev)
		}
		all := table.All(nil)
		if len(all) > len(named) {
			t.Fatalf("%d legs of %d that were named", len(all), len(named))
		}
		for _, l := range all {
			if !named[string(l.ID())] {
				t.Fatalf("the leg %q came from nowhere", string(l.ID()))
			}
			for _, o := range table.Call(nil, l) {
				if table.Leg(o.ID()) != o || !slices.Contains(table.Call(nil, o), l) {
					t.Fatalf("%v is on the call of %v and not the other way round", o, l)
				}
			}
		}
	})
}

// What Asterisk says of when a call was answered is a moment that can be written, or it is none.
func FuzzAnswerTime(f *testing.F) {
	for _, v := range []string{"1700000000.123456", "0.000000", "", "NaN", "Inf", "1e300", "-1", "0x1p60", "1700000000", "253402300800"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		at, ok := epoch(v)
		if !ok {
			if !at.IsZero() {
				t.Fatalf("%q is %v", v, at)
			}
			return
		}
		if _, err := at.MarshalText(); err != nil || at.Year() < 1970 || at.Year() > 9999 {
			t.Fatalf("%q is %v: %v", v, at, err)
		}
	})
}
