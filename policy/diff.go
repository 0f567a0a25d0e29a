package policy

import (
	"iter"
	"slices"
	"time"
)

// A Difference is what differs between two policies. It holds what is small and works out the rest when it is asked for; it does not change and
// is safe for concurrent use.
type Difference struct {
	// Joined and Left are the employees, by id, that one of the two does not have; LinesJoined and LinesLeft the lines.
	Joined, Left           []string
	LinesJoined, LinesLeft []string
	// Settings are what no single right shows and what changes decisions all the same.
	Settings []Setting
	// Moments are those that were compared: the first, and each in the week after it at which something in one of the policies begins or ends,
	// and so for a week after each date in them, all in the location of the first. Moments alike are compared once.
	Moments []time.Time
	// Cut says that there were more moments than are compared.
	Cut bool

	company   *census
	lineIDs   []string
	before    []*crowd // one for each moment
	after     []*crowd
	was, is   []int32 // by place in the company: the place in the Set, -1 for none
	lineWas   []int32
	lineIs    []int32
	beforeSet *Set
	afterSet  *Set
}

const (
	maxMoments = 64   // that are compared; each different state of the two policies is one
	maxSteps   = 4096 // that are looked at
	week       = 7 * 24 * time.Hour
)

// Compare tells what differs between two policies at a moment and after it. A nil Set is a policy with nobody in it.
func Compare(before, after *Set, at time.Time) *Difference {
	before, after = before.orEmpty().At(at), after.orEmpty().At(at)
	d := &Difference{beforeSet: before, afterSet: after}
	// The company is everybody of the new policy, and then who has left.
	place, is, joined, left := union(before.ids(), after.ids())
	d.is, d.Joined, d.Left = is, joined, left
	d.was = backwards(place, len(is))
	linesBefore, linesAfter := lineIDs(before), lineIDs(after)
	linePlace, lineIs, linesJoined, linesLeft := union(linesBefore, linesAfter)
	d.lineIs, d.LinesJoined, d.LinesLeft, d.lineIDs = lineIs, linesJoined, linesLeft, append(linesAfter, linesLeft...)
	d.lineWas = backwards(linePlace, len(lineIs))
	old := newCrowd(before, place, linePlace, len(is), len(lineIs))
	now := newCrowd(after, own(len(after.people)), own(len(after.lines)), len(is), len(lineIs))
	d.company = newCensus(now, left...)
	for i, id := range left {
		if who, _ := before.Employee(id); before.Panel(who) {
			d.company.all.remove(uint32(after.places() + i))
		}
	}
	d.Settings = settings(before, after)
	d.moments(old, now, at)
	return d
}

func (s *Set) orEmpty() *Set {
	if s == nil || s.tables == nil {
		return &Set{tables: &tables{roleSets: []span{{}}}}
	}
	return s
}

// union gives what is in the first list its places behind the second: those that both have are at the second's.
func union(before, after []string) (place []uint32, is []int32, joined, left []string) {
	at := make(map[string]uint32, len(after))
	for i, id := range after {
		at[id] = uint32(i)
		is = append(is, int32(i))
	}
	known := make(map[string]bool, len(before))
	for _, id := range before {
		known[id] = true
		i, ok := at[id]
		if !ok {
			i = uint32(len(is))
			is, left = append(is, -1), append(left, id)
		}
		place = append(place, i)
	}
	for _, id := range after {
		if !known[id] {
			joined = append(joined, id)
		}
	}
	if place == nil {
		place = []uint32{}
	}
	return place, is, joined, left
}

// backwards turns places round: which employee is at each.
func backwards(place []uint32, size int) []int32 {
	out := make([]int32, size)
	for i := range out {
		out[i] = -1
	}
	for i, p := range place {
		out[p] = int32(i)
	}
	return out
}

func lineIDs(s *Set) []string {
	var out []string
	for _, l := range s.lines {
		out = append(out, l.id)
	}
	return out
}

// moments finds when the two must be compared, and makes their crowds then.
func (d *Difference) moments(old, now *crowd, at time.Time) {
	seen := map[string]bool{}
	add := func(t time.Time, open []bool) {
		state := string(openState(nil, open))
		if seen[state] {
			return
		}
		if len(d.Moments) == maxMoments {
			d.Cut = true
			return
		}
		t = t.In(at.Location())
		seen[state] = true
		d.Moments, d.before, d.after = append(d.Moments, t), append(d.before, old.during(old.At(t))), append(d.after, now.during(now.At(t)))
	}
	dates := dates(old.Set, now.Set, at)
	end := at.Add(week)
	t := at
	for range maxSteps {
		wasOpen, wasNext := old.opening(t)
		isOpen, isNext := now.opening(t)
		add(t, append(wasOpen, isOpen...))
		next := sooner(wasNext, isNext)
		if d.Cut || next.IsZero() {
			return
		}
		if next.After(end) {
			i := slices.IndexFunc(dates, func(date time.Time) bool { return date.After(t) })
			if i < 0 {
				return
			}
			next = dates[i]
		}
		if slices.ContainsFunc(dates, next.Equal) {
			end = next.Add(week)
		}
		t = next
	}
	d.Cut = true
}

// openState tells which windows are open, in a form to look up.
func openState(state []byte, open []bool) []byte {
	for _, is := range open {
		if is {
			state = append(state, '1')
		} else {
			state = append(state, '0')
		}
	}
	return state
}

// sooner is the one of two moments that comes first; zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// dates are the days in the policies at which something begins or ends for good, after the moment.
func dates(a, b *Set, after time.Time) []time.Time {
	var out []time.Time
	for _, s := range []*Set{a, b} {
		for _, w := range s.windows {
			for _, unix := range [...]int64{w.from, w.until} {
				if unix > after.Unix() {
					out = append(out, time.Unix(unix, 0).UTC())
				}
			}
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return slices.CompactFunc(out, time.Time.Equal)
}

// Empty reports whether the two policies decide alike, at all the moments that were compared.
func (d *Difference) Empty() bool {
	if len(d.Joined)+len(d.Left)+len(d.LinesJoined)+len(d.LinesLeft)+len(d.Settings) > 0 {
		return false
	}
	for range d.People() {
		return false
	}
	return true
}

// A Person is what has changed for one employee.
type Person struct {
	ID, Name     string
	Joined, Left bool // then all that he may do is gained, or lost
	Changes      []Change
}

// People yields everybody for whom something has changed, in the order of the new policy, and then who has left. It works out one at a time.
func (d *Difference) People() iter.Seq[Person] {
	return func(yield func(Person) bool) {
		if d.company == nil {
			return
		}
		w := d.walk()
		for i := range d.is {
			p := w.person(uint32(i))
			if len(p.Changes) > 0 && !yield(p) {
				return
			}
		}
	}
}

// walk works out the changes of one employee after the other, for one goroutine.
type walk struct {
	*Difference
	before, after []*crowd
	alike         *likeness
}

func (d *Difference) walk() *walk {
	w := &walk{Difference: d, before: apart(d.before), after: apart(d.after)}
	w.alike = newLikeness(w.before[0], w.after[0])
	return w
}

func (w *walk) person(place uint32) Person {
	x := w.comparison(place)
	w.alike.next()
	for i := range w.Moments {
		if x.at(w, i); !w.alike.seen(x.old, x.now) {
			x.compare(w.alike.differing(x.old, x.now))
		}
	}
	return w.named(place, x.changes)
}

func (w *walk) comparison(place uint32) *comparison {
	return &comparison{Difference: w.Difference, place: place, told: map[toldKey]bitset{}, words: map[string]bool{}}
}

// at takes the comparison to one of the moments.
func (x *comparison) at(w *walk, moment int) {
	x.old, x.now = side{crowd: w.before[moment], who: w.was[x.place]}, side{crowd: w.after[moment], who: w.is[x.place]}
	if moment > 0 {
		x.since = w.Moments[moment]
	}
}

func (w *walk) named(place uint32, changes []Change) Person {
	p := Person{ID: w.company.ids[place], Joined: w.was[place] < 0, Left: w.is[place] < 0, Changes: changes}
	if p.Left {
		p.Name = w.beforeSet.names.at(uint32(w.was[place]))
	} else {
		p.Name = w.afterSet.names.at(uint32(w.is[place]))
	}
	return p
}
