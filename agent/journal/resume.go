package journal

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// resume takes from the store what was open when it was last written.
func (s *Scribe) resume(ctx context.Context) error {
	err := s.st.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var alive moment
		if err := tx.QueryRowContext(ctx, `SELECT (SELECT COALESCE(MAX(n), 0) FROM calls), (SELECT COALESCE(MAX(n), 0) FROM legs),
			(SELECT COALESCE(MAX(n), 0) FROM visits), (SELECT value FROM meta WHERE name = 'alive')`).Scan(&s.calls, &s.rows, &s.visits, &alive); err != nil {
			return err
		}
		s.last, s.alive = alive.Time, alive.Time
		var ns []int64
		var n int64
		rows, err := tx.QueryContext(ctx, `SELECT n FROM calls WHERE ended = 0`)
		if err := each(rows, err, func() error {
			err := rows.Scan(&n)
			ns = append(ns, n)
			return err
		}); err != nil {
			return err
		}
		calls, err := load(ctx, tx, ns)
		if err != nil {
			return err
		}
		for _, n := range ns {
			s.goOn(calls[n])
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("go on with the journal's open calls: %w", err)
	}
	return nil
}

// goOn follows a call from what the store has of it.
func (s *Scribe) goOn(l *loaded) {
	c := &follow{n: l.n, id: l.ID, answered: l.Answered, gap: l.Gap, kept: true}
	byRow := make(map[int64]*leg, len(l.Legs))
	for i, row := range l.Legs {
		x := &leg{call: c, n: l.rows[i], party: true, saved: true, resumed: true, ended: !row.Ended.IsZero(), result: row.Outcome, up: row.Answered}
		if row.Direction == call.In {
			x.rang, x.rangTo = row.Began, row.Ended
		}
		x.row = row
		x.row.Answered, x.row.Peers = time.Time{}, nil
		byRow[x.n] = x
		c.legs = append(c.legs, x)
		if !x.ended {
			c.living++
			s.legs[row.ID] = x
		}
	}
	for i, ns := range l.peers {
		for _, n := range ns {
			y := byRow[n]
			if y == nil {
				continue
			}
			p := peer{leg: y}
			// Whether they talked is not in the store; two that were both answered are taken to have.
			if a, b := l.Legs[i].Answered, y.up; !a.IsZero() && !b.IsZero() {
				if p.talked = a; b.After(a) {
					p.talked = b
				}
			}
			c.legs[i].peers = append(c.legs[i].peers, p)
		}
	}
	for i, v := range l.Visits {
		x := byRow[l.inLeg[i]]
		if x == nil {
			continue
		}
		w := &visit{n: l.visits[i], leg: x, Visit: v, gaveUp: v.Outcome == Abandoned}
		c.visits, x.visit = append(c.visits, w), w
	}
	for _, t := range l.Transfers {
		for i := range l.Legs {
			if l.Legs[i].ID == t.By {
				c.transfers = append(c.transfers, transferRow{at: t.At, by: l.rows[i], attended: t.Attended})
				break
			}
		}
	}
	for _, v := range l.Supervisions {
		c.supervisions = append(c.supervisions, &supervision{Supervision: v})
		if v.Ended.IsZero() {
			s.running[v.ID] = c
		}
	}
	if c.living == 0 { // the leg that was left was none that has a row
		c.over, c.gap = true, true
		s.mark(c)
	}
}

// resynced compares what is followed with what there is. Where nothing was missed they are the same but for what Asterisk is about to tell; otherwise calls
// have gone on without being seen, or have ended, and are marked as cut by a gap.
func (s *Scribe) resynced(t *call.Table, ev *call.Event) {
	missed, until := !s.known, s.last
	s.known = true
	if missed && !until.IsZero() {
		s.gaps = append(s.gaps, Gap{Began: until, Ended: ev.At})
	}
	for id, x := range s.legs {
		l := t.Leg(id)
		if l != nil && (!missed || !x.party || l.Endpoint() == x.row.Endpoint) {
			continue
		}
		at := ev.At
		if missed && !until.IsZero() {
			if at = until; at.Before(x.row.Began) {
				at = x.row.Began
			}
		}
		x.call.gap = x.call.gap || missed // or Asterisk lists it no more, and is about to tell
		s.gone(id, x, at)
	}
	s.heardAt(ev.At)
	all := t.All(nil)
	for _, l := range all {
		x := s.legs[l.ID()]
		fresh := x == nil
		if fresh {
			if x = s.created(l, ev.At); x == nil {
				continue
			}
			x.call.gap = x.call.gap || missed // it has begun unseen, or Asterisk lists it already
		}
		if l.State() == call.StateUp && (fresh || x.up.IsZero()) {
			if x.up = l.Answered(); x.up.IsZero() {
				x.up = ev.At
			}
		}
		if l.Phase() == call.PhaseRinging && x.rang.IsZero() {
			x.rang = l.Since()
		}
		x.ringing = l.Phase() == call.PhaseRinging
	}
	joined := make(map[*call.Leg]bool, len(all))
	var tied []*call.Leg
	for _, l := range all {
		x := s.legs[l.ID()]
		if x == nil {
			continue
		}
		if !joined[l] {
			tied = t.Call(tied[:0], l)
			for _, o := range tied {
				joined[o] = true
				if y := s.legs[o.ID()]; y != nil {
					s.join(x, y)
				}
			}
		}
		if x.party {
			s.seen(x, l, ev)
		}
	}
	for _, l := range all {
		x := s.legs[l.ID()]
		if x == nil {
			continue
		}
		if missed && x.party {
			x.call.gap = true
			s.markLeg(x)
		}
		s.touch(t, l, time.Time{})
	}
}
