package ami

import (
	"bytes"
	"io"
)

// Writer writes messages to a byte stream. It is not safe for concurrent use.
type Writer struct {
	dst io.Writer
	buf []byte
}

// NewWriter makes a writer. It writes nothing yet.
func NewWriter(dst io.Writer) *Writer { return &Writer{dst: dst} }

// Write writes m in one call of the underlying Write, or nothing: a field that would read back as something else gives a
// *[FieldError] before any byte is written.
func (w *Writer) Write(m *Message) error {
	buf, err := m.AppendTo(w.buf[:0])
	if err != nil {
		return err
	}
	w.buf = buf
	_, err = w.dst.Write(buf)
	return err
}

// AppendTo appends m to dst as it goes over the wire, with the empty line at its end. With dst
// unchanged it refuses a message without fields ([ErrEmpty]) and every field that would read back as something else, here
// or in Asterisk (*[FieldError]): CR, LF or NUL anywhere (main/manager.c, get_input: LF ends a line, a line that begins with NUL ends the message), an
// empty name, a colon in a name, a blank at either end of one.
func (m *Message) AppendTo(dst []byte) ([]byte, error) {
	if m.badName != nil {
		return dst, m.badName
	}
	if len(m.lines) == 0 {
		return dst, ErrEmpty
	}
	if m.asWritten() {
		return append(append(dst, m.buf...), '\r', '\n'), nil
	}
	return m.appendEach(dst)
}

// appendEach is AppendTo line by line.
func (m *Message) appendEach(dst []byte) ([]byte, error) {
	before := len(dst)
	for i := range m.lines {
		line := trimEnd(m.rawLine(i))
		if problem := problemOf(line); problem != "" {
			return dst[:before], &FieldError{Index: i, Problem: problem}
		}
		colon := bytes.IndexByte(line, ':')
		dst = append(dst, line[:colon+1]...)
		dst = append(dst, ' ')
		dst = append(dst, valueAfter(line, colon)...)
		dst = append(dst, '\r', '\n')
	}
	return append(dst, '\r', '\n'), nil
}

// asWritten reports whether the lines stand in m as they go over the wire and nothing is wrong with them, as is so of nearly every message that was
// made with Append. What it cannot tell at once it denies.
func (m *Message) asWritten() bool {
	start := uint32(0)
	for _, l := range m.lines {
		line := m.buf[start:l.end]
		if n := len(line); l.name == 0 || n < int(l.name)+4 || line[0] <= ' ' || line[l.name-1] <= ' ' || line[l.name+1] != ' ' || line[n-2] != '\r' {
			return false
		}
		start = l.end
	}
	// One CR and one LF for each line are those that end it.
	return bytes.Count(m.buf, []byte{'\r'}) == len(m.lines) && bytes.Count(m.buf, []byte{'\n'}) == len(m.lines) && bytes.IndexByte(m.buf, 0) < 0
}

// problemOf says why a line, without its end, must not be written; "" when it may.
func problemOf(line []byte) string {
	for _, c := range line {
		switch c {
		case '\r':
			return "a CR"
		case '\n':
			return "an LF"
		case 0:
			return "a NUL"
		}
	}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return "an empty name"
	}
	if line[0] <= ' ' || line[colon-1] <= ' ' {
		return "a blank at the edge of the name"
	}
	return ""
}
