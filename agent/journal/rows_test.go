package journal_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/journal"
)

// day has ten calls: those of an even number from a client to anna, the others from boris to clara, who is busy. Those divisible by three come
// over the line sales.
func day(t *testing.T) *pbx {
	p := newPBX(t)
	for i := range 10 {
		from, to := fmt.Sprintf("f%d", i), fmt.Sprintf("t%d", i)
		if i%2 == 0 {
			p.leg(from, fmt.Sprintf("PJSIP/trunk-%d", i), fmt.Sprintf("+7 916 000-00-0%d", i), "600")
			p.leg(to, fmt.Sprintf("PJSIP/101-%d", i), "101", "")
		} else {
			p.leg(from, fmt.Sprintf("PJSIP/102-%d", i), "102", "103")
			p.leg(to, fmt.Sprintf("PJSIP/103-%d", i), "103", "")
		}
		if i%3 == 0 {
			p.app(from, "Queue", "sales")
		}
		p.dial(from, to)
		if i%2 == 0 {
			p.answer(from, to, "b"+from)
			p.gone(to)
		} else {
			p.refuse(from, to, call.RefusalBusy)
		}
		p.gone(from)
	}
	p.sync()
	return p
}

func TestRowsAreFilteredAndComeNewestFirst(t *testing.T) {
	p := day(t)
	everything := "t9 f9 t8 t7 f7 t6 t5 f5 t4 t3 f3 t2 t1 f1 t0"
	fourth := p.call("f4").Began
	for name, tc := range map[string]struct {
		f    journal.Filter
		want string
	}{
		"everything":               {journal.Filter{}, everything},
		"one employee":             {journal.Filter{Employees: []string{"anna"}}, "t8 t6 t4 t2 t0"},
		"two employees":            {journal.Filter{Employees: []string{"anna", "clara"}}, "t9 t8 t7 t6 t5 t4 t3 t2 t1 t0"},
		"an employee twice":        {journal.Filter{Employees: []string{"boris", "boris"}}, "f9 f7 f5 f3 f1"},
		"nobody":                   {journal.Filter{Employees: []string{}}, ""},
		"somebody else":            {journal.Filter{Employees: []string{"' OR 1=1 --"}}, ""},
		"a line":                   {journal.Filter{Lines: []string{"sales"}}, "t9 f9 t6 t3 f3 t0"},
		"no line":                  {journal.Filter{Lines: []string{}}, ""},
		"out":                      {journal.Filter{Direction: call.Out}, "f9 f7 f5 f3 f1"},
		"in":                       {journal.Filter{Direction: call.In}, "t9 t8 t7 t6 t5 t4 t3 t2 t1 t0"},
		"busy":                     {journal.Filter{Outcomes: []journal.Outcome{journal.Busy}}, "t9 t7 f7 t5 f5 t3 t1 f1"},
		"busy or answered":         {journal.Filter{Outcomes: []journal.Outcome{journal.Busy, journal.Answered}, Employees: []string{"anna", "clara"}, Lines: []string{"sales"}}, "t9 t6 t3 t0"},
		"since":                    {journal.Filter{From: fourth}, "t9 f9 t8 t7 f7 t6 t5 f5 t4"},
		"until":                    {journal.Filter{To: fourth}, "t3 f3 t2 t1 f1 t0"},
		"a number":                 {journal.Filter{Number: "7(916)0000004"}, "t4"},
		"half a number":            {journal.Filter{Number: "916"}, ""},
		"no number":                {journal.Filter{Number: "anonymous"}, ""},
		"a number that is dialled": {journal.Filter{Number: "103", Direction: call.Out}, "f9 f7 f5 f3 f1"},
		"one's own number":         {journal.Filter{Number: "101"}, ""},
		"a page":                   {journal.Filter{Limit: 3}, "t9 f9 t8"},
	} {
		rows, err := p.store.Rows(t.Context(), tc.f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, r := range rows {
			got = append(got, string(r.Leg.ID))
			if !slices.ContainsFunc(r.Call.Legs, func(l journal.Leg) bool { return l.ID == r.Leg.ID }) {
				t.Errorf("%s: %s is not on its own call", name, r.Leg.ID)
			}
		}
		if got := strings.Join(got, " "); got != tc.want {
			t.Errorf("%s: %s, not %s", name, got, tc.want)
		}
	}
}

func TestPagesFollowEachOtherWhileCallsAreAdded(t *testing.T) {
	p := day(t)
	var got []string
	f := journal.Filter{Limit: 4}
	for range 10 {
		rows, err := p.store.Rows(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			got = append(got, string(r.Leg.ID))
			f.Before = r.At
		}
		if len(rows) < f.Limit {
			break
		}
		if f.Before, err = journal.ParseCursor(f.Before.String()); err != nil {
			t.Fatal(err)
		}
		p.talk(fmt.Sprint(len(got)))
		p.sync()
	}
	is(t, strings.Join(got, " "), "t9 f9 t8 t7 f7 t6 t5 f5 t4 t3 f3 t2 t1 f1 t0")
	for _, s := range []string{"x", "1", "1.", ".1", "1.2.3", "1.-", "1 .2"} {
		if c, err := journal.ParseCursor(s); err == nil {
			t.Errorf("%q is read as %v", s, c)
		}
	}
	if c, err := journal.ParseCursor(""); err != nil || c != (journal.Cursor{}) || c.String() != "" {
		t.Errorf("nothing is read as %v, %v", c, err)
	}
}

// A number that very many calls have is looked for in another way than one that few have, and finds the same.
func TestAFrequentNumberFindsWhatARareOneFinds(t *testing.T) {
	st := opened(t, journal.Config{Path: filepath.Join(t.TempDir(), "journal")})
	fill := func(n int, from int) {
		if err := st.Fill(t.Context(), n, func(i int) journal.Call {
			c := aCall(from + i)
			c.Legs[0].Dialled = "+74950000101"
			if i%3 == 0 {
				c.Legs[0].Dialled = "+74950000102"
			}
			c.Legs[1].Employee = []string{"anna", "boris"}[i%2]
			return c
		}); err != nil {
			t.Fatal(err)
		}
	}
	count := func(f journal.Filter) (n int) {
		for f.Limit = journal.MaxLimit; ; {
			rows, err := st.Rows(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rows {
				if f.Number != "" && r.Call.Legs[0].Dialled != f.Number {
					t.Fatalf("%s is not on the call", f.Number)
				}
				n, f.Before = n+1, r.At
			}
			if len(rows) < f.Limit {
				return n
			}
		}
	}
	for _, calls := range []int{300, 6000} {
		fill(calls, calls)
		all, of := count(journal.Filter{}), count(journal.Filter{Number: "+74950000101"})
		if want := all - count(journal.Filter{Number: "+74950000102"}); of != want || of == 0 {
			t.Errorf("of %d rows %d are found, not %d", all, of, want)
		}
		if a, b := count(journal.Filter{Number: "+74950000101", Employees: []string{"anna"}}), count(journal.Filter{Number: "+74950000101", Employees: []string{"boris", "nobody"}}); a+b != of || a == 0 || b == 0 {
			t.Errorf("%d and %d rows are found, together not %d", a, b, of)
		}
	}
}

func TestAReadThatTakesTooLongIsGivenUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	st := opened(t, journal.Config{Path: path})
	if err := st.Fill(t.Context(), 3, aCall); err != nil {
		t.Fatal(err)
	}
	if rows, err := st.Rows(t.Context(), journal.Filter{}); err != nil || len(rows) != 3 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	_, err := opened(t, journal.Config{Path: path, Patience: 1}).Rows(t.Context(), journal.Filter{})
	wants(t, err, journal.ErrSlow)
}

func TestWhatIsNotInTheJournalIsAnError(t *testing.T) {
	p := day(t)
	_, err := p.store.Call(t.Context(), "guessed")
	wants(t, err, journal.ErrNoCall)
	_, err = p.store.CallOf(t.Context(), "nobody", p.now)
	wants(t, err, journal.ErrNoCall)
	_, err = p.store.CallOf(t.Context(), "f4", start)
	wants(t, err, journal.ErrNoCall)
	_, err = p.store.Recording(t.Context(), "guessed")
	wants(t, err, journal.ErrNoRecording)
}

func TestOutcomesHaveNamesAndNothingPrintsAName(t *testing.T) {
	for o := journal.Running; o <= journal.Unanswered; o++ {
		got, ok := journal.ParseOutcome(o.String())
		if !ok || got != o {
			t.Errorf("%v is read as %v", o, got)
		}
	}
	if o, ok := journal.ParseOutcome("outcome 9"); ok {
		t.Errorf("%v", o)
	}
	l := journal.Leg{ID: "1", Name: "Ivan", Number: "+79161234567", Dialled: "600"}
	is(t, fmt.Sprintf("%v %+v %#v %s", l, l, l, journal.Row{Leg: &l}.Leg), "leg 1 leg 1 leg 1 leg 1")
}

// However many clients somebody has, and however many work there, they fit into one question.
func TestThereIsNoBoundOnHowManyAreAskedFor(t *testing.T) {
	st := opened(t, journal.Config{Path: filepath.Join(t.TempDir(), "journal")})
	if err := st.Fill(t.Context(), 3, func(i int) journal.Call {
		c := aCall(i)
		for k := range c.Legs {
			c.Legs[k].Line = "sales"
		}
		return c
	}); err != nil {
		t.Fatal(err)
	}
	of := aCall(1)
	many, everybody := []call.Number{call.Number(of.Legs[0].Number.Digits())}, []string{of.Legs[1].Employee}
	for i := range 40_000 {
		many, everybody = append(many, call.Number(fmt.Sprintf("+7812%07d", i))), append(everybody, fmt.Sprintf("employee %d", i))
	}
	for name, f := range map[string]journal.Filter{
		"callers":   {Callers: many},
		"with":      {With: everybody},
		"employees": {Employees: everybody},
		"besides":   {Employees: []string{}, Besides: everybody, With: everybody},
	} {
		if rows, err := st.Rows(t.Context(), f); err != nil || len(rows) != 3 {
			t.Errorf("%s: %d rows, %v", name, len(rows), err)
		}
		f.Callers, f.With, f.Besides, f.Employees = many[1:], everybody[1:], nil, nil
		if rows, err := st.Rows(t.Context(), f); err != nil || len(rows) != 0 {
			t.Errorf("not %s: %d rows, %v", name, len(rows), err)
		}
	}
}

// Who came to a line is told of all calls, or of those that have a number: claimed, dialled, or an employee's.
func TestWhoCameToALineIsToldOfAllCallsOrOfThoseWithANumber(t *testing.T) {
	st := opened(t, journal.Config{Path: filepath.Join(t.TempDir(), "journal")})
	if err := st.Fill(t.Context(), 4, func(i int) journal.Call {
		c := aCall(i)
		c.Legs[0].Number, c.Legs[0].Dialled, c.Legs[0].Line = call.Number(fmt.Sprintf("+7812000000%d", i)), "800", []string{"sales", "support"}[i/3]
		c.Legs[1].Employee, c.Legs[1].Line = []string{"anna", "boris"}[i%2], c.Legs[0].Line
		return c
	}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		f    journal.Filter
		want string
	}{
		"a line":              {journal.Filter{Lines: []string{"sales"}}, "0 1 2"},
		"every line":          {journal.Filter{}, "0 1 2 3"},
		"no line":             {journal.Filter{Lines: []string{}}, ""},
		"a number":            {journal.Filter{Lines: []string{"sales"}, Number: "+78120000001"}, "1"},
		"of another line":     {journal.Filter{Lines: []string{"sales"}, Number: "+78120000003"}, ""},
		"what they dialled":   {journal.Filter{Number: "800"}, "0 1 2 3"},
		"an employee's":       {journal.Filter{Number: "102", Numbered: []string{"boris"}}, "1 3"},
		"an employee's there": {journal.Filter{Lines: []string{"sales"}, Number: "102", Numbered: []string{"boris"}}, "1"},
	} {
		numbers, err := st.Callers(t.Context(), c.f)
		var got []string
		for _, n := range numbers {
			got = append(got, n.Digits()[len(n.Digits())-1:])
		}
		slices.Sort(got)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, not %q, %v", name, got, c.want, err)
		}
	}
}
