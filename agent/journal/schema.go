package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// migrations make a file what this version reads: the n-th brings version n to n+1. They are never changed once they have been released, and
// there is no way back. Times are microseconds since 1970, 0 for none.
var migrations = []string{
	// 1: calls and what belongs to them. A leg's peers are the numbers of their rows.
	`
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE calls (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, began INTEGER NOT NULL, answered INTEGER NOT NULL, ended INTEGER NOT NULL,
	outcome INTEGER NOT NULL, gap INTEGER NOT NULL, line TEXT NOT NULL);
CREATE INDEX calls_ended ON calls (ended);
CREATE TABLE merged (id TEXT PRIMARY KEY, call INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX merged_call ON merged (call);
CREATE TABLE legs (n INTEGER PRIMARY KEY, call INTEGER NOT NULL, leg TEXT NOT NULL, endpoint TEXT NOT NULL, employee TEXT NOT NULL,
	direction INTEGER NOT NULL, number TEXT NOT NULL, name TEXT NOT NULL, dialled TEXT NOT NULL, line TEXT NOT NULL, began INTEGER NOT NULL,
	answered INTEGER NOT NULL, ended INTEGER NOT NULL, outcome INTEGER NOT NULL, peers TEXT NOT NULL, digits TEXT NOT NULL, wanted TEXT NOT NULL);
CREATE INDEX legs_call ON legs (call);
CREATE INDEX legs_leg ON legs (leg);
CREATE INDEX legs_began ON legs (began, n) WHERE employee <> '';
CREATE INDEX legs_employee ON legs (employee, began, n) WHERE employee <> '';
CREATE INDEX legs_digits ON legs (digits) WHERE digits <> '';
CREATE INDEX legs_wanted ON legs (wanted) WHERE wanted <> '';
CREATE TABLE transfers (call INTEGER NOT NULL, at INTEGER NOT NULL, by INTEGER NOT NULL, attended INTEGER NOT NULL, PRIMARY KEY (call, at, by)) WITHOUT ROWID;
CREATE TABLE visits (n INTEGER PRIMARY KEY, call INTEGER NOT NULL, leg INTEGER NOT NULL, line TEXT NOT NULL, began INTEGER NOT NULL,
	answered INTEGER NOT NULL, ended INTEGER NOT NULL, outcome INTEGER NOT NULL);
CREATE INDEX visits_call ON visits (call);
CREATE TABLE supervisions (id TEXT PRIMARY KEY, call INTEGER NOT NULL, by TEXT NOT NULL, target TEXT NOT NULL, mode TEXT NOT NULL,
	began INTEGER NOT NULL, ended INTEGER NOT NULL, told INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX supervisions_call ON supervisions (call);
CREATE TABLE recordings (id TEXT PRIMARY KEY, call INTEGER NOT NULL, leg TEXT NOT NULL, spool TEXT NOT NULL, file TEXT NOT NULL,
	source TEXT NOT NULL, began INTEGER NOT NULL, ended INTEGER NOT NULL, size INTEGER NOT NULL, deleted INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX recordings_call ON recordings (call);
CREATE UNIQUE INDEX recordings_file ON recordings (spool, file) WHERE deleted = 0;
CREATE TABLE grades (call INTEGER NOT NULL, employee TEXT NOT NULL, by TEXT NOT NULL, value INTEGER NOT NULL, comment TEXT NOT NULL,
	at INTEGER NOT NULL, PRIMARY KEY (call, employee, by)) WITHOUT ROWID;
CREATE TABLE gaps (began INTEGER NOT NULL, ended INTEGER NOT NULL, lost INTEGER NOT NULL);
`,
	// 2: figures. They are kept by triggers, so whatever writes legs and visits keeps them right. An hour is the local one that a row began in;
	// it is filled in when the store is opened (see rehour), as are the figures of what is there already. The index has all columns, so that who
	// asks by hour need not sort a year of everybody's.
	`
ALTER TABLE legs ADD COLUMN hour INTEGER NOT NULL DEFAULT 0;
ALTER TABLE visits ADD COLUMN hour INTEGER NOT NULL DEFAULT 0;
CREATE TABLE rollup (kind INTEGER NOT NULL, key TEXT NOT NULL, hour INTEGER NOT NULL, calls INTEGER NOT NULL, answered INTEGER NOT NULL,
	missed INTEGER NOT NULL, abandoned INTEGER NOT NULL, talk INTEGER NOT NULL, wait INTEGER NOT NULL, PRIMARY KEY (kind, key, hour)) WITHOUT ROWID;
CREATE INDEX rollup_hour ON rollup (kind, hour, key, calls, answered, missed, abandoned, talk, wait);
` + rollupTriggers("legs", "employee", kindEmployee) + rollupTriggers("visits", "line", kindLine),
	// 3: pages by outcome, of all or of some: what is rare is found without going through what is not.
	`
CREATE INDEX legs_outcome ON legs (outcome, began, n) WHERE employee <> '';
CREATE INDEX legs_employee_outcome ON legs (employee, outcome, began, n) WHERE employee <> '';
`,
	// 4: pages of a line, in order and by who called.
	`
CREATE INDEX legs_line ON legs (line, began, n) WHERE employee <> '' AND line <> '';
CREATE INDEX legs_caller ON legs (line, number) WHERE employee = '' AND line <> '';
`,
}

// The kinds of figures.
const (
	kindEmployee = 1
	kindLine     = 2
)

// figures are what one row of legs or visits adds to the rollup: talk is from the answer to the end, wait from the beginning to the answer or,
// without one, to the end. The row is "NEW.", "OLD." or "".
func figures(row string) string {
	return fmt.Sprintf(`1 AS calls, %[1]soutcome = %[2]d AS answered, %[1]soutcome = %[3]d AS missed, %[1]soutcome = %[4]d AS abandoned,
	CASE WHEN %[1]sanswered > 0 THEN %[1]sended - %[1]sanswered ELSE 0 END AS talk,
	CASE WHEN %[1]sanswered > 0 THEN %[1]sanswered ELSE %[1]sended END - %[1]sbegan AS wait`, row, Answered, Missed, Abandoned)
}

func rollupTriggers(table, key string, kind int) string {
	trigger := func(name, on, row, sign, then string) string {
		return fmt.Sprintf(`
CREATE TRIGGER %[1]s_%[2]s AFTER %[3]s ON %[1]s WHEN %[4]s.ended > 0 AND %[4]s.%[5]s <> '' BEGIN
	INSERT INTO rollup SELECT %[6]d, %[4]s.%[5]s, %[4]s.hour, %[7]s WHERE true ON CONFLICT (kind, key, hour) DO UPDATE SET
	calls = calls %[8]s excluded.calls, answered = answered %[8]s excluded.answered, missed = missed %[8]s excluded.missed,
	abandoned = abandoned %[8]s excluded.abandoned, talk = talk %[8]s excluded.talk, wait = wait %[8]s excluded.wait;
	%[9]s
END;`, table, name, on, row, key, kind, figures(row+"."), sign, then)
	}
	empty := fmt.Sprintf("DELETE FROM rollup WHERE kind = %d AND key = OLD.%s AND hour = OLD.hour AND calls = 0;", kind, key)
	return trigger("added", "INSERT", "NEW", "+", "") + trigger("gone", "DELETE", "OLD", "-", empty) +
		trigger("was", "UPDATE", "OLD", "-", empty) + trigger("became", "UPDATE", "NEW", "+", "")
}

// ErrNewer says that a file was written by a later version of Earshot.
var ErrNewer = errors.New("was written by a newer version of Earshot; start that version, or give this one another file")

// migrate brings the file up to date, each step in a transaction of its own.
func migrate(ctx context.Context, db *sql.DB, to int) error {
	var version int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return err
	}
	if err := known(version); err != nil {
		return err
	}
	for ; version < to; version++ {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, migrations[version])
		if err == nil {
			_, err = tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, version+1))
		}
		if err != nil {
			return errors.Join(fmt.Errorf("bring the journal's file to version %d: %w", version+1, err), tx.Rollback())
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("bring the journal's file to version %d: %w", version+1, err)
		}
	}
	return nil
}

// rehour puts each row into its hour where the file was made for another time zone, or for none, and counts the figures anew.
func rehour(ctx context.Context, db *sql.DB, zone *time.Location) error {
	var was sql.NullString
	if err := db.QueryRowContext(ctx, `SELECT value FROM meta WHERE name = 'zone'`).Scan(&was); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if was.Valid && was.String == zone.String() {
		return nil
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := rehourIn(ctx, tx, zone); err != nil {
		return errors.Join(fmt.Errorf("count the journal's figures anew: %w", err), tx.Rollback())
	}
	return tx.Commit()
}

// quarter is what hours of all time zones begin on a multiple of.
const quarter = 15 * 60 * 1e6

func rehourIn(ctx context.Context, tx *sql.Tx, zone *time.Location) error {
	for _, t := range []string{"legs", "visits"} {
		var quarters []int64
		rows, err := tx.QueryContext(ctx, fmt.Sprintf(`SELECT DISTINCT began / %d FROM %s`, int64(quarter), t))
		if err != nil {
			return err
		}
		for rows.Next() {
			var q int64
			if err := rows.Scan(&q); err != nil {
				return errors.Join(err, rows.Close())
			}
			quarters = append(quarters, q)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		// The hours go through a table, so that the rows are written in one pass.
		if _, err := tx.ExecContext(ctx, `CREATE TEMP TABLE hours (quarter INTEGER PRIMARY KEY, hour INTEGER NOT NULL)`); err != nil {
			return err
		}
		for _, q := range quarters {
			if _, err := tx.ExecContext(ctx, `INSERT INTO hours VALUES (?, ?)`, q, hourOf(time.UnixMicro(q*int64(quarter)), zone)); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(
			`UPDATE %s SET hour = (SELECT hour FROM hours WHERE quarter = began / %d); DROP TABLE hours`, t, int64(quarter))); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM rollup;
INSERT INTO rollup `+counted("legs", "employee", kindEmployee)+`;
INSERT INTO rollup `+counted("visits", "line", kindLine)+`;
INSERT INTO meta VALUES ('zone', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, zone.String())
	return err
}

// counted is the figures as the rows give them: what the rollup has to equal.
func counted(table, key string, kind int) string {
	return fmt.Sprintf(`SELECT %d, key, hour, SUM(calls), SUM(answered), SUM(missed), SUM(abandoned), SUM(talk), SUM(wait)
	FROM (SELECT %s AS key, hour, %s FROM %s WHERE ended > 0 AND %[2]s <> '') GROUP BY key, hour`, kind, key, figures(""), table)
}

// hourOf is when the local hour began, in seconds since 1970. Most hours begin on one of UTC; those of a zone with half hours do not. Where clocks change by half
// an hour, what is left of an hour begins with the change.
func hourOf(at time.Time, zone *time.Location) int64 {
	at = at.In(zone)
	_, offset := at.Zone()
	s := at.Unix() + int64(offset)
	began := s - mod(s, 3600) - int64(offset)
	if changed, _ := at.ZoneBounds(); !changed.IsZero() {
		began = max(began, changed.Unix())
	}
	return began
}

func mod(a, b int64) int64 { return ((a % b) + b) % b }
