package pbx

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/rs/zerolog"
)

// capturedQueues are events and rows of a real Asterisk 22.10 about its queues, one of each that is looked at, by name.
func capturedQueues(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/queues.ami")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		name, _, _ := strings.Cut(strings.TrimPrefix(block, "Event: "), "\n")
		found[name] = strings.ReplaceAll(block, "\n", "\r\n")
	}
	return found
}

// heard gives a link of its own one block of AMI and returns what it handed on of queues, and how often it asked for everything anew.
func heard(t *testing.T, block string) (got []queue.Event, asked int) {
	t.Helper()
	s := &sink{}
	p := newPlayer(t)
	p.link.cfg.Sink, p.link.log = s, zerolog.Nop()
	p.link.cfg.Queues = func(ev queue.Event) { got = append(got, ev) }
	p.link.queues.known = true
	r := ami.NewReader(strings.NewReader(block), ami.Limits{})
	for {
		m, err := r.Read()
		if err != nil {
			break
		}
		if err := p.link.witness(m); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.ingested) != 0 {
		t.Errorf("calls were told of: %v", s.ingested)
	}
	select {
	case <-p.link.queues.wanted:
	default:
		if s.asked > 0 {
			t.Error("the queues are not asked about anew")
		}
	}
	return got, s.asked
}

func TestAnEventOfAQueueFitsOrIsDropped(t *testing.T) {
	captured := capturedQueues(t)
	for name := range queueEvents {
		block, ok := captured[name]
		if !ok {
			t.Errorf("no %s has been captured", name)
			continue
		}
		got, asked := heard(t, block+end)
		if len(got) != 1 || got[0].Queue != "sales" || asked != 0 {
			t.Fatalf("%s: %v, %d", name, got, asked)
		}
		if gaveUp := name == "QueueCallerAbandon"; got[0].GaveUp != gaveUp {
			t.Errorf("%s: gave up %v", name, !gaveUp)
		}
		lines := strings.Split(block, "\r\n")
		try := func(what string, forged []string) {
			t.Helper()
			if got, asked := heard(t, strings.Join(forged, "\r\n")+end); len(got) != 0 || asked != 1 {
				t.Errorf("%s, %s: handed on %d times, %d resyncs", name, what, len(got), asked)
			}
		}
		for i := 1; i < len(lines); i++ {
			field, _, _ := strings.Cut(lines[i], ":")
			if field != "LoginTime" && field != "Wrapuptime" {
				try("without "+field, slices.Delete(slices.Clone(lines), i, i+1))
			}
			try("with a second "+field, slices.Insert(slices.Clone(lines), i, lines[i]))
			try("with a line before "+field, slices.Insert(slices.Clone(lines), i, "X-Added: 1"))
		}
		try("of another class", slices.Replace(slices.Clone(lines), 1, 2, "Privilege: call,all"))
		try("with a control byte", slices.Replace(slices.Clone(lines), 2, 3, lines[2]+"\x01"))
		for _, field := range []string{"Penalty: 4", "Paused: 1", "Membership: dynamic"} {
			if i := slices.Index(lines, field); i >= 0 {
				try("with another "+field, slices.Replace(slices.Clone(lines), i, i+1, field[:strings.Index(field, ":")]+": x"))
			}
		}
	}
	ev, _ := heard(t, captured["QueueMemberPause"]+end)
	if m := ev[0].Member; m != (queue.Member{Interface: "PJSIP/303", Device: "PJSIP/303", Penalty: 4, Paused: true}) {
		t.Errorf("%+v", m)
	}
	ev, _ = heard(t, captured["QueueCallerJoin"]+end)
	if c := ev[0].Caller; c.Leg != "1795344729.0" || c.Channel != "PJSIP/trunk-00000000" || c.Since.IsZero() {
		t.Errorf("%+v", c)
	}
}

// rowsOf are a QueueStatus answer's rows.
func rowsOf(t *testing.T, text string) (rows []*ami.Message) {
	t.Helper()
	r := ami.NewReader(strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n")), ami.Limits{})
	for {
		m, err := r.Read()
		if err != nil {
			return rows
		}
		rows = append(rows, m.Clone())
	}
}

func TestAListOfQueuesIsReadAndOneCallerCannotKeepItFromBeing(t *testing.T) {
	at, captured := time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC), capturedQueues(t)
	row := func(name string) string { return strings.ReplaceAll(captured[name], "\r\n", "\n") + "\n\n" }
	paramsText, memberText, entryText := row("QueueParams"), row("QueueMember"), row("QueueEntry")
	states, odd, err := readQueues(rowsOf(t, paramsText+memberText+entryText), at)
	if err != nil || odd != 0 || len(states) != 1 || len(states[0].Members) != 1 || states[0].Members[0].Penalty != 2 || states[0].Members[0].Fixed ||
		len(states[0].Callers) != 1 || !states[0].Callers[0].Since.Equal(at.Add(-time.Second)) {
		t.Fatalf("%+v %d %v", states, odd, err)
	}
	if found, odd, err := membersOf(rowsOf(t, paramsText+memberText), []string{"PJSIP/999", strings.ToLower(states[0].Members[0].Interface)}); err != nil || odd != 0 || len(found) != 1 || found[0].Queue != "sales" || found[0].Interface != states[0].Members[0].Interface {
		t.Fatalf("%+v %d %v", found, odd, err)
	}
	forged := strings.Replace(entryText, "Priority: 0\n", "X: 1\nPriority: 0\n", 1)
	states, odd, err = readQueues(rowsOf(t, paramsText+memberText+forged+entryText), at)
	if err != nil || odd != 1 || len(states[0].Members) != 1 || len(states[0].Callers) != 1 {
		t.Fatalf("%+v %d %v", states, odd, err)
	}
	for name, text := range map[string]string{
		"a member of no queue":       memberText,
		"a member of another queue":  paramsText + strings.Replace(memberText, "Queue: sales", "Queue: other", 1),
		"a member with a line more":  paramsText + strings.Replace(memberText, "Penalty: 2\n", "Penalty: 2\nX: 1\n", 1),
		"a member without a penalty": paramsText + strings.Replace(memberText, "Penalty: 2\n", "", 1),
		"a queue with a line less":   strings.Replace(paramsText, "Weight: 0\n", "", 1),
	} {
		if states, _, err := readQueues(rowsOf(t, text), at); err == nil {
			t.Errorf("%s: %+v", name, states)
		}
		if found, _, err := membersOf(rowsOf(t, text), []string{"PJSIP/303"}); err == nil {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

func TestAnOrderAboutAQueueNamesOneQueueAndOneMember(t *testing.T) {
	l := newPlayer(t).link
	for _, o := range []QueueMember{
		{Queue: "sales", Interface: "PJSIP/101\r\nAction: Originate"}, {Queue: "sa les", Interface: "PJSIP/101"}, {Queue: "", Interface: "PJSIP/101"}, {Queue: "sales,x", Interface: "PJSIP/101"},
		{Queue: "sales\n", Interface: "PJSIP/101"}, {Queue: "sales", Interface: "101"}, {Queue: "sales", Interface: "PJSIP/101,x"}, {Queue: "sales", Interface: "PJSIP/101&PJSIP/102"},
		{Queue: "sales", Interface: "PJSIP/101", Penalty: -1}, {Queue: "sales", Interface: "PJSIP/${X}"},
	} {
		for _, f := range []func(QueueMember) error{
			func(o QueueMember) error { return l.QueueAdd(t.Context(), o) },
			func(o QueueMember) error { return l.QueueRemove(t.Context(), o) },
			func(o QueueMember) error { return l.QueuePenalty(t.Context(), o) },
			func(o QueueMember) error { return l.QueuePause(t.Context(), o) },
		} {
			if err := f(o); err == nil || strings.Contains(err.Error(), "connection") {
				t.Errorf("%+v: %v", o, err)
			}
		}
	}
	const local = "Local/201@phones/n"
	if err := l.QueueAdd(t.Context(), QueueMember{Queue: "sales", Interface: local}); err == nil || strings.Contains(err.Error(), "connection") {
		t.Errorf("a way to somewhere is added: %v", err)
	}
	if err := l.QueuePause(t.Context(), QueueMember{Queue: "sales", Interface: local}); err == nil || !strings.Contains(err.Error(), "connection") {
		t.Errorf("a member that is there is not paused: %v", err)
	}
	for name, ok := range map[string]bool{
		"PJSIP/101-0000002a": true, "PJSIP/out-side-0000002a": true, "PJSIP/101": false, "PJSIP/101-2a": false, "PJSIP/101-0000002a,x": false,
		"Local/201@phones-0000002a;1": false, "PJSIP/101-0000002g": false, "": false, "-0000002a": false, "PJSIP/101-0000002a&PJSIP/102-0000002b": false,
	} {
		if isChannel(name) != ok {
			t.Errorf("%q", name)
		}
	}
}
