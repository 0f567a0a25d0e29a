package ami

import (
	"encoding/binary"
	"strings"
)

// Irregularity is a set of things about a received block that Asterisk's own writing does not have (seen on 22.10: none in
// answers, lists and call events, but see BlankLine). They point to text that somebody put into a field with line breaks in it, or to a peer that is not Asterisk.
type Irregularity uint8

// What [Message.Irregular] finds.
const (
	BareLF      Irregularity = 1 << iota // a line ends with LF alone
	ControlByte                          // a line holds a byte below 0x20 other than TAB, or 0x7F: also CR and NUL
	NoName                               // a line has no colon or begins with one
	NoSpace                              // no space follows the colon
	BlankLine                            // empty lines came before the block; Asterisk 22 does this around security events
)

var irregularNames = [...]string{"bare LF", "control byte", "line without a name", "no space after the colon", "empty line before"}

// String lists what is set.
func (x Irregularity) String() string {
	if x == 0 {
		return "regular"
	}
	var s []string
	for i, name := range irregularNames {
		if x&(1<<i) != 0 {
			s = append(s, name)
		}
	}
	return strings.Join(s, ", ")
}

// Irregular looks through the whole block and returns what is irregular about it, zero for nothing. It costs a pass over
// the bytes, so reading does not do it unasked.
func (m *Message) Irregular() Irregularity {
	var x Irregularity
	if m.blank {
		x |= BlankLine
	}
	for i := range m.lines {
		raw := m.rawLine(i)
		line := trimEnd(raw)
		if len(raw)-len(line) != 2 {
			x |= BareLF
		}
		if hasControl(line) {
			x |= ControlByte
		}
		colon := int(m.lines[i].name)
		switch {
		case colon == 0:
			x |= NoName
		case colon+1 == len(line) || line[colon+1] != ' ':
			x |= NoSpace
		}
	}
	return x
}

// hasControl reports whether a control byte other than TAB is in the line. Most lines have none, and eight bytes at once
// tell that; the last eight overlap with those before.
func hasControl(line []byte) bool {
	if len(line) < 8 {
		return hasControlByte(line)
	}
	for i := 0; i+8 < len(line); i += 8 {
		if mayBeControl(binary.LittleEndian.Uint64(line[i:])) {
			return hasControlByte(line)
		}
	}
	return mayBeControl(binary.LittleEndian.Uint64(line[len(line)-8:])) && hasControlByte(line)
}

// mayBeControl reports whether one of eight bytes is below 0x20 or is 0x7F: a byte below 0x20 borrows when 0x20 is taken
// from it, 0x7F is zero under an exclusive or with itself and borrows when one is taken.
func mayBeControl(x uint64) bool {
	const ones = 0x0101010101010101
	del := x ^ 0x7f*ones
	return ((x-0x20*ones)&^x|(del-ones)&^del)&(0x80*ones) != 0
}

func hasControlByte(line []byte) bool {
	for _, c := range line {
		if c < 0x20 && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}
