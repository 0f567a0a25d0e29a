package journal

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// Group is what figures are made for.
type Group uint8

// The groups. Hours and days are those of Config.Zone; each is one on the calendar.
const (
	ByEmployee Group = iota
	ByLine
	ByHour
	ByDay
)

// A StatsFilter says which figures are wanted. Figures count what has ended: rows of employees (one for each time that a phone of theirs rang or
// called), or visits to lines. Each counts in the hour in which it began.
type StatsFilter struct {
	By        Group
	Employees []string // nil: all; ByLine, or with Lines: not looked at
	Lines     []string // nil: all lines; ByHour and ByDay: not nil means lines, nil means employees
	From, To  time.Time
}

// A Stat is the figures of one group.
type Stat struct {
	Key       string    // ByEmployee: the employee's id; ByLine: the line's
	Began     time.Time // ByHour, ByDay: when it began, in Config.Zone
	Calls     int
	Answered  int
	Missed    int
	Abandoned int
	Talk      time.Duration // from the answer to the end, of those answered
	Wait      time.Duration // from the beginning to the answer, or to the end
}

// Statistics returns figures, in order of key or time. They are those that a count over the rows gives.
func (st *Store) Statistics(ctx context.Context, f StatsFilter) ([]Stat, error) {
	stats, err := st.statistics(ctx, f, false)
	if err != nil {
		return nil, fmt.Errorf("read the journal's figures: %w", err)
	}
	return stats, nil
}

// statistics takes whole hours from the rollup, and what is left of the time at both ends from the rows; or everything from the rows.
func (st *Store) statistics(ctx context.Context, f StatsFilter, fromRows bool) ([]Stat, error) {
	table, key, kind, only := "legs", "employee", kindEmployee, f.Employees
	if f.By == ByLine || f.By != ByEmployee && f.Lines != nil {
		table, key, kind, only = "visits", "line", kindLine, f.Lines
	}
	if only != nil && len(only) == 0 {
		return nil, nil
	}
	group := "key"
	if f.By == ByHour || f.By == ByDay {
		group = "hour"
	}
	columns := group + `, calls, answered, missed, abandoned, talk, wait`
	var parts []string
	var args []any
	// (Which rows are meant is said of each part by itself, or SQLite would read all of them.)
	part := func(from string, column string, first, last any) {
		var q strings.Builder
		q.WriteString(`SELECT ` + columns + from)
		in(&q, &args, key, only)
		if first != nil {
			q.WriteString(` AND ` + column + ` >= ?`)
			args = append(args, first)
		}
		if last != nil {
			q.WriteString(` AND ` + column + ` < ?`)
			args = append(args, last)
		}
		parts = append(parts, q.String())
	}
	rowsOf := func(from, to time.Time) {
		part(fmt.Sprintf(` FROM (SELECT %[1]s AS key, %[1]s, hour, began, ended, %[2]s FROM %[3]s) WHERE ended > 0 AND %[1]s <> ''`, key, figures(""), table),
			"began", unlessZero(from, micros), unlessZero(to, micros))
	}
	first, last := st.nextHour(f.From), st.thisHour(f.To)
	switch {
	case fromRows, !first.IsZero() && !last.IsZero() && !first.Before(last): // not one whole hour
		rowsOf(f.From, f.To)
	default:
		part(fmt.Sprintf(` FROM (SELECT *, key AS %s FROM rollup) WHERE kind = %d`, key, kind), "hour", unlessZero(first, time.Time.Unix), unlessZero(last, time.Time.Unix))
		if !first.Equal(f.From) {
			rowsOf(f.From, first)
		}
		if !last.Equal(f.To) {
			rowsOf(last, f.To)
		}
	}
	query := fmt.Sprintf(`SELECT %s, SUM(calls), SUM(answered), SUM(missed), SUM(abandoned), SUM(talk), SUM(wait) FROM (%s) GROUP BY %[1]s ORDER BY %[1]s`,
		group, strings.Join(parts, ` UNION ALL `))

	var stats []Stat
	err := st.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, query, args...)
		return each(rows, err, func() error {
			var s Stat
			var hour, talk, wait int64
			var to any = &s.Key
			if group == "hour" {
				to = &hour
			}
			if err := rows.Scan(to, &s.Calls, &s.Answered, &s.Missed, &s.Abandoned, &talk, &wait); err != nil {
				return err
			}
			s.Talk, s.Wait = time.Duration(talk)*time.Microsecond, time.Duration(wait)*time.Microsecond
			if group == "hour" {
				s.Began = time.Unix(hour, 0).In(st.zone)
			}
			if f.By == ByDay {
				y, m, d := s.Began.Date()
				s.Began = time.Date(y, m, d, 0, 0, 0, 0, st.zone)
				if n := len(stats); n > 0 && stats[n-1].Began.Equal(s.Began) {
					stats[n-1].add(s)
					return nil
				}
			}
			stats = append(stats, s)
			return nil
		})
	})
	return stats, err
}

// unlessZero is nil for a zero time, and what a column has otherwise.
func unlessZero(t time.Time, as func(time.Time) int64) any {
	if t.IsZero() {
		return nil
	}
	return as(t)
}

func (s *Stat) add(o Stat) {
	s.Calls += o.Calls
	s.Answered += o.Answered
	s.Missed += o.Missed
	s.Abandoned += o.Abandoned
	s.Talk += o.Talk
	s.Wait += o.Wait
}

// thisHour is when the local hour of a moment began.
func (st *Store) thisHour(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.Unix(hourOf(t, st.zone), 0)
}

// nextHour is when the next local hour begins, or the moment itself where it begins one.
func (st *Store) nextHour(t time.Time) time.Time {
	h := st.thisHour(t)
	if t.IsZero() || h.Equal(t) {
		return t
	}
	// (An hour may be of another length when clocks are changed; the quarters of an hour never are.)
	for n := h.Add(15 * time.Minute); ; n = n.Add(15 * time.Minute) {
		if next := st.thisHour(n); !next.Equal(h) {
			return next
		}
	}
}
