package gate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// A department's figures are those of its own people, so each part in a call counts in one department, however they lie in each other; and they are in the
// department in which they are now, as their calls are read by whoever may read them now.
func TestEachPartCountsInOneDepartment(t *testing.T) {
	nested := strings.NewReplacer(`sales: {name: Sales, head: irina}`, `sales: {name: Sales, head: irina}, north: {name: North, parent: sales}, far: {name: Far, parent: north}`,
		`name: Boris, phones: [PJSIP/102], numbers: ["102"], department: sales`, `name: Boris, phones: [PJSIP/102], numbers: ["102"], department: north`,
		`numbers: ["107"]}`, `numbers: ["107"], department: far}`,
		"statistics: department", "statistics: subtree").Replace(archive)
	o := newArchive(t, nested)
	for i, c := range [][2]string{{other, "PJSIP/101"}, {other, "PJSIP/102"}, {"PJSIP/101", "PJSIP/107"}, {"PJSIP/105", "PJSIP/102"}} {
		name := string(rune('a' + i))
		o.talk(name, c[0], c[1])
		o.hangUp(name)
	}
	o.sync()
	figures := func(subject string) string {
		f, err := o.gate.Statistics(t.Context(), who(subject), gate.StatisticsAsk{By: "department"})
		if err != nil {
			t.Fatal(err)
		}
		s := ""
		for _, d := range f {
			s += fmt.Sprintf("%s %d, ", d.Department, d.Calls)
		}
		return s
	}
	sees(t, "irina", figures("irina"), "far 1, north 2, sales 2, ")
	sees(t, "carl", figures("carl"), "back 1, far 1, north 2, sales 2, ")
	sees(t, "anna", figures("anna"), "sales 2, ")
	// Boris moves to the office of egor: his calls go with him, from her figures too.
	o.gate.SetPolicy(set(t, strings.Replace(nested, "department: north", "department: back", 1)))
	sees(t, "irina", figures("irina"), "far 1, sales 2, ")
	sees(t, "carl", figures("carl"), "back 3, far 1, sales 2, ")
}

// Who may not read a row any more may not grade it, though he has the right to grade and has the row's id; and what he gave before stays.
func TestWhoseJournalIsGoneGradesNothing(t *testing.T) {
	o := newArchive(t, archive)
	o.talk("a", other, "PJSIP/101")
	id := o.rows("carl", gate.JournalAsk{Employee: "anna"})[0].ID
	grade := func(value int) error {
		_, err := o.gate.Grade(t.Context(), who("carl"), gate.GradeAsk{Row: id, Value: value})
		return err
	}
	if err := grade(4); err != nil {
		t.Fatal(err)
	}
	of := "observe: true, journal: true, statistics: true, recordings: true, grade: true"
	o.gate.SetPolicy(set(t, strings.Replace(archive, of, "observe: true, statistics: true, recordings: true, grade: true", 1)))
	refuses(t, grade(1), "no_such_row")
	o.gate.SetPolicy(set(t, strings.Replace(archive, of, "observe: true, journal: true, statistics: true, recordings: true", 1)))
	refuses(t, grade(1), "no_right")
	o.gate.SetPolicy(set(t, strings.Replace(archive, of, "observe: true, journal: {to: any, except: [anna]}, grade: true", 1)))
	refuses(t, grade(1), "no_such_row")
	o.gate.SetPolicy(set(t, archive))
	if g := o.rows("carl", gate.JournalAsk{Employee: "anna"})[0].Grades; len(g) != 1 || g[0].Value != 4 {
		t.Errorf("the grades are %+v", g)
	}
}

// A comment is one line of five hundred characters at most, of whatever script.
func TestACommentIsBounded(t *testing.T) {
	o := newArchive(t, archive)
	o.talk("a", other, "PJSIP/101")
	id := o.rows("carl", gate.JournalAsk{Employee: "anna"})[0].ID
	for _, c := range []struct{ comment, code string }{
		{"", "ok"}, {strings.Repeat("ж", audit.MaxReason), "ok"}, {strings.Repeat("ж", audit.MaxReason+1), "bad_comment"}, {strings.Repeat("x", 100_000), "bad_comment"},
		{"a\x00b", "bad_comment"}, {"a\r\nb", "bad_comment"}, {"\xff", "bad_comment"}, {"\u202eabc", "bad_comment"},
	} {
		_, err := o.gate.Grade(t.Context(), who("carl"), gate.GradeAsk{Row: id, Value: 3, Comment: c.comment})
		if got := code(err); got != c.code {
			t.Errorf("%.10q of %d bytes: %s, not %s", c.comment, len(c.comment), got, c.code)
		}
	}
}

// Nor is a call with somebody who has left anybody's to read in a line's history, or to grade.
func TestACallByALineWithSomebodyWhoHasLeftIsNobodysHistory(t *testing.T) {
	lines := archive + `
roles: {lines: {"line.history": any, "line.view": any, "line.connect": any}}
assign: [{role: lines, to: [carl, anna]}]
`
	lines = strings.Replace(lines, "journal: own, statistics: own}", "journal: own, statistics: own, grade: any}", 1)
	o := newArchive(t, lines)
	o.comesBy("a", "PJSIP/105", "PJSIP/101")
	o.hangUp("a")
	o.sync()
	reads := func(want string) {
		t.Helper()
		page, err := o.gate.LineHistory(t.Context(), who("carl"), "support", gate.JournalAsk{})
		if err != nil {
			t.Fatal(err)
		}
		sees(t, "carl", briefs(page.Rows), want)
	}
	reads("anna in answered egor105 by support\negor out answered anna101 by support")
	if r := o.rows("anna", gate.JournalAsk{}); len(r) != 1 || !r[0].CanGrade {
		t.Errorf("anna reads %+v", r)
	}
	o.gate.SetPolicy(set(t, strings.NewReplacer("  egor:", "  #", ", except: [egor]", "").Replace(lines)))
	reads("")
	if r := o.rows("anna", gate.JournalAsk{}); len(r) != 1 || r[0].CanGrade {
		t.Errorf("anna reads %+v", r)
	}
}
