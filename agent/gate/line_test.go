package gate_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/queue"
)

func (o *office) line(subject, id string) mask.Line {
	o.t.Helper()
	v, err := o.gate.Line(who(subject), id)
	if err != nil {
		o.t.Fatal(err)
	}
	return v
}

// put asks for a change of who works on a line; the last two are a penalty below 0 for none, and "", "paused" or "back".
func (o *office) put(subject, line, employee string, penalty int, paused string) string {
	ask := gate.MemberAsk{Line: line, Employee: employee, Door: "test"}
	if penalty >= 0 {
		ask.Penalty = &penalty
	}
	if paused != "" {
		is := paused == "paused"
		ask.Paused = &is
	}
	return code(o.gate.ChangeMember(o.t.Context(), who(subject), ask))
}

func TestALineShowsWhoWorksThereAndWhoWaits(t *testing.T) {
	o := newLineOffice(t)
	o.queued("x", ivanov, "q-sales")
	o.pass(5)
	o.queued("y", other, "q-sales")
	v := o.line("vic", "sales")
	if v.Name != "Sales line" || !v.Known || v.Waiting != 2 || v.Since == nil || !v.Since.Equal(start) || v.Others != 1 || len(v.Can) != 0 {
		t.Fatalf("%+v", v)
	}
	want := []mask.LineMember{
		{Employee: "anna", Name: "Anna", Works: true, Queued: true, Fixed: true, State: "idle"},
		{Employee: "boris", Name: "Boris", Works: true, Queued: true, Penalty: 3, State: "idle"},
	}
	if !slices.Equal(v.Members, want) {
		t.Fatalf("%+v", v.Members)
	}
	// Who may not observe those who work there does not see who waits; who may does.
	for subject, seen := range map[string]bool{"vic": false, "rosa": true} {
		c := o.line(subject, "sales").Callers
		if len(c) != 2 || c[0].Hidden == seen || (c[0].Peer != nil) != seen || seen && c[0].Peer.Number != ivanov {
			t.Errorf("%s sees %+v", subject, c)
		}
	}
	// A caller whom ARI does not have, or by another name, does not wait.
	for _, c := range []queue.Caller{{Leg: "z.9", Channel: "PJSIP/trunk-z.9"}, {Leg: "y.0", Channel: "PJSIP/101-y.0"}} {
		o.gate.Queues(queue.Event{Kind: queue.CallerJoined, Queue: "q-sales", Caller: c})
	}
	if v := o.line("vic", "sales"); v.Waiting != 2 {
		t.Fatalf("%d wait", v.Waiting)
	}
	o.gone("x.0") // without a word from AMI
	if v := o.line("vic", "sales"); v.Waiting != 1 || !v.Since.Equal(start.Add(5e9)) {
		t.Fatalf("%+v", v)
	}
	o.gate.Queues(queue.Event{Kind: queue.Lost})
	if v := o.line("vic", "sales"); v.Known || v.Waiting != 0 || v.Since != nil || len(v.Members) != 2 || v.Members[0].Queued {
		t.Fatalf("%+v", v)
	}
}

func TestAWaitingCallerIsSeenAsOnTheBoard(t *testing.T) {
	o := newLineOffice(t)
	o.gate.SetPolicy(set(t, strings.Replace(lineHouse, "department: sales, lock: true", "department: sales, lock: true, line.view: own, line.connect: own", 1)))
	o.queued("x", ivanov, "q-sales")
	if c := o.line("anna", "sales").Callers[0]; !c.Hidden {
		t.Fatalf("%+v", c)
	}
	o.ringsAt("x", "PJSIP/101")
	if c := o.line("anna", "sales").Callers[0]; c.Hidden || c.Peer.Name != "Ivanov Ltd" {
		t.Fatalf("it rings at hers: %+v", c)
	}
	o.queued("s", secret, "q-sales")
	o.gate.SetPolicy(set(t, strings.NewReplacer("department: sales, lock: true", "department: sales, line.view: own, line.connect: own", "members: [anna, boris]", "members: [anna]").Replace(lineHouse)))
	if c := o.line("anna", "sales").Callers; !c[1].Hidden || c[0].Hidden {
		t.Fatalf("nobody but she works there: %+v", c)
	}
	if c := o.line("rosa", "sales").Callers; !c[1].Hidden || c[0].Hidden {
		t.Fatalf("a protected number: %+v", c)
	}
}

func TestWhoMayNotViewALineGetsTheAnswerOfOneThatIsNotThere(t *testing.T) {
	o := newLineOffice(t)
	for subject, want := range map[string]string{"vic": "sales", "rosa": "sales support", "dora": "", "egor": ""} {
		lines, err := o.gate.Lines(who(subject))
		var ids []string
		for _, l := range lines {
			ids = append(ids, l.ID)
		}
		if got := strings.Join(ids, " "); got != want || err != nil {
			t.Errorf("%s views %q, %v", subject, got, err)
		}
	}
	_, there := o.gate.Line(who("vic"), "support")
	_, not := o.gate.Line(who("vic"), "nowhere")
	if fmt.Sprintf("%+v", gate.AsProblem(there)) != fmt.Sprintf("%+v", gate.AsProblem(not)) || code(there) != "no_such_line" {
		t.Errorf("%v, %v", there, not)
	}
	if got := o.put("dora", "sales", "anna", 1, ""); got != "no_such_line" {
		t.Error(got)
	}
	if got := o.put("vic", "sales", "anna", 1, ""); got != "condition" && got != "no_right" {
		t.Error(got)
	}
	if n := len(o.pbx.members); n != 0 {
		t.Errorf("%d orders", n)
	}
}

func TestChangingWhoWorksOnALineIsDecidedRecordedAndDone(t *testing.T) {
	o := newLineOffice(t)
	for _, c := range []struct{ got, code, order string }{
		{o.put("rosa", "sales", "boris", 5, "paused"), "ok", "penalty q-sales Local/102@phones/n 5|pause q-sales Local/102@phones/n true"},
		{o.put("rosa", "sales", "boris", 3, "back"), "ok", ""}, // as he is
		{o.put("rosa", "sales", "anna", -1, "paused"), "ok", "pause q-sales PJSIP/101 true"},
		{o.put("rosa", "sales", "gus", 7, "paused"), "ok", "add q-sales PJSIP/107 7 true"},
		{o.put("rosa", "sales", "gus", -1, ""), "ok", "add q-sales PJSIP/107 0 false"}, // no event has told of him
		{o.put("rosa", "sales", "nils", 1, ""), "no_phone", ""},
		{o.put("rosa", "sales", "nobody", 1, ""), "no_such_employee", ""},
		{o.put("rosa", "support", "egor", 1, ""), "no_right", ""},
		{o.put("rosa", "nowhere", "egor", 1, ""), "no_such_line", ""},
		{o.put("rosa", "sales", "anna", 1001, ""), "bad_penalty", ""},
	} {
		if c.got != c.code {
			t.Errorf("%q, not %q", c.got, c.code)
		}
		for order := range strings.SplitSeq(c.order, "|") {
			if order != "" && !slices.Contains(o.log.all(), order) {
				t.Errorf("no %q", order)
			}
		}
	}
	if n := len(o.pbx.members); n != 5 {
		t.Errorf("%d orders", n)
	}
	o.audit.mu.Lock()
	first := o.audit.entries[0]
	o.audit.mu.Unlock()
	if first.Action != "line.change" || first.Subject != "rosa" || !slices.Equal(first.Targets, []string{"boris"}) || first.Detail != "line:sales" || first.Mode != "change" || first.Outcome != audit.Allow {
		t.Errorf("%+v", first)
	}
	if e := o.audit.last(t, audit.Decided); e.Outcome != audit.Deny || e.Reason != "no_such_line" || len(e.Targets) > 0 {
		t.Errorf("%+v", e)
	}
	remove := func(employee string) string {
		return code(o.gate.ChangeMember(t.Context(), who("rosa"), gate.MemberAsk{Line: "sales", Employee: employee, Remove: true}))
	}
	for employee, want := range map[string]string{"anna": "fixed_member", "boris": "ok", "egor": "no_such_member"} {
		if got := remove(employee); got != want {
			t.Errorf("remove %s: %q", employee, got)
		}
	}
	o.log.until(t, "remove q-sales Local/102@phones/n")
	o.audit.failing(audit.Decided)
	before := len(o.pbx.members)
	if got := remove("boris"); got != "not_recorded" || len(o.pbx.members) != before {
		t.Errorf("unrecorded: %q", got)
	}
	o.audit.failing()
	o.pbx.failing("remove q-sales Local/102@phones/n", errDisk)
	if got := remove("boris"); got != "pbx_failed" {
		t.Error(got)
	}
	if e := o.audit.last(t, audit.Failed); e.Reason != "pbx_failed" {
		t.Errorf("%+v", e)
	}
	// One that is gone after a reload, and one that never was, are told apart from what nobody knows.
	o.gate.Queues(queue.Event{Kind: queue.Taken, Queues: []queue.State{{Name: "support"}}})
	if got := o.put("rosa", "sales", "boris", 1, ""); got != "no_queue" {
		t.Error(got)
	}
	if l := o.line("rosa", "sales"); l.Known || len(l.Members) != 2 || l.Members[0].Queued || l.Waiting != 0 {
		t.Errorf("%+v", l)
	}
	o.gate.Queues(queue.Event{Kind: queue.Lost})
	if got := remove("boris"); got != "line_unknown" {
		t.Error(got)
	}
}

// Who works on a line, and may view it, says himself whether its queue rings him. All else about him, and all about others, needs line.change.
func TestWhoWorksOnALinePausesAndComesAndGoesHimself(t *testing.T) {
	o := newLineOffice(t)
	o.gate.SetPolicy(set(t, strings.NewReplacer(
		"department: sales, lock: true", "department: sales, line.view: own, line.connect: own",
		`numbers: ["102"], department: sales`, `numbers: ["102"], department: sales, line.view: own, line.connect: own`,
		`numbers: ["104"]`, `numbers: ["104"], line.view: any, line.connect: any, line.change: {to: [line:support], except: [line:sales]}`,
		"members: [anna, boris]", "members: [anna, boris, dora, carl]",
	).Replace(lineHouse)))
	remove := func(who1, line, employee string) string {
		return code(o.gate.ChangeMember(t.Context(), who(who1), gate.MemberAsk{Line: line, Employee: employee, Remove: true, Door: "test"}))
	}
	for _, c := range []struct{ what, got, code, order string }{
		{"pauses", o.put("boris", "sales", "boris", -1, "paused"), "ok", "pause q-sales Local/102@phones/n true"},
		{"is back, with the penalty that he has", o.put("boris", "sales", "boris", 3, "back"), "ok", ""},
		{"leaves", remove("boris", "sales", "boris"), "ok", "remove q-sales Local/102@phones/n"},
		{"pauses where the queue has him always", o.put("anna", "sales", "anna", -1, "paused"), "ok", "pause q-sales PJSIP/101 true"},
		{"another penalty", o.put("boris", "sales", "boris", 0, "paused"), "no_right", ""},
		{"another's pause", o.put("boris", "sales", "anna", -1, "paused"), "no_right", ""},
		{"another's leaving", remove("anna", "sales", "boris"), "no_right", ""},
		{"a line that he views and does not work on", o.put("vic", "sales", "vic", -1, "paused"), "no_right", ""},
		{"a line that he does not work on", o.put("boris", "support", "boris", -1, ""), "no_such_line", ""},
		{"a line that he works on and may not view", o.put("carl", "sales", "carl", -1, ""), "no_such_line", ""},
		{"an exception for the line", o.put("dora", "sales", "dora", -1, ""), "excluded", ""},
	} {
		if c.got != c.code {
			t.Errorf("%s: %q, not %q", c.what, c.got, c.code)
		}
		if c.order != "" && !slices.Contains(o.log.all(), c.order) {
			t.Errorf("%s: no %q in %q", c.what, c.order, o.log.all())
		}
	}
	if n := len(o.pbx.members); n != 3 {
		t.Errorf("%d orders", n)
	}
	o.audit.mu.Lock()
	first := o.audit.entries[0]
	o.audit.mu.Unlock()
	if first.Action != "line.change" || first.Subject != "boris" || !slices.Equal(first.Targets, []string{"boris"}) || first.Outcome != audit.Allow || first.Reason != "own_place" || first.Rule != (audit.Rule{}) {
		t.Errorf("%+v", first)
	}
	o.gate.Queues(queue.Event{Kind: queue.Taken, Queues: []queue.State{{Name: "q-sales"}}})
	for _, c := range []struct{ what, got, code string }{
		{"comes", o.put("boris", "sales", "boris", 0, ""), "ok"}, {"comes with a penalty", o.put("anna", "sales", "anna", 2, ""), "no_right"},
	} {
		if c.got != c.code {
			t.Errorf("%s: %q, not %q", c.what, c.got, c.code)
		}
	}
	o.log.until(t, "add q-sales PJSIP/102 0 false")
}

func TestWatchersOfALineAreToldWhatChangesForThem(t *testing.T) {
	o := newLineOffice(t)
	vic, dora := o.watch("vic"), o.watch("dora")
	if m := vic.next(); m.Type != gate.MessageLine || m.Line.ID != "sales" || m.Line.Waiting != 0 {
		t.Fatalf("%+v", m)
	}
	until := func(is func(*mask.Line) bool) {
		t.Helper()
		for {
			if m := vic.next(); m.Type == gate.MessageLine && is(m.Line) {
				return
			}
		}
	}
	o.queued("x", ivanov, "q-sales")
	until(func(l *mask.Line) bool { return l.Waiting == 1 && l.Callers[0].Hidden })
	o.ringsAt("x", "PJSIP/101")
	until(func(l *mask.Line) bool { return l.Members[0].State == "ringing" })
	o.gate.Queues(queue.Event{Kind: queue.MemberSeen, Queue: "q-sales", Member: queue.Member{Interface: "PJSIP/101", Paused: true, Fixed: true}})
	until(func(l *mask.Line) bool { return l.Members[0].Paused })
	o.gone("x.1", "x.0")
	until(func(l *mask.Line) bool { return l.Waiting == 0 && l.Members[0].State == "idle" })
	o.gate.SetPolicy(set(t, strings.Replace(lineHouse, "line.view: [line:sales]", "line.view: [line:support]", 1)))
	for m := vic.next(); m.Type != gate.MessageSnapshot; m = vic.next() {
	}
	o.talk("y", other, "PJSIP/101")
	for {
		m := vic.next()
		if m.Type == gate.MessageLine {
			t.Fatalf("he may not view it any more: %+v", m.Line)
		}
		if m.Type == gate.MessageEmployee && m.Employee.ID == "anna" && m.Employee.State == "talking" {
			break
		}
	}
	for _, m := range dora.all() {
		if m.Type == gate.MessageLine {
			t.Fatalf("%+v", m.Line)
		}
	}
}

func TestAMessageOfALineIsTheSameBytesEitherWay(t *testing.T) {
	o := newLineOffice(t)
	plain, typed := o.stream("rosa"), o.stream("rosa")
	o.converses("x", ivanov, "q-sales", "PJSIP/101")
	if _, err := o.gate.JoinLine(t.Context(), who("rosa"), gate.LineAsk{Line: "sales", Ask: gate.Ask{Target: "anna", Door: "test"}}); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for !kinds[gate.MessageJoin] || !kinds[gate.MessageLine] {
		m := typed.next()
		kinds[m.Type] = true
		want, _ := json.Marshal(m)
		if err := plain.Wait(); err != nil {
			t.Fatal(err)
		}
		if got, ok := plain.Append(nil); !ok || string(got) != string(want) {
			t.Fatalf("%s\n%s", got, want)
		}
	}
}

func TestQuickRepliesAreForWhoMayUseThem(t *testing.T) {
	o := newLineOffice(t)
	o.gate.SetReplies(map[string][]mask.Reply{"sales": {{ID: "hello", Title: "Greeting", Text: "Good day."}}, "support": {{ID: "wait"}}})
	for _, c := range []struct{ subject, line, code string }{
		{"rosa", "sales", "ok"}, {"rosa", "support", "no_right"}, {"vic", "sales", "no_right"}, {"vic", "support", "no_such_line"}, {"vic", "nowhere", "no_such_line"}, {"dora", "sales", "no_such_line"},
	} {
		got, err := o.gate.Replies(who(c.subject), c.line)
		if code(err) != c.code || (len(got) == 1 && got[0].Text == "Good day.") != (c.code == "ok") {
			t.Errorf("%s on %s: %v, %v", c.subject, c.line, got, err)
		}
	}
}

// Two worlds that differ in who calls, and in nothing else that may be seen, give who may view the line the same bytes.
func TestALineTellsNobodyWhoCalls(t *testing.T) {
	world := func(caller string) string {
		o := newLineOffice(t)
		var said []string
		say := func() {
			b, _ := json.Marshal(o.line("vic", "sales"))
			said = append(said, string(b))
		}
		o.queued("x", caller, "q-sales")
		say()
		o.ringsAt("x", "PJSIP/101", "PJSIP/102")
		say()
		o.state("x.1", call.StateUp)
		o.gone("x.2")
		o.enter("x", "x.0", "x.1")
		o.gate.Queues(queue.Event{Kind: queue.CallerLeft, Queue: "q-sales", Caller: queue.Caller{Leg: "x.0"}})
		say()
		o.holds("x.1")
		say()
		o.hangUp("x")
		say()
		return strings.Join(said, "\n")
	}
	one := world(ivanov)
	for _, caller := range []string{other, secret, "", "PJSIP/105", "PJSIP/108"} {
		if got := world(caller); got != one {
			t.Errorf("%q:\n%s\n%s", caller, got, one)
		}
	}
}
