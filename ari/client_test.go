package ari_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/ari"
)

func TestEachOperationSendsWhatAsteriskExpects(t *testing.T) {
	const channel = `{"id":"1.2","name":"PJSIP/101-1","state":"Up"}`
	for _, c := range []struct {
		name   string
		answer string
		do     func(ctx context.Context, c *ari.Client) (any, error)
		method string
		uri    string
		body   string
		want   any
	}{
		{
			name: "info", do: func(ctx context.Context, c *ari.Client) (any, error) { return c.Info(ctx) },
			answer: `{"system":{"version":"22.10.1","entity_id":"e"},"config":{"name":"pbx","default_language":"en"},"status":{"startup_time":"2026-11-22T00:05:09.123+0000","last_reload_time":"2026-11-22T00:05:10.000+0000"}}`,
			method: "GET", uri: "/ari/asterisk/info",
			want: &ari.Info{Version: "22.10.1", EntityID: "e", Name: "pbx", DefaultLanguage: "en", StartupTime: time.Date(2026, 11, 22, 0, 5, 9, 123e6, time.UTC), LastReloadTime: time.Date(2026, 11, 22, 0, 5, 10, 0, time.UTC)},
		},
		{
			name: "list channels", do: func(ctx context.Context, c *ari.Client) (any, error) { return c.ListChannels(ctx) },
			answer: `[` + channel + `, {"id":"3"}]`, method: "GET", uri: "/ari/channels",
			want: []ari.Channel{{ID: "1.2", Name: "PJSIP/101-1", State: "Up"}, {ID: "3"}},
		},
		{
			name: "list no channels", do: func(ctx context.Context, c *ari.Client) (any, error) { return c.ListChannels(ctx) },
			answer: ` [ ] `, method: "GET", uri: "/ari/channels", want: []ari.Channel(nil),
		},
		{
			name: "get channel", do: func(ctx context.Context, c *ari.Client) (any, error) { return c.GetChannel(ctx, "a/b c+d%00;1?") },
			answer: channel, method: "GET", uri: "/ari/channels/a%2Fb%20c%2Bd%2500%3B1%3F",
			want: &ari.Channel{ID: "1.2", Name: "PJSIP/101-1", State: "Up"},
		},
		{
			name: "originate", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return c.Originate(ctx, ari.OriginateRequest{
					Endpoint: "PJSIP/101", App: "earshot", AppArgs: "spy,1", CallerID: `"Spy" <102>`, ChannelID: "ear-1", Timeout: 1500 * time.Millisecond,
					Formats: []string{"ulaw", "alaw"}, Variables: map[string]string{"TIMEOUT(absolute)": "30"},
				})
			},
			answer: channel, method: "POST", uri: "/ari/channels",
			body: `{"endpoint":"PJSIP/101","app":"earshot","appArgs":"spy,1","callerId":"\"Spy\" \u003c102\u003e","channelId":"ear-1","timeout":2,"formats":"ulaw,alaw","variables":{"TIMEOUT(absolute)":"30"}}`,
			want: &ari.Channel{ID: "1.2", Name: "PJSIP/101-1", State: "Up"},
		},
		{
			name: "originate into the dialplan", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return c.Originate(ctx, ari.OriginateRequest{
					Endpoint: "PJSIP/101", Context: "users", Extension: "102", Priority: 1, Label: "l", OtherID: "o", Originator: "1.2", Timeout: -1,
				})
			},
			answer: channel, method: "POST", uri: "/ari/channels",
			body: `{"endpoint":"PJSIP/101","context":"users","extension":"102","priority":1,"label":"l","otherChannelId":"o","timeout":-1,"originator":"1.2"}`,
			want: &ari.Channel{ID: "1.2", Name: "PJSIP/101-1", State: "Up"},
		},
		{
			name: "hangup", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.Hangup(ctx, "1.2", "") },
			method: "DELETE", uri: "/ari/channels/1.2",
		},
		{
			name: "hangup for a reason", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.Hangup(ctx, "1.2", "busy") },
			method: "DELETE", uri: "/ari/channels/1.2?reason=busy",
		},
		{
			name: "answer", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.Answer(ctx, "1.2") },
			method: "POST", uri: "/ari/channels/1.2/answer",
		},
		{
			name: "ring", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.Ring(ctx, "1.2") },
			method: "POST", uri: "/ari/channels/1.2/ring",
		},
		{
			name: "stop ring", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.StopRing(ctx, "1.2") },
			method: "DELETE", uri: "/ari/channels/1.2/ring",
		},
		{
			name: "hold", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.Hold(ctx, "1.2") },
			method: "POST", uri: "/ari/channels/1.2/hold",
		},
		{
			name: "unhold", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.Unhold(ctx, "1.2") },
			method: "DELETE", uri: "/ari/channels/1.2/hold",
		},
		{
			name: "mute", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return nil, c.Mute(ctx, "1.2", ari.DirectionIn)
			},
			method: "POST", uri: "/ari/channels/1.2/mute", body: `{"direction":"in"}`,
		},
		{
			name: "unmute", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return nil, c.Unmute(ctx, "1.2", ari.DirectionBoth)
			},
			method: "DELETE", uri: "/ari/channels/1.2/mute?direction=both",
		},
		{
			name: "send dtmf", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return nil, c.SendDTMF(ctx, "1.2", ari.DTMF{Keys: "12#", Between: 50 * time.Millisecond, Duration: 80 * time.Millisecond, Before: time.Second, After: time.Millisecond})
			},
			method: "POST", uri: "/ari/channels/1.2/dtmf", body: `{"dtmf":"12#","between":50,"duration":80,"before":1000,"after":1}`,
		},
		{
			name: "continue", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return nil, c.Continue(ctx, "1.2", ari.ContinueRequest{Context: "users", Extension: "102", Priority: 1, Label: "x"})
			},
			method: "POST", uri: "/ari/channels/1.2/continue", body: `{"context":"users","extension":"102","priority":1,"label":"x"}`,
		},
		{
			name: "get variable", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return c.Variable(ctx, "1.2", "CHANNEL(linkedid)+x")
			},
			answer: `{"value":"9.9"}`, method: "GET", uri: "/ari/channels/1.2/variable?variable=CHANNEL%28linkedid%29%2Bx", want: "9.9",
		},
		{
			name: "rtp statistics", do: func(ctx context.Context, c *ari.Client) (any, error) { return c.RTPStatistics(ctx, "1.2") },
			answer: `{"txcount":150,"rxcount":149,"txploss":2,"rxploss":1,"rtt":0.5,"channel_uniqueid":"1.2"}`, method: "GET", uri: "/ari/channels/1.2/rtp_statistics",
			want: ari.RTPStatistics{Sent: 150, Received: 149, SentLost: 2, ReceivedLost: 1},
		},
		{
			name: "set variable", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return nil, c.SetVariable(ctx, "1.2", "TIMEOUT(absolute)", "30")
			},
			method: "POST", uri: "/ari/channels/1.2/variable", body: `{"value":"30","variable":"TIMEOUT(absolute)"}`,
		},
		{
			name: "snoop", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return c.Snoop(ctx, ari.SnoopRequest{Channel: "1.2", SnoopID: "ear-2", Spy: ari.DirectionBoth, Whisper: ari.DirectionNone, App: "earshot", AppArgs: "x"})
			},
			answer: channel, method: "POST", uri: "/ari/channels/1.2/snoop", body: `{"spy":"both","whisper":"none","app":"earshot","appArgs":"x","snoopId":"ear-2"}`,
			want: &ari.Channel{ID: "1.2", Name: "PJSIP/101-1", State: "Up"},
		},
		{
			name: "start moh", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.StartMOH(ctx, "1.2", "jazz") },
			method: "POST", uri: "/ari/channels/1.2/moh", body: `{"mohClass":"jazz"}`,
		},
		{
			name: "stop moh", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.StopMOH(ctx, "1.2") },
			method: "DELETE", uri: "/ari/channels/1.2/moh",
		},
		{
			name: "play", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return c.Play(ctx, "1.2", ari.PlayRequest{Media: []string{"sound:a", "sound:b"}, Language: "ru", PlaybackID: "p"})
			},
			answer: `{"id":"p","state":"queued"}`, method: "POST", uri: "/ari/channels/1.2/play", body: `{"media":["sound:a","sound:b"],"lang":"ru","playbackId":"p"}`,
			want: &ari.Playback{ID: "p", State: "queued"},
		},
		{
			name: "start silence", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.StartSilence(ctx, "1.2") },
			method: "POST", uri: "/ari/channels/1.2/silence",
		},
		{
			name: "stop silence", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.StopSilence(ctx, "1.2") },
			method: "DELETE", uri: "/ari/channels/1.2/silence",
		},
		{
			name: "play on bridge", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return c.PlayOnBridge(ctx, "b", ari.PlayRequest{Media: []string{"sound:a"}, PlaybackID: "p"})
			},
			answer: `{"id":"p","state":"queued","target_uri":"bridge:b"}`, method: "POST", uri: "/ari/bridges/b/play", body: `{"media":["sound:a"],"playbackId":"p"}`,
			want: &ari.Playback{ID: "p", State: "queued", TargetURI: "bridge:b"},
		},
		{
			name: "start bridge moh", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return nil, c.StartBridgeMOH(ctx, "b", "jazz")
			},
			method: "POST", uri: "/ari/bridges/b/moh", body: `{"mohClass":"jazz"}`,
		},
		{
			name: "start the default bridge moh", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return nil, c.StartBridgeMOH(ctx, "b", "")
			},
			method: "POST", uri: "/ari/bridges/b/moh",
		},
		{
			name: "stop bridge moh", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.StopBridgeMOH(ctx, "b") },
			method: "DELETE", uri: "/ari/bridges/b/moh",
		},
		{
			name: "get playback", do: func(ctx context.Context, c *ari.Client) (any, error) { return c.GetPlayback(ctx, "p") },
			answer: `{"id":"p","media_uri":"sound:a","state":"playing"}`, method: "GET", uri: "/ari/playbacks/p",
			want: &ari.Playback{ID: "p", MediaURI: "sound:a", State: "playing"},
		},
		{
			name: "control playback", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return nil, c.ControlPlayback(ctx, "p", "pause")
			},
			method: "POST", uri: "/ari/playbacks/p/control", body: `{"operation":"pause"}`,
		},
		{
			name: "stop playback", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.StopPlayback(ctx, "p") },
			method: "DELETE", uri: "/ari/playbacks/p",
		},
		{
			name: "record", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return c.Record(ctx, "1.2", ari.RecordRequest{Name: "r", Format: "wav", MaxDuration: time.Minute, MaxSilence: time.Second, IfExists: "overwrite", Beep: true, TerminateOn: "#"})
			},
			answer: `{"name":"r","format":"wav","duration":3}`, method: "POST", uri: "/ari/channels/1.2/record",
			body: `{"name":"r","format":"wav","maxDurationSeconds":60,"maxSilenceSeconds":1,"ifExists":"overwrite","beep":true,"terminateOn":"#"}`,
			want: &ari.LiveRecording{Name: "r", Format: "wav", Duration: 3},
		},
		{
			name: "live recording", do: func(ctx context.Context, c *ari.Client) (any, error) { return c.LiveRecording(ctx, "r/1") },
			answer: `{"name":"r/1","format":"wav","state":"paused"}`, method: "GET", uri: "/ari/recordings/live/r%2F1",
			want: &ari.LiveRecording{Name: "r/1", Format: "wav", State: "paused"},
		},
		{
			name: "stop recording", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.StopRecording(ctx, "r/1") },
			method: "POST", uri: "/ari/recordings/live/r%2F1/stop",
		},
		{
			name: "pause recording", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.PauseRecording(ctx, "r/1") },
			method: "POST", uri: "/ari/recordings/live/r%2F1/pause",
		},
		{
			name: "unpause recording", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.UnpauseRecording(ctx, "r/1") },
			method: "DELETE", uri: "/ari/recordings/live/r%2F1/pause",
		},
		{
			name: "list bridges", do: func(ctx context.Context, c *ari.Client) (any, error) { return c.ListBridges(ctx) },
			answer: `[{"id":"b","bridge_type":"mixing","channels":["1","2"]}]`, method: "GET", uri: "/ari/bridges",
			want: []ari.Bridge{{ID: "b", Type: "mixing", Channels: []string{"1", "2"}}},
		},
		{
			name: "get bridge", do: func(ctx context.Context, c *ari.Client) (any, error) { return c.GetBridge(ctx, "b") },
			answer: `{"id":"b"}`, method: "GET", uri: "/ari/bridges/b", want: &ari.Bridge{ID: "b"},
		},
		{
			name: "create bridge", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return c.CreateBridge(ctx, ari.BridgeRequest{ID: "b", Type: ari.BridgeMixing, Name: "n"})
			},
			answer: `{"id":"b"}`, method: "POST", uri: "/ari/bridges", body: `{"bridgeId":"b","type":"mixing","name":"n"}`, want: &ari.Bridge{ID: "b"},
		},
		{
			name: "destroy bridge", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.DestroyBridge(ctx, "b") },
			method: "DELETE", uri: "/ari/bridges/b",
		},
		{
			name: "add channel", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return nil, c.AddChannel(ctx, "b", []string{"1", "2"}, ari.AddOptions{Role: "participant", Mute: true, AbsorbDTMF: true})
			},
			method: "POST", uri: "/ari/bridges/b/addChannel", body: `{"channel":["1","2"],"role":"participant","mute":true,"absorbDTMF":true}`,
		},
		{
			name: "remove channel", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.RemoveChannel(ctx, "b", "1", "2") },
			method: "POST", uri: "/ari/bridges/b/removeChannel", body: `{"channel":["1","2"]}`,
		},
		{
			name: "list endpoints", do: func(ctx context.Context, c *ari.Client) (any, error) { return c.ListEndpoints(ctx) },
			answer: `[{"technology":"PJSIP","resource":"101","state":"online","channel_ids":["1"]}]`, method: "GET", uri: "/ari/endpoints",
			want: []ari.Endpoint{{Technology: "PJSIP", Resource: "101", State: "online", ChannelIDs: []string{"1"}}},
		},
		{
			name: "get endpoint", do: func(ctx context.Context, c *ari.Client) (any, error) { return c.GetEndpoint(ctx, "PJSIP", "101") },
			answer: `{"resource":"101"}`, method: "GET", uri: "/ari/endpoints/PJSIP/101", want: &ari.Endpoint{Resource: "101"},
		},
		{
			name: "list device states", do: func(ctx context.Context, c *ari.Client) (any, error) { return c.ListDeviceStates(ctx) },
			answer: `[{"name":"Stasis:x","state":"INUSE"}]`, method: "GET", uri: "/ari/deviceStates", want: []ari.DeviceState{{Name: "Stasis:x", State: "INUSE"}},
		},
		{
			name: "get device state", do: func(ctx context.Context, c *ari.Client) (any, error) { return c.GetDeviceState(ctx, "PJSIP/101") },
			answer: `{"name":"PJSIP/101","state":"INUSE"}`, method: "GET", uri: "/ari/deviceStates/PJSIP%2F101", want: &ari.DeviceState{Name: "PJSIP/101", State: "INUSE"},
		},
		{
			name: "list applications", do: func(ctx context.Context, c *ari.Client) (any, error) { return c.ListApplications(ctx) },
			answer: `[{"name":"earshot"}]`, method: "GET", uri: "/ari/applications", want: []ari.Application{{Name: "earshot"}},
		},
		{
			name: "get application", do: func(ctx context.Context, c *ari.Client) (any, error) { return c.GetApplication(ctx, "earshot") },
			answer: `{"name":"earshot","channel_ids":["1"],"bridge_ids":["b"],"endpoint_ids":["PJSIP/101"],"device_names":["x"],"events_allowed":[],"events_disallowed":[{"type":"Dial"}]}`,
			method: "GET", uri: "/ari/applications/earshot",
			want: &ari.Application{
				Name: "earshot", ChannelIDs: []string{"1"}, BridgeIDs: []string{"b"}, EndpointIDs: []string{"PJSIP/101"}, DeviceNames: []string{"x"},
				EventsAllowed: []ari.EventFilter{}, EventsDisallowed: []ari.EventFilter{{Type: "Dial"}},
			},
		},
		{
			name: "set event filter", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return nil, c.SetEventFilter(ctx, "earshot", ari.TypeChannelVarset, ari.TypeChannelDialplan)
			},
			method: "PUT", uri: "/ari/applications/earshot/eventFilter", body: `{"disallowed":[{"type":"ChannelVarset"},{"type":"ChannelDialplan"}]}`,
		},
		{
			name: "take the event filter away", do: func(ctx context.Context, c *ari.Client) (any, error) { return nil, c.SetEventFilter(ctx, "earshot") },
			method: "PUT", uri: "/ari/applications/earshot/eventFilter", body: `{"disallowed":[]}`,
		},
		{
			name: "subscribe", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return c.Subscribe(ctx, "earshot", "channel:1", "endpoint:PJSIP/101")
			},
			answer: `{"name":"earshot"}`, method: "POST", uri: "/ari/applications/earshot/subscription", body: `{"eventSource":["channel:1","endpoint:PJSIP/101"]}`,
			want: &ari.Application{Name: "earshot"},
		},
		{
			name: "unsubscribe", do: func(ctx context.Context, c *ari.Client) (any, error) {
				return c.Unsubscribe(ctx, "earshot", "channel:1", "channel:2")
			},
			answer: `{"name":"earshot"}`, method: "DELETE", uri: "/ari/applications/earshot/subscription?eventSource=channel%3A1%2Cchannel%3A2",
			want: &ari.Application{Name: "earshot"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAsterisk(t)
			a.says(http.StatusOK, c.answer)
			got, err := c.do(t.Context(), a.client())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %s, want %s", dump(got), dump(c.want))
			}
			r := a.last()
			if r.method != c.method || r.uri != c.uri || r.body != c.body {
				t.Errorf("sent %s %s %s\nwant %s %s %s", r.method, r.uri, r.body, c.method, c.uri, c.body)
			}
			if wanted := map[bool]string{true: "application/json"}[c.body != ""]; r.contentType != wanted {
				t.Errorf("content type is %q, want %q", r.contentType, wanted)
			}
			if r.user != "earshot" || r.password != "s3cret:x" {
				t.Errorf("credentials are %q, %q", r.user, r.password)
			}
			// And each gives the error of an answer that is none, with the same operation in it.
			a.says(http.StatusNotFound, `{"message":"Channel not found"}`)
			_, err = c.do(t.Context(), a.client())
			var status *ari.StatusError
			if !errors.As(err, &status) || status.Op == "" || status.Status != 404 {
				t.Errorf("after a 404 the error is %v", err)
			}
		})
	}
}

func TestStatusesAreTold(t *testing.T) {
	a := newAsterisk(t)
	all := []error{
		ari.ErrBadRequest, ari.ErrUnauthorized, ari.ErrForbidden, ari.ErrNotFound, ari.ErrConflict, ari.ErrInvalidState, ari.ErrUnprocessable, ari.ErrUnavailable,
	}
	for status, want := range map[int]error{
		400: ari.ErrBadRequest, 401: ari.ErrUnauthorized, 403: ari.ErrForbidden, 404: ari.ErrNotFound, 409: ari.ErrConflict,
		412: ari.ErrInvalidState, 422: ari.ErrUnprocessable, 503: ari.ErrUnavailable, 500: nil, 302: nil, 418: nil,
	} {
		// The body is not JSON: the status has to be enough.
		a.says(status, "<html>oh no</html>")
		_, err := a.client().ListChannels(t.Context())
		for _, e := range all {
			if errors.Is(err, e) != (e == want) {
				t.Errorf("status %d: errors.Is(%v, %v) is %v", status, err, e, e != want)
			}
		}
		var se *ari.StatusError
		if !errors.As(err, &se) || se.Status != status || se.Message != "" {
			t.Errorf("status %d gives %#v", status, err)
		}
	}
}

func TestErrorsShowNeitherNumbersNorCredentialsNorAddresses(t *testing.T) {
	a := newAsterisk(t)
	c := a.client()
	check := func(err error, parts ...string) {
		t.Helper()
		if err == nil {
			t.Fatal("no error")
		}
		for _, secret := range []string{"74957654321", "s3cret", "127.0.0.1", "Anna"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q is in: %v", secret, err)
			}
		}
		for _, part := range parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q is not in: %v", part, err)
			}
		}
	}
	a.says(404, `{"message":"Provided channel 74957654321 of Anna was not found"}`)
	_, err := c.GetChannel(t.Context(), "74957654321")
	check(err, "get channel", "404", "not found")
	a.says(409, `{"message":"Channel not in Stasis application"}`)
	check(c.Answer(t.Context(), "74957654321"), "answer", "409", "Channel not in Stasis application")
	a.says(200, `{"id": 74957654321 Anna}`)
	_, err = c.GetChannel(t.Context(), "74957654321")
	check(err, "get channel", "not valid JSON")
	a.says(200, `{"value": "74957654321`)
	_, err = c.Variable(t.Context(), "74957654321", "x")
	check(err, "get variable")
	a.Server.Close()
	_, err = c.GetChannel(t.Context(), "74957654321")
	if err == nil || strings.Contains(err.Error(), "74957654321") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error is %v", err)
	}
	check(c.Answer(t.Context(), "7495\n7654321"), "answer", "not sent")
}

func TestAnErrorTellsWhetherTheRequestWasSent(t *testing.T) {
	var request *ari.RequestError

	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	err = clientOf(t, "http://"+closed.Addr().String()+"/ari", 0).Answer(t.Context(), "1")
	if !errors.As(err, &request) || request.Sent {
		t.Errorf("nobody listens: %v", err)
	}

	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(server.Close)
	err = clientOf(t, server.URL+"/ari", 0).Answer(t.Context(), "1")
	if !errors.As(err, &request) || !request.Sent {
		t.Errorf("cut off after the request: %v", err)
	}
}

func TestAnOperationEndsWithItsContextAndWithTheTimeout(t *testing.T) {
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if err := clientOf(t, server.URL, 0).Answer(ctx, "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
	if err := clientOf(t, server.URL, 20*time.Millisecond).Answer(t.Context(), "1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the timeout: %v", err)
	}
}

func TestAnAnswerOverTheLimitIsRefused(t *testing.T) {
	for _, announced := range []bool{true, false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			body := `["` + strings.Repeat("x", 100) + `"]`
			if announced {
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			} else {
				w.(http.Flusher).Flush()
			}
			_, _ = io.WriteString(w, body)
		}))
		c, err := ari.New(ari.Config{BaseURL: server.URL, Username: "u", MaxResponse: 100})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.ListEndpoints(t.Context()); !errors.Is(err, ari.ErrTooLarge) {
			t.Errorf("announced %v: %v", announced, err)
		}
		c.Close()
		server.Close()
	}
}

func TestListsOfWrongShapeAreErrors(t *testing.T) {
	a := newAsterisk(t)
	for _, answer := range []string{``, `{}`, `null`, `[1]`, `[{}`, `[{},]`, `[{}]x`, `[{"id":"1"} {"id":"2"}]`} {
		a.says(200, answer)
		if _, err := a.client().ListChannels(t.Context()); err == nil {
			t.Errorf("channels: %q was accepted", answer)
		}
		if _, err := a.client().ListBridges(t.Context()); err == nil {
			t.Errorf("bridges: %q was accepted", answer)
		}
	}
}

// What a list takes in memory is in proportion to its text.
func TestAListOfElementsTooSmallToBeRealIsRefused(t *testing.T) {
	a := newAsterisk(t)
	for n, good := range map[int]bool{4000: true, 100_000: false} {
		a.says(200, "["+strings.Repeat("{},", n-1)+"{}]")
		if list, err := a.client().ListChannels(t.Context()); (err == nil) != good || good && len(list) != n {
			t.Errorf("%d channels of nothing: %d, %v", n, len(list), err)
		}
	}
	const n = 20_000 // as small as a real one can be
	a.says(200, "["+strings.Repeat(`{"id":"1790000000.1","name":"PJSIP/1-00000001","state":"Up","protocol_id":"","caller":{"name":"","number":""},"connected":{"name":"","number":""}},`, n-1)+"{}]")
	if list, err := a.client().ListChannels(t.Context()); err != nil || len(list) != n {
		t.Errorf("%d channels: %d, %v", n, len(list), err)
	}
}

func TestTheOtherListsAreBoundedToo(t *testing.T) {
	const n = 20_000
	for name, c := range map[string]struct {
		least string // as small as a real one can be
		ask   func(*ari.Client) (int, error)
	}{
		"endpoints": {
			`{"technology":"SIP","resource":"1","state":"online","channel_ids":[]}`,
			func(c *ari.Client) (int, error) { l, err := c.ListEndpoints(t.Context()); return len(l), err },
		},
		"device states": {
			`{"name":"Stasis:x","state":"BUSY"}`,
			func(c *ari.Client) (int, error) { l, err := c.ListDeviceStates(t.Context()); return len(l), err },
		},
		"applications": {
			`{"name":"x","channel_ids":[],"bridge_ids":[],"endpoint_ids":[],"device_names":[],"events_allowed":[],"events_disallowed":[]}`,
			func(c *ari.Client) (int, error) { l, err := c.ListApplications(t.Context()); return len(l), err },
		},
	} {
		a := newAsterisk(t)
		a.says(200, "["+strings.Repeat(c.least+",", n-1)+c.least+"]")
		if got, err := c.ask(a.client()); err != nil || got != n {
			t.Errorf("%d %s: %d, %v", n, name, got, err)
		}
		a.says(200, "["+strings.Repeat("{},", n-1)+"{}]")
		if got, err := c.ask(a.client()); err == nil || !strings.Contains(err.Error(), "more elements") {
			t.Errorf("%d %s of nothing: %d, %v", n, name, got, err)
		}
		a.says(200, `[{"channel_ids":["`+strings.Repeat(`","`, 3<<20)+`"]}]`)
		if got, err := c.ask(a.client()); !errors.Is(err, ari.ErrTooLarge) {
			t.Errorf("one of the %s with 9 MiB of nothing: %d, %v", name, got, err)
		}
		for _, answer := range []string{`{}`, `null`, `[1]`, `[{}`, `[{}]x`, `[{"name":1,"resource":1}]`} {
			a.says(200, answer)
			if _, err := c.ask(a.client()); err == nil {
				t.Errorf("%s: %q was accepted", name, answer)
			}
		}
	}
}

func TestAnAnswerThatIsNoListHasALimitOfItsOwn(t *testing.T) {
	a := newAsterisk(t)
	a.says(200, `{"value":"`+strings.Repeat("x", 9<<20)+`"}`)
	if _, err := a.client().Variable(t.Context(), "1", "X"); !errors.Is(err, ari.ErrTooLarge) {
		t.Errorf("a variable of 9 MiB: %v", err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Endless", strings.Repeat("x", 100<<10))
		_, _ = io.WriteString(w, `{"value":""}`)
	}))
	defer server.Close()
	if _, err := clientOf(t, server.URL, time.Minute).Variable(t.Context(), "1", "X"); err == nil {
		t.Error("a header of 100 KiB was accepted")
	}
}

func TestPathSegmentsThatAsteriskWouldMisreadAreNotSent(t *testing.T) {
	a := newAsterisk(t)
	for _, id := range []string{"", ".", "..", "a\x00b", "a\nb", "\x7f", "\xff"} {
		err := a.client().Answer(t.Context(), id)
		var request *ari.RequestError
		if !errors.As(err, &request) || request.Sent {
			t.Errorf("%q: %v", id, err)
		}
	}
	if len(a.requests) != 0 {
		t.Errorf("%d requests were sent", len(a.requests))
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	elsewhere := newAsterisk(t)
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	err := clientOf(t, server.URL, 0).Answer(t.Context(), "1")
	var status *ari.StatusError
	if !errors.As(err, &status) || status.Status != 307 {
		t.Errorf("error is %v", err)
	}
	if len(elsewhere.requests) != 0 {
		t.Error("the password was carried elsewhere")
	}
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	for name, cfg := range map[string]ari.Config{
		"no scheme":       {BaseURL: "127.0.0.1:8088", Username: "u"},
		"other scheme":    {BaseURL: "ftp://127.0.0.1/ari", Username: "u"},
		"no host":         {BaseURL: "http:///ari", Username: "u"},
		"credentials":     {BaseURL: "http://u:s3cret@127.0.0.1/ari", Username: "u"},
		"query":           {BaseURL: "http://127.0.0.1/ari?api_key=u:s3cret", Username: "u"},
		"unreadable":      {BaseURL: "http://s3cret\x00", Username: "u"},
		"no user":         {BaseURL: "http://127.0.0.1/ari"},
		"user with colon": {BaseURL: "http://127.0.0.1/ari", Username: "u:x"},
		"negative":        {BaseURL: "http://127.0.0.1/ari", Username: "u", Timeout: -1},
	} {
		c, err := ari.New(cfg)
		if err == nil || c != nil {
			t.Errorf("%s was accepted", name)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the password is in %v", name, err)
		}
	}
}
