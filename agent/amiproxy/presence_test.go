package amiproxy_test

import (
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/earshot-pbx/earshot/ami"
)

// presences are what PresenceStateList tells, by number.
func presences(t *testing.T, c *ami.Client) map[string]string {
	t.Helper()
	of := map[string]string{}
	for _, r := range rows(t, c, "PresenceStateList") {
		of[strings.TrimPrefix(r.Get("Presentity"), "CustomPresence:")] = r.Get("Status")
	}
	return of
}

// presenceOf is what PresenceState answers.
func presenceOf(t *testing.T, c *ami.Client, provider string) string {
	t.Helper()
	m, err := c.Do(t.Context(), act("PresenceState", "Provider", provider))
	if err != nil {
		t.Fatal(err)
	}
	return m.Get("State")
}

func TestWhoIsNotToBeDisturbedIsToldToWhoMaySeeThat(t *testing.T) {
	w := newWorld(t)
	w.board.keep("100", "130")
	olga := w.as("olga")
	all := presences(t, olga)
	for number, want := range map[string]string{"100": "dnd", "120": "available", "130": "dnd", "210": "available"} {
		if all[number] != want || presenceOf(t, olga, "CustomPresence:"+number) != want {
			t.Errorf("%s is %q in the list, not %q", number, all[number], want)
		}
	}
	if n := w.board.count(); n == 0 || n > 3 { // and not for each answer, unless these took many seconds
		t.Errorf("the PBX was asked %d times in 5 answers", n)
	}
	// Of himself alone, who may see no more than that.
	dave := w.as("dave")
	if all := presences(t, dave); len(all) != 1 || all["130"] != "dnd" {
		t.Errorf("dave is told %v", all)
	}
	asked := w.board.count()
	alice := w.as("alice")
	if all := presences(t, alice); len(all) > 0 || presenceOf(t, alice, "CustomPresence:100") != "not_set" || presenceOf(t, alice, "CustomPresence:130") != "not_set" {
		t.Errorf("alice is told %v", all)
	}
	if presenceOf(t, alice, "CustomPresence:999") != "not_set" {
		t.Error("a number that is nobody's is told apart")
	}
	if n := w.board.count(); n != asked {
		t.Error("the PBX was asked for who may see nothing of it")
	}
}

func TestWhoHasPausedIsAwayForWhoMayViewTheLine(t *testing.T) {
	w := newWorld(t)
	olga, alice := w.as("olga"), w.as("alice")
	paused := queue.Event{Kind: queue.MemberSeen, Queue: "q-sales", Member: queue.Member{Interface: "PJSIP/210", Paused: true}}
	w.gate.Queues(paused)
	if got := presenceOf(t, olga, "custompresence:210"); got != "away" {
		t.Errorf("one who has paused is %q", got)
	}
	if got := presenceOf(t, alice, "CustomPresence:210"); got != "not_set" {
		t.Errorf("to who may not view the line he is %q", got)
	}
	w = newWorld(t)
	olga, alice = w.as("olga"), w.as("alice")
	w.gate.Queues(paused)
	w.board.keep("210")
	if got := presenceOf(t, olga, "CustomPresence:210"); got != "dnd" {
		t.Errorf("one who is not to be disturbed, and has paused, is %q", got)
	}
	if got := presenceOf(t, alice, "CustomPresence:210"); got != "not_set" {
		t.Errorf("to who may not view the line he is %q", got)
	}
}

func TestAgentsAreTheMembersOfLinesThatOneMayView(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	told := func(who string) (lines []string) {
		for _, r := range rows(t, w.as(who), "Agents") {
			peer, _, _ := strings.Cut(r.Get("TalkingToChan"), "-")
			phone, _, _ := strings.Cut(r.Get("Channel"), "-")
			lines = append(lines, strings.Join([]string{r.Get("Agent"), r.Get("Name"), r.Get("Status"), peer, phone, r.Get("ConnectedLineNum")}, " "))
		}
		return lines
	}
	if got := told("olga"); len(got) != 1 || got[0] != "210 Bob AGENT_ONCALL PJSIP/trunk PJSIP/210 +4915550001" {
		t.Errorf("who may view the line is told %q", got)
	}
	if got := told("alice"); len(got) > 0 {
		t.Errorf("who may not is told %q", got)
	}
}
