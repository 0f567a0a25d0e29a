package journal

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	_ "modernc.org/sqlite" // the driver, in Go
)

// Config says what a [Store] works with.
type Config struct {
	Path string // the file; made if it is not there, with the rights of its owner alone
	// Zone is where hours and days begin; nil means UTC. In another zone than last time the figures are counted anew, which takes a while.
	Zone *time.Location
	// Normal gives a number the form in which numbers are compared ([Filter].Number); "" means that it is not looked for. Nil keeps the digits.
	Normal func(call.Number) string
	// Patience is how long one may read, waiting for others who read included; 0: 10 s.
	Patience time.Duration
}

// patience is how long a read may take that nobody has limited: a million calls are counted and gone through in a fraction of it.
const patience = 10 * time.Second

// ErrSlow says that a read has taken longer than [Config].Patience, and was given up.
var ErrSlow = errors.New("takes too long; ask for less of it")

// A Store is the journal's file. Its methods are safe for concurrent use. Whoever writes waits for who writes already; who reads waits for nobody.
type Store struct {
	zone   *time.Location
	normal func(call.Number) string
	most   time.Duration // that a read may take
	wr, rd *sql.DB
	turn   chan struct{} // whoever writes has it
	stmts  statements
}

// readers is how many may read at once; more wait for each other, and for nobody else.
const readers = 4

// Open opens the journal's file, brings it up to date and makes sure that it can be written. A file of a newer version is [ErrNewer].
func Open(ctx context.Context, c Config) (*Store, error) {
	return open(ctx, c, len(migrations))
}

func open(ctx context.Context, c Config, version int) (_ *Store, err error) {
	if c.Path == "" {
		return nil, errors.New("the journal has no file")
	}
	st := &Store{zone: c.Zone, normal: c.Normal, most: cmp.Or(c.Patience, patience), turn: make(chan struct{}, 1)}
	if st.zone == nil {
		st.zone = time.UTC
	}
	if st.normal == nil {
		st.normal = digits
	}
	// SQLite gives the files beside this one its rights.
	f, err := os.OpenFile(c.Path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open the journal: %w", err), st.Close())
		}
	}()
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=busy_timeout(10000)&_pragma=temp_store(MEMORY)"
	if st.wr, err = sql.Open("sqlite", name+"&_txlock=immediate&_pragma=auto_vacuum(INCREMENTAL)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-16000)"); err != nil {
		return nil, err
	}
	st.wr.SetMaxOpenConns(1)
	if err := migrate(ctx, st.wr, version); err != nil {
		return nil, err
	}
	if version > 1 {
		if err := rehour(ctx, st.wr, st.zone); err != nil {
			return nil, err
		}
		if err := st.stmts.prepare(ctx, st.wr); err != nil {
			return nil, err
		}
	}
	if st.rd, err = sql.Open("sqlite", name+"&_pragma=query_only(1)&_pragma=cache_size(-16000)"); err != nil {
		return nil, err
	}
	st.rd.SetMaxOpenConns(readers)
	return st, nil
}

// Close closes the file. Nobody may use the store any more.
func (st *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{st.rd, st.wr} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// write runs do in a transaction, when its turn has come. All of it is kept, or nothing.
func (st *Store) write(ctx context.Context, do func(tx *sql.Tx) error) error {
	select {
	case st.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-st.turn }()
	tx, err := st.wr.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// read runs do with the file as it is at one moment, for as long as a read may take.
func (st *Store) read(ctx context.Context, do func(ctx context.Context, tx *sql.Tx) error) error {
	limited, cancel := context.WithTimeout(ctx, st.most)
	defer cancel()
	tx, err := st.rd.BeginTx(limited, &sql.TxOptions{ReadOnly: true})
	if err == nil {
		err = do(limited, tx)
		if failed := tx.Rollback(); !errors.Is(failed, sql.ErrTxDone) { // as it is once its time is over
			err = errors.Join(err, failed)
		}
	}
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return ErrSlow
	}
	return err
}

// each runs scan for every row.
func each(rows *sql.Rows, err error, scan func() error) error {
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := scan(); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// micros is a moment as the file has it.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment reads what micros wrote.
type moment struct{ time.Time }

func (m *moment) Scan(v any) error {
	n, ok := v.(int64)
	switch {
	case !ok && v != nil:
		return fmt.Errorf("a time that is a %T", v)
	case n == 0:
		m.Time = time.Time{}
	default:
		m.Time = time.UnixMicro(n).UTC()
	}
	return nil
}

// digits are those of a number.
func digits(n call.Number) string {
	s := n.Digits()
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			out = append(out, s[i])
		}
	}
	return string(out)
}
