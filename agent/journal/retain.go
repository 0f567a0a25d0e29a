package journal

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// retained is how many calls are deleted at once, so that whoever else writes waits for a moment only.
const retained = 200

// Retain deletes the calls that ended before a moment, with all that belongs to them: legs, figures, recordings, grades. remove is called first
// for each recording whose file is there still, and has to delete it, or to be content if it is gone (it may be asked for one again after a kill);
// its error ends the matter, and that call and those that are left stay. It returns how many calls it has deleted. A call that runs is never deleted.
func (st *Store) Retain(ctx context.Context, before time.Time, remove func(context.Context, Recording) error) (int, error) {
	deleted := 0
	for {
		calls, files, err := st.expired(ctx, before)
		if err != nil {
			return deleted, fmt.Errorf("delete old calls: %w", err)
		}
		for _, r := range files {
			if err := remove(ctx, r); err != nil {
				return deleted, fmt.Errorf("delete the file of recording %s: %w", r.ID, err)
			}
		}
		if len(calls) > 0 {
			err = st.write(ctx, func(tx *sql.Tx) error {
				for _, n := range calls {
					if err := forget(ctx, tx, n, `DELETE FROM merged WHERE call = ?`, n); err != nil {
						return err
					}
				}
				return nil
			})
		} else {
			err = st.write(ctx, func(tx *sql.Tx) error {
				_, err := tx.ExecContext(ctx, `DELETE FROM gaps WHERE ended < ?`, micros(before))
				return err
			})
		}
		if err != nil {
			return deleted, fmt.Errorf("delete old calls: %w", err)
		}
		if deleted += len(calls); len(calls) == 0 {
			return deleted, nil
		}
	}
}

// expired returns some of the oldest calls that ended before a moment, and their recordings whose files are there.
func (st *Store) expired(ctx context.Context, before time.Time) (calls []int64, files []Recording, err error) {
	err = st.read(ctx, func(tx *sql.Tx) error {
		var n int64
		rows, err := tx.QueryContext(ctx, `SELECT n FROM calls WHERE ended > 0 AND ended < ? ORDER BY ended LIMIT ?`, micros(before), retained)
		if err := each(rows, err, func() error {
			err := rows.Scan(&n)
			calls = append(calls, n)
			return err
		}); err != nil {
			return err
		}
		for _, n := range calls {
			r := Recording{}
			var leg string
			var began, ended moment
			rows, err := tx.QueryContext(ctx, `SELECT c.id, r.id, leg, spool, file, source, r.began, r.ended, size FROM recordings r JOIN calls c ON c.n = r.call
				WHERE call = ? AND deleted = 0`, n)
			if err := each(rows, err, func() error {
				err := rows.Scan(&r.Call, &r.ID, &leg, &r.Spool, &r.File, &r.Source, &began, &ended, &r.Size)
				r.Leg, r.Began, r.Ended = call.LegID(leg), began.Time, ended.Time
				files = append(files, r)
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return calls, files, err
}
