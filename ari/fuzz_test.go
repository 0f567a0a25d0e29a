package ari_test

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/allocation"
	"github.com/earshot-pbx/earshot/ari"
	"pgregory.net/rapid"
)

// FuzzDecode holds the decoder against encoding/json: what one accepts the other accepts (nesting apart), and an event
// that a plain reader makes out of maps has the same members.
func FuzzDecode(f *testing.F) {
	seeds := append(corpus(3), stasisStart,
		`{"type":"Dial","caller":{"id":"1"},"peer":{"id":"2"},"dialstatus":"","forward":"x","forwarded":{"id":"3"},"dialstring":"a"}`,
		`{"type":"BridgeAttendedTransfer","transferer_first_leg":{"id":"1"},"transferee":null,"result":"Success","is_external":true,"destination_threeway_bridge":{"channels":["a",1,"b"]}}`,
		`{"type":"ChannelTransfer","refer_to":{"requested_destination":{"destination":"1"},"destination_channel":{}},"referred_by":{"source_channel":{"id":"x"},"bridge":{}}}`,
		`{"type":"PeerStatusChange","peer":{"peer_status":"x","cause":"y"},"endpoint":{"channel_ids":[]}}`,
		`{"type":"RecordingFinished","recording":{"duration":1.5,"talking_duration":-3,"silence_duration":99999999999999999999}}`,
		`{"type":"PlaybackStarted","playback":{"id":"\ud83d\ude00"},"device_state":{"name":"n"},"contact_info":{"uri":"u"}}`,
		` { "type" : "ChannelUserevent" , "userevent" : { "a" : [ 1 , true , null ] } , "eventname" : "\u0410\/" } `,
		`{"timestamp":"2024-02-29T23:59:59.5-0330","channel":{"creationtime":"2026-11-22T00:05:09Z"}}`,
		`{"channel":{"id":"1","name":"n"},"channel":{"id":"2"},"type":"A","type":7}`, `{"a":1e-3,"b":[[],{}],"c":"\u00e9é`+"\xff"+`"}`, `[`,
		`{"bridge":{"id":"c"},"channel":{"id":"c"},"endpoint":{"state":"s"},"playback":{"state":"s"}}`, `{"a":-}`,
	)
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var e ari.Event
		limit := 64<<10 + uint64(len(text))*200
		if n := allocation.Least(limit, func() { _ = e.Decode(string(text)) }); n > limit {
			t.Errorf("%d bytes have taken %d", len(text), n)
		}
		compare(t, text)
	})
}

// TestAnyMixOfMembersIsReadAsEncodingJSONDoes makes objects that random bytes seldom become: known members in any
// order, repeated, with values of any type.
func TestAnyMixOfMembersIsReadAsEncodingJSONDoes(t *testing.T) {
	names := regexp.MustCompile(`"([a-z_]+)"`).FindAllStringSubmatch(reading, -1)
	if len(names) < 80 {
		t.Fatalf("%d names found in the reference", len(names))
	}
	word := rapid.OneOf(
		rapid.SampledFrom([]string{`"Dial"`, `"PeerStatusChange"`, `"BridgeBlindTransfer"`, `"ChannelTransfer"`, `"ChannelTalkingFinished"`}),
		rapid.SampledFrom([]string{`true`, `false`, `null`, `0`, `-0`, `1.5`, `1e2`, `-7`, `99999999999999999999`, `[]`, `{}`, `""`}),
		rapid.SampledFrom([]string{`"2026-11-22T00:05:09.123+0000"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\"\\\/"`, "\"\xff\"", `"Анна"`}),
		rapid.Map(rapid.String(), func(s string) string { b, _ := json.Marshal(s); return string(b) }),
	)
	var value func(depth int) *rapid.Generator[string]
	value = func(depth int) *rapid.Generator[string] {
		if depth == 0 {
			return word
		}
		return rapid.Custom(func(t *rapid.T) string {
			space := rapid.SampledFrom([]string{"", "", " ", "\n\t"})
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0:
				return "[" + strings.Join(rapid.SliceOfN(value(depth-1), 0, 4).Draw(t, "elements"), ","+space.Draw(t, "space")) + "]"
			case 1:
				return word.Draw(t, "word")
			}
			var b strings.Builder
			b.WriteString("{")
			for i := range rapid.IntRange(0, 9).Draw(t, "members") {
				if i > 0 {
					b.WriteString(",")
				}
				name := rapid.SampledFrom(names).Draw(t, "name")[1]
				b.WriteString(space.Draw(t, "space") + `"` + name + `"` + space.Draw(t, "space") + ":" + value(depth-1).Draw(t, "value"))
			}
			return b.String() + space.Draw(t, "space") + "}"
		})
	}
	rapid.Check(t, func(t *rapid.T) { compare(t, []byte(value(4).Draw(t, "event"))) })
}

// reading is the source of the reference below: the names of all members are in it.
//
//go:embed fuzz_test.go
var reading string

// compare fails t unless the decoder and the reference agree about text. The Event is decoded into memory that another
// event has used, so that remains of that would be seen.
func compare(t interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}, text []byte) {
	t.Helper()
	used := strings.ReplaceAll(`{"type":"BridgeAttendedTransfer","args":["x","y"],"bridge":{"id":"b","channels":["x","y"]},"channel":CH,"peer":CH,"caller":CH,
		"transferee":CH,"transferer_first_leg":CH,"exten":"x","cause":7,"soft":true,"endpoint":{"resource":"r","channel_ids":["x"]},"playback":{"id":"p"}}`,
		"CH", `{"id":"x","name":"x","caller":{"name":"x","number":"x"},"dialplan":{"exten":"x","priority":9},"creationtime":"2026-11-22T00:05:09Z"}`)
	var e ari.Event
	if err := e.Decode(used); err != nil {
		t.Fatal(err)
	}
	err := e.Decode(string(text))
	wanted := json.Valid(text) && bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) && depth(text) <= 64
	if wanted != (err == nil) {
		t.Fatalf("error is %v; to be accepted: %v", err, wanted)
	}
	if err != nil {
		var bad *ari.DecodeError
		if !errors.As(err, &bad) || bad.Offset < 0 || bad.Offset > len(text) {
			t.Fatalf("error is %#v", err)
		}
		return
	}
	want := reference(text)
	want.Raw = string(text)
	if got := dump(&e); normal(got) != normal(dump(want)) {
		t.Fatalf("got %s\nwant %s", got, dump(want))
	}
	if normal(dump(e.Clone())) != normal(dump(&e)) {
		t.Fatal("the clone differs")
	}
}

// depth gives how deep a valid text nests.
func depth(text []byte) int {
	now, deepest := 0, 0
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			now++
			deepest = max(deepest, now)
		case json.Delim('}'), json.Delim(']'):
			now--
		}
	}
}

// members is an object as encoding/json reads it into a map: names compared exactly, the last of several counts.
type members map[string]json.RawMessage

func object(raw json.RawMessage) members {
	var m members
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m // nil for null
}

func (m members) str(name string) string {
	var v string
	if json.Unmarshal(m[name], &v) != nil {
		return ""
	}
	return v
}

func (m members) integer(name string) int {
	var v int
	if json.Unmarshal(m[name], &v) != nil {
		return 0
	}
	return v
}

func (m members) boolean(name string) bool { return string(m[name]) == "true" }

func (m members) strs(name string) []string {
	var list []json.RawMessage
	if json.Unmarshal(m[name], &list) != nil {
		return nil
	}
	var found []string
	for _, raw := range list {
		var v *string
		if json.Unmarshal(raw, &v) == nil && v != nil {
			found = append(found, *v)
		}
	}
	return found
}

var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):?[0-5]\d)$`)

func (m members) time(name string) time.Time { return referenceTime(m.str(name)) }

func referenceTime(s string) time.Time {
	if !timeForm.MatchString(s) {
		return time.Time{}
	}
	for _, layout := range []string{"2006-01-02T15:04:05-0700", "2006-01-02T15:04:05Z07:00"} {
		if v, err := time.Parse(layout, s); err == nil {
			return v.UTC()
		}
	}
	return time.Time{}
}

func (m members) channel(name string) *ari.Channel {
	o := object(m[name])
	if o == nil {
		return nil
	}
	party := func(name string) ari.CallerID {
		o := object(o[name])
		return ari.CallerID{Name: o.str("name"), Number: o.str("number")}
	}
	dialplan := object(o["dialplan"])
	return &ari.Channel{
		ID: o.str("id"), ProtocolID: o.str("protocol_id"), Name: o.str("name"), State: o.str("state"),
		Caller: party("caller"), Connected: party("connected"), AccountCode: o.str("accountcode"),
		Dialplan: ari.Dialplan{
			Context: dialplan.str("context"), Exten: dialplan.str("exten"), Priority: dialplan.integer("priority"),
			AppName: dialplan.str("app_name"), AppData: dialplan.str("app_data"),
		},
		CreationTime: o.time("creationtime"), Language: o.str("language"), CallerRDNIS: o.str("caller_rdnis"), TenantID: o.str("tenantid"),
	}
}

func (m members) bridge(name string) *ari.Bridge {
	o := object(m[name])
	if o == nil {
		return nil
	}
	return &ari.Bridge{
		ID: o.str("id"), Technology: o.str("technology"), Type: o.str("bridge_type"), Class: o.str("bridge_class"), Creator: o.str("creator"),
		Name: o.str("name"), Channels: o.strs("channels"), VideoMode: o.str("video_mode"), VideoSourceID: o.str("video_source_id"),
		CreationTime: o.time("creationtime"),
	}
}

func (m members) referral(name, channel string) ari.Referral {
	o := object(m[name])
	wanted := object(o["requested_destination"])
	return ari.Referral{
		ProtocolID: wanted.str("protocol_id"), Destination: wanted.str("destination"),
		Channel: o.channel(channel), Connected: o.channel("connected_channel"), Bridge: o.bridge("bridge"),
	}
}

// reference reads an event the plain way.
func reference(text []byte) *ari.Event {
	m := object(text)
	e := &ari.Event{
		Type: m.str("type"), Timestamp: m.time("timestamp"), Application: m.str("application"), AsteriskID: m.str("asterisk_id"),
		Channel: m.channel("channel"), Bridge: m.bridge("bridge"), BridgeFrom: m.bridge("bridge_from"), Args: m.strs("args"),
		ReplaceChannel: m.channel("replace_channel"), Caller: m.channel("caller"), Peer: m.channel("peer"), Forwarded: m.channel("forwarded"),
		Forward: m.str("forward"), DialString: m.str("dialstring"), DialStatus: m.str("dialstatus"),
		Cause: m.integer("cause"), CauseText: m.str("cause_txt"), TechCause: m.integer("tech_cause"), Soft: m.boolean("soft"),
		CallerPresentation: m.integer("caller_presentation"), CallerPresentationText: m.str("caller_presentation_txt"),
		DialplanApp: m.str("dialplan_app"), DialplanAppData: m.str("dialplan_app_data"), Variable: m.str("variable"), Value: m.str("value"),
		EventName: m.str("eventname"), Digit: m.str("digit"), DurationMS: m.integer("duration_ms"), MusicClass: m.str("musicclass"),
		OldVideoSourceID: m.str("old_video_source_id"),
	}
	if e.Type == "ChannelTalkingFinished" {
		e.DurationMS = m.integer("duration")
	}
	if object(m["userevent"]) != nil {
		e.UserEvent = string(m["userevent"])
	}
	if o := object(m["endpoint"]); o != nil {
		e.Endpoint = &ari.Endpoint{Technology: o.str("technology"), Resource: o.str("resource"), State: o.str("state"), ChannelIDs: o.strs("channel_ids")}
	}
	if o := object(m["contact_info"]); o != nil {
		e.Contact = &ari.Contact{URI: o.str("uri"), Status: o.str("contact_status"), AOR: o.str("aor"), RoundtripUsec: o.str("roundtrip_usec")}
	}
	if o := object(m["device_state"]); o != nil {
		e.DeviceState = &ari.DeviceState{Name: o.str("name"), State: o.str("state")}
	}
	if o := object(m["playback"]); o != nil {
		e.Playback = &ari.Playback{
			ID: o.str("id"), MediaURI: o.str("media_uri"), NextMediaURI: o.str("next_media_uri"), TargetURI: o.str("target_uri"),
			Language: o.str("language"), State: o.str("state"),
		}
	}
	if o := object(m["recording"]); o != nil {
		e.Recording = &ari.LiveRecording{
			Name: o.str("name"), Format: o.str("format"), TargetURI: o.str("target_uri"), State: o.str("state"), Cause: o.str("cause"),
			Duration: o.integer("duration"), TalkingDuration: o.integer("talking_duration"), SilenceDuration: o.integer("silence_duration"),
		}
	}
	switch e.Type {
	case "PeerStatusChange":
		e.Peer = nil
		if o := object(m["peer"]); o != nil {
			e.PeerStatus = &ari.PeerStatus{
				Status: o.str("peer_status"), Cause: o.str("cause"), Address: o.str("address"), Port: o.str("port"), Time: o.str("time"),
			}
		}
	case "BridgeBlindTransfer", "BridgeAttendedTransfer", "ChannelTransfer":
		e.Transfer = &ari.Transfer{
			Result: m.str("result"), External: m.boolean("is_external"), Exten: m.str("exten"), Context: m.str("context"),
			Transferee: m.channel("transferee"), Target: m.channel("transfer_target"),
			FirstLeg: m.channel("transferer_first_leg"), SecondLeg: m.channel("transferer_second_leg"),
			FirstLegBridge: m.bridge("transferer_first_leg_bridge"), SecondLegBridge: m.bridge("transferer_second_leg_bridge"),
			DestinationType: m.str("destination_type"), DestinationBridge: m.str("destination_bridge"),
			DestinationApplication: m.str("destination_application"),
			LinkFirstLeg:           m.channel("destination_link_first_leg"), LinkSecondLeg: m.channel("destination_link_second_leg"),
			ThreewayChannel: m.channel("destination_threeway_channel"), ThreewayBridge: m.bridge("destination_threeway_bridge"),
			State: m.str("state"), ReferTo: m.referral("refer_to", "destination_channel"), ReferredBy: m.referral("referred_by", "source_channel"),
		}
	}
	return e
}
