package journal_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/journal"
	"pgregory.net/rapid"
)

// A chaos is somebody who does something at a PBX at random: calls, rings, answers, merges, hangs up.
type chaos struct {
	*pbx
	r    *rapid.T
	n    int
	live []string
}

func (c *chaos) pick(what string) string {
	if len(c.live) == 0 {
		return ""
	}
	return rapid.SampledFrom(c.live).Draw(c.r, what)
}

func (c *chaos) act() {
	c.step = 100 * time.Millisecond
	if rapid.Bool().Draw(c.r, "later") {
		c.now = c.now.Add(time.Duration(rapid.IntRange(0, 6000).Draw(c.r, "seconds")) * time.Second)
	}
	names := []string{"PJSIP/101", "PJSIP/102", "PJSIP/103", "PJSIP/trunk", "Local/1@x"}
	a := c.pick("leg")
	switch what := rapid.IntRange(0, 9).Draw(c.r, "what"); {
	case a == "" || what <= 1 && len(c.live) <= 7:
		c.n++
		id := fmt.Sprintf("l%d", c.n)
		exten := rapid.SampledFrom([]string{"", "100"}).Draw(c.r, "exten")
		c.leg(id, fmt.Sprintf("%s-%d", rapid.SampledFrom(names).Draw(c.r, "name"), c.n), rapid.SampledFrom([]string{"", "101", "+7916"}).Draw(c.r, "number"), exten)
		c.live = append(c.live, id)
	case len(c.live) > 7, what == 8:
		c.gone(a)
		c.live = slices.DeleteFunc(c.live, func(s string) bool { return s == a })
	case what == 2:
		c.app(a, rapid.SampledFrom([]string{"Queue", "Dial", ""}).Draw(c.r, "app"), "sales")
	case what == 3:
		c.up(a)
	case what == 4:
		if b := c.pick("other"); b != a {
			c.dial(a, b)
		}
	case what == 5:
		if b := c.pick("other"); b != a {
			c.apply(&call.Event{Kind: call.DialEnded, Channel: c.ch(a), Peer: c.ch(b), Refusal: call.Refusal(rapid.IntRange(0, 4).Draw(c.r, "why"))})
		}
	case what == 6:
		if b := c.pick("other"); b != a {
			c.answer(a, b, "b"+rapid.SampledFrom([]string{"", a}).Draw(c.r, "bridge"))
		}
	case what == 7:
		c.hangup(a)
	default:
		c.apply(&call.Event{Kind: call.BlindTransferred, Channel: c.ch(a)})
	}
}

// figures compares figures with a count, for every group and a time at random.
func (c *chaos) figures() {
	for _, f := range []journal.StatsFilter{
		{By: journal.ByEmployee}, {By: journal.ByLine}, {By: journal.ByHour}, {By: journal.ByDay}, {By: journal.ByHour, Lines: []string{"sales"}},
		{By: journal.ByEmployee, Employees: []string{"anna", "boris"}}, {By: journal.ByDay, Employees: []string{"clara"}}, {By: journal.ByLine, Lines: []string{"none"}},
	} {
		moment := func(name string) time.Time {
			if rapid.Bool().Draw(c.r, name) {
				return time.Time{}
			}
			return start.Add(time.Duration(rapid.Int64Range(-1000, int64(c.now.Sub(start).Seconds())+1000).Draw(c.r, name)) * time.Second)
		}
		f.From, f.To = moment("from"), moment("to")
		got, err := c.store.Statistics(c.t.Context(), f)
		if err != nil {
			c.r.Fatal(err)
		}
		want, err := c.store.Counted(c.t.Context(), f)
		if err != nil {
			c.r.Fatal(err)
		}
		if !slices.Equal(got, want) {
			c.r.Fatalf("%+v: the figures are\n%+v\nand a count is\n%+v", f, got, want)
		}
	}
}

func TestFiguresEqualACount(t *testing.T) {
	seen := 0
	rapid.Check(t, func(r *rapid.T) {
		zone := rapid.SampledFrom([]*time.Location{time.UTC, time.FixedZone("half", 3600*5+1800), moscow(t)}).Draw(r, "zone")
		p := newPBX(t)
		p.config.Zone, p.config.Path = zone, filepath.Join(t.TempDir(), "journal")
		p.open()
		p.resync()
		defer func() { _ = p.store.Close() }()
		c := &chaos{pbx: p, r: r}
		for range rapid.IntRange(10, 120).Draw(r, "acts") {
			c.act()
			if rapid.IntRange(0, 2).Draw(r, "sync") == 0 {
				p.sync()
			}
		}
		p.sync()
		c.figures()
		c.gone(c.live...)
		p.sync()
		c.figures()
		stats, err := p.store.Statistics(t.Context(), journal.StatsFilter{})
		if err != nil {
			r.Fatal(err)
		}
		seen += len(stats)
		if rows, err := p.store.Rows(t.Context(), journal.Filter{Limit: journal.MaxLimit}); err != nil || slices.ContainsFunc(rows, func(r journal.Row) bool {
			return r.Leg.Outcome == journal.Running || r.Call.Outcome == journal.Running || r.Leg.Ended.IsZero()
		}) {
			r.Fatalf("everybody has hung up, and a row runs; %v", err)
		}
		if _, err := p.store.Retain(t.Context(), start.Add(p.now.Sub(start)/2), nil); err != nil {
			r.Fatal(err)
		}
		c.figures()
	})
	if seen == 0 {
		t.Error("there was nothing to count")
	}
}

func moscow(t *testing.T) *time.Location {
	zone, err := time.LoadLocation("Europe/Moscow")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestAnHourIsTheOneOnTheWall(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	st := opened(t, journal.Config{Path: filepath.Join(t.TempDir(), "journal"), Zone: berlin})
	// Clocks are put back at three in the morning: the day has 25 hours, and two of them are called two o'clock.
	night := time.Date(2026, 10, 25, 0, 0, 0, 0, berlin)
	if err := st.Fill(t.Context(), 25, func(i int) journal.Call {
		c := aCall(i)
		at := night.Add(time.Duration(i)*time.Hour + 10*time.Minute).Sub(c.Began)
		for k := range c.Legs {
			l := &c.Legs[k]
			l.Began, l.Answered, l.Ended = l.Began.Add(at), l.Answered.Add(at), l.Ended.Add(at)
		}
		c.Visits = nil
		return c
	}); err != nil {
		t.Fatal(err)
	}
	hours, err := st.Statistics(t.Context(), journal.StatsFilter{By: journal.ByHour})
	if err != nil || len(hours) != 25 || hours[2].Began.Hour() != 2 || hours[3].Began.Hour() != 2 || hours[3].Began.Sub(hours[2].Began) != time.Hour {
		t.Errorf("%d hours, %v", len(hours), err)
	}
	days, err := st.Statistics(t.Context(), journal.StatsFilter{By: journal.ByDay})
	if err != nil || len(days) != 1 || days[0].Calls != 25 || !days[0].Began.Equal(night) {
		t.Errorf("%+v, %v", days, err)
	}
}

// Where the clocks change, in spring and in autumn and by half an hour too, figures from and to any moment are those of a count, hour by hour and day by day.
func TestFiguresAreRightWhereClocksChange(t *testing.T) {
	for zone, night := range map[string]struct {
		began time.Time
		hours int
	}{
		"Europe/Berlin":       {time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC), 23},
		"America/New_York":    {time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), 25},
		"Australia/Lord_Howe": {time.Date(2026, 10, 4, 0, 0, 0, 0, time.UTC), 24}, // twenty-three and a half
		"Asia/Kolkata":        {time.Date(2026, 10, 4, 0, 0, 0, 0, time.UTC), 24}, // where they never do
	} {
		t.Run(zone, func(t *testing.T) {
			loc, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			st := opened(t, journal.Config{Path: filepath.Join(t.TempDir(), "journal"), Zone: loc})
			y, m, d := night.began.Date()
			first, next := time.Date(y, m, d, 0, 0, 0, 0, loc), time.Date(y, m, d+1, 0, 0, 0, 0, loc)
			if err := st.Fill(t.Context(), 48*6, func(i int) journal.Call { // every ten minutes of two days
				c := aCall(i)
				at := first.Add(time.Duration(i)*10*time.Minute + time.Minute).Sub(c.Began)
				for k := range c.Legs {
					l := &c.Legs[k]
					l.Began, l.Answered, l.Ended = l.Began.Add(at), l.Answered.Add(at), l.Ended.Add(at)
				}
				c.Visits = nil
				return c
			}); err != nil {
				t.Fatal(err)
			}
			hours, err := st.Statistics(t.Context(), journal.StatsFilter{By: journal.ByHour, From: first, To: next})
			if err != nil || len(hours) != night.hours {
				t.Errorf("%d hours and not %d, %v", len(hours), night.hours, err)
			}
			for i, h := range hours {
				if i > 0 && !h.Began.After(hours[i-1].Began) || h.Began.Before(first) || !h.Began.Before(next) {
					t.Errorf("hour %d began %v", i, h.Began)
				}
			}
			for i := range 60 {
				f := journal.StatsFilter{By: []journal.Group{journal.ByHour, journal.ByDay, journal.ByEmployee}[i%3], From: first.Add(time.Duration(i) * 7 * time.Minute), To: next.Add(time.Duration(i) * 11 * time.Minute)}
				got, err := st.Statistics(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				want, err := st.Counted(t.Context(), f)
				if err != nil || len(want) == 0 || !slices.Equal(got, want) {
					t.Fatalf("%+v: %+v, by a count %+v, %v", f, got, want, err)
				}
			}
		})
	}
}

// TestFiguresOfManyCalls measures how long figures take. With a million calls they are to be there within a second.
func TestFiguresOfManyCalls(t *testing.T) {
	c := journal.Config{Path: filepath.Join(t.TempDir(), "journal"), Zone: moscow(t)}
	st := opened(t, c)
	rnd := rand.New(rand.NewPCG(1, 2))
	const chunk = 10000
	began := time.Now()
	for n := 0; n < *calls; n += chunk {
		if err := st.Fill(t.Context(), min(chunk, *calls-n), func(i int) journal.Call {
			// A year of office hours, two hundred employees, ten lines.
			of := aCall(0)
			at := start.Add(time.Duration(rnd.IntN(365))*24*time.Hour + time.Duration(rnd.IntN(9*3600))*time.Second).Sub(of.Began)
			of.ID = fmt.Sprint(n + i)
			for k := range of.Legs {
				l := &of.Legs[k]
				l.Began, l.Answered, l.Ended = l.Began.Add(at), l.Answered.Add(at), l.Ended.Add(at)
			}
			of.Began, of.Answered, of.Ended = of.Began.Add(at), of.Answered.Add(at), of.Ended.Add(at)
			of.Legs[1].Employee = fmt.Sprintf("employee %d", rnd.IntN(200))
			of.Legs[1].Outcome = came(rnd)
			v := &of.Visits[0]
			v.Line, v.Began, v.Answered, v.Ended = fmt.Sprintf("line %d", rnd.IntN(10)), of.Began, of.Answered, of.Ended
			// Thirty thousand clients, and the company's number, which was another one until a month had passed.
			of.Legs[0].Number, of.Legs[0].Dialled = call.Number(fmt.Sprintf("+7916%07d", rnd.IntN(30_000))), "+74950000101"
			if at < 30*24*time.Hour {
				of.Legs[0].Dialled = "+74950000100"
			}
			of.Legs[0].Line, of.Legs[1].Line = v.Line, v.Line
			return of
		}); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d calls were written in %v", *calls, time.Since(began).Round(time.Millisecond))
	from, to := start.Add(100*24*time.Hour+17*time.Minute), start.Add(300*24*time.Hour+23*time.Minute)
	for name, f := range map[string]journal.StatsFilter{
		"by employee":                {By: journal.ByEmployee},
		"by line":                    {By: journal.ByLine},
		"by hour":                    {By: journal.ByHour},
		"by day":                     {By: journal.ByDay},
		"by employee, part of it":    {By: journal.ByEmployee, From: from, To: to},
		"by day, of a line, in part": {By: journal.ByDay, Lines: []string{"line 3"}, From: from, To: to},
	} {
		began := time.Now()
		got, err := st.Statistics(t.Context(), f)
		took := time.Since(began)
		if err != nil {
			t.Fatal(err)
		}
		began = time.Now()
		want, err := st.Counted(t.Context(), f)
		if err != nil || len(got) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s: %d figures, %d by a count, %v", name, len(got), len(want), err)
		}
		t.Logf("%s: %d figures in %v, by a count in %v", name, len(got), took.Round(time.Millisecond/10), time.Since(began).Round(time.Millisecond))
		if took > time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
	some := make([]string, 20)
	for i := range some {
		some[i] = fmt.Sprintf("employee %d", i)
	}
	every := make([]string, 200)
	for i := range every {
		every[i] = fmt.Sprintf("employee %d", i)
	}
	nothing := []journal.Outcome{journal.Missed, journal.Elsewhere, journal.Busy, journal.Failed, journal.Abandoned, journal.Cancelled, journal.Unanswered}
	for _, page := range []struct {
		name string
		f    journal.Filter
		rare bool // there may be none of it
		slow bool // everything newer is gone through
	}{
		{name: "one employee", f: journal.Filter{Employees: some[7:8], Limit: journal.MaxLimit}},
		{name: "all, answered", f: journal.Filter{To: from, Outcomes: []journal.Outcome{journal.Answered}}},
		{name: "all, failed", f: journal.Filter{Outcomes: []journal.Outcome{journal.Failed}}, rare: true},
		{name: "all, unanswered", f: journal.Filter{Outcomes: []journal.Outcome{journal.Unanswered}}, rare: true},
		{name: "all, failed or unanswered", f: journal.Filter{Outcomes: []journal.Outcome{journal.Unanswered, journal.Failed}}, rare: true},
		{name: "all, come to nothing", f: journal.Filter{Outcomes: nothing}},
		{name: "twenty employees, answered", f: journal.Filter{Employees: some, Outcomes: []journal.Outcome{journal.Answered}}},
		{name: "twenty employees, failed", f: journal.Filter{Employees: some, Outcomes: []journal.Outcome{journal.Failed}}, rare: true},
		{name: "twenty employees, come to nothing", f: journal.Filter{Employees: some, Outcomes: nothing}},
		{name: "one employee, answered", f: journal.Filter{Employees: some[7:8], Outcomes: []journal.Outcome{journal.Answered}}},
		{name: "one employee, busy", f: journal.Filter{Employees: some[7:8], Outcomes: []journal.Outcome{journal.Busy}}, rare: true},
		{name: "one employee, unanswered", f: journal.Filter{Employees: some[7:8], Outcomes: []journal.Outcome{journal.Unanswered}}, rare: true},
		{name: "the company's number", f: journal.Filter{Number: "+74950000101"}},
		{name: "the company's number, every employee", f: journal.Filter{Number: "+74950000101", Employees: every}},
		{name: "the company's number, twenty employees", f: journal.Filter{Number: "+74950000101", Employees: some}},
		{name: "the company's number, one employee", f: journal.Filter{Number: "+74950000101", Employees: some[7:8]}},
		{name: "the company's number, failed", f: journal.Filter{Number: "+74950000101", Outcomes: []journal.Outcome{journal.Failed}}, rare: true},
		{name: "the company's number, who has none of it", f: journal.Filter{Number: "+74950000101", Employees: []string{"nobody", "no one"}}, rare: true},
		{name: "the number of long ago, every employee", f: journal.Filter{Number: "+74950000100", Employees: every}, slow: true},
		{name: "a client's number", f: journal.Filter{Number: "+79160000007", Employees: every}, rare: true},
		{name: "a client's number, whose calls one was on besides", f: journal.Filter{Number: "+79160000007", Employees: every[:100], Besides: every[100:], With: some[7:8], Callers: []call.Number{}}, rare: true},
		{name: "the company's number, twenty employees and whose calls one was on besides", f: journal.Filter{Number: "+74950000101", Employees: some, Besides: every[20:], With: some[7:8], Callers: []call.Number{}}},
		{name: "the company's number, one's own and whose calls one was on besides", f: journal.Filter{Number: "+74950000101", Employees: some[7:8], Besides: every[20:], With: some[7:8], Callers: []call.Number{"+79160000007"}}},
		{name: "an employee's number, every employee", f: journal.Filter{Number: "100", Numbered: some[7:8], Employees: every}, rare: true},
		{name: "an employee's number, whose calls one was on besides", f: journal.Filter{Number: "100", Numbered: some[7:8], Employees: some[7:8], Besides: every[20:], With: some[7:8], Callers: []call.Number{}}, rare: true},
		{name: "a line", f: journal.Filter{Lines: []string{"line 3"}}},
		{name: "a line, every employee", f: journal.Filter{Lines: []string{"line 3"}, Employees: every}},
		{name: "a line, who is a stranger to it", f: journal.Filter{Lines: []string{"line 3"}, With: []string{"nobody"}, Callers: []call.Number{"+79160000007", "+79160000008"}}, rare: true},
		{name: "a line, his department's", f: journal.Filter{Lines: []string{"line 3"}, With: some, Callers: []call.Number{}}},
	} {
		began = time.Now()
		rows, err := st.Rows(t.Context(), page.f)
		took := time.Since(began)
		t.Logf("a page of %s: %d rows in %v", page.name, len(rows), took.Round(time.Millisecond/10))
		if err != nil || len(rows) == 0 && !page.rare || took > time.Second && !page.slow {
			t.Errorf("%s: %d rows in %v, %v", page.name, len(rows), took, err)
		}
	}
	began = time.Now()
	callers, err := st.Callers(t.Context(), journal.Filter{Lines: []string{"line 3"}})
	t.Logf("who came to a line: %d numbers in %v", len(callers), time.Since(began).Round(time.Millisecond/10))
	if took := time.Since(began); err != nil || len(callers) == 0 || took > time.Second {
		t.Errorf("%d numbers in %v, %v", len(callers), took, err)
	}
}

// came is what came of a call: most are answered, a few in a million fail, and none is unanswered.
func came(rnd *rand.Rand) journal.Outcome {
	switch n := rnd.IntN(100_000); {
	case n < 5:
		return journal.Failed
	case n < 2_000:
		return journal.Busy
	case n < 10_000:
		return journal.Elsewhere
	case n < 30_000:
		return journal.Missed
	}
	return journal.Answered
}
