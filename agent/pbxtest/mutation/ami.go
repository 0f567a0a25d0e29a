package mutation

import (
	"encoding/base64"
	"strings"
)

const lineEnd = "\r\n"

// AMI are mutants of an AMI action: every one of every kind, at several places of each header. Mutants of a kind "two" are two actions.
func AMI(action string) []Mutant {
	l := &list{}
	lines := strings.Split(strings.TrimSuffix(action, lineEnd+lineEnd), lineEnd)
	whole := func(lines []string) string { return strings.Join(lines, lineEnd) + lineEnd + lineEnd }
	for i, line := range lines {
		with := func(kind, text string) {
			other := append(append(append([]string{}, lines[:i]...), text), lines[i+1:]...)
			l.add(kind, whole(other))
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimPrefix(value, " ")
		if len(value) > 200 { // of what is long by intention, where it begins is enough
			with("case of a name", swapped(name)+": "+value)
			continue
		}
		l.header(with, name, value)
		l.duplicates(whole, lines, i, name, value)
	}
	l.order(whole, lines)
	l.ends(action, lines)
	return l.all
}

// header are the mutants of one line.
func (l *list) header(with func(kind, text string), name, value string) {
	for _, n := range []string{strings.ToUpper(name), strings.ToLower(name), swapped(name)} {
		with("case of a name", n+": "+value)
	}
	for _, v := range []string{strings.ToUpper(value), strings.ToLower(value), swapped(value)} {
		with("case of a value", name+": "+v)
	}
	for _, text := range []string{name + " : " + value, name + ":" + value, name + ":  " + value, name + ": " + value + " ", name + ": " + value + "   "} {
		with("spaces", text)
	}
	for _, text := range []string{name + ":\t" + value, name + "\t: " + value, name + ": " + value + "\t", "\t" + name + ": " + value} {
		with("tabs", text)
	}
	for _, text := range []string{" " + name + ": " + value, name + ":" + lineEnd + " " + value, name + ": " + lineEnd + "\t" + value} {
		with("folded", text)
	}
	for _, i := range places(value) {
		c := byte('x')
		if value != "" {
			c = value[i]
		}
		with("folded", name+": "+before(value, min(i, len(value)), lineEnd+" "))
		with("percent", name+": "+at(value, i, percent(c)))
		with("double percent", name+": "+at(value, i, "%25"+percent(c)[1:]))
		with("unicode escape", name+": "+at(value, i, unicode(c)))
		with("overlong", name+": "+at(value, i, overlong(c)))
		with("full width", name+": "+at(value, i, wide(string(rune(c&0x7f)))))
		with("NUL", name+": "+before(value, i, "\x00"))
		with("CR", name+": "+before(value, i, "\r"))
		with("LF", name+": "+before(value, i, "\n"))
		with("CR LF", name+": "+before(value, i, lineEnd))
		with("other line ends", name+": "+before(value, i, "\v"))
		with("other line ends", name+": "+before(value, i, "\f"))
		with("other line ends", name+": "+before(value, i, "\u0085"))
		with("other line ends", name+": "+before(value, i, "\u2028"))
		with("backslash", name+": "+before(value, i, `\`))
		with("plus", name+": "+before(value, i, "+"))
		with("plus", name+": "+before(value, i, "%20"))
		with("invisible", name+": "+before(value, i, "\u200b"))
	}
	with("full width", name+": "+wideDigits(value))
	with("NUL", name+": "+value+"\x00")
	with("NUL", name+"\x00: "+value)
	with("CR", name+": "+value+"\r")
	with("backslash", name+`: "`+value+`"`)
	with("base64", name+": "+base64.StdEncoding.EncodeToString([]byte(value)))
	with("base64", name+": "+base64.RawURLEncoding.EncodeToString([]byte(value)))
	with("two values", name+": "+value+","+value)
	with("two values", name+": "+value+"&"+value)
	with("two values", name+": "+value+";"+value)
	with("left out", name+":")
}

// duplicates are those of one header.
func (l *list) duplicates(whole func([]string) string, lines []string, i int, name, value string) {
	for _, line := range []string{name + ": " + value, strings.ToUpper(name) + ": " + value, name + ":", name + ": 1", name + ": PJSIP/100"} {
		l.add("a header twice", whole(append(append([]string{}, lines...), line)))
		l.add("a header twice", whole(append(append(append([]string{}, lines[:i]...), line), lines[i:]...)))
	}
	l.add("two", whole(lines)+whole(lines))
}

// order are those whose headers stand in another order.
func (l *list) order(whole func([]string) string, lines []string) {
	l.add("order", whole(reversed(lines)))
	if len(lines) > 1 {
		l.add("order", whole(append(append([]string{}, lines[1:]...), lines[0])))
		l.add("order", whole(append([]string{lines[len(lines)-1]}, lines[:len(lines)-1]...)))
	}
	l.add("a header more", whole(append(append([]string{}, lines...), "ActionID: m")))
	l.add("a header more", whole(append([]string{"ActionID: m"}, lines...)))
	l.add("a header more", whole(append([]string{"X-Earshot-Employee: olga"}, lines...)))
	l.add("a header more", whole(append(append([]string{}, lines...), "Response: Success")))
}

// ends are those whose lines end otherwise.
func (l *list) ends(action string, lines []string) {
	for _, end := range []string{"\n", "\r\r\n", "\n\r"} {
		l.add("line ends", strings.ReplaceAll(action, lineEnd, end)+lineEnd+lineEnd)
	}
	l.add("line ends", strings.Join(lines, "\r")+lineEnd+lineEnd)
	l.add("line ends", lineEnd+action)
	for i := 1; i < len(lines); i++ {
		head, tail := strings.Join(lines[:i], lineEnd), strings.Join(lines[i:], lineEnd)
		for _, between := range []string{"\n", "\r", "\r\r\n", "\r\n \r\n", "\r\n\t\r\n", "\x00\r\n", "\r\n\x00"} {
			l.add("line ends", head+between+tail+lineEnd+lineEnd)
		}
	}
}
