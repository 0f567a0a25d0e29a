package policy_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
)

// The policy turned to a moment decides as one that is compiled then, and as the clock on the wall says.
func TestTheMomentDecidesAsIfCompiledThen(t *testing.T) {
	changed := 0
	eachMatter(t, func(t *rapid.T, d *drawing) {
		set := d.m.load(t, false)
		later := *d.m
		later.now = d.m.now.Add(time.Duration(rapid.IntRange(-5*24*60, 5*24*60).Draw(t, "minutes later")) * time.Minute)
		turned, compiled := set.At(later.now), later.load(t, false)
		back := turned.At(d.m.now)
		next, some := turned.NextChange()
		if n, s := compiled.NextChange(); !n.Equal(next) || s != some {
			t.Fatalf("the next change is at %v, and if compiled then at %v\n%s", next, n, later.yaml(false))
		}
		for _, q := range d.questions(t) {
			req, again := q.request(set), q.request(compiled)
			got := turned.Decide(&req)
			if want := later.allows(q); got.Allowed != want || compiled.Decide(&again) != got {
				t.Fatalf("%+v: at %v got %v, compiled then %+v, want %v\n%s", q, later.now, got, compiled.Decide(&again), want, later.yaml(false))
			}
			checkExplanation(t, turned, req, got)
			was := set.Decide(&req)
			if was != got {
				changed++
			}
			if back.Decide(&req) != was {
				t.Fatalf("%+v: going back in time changed the policy", q)
			}
		}
		for _, q := range dialQuestions(t, d.m) {
			got := q.decide(turned)
			if want := later.allowsDial(q, nil); got.Allowed != want || q.decide(compiled) != got || q.decide(back) != q.decide(set) {
				t.Fatalf("%+v: at %v got %v, want %v\n%s", q, later.now, got, want, later.yaml(false))
			}
		}
	})
	if changed < 50 {
		t.Errorf("%d decisions changed: the moments drawn are one-sided", changed)
	}
}

// Until the next change nothing changes, by the naive evaluator too.
func TestNothingChangesBeforeTheNextChange(t *testing.T) {
	eachMatter(t, func(t *rapid.T, d *drawing) {
		set := d.m.load(t, false)
		next, some := set.NextChange()
		if !some {
			next = d.m.now.AddDate(2, 0, 0)
		}
		if !next.After(d.m.now) {
			t.Fatalf("the next change is at %v, which is not after %v\n%s", next, d.m.now, d.m.yaml(false))
		}
		questions, dialled := d.questions(t), dialQuestions(t, d.m)
		for _, at := range between(t, d.m.now, next) {
			later, turned := *d.m, set.At(at)
			later.now = at
			for _, q := range questions {
				req := q.request(set)
				if is, was := turned.Decide(&req), set.Decide(&req); is != was || later.allows(q) != is.Allowed {
					t.Fatalf("%+v: %+v at %v and %+v at %v, before the next change at %v\n%s", q, was, d.m.now, is, at, next, d.m.yaml(false))
				}
			}
			for _, q := range dialled {
				if is, was := q.decide(turned), q.decide(set); is != was || later.allowsDial(q, nil) != is.Allowed {
					t.Fatalf("%+v: %+v at %v and %+v at %v, before the next change at %v\n%s", q, was, d.m.now, is, at, next, d.m.yaml(false))
				}
			}
		}
	})
}

// A day begins when the calendar on the wall is turned, also where the clock is turned at midnight: such a day begins at one o'clock, or has
// two midnights, of which the first counts.
func TestADayBeginsWithItsDate(t *testing.T) {
	odd := 0
	for _, place := range places {
		for _, text := range turning {
			moment, err := time.Parse(time.RFC3339, text)
			if err != nil {
				t.Fatal(err)
			}
			for days := range 3 {
				date := moment.In(zoneOf(place)).AddDate(0, 0, days-1).Format(time.DateOnly)
				yaml := "version: 1\ntimezone: " + place + "\nemployees: {anna: {lock: {from: " + date + "}}, boris: {lock: {until: " + date + "}}}\n"
				set, _, err := policy.Load("policy.yaml", []byte(yaml), moment.AddDate(0, 0, -4))
				if err != nil {
					t.Fatal(err)
				}
				begins, _ := set.NextChange()
				ends, _ := set.At(begins).NextChange()
				for _, at := range []time.Time{begins, ends} {
					before, after := at.Add(-1).In(zoneOf(place)), at.In(zoneOf(place))
					if before.Format(time.DateOnly) == after.Format(time.DateOnly) {
						t.Errorf("%s in %s: changes at %v, which begins no day", date, place, after)
					}
					if after.Hour() != 0 || at.Add(2*time.Hour).In(zoneOf(place)).Hour() == 1 {
						odd++
					}
				}
				if got := begins.In(zoneOf(place)).Format(time.DateOnly); got != date {
					t.Errorf("%s in %s begins on %s", date, place, got)
				}
			}
		}
	}
	if odd < 8 {
		t.Errorf("%d odd days: this proves little", odd)
	}
}

// between are moments from one to another, which is not among them.
func between(t *rapid.T, from, to time.Time) []time.Time {
	all := []time.Time{from, to.Add(-1)}
	for range 4 {
		all = append(all, from.Add(time.Duration(rapid.Int64Range(0, int64(to.Sub(from))-1).Draw(t, "after"))))
	}
	return all
}

// A right that holds at certain times only is followed from change to change over three weeks and a few turns of the clock.
func TestTheClockIsFollowedFromChangeToChange(t *testing.T) {
	opened, closed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m := &model{now: moments(t), zone: rapid.SampledFrom(places).Draw(t, "zone")}
		m.times = []modelTime{drawTime(t, "t0")}
		when := m.when(t)
		when.during = "t0"
		m.people = []modelPerson{{id: "p0", rights: []modelRight{{key: "lock", value: "map", when: when}}}}
		set := m.load(t, false)
		p0, _ := set.Employee("p0")
		start := m.now
		for m.now.Before(start.AddDate(0, 0, 21)) {
			next, some := set.NextChange()
			if !some {
				next = m.now.AddDate(3, 0, 0)
			}
			if !next.After(m.now) {
				t.Fatalf("at %v the next change is at %v\n%s", m.now, next, m.yaml(false))
			}
			here := *m
			want := set.Decide(&policy.Request{Subject: p0, Action: policy.Lock}).Allowed
			for _, here.now = range between(t, m.now, next) {
				if here.holds(when) != want {
					t.Fatalf("at %v it is %v, and at %v otherwise; the next change is at %v\n%s", m.now, want, here.now, next, m.yaml(false))
				}
			}
			if want {
				opened++
			} else {
				closed++
			}
			m.now, set = next, set.At(next)
		}
	})
	if opened < 100 || closed < 100 {
		t.Errorf("%d times open and %d closed: the times drawn are one-sided", opened, closed)
	}
}
