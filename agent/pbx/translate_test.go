package pbx

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// Whatever an event says of a channel or a bridge is taken over as it is: held against the same text read by encoding/json.
func TestATranslatedEventSaysWhatTheRealOneSays(t *testing.T) {
	type identity struct{ Name, Number string }
	type leg struct {
		ID, Name, State   string
		Caller, Connected identity
		CreationTime      string
		Dialplan          struct {
			Exten   string
			AppName string `json:"app_name"`
			AppData string `json:"app_data"`
		}
	}
	type object struct {
		Type, DialStatus, DialString string
		Channel, Caller, Peer        *leg
		Bridge                       *struct {
			ID       string
			Type     string `json:"bridge_type"`
			Channels []string
		}
	}
	kinds, queues, rooms, refused := map[call.Kind]int{}, map[string]int{}, map[string]int{}, map[call.Refusal]int{}
	for name, tape := range tapes(t) {
		for i := range tape {
			if tape[i].ARI == nil {
				continue
			}
			e, err := ari.ParseEvent(tape[i].ARI)
			if err != nil {
				t.Fatal(err)
			}
			ev, ok := translate(e)
			if !ok {
				continue
			}
			kinds[ev.Kind]++
			var want object
			if err := json.Unmarshal(tape[i].ARI, &want); err != nil {
				t.Fatal(err)
			}
			first := want.Channel
			if want.Type == "Dial" {
				first = want.Caller
				if ev.Dialled != want.DialString || (ev.Kind == call.DialBegan) != (want.DialStatus == "") || ev.Answered != (want.DialStatus == "ANSWER") ||
					(ev.Kind == call.DialProgressed) != slices.Contains([]string{"RINGING", "PROGRESS", "PROCEEDING"}, want.DialStatus) {
					t.Errorf("%s, line %d: a dial with status %q became %v", name, i+1, want.DialStatus, ev.Kind)
				}
				if why := map[string]call.Refusal{
					"BUSY": call.RefusalBusy, "NOANSWER": call.RefusalNoAnswer, "CANCEL": call.RefusalCancelled,
				}[want.DialStatus]; ev.Refusal != why {
					t.Errorf("%s, line %d: a dial with status %q was refused by %d", name, i+1, want.DialStatus, ev.Refusal)
				}
				refused[ev.Refusal]++
			}
			got := []call.Channel{ev.Channel, ev.Peer}
			for k, w := range []*leg{first, want.Peer} {
				if w == nil {
					continue
				}
				created, err := time.Parse("2006-01-02T15:04:05.000-0700", w.CreationTime)
				if err != nil {
					t.Fatal(err)
				}
				exact := call.Channel{
					ID: call.LegID(w.ID), Name: w.Name, State: call.ParseState(w.State), Exten: w.Dialplan.Exten, App: w.Dialplan.AppName, Created: created.UTC(),
					Caller:    call.Identity{Name: w.Caller.Name, Number: call.Number(w.Caller.Number)},
					Connected: call.Identity{Name: w.Connected.Name, Number: call.Number(w.Connected.Number)},
				}
				switch w.Dialplan.AppName {
				case "Queue":
					exact.Queue = strings.Split(w.Dialplan.AppData, ",")[0]
					queues[exact.Queue]++
				case "ConfBridge":
					exact.Room = strings.Split(w.Dialplan.AppData, ",")[0]
					rooms[exact.Room]++
				}
				if got[k] != exact {
					t.Errorf("%s, line %d: leg %s of a %s is not what the event says", name, i+1, w.ID, want.Type)
				}
			}
			if b := want.Bridge; b != nil {
				legs := make([]string, len(ev.Bridge.Legs))
				for i, id := range ev.Bridge.Legs {
					legs[i] = string(id)
				}
				if string(ev.Bridge.ID) != b.ID || ev.Bridge.Type != b.Type || !slices.Equal(legs, b.Channels) {
					t.Errorf("%s, line %d: the bridge of a %s is not what the event says", name, i+1, want.Type)
				}
			}
		}
	}
	if rooms["800"] == 0 {
		t.Errorf("the streams have the conferences %v only", rooms)
	}
	if queues["sales"] == 0 || queues["support"] == 0 || refused[call.RefusalBusy] == 0 || refused[call.RefusalCancelled] == 0 {
		t.Errorf("the streams have the queues %v and the refusals %v only", queues, refused)
	}
	for _, k := range []call.Kind{
		call.LegSeen, call.LegGone, call.LegHungUp, call.LegHeld, call.LegUnheld, call.DialBegan, call.DialProgressed, call.DialEnded, call.BridgeSeen,
		call.BridgeGone, call.BridgeEntered, call.BridgeLeft, call.BridgesMerged, call.BlindTransferred, call.AttendedTransferred,
	} {
		if kinds[k] == 0 {
			t.Errorf("no recorded event is translated to %q", k)
		}
	}
}

func TestTheCauseOfAHangUpIsTold(t *testing.T) {
	ev, ok := translate(&ari.Event{Type: ari.TypeChannelDestroyed, Channel: &ari.Channel{ID: "1"}, Cause: 17})
	if !ok || ev.Kind != call.LegGone || ev.Cause != 17 {
		t.Errorf("%v for cause %d", ev, ev.Cause)
	}
}

func TestWhyADialCameToNothingIsTold(t *testing.T) {
	for status, want := range map[string]call.Refusal{
		"BUSY": call.RefusalBusy, "CHANUNAVAIL": call.RefusalFailed, "CONGESTION": call.RefusalFailed, "NOANSWER": call.RefusalNoAnswer,
		"CANCEL": call.RefusalCancelled, "INVALIDARGS": call.RefusalNone, "ANSWER": call.RefusalNone,
	} {
		ev, ok := translate(&ari.Event{Type: ari.TypeDial, Peer: &ari.Channel{ID: "1"}, Caller: &ari.Channel{ID: "2"}, DialStatus: status})
		if !ok || ev.Kind != call.DialEnded || ev.Refusal != want || ev.Answered != (status == "ANSWER") || ev.Congested != (status == "CONGESTION") {
			t.Errorf("%s became %v, refused by %d", status, ev.Kind, ev.Refusal)
		}
	}
}
