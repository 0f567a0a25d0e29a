package audit

import (
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// Faults stands between a Log and its files.
type Faults struct {
	mu      sync.Mutex
	Space   int64    // bytes that may still be written to the log; the rest of a write is lost as on a full disk
	SyncErr error    // what Sync of the log returns
	HeadErr error    // what WriteAt to the head returns
	OnSync  func()   // called by Sync of the log, without the lock
	Ops     []string // what was done, in order
	NoSync  bool     // Sync does nothing
}

// Set changes the faults under the lock.
func (f *Faults) Set(change func(*Faults)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// OpenFaulty opens a log with faults.
func OpenFaulty(path string, o Options, f *Faults) (*Log, error) {
	return open(path, o, func(of *os.File) file {
		return &faulty{File: of, f: f, head: of.Name() == path+headSuffix}
	})
}

type faulty struct {
	*os.File
	f    *Faults
	head bool
}

func (w *faulty) name(op string) string {
	if w.head {
		return "head " + op
	}
	return "log " + op
}

func (w *faulty) WriteAt(b []byte, off int64) (int, error) {
	w.f.mu.Lock()
	defer w.f.mu.Unlock()
	w.f.Ops = append(w.f.Ops, w.name("write"))
	if w.head {
		if w.f.HeadErr != nil {
			return 0, w.f.HeadErr
		}
		return w.File.WriteAt(b, off)
	}
	if int64(len(b)) > w.f.Space {
		n, _ := w.File.WriteAt(b[:w.f.Space], off)
		w.f.Space -= int64(n)
		return n, syscall.ENOSPC
	}
	w.f.Space -= int64(len(b))
	return w.File.WriteAt(b, off)
}

func (w *faulty) Sync() error {
	w.f.mu.Lock()
	w.f.Ops = append(w.f.Ops, w.name("sync"))
	err, hook, none := w.f.SyncErr, w.f.OnSync, w.f.NoSync
	w.f.mu.Unlock()
	if w.head {
		return w.File.Sync()
	}
	if hook != nil {
		hook()
	}
	if err != nil || none {
		return err
	}
	return w.File.Sync()
}

func (w *faulty) Truncate(size int64) error {
	w.f.mu.Lock()
	w.f.Ops = append(w.f.Ops, w.name("truncate"))
	w.f.mu.Unlock()
	return w.File.Truncate(size)
}

// Queued returns how many entries wait for a commit.
func (l *Log) Queued() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// EncodeEntry and ParseLine are an entry's way to the file and back.
func EncodeEntry(e Entry) ([]byte, error) { return e.encode() }

// ParseLine parses one line without its newline.
func ParseLine(k Key, line []byte) (Entry, bool) {
	l, prev, ok := newChain(k).place(line)
	if !ok {
		return Entry{}, false
	}
	return decode(line, l, prev)
}

// ChainLine makes the line after prev.
func ChainLine(k Key, prev Link, e Entry) ([]byte, Link, error) {
	body, err := e.encode()
	if err != nil {
		return nil, Link{}, err
	}
	line, next := newChain(k).append(nil, prev, e.Time, body)
	return line, next, nil
}

// ForgeLine makes the line after prev with any text between the chain's fields: what one can write who has the key, or needs none.
func ForgeLine(k Key, prev Link, at time.Time, fields string) ([]byte, Link) {
	return newChain(k).append(nil, prev, at, []byte("{"+fields+"}"))
}

// ReadHead reads what stands in a file beside a log, and EncodeHead writes it.
func ReadHead(r io.ReaderAt, k Key) (base, last Link, size int64, err error) {
	h, err := readHead(r, newChain(k))
	return h.base, h.last, h.size, err
}

// EncodeHead writes a head file.
func EncodeHead(k Key, base, last Link, size int64) []byte {
	return head{base, last, size}.encode(newChain(k))
}
