package amiproxy_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ami"
)

// busy is an office with a call of each sort that there is.
func (w *world) busy(name, number string) {
	w.talks("1", name, number, "PJSIP/210")
	w.rings("2", name, number, "PJSIP/130")
	w.queued("9.t", name, number)
	w.confers("7", "room-"+number, name, number, "PJSIP/200")
	w.between("5", "PJSIP/130", "PJSIP/211")
	w.parks("6", name, number, "PJSIP/210")
}

// parks has a phone park somebody from outside in the lot "hall".
func (w *world) parks(id, name, number, endpoint string) {
	w.talks(id, name, number, endpoint)
	out := call.Identity{Name: name, Number: call.Number(number)}
	trunk, phone := leg(id+".t", "PJSIP/trunk", call.StateUp, out, call.Identity{}), leg(id+".p", endpoint, call.StateUp, call.Identity{}, out)
	bridge, lot := call.Bridge{ID: call.BridgeID(id + ".b")}, call.Bridge{ID: "lot", Type: "holding"}
	w.ingest(
		call.Event{Kind: call.BridgeLeft, Bridge: bridge, Channel: trunk, At: at(40)},
		call.Event{Kind: call.BridgeEntered, Bridge: lot, Channel: trunk, At: at(40)},
		call.Event{
			Kind: call.Parked, Channel: call.Channel{ID: trunk.ID, Name: trunk.Name}, At: at(40),
			Parking: &call.Parking{Lot: "hall", Space: "701", By: endpoint, Timeout: time.Minute},
		},
		call.Event{Kind: call.BridgeLeft, Bridge: bridge, Channel: phone, At: at(40)},
		call.Event{Kind: call.LegGone, Channel: phone, At: at(40)},
	)
}

// confers has somebody from outside and a phone in one conference.
func (w *world) confers(id, room, name, number, endpoint string) {
	out := call.Identity{Name: name, Number: call.Number(number)}
	trunk, phone := leg(id+".t", "PJSIP/trunk", call.StateUp, out, call.Identity{}), leg(id+".p", endpoint, call.StateUp, call.Identity{}, call.Identity{})
	bridge := call.Bridge{ID: call.BridgeID(id + ".b"), Type: "mixing"}
	for _, l := range []*call.Channel{&trunk, &phone} {
		l.App, l.Room, l.Exten = "ConfBridge", room, "800"
		w.ingest(call.Event{Kind: call.LegSeen, Channel: *l, At: at(30)})
	}
	w.ingest(
		call.Event{Kind: call.BridgeSeen, Bridge: bridge, At: at(30)},
		call.Event{Kind: call.BridgeEntered, Bridge: bridge, Channel: trunk, At: at(31)},
		call.Event{Kind: call.BridgeEntered, Bridge: bridge, Channel: phone, At: at(31)},
	)
}

// between has one colleague's phone talk to another's.
func (w *world) between(id, one, other string) {
	number := func(endpoint string) call.Identity {
		return call.Identity{Number: call.Number(strings.TrimPrefix(endpoint, "PJSIP/"))}
	}
	from, to := leg(id+".t", one, call.StateUp, number(one), number(other)), leg(id+".p", other, call.StateUp, number(other), number(one))
	from.App, to.App = "Dial", "AppDial"
	bridge := call.Bridge{ID: call.BridgeID(id + ".b"), Type: "mixing"}
	w.ingest(
		call.Event{Kind: call.LegSeen, Channel: from, At: at(10)},
		call.Event{Kind: call.LegSeen, Channel: to, At: at(10)},
		call.Event{Kind: call.DialBegan, Channel: from, Peer: to, At: at(10)},
		call.Event{Kind: call.DialEnded, Channel: from, Peer: to, Answered: true, At: at(12)},
		call.Event{Kind: call.BridgeSeen, Bridge: bridge, At: at(12)},
		call.Event{Kind: call.BridgeEntered, Bridge: bridge, Channel: from, At: at(12)},
		call.Event{Kind: call.BridgeEntered, Bridge: bridge, Channel: to, At: at(12)},
	)
}

// saidTo is what a client is told by an action, line by line and without its ActionID: a list, one answer, or the words of a refusal.
func saidTo(t *testing.T, c *ami.Client, name string, headers ...string) (text string, all []*ami.Message) {
	t.Helper()
	all, final, err := c.List(t.Context(), act(name, headers...))
	if no := (*ami.RefusedError)(nil); errors.As(err, &no) {
		return name + " " + no.Message + "\n", nil
	} else if err != nil {
		t.Fatalf("%s %s: %v", name, headers, err)
	}
	var b strings.Builder
	for _, m := range append(slices.Clone(all), final) {
		for i := range m.Len() {
			if name, value := m.Field(i); string(name) != "ActionID" {
				fmt.Fprintf(&b, "%s: %s\n", name, value)
			}
		}
	}
	return b.String(), all
}

// handles are the fields that have a handle as their value.
var handles = []string{"Uniqueid", "Linkedid", "BridgeId", "BridgeID", "BridgeUniqueid", "ParkeeUniqueid", "ParkeeLinkedid"}

// everything is what a client is told by all lists and about each thing that they name, and when it guesses at what there may be, with handles replaced by
// the order in which they come.
func everything(t *testing.T, c *ami.Client) string {
	t.Helper()
	var b strings.Builder
	var ids []string
	ask := func(name string, headers ...string) []*ami.Message {
		text, list := saidTo(t, c, name, headers...)
		b.WriteString(text)
		for _, row := range list {
			for _, field := range handles {
				if v := row.Get(field); v != "" && !slices.Contains(ids, v) {
					ids = append(ids, v)
				}
			}
		}
		return list
	}
	for _, l := range lists {
		for _, row := range ask(l.action) {
			switch string(row.Event()) {
			case "CoreShowChannel":
				ask("CoreShowChannelMap", "Channel", row.Get("Channel"))
				ask("Status", "Channel", row.Get("Uniqueid"))
			case "BridgeListItem":
				ask("BridgeInfo", "BridgeUniqueid", row.Get("BridgeUniqueid"))
			case "ConfbridgeListRooms":
				ask("ConfbridgeList", "Conference", row.Get("Conference"))
			}
		}
	}
	for _, id := range []string{"1.p", "1.t", "PJSIP/trunk-1.t", "7.t", "9.t"} {
		ask("Status", "Channel", id)
		ask("CoreShowChannelMap", "Channel", id)
	}
	for _, id := range []string{"1.b", "5.b", "7.b"} {
		ask("BridgeInfo", "BridgeUniqueid", id)
	}
	for _, room := range []string{"800", "room-+4915550001"} {
		ask("ConfbridgeList", "Conference", room)
	}
	for _, technology := range []string{"softmix", "simple_bridge", "holding_bridge"} {
		ask("BridgeList", "BridgeType", technology)
	}
	for _, lot := range []string{"hall", "other"} {
		ask("ParkedCalls", "ParkingLot", lot)
	}
	for _, m := range []*ami.Message{act("CoreStatus"), act("ExtensionState", "Exten", "+4915550001"), act("PresenceState", "Provider", "CustomPresence:+4915550001")} {
		answer, err := c.Do(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		for i := range answer.Len() {
			if name, value := answer.Field(i); string(name) != "ActionID" && string(name) != "Exten" { // which is what was asked
				fmt.Fprintf(&b, "%s: %s\n", name, value)
			}
		}
	}
	out := b.String()
	for i, id := range ids {
		out = strings.ReplaceAll(out, id, fmt.Sprintf("<%d>", i))
	}
	return out
}

// Two worlds that differ in who is on the other side alone are the same to who may not see that, in every byte of every list.
func TestListsOfTwoWorldsAreTheSameWithoutTheRight(t *testing.T) {
	tell := func(who, name, number string) string {
		w := newWorld(t)
		w.busy(name, number)
		return everything(t, w.as(who))
	}
	for _, who := range []string{"alice", "carol", "erik"} {
		one, two := tell(who, "Ivanov", "+4915550001"), tell(who, "A. Very-Long Name Indeed", "+79161234567")
		if one != two {
			t.Errorf("%s can tell them apart:\n%s\n---\n%s", who, one, two)
		}
		if n := strings.Count(one, "Event: CoreShowChannel\n"); n != 5 {
			t.Errorf("%s is told of %d channels:\n%s", who, n, one)
		}
	}
	if one, two := tell("olga", "Ivanov", "+4915550001"), tell("olga", "Smith", "+79161234567"); one == two || !strings.Contains(one, "+4915550001") || !strings.Contains(two, "Smith") {
		t.Errorf("who may see cannot tell them apart:\n%s", one)
	}
}

// hidden is what of those calls is not for who may not see the other side.
var hidden = []string{"4915550001", "Ivanov", "trunk", "room-", "ConfBridge", "softmix", "hall", "parking"}

// Of the other side no list has anything to who may not see it, and to who may there is everything of that somewhere.
func TestNoFieldOfAListHasWhatIsHidden(t *testing.T) {
	w := newWorld(t)
	w.busy("Ivanov", "+4915550001")
	seen := everything(t, w.as("olga"))
	for _, who := range []string{"alice", "carol", "erik"} {
		text := everything(t, w.as(who))
		for line := range strings.Lines(text) {
			for _, secret := range hidden {
				if name, value, _ := strings.Cut(line, ": "); strings.Contains(value, secret) {
					t.Errorf("%s is told %q in %s", who, value, name)
				}
			}
		}
	}
	for _, secret := range hidden {
		if !strings.Contains(seen, secret) {
			t.Errorf("who may see is told nothing with %q", secret)
		}
	}
}

// Nothing ties two rows of hidden calls: no two channels share an id, and each is alone in its bridge.
func TestNothingTiesTwoRowsOfAHiddenCall(t *testing.T) {
	w := newWorld(t)
	w.busy("Ivanov", "+4915550001")
	ties := func(who string) (shared []string) {
		list := rows(t, w.as(who), "CoreShowChannels")
		fields := strings.Fields("Channel Uniqueid Linkedid BridgeId ConnectedLineNum ConnectedLineName ApplicationData")
		for i, one := range list {
			for _, other := range list[i+1:] {
				for _, name := range fields {
					for _, as := range fields {
						if v := one.Get(name); v != "" && v != "<unknown>" && v != "(Outgoing Line)" && v == other.Get(as) {
							shared = append(shared, fmt.Sprintf("%s's %s is %s's %s", one.Get("Channel"), name, other.Get("Channel"), as))
						}
					}
				}
			}
		}
		return shared
	}
	for _, who := range []string{"alice", "carol", "erik"} {
		if got := ties(who); len(got) > 0 {
			t.Errorf("%s is told that %v", who, got)
		}
		c := w.as(who)
		for _, b := range rows(t, c, "BridgeList") {
			if n := len(rows(t, c, "BridgeInfo", "BridgeUniqueid", b.Get("BridgeUniqueid"))); n != 1 || b.Get("BridgeNumChannels") != "1" {
				t.Errorf("%s is told of %d in a bridge of %s", who, n, b.Get("BridgeNumChannels"))
			}
		}
		for _, r := range rows(t, c, "CoreShowChannels") {
			if list := rows(t, c, "CoreShowChannelMap", "Channel", r.Get("Channel")); len(list) > 0 {
				t.Errorf("%s has %s mapped", who, r.Get("Channel"))
			}
		}
	}
	if got := ties("olga"); len(got) < 4 {
		t.Errorf("who sees both sides is told of these ties alone: %v", got)
	}
	olga := w.as("olga")
	name, _ := channelOf(t, olga, "PJSIP/211")
	if list := rows(t, olga, "CoreShowChannelMap", "Channel", name); len(list) != 1 || !strings.HasPrefix(list[0].Get("ConnectedChannel"), "PJSIP/130-") {
		t.Errorf("the map has %d rows", len(list))
	}
}
