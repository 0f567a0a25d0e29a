package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// retained is how many calls are deleted at once, so that whoever else writes waits for a moment only.
const retained = 200

// Retain deletes the calls that ended before a moment, with all that belongs to them: legs, figures, recordings, grades; and gives back the room that
// they took. remove is called first for each recording whose file is there still, and has to delete it, or to be content if it is gone (it may be asked for
// one again after a kill). A call of whose recordings one cannot be removed stays, and is tried again the next time; the others go. It returns how many calls it
// has deleted, and the errors of the first few that stayed. A call that runs is never deleted.
func (st *Store) Retain(ctx context.Context, before time.Time, remove func(context.Context, Recording) error) (int, error) {
	deleted := 0
	var kept []error
	var last expired
	for {
		calls, err := st.expired(ctx, before, last)
		if err != nil {
			return deleted, fmt.Errorf("delete old calls: %w", err)
		}
		if len(calls) == 0 {
			break
		}
		last = calls[len(calls)-1]
		var gone []int64
		for _, c := range calls {
			if err := c.remove(ctx, remove); err == nil {
				gone = append(gone, c.n)
			} else if ctx.Err() != nil {
				return deleted, fmt.Errorf("delete old calls: %w", ctx.Err())
			} else if len(kept) < toldOf {
				kept = append(kept, err)
			}
		}
		err = st.write(ctx, func(tx *sql.Tx) error {
			for _, n := range gone {
				if err := forget(ctx, tx, n, `DELETE FROM merged WHERE call = ?`, n); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return deleted, fmt.Errorf("delete old calls: %w", err)
		}
		deleted += len(gone)
	}
	err := st.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM gaps WHERE ended < ?`, micros(before))
		return err
	})
	if err == nil && deleted > 0 {
		err = st.shrink(ctx)
	}
	if err != nil {
		kept = append(kept, fmt.Errorf("delete old calls: %w", err))
	}
	return deleted, errors.Join(kept...)
}

// toldOf is how many calls that stayed are told of.
const toldOf = 3

// shrink gives pages that hold nothing back to the file system, some at a time.
func (st *Store) shrink(ctx context.Context) error {
	for free := -1; free != 0; {
		err := st.write(ctx, func(tx *sql.Tx) error {
			rows, err := tx.QueryContext(ctx, `PRAGMA incremental_vacuum(500)`)
			if err := each(rows, err, func() error { return nil }); err != nil {
				return err
			}
			was := free
			if err := tx.QueryRowContext(ctx, `PRAGMA freelist_count`).Scan(&free); err != nil {
				return err
			}
			if free == was { // a file from before there was this
				free = 0
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// expired is a call that is too old, with its recordings whose files are there.
type expired struct {
	n     int64
	ended int64
	files []Recording
}

func (c *expired) remove(ctx context.Context, remove func(context.Context, Recording) error) error {
	for _, r := range c.files {
		if err := remove(ctx, r); err != nil {
			return fmt.Errorf("delete the file of recording %s: %w", r.ID, err)
		}
	}
	return nil
}

// expired returns some of the oldest calls that ended before a moment, behind the last one of them that has been looked at.
func (st *Store) expired(ctx context.Context, before time.Time, last expired) (calls []expired, err error) {
	err = st.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT n, ended FROM calls WHERE ended > 0 AND ended < ? AND (ended, n) > (?, ?) ORDER BY ended, n LIMIT ?`,
			micros(before), last.ended, last.n, retained)
		if err := each(rows, err, func() error {
			var c expired
			err := rows.Scan(&c.n, &c.ended)
			calls = append(calls, c)
			return err
		}); err != nil {
			return err
		}
		for i := range calls {
			var r Recording
			var leg string
			var began, ended moment
			rows, err := tx.QueryContext(ctx, `SELECT c.id, r.id, leg, spool, file, source, r.began, r.ended, size FROM recordings r JOIN calls c ON c.n = r.call
				WHERE call = ? AND deleted = 0`, calls[i].n)
			if err := each(rows, err, func() error {
				err := rows.Scan(&r.Call, &r.ID, &leg, &r.Spool, &r.File, &r.Source, &began, &ended, &r.Size)
				r.Leg, r.Began, r.Ended = call.LegID(leg), began.Time, ended.Time
				calls[i].files = append(calls[i].files, r)
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return calls, err
}
