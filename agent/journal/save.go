package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// A record is what of one call is to be written: the call as it is now, and those of its parts that have changed.
type record struct {
	call   *follow // whose record this is
	n      int64
	id     string
	began  time.Time
	ended  time.Time
	answer time.Time
	line   string
	result Outcome
	gap    bool

	absorbed     []absorbed // calls that have become part of this one
	empty        bool       // it has turned out to be none
	strangers    []int64    // rows of legs that have turned out to be no parties
	legs         []legRow
	visits       []visitRow
	transfers    []transferRow
	supervisions []Supervision
}

type absorbed struct {
	n  int64
	id string
}

type legRow struct {
	n int64
	Leg
	peers []int64
}

type visitRow struct {
	n, leg int64
	Visit
}

type transferRow struct {
	at       time.Time
	by       int64
	attended bool
}

// statements are those that are run for every call.
type statements struct{ call, leg, visit, transfer, supervision, alive *sql.Stmt }

func (s *statements) prepare(ctx context.Context, db *sql.DB) error {
	for _, p := range []struct {
		stmt  **sql.Stmt
		query string
	}{
		{&s.call, `INSERT INTO calls VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (n) DO UPDATE SET began = excluded.began, answered = excluded.answered,
			ended = excluded.ended, outcome = excluded.outcome, gap = excluded.gap, line = excluded.line`},
		{&s.leg, `INSERT INTO legs VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (n) DO UPDATE SET call = excluded.call,
			employee = excluded.employee, direction = excluded.direction, number = excluded.number, name = excluded.name, dialled = excluded.dialled,
			line = excluded.line, answered = excluded.answered, ended = excluded.ended, outcome = excluded.outcome, peers = excluded.peers,
			digits = excluded.digits, wanted = excluded.wanted`},
		{&s.visit, `INSERT INTO visits VALUES (?,?,?,?,?,?,?,?,?) ON CONFLICT (n) DO UPDATE SET call = excluded.call, answered = excluded.answered,
			ended = excluded.ended, outcome = excluded.outcome`},
		{&s.transfer, `INSERT OR IGNORE INTO transfers VALUES (?,?,?,?)`},
		{&s.supervision, `INSERT INTO supervisions VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET call = excluded.call, mode = excluded.mode,
			ended = excluded.ended, told = excluded.told`},
		{&s.alive, `INSERT INTO meta VALUES ('alive', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`},
	} {
		var err error
		if *p.stmt, err = db.PrepareContext(ctx, p.query); err != nil {
			return err
		}
	}
	return nil
}

// a batch is what the scribe has written at once.
type batch struct {
	records []record
	gaps    []Gap
	alive   time.Time // until when Earshot has seen everything
}

func (b *batch) empty() bool { return len(b.records) == 0 && len(b.gaps) == 0 && b.alive.IsZero() }

// save writes a batch in one transaction.
func (st *Store) save(ctx context.Context, b *batch) error {
	err := st.write(ctx, func(tx *sql.Tx) error {
		for i := range b.records {
			if err := st.saveCall(ctx, tx, &b.records[i]); err != nil {
				return err
			}
		}
		for _, g := range b.gaps {
			if _, err := tx.ExecContext(ctx, `INSERT INTO gaps VALUES (?,?,?)`, micros(g.Began), micros(g.Ended), g.Lost); err != nil {
				return err
			}
		}
		if b.alive.IsZero() {
			return nil
		}
		_, err := tx.StmtContext(ctx, st.stmts.alive).ExecContext(ctx, micros(b.alive))
		return err
	})
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return nil
}

// parts are the tables whose rows belong to a call.
var parts = []string{"legs", "visits", "transfers", "supervisions", "recordings", "grades"}

func (st *Store) saveCall(ctx context.Context, tx *sql.Tx, r *record) error {
	for _, a := range r.absorbed {
		for _, t := range parts {
			// Of two grades for one employee the one on the call that remains is kept: both calls are graded as one from here on.
			if _, err := tx.ExecContext(ctx, `UPDATE OR IGNORE `+t+` SET call = ? WHERE call = ?`, r.n, a.n); err != nil {
				return err
			}
		}
		if err := forget(ctx, tx, a.n, `UPDATE merged SET call = ?1 WHERE call = ?2`, r.n, a.n); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO merged VALUES (?,?) ON CONFLICT (id) DO UPDATE SET call = excluded.call`, a.id, r.n); err != nil {
			return err
		}
	}
	for _, n := range r.strangers {
		if _, err := tx.ExecContext(ctx, `DELETE FROM legs WHERE n = ?`, n); err != nil {
			return err
		}
	}
	if r.empty {
		return forget(ctx, tx, r.n, `DELETE FROM merged WHERE call = ?`, r.n)
	}
	if _, err := tx.StmtContext(ctx, st.stmts.call).ExecContext(ctx, r.n, r.id, micros(r.began), micros(r.answer), micros(r.ended), r.result, r.gap, r.line); err != nil {
		return err
	}
	var peers []byte
	leg := tx.StmtContext(ctx, st.stmts.leg)
	for i := range r.legs {
		l := &r.legs[i]
		peers = peers[:0]
		for k, n := range l.peers {
			if k > 0 {
				peers = append(peers, ',')
			}
			peers = strconv.AppendInt(peers, n, 10)
		}
		if _, err := leg.ExecContext(ctx, l.n, r.n, string(l.ID), l.Endpoint, l.Employee, l.Direction, l.Number.Digits(), l.Name, l.Dialled.Digits(), l.Line,
			micros(l.Began), micros(l.Answered), micros(l.Ended), l.Outcome, string(peers), st.compared(l.Number), st.compared(l.Dialled),
			hourOf(l.Began, st.zone)); err != nil {
			return err
		}
	}
	for i := range r.visits {
		v := &r.visits[i]
		if _, err := tx.StmtContext(ctx, st.stmts.visit).ExecContext(ctx, v.n, r.n, v.leg, v.Line, micros(v.Began), micros(v.Answered), micros(v.Ended),
			v.Outcome, hourOf(v.Began, st.zone)); err != nil {
			return err
		}
	}
	for _, t := range r.transfers {
		if _, err := tx.StmtContext(ctx, st.stmts.transfer).ExecContext(ctx, r.n, micros(t.at), t.by, t.attended); err != nil {
			return err
		}
	}
	for _, s := range r.supervisions {
		if _, err := tx.StmtContext(ctx, st.stmts.supervision).ExecContext(ctx, s.ID, r.n, s.By, s.Target, s.Mode, micros(s.Began), micros(s.Ended), s.Told); err != nil {
			return err
		}
	}
	return nil
}

// compared is the form of a number that is looked for.
func (st *Store) compared(n call.Number) string {
	if n == "" {
		return ""
	}
	return st.normal(n)
}

// forget deletes a call and whatever is still its own, after what is to become of the ids that lead to it.
func forget(ctx context.Context, tx *sql.Tx, n int64, first string, args ...any) error {
	if _, err := tx.ExecContext(ctx, first, args...); err != nil {
		return err
	}
	for _, t := range parts {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+t+` WHERE call = ?`, n); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM calls WHERE n = ?`, n)
	return err
}

// ErrNoCall says that there is no call of that id in the journal.
var ErrNoCall = errors.New("the journal has no such call")

// find returns the number of a call's row, by its own id or by one of a call that has become part of it.
func find(ctx context.Context, tx *sql.Tx, id string) (n int64, own string, err error) {
	err = tx.QueryRowContext(ctx, `SELECT n, id FROM calls WHERE id = ?1 OR n = (SELECT call FROM merged WHERE id = ?1)`, id).Scan(&n, &own)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoCall
	}
	return n, own, err
}
