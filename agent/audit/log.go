package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what Open needs beside the path. The zero value is ready for use.
type Options struct {
	Key   Key              // at least 16 bytes, or empty for plain hashes; the whole chain is written with one key
	Clock func() time.Time // nil means time.Now
}

var (
	// ErrClosed is returned by Append after Close.
	ErrClosed = errors.New("audit: log is closed")
	// ErrLocked is returned by Open when another process (or another Log of this one) has the log open.
	ErrLocked = errors.New("log is in use: another Earshot writes it")
	// ErrChanged is returned by Append when the file is no longer the one that was opened, or another hand has written to it.
	ErrChanged = errors.New("log was changed from outside")
)

// Log is an open audit log. It is safe for concurrent use: callers of Append that come while the disk is busy are written and
// synced together.
type Log struct {
	path  string
	key   Key
	clock func() time.Time
	grown chan struct{}        // capacity 1; a value when lines were added
	safe  atomic.Pointer[head] // the head that disk protects, for those who must not wait for the disk

	mu      sync.Mutex // protects queue, running, closed
	queue   []*pending
	running bool // a goroutine is committing
	closed  bool
	wg      sync.WaitGroup // that goroutine; Close waits for it

	disk   sync.Mutex // held over each commit, rotation and the closing; protects all below
	file   file
	info   os.FileInfo // of file, to notice that the path leads elsewhere
	heads  file
	wrap   func(*os.File) file
	chain  *chain
	head   head   // what is on the disk for certain
	broken bool   // a write failed; the files may hold more than head says
	gap    bool   // entries were refused since the last good commit
	buf    []byte // the lines of one commit

	failure atomic.Pointer[error]
	written atomic.Uint64
	refused atomic.Uint64
	commits atomic.Uint64
}

// file is what the log needs of *os.File; tests put faults behind it.
type file interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
	Truncate(size int64) error
	Stat() (os.FileInfo, error)
	Close() error
}

type pending struct {
	body  []byte
	taken bool       // a commit has it; protected by Log.mu
	done  chan error // buffered, gets one value
}

// maxBatch bounds the lines of one commit, and with maxLine what a crash can leave unfinished.
const maxBatch = 64

// Append writes e to the log and returns when it is safe on the disk. Seq, Time, Prev and Hash are set by the log.
//
// An error means that nothing may be done on the strength of e. After a failed write (a full disk) Append tries again from the
// last good line with each call, so it fails until the log can be written and then goes on; the log notes the gap itself.
//
// When ctx ends before e is on its way to the disk, e is withdrawn; when it ends later, Append returns at once and the log may or
// may not hold e. Who must record something whatever becomes of a request passes a context of its own.
func (l *Log) Append(ctx context.Context, e Entry) error {
	body, err := e.encode()
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("audit: not recorded: %w", err)
	}
	p := &pending{body: body, done: make(chan error, 1)}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrClosed
	}
	l.queue = append(l.queue, p)
	if !l.running {
		l.running = true
		l.wg.Go(l.run)
	}
	l.mu.Unlock()

	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.taken {
		return fmt.Errorf("audit: perhaps not recorded: %w", context.Cause(ctx))
	}
	l.queue = slices.DeleteFunc(l.queue, func(q *pending) bool { return q == p })
	return fmt.Errorf("audit: not recorded: %w", context.Cause(ctx))
}

// run commits until the queue is empty. One such goroutine runs at a time.
func (l *Log) run() {
	for {
		runtime.Gosched() // those whom the last commit has set free may join the next
		l.mu.Lock()
		batch := slices.Clone(l.queue[:min(len(l.queue), maxBatch)])
		l.queue = slices.Delete(l.queue, 0, len(batch))
		for _, p := range batch {
			p.taken = true
		}
		if len(batch) == 0 {
			l.running = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()

		l.disk.Lock()
		err := l.commit(batch)
		l.disk.Unlock()
		for _, p := range batch {
			p.done <- err
		}
	}
}

// commit writes the batch, syncs it and moves the head. All of the batch is recorded, or none of it counts.
func (l *Log) commit(batch []*pending) error {
	if err := l.write(batch); err != nil {
		l.gap = true
		l.refused.Add(uint64(len(batch)))
		err = fmt.Errorf("audit: not recorded: %w", err)
		l.failure.Store(&err)
		return err
	}
	l.gap = false
	l.written.Add(uint64(len(batch)))
	l.commits.Add(1)
	l.show()
	select {
	case l.grown <- struct{}{}:
	default:
	}
	l.failure.Store(nil)
	return nil
}

func (l *Log) write(batch []*pending) error {
	if err := l.ready(); err != nil {
		return err
	}
	now, next := l.clock(), l.head
	l.buf = l.buf[:0]
	if l.gap {
		if err := l.note(&next, DetailWriteFailed); err != nil {
			return err
		}
	}
	for _, p := range batch {
		l.buf, next.last = l.chain.append(l.buf, next.last, now, p.body)
	}
	return l.store(next)
}

// show lets those see the head who do not wait for the disk.
func (l *Log) show() {
	h := l.head
	l.safe.Store(&h)
}

// note adds the log's own entry about itself to the buffer.
func (l *Log) note(next *head, detail string) error {
	body, err := Entry{ID: "audit", Phase: Recovered, Action: "audit", Detail: detail}.encode()
	if err != nil {
		return err
	}
	l.buf, next.last = l.chain.append(l.buf, next.last, l.clock(), body)
	return nil
}

// store puts the buffer behind the last good line. The head follows only when the lines are safe.
func (l *Log) store(next head) error {
	next.size = l.head.size + int64(len(l.buf))
	l.broken = true
	if _, err := l.file.WriteAt(l.buf, l.head.size); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	if _, err := l.heads.WriteAt(next.encode(l.chain), 0); err != nil {
		return err
	}
	l.broken = false
	l.head = next
	return nil
}

// ready sees to it that the file is the one we know and ends where we think.
func (l *Log) ready() error {
	now, err := os.Stat(l.path)
	if err != nil {
		return err
	}
	if !os.SameFile(now, l.info) {
		return ErrChanged
	}
	if l.broken {
		return l.repair()
	}
	if now.Size() != l.head.size {
		return ErrChanged
	}
	return nil
}

// repair takes back what a failed commit left. The head goes first: a crash in between must not leave one that promises more than
// the log holds. Truncating also throws away the pages that a failed sync marked as clean, so that they are written anew.
func (l *Log) repair() error {
	if _, err := l.heads.WriteAt(l.head.encode(l.chain), 0); err != nil {
		return err
	}
	if err := l.heads.Sync(); err != nil {
		return err
	}
	if err := l.file.Truncate(l.head.size); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	l.broken = false
	return nil
}

// Retry tries to write the log again after it could not be written, and returns why it still cannot. When it can it notes the gap, as the next Append would
// have; so a log to which nobody appends since everything is refused is found to be well. While nothing is wrong it does nothing.
func (l *Log) Retry() error {
	if l.Err() == nil {
		return nil
	}
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return ErrClosed
	}
	l.disk.Lock()
	defer l.disk.Unlock()
	if l.Err() == nil { // an Append was quicker
		return nil
	}
	return l.commit(nil)
}

// Err returns why the last Append failed, or nil when the last one succeeded: what a readiness check and a gauge show.
func (l *Log) Err() error {
	if p := l.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// Stats counts since Open.
type Stats struct {
	Written uint64 // entries recorded
	Refused uint64 // entries that could not be recorded
	Commits uint64 // syncs that it took
}

// Stats returns the counters.
func (l *Log) Stats() Stats {
	return Stats{Written: l.written.Load(), Refused: l.refused.Load(), Commits: l.commits.Load()}
}

// Last returns the last line that is safe on the disk. It does not wait for it.
func (l *Log) Last() Link { return l.safe.Load().last }

// Close waits until what was appended is written, and releases the file. A second Close does nothing.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	l.wg.Wait()

	l.disk.Lock()
	defer l.disk.Unlock()
	err := l.heads.Sync()
	if err := errors.Join(err, l.file.Close(), l.heads.Close()); err != nil { // closing the head's file releases the lock
		return fmt.Errorf("audit: close: %w", err)
	}
	return nil
}
