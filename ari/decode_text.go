package ari

import (
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// What scan has met inside a string, beside plain ASCII.
const (
	escaped  = 1 << iota // a backslash
	nonASCII             // a byte above 127
)

// scan finds the quote that ends the string beginning at i (the index of its first quote). It goes eight bytes at a
// time as long as there is nothing but plain ASCII, which is nearly always.
func (d *decoder) scan(i int) (end int, met uint8) {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	s := d.s
	i++
	for i+8 <= len(s) {
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		// A byte's high bit becomes 1 if the byte is a quote, a backslash, a control character or not ASCII. A borrow
		// can set bits above such a byte wrongly, never below it, and only the lowest is used.
		m := (w | (w ^ '"'*ones - ones) | (w ^ '\\'*ones - ones) | (w - 0x20*ones)) & highs
		if m == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(m) >> 3
		if s[i] == '"' {
			return i, met
		}
		break
	}
	for i < len(s) {
		switch c := s[i]; {
		case c == '"':
			return i, met
		case c == '\\':
			met |= escaped
			n := escapeLen(s[i:])
			if n == 0 {
				return d.fail(i, errSyntax), met
			}
			i += n
		case c < 0x20:
			return d.fail(i, errSyntax), met
		default:
			if c >= utf8.RuneSelf {
				met |= nonASCII
			}
			i++
		}
	}
	return d.fail(i, errSyntax), met
}

// escapeLen gives the length of the escape that s begins with, 0 if it is none.
func escapeLen(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(s) >= 6 && hex4(s[2:6]) >= 0 {
			return 6
		}
	}
	return 0
}

// hex4 gives the value of four hexadecimal digits, negative if they are not.
func hex4(s string) rune {
	var r rune
	for i := range 4 {
		c := s[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// text reads the string that begins at i. It allocates only if the string has escapes or is not valid UTF-8.
func (d *decoder) text(i int) (string, int) {
	end, met := d.scan(i)
	if end < 0 {
		return "", end
	}
	v := d.s[i+1 : end]
	if met != 0 && (met&escaped != 0 || !utf8.ValidString(v)) {
		v = unescape(v)
	}
	return v, end + 1
}

// unescape gives what the inside of a JSON string stands for; scan has checked it. Half a surrogate pair and bytes that
// are not UTF-8 become U+FFFD, as in encoding/json.
func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '\\' && s[i+1] == 'u':
			r := hex4(s[i+2:])
			i += 6
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if len(s)-i >= 6 && s[i] == '\\' && s[i+1] == 'u' {
					low = hex4(s[i+2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			b = utf8.AppendRune(b, r)
		case c == '\\':
			b = append(b, plain(s[i+1]))
			i += 2
		case c < utf8.RuneSelf:
			b = append(b, c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += n
		}
	}
	return string(b)
}

// plain gives the byte that a two-character escape stands for.
func plain(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}
