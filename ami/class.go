package ami

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// Class is a set of event classes, bit for bit as in Asterisk's include/asterisk/manager.h. The zero value holds none.
type Class uint32

// The classes. Their names are those in Privilege fields, event masks and manager.conf.
const (
	ClassSystem    Class = 1 << 0
	ClassCall      Class = 1 << 1
	ClassLog       Class = 1 << 2
	ClassVerbose   Class = 1 << 3
	ClassCommand   Class = 1 << 4
	ClassAgent     Class = 1 << 5
	ClassUser      Class = 1 << 6
	ClassConfig    Class = 1 << 7
	ClassDTMF      Class = 1 << 8
	ClassReporting Class = 1 << 9
	ClassCDR       Class = 1 << 10
	ClassDialplan  Class = 1 << 11
	ClassOriginate Class = 1 << 12
	ClassAGI       Class = 1 << 13
	ClassCC        Class = 1 << 15
	ClassAOC       Class = 1 << 16
	ClassTest      Class = 1 << 17
	ClassSecurity  Class = 1 << 18
	ClassMessage   Class = 1 << 30

	// ClassAll is every class, and what a session without an event mask gets.
	ClassAll Class = math.MaxInt32
)

// classes are the names in Asterisk's order, which is the order in a Privilege field (main/manager.c, perms).
var classes = []struct {
	class Class
	name  string
}{
	{ClassSystem, "system"}, {ClassCall, "call"}, {ClassLog, "log"}, {ClassVerbose, "verbose"}, {ClassCommand, "command"},
	{ClassAgent, "agent"}, {ClassUser, "user"}, {ClassConfig, "config"}, {ClassDTMF, "dtmf"}, {ClassReporting, "reporting"},
	{ClassCDR, "cdr"}, {ClassDialplan, "dialplan"}, {ClassOriginate, "originate"}, {ClassAGI, "agi"}, {ClassCC, "cc"},
	{ClassAOC, "aoc"}, {ClassTest, "test"}, {ClassSecurity, "security"}, {ClassMessage, "message"}, {ClassAll, "all"},
}

// String gives c as Asterisk writes it in a Privilege field: "call,all" for ClassCall, "<none>" for none.
func (c Class) String() string {
	var names []string
	for _, k := range classes {
		if c&k.class != 0 {
			names = append(names, k.name)
		}
	}
	if len(names) == 0 {
		return "<none>"
	}
	return strings.Join(names, ",")
}

// classOf reads a Privilege field. The word "all", which Asterisk puts behind the classes of every event, is none of them.
func classOf(privilege []byte) Class {
	var c Class
	for word := range bytes.SplitSeq(privilege, []byte{','}) {
		for _, k := range classes[:len(classes)-1] {
			if string(word) == k.name {
				c |= k.class
			}
		}
	}
	return c
}

// ParseMask reads an event mask as Asterisk reads that of Events and Login, and reports whether it is one: "on", "off", a
// number, or names of classes between commas. Names that Asterisk does not know are passed over, so a mask of nothing
// else is as good as "off". Empty text and a number that is negative as an int are no masks.
//
// A word with a comma behind it stands for every class whose name it begins, as in Asterisk (main/utils.c, ast_instring):
// "a,call" is all of them.
func ParseMask(s string) (Class, bool) {
	switch {
	case s == "":
		return 0, false
	case strings.Trim(s, "0123456789") == "":
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			n = math.MaxInt64 // where strtol stops
		}
		mask := int32(n) //nolint:gosec // Asterisk's atoi cuts it, too
		return Class(max(mask, 0)), mask >= 0
	case oneOf(s, "no", "false", "n", "f", "off"):
		return 0, true
	case oneOf(s, "yes", "true", "y", "t", "on"):
		return ClassAll, true
	}
	var c Class
	for _, k := range classes {
		for rest := s; rest != ""; {
			word, after, comma := strings.Cut(rest, ",")
			if word == k.name || comma && strings.HasPrefix(k.name, word) {
				c |= k.class
			}
			rest = after
		}
	}
	return c, true
}

func oneOf(s string, words ...string) bool {
	for _, w := range words {
		if equalFold([]byte(s), w) {
			return true
		}
	}
	return false
}
