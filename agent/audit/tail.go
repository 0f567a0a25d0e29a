package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// Line is a line of the log as it stands on the disk, without its newline.
type Line struct {
	Seq  uint64
	Time time.Time
	Text string
}

// Tail reads a log that is open: its lines that are safe on the disk, in order and each once, through the files put away by [Log.Rotate] into
// the current one. It takes nothing from the log: who is slow to read holds up nobody. It is owned by one goroutine, but for Grown.
//
// What the files do not have whole (an older file was taken away, a line was altered) is passed over, and shows as a gap in the numbers.
type Tail struct {
	log   *Log
	chain *chain
	file  *os.File // nil: the one that has next is to be found
	base  Link     // of file, when it was the current one; zero of one that was put away
	live  bool     // file was the current one when it was opened
	at    int64    // in file; what is before it was read
	next  uint64   // the least number that is still to be read
	buf   []byte
}

// Tail starts to read the log with its first line. Close it before the log.
func (l *Log) Tail() *Tail { return &Tail{log: l, chain: newChain(l.key), next: 1} }

// Grown has a value after lines were added since it was last read. It is one channel for all Tails of a log.
func (t *Tail) Grown() <-chan struct{} { return t.log.grown }

// Seek has the next Read begin with the line of a number, or with the first one after it that is there.
func (t *Tail) Seek(seq uint64) {
	if t.file != nil && seq < t.next {
		t.leave()
	}
	t.next = max(1, seq)
}

// Close gives the file back. It may be called again.
func (t *Tail) Close() { t.leave() }

func (t *Tail) leave() {
	if t.file != nil {
		_ = t.file.Close() // only read
	}
	t.file, t.at = nil, 0
}

// chunk is how much of a file is read at once, and so how much Read may return in one step.
const chunk = 16 * maxLine

// Read returns some lines more, whose numbers follow one another, at most as many as asked for. None means that there are no more for now.
func (t *Tail) Read(most int) ([]Line, error) {
	for {
		safe := t.log.safe.Load()
		if t.next > safe.last.Seq {
			return nil, nil
		}
		lines, more, err := t.read(most)
		if err != nil {
			return nil, fmt.Errorf("audit: read on: %w", err)
		}
		if len(lines) > 0 {
			t.next = lines[len(lines)-1].Seq + 1
			return lines, nil
		}
		if !more { // the file has no more lines of ours, and the log goes on elsewhere
			if t.live && t.base == t.log.safe.Load().base {
				return nil, nil // its end was altered since it was written
			}
			t.next = max(t.next, t.ends()+1)
			t.leave()
		}
	}
}

// ends is the number of the last line of a file that was put away, as its name or the log says.
func (t *Tail) ends() uint64 {
	if t.live {
		return 0 // what the next file begins with is found by its name
	}
	n, _ := archived(t.log.path, t.file.Name())
	return n
}

// read reads a chunk of the file that has the next line.
func (t *Tail) read(most int) (lines []Line, more bool, err error) {
	if t.file == nil {
		if err := t.find(); err != nil {
			return nil, false, err
		}
	}
	limit, last, err := t.limit()
	if err != nil {
		return nil, false, err
	}
	if t.at >= limit {
		return nil, false, nil
	}
	if t.buf == nil {
		t.buf = make([]byte, chunk)
	}
	n, err := t.file.ReadAt(t.buf[:min(chunk, limit-t.at)], t.at)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	if n == 0 { // it was cut by another hand
		t.at = limit
		return nil, false, nil
	}
	taken := 0
	for b := t.buf[:n]; len(lines) < most; {
		end := bytes.IndexByte(b[taken:], '\n')
		if end < 0 {
			break
		}
		line, ok := t.line(b[taken:taken+end], last)
		if ok && len(lines) > 0 && line.Seq != lines[len(lines)-1].Seq+1 {
			break // a gap ends a run
		}
		taken += end + 1
		if ok {
			lines = append(lines, line)
		}
	}
	if taken == 0 {
		taken = n // no line is so long
	}
	t.at += int64(taken)
	return lines, true, nil
}

// limit is where the file may be read up to, and the last number that may stand before.
func (t *Tail) limit() (limit int64, last uint64, err error) {
	safe := t.log.safe.Load()
	if t.live && t.base == safe.base {
		return safe.size, safe.last.Seq, nil
	}
	st, err := t.file.Stat() // it was put away, so it is not written any more
	if err != nil {
		return 0, 0, err
	}
	return st.Size(), safe.base.Seq, nil
}

// line takes a line that is still to be read and is whole in itself; what it follows is for those to check who read the chain.
func (t *Tail) line(b []byte, last uint64) (Line, bool) {
	if len(b) >= maxLine || !t.due(b) {
		return Line{}, false
	}
	at, _, ok := t.chain.place(b)
	if !ok || at.Seq < t.next || at.Seq > last {
		return Line{}, false
	}
	_, rest, _ := bytes.Cut(b, timeMark)
	stamp, _, _ := bytes.Cut(rest, []byte{'"'})
	when, err := time.Parse(time.RFC3339Nano, string(stamp))
	return Line{Seq: at.Seq, Time: when, Text: string(b)}, err == nil
}

var timeMark = []byte(`,"time":"`)

// due reports whether the line may be one that is still to be read. It saves looking whether those before it are whole.
func (t *Tail) due(b []byte) bool {
	rest, ok := bytes.CutPrefix(b, []byte(seqOpen))
	digits, _, _ := bytes.Cut(rest, []byte{','})
	n, err := strconv.ParseUint(string(digits), 10, 64)
	return ok && err == nil && n >= t.next
}

// find opens the file that has the next line or, where that was taken away, the first one after it.
func (t *Tail) find() error {
	for {
		base := t.log.safe.Load().base
		if t.next <= base.Seq {
			if found, err := t.findArchive(base.Seq); found || err != nil {
				return err
			}
		}
		if found, err := t.findLive(base); found || err != nil {
			return err
		}
	}
}

func (t *Tail) findArchive(base uint64) (bool, error) {
	files, err := Files(t.log.path)
	if err != nil {
		return false, err
	}
	for _, name := range files {
		if last, ok := archived(t.log.path, name); ok && last >= t.next && last <= base {
			t.file, err = os.Open(name)
			t.live = false
			return err == nil, err
		}
	}
	return false, nil
}

// findLive opens the current file, unless it is another one by now than the one that goes on from base.
func (t *Tail) findLive(base Link) (bool, error) {
	t.log.disk.Lock() // so that no rotation comes in between
	defer t.log.disk.Unlock()
	if t.log.safe.Load().base != base {
		return false, nil
	}
	f, err := os.Open(t.log.path)
	if err != nil {
		return false, err
	}
	t.file, t.live, t.base = f, true, base
	return true, nil
}
