package amiproxy_test

import (
	"strings"
	"testing"
)

// A channel is called after what is at its other end, which is not always the PBX's to name. One whose name cannot stand in a field is told of under another, as
// its number would be, and ends no session: it would be every panel's at once, and all their lists.
func TestAChannelsNameThatCannotStandInAFieldEndsNoSession(t *testing.T) {
	w := newWorld(t)
	olga := w.as("olga")
	w.meets("1", "OOH323/evil\r\nEvent: Hangup", "PJSIP/210")
	list := rows(t, olga, "CoreShowChannels")
	if len(list) != 2 {
		t.Fatalf("%d channels are shown", len(list))
	}
	name, id := channelOf(t, olga, "OOH323/evil??Event: Hangup")
	for _, by := range []string{name, id, strings.ToLower(name)} {
		if one := rows(t, olga, "Status", "Channel", by); len(one) != 1 || one[0].Get("Uniqueid") != id {
			t.Errorf("by %q it is not found: %v", by, one)
		}
	}
	w.talks("2", "Ivanov", "+4915550001", "PJSIP/211")
	if _, err := olga.Do(t.Context(), act("Ping")); err != nil {
		t.Errorf("the session that was told of it: %v", err)
	}
}
