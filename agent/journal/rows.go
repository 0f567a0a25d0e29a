package journal

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// Pages. MaxLimit rows are read at most, whatever is asked for; DefaultLimit where nothing is.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// A Filter says which rows are wanted. The zero value wants those of all employees.
//
// A filter tells what it filters by: who may not see a number must not be let look for it, or a page that is empty tells him.
type Filter struct {
	Employees []string // nil: all employees; empty but not nil: nobody
	Lines     []string // nil: on a line or not
	From, To  time.Time
	Direction call.Direction // DirectionUnknown: both
	Outcomes  []Outcome      // nil: all
	Number    call.Number    // claimed or dialled by another party of the call, or dialled by the row's own; compared in the form of Config.Normal
	// With and Callers, unless both are nil: only rows of calls on which one of these employees had a part, or on which one of these numbers, as they
	// were claimed, came to one of Lines.
	With    []string
	Callers []call.Number
	Before  Cursor // rows after this one in a page; the zero value begins with the newest
	Limit   int    // DefaultLimit where it is 0
}

// A Cursor is where a page ended.
type Cursor struct {
	began int64
	n     int64
}

// String returns the cursor as a word that [ParseCursor] reads. It tells when a row began and the number of it; give it to nobody who may not know.
func (c Cursor) String() string {
	if c == (Cursor{}) {
		return ""
	}
	return strconv.FormatInt(c.began, 36) + "." + strconv.FormatInt(c.n, 36)
}

// Place returns the two numbers that the cursor is made of, and [CursorAt] makes it of them again: for who gives out cursors in a form of his own.
func (c Cursor) Place() (began, n int64) { return c.began, c.n }

// CursorAt returns the cursor that [Cursor.Place] tells of.
func CursorAt(began, n int64) Cursor { return Cursor{began: began, n: n} }

// ParseCursor reads what Cursor.String wrote; "" is the zero value.
func ParseCursor(s string) (Cursor, error) {
	if s == "" {
		return Cursor{}, nil
	}
	began, n, _ := strings.Cut(s, ".")
	var c Cursor
	var err, err2 error
	c.began, err = strconv.ParseInt(began, 36, 64)
	c.n, err2 = strconv.ParseInt(n, 36, 64)
	if err != nil || err2 != nil {
		return Cursor{}, fmt.Errorf("not a place in the journal")
	}
	return c, nil
}

// A Row is one employee's leg on a call, with the whole call, since whether it may be shown depends on all who were on it. Rows of the same call
// on one page share it.
type Row struct {
	Call *Call
	Leg  *Leg // one of Call.Legs
	At   Cursor
}

// Rows returns the newest rows that the filter wants, newest first. Fewer than its Limit are the last there are.
func (st *Store) Rows(ctx context.Context, f Filter) ([]Row, error) {
	if f.Employees != nil && len(f.Employees) == 0 || f.Lines != nil && len(f.Lines) == 0 {
		return nil, nil
	}
	var page []Row
	err := st.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		query, args, err := f.query(ctx, st, tx)
		if err != nil {
			return err
		}
		var calls []int64
		var r Row
		var n int64
		rows, err := tx.QueryContext(ctx, query, args...)
		if err := each(rows, err, func() error {
			if err := rows.Scan(&r.At.n, &r.At.began, &n); err != nil {
				return err
			}
			page, calls = append(page, r), append(calls, n)
			return nil
		}); err != nil {
			return err
		}
		loaded, err := load(ctx, tx, calls)
		if err != nil {
			return err
		}
		for i := range page {
			l := loaded[calls[i]]
			page[i].Call = &l.Call
			page[i].Leg = &l.Legs[l.row[page[i].At.n]]
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return page, nil
}

func (f *Filter) query(ctx context.Context, st *Store, tx *sql.Tx) (string, []any, error) {
	var q strings.Builder
	wanted, frequent := "", false
	if f.Number != "" {
		var err error
		wanted = st.compared(f.Number)
		if frequent, err = isFrequent(ctx, tx, wanted); err != nil {
			return "", nil, err
		}
	}
	var args []any
	and := func(condition string, with ...any) {
		q.WriteString(" AND " + condition)
		args = append(args, with...)
	}
	q.WriteString(`SELECT n, began, call FROM legs AS r ` + f.by(frequent) + ` WHERE employee <> ''`)
	in(&q, &args, "employee", f.Employees)
	in(&q, &args, "line", f.Lines)
	if f.Lines != nil {
		and(`line <> ''`)
	}
	if len(f.Outcomes) > 0 {
		names := make([]int, len(f.Outcomes))
		for i, o := range f.Outcomes {
			names[i] = int(o)
		}
		in(&q, &args, "outcome", names)
	}
	if f.Direction != call.DirectionUnknown {
		and(`direction = ?`, f.Direction)
	}
	if !f.From.IsZero() {
		and(`began >= ?`, micros(f.From))
	}
	if !f.To.IsZero() {
		and(`began < ?`, micros(f.To))
	}
	if f.Before != (Cursor{}) {
		and(`(began, n) < (?, ?)`, f.Before.began, f.Before.n)
	}
	switch {
	case f.Number == "":
	case wanted == "":
		and(`false`)
	case frequent: // among the newest rows there are enough of it, and each is asked for itself
		and(`EXISTS (SELECT 1 FROM legs o WHERE o.call = r.call AND (o.digits = ? AND o.n <> r.n OR o.wanted = ?))`, wanted, wanted)
	default:
		// (Each half has an index of its own; a leg's own number is on all its rows.)
		and(`n IN (SELECT m.n FROM legs o JOIN legs m ON m.call = o.call AND m.n <> o.n WHERE o.digits = ? AND o.digits <> ''
			UNION SELECT m.n FROM legs o JOIN legs m ON m.call = o.call WHERE o.wanted = ? AND o.wanted <> '')`, wanted, wanted)
	}
	if f.With != nil || f.Callers != nil {
		q.WriteString(` AND call IN (SELECT call FROM legs WHERE employee <> ''`)
		in(&q, &args, "employee", append([]string{}, f.With...))
		q.WriteString(` UNION ALL SELECT call FROM legs WHERE employee = '' AND line <> ''`)
		in(&q, &args, "line", f.Lines)
		in(&q, &args, "number", append([]call.Number{}, f.Callers...))
		q.WriteString(`)`)
	}
	limit := f.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	q.WriteString(` ORDER BY began DESC, n DESC LIMIT ` + strconv.Itoa(min(limit, MaxLimit)))
	return q.String(), args, nil
}

// manyCalls is how many legs with a number make it a frequent one: the company's own, which half of all calls have. All calls with another are collected
// for a page; with that it would be all there are.
const manyCalls = 2000

// fewEmployees are so few that their rows are gone through sooner than everybody's.
const fewEmployees = 8

func isFrequent(ctx context.Context, tx *sql.Tx, number string) (bool, error) {
	n := 0
	err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM legs WHERE digits = ?1 AND digits <> '' UNION ALL SELECT 1 FROM legs WHERE wanted = ?1 AND wanted <> '' LIMIT ?2)`,
		number, manyCalls).Scan(&n)
	return n == manyCalls, err
}

// by names the index that a page is read by. SQLite, which does not know how many rows an employee or an outcome has, would now and then go through a
// million of them for a page.
func (f *Filter) by(frequent bool) string {
	switch {
	case f.With != nil, f.Callers != nil, f.Number != "" && !frequent: // what is left by them is little
		return ""
	case frequent && f.Employees == nil && len(f.Outcomes) == 1:
		return "INDEXED BY legs_outcome"
	case frequent && (f.Employees == nil || len(f.Employees) > fewEmployees): // in order, or each of theirs would be asked before the first is known
		return "INDEXED BY legs_began"
	case f.Employees != nil && len(f.Outcomes) > 0:
		return "INDEXED BY legs_employee_outcome"
	case f.Employees != nil:
		return "INDEXED BY legs_employee"
	case len(f.Lines) == 1:
		return "INDEXED BY legs_line"
	case len(f.Outcomes) > 0:
		return "INDEXED BY legs_outcome"
	}
	return "INDEXED BY legs_began"
}

// in appends that a column is one of several; nothing for nil.
func in[T any](q *strings.Builder, args *[]any, column string, values []T) {
	if values == nil {
		return
	}
	q.WriteString(" AND " + column + " IN (" + strings.TrimSuffix(strings.Repeat("?,", len(values)), ",") + ")")
	for _, v := range values {
		*args = append(*args, v)
	}
}

// Call returns a call by its id, or by that of one that has become part of it; [ErrNoCall] if there is none.
func (st *Store) Call(ctx context.Context, id string) (Call, error) {
	var c Call
	err := st.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, _, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		loaded, err := load(ctx, tx, []int64{n})
		if err == nil {
			c = loaded[n].Call
		}
		return err
	})
	if err != nil {
		return Call{}, fmt.Errorf("read the journal: %w", err)
	}
	return c, nil
}

// Callers returns the numbers that strangers claimed who came to a line, each once.
func (st *Store) Callers(ctx context.Context, line string) ([]call.Number, error) {
	var numbers []call.Number
	err := st.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var number string
		rows, err := tx.QueryContext(ctx, `SELECT DISTINCT number FROM legs INDEXED BY legs_caller WHERE employee = '' AND line <> '' AND line = ? AND number <> ''`, line)
		return each(rows, err, func() error {
			if err := rows.Scan(&number); err != nil {
				return err
			}
			numbers = append(numbers, call.Number(number))
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return numbers, nil
}

// Gaps returns the gaps that touch the time between from and to, oldest first; a zero time is no bound.
func (st *Store) Gaps(ctx context.Context, from, to time.Time) ([]Gap, error) {
	var gaps []Gap
	err := st.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var g Gap
		var began, ended moment
		rows, err := tx.QueryContext(ctx, `SELECT began, ended, lost FROM gaps WHERE ended >= ?1 AND (?2 = 0 OR began <= ?2) ORDER BY began, ended`, micros(from), micros(to))
		return each(rows, err, func() error {
			if err := rows.Scan(&began, &ended, &g.Lost); err != nil {
				return err
			}
			g.Began, g.Ended = began.Time, ended.Time
			gaps = append(gaps, g)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return gaps, nil
}
