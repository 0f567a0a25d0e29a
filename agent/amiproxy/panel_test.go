package amiproxy_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/amiproxy"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ami"
)

// listener is a panel that has logged in and hears events.
func (w *world) listener(who string) (*ami.Client, <-chan *ami.Message) {
	w.t.Helper()
	events := make(chan *ami.Message, 64)
	c, err := ami.Dial(w.t.Context(), ami.Config{Addr: w.addr, Username: who, Secret: ami.Secret(w.token[who]), PlainLogin: true, OnEvent: func(m *ami.Message) error {
		events <- m.Clone()
		return nil
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c, events
}

// next waits for an event of a name.
func next(t *testing.T, events <-chan *ami.Message, name string) *ami.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), tooLong)
	defer cancel()
	for {
		select {
		case m := <-events:
			if string(m.Event()) == name {
				return m
			}
		case <-ctx.Done():
			t.Fatalf("no %s came", name)
		}
	}
}

// A panel that serves many may be one that can send no header of its own.
func TestAPanelNamesTheEmployeeInTheWaysThatPanelsHave(t *testing.T) {
	for name, c := range map[string]struct {
		headers []string
		subject string // empty: it is refused
		code    string
	}{
		"the header":                {[]string{"X-Earshot-Employee", "alice"}, "alice", ""},
		"the variable":              {[]string{"Variable", "crm_id=1", "Variable", "EARSHOT_EMPLOYEE=alice"}, "alice", ""},
		"the variable and account":  {[]string{"Variable", "EARSHOT_EMPLOYEE=alice", "Account", "alice"}, "alice", ""},
		"a variable, billing":       {[]string{"Variable", "EARSHOT_EMPLOYEE=alice", "Account", "billing-7"}, "alice", ""},
		"behind what was typed":     {[]string{"Account", "alice", "Variable", "CALLERNAME=typed,EARSHOT_EMPLOYEE=olga"}, "", "employee_not_alone"},
		"beside another variable":   {[]string{"Variable", "crm_id=1,EARSHOT_EMPLOYEE=alice"}, "", "employee_not_alone"},
		"against the account":       {[]string{"Variable", "EARSHOT_EMPLOYEE=alice", "Account", "olga"}, "", "employee_not_yours"},
		"a header, not the account": {[]string{"X-Earshot-Employee", "alice", "Account", "olga"}, "", "employee_not_yours"},
		"both, alike":               {[]string{"X-Earshot-Employee", "alice", "Variable", "EARSHOT_EMPLOYEE=alice"}, "alice", ""},
		"the account":               {[]string{"Account", "alice"}, "alice", ""},
		"an account of its own":     {[]string{"Account", "billing-7"}, "alice", ""},
		"nobody: whose phone it is": {nil, "alice", ""},
		"both, another":             {[]string{"X-Earshot-Employee", "olga", "Variable", "EARSHOT_EMPLOYEE=alice"}, "", "employee_not_yours"},
		"one for whom it may not":   {[]string{"Variable", "EARSHOT_EMPLOYEE=carol"}, "", "employee_not_yours"},
		"one who is not there":      {[]string{"Variable", "EARSHOT_EMPLOYEE=ghost"}, "", "employee_not_yours"},
		"an empty one":              {[]string{"Variable", "EARSHOT_EMPLOYEE="}, "", "employee_not_yours"},
		"another's account":         {[]string{"Account", "olga"}, "", "not_your_phone"}, // and so her phone is to ring
		"nobody: another's phone":   {[]string{"Channel", "PJSIP/120"}, "", "nobody_named"},
		"nobody: nobody's phone":    {[]string{"Channel", "PJSIP/999"}, "", "nobody_named"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			headers := append([]string{"Exten", "120", "Priority", "1", "Async", "true"}, c.headers...)
			if !strings.Contains(strings.Join(headers, " "), "Channel ") {
				headers = append(headers, "Channel", "PJSIP/100")
			}
			got := answered(t, w.login("crm", w.token["crm"]), act("Originate", headers...))
			all := w.book.Decided()
			if len(all) != 1 {
				t.Fatalf("%q, and the record has %d decisions", got, len(all))
			}
			e := all[0]
			if c.subject != "" {
				if got != "ok" || e.Subject != c.subject || e.Outcome != "allow" || !strings.HasPrefix(e.Credential, "panel:crm:") {
					t.Errorf("%q, and the record has %+v", got, e)
				}
				w.pbx.ordered(t, "call PJSIP/100")
				return
			}
			if got == "ok" || e.Reason != c.code || e.Outcome != "deny" || len(w.pbx.taken()) > 0 {
				t.Errorf("%q, and the record has %+v", got, e)
			}
		})
	}
}

// What a panel is shown that names nobody is what the policy grants to its entry.
func TestAPanelItselfSeesWhatThePolicyGrantsIt(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "", "+4915550001", "PJSIP/210")
	wall, crm := w.login("wall", w.token["wall"]), w.login("crm", w.token["crm"])
	if list := rows(t, wall, "CoreShowChannels"); len(list) != 2 || list[0].Get("ConnectedLineNum") != "+4915550001" {
		t.Errorf("it sees %v", list)
	}
	if list := rows(t, wall, "CoreShowChannels", "X-Earshot-Employee", "alice"); len(list) != 1 || list[0].Get("ConnectedLineNum") != "<unknown>" {
		t.Errorf("as alice it sees %v", list)
	}
	if got := answered(t, crm, act("CoreShowChannels")); !strings.HasPrefix(got, "Name the employee") {
		t.Errorf("a panel that the policy does not have is told %q", got)
	}
	name, _ := channelOf(t, wall, "PJSIP/210")
	for action, headers := range map[string][]string{
		"Hangup":    {"Channel", name},
		"Originate": {"Channel", "PJSIP/210", "Application", "ChanSpy", "Data", name, "Async", "true"},
	} {
		if got := answered(t, wall, act(action, headers...)); got == "ok" {
			t.Errorf("%s is done", action)
		}
	}
	for _, e := range rows(t, wall, "PJSIPShowEndpoints") {
		if strings.Contains(e.Get("ObjectName"), "wall") {
			t.Error("it is among the phones")
		}
	}
	if got := w.pbx.taken(); len(got) > 0 {
		t.Errorf("the PBX was asked for %v", got)
	}
}

// The log says of a panel that the policy has no entry of that nothing will be told to it, and of one that it has says nothing.
func TestTheLogSaysWhichPanelHearsNothing(t *testing.T) {
	const says = `"who":"panel:crm","message":"this panel hears of no call`
	for panel, said := range map[string]int{"wall": 0, "crm": 1} {
		w := newWorld(t)
		if got := answered(t, w.login(panel, w.token[panel]), act("Ping")); got != "ok" {
			t.Fatal(got)
		}
		if got := strings.Count(w.log.String(), says); got != said || said == 0 && strings.Contains(w.log.String(), "hears of no call") {
			t.Errorf("of %s it says so %d times: %s", panel, got, w.log)
		}
	}
}

func TestUserEventsGoToSessionsOfTheSamePanelOrEmployeeOnly(t *testing.T) {
	w := newWorld(t)
	_, other := w.listener("alice")
	alice, own := w.listener("alice")
	olga, olgas := w.listener("olga")
	_, crms := w.listener("crm")
	panel, crm := w.listener("crm")
	send := func(c *ami.Client, name string, headers ...string) {
		t.Helper()
		if got := answered(t, c, act("UserEvent", append([]string{"UserEvent", name}, headers...)...)); got != "ok" {
			t.Fatalf("%s: %s", name, got)
		}
	}
	send(panel, "FromPanel", "X-Earshot-Employee", "alice", "Note", "a: b")
	send(alice, "FromAlice", "Note", "1")
	send(olga, "FromOlga")
	for who, c := range map[string]struct {
		events <-chan *ami.Message
		want   string
	}{"alice": {own, "FromAlice"}, "alice's other": {other, "FromAlice"}, "olga": {olgas, "FromOlga"}, "the panel": {crm, "FromPanel"}, "its other": {crms, "FromPanel"}} {
		e := next(t, c.events, "UserEvent")
		if e.Get("UserEvent") != c.want || e.Get("Privilege") != "user,all" {
			t.Errorf("%s is told %v", who, e)
		}
		if _, ok := e.Lookup("X-Earshot-Employee"); ok {
			t.Errorf("%s is told for whom it was", who)
		}
	}
}

// What sessions tell each other is counted as commands are, has its share of bytes, and stands in the record without what is in it.
func TestUserEventsAreCountedAndRecorded(t *testing.T) {
	asked := 0
	w := newWorld(t, func(c *amiproxy.Config) { c.Command = func(auth.Subject) bool { asked++; return asked <= 20 } })
	alice, crm := w.as("alice"), w.as("crm")
	send := func(c *ami.Client, text string) string {
		return answered(t, c, act("UserEvent", "UserEvent", "Foo", "Note", text))
	}
	if got := send(alice, "se-cret"); got != "ok" {
		t.Fatal(got)
	}
	if got := send(crm, "se-cret"); got != "ok" {
		t.Fatalf("a panel that names nobody: %s", got)
	}
	all := w.book.Decided()
	if len(all) != 2 || all[0].Action != "ami.UserEvent" || all[0].Outcome != "allow" || all[0].Subject != "alice" || all[1].Credential != "panel:crm" {
		t.Fatalf("the record has %+v", all)
	}
	if text := fmt.Sprintf("%+v", all); strings.Contains(text, "se-cret") || strings.Contains(text, "Foo") {
		t.Errorf("the record has what was sent: %s", text)
	}
	long := act("UserEvent", "UserEvent", "Foo")
	for i := range 32 {
		long.Append(fmt.Sprint("Note", i), strings.Repeat("x", 256))
	}
	got := "ok"
	for n := 0; n < 15 && got == "ok"; n++ {
		got = answered(t, alice, long)
	}
	if got != "Too many commands; wait a little." || asked >= 20 {
		t.Errorf("bytes without an end: %q after %d", got, asked)
	}
	asked = 20
	if got := send(w.as("olga"), "x"); got != "Too many commands; wait a little." {
		t.Errorf("beyond the commands: %q", got)
	}
	for n := 0; n < 25; n++ {
		got = send(crm, "x")
	}
	if got != "Too many commands; wait a little." {
		t.Errorf("a panel that names nobody, without an end: %q", got)
	}
}

// Whoever asks more than his share is told so, and the others are not held up.
func TestAFloodOfListsIsBounded(t *testing.T) {
	w := newWorld(t, func(c *amiproxy.Config) { c.PerMinute, c.Burst = 1, 5 })
	w.talks("1", "", "+4915550001", "PJSIP/210")
	alice, olga := w.as("alice"), w.as("olga")
	for range 5 {
		rows(t, alice, "CoreShowChannels")
	}
	for _, m := range []*ami.Message{act("CoreShowChannels"), act("Command"), act("ListCommands"), act("Nothing")} {
		if got := answered(t, alice, m); got != "Too many actions; wait a little." {
			t.Errorf("%s: %q", m.Action(), got)
		}
	}
	if _, err := alice.Do(t.Context(), act("Ping")); err != nil {
		t.Errorf("a Ping: %v", err)
	}
	rows(t, olga, "CoreShowChannels")
	if n := len(w.book.Decided()); n != 0 {
		t.Errorf("the record has %d decisions", n)
	}
}

// meets has two employees talk to each other.
func (w *world) meets(id, from, to string) {
	_, a, _ := strings.Cut(from, "/")
	_, b, _ := strings.Cut(to, "/")
	one, two := leg(id+".p", from, call.StateUp, call.Identity{Number: call.Number(a)}, call.Identity{Number: call.Number(b)}), leg(id+".q", to, call.StateUp, call.Identity{Number: call.Number(b)}, call.Identity{Number: call.Number(a)})
	bridge := call.Bridge{ID: call.BridgeID(id + ".b"), Type: "mixing"}
	w.ingest(
		call.Event{Kind: call.LegSeen, Channel: one, At: at(10)}, call.Event{Kind: call.LegSeen, Channel: two, At: at(10)},
		call.Event{Kind: call.DialBegan, Channel: one, Peer: two, At: at(10)}, call.Event{Kind: call.DialEnded, Channel: one, Peer: two, Answered: true, At: at(12)},
		call.Event{Kind: call.BridgeSeen, Bridge: bridge, At: at(12)},
		call.Event{Kind: call.BridgeEntered, Bridge: bridge, Channel: one, At: at(12)}, call.Event{Kind: call.BridgeEntered, Bridge: bridge, Channel: two, At: at(12)},
	)
}

// Panels transfer by a Redirect of the other side's channel, and bring both somewhere by naming both.
func TestRedirectMovesTheSidesThatAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		channel, extra, order string
	}{
		"the other side": {"PJSIP/210", "", "redirect 1.q 120"},
		"one's own":      {"PJSIP/100", "", "redirect 1.p 120"},
		"both":           {"PJSIP/210", "PJSIP/100", "redirect 1.p1.q 120"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.meets("1", "PJSIP/100", "PJSIP/210")
			alice, carol, olga := w.as("alice"), w.as("carol"), w.as("olga")
			m := func(c2 *ami.Client) *ami.Message {
				one, _ := channelOf(t, c2, c.channel)
				m := act("Redirect", "Channel", one, "Context", "from-internal", "Exten", "120", "Priority", "1")
				if c.extra != "" {
					two, _ := channelOf(t, c2, c.extra)
					m.Append("ExtraChannel", two)
				}
				return m
			}
			if got := answered(t, carol, m(carol)); got != "That is not a leg of yours" {
				t.Errorf("carol, who is not on it: %q", got)
			}
			if got := answered(t, olga, m(olga)); got != "That is not a leg of yours" {
				t.Errorf("olga, who sees it: %q", got)
			}
			if got := answered(t, alice, m(alice)); got != "ok" {
				t.Fatalf("alice: %q", got)
			}
			w.pbx.ordered(t, c.order)
		})
	}
}

// A panel lists as itself and acts for an employee, by the channels that it has listed, and gets no more by it than he would.
func TestAPanelActsForAnEmployeeByChannelsOfItsOwnList(t *testing.T) {
	w := newWorld(t)
	w.meets("1", "PJSIP/100", "PJSIP/120")
	w.talks("2", "", "+4915550001", "PJSIP/210")
	wall := w.login("wall", w.token["wall"])
	own, id := channelOf(t, wall, "PJSIP/100")
	bobs, _ := channelOf(t, wall, "PJSIP/210")
	outside, _ := channelOf(t, wall, "PJSIP/trunk")
	for channel, want := range map[string]string{bobs: "That is not a leg of yours", outside: "No such channel", "PJSIP/100-1.p": "No such channel", "": "No channel specified"} {
		if got := answered(t, wall, act("Hangup", "Channel", channel, "X-Earshot-Employee", "alice")); got != want {
			t.Errorf("%q: %q, not %q", channel, got, want)
		}
	}
	if got := w.pbx.taken(); len(got) > 0 {
		t.Fatalf("the PBX was asked for %v", got)
	}
	for _, channel := range []string{own, id} {
		if got := answered(t, wall, act("MuteAudio", "Channel", channel, "Direction", "in", "State", "on", "X-Earshot-Employee", "alice")); got != "ok" {
			t.Errorf("her own leg: %q", got)
		}
	}
	if got := w.pbx.taken(); len(got) != 2 {
		t.Errorf("the PBX was asked for %v", got)
	}
}
