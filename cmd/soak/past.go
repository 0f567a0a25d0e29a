package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// A part is what the journal has to have of an employee's part in a call that was made, as the phones know it. Its fields are its deed's until past has
// compared it.
type part struct {
	by        int // the deed
	who       string
	direction string
	outcome   string
	outside   identity // who was on the other side, or
	peer      string   // the employee
	line      string
	any       bool // whoever was there, whatever became of it
	transfers int

	began, answered, ended between // when it was, as the phones know it
	whole                  bool    // it went as it was to go
}

// past is what was dialled.
type past struct {
	mu    sync.Mutex
	parts []*part
	rows  int
	found int // parts that are in the journal just so
	cut   int // parts that some outage has to do with
	loose int // of these, those that are there
	gaps  int // rows with a gap
	told  int // parts whose outside party who sees everything was told of
}

func (p *past) add(parts ...*part) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parts = append(p.parts, parts...)
}

// A row is one of the journal, as who sees everything reads it.
type row struct {
	ID, Employee, Direction, Outcome, Line string
	Began                                  time.Time
	Answered, Ended                        *time.Time
	Wait, Talk                             int
	Hidden, Gap                            bool
	Peer                                   *person
	Others                                 []person
	Transfers                              []struct{ By string }
	taken                                  bool
}

type person struct{ Number, Name, Employee string }

// with are the ends of the numbers of who is on the other side, and the employees there.
func (r *row) with() (all []string) {
	people := r.Others
	if r.Peer != nil {
		people = append([]person{*r.Peer}, people...)
	}
	for _, p := range people {
		if p.Employee != "" {
			all = append(all, p.Employee)
		}
		if len(p.Number) >= digits {
			all = append(all, p.Number[len(p.Number)-digits:])
		}
	}
	return all
}

func (r *row) String() string {
	return fmt.Sprintf("%s %s %s with %s %sfrom %s to %s, answered %s, talked %d s, gap %v, %d transfers", r.Employee, r.Direction, r.Outcome, strings.Join(r.with(), ","),
		r.Line, clock(&r.Began), clock(r.Ended), clock(r.Answered), r.Talk, r.Gap, len(r.Transfers))
}

func (p *part) String() string {
	with := p.peer
	if p.outside.number != "" {
		with = p.outside.tail()
	}
	return fmt.Sprintf("deed %d: %s %s %s with %s %sbegan %s, answered %s, ended %s, %d transfers", p.by, p.who, p.direction, p.outcome, with, p.line, p.began, p.answered, p.ended, p.transfers)
}

func clock(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.UTC().Format("15:04:05")
}

func (b between) String() string {
	if b[0].IsZero() {
		return "never"
	}
	return b[0].UTC().Format("15:04:05.0") + "-" + b[1].UTC().Format("15:04:05.0")
}

// soon is by how much the PBX's own times may be later than what a phone sees.
const soon = 2 * time.Second

// holds says whether a time of a row lies within what the phones know. Rows tell seconds.
func (b between) holds(t *time.Time) bool {
	if t == nil || b[0].IsZero() {
		return t == nil && b[0].IsZero()
	}
	return !t.Before(b[0].Truncate(time.Second)) && !t.After(b[1].Add(soon))
}

// is says whether a row is this part, whatever else may be wrong with it.
func (p *part) is(r *row) bool {
	if r.Employee != p.who || !p.any && r.Direction != p.direction {
		return false
	}
	if p.outside.number != "" {
		return slices.Contains(r.with(), p.outside.tail())
	}
	if p.began[0].IsZero() {
		return false
	}
	return p.began.holds(&r.Began) && (p.any || slices.Contains(r.with(), p.peer))
}

// vague says by how little a part's row is known: by a number that nobody else has, by the colleague and the time, by the time.
func (p *part) vague() int {
	switch {
	case p.outside.number != "":
		return 0
	case !p.any:
		return 1
	}
	return 2
}

// differs says how a row differs from what was dialled.
func (p *part) differs(r *row) string {
	switch {
	case r.Outcome != p.outcome && !p.any:
		return "outcome"
	case r.Hidden || r.Gap:
		return "gap"
	case !p.began.holds(&r.Began):
		return "began"
	case !p.answered.holds(r.Answered) && !p.any:
		return "answered"
	case !p.ended.holds(r.Ended):
		return "ended"
	case r.Answered != nil && r.Ended != nil && abs(r.Talk-int(r.Ended.Sub(*r.Answered)/time.Second)) > 1:
		return "talk"
	case p.line != r.Line && !p.any:
		return "line"
	case p.transfers > len(r.Transfers):
		return "transfers"
	}
	return ""
}

func abs(n int) int { return max(n, -n) }

// lastRow waits until the journal has nothing running.
func (s *soak) lastRow(ctx context.Context) {
	err := eventually(ctx, func() error {
		var page struct{ Rows []row }
		if err := s.as(seeing).Do(ctx, http.MethodGet, "/v1/journal?outcome=running&limit=5", nil, &page); err != nil {
			return err
		}
		if len(page.Rows) > 0 {
			return fmt.Errorf("the journal has as running: %v", &page.Rows[0])
		}
		return nil
	})
	if err != nil {
		s.faults.add("when nobody talks: %v", err)
	}
}

// journal is all of it.
func (s *soak) journal(ctx context.Context) (all []*row, err error) {
	for next := ""; ; {
		var page struct {
			Rows []*row
			Next string
		}
		if err := s.as(seeing).Do(ctx, http.MethodGet, "/v1/journal?limit=200&cursor="+url.QueryEscape(next), nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Rows...)
		if next = page.Next; next == "" {
			return all, nil
		}
	}
}

// compare holds the journal against what was dialled. What an outage has to do with may lack what Earshot did not see, and nothing else.
func (s *soak) compare(ctx context.Context) {
	rows, err := s.journal(ctx)
	if err != nil {
		s.faults.add("the journal cannot be read: %v", err)
		return
	}
	s.hold(rows)
}

// hold is compare, of rows in whatever order.
func (s *soak) hold(rows []*row) {
	s.past.mu.Lock()
	defer s.past.mu.Unlock()
	s.past.rows = len(rows)
	for _, r := range rows {
		if r.Gap {
			s.past.gaps++
		}
	}
	parts := slices.Clone(s.past.parts)
	slices.SortStableFunc(parts, func(a, b *part) int { // who can be told apart first, and of the others who was first
		return cmp.Or(a.vague()-b.vague(), a.began[0].Compare(b.began[0]))
	})
	for _, p := range parts {
		s.comparePart(p, rows)
	}
	for _, r := range rows {
		if r.taken {
			continue
		}
		end := r.Began
		if r.Ended != nil {
			end = *r.Ended
		}
		if s.ledger.touched(r.Began, end, settles, partEarshot, partPBX) == nil {
			s.faults.add("the journal has what nobody dialled: %v", r)
		}
	}
}

// edge is how near an outage may be to a call that it has nothing to do with: what the phones see at once Earshot reads from the PBX a moment later,
// and writes into the journal another moment later.
const edge = 2 * time.Second

// comparePart looks for the row of a part. Of a call during which Earshot or the PBX were away Earshot may not have seen all; what it has seen is there
// all the same, once.
func (s *soak) comparePart(p *part, rows []*row) {
	var mine []*row
	for _, r := range rows {
		if !r.taken && p.is(r) {
			mine = append(mine, r)
		}
	}
	slices.SortStableFunc(mine, func(a, b *row) int { // what fits first, and of that the first: a later one is of what the employee did next, soon after
		return cmp.Or(len(p.differs(a))-len(p.differs(b)), a.Began.Compare(b.Began))
	})
	if len(mine) > 1 && p.outside.number != "" {
		s.faults.add("the journal has %d times: %v: %v", len(mine), p, mine)
	}
	away, seen := s.ledger.overlap(p.began[0].Add(-edge), p.ended[1].Add(edge))
	if p.whole && !p.began[0].IsZero() && len(away) == 0 {
		switch {
		case len(mine) == 0:
			s.faults.add("the journal has not: %v", p)
			return
		case p.differs(mine[0]) == "gap" && s.ledger.touched(p.began[0], p.ended[1], settles, partMachine) != nil:
			s.past.loose++ // the links to the PBX are given up when it has not answered for ten seconds
		case p.differs(mine[0]) != "":
			s.faults.add("the journal differs in %q: %v, dialled was %v", p.differs(mine[0]), mine[0], p)
		default:
			s.past.found++
		}
		mine[0].taken = true
		return
	}
	s.past.cut++
	if len(mine) > 0 {
		mine[0].taken = true
		s.past.loose++
	}
	if !p.whole || p.outside.number == "" { // nobody knows what of it there was
		return
	}
	if len(mine) == 0 && seen > 3*edge {
		s.faults.add("the journal has not, though Earshot saw %v of it: %v", seen-edge, p)
	}
	for _, a := range away {
		ended := a.how == "earshot-stop" || a.how == "earshot-kill"
		if len(mine) > 0 && ended && a.from.After(p.began[1].Add(edge)) && a.to.Before(p.ended[0].Add(-edge)) && !mine[0].Gap {
			s.faults.add("the journal does not say that Earshot was away from %s to %s: %v, dialled was %v", clock(&a.from), clock(&a.to), mine[0], p)
		}
	}
}
