package main

import (
	"math/rand/v2"
	"slices"
	"time"
)

// A deed is one thing that somebody does in a round. All of it follows from the seed: what, when, who, and by choices, whatever is chosen while it
// is done.
type deed struct {
	number  int // in the whole run
	at      time.Duration
	kind    string
	who     []string // whose phones it takes, for itself
	choices uint64
}

// rand is for what is chosen while the deed is done.
func (d *deed) rand() *rand.Rand { return rand.New(rand.NewPCG(d.choices, 0)) } //nolint:gosec // it has to come again, not to be unforeseeable

// A kind is what can be done.
type kind struct {
	name   string
	weight int
	phones int           // how many talkers' phones it takes
	sups   int           // and how many supervisors'
	takes  time.Duration // about how long it has the phones
}

// kinds are what happens within a round.
var kinds = []kind{
	{"incoming", 8, 1, 0, 4 * time.Second},
	{"internal", 6, 2, 0, 4 * time.Second},
	{"outgoing", 4, 1, 0, 4 * time.Second},
	{"hold", 4, 1, 0, 5 * time.Second},
	{"unanswered", 3, 1, 0, 3 * time.Second},
	{"busy", 3, 1, 0, 2 * time.Second},
	{"blind", 4, 2, 0, 6 * time.Second},
	{"attended", 4, 2, 0, 7 * time.Second},
	{"park", 2, 2, 0, 8 * time.Second},
	{"conference", 2, 3, 0, 6 * time.Second},
	{"pickup", 2, 2, 0, 5 * time.Second},
	{"queue", 3, 0, 0, 6 * time.Second}, // the line's own phones
	{"supervise", 9, 1, 1, 8 * time.Second},
	{"excluded", 3, 1, 1, 8 * time.Second}, // with the excluded employee's phone
	{"ami-spy", 3, 1, 1, 6 * time.Second},
	{"ari-own", 2, 1, 0, 3 * time.Second},
	{"forbidden", 3, 1, 0, 4 * time.Second},
	{"lock", 3, 1, 1, 6 * time.Second},
	{"record", 3, 1, 0, 5 * time.Second},
	{"intercept", 3, 1, 0, 5 * time.Second}, // and the phone of who may
	{"click", 3, 1, 0, 5 * time.Second},
	{"panel", 8, 0, 0, 0},
	{"slow", 2, 0, 0, 0},
	{"policy", 5, 0, 0, 0},
	{"rotate", 2, 0, 0, 0},
	{"session", 3, 0, 0, 0},
}

// outages are what is done to the parts, at most so often: one in a round, and not in each.
var outages = []kind{
	{"earshot-stop", 2, 0, 0, 0},
	{"earshot-kill", 3, 0, 0, 0},
	{"earshot-pause", 1, 0, 0, 0},
	{"pbx-restart", 2, 0, 0, 0},
	{"pbx-kill", 1, 0, 0, 0},
	{"pbx-pause", 2, 0, 0, 0},
	{"pbx-reload", 2, 0, 0, 0},
	{"redis-kill", 2, 0, 0, 0},
	{"redis-pause", 2, 0, 0, 0},
	{"redis-empty", 2, 0, 0, 0},
}

const (
	roundLasts = 20 * time.Second // from its first deed to its last one's begin
	outageFrom = 3                // out of five rounds, so many have an outage, and of these again so many a second one; the second round has one always
)

// outagesIn is how many outages there are among deeds.
func outagesIn(all []deed) (n int) {
	for _, d := range all {
		if slices.ContainsFunc(outages, func(k kind) bool { return k.name == d.kind }) {
			n++
		}
	}
	return n
}

// round is what is done in the nth round of a seed; first is the number of its first deed. The rounds after each other that end no Earshot are long
// enough to see it grow: which round has which outage follows from the seed, too.
func round(seed uint64, n, first int) []deed {
	r := rand.New(rand.NewPCG(seed, uint64(n))) //nolint:gosec // as above
	free := map[string]time.Duration{}          // from when on a phone is free
	var all []deed
	for at := time.Duration(0); at < roundLasts; at += time.Duration(100+r.IntN(400)) * time.Millisecond {
		k := pick(r, kinds)
		d := deed{at: at, kind: k.name, choices: r.Uint64()}
		d.who = phonesFor(r, k, at, free)
		if d.who == nil && k.phones+k.sups+len(fixed[k.name]) > 0 {
			continue // everybody talks
		}
		for _, who := range d.who {
			free[who] = at + k.takes
		}
		all = append(all, d)
	}
	for n > 0 && outagesIn(all) < 2 && (r.IntN(5) < outageFrom || n == 1 && outagesIn(all) == 0) {
		k := pick(r, outages)
		all = append(all, deed{at: time.Duration(2+r.IntN(14)) * time.Second, kind: k.name, choices: r.Uint64()})
	}
	slices.SortStableFunc(all, func(a, b deed) int { return int(a.at - b.at) })
	for i := range all {
		all[i].number = first + i
	}
	return all
}

// phonesFor are those that a deed takes; nil when too few are free.
func phonesFor(r *rand.Rand, k kind, at time.Duration, free map[string]time.Duration) (who []string) {
	fits := func(name string) bool { return free[name] <= at && !slices.Contains(who, name) }
	for _, name := range fixed[k.name] {
		if !fits(name) {
			return nil
		}
		who = append(who, name)
	}
	for _, from := range []struct {
		n    int
		pool []string
	}{{k.phones, talkers}, {k.sups, supervisors}} {
		var open []string
		for _, name := range from.pool {
			if fits(name) {
				open = append(open, name)
			}
		}
		if len(open) < from.n {
			return nil
		}
		r.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
		who = append(who, open[:from.n]...)
	}
	return who
}

func pick(r *rand.Rand, from []kind) kind {
	sum := 0
	for _, k := range from {
		sum += k.weight
	}
	for n := r.IntN(sum); ; {
		for _, k := range from {
			if n -= k.weight; n < 0 {
				return k
			}
		}
	}
}
