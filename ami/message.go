package ami

import (
	"bytes"
	"fmt"
	"strings"
)

// Message is one block of the protocol: an action, an answer or an event. It is a list of fields; the order and the
// repeats are kept. The zero value is an empty message, ready for Append.
//
// A message from a [Reader] (or in [Config.OnEvent]) is a view of the reader's buffer and is valid until the next Read;
// a message from Clone, NewAction, Do or List belongs to its holder. A message is not safe for concurrent use while one
// of the users changes it.
type Message struct {
	buf     []byte // the lines with their terminators, without the empty line at the end
	lines   []line
	blank   bool  // empty lines came before the block
	badName error // the first name given to Append that would read back as another one
}

// line is where a line of the block ends, and where its name does. Reading looks for the colon at once: the processor does that while it looks
// for the end of the next line, and would have nothing to do else.
type line struct {
	end  uint32 // offset in the block, after the terminator
	name uint32 // length; zero for a line without a name
}

// NewAction makes an action of this name, such as "Ping" or "CoreShowChannels".
func NewAction(name string) *Message {
	return new(Message).Append("Action", name)
}

// Append adds a field at the end and returns m. Nothing is refused here: a name or a value that cannot be written
// makes [Message.AppendTo], and so every way of sending, return an error.
func (m *Message) Append(name, value string) *Message {
	colon := strings.IndexByte(name, ':')
	if colon < 0 {
		colon = len(name)
	} else if m.badName == nil {
		m.badName = &FieldError{Index: m.Len(), Problem: "a colon in the name"}
	}
	m.buf = append(m.buf, name...)
	m.buf = append(m.buf, ':', ' ')
	m.buf = append(m.buf, value...)
	m.buf = append(m.buf, '\r', '\n')
	m.lines = append(m.lines, line{end: uint32(len(m.buf)), name: uint32(colon)}) //nolint:gosec // a message is far below 4 GiB
	return m
}

// Set gives the first field of this name a new value and removes the others; without one, it appends. It returns m.
func (m *Message) Set(name, value string) *Message {
	var out Message
	out.badName = m.badName
	done := false
	for i := range m.lines {
		raw := m.rawLine(i)
		if !named(raw, name) {
			out.appendLine(raw, m.lines[i].name)
			continue
		}
		if !done {
			out.Append(name, value)
			done = true
		}
	}
	if !done {
		out.Append(name, value)
	}
	*m = out
	return m
}

// Clone returns a copy that stays valid.
func (m *Message) Clone() *Message {
	return &Message{
		buf:     bytes.Clone(m.buf),
		lines:   append([]line(nil), m.lines...),
		blank:   m.blank,
		badName: m.badName,
	}
}

// Reset empties m for use again; its memory is kept.
func (m *Message) Reset() {
	m.buf, m.lines, m.blank, m.badName = m.buf[:0], m.lines[:0], false, nil
}

// Len returns the number of fields.
func (m *Message) Len() int { return len(m.lines) }

// Field returns field i in the order of arrival, as views. A line without a colon, or one that begins with a colon, has
// an empty name and is the value as a whole. One space after the colon belongs to neither. It panics when i is not
// below Len.
func (m *Message) Field(i int) (name, value []byte) {
	value = trimEnd(m.rawLine(i))
	colon := m.lines[i].name
	if colon == 0 {
		return nil, value
	}
	name, value = value[:colon:colon], value[colon+1:]
	if len(value) != 0 && value[0] == ' ' {
		value = value[1:]
	}
	return name, value
}

// Lookup returns a view of the value of the first field with this name, in any case of its ASCII letters, and reports
// whether there is one. The first is the one that Asterisk wrote; what a caller's text smuggled in comes later.
func (m *Message) Lookup(name string) ([]byte, bool) {
	if name == "" || strings.IndexByte(name, ':') >= 0 {
		return nil, false
	}
	start := uint32(0)
	for _, l := range m.lines {
		if int(l.name) == len(name) && equalFold(m.buf[start:start+l.name], name) {
			return valueAfter(m.buf[start:l.end], len(name)), true
		}
		start = l.end
	}
	return nil, false
}

// Get returns a copy of the value of the first field with this name, or "".
func (m *Message) Get(name string) string {
	v, _ := m.Lookup(name)
	return string(v)
}

// Values returns copies of the values of all fields with this name, in order, such as the Output lines of a command or
// repeated ChanVariable fields.
func (m *Message) Values(name string) []string {
	var all []string
	for i := range m.lines {
		n, v := m.Field(i)
		if len(n) != 0 && equalFold(n, name) {
			all = append(all, string(v))
		}
	}
	return all
}

// Event returns a view of the event's name, or nil when m is no event. Asterisk writes it as the first line, so only
// that is looked at.
func (m *Message) Event() []byte { return m.first("Event") }

// Response returns a view of the answer's kind ("Success", "Error", "Goodbye"), or nil when m is no answer. Asterisk
// writes it as the first line, so only that is looked at.
func (m *Message) Response() []byte { return m.first("Response") }

// Action returns a view of the action's name, or nil when m is no action: like Asterisk (main/manager.c,
// process_message) it takes the first Action field that is not empty, wherever it stands.
func (m *Message) Action() []byte {
	for i := range m.lines {
		line := m.rawLine(i)
		if !named(line, "Action") {
			continue
		}
		if v := valueAfter(line, len("Action")); len(v) != 0 {
			return v
		}
	}
	return nil
}

// Raw returns a view of the block as it stands on the wire, without the empty line that ends it.
func (m *Message) Raw() []byte { return m.buf }

// shown are the fields whose values String prints: they say what kind of message it is and hold nothing about people.
var shown = map[string]bool{
	"action": true, "actionid": true, "event": true, "response": true, "privilege": true,
	"eventlist": true, "listitems": true, "authtype": true, "events": true,
}

// String describes m on one line, fit for a log: values are given for the fields that say what kind of message it is,
// and as a length for all others. Secrets, keys, names and numbers do not appear. Use Field or Raw for the values.
func (m Message) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range m.lines {
		if i > 0 {
			b.WriteString(", ")
		}
		name, value := m.Field(i)
		switch {
		case len(name) == 0:
			fmt.Fprintf(&b, "[line of %d bytes]", len(value))
		case shown[strings.ToLower(string(name))]:
			fmt.Fprintf(&b, "%s: %q", printable(name), value)
		default:
			fmt.Fprintf(&b, "%s: [%d bytes]", printable(name), len(value))
		}
	}
	b.WriteByte('}')
	return b.String()
}

// GoString is String, so that %#v does not print more.
func (m Message) GoString() string { return "ami.Message" + m.String() }

// printable is a field name as String shows it: one that no Asterisk writes may hold anything.
func printable(name []byte) string {
	for _, c := range name {
		if c <= ' ' || c >= 0x7f {
			return fmt.Sprintf("[name of %d bytes]", len(name))
		}
	}
	return string(name)
}

func (m *Message) first(name string) []byte {
	if len(m.lines) == 0 {
		return nil
	}
	if line := m.rawLine(0); named(line, name) {
		return valueAfter(line, len(name))
	}
	return nil
}

// appendLine appends another message's line, with its terminator and the length of its name.
func (m *Message) appendLine(raw []byte, name uint32) {
	m.buf = append(m.buf, raw...)
	m.lines = append(m.lines, line{end: uint32(len(m.buf)), name: name}) //nolint:gosec // see Append
}

// rawLine returns line i with its terminator.
func (m *Message) rawLine(i int) []byte {
	start := uint32(0)
	if i > 0 {
		start = m.lines[i-1].end
	}
	return m.buf[start:m.lines[i].end]
}

// named reports whether the line's field has this name, which has no colon in it: then a colon right behind the name is
// the line's first, and it need not be searched for.
func named(line []byte, name string) bool {
	return len(name) != 0 && len(line) > len(name) && line[len(name)] == ':' && equalFold(line[:len(name)], name)
}

// valueAfter returns what follows the colon, without one space and without the terminator.
func valueAfter(line []byte, colon int) []byte {
	line = trimEnd(line)
	colon++
	if colon < len(line) && line[colon] == ' ' {
		colon++
	}
	return line[colon:]
}

// trimEnd cuts LF and one CR before it. A second CR stays: it is a byte that Asterisk put into the value.
func trimEnd(line []byte) []byte {
	n := len(line)
	if n > 0 && line[n-1] == '\n' {
		n--
		if n > 0 && line[n-1] == '\r' {
			n--
		}
	}
	return line[:n:n]
}

// equalFold compares like Asterisk's strcasecmp: ASCII letters only, so that no other letter folds onto one.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		x, y := b[i], s[i]
		if x == y {
			continue
		}
		if x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z' {
			return false
		}
	}
	return true
}
