package journal

import (
	"context"
	"database/sql"
	"time"
)

// OpenAt opens a file as a version of then would have.
func OpenAt(ctx context.Context, c Config, version int) (*Store, error) { return open(ctx, c, version) }

// Versions is how many versions of the file there have been.
var Versions = len(migrations)

// Exec runs a statement where the store writes.
func (st *Store) Exec(ctx context.Context, query string, args ...any) error {
	_, err := st.wr.ExecContext(ctx, query, args...)
	return err
}

// Hold begins to write, and does not end before release is called.
func (st *Store) Hold(ctx context.Context, query string) (release func() error, err error) {
	st.turn <- struct{}{}
	tx, err := st.wr.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, query); err != nil {
		return nil, err
	}
	return func() error {
		defer func() { <-st.turn }()
		return tx.Commit()
	}, nil
}

// Counted returns figures as a count over the rows gives them.
func (st *Store) Counted(ctx context.Context, f StatsFilter) ([]Stat, error) {
	return st.statistics(ctx, f, true)
}

// Fill writes calls from outside a scribe, as one transaction.
func (st *Store) Fill(ctx context.Context, n int, of func(i int) Call) error {
	return st.write(ctx, func(tx *sql.Tx) error {
		var first int64
		if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(n), 0) FROM calls`).Scan(&first); err != nil {
			return err
		}
		var row int64
		if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(n), 0) FROM legs`).Scan(&row); err != nil {
			return err
		}
		for i := range n {
			c := of(i)
			r := record{n: first + int64(i) + 1, id: c.ID, began: c.Began, ended: c.Ended, answer: c.Answered, line: c.Line, result: c.Outcome, gap: c.Gap}
			for _, l := range c.Legs {
				row++
				r.legs = append(r.legs, legRow{n: row, Leg: l})
			}
			for k, v := range c.Visits {
				r.visits = append(r.visits, visitRow{n: r.n*10 + int64(k), leg: row, Visit: v})
			}
			if err := st.saveCall(ctx, tx, &r); err != nil {
				return err
			}
		}
		return nil
	})
}

// HourOf is when the local hour began.
func HourOf(at time.Time, zone *time.Location) time.Time { return time.Unix(hourOf(at, zone), 0) }
