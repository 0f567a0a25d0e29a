package ari_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/ari"
)

// The stream of a PBX: a snapshot first, then what happens after it, again after each connect.
func ExampleClient_Run() {
	client, err := ari.New(ari.Config{BaseURL: pretend(), Username: "earshot", Password: "secret"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	err = client.Run(ctx, "earshot", ari.RunOptions{
		Listen: ari.ListenOptions{
			SubscribeAll: true,
			Disallow:     []string{ari.TypeChannelVarset, ari.TypeChannelDialplan},
		},
		OnRetry: func(err error, delay time.Duration) { log.Printf("no events: %v; again in %v", err, delay) },
	}, func(ctx context.Context, s *ari.Stream) error {
		channels, err := client.ListChannels(ctx)
		if err != nil {
			return err
		}
		fmt.Println(len(channels), "channel before")
		for {
			event, err := s.Next(ctx)
			if err != nil {
				return err
			}
			switch event.Type {
			case ari.TypeChannelStateChange:
				fmt.Println(event.Channel.Name, "is", event.Channel.State)
			case ari.TypeChannelDestroyed:
				fmt.Println(event.Channel.Name, "has gone, cause", event.Cause)
			}
		}
	})
	fmt.Println(err)
	// Output:
	// 1 channel before
	// PJSIP/101-00000001 is Up
	// PJSIP/101-00000001 has gone, cause 16
	// ari: application replaced by another connection
}

// A supervisor's phone and a snoop channel on a colleague's meet in a bridge.
func ExampleClient_Snoop() {
	client, err := ari.New(ari.Config{BaseURL: pretend(), Username: "earshot", Password: "secret"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()

	// The variables make Asterisk end the leg by itself, should nobody be there to do it.
	leg, err := client.Originate(ctx, ari.OriginateRequest{
		Endpoint:  "PJSIP/102",
		App:       "earshot",
		Variables: map[string]string{"TIMEOUT(absolute)": "30"},
	})
	if err != nil {
		log.Fatal(err)
	}
	snoop, err := client.Snoop(ctx, ari.SnoopRequest{Channel: "1795299332.1", Spy: ari.DirectionBoth, App: "earshot"})
	if err != nil {
		log.Fatal(err)
	}
	bridge, err := client.CreateBridge(ctx, ari.BridgeRequest{Type: ari.BridgeMixing})
	if err != nil {
		log.Fatal(err)
	}
	if err := client.AddChannel(ctx, bridge.ID, []string{leg.ID, snoop.ID}, ari.AddOptions{}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(leg, "and", snoop, "are in", bridge)
	// Output: channel ear-leg Down and channel ear-snoop Up are in bridge ear-bridge mixing stasis
}

// What Asterisk's refusals mean is told by errors.Is.
func ExampleStatusError() {
	client, err := ari.New(ari.Config{BaseURL: pretend(), Username: "earshot", Password: "secret"})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	err = client.Hangup(context.Background(), "1795299332.99", "normal")
	fmt.Println(errors.Is(err, ari.ErrNotFound))
	fmt.Println(err)
	// Output:
	// true
	// ari: hangup: 404 Channel not found
}

// Recorded events are decoded into the same memory, one after the other.
func ExampleEvent_Decode() {
	var event ari.Event
	for _, line := range []string{
		`{"type":"ChannelCreated","channel":{"id":"1","name":"PJSIP/101-00000001","state":"Ring"}}`,
		`{"type":"Dial","caller":{"id":"1"},"peer":{"id":"2","name":"PJSIP/102-00000002"},"dialstatus":""}`,
	} {
		if err := event.Decode(line); err != nil {
			log.Fatal(err)
		}
		fmt.Println(&event)
	}
	// Output:
	// event ChannelCreated channel 1
	// event Dial peer 2
}

// pretend stands in for Asterisk's address, "http://127.0.0.1:8088/ari".
func pretend() string {
	answers := map[string]string{
		"GET /channels":                         `[{"id":"1795299332.1","name":"PJSIP/101-00000001","state":"Ring"}]`,
		"POST /channels":                        `{"id":"ear-leg","state":"Down"}`,
		"POST /channels/1795299332.1/snoop":     `{"id":"ear-snoop","state":"Up"}`,
		"POST /bridges":                         `{"id":"ear-bridge","bridge_type":"mixing","bridge_class":"stasis"}`,
		"POST /bridges/ear-bridge/addChannel":   ``,
		"PUT /applications/earshot/eventFilter": `{}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			answer, ok := answers[r.Method+" "+r.URL.Path]
			if !ok {
				w.WriteHeader(http.StatusNotFound)
				answer = `{"message":"Channel not found"}`
			}
			fmt.Fprint(w, answer)
			return
		}
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		for _, event := range []string{
			`{"type":"ChannelStateChange","channel":{"id":"1795299332.1","name":"PJSIP/101-00000001","state":"Up"}}`,
			`{"type":"ChannelDestroyed","cause":16,"channel":{"id":"1795299332.1","name":"PJSIP/101-00000001"}}`,
			`{"type":"ApplicationReplaced","application":"earshot"}`,
		} {
			if conn.Write(r.Context(), websocket.MessageText, []byte(event)) != nil {
				return
			}
		}
		hold(conn)
	}))
	servers = append(servers, server)
	return server.URL
}

// servers are closed by TestMain: an example has no cleanup of its own.
var servers []*httptest.Server
