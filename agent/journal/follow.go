package journal

import (
	"crypto/rand"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// A follow is a call that is being followed, or one that has ended and is not saved yet.
type follow struct {
	n      int64 // its row; 0 until there is something worth keeping
	id     string
	legs   []*leg // in order of beginning, parties and what ties them
	living int
	began  time.Time

	answered time.Time // when two parties first talked
	gap      bool
	into     *follow // the call that it has become part of

	absorbed     []absorbed
	visits       []*visit
	transfers    []transferRow
	supervisions []*supervision

	dirty bool // in the scribe's list of what is to be written
	kept  bool // the store has something of it
	full  bool // all of it is to be written, as it is not known what the store has
	over  bool // it has ended, and nothing will change any more
}

// A leg is a channel that is, or was, on a call that is followed. One that is no party ties others together, and has no row.
type leg struct {
	call  *follow
	n     int64
	party bool
	row   Leg // without Answered, Outcome and Peers, which are worked out when it is written

	up       time.Time // since when it has been up; zero if it never was
	rang     time.Time // when it first rang
	rangTo   time.Time // when it last stopped ringing
	hungUp   time.Time // when its phone hung up; the channel may outlive that
	ringing  bool      // somebody dials it, and it has not answered
	declined bool      // its phone hung up while it rang
	listener bool      // it listened to others, and is no party for that
	gaveUp   bool      // its phone hung up while it waited for somebody to answer
	ended    bool
	resumed  bool           // it had begun when Earshot was started
	guess    call.Direction // which way the table then took it to go
	result   Outcome        // of one that had ended then
	refusal  call.Refusal   // how the last dial to it ended
	refused  [5]bool        // how its own dials ended, by call.Refusal

	peers []peer
	visit *visit // the queue that it is in, or was last in

	dirty bool
	saved bool
}

// A peer is another party that rang it, that it rang, or that it talked to.
type peer struct {
	leg    *leg
	talked time.Time // when the two first talked; zero if they did not
}

type visit struct {
	n   int64
	leg *leg
	Visit
	gaveUp bool
	dirty  bool
}

type supervision struct {
	Supervision
	dirty bool
}

// sameMoment is within what the facts of one operation of Asterisk come.
const sameMoment = 500 * time.Millisecond

// with returns what l has noted of o, noting it if it is new.
func (l *leg) with(o *leg) (p *peer, fresh bool) {
	for i := range l.peers {
		if l.peers[i].leg == o {
			return &l.peers[i], false
		}
	}
	l.peers = append(l.peers, peer{leg: o})
	return &l.peers[len(l.peers)-1], true
}

// answered is when the leg first talked to somebody. A phone that was rung and answered has been answered, whoever was at the other end; one
// that called has when somebody answered, or, if nobody was ever rung for it, when a machine did.
func (l *leg) answered() time.Time {
	var first time.Time
	for i := range l.peers {
		if at := l.peers[i].talked; !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if first.IsZero() && (l.row.Direction == call.In || len(l.peers) == 0 && l.visit == nil && !l.dialled()) {
		return l.up
	}
	return first
}

// dialled reports whether a dial of its own came to nothing.
func (l *leg) dialled() bool { return l.refused != [5]bool{} }

// elsewhere reports whether another leg took the call that rang at this one.
func (l *leg) elsewhere() bool {
	if l.rang.IsZero() {
		return false
	}
	until := l.rangTo
	if l.refusal != call.RefusalNoAnswer {
		until = until.Add(sameMoment) // Asterisk may end the others before the one that answered is put through
	}
	for i := range l.peers {
		for _, p := range l.peers[i].leg.peers { // whom its caller talked to
			if p.leg != l && !p.talked.Before(l.rang) && !p.talked.After(until) {
				return true
			}
		}
	}
	return false
}

func (l *leg) outcome() Outcome {
	switch {
	case l.result != Running:
		return l.result
	case !l.ended:
		return Running
	case !l.answered().IsZero():
		return Answered
	case l.row.Direction == call.In:
		switch {
		case l.elsewhere():
			return Elsewhere
		case l.declined, l.refusal == call.RefusalBusy:
			return Busy
		case l.refusal == call.RefusalFailed || l.rang.IsZero():
			return Failed
		}
		return Missed
	case l.visit != nil && l.visit.gaveUp:
		return Abandoned
	case l.gaveUp:
		return Cancelled
	case l.visit != nil, l.refused[call.RefusalNoAnswer], l.refused[call.RefusalCancelled], l.refused[call.RefusalNone]:
		return Unanswered
	case l.refused[call.RefusalBusy]:
		return Busy
	case l.refused[call.RefusalFailed], len(l.peers) == 0:
		return Failed
	}
	return Unanswered
}

func (v *visit) outcome() Outcome {
	switch {
	case v.Ended.IsZero():
		return Running
	case !v.Answered.IsZero():
		return Answered
	case v.gaveUp:
		return Abandoned
	}
	return Missed
}

// first is the party that began the call: the first that called, or else the first.
func (c *follow) first() *leg {
	var first *leg
	for _, l := range c.legs {
		if !l.party {
			continue
		}
		if l.row.Direction != call.In {
			return l
		}
		if first == nil {
			first = l
		}
	}
	return first
}

// inOrder puts times in their order that a clock which was set back has not left in it: nothing takes less than no time. A time that is not known stays so.
func inOrder(began, answered, ended time.Time) (a, e time.Time) {
	if !answered.IsZero() && answered.Before(began) {
		answered = began
	}
	if !ended.IsZero() && ended.Before(began) {
		ended = began
	}
	if !ended.IsZero() && ended.Before(answered) {
		ended = answered
	}
	return answered, ended
}

// record copies what is to be written of the call, and takes that for written.
func (c *follow) record() record {
	all := c.full
	c.dirty, c.full = false, false
	r := record{call: c, n: c.n, id: c.id, gap: c.gap, answer: c.answered, absorbed: slices.Clone(c.absorbed)}
	for _, l := range c.legs {
		if !l.party {
			if l.saved {
				r.strangers, l.saved = append(r.strangers, l.n), false
			}
			continue
		}
		answered, ended := inOrder(l.row.Began, l.answered(), l.row.Ended)
		if r.began.IsZero() || l.row.Began.Before(r.began) {
			r.began = l.row.Began
		}
		if ended.After(r.ended) {
			r.ended = ended
		}
		if !l.dirty && !all {
			continue
		}
		l.dirty, l.saved = false, true
		row := legRow{n: l.n, Leg: l.row}
		row.Answered, row.Ended, row.Outcome = answered, ended, l.outcome()
		for i := range l.peers {
			row.peers = append(row.peers, l.peers[i].leg.n)
		}
		r.legs = append(r.legs, row)
	}
	first := c.first()
	if first == nil {
		r.empty = true
		return r
	}
	if !c.over {
		r.ended = time.Time{}
	} else if r.result = first.outcome(); !c.answered.IsZero() {
		r.result = Answered
	} else if r.result == Answered {
		r.answer = first.answered() // by a machine
	}
	r.answer, r.ended = inOrder(r.began, r.answer, r.ended)
	for _, v := range c.visits {
		if r.line == "" {
			r.line = v.Line
		}
		if v.leg.party && (v.dirty || all) {
			v.dirty = false
			row := visitRow{n: v.n, leg: v.leg.n, Visit: v.Visit}
			row.Outcome = v.outcome()
			row.Answered, row.Ended = inOrder(row.Began, row.Answered, row.Ended)
			r.visits = append(r.visits, row)
		}
	}
	r.transfers = slices.Clone(c.transfers)
	for _, s := range c.supervisions {
		if s.dirty || all {
			s.dirty = false
			r.supervisions = append(r.supervisions, s.Supervision)
		}
	}
	return r
}

// name gives the call its row and its id.
func (s *Scribe) name(c *follow) {
	if c.n == 0 {
		s.calls++
		c.n, c.id = s.calls, rand.Text()
	}
}

// merge makes one call of two and returns it: the older one.
func (s *Scribe) merge(a, b *follow) *follow {
	if a == b {
		return a
	}
	// One that has no row yet is nobody's but ours.
	if a.n == 0 || b.n != 0 && b.n < a.n {
		a, b = b, a
	}
	if len(b.legs) > 0 {
		for _, l := range b.legs {
			l.call, l.dirty = a, true
		}
		a.legs = append(a.legs, b.legs...)
		slices.SortStableFunc(a.legs, func(x, y *leg) int { return int(x.n - y.n) })
	}
	a.living += b.living
	a.gap = a.gap || b.gap
	if !b.answered.IsZero() && (a.answered.IsZero() || b.answered.Before(a.answered)) {
		a.answered = b.answered
	}
	for _, v := range b.visits {
		v.dirty = true
	}
	for _, v := range b.supervisions {
		v.dirty = true
	}
	a.visits = append(a.visits, b.visits...)
	a.transfers = append(a.transfers, b.transfers...)
	a.supervisions = append(a.supervisions, b.supervisions...)
	a.absorbed = append(a.absorbed, b.absorbed...)
	if b.n != 0 {
		a.absorbed = append(a.absorbed, absorbed{b.n, b.id})
		s.mark(a)
	}
	b.into, b.legs, b.visits, b.transfers, b.supervisions, b.absorbed = a, nil, nil, nil, nil, nil
	return a
}

// mark has the call written.
func (s *Scribe) mark(c *follow) {
	if c.dirty {
		return
	}
	s.name(c)
	c.dirty = true
	s.unsaved = append(s.unsaved, c)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Scribe) markLeg(l *leg) {
	l.dirty = true
	s.mark(l.call)
}
