package journal

import (
	"context"
	"database/sql"
	"fmt"
)

// Grade keeps a grade. One and the same person has one grade for an employee on a call: a later one takes the place of an earlier one. An unknown
// call is ErrNoCall.
func (st *Store) Grade(ctx context.Context, g Grade) error {
	err := st.write(ctx, func(tx *sql.Tx) error {
		n, _, err := find(ctx, tx, g.Call)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO grades VALUES (?,?,?,?,?,?) ON CONFLICT (call, employee, by) DO UPDATE SET
			value = excluded.value, comment = excluded.comment, at = excluded.at`, n, g.Employee, g.By, g.Value, g.Comment, micros(g.At))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep a grade: %w", err)
	}
	return nil
}

// Grades returns the grades of a call, oldest first. An unknown call is ErrNoCall.
func (st *Store) Grades(ctx context.Context, id string) ([]Grade, error) {
	var grades []Grade
	err := st.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, own, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		g := Grade{Call: own}
		var at moment
		rows, err := tx.QueryContext(ctx, `SELECT employee, by, value, comment, at FROM grades WHERE call = ? ORDER BY at, employee, by`, n)
		return each(rows, err, func() error {
			if err := rows.Scan(&g.Employee, &g.By, &g.Value, &g.Comment, &at); err != nil {
				return err
			}
			g.At = at.Time
			grades = append(grades, g)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return grades, nil
}
