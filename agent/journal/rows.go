package journal

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
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
	Numbered  []string       // with Number: employees whose number it is, whatever they claimed. Another party who is one of them has it
	// With and Callers, unless both are nil: only rows of calls on which one of these employees had a part, or on which one of these numbers, as they
	// were claimed, came to one of Lines.
	With    []string
	Callers []call.Number
	// Besides, unless it is nil, are more employees, none of Employees: With and Callers are about their rows then, and about nobody else's.
	Besides []string
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

// compare is negative where c is of an older row than o.
func (c Cursor) compare(o Cursor) int {
	return cmp.Or(cmp.Compare(c.began, o.began), cmp.Compare(c.n, o.n))
}

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

	in int64 // the call's row
}

// Rows returns the newest rows that the filter wants, newest first. Fewer than its Limit are the last there are.
func (st *Store) Rows(ctx context.Context, f Filter) ([]Row, error) {
	var page []Row
	err := st.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, part := range f.parts() {
			var err error
			if page, err = part.find(ctx, st, tx, page); err != nil {
				return err
			}
		}
		if f.Besides != nil {
			slices.SortFunc(page, func(a, b Row) int { return b.At.compare(a.At) })
			page = page[:min(len(page), f.limit())]
		}
		calls := make([]int64, len(page))
		for i := range page {
			calls[i] = page[i].in
		}
		loaded, err := load(ctx, tx, calls)
		if err != nil {
			return err
		}
		for i := range page {
			l := loaded[page[i].in]
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

// Callers returns the numbers that strangers claimed who came to one of the filter's Lines, each once; with a Number, of calls alone that have it, unless
// that is a frequent one: then the last 1,000 to come. Nothing else of the filter is looked at.
func (st *Store) Callers(ctx context.Context, f Filter) ([]call.Number, error) {
	if f.Lines != nil && len(f.Lines) == 0 {
		return nil, nil
	}
	var numbers []call.Number
	err := st.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		query, args, err := f.callers(ctx, st, tx)
		if err != nil {
			return err
		}
		var number string
		rows, err := tx.QueryContext(ctx, query, args...)
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
