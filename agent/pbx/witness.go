package pbx

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ami"
)

// schema is the fields of one AMI event as Asterisk writes them: names in order. One that begins with "?" may be missing, since versions
// differ in it; nothing else may be missing, repeated, added or elsewhere.
type schema []string

// snapshotFields are those of one channel (Asterisk: manager_channels.c, ast_manager_build_channel_state_string_prefix).
var snapshotFields = []string{
	"Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum", "CallerIDName", "ConnectedLineNum", "ConnectedLineName", "Language",
	"AccountCode", "Context", "Exten", "Priority", "Uniqueid", "Linkedid", "?Tenantid",
}

func channelFields(prefix string) schema {
	var s schema
	for _, f := range snapshotFields {
		name, optional := strings.CutPrefix(f, "?")
		if optional {
			s = append(s, "?"+prefix+name)
		} else {
			s = append(s, prefix+name)
		}
	}
	return s
}

func event(parts ...schema) schema {
	s := schema{"Event", "Privilege", "?SequenceNumber", "?Timestamp", "?SystemName"}
	for _, p := range parts {
		s = append(s, p...)
	}
	return s
}

// witnessed are the events that tell what ARI does not. Everything else that AMI says is left to ARI.
var witnessed = map[string]struct {
	fields schema
	fact   func(*ami.Message) call.Event
}{
	"ChanSpyStart": {event(channelFields("Spyer"), channelFields("Spyee")), func(m *ami.Message) call.Event {
		return pair(call.SpyBegan, m, "Spyer", "Spyee")
	}},
	"ChanSpyStop": {event(channelFields("Spyer"), channelFields("Spyee")), func(m *ami.Message) call.Event {
		return pair(call.SpyEnded, m, "Spyer", "Spyee")
	}},
	"Pickup": {event(channelFields(""), channelFields("Target")), func(m *ami.Message) call.Event {
		return pair(call.PickedUp, m, "", "Target")
	}},
	"MixMonitorStart": {event(channelFields("")), func(m *ami.Message) call.Event { return single(call.RecordingBegan, m) }},
	"MixMonitorStop":  {event(channelFields("")), func(m *ami.Message) call.Event { return single(call.RecordingEnded, m) }},

	"ParkedCall":   {event(channelFields("Parkee"), parkingFields), isParked},
	"UnParkedCall": {event(channelFields("Parkee"), channelFields("Retriever"), parkingFields), isUnparked},
}

// parkingFields are those of one who is parked, beside channels (Asterisk: res/parking/parking_manager.c, manager_build_parked_call_string).
var parkingFields = schema{"ParkerDialString", "Parkinglot", "ParkingSpace", "ParkingTimeout", "ParkingDuration"}

func isParked(m *ami.Message) call.Event {
	timeout, _ := strconv.Atoi(m.Get("ParkingTimeout"))
	return call.Event{
		Kind: call.Parked, Channel: call.Channel{ID: call.LegID(m.Get("ParkeeUniqueid")), Name: m.Get("ParkeeChannel")},
		Parking: &call.Parking{Lot: m.Get("Parkinglot"), Space: m.Get("ParkingSpace"), By: m.Get("ParkerDialString"), Timeout: time.Duration(timeout) * time.Second},
	}
}

func isUnparked(m *ami.Message) call.Event { return pair(call.Unparked, m, "Parkee", "Retriever") }

func single(k call.Kind, m *ami.Message) call.Event {
	return call.Event{Kind: k, Channel: call.Channel{ID: call.LegID(m.Get("Uniqueid")), Name: m.Get("Channel")}}
}

func pair(k call.Kind, m *ami.Message, first, second string) call.Event {
	return call.Event{
		Kind:    k,
		Channel: call.Channel{ID: call.LegID(m.Get(first + "Uniqueid")), Name: m.Get(first + "Channel")},
		Peer:    call.Channel{ID: call.LegID(m.Get(second + "Uniqueid")), Name: m.Get(second + "Channel")},
	}
}

// maxEarly bounds the facts that wait for a snapshot. The oldest go first: they are the likeliest to be about legs that are gone.
const maxEarly = 1024

// witness takes one AMI event: one of the few that count is held against its schema and handed on; what does not fit was written by somebody
// else than Asterisk, or by a version that Earshot does not know, so it is dropped, counted and answered by a resync. So is a block that
// begins with something else than an event's name: what is left of an event that somebody's line breaks have cut in two.
func (l *Link) witness(m *ami.Message) error {
	name := m.Event()
	l.rights.event(name)
	if q, ok := queueEvents[string(name)]; ok && l.cfg.Queues != nil {
		l.witnessQueue(m, string(name), q)
		return nil
	}
	w, ok := witnessed[string(name)]
	if !ok && name != nil {
		return nil
	}
	if name == nil || m.Irregular() != 0 || !w.fields.fits(m, classCall) {
		kind := "none" // never the text of a block that was forged
		if ok {
			kind = string(name)
		}
		l.misfit(kind)
		return nil
	}
	ev := w.fact(m)
	ev.At = time.Now().UTC()
	l.facts.Lock()
	known := l.known.Load()
	if !known {
		if len(l.early) == maxEarly {
			l.early = slices.Delete(l.early, 0, 1)
		}
		l.early = append(l.early, ev)
	}
	l.facts.Unlock()
	if known {
		l.cfg.Sink.Ingest(&ev)
	}
	return nil
}

// misfit takes note of an event that was not written by Asterisk as it is known. Whatever it may have stood for is asked about anew.
func (l *Link) misfit(kind string) {
	l.met.faults.Inc()
	l.strange.Warn().Str("event", kind).Msg("an AMI event did not have the shape that Asterisk gives it; taking a new snapshot")
	l.cfg.Sink.RequestResync()
	l.queues.ask()
}

// The privilege classes of the events that are looked at, as Asterisk writes them.
const (
	classCall  = "call,all"
	classAgent = "agent,all"
)

// fits reports whether a message has exactly these fields in this order, and this privilege class where it has one.
func (s schema) fits(m *ami.Message, class string) bool {
	i := 0
	for _, want := range s {
		name, optional := strings.CutPrefix(want, "?")
		if i < m.Len() {
			got, value := m.Field(i)
			if string(got) == name {
				if name == "Privilege" && string(value) != class {
					return false
				}
				i++
				continue
			}
		}
		if !optional {
			return false
		}
	}
	return i == m.Len()
}
