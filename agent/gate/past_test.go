package gate_test

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	past "github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// journalkeeper is a real journal beside an office.
type journalkeeper struct {
	store  *past.Store
	scribe *past.Scribe
}

// archive is the policy of the tests about the past: anna and boris have their own journal, carl everybody's and sees, dora everybody's and does not see,
// egor is whom ivo may not see in the journal, gus has none and a client, kira sees kinds.
const archive = `
version: 1
departments: {sales: {name: Sales, head: irina}, back: {name: Back}}
employees:
  anna:  {name: Anna,  phones: [PJSIP/101], numbers: ["101"], department: sales, journal: own, statistics: own}
  boris: {name: Boris, phones: [PJSIP/102], numbers: ["102"], department: sales, journal: own}
  carl:  {name: Carl,  phones: [PJSIP/103, PJSIP/113], numbers: ["103"], department: back, observe: true, journal: true, statistics: true, recordings: true, grade: true, listen: true}
  dora:  {name: Dora,  phones: [PJSIP/104], numbers: ["104"], department: back, journal: true, statistics: true, grade: true, listen: {to: any, allow: [spy], notify: {how: [after]}}}
  egor:  {name: Egor,  phones: [PJSIP/105], numbers: ["105", "+79160000105"], department: back}
  gus:   {name: Gus,   phones: [PJSIP/107], numbers: ["107"]}
  hana:  {name: Hana,  phones: [PJSIP/108], numbers: ["108"]}
  irina: {name: Irina, phones: [PJSIP/110], numbers: ["110"], department: sales, journal: department, statistics: department, observe: department}
  ivo:   {name: Ivo,   phones: [PJSIP/109], numbers: ["109"], observe: true, journal: {to: any, except: [egor]}, recordings: {to: any, except: [egor]}}
  kira:  {name: Kira,  phones: [PJSIP/111], numbers: ["111"], observe: kind, journal: true}
lines:
  support: {queue: help, members: [anna, boris]}
protected:
  employees: [hana]
  numbers: ["+7 495 765-43-21"]
trunks: [PJSIP/trunk]
`

func newArchive(t testing.TB, text string, change ...func(*gate.Config)) *office {
	t.Helper()
	var o *office
	store, err := past.Open(t.Context(), past.Config{Path: filepath.Join(t.TempDir(), "journal"), Normal: func(n call.Number) string { return gate.Compared(n.Digits(), "RU") }})
	if err != nil {
		t.Fatal(err)
	}
	scribe, err := past.NewScribe(t.Context(), store, past.ScribeConfig{
		Employee: func(endpoint string) string {
			set := o.gate.Policy()
			ref, _ := set.Phone(endpoint)
			return set.ID(ref)
		},
		Supervises: func(id call.LegID) bool { return o.gate.Supervises(id) },
	})
	if err != nil {
		t.Fatal(err)
	}
	late := func(made *office) { o = made }
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	o = newOfficeKept(t, text, late, &journalkeeper{store: store, scribe: scribe}, append([]func(*gate.Config){func(c *gate.Config) {
		c.Journal, c.Minutes = store, scribe
		c.Dialling.Numbering.Region = "RU"
	}}, change...)...)
	return o
}

// rows are what somebody reads, as one page; its code where he is refused.
func (o *office) rows(subject string, ask gate.JournalAsk) []mask.JournalRow {
	o.t.Helper()
	o.sync()
	page, err := o.gate.Journal(o.t.Context(), who(subject), ask)
	if err != nil {
		o.t.Fatalf("%s: %v", subject, err)
	}
	return page.Rows
}

func (o *office) sync() {
	o.t.Helper()
	if err := o.past.scribe.Sync(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

// brief is a row in short.
func brief(r mask.JournalRow) string {
	s := fmt.Sprintf("%s %s %s", r.Employee, r.Direction, r.Outcome)
	if r.Hidden {
		s += " hidden"
	}
	if r.Kind != "" {
		s += " " + r.Kind
	}
	if r.Peer != nil {
		s += " " + r.Peer.Employee + r.Peer.Number
	}
	if r.Line != "" {
		s += " by " + r.Line
	}
	return s
}

func briefs(rows []mask.JournalRow) string {
	var all []string
	for _, r := range rows {
		all = append(all, brief(r))
	}
	return strings.Join(all, "\n")
}

// withOthers is briefs with the others on the rows.
func withOthers(rows []mask.JournalRow) string {
	var all []string
	for _, r := range rows {
		s := brief(r)
		for _, p := range r.Others {
			s += ", among others " + cmp.Or(p.Employee, p.Number)
		}
		all = append(all, s)
	}
	return strings.Join(all, "\n")
}

func sees(t *testing.T, subject, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s reads\n%s\nnot\n%s", subject, got, want)
	}
}

func TestTheJournalShowsWhatTheBoardShowed(t *testing.T) {
	o := newArchive(t, archive)
	o.talk("a", other, "PJSIP/101")
	o.pass(30)
	o.hangUp("a")
	o.pass(10)
	o.talk("b", "PJSIP/102", "PJSIP/105")
	o.pass(5)
	o.hangUp("b")
	o.rings("c", secret, "PJSIP/101")
	o.pass(4)
	o.hangUp("c")
	for subject, want := range map[string]string{
		"anna":  "anna in missed " + secret + "\nanna in answered " + other,
		"boris": "boris out answered egor105",
		"carl":  "egor in answered boris102\nboris out answered egor105\nanna in answered " + other,
		"dora":  "egor in answered hidden\nboris out answered hidden\nanna in answered hidden",
		"irina": "boris out answered egor105\nanna in answered " + other,
		"ivo":   "anna in answered " + other,
		"kira":  "egor in answered hidden internal\nboris out answered hidden internal\nanna in answered hidden external",
	} {
		sees(t, subject, briefs(o.rows(subject, gate.JournalAsk{})), want)
	}
	_, err := o.gate.Journal(t.Context(), who("gus"), gate.JournalAsk{})
	refuses(t, err, "no_right")
	r := o.rows("dora", gate.JournalAsk{Employee: "anna"})[0]
	if r.Talk != 30 || r.Wait != 0 || r.Answered == nil || r.Ended == nil || !r.Ended.Equal(start.Add(30*time.Second)) {
		t.Errorf("%+v", r)
	}
}

func refuses(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || gate.AsProblem(err).Code != want {
		t.Errorf("%v, not %s", err, want)
	}
}

// A filter finds nothing that is not shown, and by what is shown it does find.
func TestAFilterIsNoOracle(t *testing.T) {
	o := newArchive(t, archive)
	o.talk("a", other, "PJSIP/101")
	o.hangUp("a")
	o.rings("b", other, "PJSIP/102", "PJSIP/105")
	o.answers("b", 2)
	o.gone("b.0", "b.1", "b.2")
	for _, c := range []struct {
		subject string
		ask     gate.JournalAsk
		want    int
	}{
		{"carl", gate.JournalAsk{Number: other}, 3},
		{"carl", gate.JournalAsk{Number: "8 (812) 000-00-00"}, 3},
		{"carl", gate.JournalAsk{Number: ivanov}, 0},
		{"dora", gate.JournalAsk{Number: other}, 0},
		{"kira", gate.JournalAsk{Number: other}, 0},
		{"anna", gate.JournalAsk{Number: other}, 1},
		{"carl", gate.JournalAsk{Outcome: "elsewhere"}, 1},
		{"dora", gate.JournalAsk{Outcome: "elsewhere"}, 0},
		{"carl", gate.JournalAsk{Outcome: "missed"}, 0},
		{"dora", gate.JournalAsk{Outcome: "missed"}, 1},
		{"dora", gate.JournalAsk{Outcome: "answered"}, 2},
		{"carl", gate.JournalAsk{Direction: "out"}, 0},
		{"carl", gate.JournalAsk{Direction: "in", Department: "sales"}, 2},
		{"carl", gate.JournalAsk{From: start.Add(time.Hour)}, 0},
	} {
		if got := o.rows(c.subject, c.ask); len(got) != c.want {
			t.Errorf("%s finds %d by %+v, not %d:\n%s", c.subject, len(got), c.ask, c.want, briefs(got))
		}
	}
	for _, ask := range []gate.JournalAsk{{Limit: 201}, {Direction: "up"}, {Outcome: "odd"}, {Number: "x"}, {Cursor: "x"}, {Cursor: strings.Repeat("a", 26) + "b"}} {
		_, err := o.gate.Journal(t.Context(), who("carl"), ask)
		refuses(t, err, "bad_query")
	}
	_, err := o.gate.Journal(t.Context(), who("carl"), gate.JournalAsk{Employee: "nobody"})
	refuses(t, err, "no_such_employee")
	_, err = o.gate.Journal(t.Context(), who("irina"), gate.JournalAsk{Employee: "egor"})
	refuses(t, err, "no_right")
}

func TestPagesHoldEveryRowOnceAndHandlesAreOnesOwn(t *testing.T) {
	o := newArchive(t, archive)
	for i := range 25 {
		from := "PJSIP/102"
		if i%2 == 0 {
			from = "PJSIP/105" // of whom ivo reads nothing
		}
		o.talk(fmt.Sprint(i), from, "PJSIP/101")
		o.pass(1)
		o.hangUp(fmt.Sprint(i))
	}
	o.sync()
	for subject, want := range map[string]int{"carl": 50, "ivo": 24, "anna": 25} {
		seen := map[string]bool{}
		cursor, pages := "", 0
		for {
			page, err := o.gate.Journal(t.Context(), who(subject), gate.JournalAsk{Limit: 7, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Rows {
				seen[r.ID] = true
				one, err := o.gate.JournalRow(t.Context(), who(subject), r.ID)
				if err != nil || brief(one) != brief(r) {
					t.Fatalf("%s: %v, %v", r.ID, one, err)
				}
				_, err = o.gate.JournalRow(t.Context(), who("dora"), r.ID)
				refuses(t, err, "no_such_row")
			}
			pages++
			if page.Next != "" && len(page.Rows) != 7 {
				t.Errorf("a page of %s has a hole: %d rows", subject, len(page.Rows))
			}
			if cursor = page.Next; cursor == "" {
				break
			}
			_, err = o.gate.Journal(t.Context(), who("dora"), gate.JournalAsk{Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
		}
		if len(seen) != want || pages < want/7 {
			t.Errorf("%s has %d rows on %d pages, not %d", subject, len(seen), pages, want)
		}
	}
}

// Who was on a call and is nobody any more may have been whom somebody must not hear, so the row is nobody's but its owner's.
func TestACallWithSomebodyWhoHasLeftIsItsOwnersAlone(t *testing.T) {
	o := newArchive(t, archive)
	o.talk("a", "PJSIP/105", "PJSIP/101")
	o.hangUp("a")
	sees(t, "carl", briefs(o.rows("carl", gate.JournalAsk{Employee: "anna"})), "anna in answered egor105")
	o.gate.SetPolicy(set(t, strings.NewReplacer("  egor:", "  #", ", except: [egor]", "").Replace(archive)))
	sees(t, "carl", briefs(o.rows("carl", gate.JournalAsk{})), "")
	sees(t, "anna", briefs(o.rows("anna", gate.JournalAsk{})), "anna in answered 105")
}

// Whoever may see nothing of what there is reads on from where a request has stopped; and who looks for a number of which he sees nothing is not told
// by it that it is there.
func TestOneRequestLooksAtSoManyRowsAndNoMore(t *testing.T) {
	o := newArchive(t, archive)
	o.talk("first", other, "PJSIP/101")
	o.hangUp("first")
	for i := range 2001 {
		o.rings(fmt.Sprint(i), other, "PJSIP/105") // of whom ivo reads nothing
		o.pass(1)
		o.hangUp(fmt.Sprint(i))
		if i%500 == 0 {
			o.sync()
		}
	}
	o.sync()
	page, err := o.gate.Journal(t.Context(), who("ivo"), gate.JournalAsk{})
	if err != nil || len(page.Rows) != 1 || page.Next != "" {
		t.Fatalf("whom he has no right on is not looked at: %d rows, %q, %v", len(page.Rows), page.Next, err)
	}
	page, err = o.gate.Journal(t.Context(), who("carl"), gate.JournalAsk{Outcome: "answered", Limit: 5})
	if err != nil || len(page.Rows) != 1 {
		t.Fatalf("%d rows, %q, %v", len(page.Rows), page.Next, err)
	}
	page, err = o.gate.Journal(t.Context(), who("dora"), gate.JournalAsk{Outcome: "busy"})
	if err != nil || len(page.Rows) != 0 || page.Next != "" {
		t.Fatalf("%d rows, %q, %v", len(page.Rows), page.Next, err)
	}
	page, err = o.gate.Journal(t.Context(), who("dora"), gate.JournalAsk{Direction: "out"}) // which the journal is not asked for
	if err != nil || len(page.Rows) != 0 || page.Next == "" {
		t.Fatalf("2002 rows were looked at at once: %d rows, %q, %v", len(page.Rows), page.Next, err)
	}
	page, err = o.gate.Journal(t.Context(), who("dora"), gate.JournalAsk{Direction: "out", Cursor: page.Next})
	if err != nil || len(page.Rows) != 0 || page.Next != "" {
		t.Fatalf("%d rows, %q, %v", len(page.Rows), page.Next, err)
	}
	page, err = o.gate.Journal(t.Context(), who("dora"), gate.JournalAsk{Number: other})
	if err != nil || len(page.Rows) != 0 || page.Next != "" {
		t.Errorf("dora is told that there are calls with the number: %d rows, %q, %v", len(page.Rows), page.Next, err)
	}
}

// A handle leads to a row for as long as one may see it.
func TestAHandleGivesNoRight(t *testing.T) {
	o := newArchive(t, archive)
	o.talk("a", "PJSIP/102", "PJSIP/101")
	o.hangUp("a")
	id := o.rows("ivo", gate.JournalAsk{})[0].ID
	if _, err := o.gate.JournalRow(t.Context(), who("ivo"), id); err != nil {
		t.Fatal(err)
	}
	o.gate.SetPolicy(set(t, strings.Replace(archive, "journal: {to: any, except: [egor]}", "journal: {to: any, except: [boris]}", 1)))
	_, err := o.gate.JournalRow(t.Context(), who("ivo"), id)
	refuses(t, err, "no_such_row")
}

// What a number claims may exclude and hide, and grants nothing.
func TestAClaimedNumberExcludesAndGrantsNothing(t *testing.T) {
	o := newArchive(t, archive)
	o.talk("a", "+79160000105", "PJSIP/101") // egor's own number, from outside
	o.hangUp("a")
	o.talk("b", "110", "PJSIP/105") // who says that he is irina
	o.hangUp("b")
	sees(t, "ivo", briefs(o.rows("ivo", gate.JournalAsk{})), "")
	sees(t, "carl", briefs(o.rows("carl", gate.JournalAsk{})), "egor in answered 110\nanna in answered +79160000105")
	sees(t, "irina", briefs(o.rows("irina", gate.JournalAsk{})), "anna in answered +79160000105")
}

func TestAnExportIsRecordedOnceAndHasEverything(t *testing.T) {
	o := newArchive(t, archive)
	for i := range 450 {
		o.rings(fmt.Sprint(i), other, "PJSIP/101")
		o.pass(1)
		o.hangUp(fmt.Sprint(i))
	}
	o.sync()
	x, err := o.gate.Export(t.Context(), who("carl"), gate.JournalAsk{Employee: "anna", Number: other}, "http")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for {
		rows, err := x.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			break
		}
		n += len(rows)
	}
	entries := o.audit.written()
	if n != 450 || len(entries) != 1 || entries[0].Detail != "export+employee+number" || entries[0].Phase != "disclosed" || entries[0].Targets[0] != "anna" {
		t.Errorf("%d rows, %+v", n, entries)
	}
	_, err = o.gate.Export(t.Context(), who("gus"), gate.JournalAsk{}, "http")
	refuses(t, err, "no_right")
}

// written is what has been recorded.
func (r *recorder) written() []audit.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.entries)
}
