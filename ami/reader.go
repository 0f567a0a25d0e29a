package ami

import (
	"bytes"
	"io"
	"strings"
)

// Limits bound what a [Reader] takes in, while it takes it in. Zero means the default, which fits any Asterisk; a value
// below the smallest sensible one is raised to it.
type Limits struct {
	Line   int // bytes in one line without its LF; default 64 KiB, at least 16
	Fields int // lines in one block; default 8,192, at least 1
	Block  int // bytes in one block with its line ends; default 1 MiB, at least 32, at most 1 GiB
}

// The defaults and bounds of Limits. A command's whole output is one block, a line of it one field.
const (
	defaultLine   = 64 << 10
	defaultFields = 8 << 10
	defaultBlock  = 1 << 20
	leastLine     = 16
	leastBlock    = 32
	mostBlock     = 1 << 30 // offsets in a block are kept in 32 bits

	readBuffer   = 64 << 10
	greetingLine = 128 // "Asterisk Call Manager/9.0.0" and much room
)

func (l Limits) withDefaults() Limits {
	set := func(v *int, def, least, most int) {
		if *v == 0 {
			*v = def
		}
		*v = min(max(*v, least), most)
	}
	set(&l.Line, defaultLine, leastLine, mostBlock)
	set(&l.Fields, defaultFields, 1, mostBlock)
	set(&l.Block, defaultBlock, leastBlock, mostBlock)
	return l
}

// Reader reads messages from a byte stream. It is not safe for concurrent use. The same bytes give the same messages and
// the same error, however the source cuts them. After an error each further call returns that error.
//
// Its buffer starts at 64 KiB (less when the block limit is smaller) and grows to at most the block limit and a little.
type Reader struct {
	src    io.Reader
	limits Limits
	buf    []byte
	next   int   // first byte after the last message
	end    int   // first byte of buf that holds nothing yet
	srcErr error // what the source returned together with its last bytes
	err    error
	msg    Message
}

// NewReader makes a reader. It reads nothing yet.
func NewReader(src io.Reader, limits Limits) *Reader {
	limits = limits.withDefaults()
	return &Reader{
		src:    src,
		limits: limits,
		buf:    make([]byte, min(readBuffer, limits.Block+slack)),
	}
}

// slack is what the buffer may hold beyond a whole block: the CR of the empty line behind it, and room to read into.
const slack = 64

// Greeting reads the line that Asterisk sends first and returns it without its end: "Asterisk Call Manager/9.0.0". Call
// it before the first Read, when the stream has one. The error is [ErrGreeting] when the peer is no Asterisk.
func (r *Reader) Greeting() (string, error) {
	if r.err != nil {
		return "", r.err
	}
	for {
		have := r.buf[r.next:r.end]
		eol := bytes.IndexByte(have, '\n')
		if eol > greetingLine || eol < 0 && len(have) > greetingLine {
			return "", r.fail(&LimitError{What: "greeting", Limit: greetingLine})
		}
		if eol >= 0 {
			line := string(trimEnd(have[:eol+1]))
			r.next += eol + 1
			if !strings.HasPrefix(line, "Asterisk Call Manager/") {
				return "", r.fail(ErrGreeting)
			}
			return line, nil
		}
		moved, err := r.fill(r.next)
		if err != nil {
			return "", r.fail(inside(err, len(have) > 0))
		}
		r.next -= moved
	}
}

// Read returns the next message, valid until the next Read. Empty lines before it are passed over. The error is io.EOF
// at the end between two messages and io.ErrUnexpectedEOF inside one; *[LimitError] when a limit is passed; [ErrFollows]
// for the unframed command output of Asterisk 13 and older; any other is the source's own.
func (r *Reader) Read() (*Message, error) {
	if r.err != nil {
		return nil, r.err
	}
	m := &r.msg
	m.blank = false
	var (
		buf   = r.buf[:r.end]
		lines = m.lines[:0]
		start = r.next // of the block
		at    = start  // of the line
		seen  = start  // up to here the line has no LF: a long line that comes in bits is searched once
	)
	for {
		i := bytes.IndexByte(buf[seen:], '\n')
		if i < 0 {
			// A lone CR may be the first half of the empty line, which counts for no limit.
			n := len(buf) - at
			if (n > r.limits.Line || len(buf)-start > r.limits.Block) && (n != 1 || buf[at] != '\r') {
				return nil, r.fail(r.tooLong(at-start, n))
			}
			seen = len(buf)
			moved, err := r.fill(start)
			if err != nil {
				return nil, r.fail(inside(err, seen > start))
			}
			start, at, seen = start-moved, at-moved, seen-moved
			buf = r.buf[:r.end]
			continue
		}
		eol := seen + i
		n := eol - at
		if n <= 1 && (n == 0 || buf[at] == '\r') {
			if len(lines) == 0 {
				m.blank = true
				start, at, seen = eol+1, eol+1, eol+1
				continue
			}
			m.buf, m.lines = buf[start:at:at], lines
			r.next = eol + 1
			if equalFold(m.Response(), "Follows") {
				return nil, r.fail(ErrFollows)
			}
			return m, nil
		}
		if n > r.limits.Line || eol+1-start > r.limits.Block {
			return nil, r.fail(r.tooLong(at-start, n))
		}
		if len(lines) == r.limits.Fields {
			return nil, r.fail(&LimitError{What: "fields", Limit: r.limits.Fields})
		}
		colon := bytes.IndexByte(buf[at:eol], ':')
		lines = append(lines, line{end: uint32(eol + 1 - start), name: uint32(max(colon, 0))}) //nolint:gosec // Limits.Block is at most 1 GiB
		at, seen = eol+1, eol+1
	}
}

// fill reads once from the source, after making room. Bytes before keep are given up; moved says by how much those from
// keep on have moved towards the front of the buffer.
func (r *Reader) fill(keep int) (moved int, err error) {
	if r.srcErr != nil {
		return 0, r.srcErr
	}
	switch held := r.end - keep; {
	case held == 0:
		moved, r.end = keep, 0
	case r.end < len(r.buf):
	case held <= len(r.buf)/2:
		moved, r.end = keep, copy(r.buf, r.buf[keep:r.end])
	default:
		// Reading has checked the limits, so held is at most the block limit and one CR: there is room after this.
		bigger := make([]byte, min(2*len(r.buf), r.limits.Block+slack))
		moved, r.end = keep, copy(bigger, r.buf[keep:r.end])
		r.buf = bigger
	}
	for range emptyReads {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		r.srcErr = err
		if n > 0 {
			return moved, nil
		}
		if err != nil {
			return moved, err
		}
	}
	return moved, io.ErrNoProgress
}

// emptyReads is how often a source may give nothing and no error in a row.
const emptyReads = 100

func (r *Reader) fail(err error) error {
	r.err = err
	return err
}

// tooLong says which of two limits was passed first, by position, so that the answer does not depend on how much of the
// line had come when it was looked at. The line begins at offset in its block and has n bytes so far.
func (r *Reader) tooLong(offset, n int) error {
	if n > r.limits.Line && offset+r.limits.Line <= r.limits.Block {
		return &LimitError{What: "line", Limit: r.limits.Line}
	}
	return &LimitError{What: "block", Limit: r.limits.Block}
}

// inside turns the end of the stream into an unexpected one when it came inside something.
func inside(err error, something bool) error {
	if err == io.EOF && something { //nolint:errorlint // readers return io.EOF itself
		return io.ErrUnexpectedEOF
	}
	return err
}
