package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
)

// Problem says what is wrong with a log.
type Problem string

// The problems that a log can have.
const (
	Altered    Problem = "altered"      // the line's bytes do not fit its hash
	Missing    Problem = "missing"      // lines before this one are gone
	OutOfOrder Problem = "out_of_order" // the line stands in another place than it was written in
	Replaced   Problem = "replaced"     // the line has the right number and continues another chain
	Unfinished Problem = "unfinished"   // the last line has no end
	CutOff     Problem = "cut_off"      // the log ends before the line that its head names
	Rewritten  Problem = "rewritten"    // the line that the head names is another than the one that stands there
	NoHead     Problem = "no_head"      // there is no head, so an end that was cut off could not be noticed
	BadHead    Problem = "bad_head"     // the head was altered or written with another key
)

// Fault is the first thing wrong with a log. It is an error.
type Fault struct {
	File    string // empty when read from a reader
	Line    int    // in the file, from 1; for CutOff the line after the last, for a fault of the head 0
	Problem Problem
	Want    uint64 // the number that should stand there
	Got     uint64 // the number that stands there; 0 when it cannot be read
}

// Error names the place and the problem.
func (f *Fault) Error() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s", f.File, f.Problem)
	}
	where := fmt.Sprintf("line %d", f.Line)
	if f.File != "" {
		where = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	if f.Got != 0 && f.Got != f.Want {
		return fmt.Sprintf("%s: %s: entry %d where %d belongs", where, f.Problem, f.Got, f.Want)
	}
	return fmt.Sprintf("%s: %s: entry %d", where, f.Problem, f.Want)
}

// Reader reads entries and checks each against the chain. It is owned by one goroutine.
type Reader struct {
	r     *bufio.Reader
	chain *chain
	file  string
	last  Link
	line  int
	size  int64 // up to the end of the last line read
	after int64 // bytes of an unfinished last line
	loose bool  // the line before could not be read, so only the number of the next can be checked
	part  bool  // what stands first may have any place
}

// NewReader reads a log from its first line.
func NewReader(r io.Reader, k Key) *Reader { return newReader(r, k, "", Link{}) }

func newReader(r io.Reader, k Key, file string, from Link) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, maxLine), chain: newChain(k), file: file, last: from}
}

// Next returns the next entry, io.EOF at the end, or a *[Fault]. After a fault reading may go on: the chain is taken up from the
// next line that is whole in itself. The entry that comes with a Fault is the one found at the place, if its own hash fits it; it
// is the zero Entry otherwise.
func (r *Reader) Next() (Entry, error) {
	line, at, prev, fault := r.next()
	if at == (Link{}) {
		return Entry{}, fault
	}
	e, ok := decode(line, at, prev)
	if !ok { // only one who can write the chain can write such a line
		return Entry{}, r.faultAt(Altered, at.Seq, 0)
	}
	return e, fault
}

// next reads a line and checks its place. The line is good until the next call; without a whole one the link is zero.
func (r *Reader) next() (line []byte, at Link, prev []byte, err error) {
	line, err = r.r.ReadSlice('\n')
	long := errors.Is(err, bufio.ErrBufferFull)
	n := int64(len(line))
	for errors.Is(err, bufio.ErrBufferFull) { // no line of ours; find its end
		line, err = r.r.ReadSlice('\n')
		n += int64(len(line))
	}
	switch {
	case errors.Is(err, io.EOF) && n == 0:
		return nil, Link{}, nil, io.EOF
	case errors.Is(err, io.EOF):
		r.line++
		r.after = n
		return nil, Link{}, nil, r.faultAt(Unfinished, r.last.Seq+1, 0)
	case err != nil:
		return nil, Link{}, nil, fmt.Errorf("audit: read: %w", err)
	}
	r.line++
	r.size += n
	line = line[:len(line)-1]
	ok := false
	if !long {
		at, prev, ok = r.chain.place(line)
	}
	if !ok {
		return nil, Link{}, nil, r.altered()
	}
	want, loose, part := r.last, r.loose, r.part
	r.last, r.loose, r.part = at, false, false
	switch {
	case part, at.follows(want, prev) || loose && at.Seq == want.Seq+1:
		return line, at, prev, nil
	case at.Seq > want.Seq+1:
		return line, at, prev, r.faultAt(Missing, want.Seq+1, at.Seq)
	case at.Seq <= want.Seq:
		return line, at, prev, r.faultAt(OutOfOrder, want.Seq+1, at.Seq)
	}
	return line, at, prev, r.faultAt(Replaced, want.Seq+1, at.Seq)
}

// altered supposes that the line was the next one, so that the lines after it are not called missing too; the chain behind it
// cannot be checked.
func (r *Reader) altered() error {
	f := r.faultAt(Altered, r.last.Seq+1, 0)
	r.last, r.loose = Link{Seq: r.last.Seq + 1}, true
	return f
}

func (r *Reader) faultAt(p Problem, want, got uint64) *Fault {
	return &Fault{File: r.file, Line: r.line, Problem: p, Want: want, Got: got}
}

// Report is what a verification found.
type Report struct {
	Files      int
	Lines      int    // good lines before the fault, or all
	First      uint64 // number of the first entry; above 1 when older files were not given
	Last       Link   // the last good line
	Unfinished int64  // bytes of a line that a running or killed process has begun; they are behind the head and no fault
	Fault      *Fault // nil when the log is whole
	Notes      Notes  // what the good lines say of what is missing
}

// OK reports whether nothing is wrong.
func (rep Report) OK() bool { return rep.Fault == nil }

// Verify reads a whole log and finds the first line that was altered, removed, moved or added. Lines cut off the end cannot be
// noticed here; [VerifyFiles] looks at the head too. The error is the reader's own; a bad log is no error but a Fault in the Report.
func Verify(r io.Reader, k Key) (Report, error) {
	rep := Report{Files: 1}
	err := rep.read(newReader(r, k, "", Link{}), nil)
	return rep, err
}

// VerifyFiles verifies one log file with its head, or several that follow one another, oldest first, as [Files] names them. It
// may run while the log is being written, but not while it is being rotated.
func VerifyFiles(k Key, paths ...string) (Report, error) {
	var rep Report
	if err := k.Check(); err != nil {
		return rep, err
	}
	for i, path := range paths {
		if err := rep.readFile(path, k, i == 0); err != nil || !rep.OK() {
			return rep, err
		}
	}
	return rep, nil
}

// VerifyPart verifies lines that were collected elsewhere, such as from a stream, with those of several files one after another: a part of the
// chain, which begins anywhere. Without a head nothing says whether lines are missing before the first or after the last.
func VerifyPart(k Key, paths ...string) (Report, error) {
	var rep Report
	if err := k.Check(); err != nil {
		return rep, err
	}
	for _, path := range paths {
		if err := rep.readPart(path, k); err != nil || !rep.OK() {
			return rep, err
		}
	}
	return rep, nil
}

func (rep *Report) readPart(path string, k Key) error {
	rep.Files++
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer func() { _ = f.Close() }()
	r := newReader(f, k, path, rep.Last)
	r.part = rep.Lines == 0
	return rep.read(r, nil)
}

func (rep *Report) readFile(path string, k Key, first bool) error {
	rep.Files++
	h, err := headOf(path, k) // before the log, which may grow meanwhile
	if f := (*Fault)(nil); errors.As(err, &f) {
		rep.Fault = f
		return nil
	} else if err != nil {
		return err
	}
	from := h.base
	if !first {
		from = rep.Last
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) && h.size == 0 {
		return nil // put away a moment ago, or not begun
	} else if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	defer func() { _ = f.Close() }()
	if from != h.base {
		rep.Fault = &Fault{File: path, Line: 1, Problem: Missing, Want: from.Seq + 1, Got: h.base.Seq + 1}
		return nil
	}
	rep.Last = from
	return rep.read(newReader(f, k, path, from), &h)
}

// headOf returns a *Fault for a head that is missing or bad.
func headOf(path string, k Key) (head, error) {
	f, err := os.Open(path + headSuffix)
	if errors.Is(err, os.ErrNotExist) {
		return head{}, &Fault{File: path, Problem: NoHead}
	} else if err != nil {
		return head{}, fmt.Errorf("audit: %w", err)
	}
	defer func() { _ = f.Close() }()
	h, err := readHead(f, newChain(k))
	switch {
	case errors.Is(err, errHeadNone):
		return head{}, &Fault{File: path, Problem: NoHead}
	case errors.Is(err, errHeadBad):
		return head{}, &Fault{File: path, Problem: BadHead}
	case err != nil:
		return head{}, fmt.Errorf("audit: %w", err)
	}
	return h, nil
}

// read follows one file to its end or to its first fault.
func (rep *Report) read(r *Reader, h *head) error {
	seen := h == nil || h.size == 0 // the line that the head names
	for {
		line, at, _, err := r.next()
		var f *Fault
		switch {
		case errors.Is(err, io.EOF):
			if !seen {
				rep.Fault = &Fault{File: r.file, Line: r.line + 1, Problem: CutOff, Want: h.last.Seq}
			}
			return nil
		case errors.As(err, &f):
			if f.Problem == Unfinished && seen && h != nil {
				rep.Unfinished = r.after
				return nil
			}
			if f.Problem == Missing && r.comes(f.Want) {
				f.Problem = OutOfOrder
			}
			rep.Fault = f
			return nil
		case err != nil:
			return err
		}
		if h != nil && at.Seq == h.last.Seq && !seen {
			if at != h.last || r.size != h.size {
				rep.Fault = r.faultAt(Rewritten, at.Seq, at.Seq)
				return nil
			}
			seen = true
		}
		if rep.Lines == 0 {
			rep.First = at.Seq
		}
		rep.Lines++
		rep.Last = at
		rep.Notes.line(line)
	}
}

// comes reports whether the entry with that number stands further on: then it was moved, not removed.
func (r *Reader) comes(seq uint64) bool {
	for {
		_, at, _, err := r.next()
		if at.Seq == seq {
			return true
		}
		if f := (*Fault)(nil); err != nil && !errors.As(err, &f) {
			return false
		}
	}
}

// Read yields the entries of log files, oldest first, checked like [VerifyFiles] does but for the heads' word on the end. With a
// *[Fault] the entry found there, if any, is yielded and reading goes on when the consumer does; any other error is the last.
func Read(k Key, paths ...string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var last Link
		for i, path := range paths {
			if i == 0 {
				if h, err := headOf(path, k); err == nil {
					last = h.base
				}
			}
			more, err := readEntries(k, path, &last, yield)
			if err != nil {
				yield(Entry{}, fmt.Errorf("audit: %w", err))
				return
			}
			if !more {
				return
			}
		}
	}
}

func readEntries(k Key, path string, last *Link, yield func(Entry, error) bool) (more bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	r := newReader(f, k, path, *last)
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			*last = r.last
			return true, nil
		}
		var fault *Fault
		if err != nil && !errors.As(err, &fault) {
			return false, err
		}
		if !yield(e, err) {
			return false, nil
		}
	}
}
