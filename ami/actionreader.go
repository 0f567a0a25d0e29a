package ami

import (
	"bytes"
	"io"
)

// ParseError says what is wrong with an action that a client sent. The session answers it and goes on with the next one,
// except where noted.
type ParseError struct {
	// Problem is "line too long", "too many lines", "message too long" (which ends the session), "control byte",
	// "no header" (a line that is not "Name: value") or "duplicate header".
	Problem string
}

// Error names the problem. It repeats nothing of what was sent.
func (e *ParseError) Error() string { return "ami: action with " + e.Problem }

// reply is what the client is told: Asterisk's words where Asterisk has some (main/manager.c, do_message).
func (e *ParseError) reply() string {
	if e == errManyLines {
		return "Too many lines in message or allocation failure"
	}
	return "Failed to parse message: " + e.Problem
}

var (
	errLongLine    = &ParseError{"line too long"}
	errManyLines   = &ParseError{"too many lines"}
	errLongMessage = &ParseError{"message too long"}
	errControl     = &ParseError{"control byte"}
	errNoHeader    = &ParseError{"no header"}
	errDuplicate   = &ParseError{"duplicate header"}
)

// actionReader reads what clients send, in one way: lines end with LF or CRLF, each is a name, a colon and a value, an
// empty one ends the message. Asterisk's own reading has more ways, and texts that two readers take differently are what
// smuggling is made of; here everything that Asterisk might take for something else is an error of the message. The
// message is read to its end all the same, so that no part of it can pass for one of its own, and the next one is good.
//
// What it gives out is written anew: one space behind the colon (Asterisk skips blanks there), CRLF behind the value.
type actionReader struct {
	src        io.Reader
	limits     Limits
	repeats    func(action, header string) bool
	in         [1024]byte
	next, have int
	line       []byte // the line so far, without its end; it stops growing one byte beyond the limit
	taken      int    // bytes of the message so far
	msg        Message
}

// read returns the next message, good until the next read. A *[ParseError] is about one message, of which those fields
// that were read before it are returned, too; after errLongMessage and any other error nothing more can be read. A message
// without fields is an empty line where a message should begin.
func (r *actionReader) read() (*Message, error) {
	var bad *ParseError
	found := func(e *ParseError) {
		if bad == nil {
			bad = e
		}
	}
	r.msg.Reset()
	r.taken = 0
	for {
		if err := r.readLine(); err != nil {
			return &r.msg, err
		}
		if len(r.line) == 0 {
			break
		}
		if len(r.line) > r.limits.Line {
			found(errLongLine)
			continue
		}
		if r.msg.Len() == r.limits.Fields {
			found(errManyLines)
		}
		if bad != nil {
			continue
		}
		name, value, problem := header(r.line)
		if problem != nil {
			found(problem)
			continue
		}
		r.msg.Append(string(name), string(value))
	}
	if bad == nil && r.duplicates() {
		bad = errDuplicate
	}
	if bad != nil {
		return &r.msg, bad
	}
	return &r.msg, nil
}

// readLine reads one line into r.line, without its end: a CR belongs to the end when LF follows it.
func (r *actionReader) readLine() error {
	r.line = r.line[:0]
	for {
		if r.next == r.have {
			n, err := r.src.Read(r.in[:])
			r.next, r.have = 0, n
			if n == 0 && err != nil {
				return inside(err, r.taken > 0)
			}
			continue
		}
		rest := r.in[r.next:r.have]
		i := bytes.IndexByte(rest, '\n')
		if i >= 0 {
			rest = rest[:i+1]
		}
		r.next += len(rest)
		r.taken += len(rest)
		if r.taken > r.limits.Block {
			return errLongMessage
		}
		// Two bytes more than a line may have tell that it is too long, also when the first of them is its CR.
		r.line = append(r.line, rest[:min(len(rest), r.limits.Line+2-len(r.line))]...)
		if i >= 0 {
			r.line = trimEnd(r.line)
			return nil
		}
	}
}

// header takes a line apart.
func header(line []byte) (name, value []byte, problem *ParseError) {
	for _, c := range line {
		if c < ' ' || c == 0x7f {
			return nil, nil, errControl
		}
	}
	name, value, colon := bytes.Cut(line, []byte{':'})
	if !colon || len(name) == 0 {
		return nil, nil, errNoHeader
	}
	for _, c := range name {
		if c <= ' ' || c > '~' {
			return nil, nil, errNoHeader
		}
	}
	return name, bytes.TrimLeft(value, " "), nil
}

// duplicates reports whether a header is there twice that may not be. Asterisk takes the first of some and the last of
// others.
func (r *actionReader) duplicates() bool {
	m := &r.msg
	for i := 1; i < m.Len(); i++ {
		name, _ := m.Field(i)
		for j := range i {
			if other, _ := m.Field(j); len(other) != len(name) || !equalFold(other, string(name)) {
				continue
			}
			if !r.repeats(string(m.Action()), string(name)) {
				return true
			}
			break
		}
	}
	return false
}

// repeatVariable is what may be there more than once unless the application says otherwise.
func repeatVariable(action, header string) bool {
	return equalFold([]byte(action), "Originate") && equalFold([]byte(header), "Variable")
}
