package cluster

import (
	"crypto/cipher"
	"encoding/json"
	"hash/maphash"
	"time"
)

// helloPlace is where each member shows who it is and whom it has met. No place of a row has so few letters.
const helloPlace = "hello"

// hello is that row. It is sealed anew all the time, so that who has stopped to show things is noticed although his lease is kept for him.
type hello struct {
	// Met are the incarnations of the others that this one has read the hello of. Who finds his own among them knows that this one
	// lives now: his was made of random bits when he began.
	Met map[string]string `json:"met"`
	// Partial: there are rows that did not fit, so that what is shown is not all.
	Partial bool `json:"partial,omitempty"`
	// Least is the lowest revision of all rows that are shown. It rises all the time, since rows are sealed anew: what goes on standing below it
	// is held back by somebody.
	Least uint64 `json:"least"`
}

// maxHidden bounds the rows that are remembered because they were taken back.
const maxHidden = 50_000

// peer is another member, as the goroutine that watches knows it. No other touches it.
type peer struct {
	name string

	raw   string      // of the hello that was looked at last
	met   incarnation // whose that hello is, if it could be opened; to be told in one's own
	echo  bool        // it names this incarnation
	good  bool        // it could be opened, and is of nobody who was succeeded
	alien bool        // it is not sealed with this key
	age   uint64      // its revision
	beat  time.Time   // when a newer one was seen
	known bool        // the others here have been told of it
	part  bool        // it says that not all is shown
	told  bool        // of part
	least uint64      // what is shown below it is held back
	next  []claim     // of its hellos, that count when there was time to follow them
	doubt bool        // something that is shown may be below least

	of      incarnation         // whose rows are taken; zero: nobody's yet
	came    time.Time           // when it took another's place
	left    map[string]struct{} // keys of what that other showed, and it does not yet
	aead    cipher.AEAD         // of
	rows    map[string]*row
	hidden  []hiddenRow              // in the order in which they were
	floor   uint64                   // rows that are new here have higher revisions
	retired map[incarnation]struct{} // that were succeeded: what they have said is not taken again
	round   uint64
}

// claim is the least revision that a hello names, and when it was seen.
type claim struct {
	least uint64
	at    time.Time
}

// row is what is known of a place.
type row struct {
	raw      string // empty unless it is shown
	key      string
	revision uint64 // the highest that was seen
	sum      uint64 // over the value
	shown    bool
	hidden   bool // it was taken back: only a higher revision counts
	round    uint64
}

// seed is of the sums of values.
var seed = maphash.MakeSeed()

type hiddenRow struct {
	place    string
	revision uint64
}

// greet looks at a hello.
func (p *peer) greet(c *Cluster, raw string) {
	if raw == p.raw {
		return
	}
	p.raw, p.good, p.echo, p.alien = raw, false, false, false
	of, revision, ok := head(raw)
	if !ok {
		p.alien = true
		c.refuse(p.name, rowKind, unreadable)
		return
	}
	if _, over := p.retired[of]; over {
		c.refuse(p.name, rowKind, older)
		return
	}
	aead := p.aead
	if of != p.of || aead == nil {
		aead = c.keys.aead(rowKind, p.name, of)
	}
	plain, err := open(aead, rowKind, p.name, raw, helloPlace)
	var h hello
	if err != nil || json.Unmarshal(plain, &h) != nil {
		p.alien = true
		c.refuse(p.name, rowKind, unreadable)
		return
	}
	if of == p.of && revision < p.age {
		c.refuse(p.name, rowKind, older)
		return
	}
	p.good, p.met, p.echo = true, of, h.Met[c.pbx] == c.self().String()
	p.part = h.Partial
	switch {
	case of == p.of && revision > p.age:
		p.age, p.beat = revision, c.now()
		p.next = append(p.next, claim{h.Least, p.beat})
	case of != p.of && p.echo: // only who is known to live now comes in another's place
		p.succeed(c, of, aead)
		p.age, p.beat = revision, c.now()
	}
}

// succeed begins with another incarnation.
func (p *peer) succeed(c *Cluster, of incarnation, aead cipher.AEAD) {
	if p.of != (incarnation{}) {
		if p.retired == nil {
			p.retired = make(map[incarnation]struct{})
		}
		p.retired[p.of] = struct{}{}
	}
	p.came = c.now()
	for _, r := range p.rows {
		if r.shown {
			p.left[r.key] = struct{}{}
		}
	}
	p.of, p.aead, p.rows, p.hidden, p.floor = of, aead, make(map[string]*row), nil, 0
	p.least, p.next, p.doubt = 0, nil, false
}

// over returns what one showed before it that this one has not shown although there was time to: who comes in another's place need not have been
// seen to be away.
func (p *peer) over(c *Cluster) (out []Row) {
	if c.now().Sub(p.came) <= c.cfg.Stale {
		return nil
	}
	for key := range p.left {
		out = append(out, Row{Key: key})
	}
	clear(p.left)
	return out
}

// behind reports whether something is shown that is older than anything that it shows, although there was time to follow.
func (p *peer) behind(c *Cluster) bool {
	for len(p.next) > 0 && c.now().Sub(p.next[0].at) > c.cfg.Stale {
		if p.next[0].least > p.least {
			p.least, p.doubt = p.next[0].least, true
		}
		p.next = p.next[1:]
	}
	if p.doubt {
		p.doubt = false
		for _, r := range p.rows {
			p.doubt = p.doubt || r.shown && r.revision < p.least
		}
	}
	return p.doubt
}

// stands reports whether what it shows counts.
func (p *peer) stands(c *Cluster) bool {
	return p.good && p.echo && c.now().Sub(p.beat) <= c.cfg.Silence
}

// take takes what stands at a place and returns what changed.
func (p *peer) take(c *Cluster, place, raw string) (Row, bool) {
	r := p.rows[place]
	if r != nil {
		r.round = p.round // it stands there, whatever it is worth
		if r.shown && r.raw == raw {
			return Row{}, false
		}
	}
	of, revision, ok := head(raw)
	switch {
	case !ok:
		c.refuse(p.name, rowKind, unreadable)
		return Row{}, false
	case of != p.of, r == nil && revision <= p.floor, r != nil && (revision < r.revision || revision == r.revision && r.hidden):
		c.refuse(p.name, rowKind, older)
		return Row{}, false
	}
	plain, err := open(p.aead, rowKind, p.name, raw, place)
	key, value, ok := readRow(plain)
	if err != nil || !ok {
		c.refuse(p.name, rowKind, unreadable)
		return Row{}, false
	}
	if r == nil {
		r = &row{round: p.round}
		p.rows[place] = r
	}
	p.doubt = p.doubt || revision < p.least
	delete(p.left, key)
	sum := maphash.Bytes(seed, value)
	same := r.shown && r.sum == sum // it was sealed anew
	r.raw, r.key, r.revision, r.sum, r.shown, r.hidden = raw, key, revision, sum, true, false
	return Row{Key: key, Value: value}, !same
}

// hide takes that nothing stands at a place any more.
func (p *peer) hide(place string) (Row, bool) {
	r := p.rows[place]
	if r == nil || r.hidden {
		return Row{}, false
	}
	was := r.shown
	r.raw, r.shown, r.hidden = "", false, true
	p.hidden = append(p.hidden, hiddenRow{place, r.revision})
	for len(p.hidden) > maxHidden {
		first := p.hidden[0]
		p.hidden = p.hidden[1:]
		if old := p.rows[first.place]; old != nil && old.hidden && old.revision == first.revision {
			delete(p.rows, first.place)
			p.floor = max(p.floor, first.revision)
		}
	}
	return Row{Key: r.key}, was
}

// forget takes that nothing is known of it for now. What it shows when it is back may be what it showed before.
func (p *peer) forget() {
	for _, r := range p.rows {
		r.raw, r.shown = "", false
	}
	clear(p.left)
}
