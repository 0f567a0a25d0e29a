package journal

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"

	"github.com/earshot-pbx/earshot/agent/call"
)

// A loaded call knows which row each of its legs is.
type loaded struct {
	Call
	n      int64
	rows   []int64       // by index in Legs
	row    map[int64]int // the other way round
	peers  [][]int64     // by index in Legs
	visits []int64       // the rows of Visits
	inLeg  []int64       // the legs' rows of Visits
}

// load reads calls with all that belongs to them.
func load(ctx context.Context, tx *sql.Tx, ns []int64) (map[int64]*loaded, error) {
	ns = slices.Compact(slices.Sorted(slices.Values(ns)))
	calls := make(map[int64]*loaded, len(ns))
	if len(ns) == 0 {
		return calls, nil
	}
	var b strings.Builder
	for i, n := range ns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(n, 10))
	}
	list := " IN (" + b.String() + ")"
	var n int64
	var began, answered, ended, deleted moment

	c := Call{}
	rows, err := tx.QueryContext(ctx, `SELECT n, id, began, answered, ended, outcome, gap, line FROM calls WHERE n`+list)
	if err := each(rows, err, func() error {
		if err := rows.Scan(&n, &c.ID, &began, &answered, &ended, &c.Outcome, &c.Gap, &c.Line); err != nil {
			return err
		}
		c.Began, c.Answered, c.Ended = began.Time, answered.Time, ended.Time
		calls[n] = &loaded{Call: c, n: n, row: map[int64]int{}}
		return nil
	}); err != nil {
		return nil, err
	}

	var of int64
	var id, number, dialled, peers string
	l := Leg{}
	rows, err = tx.QueryContext(ctx, `SELECT n, call, leg, endpoint, employee, direction, number, name, dialled, line, began, answered, ended, outcome, peers
		FROM legs WHERE call`+list+` ORDER BY call, began, n`)
	if err := each(rows, err, func() error {
		if err := rows.Scan(&n, &of, &id, &l.Endpoint, &l.Employee, &l.Direction, &number, &l.Name, &dialled, &l.Line, &began, &answered, &ended,
			&l.Outcome, &peers); err != nil {
			return err
		}
		l.ID, l.Number, l.Dialled = call.LegID(id), call.Number(number), call.Number(dialled)
		l.Began, l.Answered, l.Ended = began.Time, answered.Time, ended.Time
		if c := calls[of]; c != nil {
			c.row[n] = len(c.Legs)
			c.Legs, c.rows, c.peers = append(c.Legs, l), append(c.rows, n), append(c.peers, numbers(peers))
		}
		return nil
	}); err != nil {
		return nil, err
	}
	for _, c := range calls {
		for i, ns := range c.peers {
			for _, n := range ns {
				if k, ok := c.row[n]; ok {
					c.Legs[i].Peers = append(c.Legs[i].Peers, c.Legs[k].ID)
				}
			}
		}
	}

	var leg int64
	var v Visit
	rows, err = tx.QueryContext(ctx, `SELECT n, call, leg, line, began, answered, ended, outcome FROM visits WHERE call`+list+` ORDER BY call, began, n`)
	if err := each(rows, err, func() error {
		if err := rows.Scan(&n, &of, &leg, &v.Line, &began, &answered, &ended, &v.Outcome); err != nil {
			return err
		}
		v.Began, v.Answered, v.Ended = began.Time, answered.Time, ended.Time
		if c := calls[of]; c != nil {
			v.Leg = c.leg(leg)
			c.Visits, c.visits, c.inLeg = append(c.Visits, v), append(c.visits, n), append(c.inLeg, leg)
		}
		return nil
	}); err != nil {
		return nil, err
	}

	var t Transfer
	rows, err = tx.QueryContext(ctx, `SELECT call, at, by, attended FROM transfers WHERE call`+list+` ORDER BY call, at`)
	if err := each(rows, err, func() error {
		if err := rows.Scan(&of, &began, &leg, &t.Attended); err != nil {
			return err
		}
		if c := calls[of]; c != nil {
			t.At, t.By = began.Time, c.leg(leg)
			c.Transfers = append(c.Transfers, t)
		}
		return nil
	}); err != nil {
		return nil, err
	}

	var s Supervision
	rows, err = tx.QueryContext(ctx, `SELECT call, id, by, target, mode, began, ended, told FROM supervisions WHERE call`+list+` ORDER BY call, began, id`)
	if err := each(rows, err, func() error {
		if err := rows.Scan(&of, &s.ID, &s.By, &s.Target, &s.Mode, &began, &ended, &s.Told); err != nil {
			return err
		}
		s.Began, s.Ended = began.Time, ended.Time
		if c := calls[of]; c != nil {
			c.Supervisions = append(c.Supervisions, s)
		}
		return nil
	}); err != nil {
		return nil, err
	}

	rows, err = tx.QueryContext(ctx, `SELECT call, `+recordingColumns+` FROM recordings WHERE call`+list+` ORDER BY call, began, id`)
	err = each(rows, err, func() error {
		var r Recording
		if err := rows.Scan(&of, &r.ID, &id, &r.Spool, &r.File, &r.Source, &began, &ended, &r.Size, &deleted); err != nil {
			return err
		}
		r.Leg, r.Began, r.Ended, r.Deleted = call.LegID(id), began.Time, ended.Time, deleted.Time
		if c := calls[of]; c != nil {
			r.Call = c.ID
			c.Recordings = append(c.Recordings, r)
		}
		return nil
	})
	return calls, err
}

// leg returns the id of the leg in that row, empty if it is none of the call's.
func (c *loaded) leg(n int64) call.LegID {
	if i, ok := c.row[n]; ok {
		return c.Legs[i].ID
	}
	return ""
}

func numbers(s string) []int64 {
	var ns []int64
	for _, f := range strings.Split(s, ",") {
		if n, err := strconv.ParseInt(f, 10, 64); err == nil {
			ns = append(ns, n)
		}
	}
	return ns
}
