package amiproxy

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/mask"
)

func TestWhoWaitsOrConfersIsConnectedWithNobody(t *testing.T) {
	peer := &mask.Party{Number: "101", Name: "Anna"}
	for name, c := range map[string]struct {
		ch   mask.Channel
		want string
	}{
		"dials":               {mask.Channel{Peer: peer, App: "Dial"}, "101 Anna"},
		"waits":               {mask.Channel{Peer: peer, App: "Queue"}, "<unknown> <unknown>"},
		"was answered":        {mask.Channel{Peer: peer, App: "Queue", Bridge: "b"}, "101 Anna"},
		"confers":             {mask.Channel{Peer: peer, App: "ConfBridge", Bridge: "b"}, "<unknown> <unknown>"},
		"is alone":            {mask.Channel{App: "Dial"}, "<unknown> <unknown>"},
		"talks to a nameless": {mask.Channel{Peer: &mask.Party{Number: "1\r\nEvent: Hangup"}}, "1??Event: Hangup <unknown>"},
	} {
		if number, called := (channel{&c.ch}).other(); number+" "+called != c.want {
			t.Errorf("one who %s is connected with %s %s, not %s", name, number, called, c.want)
		}
	}
}
