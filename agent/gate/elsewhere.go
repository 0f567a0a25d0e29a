package gate

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// otherPBX is what the sidecar beside another PBX shows, as far as it can be read.
type otherPBX struct {
	name  string
	known bool // it is within reach, and knows the state of its PBX
	keys  map[string]shownValue
	size  int                // of all that it shows
	full  bool               // it shows more than is kept: until it shows all anew nothing of it counts
	part  bool               // it has more than it shows
	legs  map[string]*farLeg // by the unique id there
	dumb  int                // of them, those of which not even the employee can be read
}

// shownValue is what is remembered of a value: how much room it takes, and a sum over it.
type shownValue struct {
	size int
	sum  uint64
}

// maxElsewhere is how many bytes are taken in of what one PBX shows: some ten thousand calls.
const maxElsewhere = 64 << 20

// maxShown is how many bytes one value may have; shownCost is what each costs beside its bytes.
const (
	maxShown  = 64 << 10
	shownCost = 512
)

// kinds are the sorts of what is shown, by how their keys begin. What has another key is another version's, and counted. A kind takes in what stands
// under the rest of the key; nil: nothing does any more. It is called under the gate's lock, says which rows are to be shown anew, and of these tells nobody anything itself.
var kinds = [...]struct {
	prefix string
	take   func(g *Gate, t *call.Table, set *policy.Set, news *arrival, id string, value []byte)
}{
	{stateKey, (*Gate).takeState},
	{legKey, (*Gate).takeLeg},
	{actKey, (*Gate).takeAct},
	{lockKey, (*Gate).takeLock},
	{holdsKey, (*Gate).takeHolds},
}

// arrival is what one News brings.
type arrival struct {
	from   *otherPBX
	lost   bool     // it is out of reach now
	number uint64   // of no other
	rows   []*entry // that are to be made anew
}

func (a *arrival) touch(e *entry) {
	if e != nil && e.touched != a.number {
		e.touched = a.number
		a.rows = append(a.rows, e)
	}
}

// Elsewhere takes in what the sidecar beside another PBX shows now: its calls are shown to whoever may see them, as those here are, by the policy in force
// here. It is for one goroutine, in order, and returns when all watchers have been told. Without a Cluster it does nothing.
func (g *Gate) Elsewhere(n News) {
	if g.cfg.Cluster == nil || n.PBX == "" || n.PBX == g.cfg.Cluster.PBX() || strings.Contains(n.PBX, farBetween) {
		return
	}
	g.locked(func(t *call.Table) { g.elsewhere(t, &n) })
}

func (g *Gate) elsewhere(t *call.Table, n *News) {
	set := g.policy.Load()
	p := g.others[n.PBX]
	if p == nil {
		if !n.Known {
			return
		}
		p = &otherPBX{name: n.PBX, keys: map[string]shownValue{}, legs: map[string]*farLeg{}}
		g.others[n.PBX] = p
	}
	news := &arrival{from: p, lost: !n.Known, number: g.number()}
	was := p.standing()
	p.part = n.Partial
	if n.Whole || !n.Known {
		g.takeAway(t, set, news, n)
	}
	for i := range n.Shown {
		if !n.Known {
			break
		}
		g.takeShown(t, set, news, n.Shown[i].Key, n.Shown[i].Value)
	}
	if !n.Known {
		delete(g.others, n.PBX)
	}
	g.heard(n)
	if p.standing() != was {
		for _, e := range g.board {
			if set.PBX(e.ref) == p.name || slices.ContainsFunc(e.far, func(f *farLeg) bool { return f.on == p }) {
				news.touch(e)
			}
		}
	}
	if len(news.rows) == 0 || !g.known {
		return
	}
	g.reconsiderBeyond(t, news.rows)
	slices.SortFunc(news.rows, byPlace)
	at := time.Now()
	if n.Whole || !n.Known {
		at = time.Time{} // nobody knows when what is gone has gone
	}
	g.showRows(t, set, news.rows, at)
}

// standing is how far what it shows counts: whether it does, and whether it is all that there is.
func (p *otherPBX) standing() (s struct{ counts, all bool }) {
	s.counts = p.known && !p.full
	s.all = s.counts && !p.part && p.dumb == 0
	return s
}

// takeAway takes out what is not shown any more, of whom all is to be told anew.
func (g *Gate) takeAway(t *call.Table, set *policy.Set, news *arrival, n *News) {
	still := map[string]struct{}{}
	if n.Known {
		for i := range n.Shown {
			if n.Shown[i].Value != nil {
				still[n.Shown[i].Key] = struct{}{}
			}
		}
	}
	gone := make([]string, 0, len(news.from.keys))
	for key := range news.from.keys {
		if _, ok := still[key]; !ok {
			gone = append(gone, key)
		}
	}
	slices.Sort(gone)
	for _, key := range gone {
		g.takeShown(t, set, news, key, nil)
	}
	news.from.full = false
}

// takeShown takes in one value.
func (g *Gate) takeShown(t *call.Table, set *policy.Set, news *arrival, key string, value []byte) {
	p := news.from
	was, there := p.keys[key]
	is := shownValue{}
	if value != nil {
		is = shownValue{len(key) + len(value) + shownCost, maphash.Bytes(seed, value)}
	}
	if is == was && there == (value != nil) {
		return // as when all is shown anew
	}
	if is.size > was.size && p.size+is.size-was.size > maxElsewhere {
		if !p.full {
			p.full = true
			g.met.unread.Inc()
		}
		return
	}
	if p.size += is.size - was.size; value == nil {
		delete(p.keys, key)
	} else {
		p.keys[key] = is
	}
	for i := range kinds {
		if id, ok := strings.CutPrefix(key, kinds[i].prefix); ok {
			kinds[i].take(g, t, set, news, id, value)
			return
		}
	}
	if value != nil {
		g.met.unread.Inc()
	}
}

// takeState takes in whether the state of the PBX is known there.
func (g *Gate) takeState(_ *call.Table, _ *policy.Set, news *arrival, id string, value []byte) {
	var f stateForm
	if value != nil && (id != "" || !readForm(value, &f) || f.Version != stateVersion) {
		g.met.unread.Inc()
		f = stateForm{}
	}
	if id == "" { // or it is none that this version knows
		news.from.known = f.Known
	}
}

// takeLeg takes in an employee's leg.
func (g *Gate) takeLeg(_ *call.Table, set *policy.Set, news *arrival, id string, value []byte) {
	p := news.from
	if old := p.legs[id]; old != nil {
		delete(p.legs, id)
		if old.form.Employee == "" {
			p.dumb--
		}
		news.touch(g.removeFar(set, old))
	}
	if value == nil {
		return
	}
	f := readLeg(p, id, value)
	if p.legs[id] = f; f.form.Employee == "" {
		p.dumb++
	}
	if f.unread {
		g.met.unread.Inc()
	}
	news.touch(g.addFar(set, f))
}

// placeFar puts the legs on other PBXs on a board that has been made anew.
func (g *Gate) placeFar(set *policy.Set) {
	for _, p := range g.others {
		for _, f := range p.legs {
			g.addFar(set, f)
		}
	}
}

// addFar puts a leg on its employee's row, which is to be made anew; nil: the policy in force knows him not.
func (g *Gate) addFar(set *policy.Set, f *farLeg) *entry {
	ref, _ := set.Employee(f.form.Employee)
	e := g.board[ref]
	if e == nil {
		return nil
	}
	at, _ := slices.BinarySearchFunc(e.far, f, byFar)
	e.far = slices.Insert(e.far, at, f)
	return e
}

// removeFar is the reverse of addFar.
func (g *Gate) removeFar(set *policy.Set, f *farLeg) *entry {
	ref, _ := set.Employee(f.form.Employee)
	e := g.board[ref]
	if e == nil {
		return nil
	}
	e.far = slices.DeleteFunc(e.far, func(o *farLeg) bool { return o == f })
	return e
}

// byFar orders an employee's legs on other PBXs: by PBX, and there as on his row beside it.
func byFar(a, b *farLeg) int {
	return cmp.Or(strings.Compare(a.on.name, b.on.name), cmp.Compare(a.form.Place, b.form.Place), cmp.Compare(a.leg, b.leg))
}

// gatherFar adds to a row the employee's legs on other PBXs, and sees whether there may be others.
func (g *Gate) gatherFar(set *policy.Set, e *entry) {
	e.unknown = g.isAbsent(set, e)
	for _, f := range e.far {
		switch {
		case !f.on.standing().counts, len(set.PhonesOn(e.ref, f.on.name)) == 0: // by the policy here there is no phone of his
		case f.unread:
			e.unknown = true
		default:
			f.gather(set, e.ref, e.another())
		}
	}
}

// isAbsent reports whether what an employee does on his PBX is not known: it is another, and out of reach.
func (g *Gate) isAbsent(set *policy.Set, e *entry) bool {
	home := set.PBX(e.ref)
	return home != "" && home != g.cfg.Cluster.PBX() && (g.others[home] == nil || !g.others[home].standing().all)
}

// here are the row's legs on this PBX, which come first.
func (e *entry) here() []legFacts {
	for i := range e.legs {
		if e.legs[i].pbx != "" {
			return e.legs[:i]
		}
	}
	return e.legs
}

// reaches reports whether the subject has a phone on the PBX that a leg is on, without which he cannot come to what is said there.
func reaches(set *policy.Set, subject policy.Ref, f *legFacts) bool {
	if f.pbx == "" {
		return len(set.Phones(subject)) > 0
	}
	return len(set.PhonesOn(subject, f.pbx)) > 0
}
