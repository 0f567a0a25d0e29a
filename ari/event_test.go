package ari_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/ari"
)

const stasisStart = `{"type":"StasisStart","timestamp":"2026-11-22T00:05:09.123+0000","args":["spy","101"],` +
	`"channel":{"id":"1795299332.1","name":"PJSIP/101-00000003","state":"Up","protocol_id":"a1b2",` +
	`"caller":{"name":"Anna Petrova","number":"101"},"connected":{"name":"","number":"+74957654321"},` +
	`"accountcode":"","dialplan":{"context":"users","exten":"*72102","priority":3,"app_name":"Stasis","app_data":"earshot,spy,101"},` +
	`"creationtime":"2026-11-22T00:05:08.001+0000","language":"ru"},"asterisk_id":"00:11:22:33:44:55","application":"earshot"}`

func parse(t testing.TB, text string) *ari.Event {
	t.Helper()
	e, err := ari.ParseEvent([]byte(text))
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	return e
}

func TestStasisStartIsDecodedWhole(t *testing.T) {
	e := parse(t, stasisStart)
	if e.Type != ari.TypeStasisStart || e.Application != "earshot" || e.AsteriskID != "00:11:22:33:44:55" || e.Raw != stasisStart {
		t.Errorf("head is wrong: %q %q %q", e.Type, e.Application, e.AsteriskID)
	}
	if want := time.Date(2026, 11, 22, 0, 5, 9, 123e6, time.UTC); !e.Timestamp.Equal(want) {
		t.Errorf("timestamp is %v, want %v", e.Timestamp, want)
	}
	if got := strings.Join(e.Args, "|"); got != "spy|101" {
		t.Errorf("args are %q", got)
	}
	want := ari.Channel{
		ID: "1795299332.1", ProtocolID: "a1b2", Name: "PJSIP/101-00000003", State: ari.StateUp,
		Caller:    ari.CallerID{Name: "Anna Petrova", Number: "101"},
		Connected: ari.CallerID{Number: "+74957654321"},
		Dialplan: ari.Dialplan{
			Context: "users", Exten: "*72102", Priority: 3, AppName: "Stasis", AppData: "earshot,spy,101",
		},
		CreationTime: time.Date(2026, 11, 22, 0, 5, 8, 1e6, time.UTC), Language: "ru",
	}
	if *e.Channel != want {
		t.Errorf("channel is\n%s, want\n%s", dump(*e.Channel), dump(want))
	}
}

// dump shows what String would hide.
func dump(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestPeerIsAChannelInDialAndAPeerElsewhere(t *testing.T) {
	for _, text := range []string{
		`{"type":"Dial","peer":{"id":"7","name":"PJSIP/102-1"},"dialstatus":"RINGING","dialstring":"102","caller":{"id":"6"}}`,
		`{"peer":{"id":"7","name":"PJSIP/102-1"},"caller":{"id":"6"},"dialstring":"102","dialstatus":"RINGING","type":"Dial"}`,
	} {
		e := parse(t, text)
		if e.PeerStatus != nil || e.Peer == nil || e.Peer.ID != "7" || e.Caller == nil || e.Caller.ID != "6" || e.DialStatus != "RINGING" {
			t.Errorf("%s: %s", text, dump(e))
		}
	}
	for _, text := range []string{
		`{"type":"PeerStatusChange","peer":{"peer_status":"Unreachable","cause":"x","address":"192.0.2.1","port":"5060","time":"9"},"endpoint":{"technology":"SIP","resource":"7","channel_ids":["a"]}}`,
		`{"endpoint":{"technology":"SIP","resource":"7","channel_ids":["a"]},"peer":{"peer_status":"Unreachable","cause":"x","address":"192.0.2.1","port":"5060","time":"9"},"type":"PeerStatusChange"}`,
	} {
		e := parse(t, text)
		if e.Peer != nil || e.PeerStatus == nil || *e.PeerStatus != (ari.PeerStatus{Status: "Unreachable", Cause: "x", Address: "192.0.2.1", Port: "5060", Time: "9"}) {
			t.Errorf("%s: %s", text, dump(e))
		}
		if e.Endpoint == nil || e.Endpoint.Resource != "7" || len(e.Endpoint.ChannelIDs) != 1 {
			t.Errorf("endpoint of %s: %s", text, dump(e.Endpoint))
		}
	}
}

func TestMembersOfEachTypeAreDecoded(t *testing.T) {
	for _, c := range []struct {
		text string
		good func(e *ari.Event) bool
	}{
		{`{"type":"ChannelDestroyed","cause":16,"cause_txt":"Normal Clearing","tech_cause":486,"channel":{"id":"1"}}`,
			func(e *ari.Event) bool {
				return e.Cause == 16 && e.CauseText == "Normal Clearing" && e.TechCause == 486 && e.Channel.ID == "1"
			}},
		{`{"type":"ChannelHangupRequest","cause":32,"soft":true,"channel":{"id":"1"}}`,
			func(e *ari.Event) bool { return e.Cause == 32 && e.Soft }},
		{`{"type":"ChannelCallerId","caller_presentation":35,"caller_presentation_txt":"Presentation Prohibited","channel":{"id":"1"}}`,
			func(e *ari.Event) bool {
				return e.CallerPresentation == 35 && e.CallerPresentationText == "Presentation Prohibited"
			}},
		{`{"type":"ChannelDialplan","dialplan_app":"Dial","dialplan_app_data":"PJSIP/102,20","channel":{"id":"1"}}`,
			func(e *ari.Event) bool { return e.DialplanApp == "Dial" && e.DialplanAppData == "PJSIP/102,20" }},
		{`{"type":"ChannelVarset","variable":"X","value":"a\"b","channel":{"id":"1"}}`,
			func(e *ari.Event) bool { return e.Variable == "X" && e.Value == `a"b` }},
		{`{"type":"ChannelUserevent","eventname":"Mine","userevent":{"eventname":"Mine", "a":[1,{}]},"channel":{"id":"1"}}`,
			func(e *ari.Event) bool {
				return e.EventName == "Mine" && e.UserEvent == `{"eventname":"Mine", "a":[1,{}]}`
			}},
		{`{"type":"ChannelDtmfReceived","digit":"#","duration_ms":120,"channel":{"id":"1"}}`,
			func(e *ari.Event) bool { return e.Digit == "#" && e.DurationMS == 120 }},
		{`{"type":"ChannelTalkingFinished","duration":900,"channel":{"id":"1"}}`,
			func(e *ari.Event) bool { return e.DurationMS == 900 }},
		{`{"type":"ChannelHold","musicclass":"jazz","channel":{"id":"1"}}`,
			func(e *ari.Event) bool { return e.MusicClass == "jazz" }},
		{`{"type":"BridgeMerged","bridge":{"id":"a","bridge_type":"mixing","bridge_class":"basic","technology":"simple_bridge","creator":"c","name":"n","channels":["1","2"],"creationtime":"2026-11-22T00:05:09.123+0000","video_mode":"none","video_source_id":"v"},"bridge_from":{"id":"b","channels":[]}}`,
			func(e *ari.Event) bool {
				b := e.Bridge
				return b.ID == "a" && b.Type == "mixing" && b.Class == "basic" && b.Technology == "simple_bridge" && b.Creator == "c" &&
					b.Name == "n" && strings.Join(b.Channels, " ") == "1 2" && !b.CreationTime.IsZero() && b.VideoMode == "none" &&
					b.VideoSourceID == "v" && e.BridgeFrom.ID == "b" && len(e.BridgeFrom.Channels) == 0
			}},
		{`{"type":"BridgeVideoSourceChanged","bridge":{"id":"a"},"old_video_source_id":"7"}`,
			func(e *ari.Event) bool { return e.OldVideoSourceID == "7" }},
		{`{"type":"BridgeBlindTransfer","channel":{"id":"1"},"transferee":{"id":"2"},"exten":"103","context":"users","result":"Success","is_external":true,"bridge":{"id":"a"},"replace_channel":{"id":"3"}}`,
			func(e *ari.Event) bool {
				x := e.Transfer
				return x.Transferee.ID == "2" && x.Exten == "103" && x.Context == "users" && x.Result == "Success" && x.External &&
					e.ReplaceChannel.ID == "3" && e.Bridge.ID == "a"
			}},
		{`{"type":"BridgeAttendedTransfer","transferer_first_leg":{"id":"1"},"transferer_second_leg":{"id":"2"},"transferee":{"id":"3"},"transfer_target":{"id":"4"},"result":"Success","is_external":false,"transferer_first_leg_bridge":{"id":"a"},"transferer_second_leg_bridge":{"id":"b"},"destination_type":"bridge","destination_bridge":"b","destination_application":"app","destination_link_first_leg":{"id":"5"},"destination_link_second_leg":{"id":"6"},"destination_threeway_channel":{"id":"7"},"destination_threeway_bridge":{"id":"c"}}`,
			func(e *ari.Event) bool {
				x := e.Transfer
				return x.FirstLeg.ID == "1" && x.SecondLeg.ID == "2" && x.Transferee.ID == "3" && x.Target.ID == "4" && !x.External &&
					x.FirstLegBridge.ID == "a" && x.SecondLegBridge.ID == "b" && x.DestinationType == "bridge" && x.DestinationBridge == "b" &&
					x.DestinationApplication == "app" && x.LinkFirstLeg.ID == "5" && x.LinkSecondLeg.ID == "6" &&
					x.ThreewayChannel.ID == "7" && x.ThreewayBridge.ID == "c"
			}},
		{`{"type":"ChannelTransfer","state":"channel_declined","refer_to":{"requested_destination":{"protocol_id":"p","destination":"103"},"destination_channel":{"id":"1"},"connected_channel":{"id":"2"},"bridge":{"id":"a"}},"referred_by":{"source_channel":{"id":"3"},"connected_channel":{"id":"4"},"bridge":{"id":"b"}}}`,
			func(e *ari.Event) bool {
				to, by := e.Transfer.ReferTo, e.Transfer.ReferredBy
				return e.Transfer.State == "channel_declined" && to.ProtocolID == "p" && to.Destination == "103" && to.Channel.ID == "1" && to.Connected.ID == "2" &&
					to.Bridge.ID == "a" && by.Channel.ID == "3" && by.Connected.ID == "4" && by.Bridge.ID == "b"
			}},
		{`{"type":"ContactStatusChange","endpoint":{"technology":"PJSIP","resource":"101","state":"online"},"contact_info":{"uri":"sip:101@192.0.2.1","contact_status":"Reachable","aor":"101","roundtrip_usec":"900"}}`,
			func(e *ari.Event) bool {
				return *e.Contact == ari.Contact{URI: "sip:101@192.0.2.1", Status: "Reachable", AOR: "101", RoundtripUsec: "900"} && e.Endpoint.State == "online"
			}},
		{`{"type":"DeviceStateChanged","device_state":{"name":"PJSIP/101","state":"INUSE"}}`,
			func(e *ari.Event) bool { return *e.DeviceState == ari.DeviceState{Name: "PJSIP/101", State: "INUSE"} }},
		{`{"type":"PlaybackFinished","playback":{"id":"p","media_uri":"sound:a","next_media_uri":"sound:b","target_uri":"channel:1","language":"en","state":"done"}}`,
			func(e *ari.Event) bool {
				return *e.Playback == ari.Playback{ID: "p", MediaURI: "sound:a", NextMediaURI: "sound:b", TargetURI: "channel:1", Language: "en", State: "done"}
			}},
		{`{"type":"RecordingFailed","recording":{"name":"r","format":"wav","target_uri":"bridge:a","state":"failed","cause":"disk","duration":9,"talking_duration":4,"silence_duration":5}}`,
			func(e *ari.Event) bool {
				return *e.Recording == ari.LiveRecording{Name: "r", Format: "wav", TargetURI: "bridge:a", State: "failed", Cause: "disk", Duration: 9, TalkingDuration: 4, SilenceDuration: 5}
			}},
		{`{"type":"ChannelCreated","channel":{"id":"1","caller_rdnis":"5","tenantid":"t","accountcode":"acc"}}`,
			func(e *ari.Event) bool {
				return e.Channel.CallerRDNIS == "5" && e.Channel.TenantID == "t" && e.Channel.AccountCode == "acc"
			}},
		{`{"type":"SomethingNew","channel":{"id":"1"},"brand":{"new":[1,2,{"x":null}]}}`,
			func(e *ari.Event) bool { return e.Type == "SomethingNew" && e.Channel.ID == "1" }},
	} {
		e := parse(t, c.text)
		if !c.good(e) {
			t.Errorf("%s\nis decoded as\n%s", c.text, dump(e))
		}
		// Nothing of an event may be seen in the next one that is decoded into the same memory.
		if err := e.Decode(`{"type":"X"}`); err != nil {
			t.Fatal(err)
		}
		if got, want := normal(dump(e)), normal(dump(parse(t, `{"type":"X"}`))); got != want {
			t.Errorf("after %s a plain event is\n%s", c.text, got)
		}
	}
}

// normal makes a list without elements look like one that is not there.
func normal(s string) string { return strings.ReplaceAll(s, "[]", "null") }

func TestAMemberOfAnotherTypeIsAsIfAbsentAndTheLastOneCounts(t *testing.T) {
	e := parse(t, `{"type":7,"channel":"x","bridge":null,"args":{"a":1},"cause":"16","soft":1,"caller":"101","playback":[]}`)
	if got, want := normal(dump(e)), normal(dump(parse(t, `{}`))); stripRaw(got) != stripRaw(want) {
		t.Errorf("got %s", got)
	}
	e = parse(t, `{"type":"A","type":"B","channel":{"id":"1","name":"n"},"channel":{"id":"2"},"bridge":{"id":"b"},"bridge":null,"args":["a"],"args":["b","c"]}`)
	if e.Type != "B" || *e.Channel != (ari.Channel{ID: "2"}) || e.Bridge != nil || strings.Join(e.Args, "") != "bc" {
		t.Errorf("got %s", dump(e))
	}
}

func stripRaw(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		if !strings.Contains(line, `"Raw"`) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func TestStringsAreUnescapedAsEncodingJSONDoes(t *testing.T) {
	for _, s := range []string{
		`plain`, ``, `Анна Петрова`, `\u0410\u043d\u043d\u0430`, `a\"b\\c\/d\b\f\n\r\t`, `\ud83d\ude00`, `\ud83d`, `\ude00`,
		`\ud83dx`, `\ud83d\ud83d\ude00`, `\ud83d\n`, `\u0000`, "\xff\xfe", "ok\xc3", "😀 emoji that is long enough", strings.Repeat(`x`, 5000),
		strings.Repeat(`\u0041`, 1000), `12345678`, `1234567\"`, `12345678\"`, "1234567é", `\uABCD\uabcd`, `\ud83d\u0041`,
	} {
		text := `{"type":"` + s + `"}`
		var want struct{ Type string }
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if e := parse(t, text); e.Type != want.Type {
			t.Errorf("%q is read as %q, want %q", s, e.Type, want.Type)
		}
	}
}

func TestWhatIsNoEventIsRefused(t *testing.T) {
	for _, text := range []string{
		``, ` `, `{`, `}`, `[]`, `"x"`, `null`, `1`, `{}x`, `{}{}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":1 "b":2}`, `{a:1}`,
		`{"a":01}`, `{"a":1.}`, `{"a":.1}`, `{"a":-}`, `{"a":1e}`, `{"a":+1}`, `{"a":tru}`, `{"a":nul`, `{"a":"x`, `{"a":"\x"}`,
		`{"a":"\u12g4"}`, `{"a":"\u123`, "{\"a\":\"\n\"}", "{\"a\":\"1234567\x01\"}", `{"a":[1,]}`, `{"a":[}`, `{"a":{]}`, `{"a" 1}`, "{\"a\":1\x00}", `{"a":"\`,
	} {
		_, err := ari.ParseEvent([]byte(text))
		var bad *ari.DecodeError
		if !errors.As(err, &bad) {
			t.Errorf("%q: error is %v, want a *DecodeError", text, err)
		}
	}
}

func TestNestingIsBounded(t *testing.T) {
	deep := func(n int) string { return `{"x":` + strings.Repeat(`[`, n-1) + strings.Repeat(`]`, n-1) + `}` }
	if _, err := ari.ParseEvent([]byte(deep(64))); err != nil {
		t.Errorf("64 levels: %v", err)
	}
	if _, err := ari.ParseEvent([]byte(deep(65))); err == nil {
		t.Error("65 levels were accepted")
	}
	if _, err := ari.ParseEvent([]byte(strings.Repeat(`{"a":`, 1e6))); err == nil {
		t.Error("a million levels were accepted")
	}
}

func TestACloneOutlivesTheNextDecoding(t *testing.T) {
	e := parse(t, stasisStart)
	c := e.Clone()
	before := dump(c)
	if before != dump(e) {
		t.Errorf("the clone differs: %s", before)
	}
	if err := e.Decode(`{"type":"StasisStart","args":["a","b"],"channel":{"id":"other"}}`); err != nil {
		t.Fatal(err)
	}
	if after := dump(c); after != before {
		t.Errorf("the clone has changed: %s", after)
	}
}

func TestDecodingAgainAllocatesNothing(t *testing.T) {
	var e ari.Event
	texts := corpus(30)
	n := testing.AllocsPerRun(100, func() {
		for _, text := range texts {
			if err := e.Decode(text); err != nil {
				t.Fatal(err)
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations for %d events", n, len(texts))
	}
}

func TestPrintingShowsNobody(t *testing.T) {
	e := parse(t, stasisStart)
	for _, v := range []any{
		e, *e, e.Channel, *e.Channel, e.Channel.Caller, e.Channel.Dialplan, []ari.Channel{*e.Channel},
		ari.OriginateRequest{Endpoint: "PJSIP/74957654321@trunk", CallerID: "Anna Petrova <101>"},
		ari.Config{BaseURL: "http://pbx/ari", Username: "Anna Petrova", Password: "74957654321"},
		ari.Transfer{Exten: "74957654321"},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			got := fmt.Sprintf(verb, v)
			for _, secret := range []string{"4957654321", "Anna", "PJSIP/101", "*72102"} {
				if strings.Contains(got, secret) {
					t.Errorf("%T with %s shows %q: %s", v, verb, secret, got)
				}
			}
			if got == "" {
				t.Errorf("%T with %s is empty", v, verb)
			}
		}
	}
	if got := e.String(); !strings.Contains(got, "StasisStart") || !strings.Contains(got, "1795299332.1") {
		t.Errorf("type and id are missing: %s", got)
	}
}
