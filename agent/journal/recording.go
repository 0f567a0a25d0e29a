package journal

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

const recordingColumns = `id, leg, spool, file, source, began, ended, size, deleted`

// Errors about recordings.
var (
	ErrNoRecording    = errors.New("the journal has no such recording")
	ErrRecordingKnown = errors.New("the journal has that recording already")
)

// AddRecording takes in a recording of a call that is in the store (r.Call; [Scribe.CallOf] and [Scribe.Sync] give one that is followed, and
// [Store.CallOf] one that has been). It returns the recording with the id that it has got. A file that the journal has already is
// ErrRecordingKnown, and an unknown call ErrNoCall.
func (st *Store) AddRecording(ctx context.Context, r Recording) (Recording, error) {
	r.ID = rand.Text()
	err := st.write(ctx, func(tx *sql.Tx) error {
		n, own, err := find(ctx, tx, r.Call)
		if err != nil {
			return err
		}
		r.Call = own
		var there int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM recordings WHERE spool = ? AND file = ? AND deleted = 0`, r.Spool, r.File).Scan(&there); err != nil {
			return err
		}
		if there > 0 {
			return ErrRecordingKnown
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO recordings (call, `+recordingColumns+`) VALUES (?,?,?,?,?,?,?,?,?,?)`,
			n, r.ID, string(r.Leg), r.Spool, r.File, r.Source, micros(r.Began), micros(r.Ended), r.Size, micros(r.Deleted))
		return err
	})
	if err != nil {
		return Recording{}, fmt.Errorf("keep a recording: %w", err)
	}
	return r, nil
}

// EndRecording takes in that a recording is complete.
func (st *Store) EndRecording(ctx context.Context, id string, ended time.Time, size int64) error {
	return st.changeRecording(ctx, `UPDATE recordings SET ended = ?, size = ? WHERE id = ?`, micros(ended), size, id)
}

// MarkDeleted takes in that a recording's file has been deleted, which is final: what was deleted once keeps the time of it.
func (st *Store) MarkDeleted(ctx context.Context, id string, at time.Time) error {
	return st.changeRecording(ctx, `UPDATE recordings SET deleted = CASE WHEN deleted > 0 THEN deleted ELSE ? END WHERE id = ?`, micros(at), id)
}

func (st *Store) changeRecording(ctx context.Context, query string, args ...any) error {
	err := st.write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrNoRecording)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep a recording: %w", err)
	}
	return nil
}

// Recording returns a recording by its id; ErrNoRecording if there is none.
func (st *Store) Recording(ctx context.Context, id string) (Recording, error) {
	return st.recording(ctx, `r.id = ?`, id)
}

// RecordingOf returns the recording that is in a file, unless it has been deleted; ErrNoRecording if there is none.
func (st *Store) RecordingOf(ctx context.Context, spool, file string) (Recording, error) {
	return st.recording(ctx, `r.spool = ? AND r.file = ? AND r.deleted = 0`, spool, file)
}

func (st *Store) recording(ctx context.Context, where string, args ...any) (Recording, error) {
	var r Recording
	var began, ended, deleted moment
	var leg string
	err := st.rd.QueryRowContext(ctx, `SELECT c.id, r.id, r.leg, r.spool, r.file, r.source, r.began, r.ended, r.size, r.deleted
		FROM recordings r JOIN calls c ON c.n = r.call WHERE `+where, args...).
		Scan(&r.Call, &r.ID, &leg, &r.Spool, &r.File, &r.Source, &began, &ended, &r.Size, &deleted)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoRecording
	}
	if err != nil {
		return Recording{}, fmt.Errorf("read the journal: %w", err)
	}
	r.Leg, r.Began, r.Ended, r.Deleted = call.LegID(leg), began.Time, ended.Time, deleted.Time
	return r, nil
}

// CallOf returns the id of the call that a leg was on at a moment, or of its last one before; ErrNoCall if there is none.
func (st *Store) CallOf(ctx context.Context, leg call.LegID, at time.Time) (string, error) {
	var id string
	err := st.rd.QueryRowContext(ctx, `SELECT c.id FROM legs l JOIN calls c ON c.n = l.call WHERE l.leg = ? AND l.began <= ? ORDER BY l.began DESC LIMIT 1`,
		string(leg), micros(at)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoCall
	}
	if err != nil {
		return "", fmt.Errorf("read the journal: %w", err)
	}
	return id, nil
}
