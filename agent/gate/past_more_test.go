package gate_test

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	past "github.com/earshot-pbx/earshot/agent/journal"
)

// comesBy lets somebody outside come by the queue help to a phone, which answers; nobody does for "".
func (o *office) comesBy(name, from, phone string) {
	o.leg(name+".0", from, call.StateUp, "800")
	ch := o.ch(name + ".0")
	ch.App, ch.Queue = "Queue", "help"
	o.seen(ch)
	o.pass(2)
	if phone == "" {
		return
	}
	o.leg(name+".1", phone, call.StateDown, "")
	o.dial(name+".0", name+".1", "")
	o.state(name+".1", call.StateRinging)
	o.pass(3)
	o.answers(name, 1)
}

func TestALinesHistoryIsForWhoHasTheRightAndForWhoseClientItIs(t *testing.T) {
	o := newArchive(t, archive+`
roles: {lines: {"line.history": any, "line.view": any, "line.connect": any, "line.statistics": any}}
assign: [{role: lines, to: [carl, dora]}]
`)
	o.comesBy("a", ivanov, "PJSIP/101") // gus's client
	o.pass(10)
	o.hangUp("a")
	o.comesBy("b", other, "PJSIP/102")
	o.hangUp("b")
	o.comesBy("c", other, "")
	o.ingest(call.Event{Kind: call.LegHungUp, Channel: o.ch("c.0")})
	o.gone("c.0")
	o.talk("d", ivanov, "PJSIP/101") // by no line
	o.hangUp("d")
	o.sync()
	for subject, want := range map[string]string{
		"carl": "boris in answered " + other + " by support\nanna in answered " + ivanov + " by support",
		"dora": "boris in answered hidden\nanna in answered hidden",
		"gus":  "anna in answered " + ivanov + " by support",
	} {
		page, err := o.gate.LineHistory(t.Context(), who(subject), "support", gate.JournalAsk{})
		if err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
		sees(t, subject, briefs(page.Rows), want)
	}
	for _, line := range []string{"support", "help", "sales"} {
		_, err := o.gate.LineHistory(t.Context(), who("egor"), line, gate.JournalAsk{})
		refuses(t, err, "no_such_line")
		_, err = o.gate.LineStatistics(t.Context(), who("egor"), line, gate.StatisticsAsk{})
		refuses(t, err, "no_such_line")
	}
	sees(t, "carl", briefs(o.rows("carl", gate.JournalAsk{Line: "support"})), "boris in answered "+other+" by support\nanna in answered "+ivanov+" by support")
	sees(t, "dora", briefs(o.rows("dora", gate.JournalAsk{Line: "support"})), "")
	f, err := o.gate.LineStatistics(t.Context(), who("dora"), "support", gate.StatisticsAsk{})
	if err != nil || len(f) != 1 || f[0].Line != "support" || f[0].Calls != 3 || f[0].Answered != 2 || f[0].Abandoned != 1 || f[0].Talk != 10 || f[0].Wait != 12 {
		t.Errorf("%+v, %v", f, err)
	}
	_, err = o.gate.Statistics(t.Context(), who("anna"), gate.StatisticsAsk{By: "line"})
	refuses(t, err, "no_right")
}

// The figures are those of a count over the rows that the same subject reads.
func TestFiguresEqualACountOverTheJournal(t *testing.T) {
	o := newArchive(t, archive)
	for i, c := range []struct{ from, to string }{
		{other, "PJSIP/101"}, {"PJSIP/102", "PJSIP/105"}, {"PJSIP/101", "PJSIP/102"}, {secretless, "PJSIP/102"}, {"PJSIP/105", other}, {other, "PJSIP/110"},
	} {
		name := string(rune('a' + i))
		o.rings(name, c.from, c.to)
		o.pass(i + 1)
		if i%3 != 2 {
			o.answers(name, 1)
			o.pass(10 * i)
		}
		o.hangUp(name)
		o.pass(600)
	}
	for _, subject := range []string{"carl", "dora", "anna", "irina"} {
		type sum struct{ calls, answered, talk int }
		byEmployee, byDepartment, byHour := map[string]sum{}, map[string]sum{}, map[time.Time]sum{}
		department := map[string]string{"anna": "sales", "boris": "sales", "irina": "sales", "egor": "back"}
		for _, r := range o.rows(subject, gate.JournalAsk{Limit: 200}) {
			one := sum{1, 0, r.Talk}
			if r.Outcome == "answered" {
				one.answered = 1
			}
			add := func(s sum) sum { return sum{s.calls + 1, s.answered + one.answered, s.talk + one.talk} }
			byEmployee[r.Employee] = add(byEmployee[r.Employee])
			byDepartment[department[r.Employee]] = add(byDepartment[department[r.Employee]])
			hour := r.Began.Truncate(time.Hour)
			byHour[hour] = add(byHour[hour])
		}
		if len(byEmployee) == 0 || subject == "irina" && len(byEmployee) != 3 {
			t.Fatalf("%s reads of %d", subject, len(byEmployee))
		}
		for by, n := range map[string]int{"employee": len(byEmployee), "department": len(byDepartment), "hour": len(byHour)} {
			f, err := o.gate.Statistics(t.Context(), who(subject), gate.StatisticsAsk{By: by, From: start.Add(-time.Hour), To: start.Add(48 * time.Hour)})
			if err != nil || len(f) != n {
				t.Fatalf("%s by %s: %+v, %v", subject, by, f, err)
			}
			for _, v := range f {
				want := byEmployee[v.Employee]
				switch by {
				case "department":
					want = byDepartment[v.Department]
				case "hour":
					want = byHour[v.Began.UTC()]
				}
				if got := (sum{v.Calls, v.Answered, int(v.Talk)}); got != want {
					t.Errorf("%s by %s: %+v, a count gives %+v", subject, by, v, want)
				}
			}
		}
	}
	_, err := o.gate.Statistics(t.Context(), who("boris"), gate.StatisticsAsk{By: "employee"})
	refuses(t, err, "no_right")
	for _, ask := range []gate.StatisticsAsk{{By: "x"}, {By: "hour"}, {By: "hour", From: start.AddDate(-1, 0, 0)}, {By: "employee", Line: "support"}} {
		_, err := o.gate.Statistics(t.Context(), who("carl"), ask)
		refuses(t, err, "bad_query")
	}
}

// The figures of those whose calls one does not see undo nothing of what their rows hide: how a call came to nothing.
func TestFiguresTellNoMoreOfWhatCameToNothingThanTheRows(t *testing.T) {
	o := newArchive(t, archive)
	o.rings("a", other, "PJSIP/101", "PJSIP/102")
	o.answers("a", 2)
	o.pass(5)
	o.gone("a.0", "a.1", "a.2")
	o.rings("b", "PJSIP/102", other) // and gives up
	o.pass(5)
	o.hangUp("b")
	for subject, missed := range map[string]int{"dora": 2, "carl": 0} {
		shown := 0
		for _, r := range o.rows(subject, gate.JournalAsk{}) {
			if r.Outcome == "missed" || r.Outcome == "unanswered" && r.Hidden {
				shown++
			}
		}
		for _, by := range []string{"employee", "department", "hour"} {
			f, err := o.gate.Statistics(t.Context(), who(subject), gate.StatisticsAsk{By: by, From: start.Add(-time.Hour), To: start.Add(time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			sum, calls := 0, 0
			for _, v := range f {
				sum, calls = sum+v.Missed+v.Abandoned, calls+v.Calls
			}
			if sum != missed || shown != missed || calls != 3 || by == "hour" && len(f) != 1 {
				t.Errorf("%s by %s: %d missed of %d, the rows show %d: %+v", subject, by, sum, calls, shown, f)
			}
		}
	}
	f, err := o.gate.Statistics(t.Context(), who("anna"), gate.StatisticsAsk{By: "employee"}) // her own she sees
	if err != nil || len(f) != 1 || f[0].Calls != 1 || f[0].Missed != 0 {
		t.Errorf("%+v, %v", f, err)
	}
}

const secretless = "+74951112233"

func TestAGradeIsGivenAndRecordedByWhoMay(t *testing.T) {
	o := newArchive(t, archive)
	o.talk("a", other, "PJSIP/101") // and it runs
	row := func(subject string) string { return o.rows(subject, gate.JournalAsk{Employee: "anna"})[0].ID }
	v, err := o.gate.Grade(t.Context(), who("carl"), gate.GradeAsk{Row: row("carl"), Value: 2, Comment: "names " + other, Door: "http"})
	if err != nil || v.Value != 2 || v.By != "carl" {
		t.Fatalf("%+v, %v", v, err)
	}
	e := o.audit.last(t, audit.Decided)
	if e.Action != "grade" || e.Outcome != audit.Allow || e.Detail != "value:2" || e.Targets[0] != "anna" || e.Subject != "carl" || o.audit.last(t, audit.Done).ID != e.ID {
		t.Errorf("%+v", e)
	}
	o.hangUp("a")
	if _, err = o.gate.Grade(t.Context(), who("carl"), gate.GradeAsk{Row: row("carl"), Value: 4}); err != nil {
		t.Fatal(err)
	}
	if _, err = o.gate.Grade(t.Context(), who("carl"), gate.GradeAsk{Row: row("carl"), Value: 3, Comment: other}); err != nil {
		t.Fatal(err)
	}
	g := o.rows("carl", gate.JournalAsk{})[0]
	if len(g.Grades) != 1 || g.Grades[0].Value != 3 || g.Grades[0].Comment != other || !g.CanGrade {
		t.Errorf("carl sees %+v", g.Grades)
	}
	g = o.rows("dora", gate.JournalAsk{})[0]
	if len(g.Grades) != 1 || g.Grades[0].Comment != "" || !g.CanGrade {
		t.Errorf("dora, who does not see the other side, sees %+v", g.Grades)
	}
	g = o.rows("anna", gate.JournalAsk{})[0]
	if len(g.Grades) != 0 || g.CanGrade {
		t.Errorf("anna sees %+v", g.Grades)
	}
	_, err = o.gate.Grade(t.Context(), who("anna"), gate.GradeAsk{Row: row("anna"), Value: 5})
	refuses(t, err, "no_right")
	if e := o.audit.last(t, audit.Decided); e.Outcome != audit.Deny || e.Subject != "anna" {
		t.Errorf("%+v", e)
	}
	_, err = o.gate.Grade(t.Context(), who("anna"), gate.GradeAsk{Row: row("carl"), Value: 5})
	refuses(t, err, "no_such_row")
	for _, ask := range []gate.GradeAsk{{Value: 0}, {Value: 6}} {
		_, err = o.gate.Grade(t.Context(), who("carl"), ask)
		refuses(t, err, "bad_grade")
	}
	_, err = o.gate.Grade(t.Context(), who("carl"), gate.GradeAsk{Row: row("carl"), Value: 1, Comment: "a\nb"})
	refuses(t, err, "bad_comment")
	o.audit.failing(audit.Decided)
	_, err = o.gate.Grade(t.Context(), who("carl"), gate.GradeAsk{Row: row("carl"), Value: 1})
	refuses(t, err, "not_recorded")
	if g := o.rows("carl", gate.JournalAsk{})[0]; g.Grades[0].Value != 3 {
		t.Errorf("a grade that could not be recorded was given: %+v", g.Grades)
	}
}

func TestWhetherOneMayPlayARecordingIsOnTheRow(t *testing.T) {
	o := newArchive(t, archive)
	o.talk("a", other, "PJSIP/101")
	o.talk("b", "PJSIP/102", "PJSIP/108") // with hana, who is protected
	o.sync()
	for i, leg := range []call.LegID{"a.1", "a.0", "b.0"} {
		id, ok := o.past.scribe.CallOf(leg)
		if !ok {
			t.Fatal("no call")
		}
		rec, err := o.past.store.AddRecording(t.Context(), past.Recording{Call: id, Leg: leg, Spool: "s", File: string(leg), Source: "spool", Began: start.Add(time.Duration(i) * time.Second), Ended: start.Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			if err := o.past.store.MarkDeleted(t.Context(), rec.ID, start); err != nil {
				t.Fatal(err)
			}
		}
	}
	states := func(subject, employee string) (s string, ids []string) {
		for _, r := range o.rows(subject, gate.JournalAsk{Employee: employee})[0].Recordings {
			s += r.State + " "
			ids = append(ids, r.ID)
		}
		return s, ids
	}
	for subject, want := range map[string]string{"carl": "available deleted ", "dora": "no_access deleted ", "anna": "no_access deleted "} {
		if got, _ := states(subject, "anna"); got != want {
			t.Errorf("%s: %s, not %s", subject, got, want)
		}
	}
	if got, ids := states("carl", "boris"); got != "no_access " || ids[0] != "" {
		t.Errorf("of a protected one: %s %q", got, ids)
	}
	_, ids := states("carl", "anna")
	if file := o.gate.RecordingFile(t.Context(), who("carl"), ids[0]); file != "a.1" {
		t.Errorf("the handle leads to %q", file)
	}
	for subject, handle := range map[string]string{"dora": ids[0], "carl": "aaaaaaaaaaaaaaaaaaaaaaaaaa", "anna": ids[0]} {
		if file := o.gate.RecordingFile(t.Context(), who(subject), handle); file != "" {
			t.Errorf("%s is led to %q", subject, file)
		}
	}
}

func TestOneIsToldInTheJournalWhoListenedAsFarAsThePolicyWants(t *testing.T) {
	o := newArchive(t, archive)
	o.talk("a", other, "PJSIP/101")
	o.sync()
	id, refused := o.ask("dora", "spy", "anna", o.row("dora", "anna").Calls[0].ID)
	if refused != "" {
		t.Fatal(refused)
	}
	o.log.until(t, "record done")
	if n := len(o.rows("anna", gate.JournalAsk{})[0].Supervised); n != 0 {
		t.Errorf("who is to be told afterwards is told %d times while it runs", n)
	}
	if err := o.gate.EndSupervision(t.Context(), who("dora"), id); err != nil {
		t.Fatal(err)
	}
	told := o.rows("anna", gate.JournalAsk{})[0].Supervised
	if len(told) != 1 || told[0].ID != id || told[0].By != "dora" || told[0].State != "ended" || told[0].Until == nil {
		t.Errorf("anna is told %+v", told)
	}
	if rows := o.rows("carl", gate.JournalAsk{}); len(rows) != 1 || len(rows[0].Supervised) != 0 {
		t.Errorf("carl reads %+v", rows)
	}
}

func TestATransferIsOnTheRowsOfWhoSeesTheOtherSide(t *testing.T) {
	o := newArchive(t, archive)
	o.talk("a", other, "PJSIP/101")
	o.pass(5)
	o.ingest(call.Event{Kind: call.BlindTransferred, Channel: o.ch("a.1"), Transferee: "a.0"})
	o.leave("a", "a.0")
	o.gone("a.1")
	o.leg("a.2", "PJSIP/102", call.StateDown, "")
	o.dial("a.0", "a.2", "102")
	o.state("a.2", call.StateUp)
	o.ingest(call.Event{Kind: call.DialEnded, Channel: o.ch("a.0"), Peer: o.ch("a.2"), Answered: true})
	o.enter("b", "a.2", "a.0")
	o.pass(5)
	o.gone("a.0", "a.2")
	rows := o.rows("carl", gate.JournalAsk{})
	sees(t, "carl", briefs(rows), "boris in answered "+other+"\nanna in answered "+other)
	if r := rows[1]; len(r.Transfers) != 1 || r.Transfers[0].By != "employee" || r.Transfers[0].Attended || !r.Transfers[0].At.Equal(start.Add(5*time.Second)) || len(rows[0].Transfers) != 0 {
		t.Errorf("%+v\n%+v", rows[0].Transfers, rows[1].Transfers)
	}
	for _, r := range o.rows("dora", gate.JournalAsk{}) {
		if !r.Hidden || len(r.Transfers) != 0 {
			t.Errorf("dora reads %+v", r)
		}
	}
}

func TestAGapIsOnThePage(t *testing.T) {
	o := newArchive(t, archive)
	o.talk("a", other, "PJSIP/101")
	o.pass(60)
	o.ingest(call.Event{Kind: call.LinkLost})
	o.pass(60)
	o.snapshot()
	o.sync()
	page, err := o.gate.Journal(t.Context(), who("dora"), gate.JournalAsk{})
	if err != nil || len(page.Gaps) != 1 || !page.Gaps[0].Began.Equal(start.Add(60*time.Second)) || !page.Gaps[0].Ended.Equal(start.Add(120*time.Second)) || len(page.Rows) != 1 || !page.Rows[0].Gap {
		t.Errorf("%+v, %v", page, err)
	}
}
