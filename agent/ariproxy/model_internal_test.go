package ariproxy

import (
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/mask"
)

// Of a hidden channel nothing is told that ties it to another, though it were in the model.
func TestNothingOfTheOtherSideOfAHiddenChannelIsTold(t *testing.T) {
	c := mask.Channel{
		ID: "c1", Linked: "c2", Endpoint: "PJSIP/101", Peer: &mask.Party{Name: "Ivanov", Number: "4915550001"}, Out: true, Dialled: "4915550001", App: mask.AppQueue, Queue: "q-sales",
		Room: "8000", Bridge: "c3", DialledBy: "c4", Name: "Anna", Number: "101",
	}
	for _, hidden := range []bool{false, true} {
		c.Hidden = hidden
		text := string(appendChannel(nil, &c, "default"))
		for _, secret := range []string{"Ivanov", "4915550001", "q-sales"} {
			if strings.Contains(text, secret) == hidden {
				t.Errorf("hidden %t: %s", hidden, text)
			}
		}
		if !strings.Contains(text, `"caller":{"name":"Anna","number":"101"}`) {
			t.Errorf("hidden %t: %s", hidden, text)
		}
	}
}

// What is told of two rows that one may not tie to each other says nothing finer than the second in which they began.
func TestTimesAreToTheSecond(t *testing.T) {
	began := time.Date(2026, 10, 1, 11, 0, 7, 617_000_000, time.FixedZone("", 2*60*60))
	const want = `"creationtime":"2026-10-01T09:00:07.000+0000"`
	for name, text := range map[string][]byte{
		"channel": appendChannel(nil, &mask.Channel{ID: "c1", Linked: "c1", Endpoint: "PJSIP/101", Began: began}, "default"),
		"bridge":  appendBridge(nil, &bridge{id: "c2", since: began}),
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("of a %s there is told %s", name, text)
		}
	}
}
