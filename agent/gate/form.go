package gate

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// class is of all subjects who see the same of every leg on a row and may do the same to its employee. What they are shown of the row differs
// in the handles and in nothing else.
type class struct {
	sights []mask.Sight
	can    deeds
	sum    uint64 // over all that they are shown now
	form   *form  // what they are shown now; nil until one of them has to be
}

// form is one employee's row as one class of subjects is shown it, but for the handles. It holds nothing that this class may not see, and is
// never changed, so any number of watchers may have it in their queues.
type form struct {
	about     *mask.Row // what is said of the employee whatever he does
	idleSince time.Time
	unknown   bool
	can       deeds
	calls     []mask.View // without ids
	marks     []mark      // one for each call

	once  sync.Once // guards the making of what follows, by the first who needs it
	body  []byte    // the row as JSON
	holes []int     // where in it the handles go

	one struct { // room for the one call that most have
		call [1]mask.View
		mark [1]mark
		hole [1]int
	}
}

// glance is what one watcher was last shown of a row.
type glance struct {
	sum     uint64
	ground  uint64 // of the row when his class was worked out
	class   uint32 // its place among the row's
	between deeds  // what is between him and the employee, once it has been asked for
}

// classify returns the class of a subject on a row. It decides nothing while the ground on which it did stays the same.
func (g *Gate) classify(set *policy.Set, subject policy.Ref, e *entry, at *glance) *class {
	if at.ground == e.ground {
		return &e.classes[at.class]
	}
	var sights []mask.Sight
	var can deeds
	if len(e.legs) > 0 {
		if at.between&asked == 0 {
			at.between |= pairwise(set, subject, e.ref, true)
		}
		sights, can = g.judge(set, subject, e, at.between, true)
		can |= g.wanting(set, subject, e, sights, at.between, can) | g.knowsTapes(set, subject, e, sights)
	}
	if g.known {
		if at.between&dialAsked == 0 {
			at.between |= g.mayCall(set, subject, e)
		}
		can |= at.between & dialDeed
	}
	i := slices.IndexFunc(e.classes, func(c class) bool { return c.can == can && slices.Equal(c.sights, sights) })
	if i < 0 {
		i = len(e.classes)
		if i < cap(e.classes) {
			e.classes = e.classes[:i+1]
		} else {
			e.classes = append(e.classes, class{})
		}
		c := &e.classes[i]
		c.sights, c.can, c.form = append(c.sights[:0], sights...), can, nil
		c.sum = e.sum(c)
	}
	at.ground, at.class = e.ground, uint32(i)
	return &e.classes[i]
}

// sum is a sum over all that a class is shown of the row.
func (e *entry) sum(c *class) uint64 {
	sum := uint64(e.idleSince.Unix())
	if e.unknown {
		sum = mix(sum, 1)
	}
	for i, s := range c.sights {
		sum = mix(sum, e.legs[i].sum(s))
		if t := e.legs[i].tapedFor(s, c.can); t != nil {
			sum = mix(sum, maphash.String(seed, t.ID+t.State))
		}
	}
	return mix(sum, uint64(c.can))
}

// write returns the form of a class on a row.
func (e *entry) write(c *class) *form {
	if c.form != nil {
		return c.form
	}
	f := &form{about: &e.about, idleSince: e.idleSince, unknown: e.unknown, can: c.can}
	f.calls, f.marks, f.holes = f.one.call[:0], f.one.mark[:0], f.one.hole[:0]
	for i, s := range c.sights {
		leg := &e.legs[i]
		v := mask.Of(&leg.facts, s, "")
		if t := leg.tapedFor(s, c.can); t != nil {
			v.Taped = t
		}
		f.calls = append(f.calls, v)
		f.marks = append(f.marks, mark{e.tag.with(leg.tag), s})
	}
	c.form = f
	return f
}

// reader is who is shown forms: one watcher, or one request. It serves one goroutine and needs no lock.
type reader struct {
	gate *Gate
	tag  tag // of the subject
	room [16]byte
	text [mask.HandleLen]byte
}

// with is the row with these calls.
func (f *form) with(calls []mask.View) mask.Row {
	row := *f.about
	row.Calls, row.Can, row.ReasonRequired, row.Unknown = calls, canLists[f.can&buttonDeeds], f.can&reasonDeed != 0, f.unknown
	row.Sum(f.idleSince)
	return row
}

// row is the form with the reader's handles.
func (r *reader) row(f *form) mask.Row {
	row := f.with(slices.Clone(f.calls))
	for i := range f.marks {
		row.Calls[i].ID = string(r.handle(&f.marks[i])[:])
	}
	return row
}

// render writes the row, into memory of its very size: it may wait in many queues.
func (f *form) render() {
	var room [768]byte // more than most rows take
	row := f.with(f.calls)
	f.body = bytes.Clone(row.AppendJSON(room[:0], &f.holes))
}

// appendRow appends the form with the reader's handles as JSON: the same bytes as of row.
func (r *reader) appendRow(dst []byte, f *form) []byte {
	f.once.Do(f.render)
	begin := len(dst)
	dst = append(dst, f.body...)
	for i, at := range f.holes {
		copy(dst[begin+at:], r.handle(&f.marks[i])[:])
	}
	return dst
}
