package doctor

import "bytes"

// comments takes comments off lines. Its state is how deep it is in block comments, and stays from line to line.
type comments int

// nesting is how deep block comments may be in each other (main/config.c, MAX_NESTED_COMMENTS).
const nesting = 128

// strip returns what Asterisk reads of a line, and false when all of it is within a comment. It follows config_text_file_load in main/config.c
// step by step, with what nobody would design so: a "--;" outside a comment takes everything after its line for a comment, up to the next
// ";--". line is overwritten.
func (c *comments) strip(line []byte) ([]byte, bool) {
	// buf is the whole line; from is where the next search begins. text is where what is read begins, -1 while nothing is.
	buf, from, text := line, 0, 0
	if *c != 0 {
		text = -1
	}
	for {
		i := bytes.IndexByte(buf[from:], ';')
		if i < 0 {
			break
		}
		at := from + i
		switch {
		case at > from && buf[at-1] == '\\':
			buf = append(buf[:at-1], buf[at:]...)
			from = at
		case begins(buf[at:]):
			if *c >= nesting {
				from = at + 1 // Asterisk says so and would look at the same place for ever
				continue
			}
			buf[at] = 0 // the text ends here, and what comes after the comment is moved here
			*c++
			from = at + 3
		case at >= from+2 && buf[at-1] == '-' && buf[at-2] == '-':
			*c--
			from = at + 1
			if *c != 0 {
				continue
			}
			if text < 0 {
				text = from
				continue
			}
			end := text + length(buf[text:])
			buf = append(buf[:end], buf[from:]...)
			from = end
		case *c == 0:
			buf = buf[:at]
			from = at
		default:
			from = at + 1
		}
	}
	if text < 0 {
		return nil, false
	}
	rest := buf[text:]
	return rest[:length(rest)], true
}

// begins reports whether a block comment begins here: ";--", and no third hyphen.
func begins(b []byte) bool {
	return len(b) >= 3 && b[1] == '-' && b[2] == '-' && (len(b) == 3 || b[3] != '-')
}

// length is that of a text which ends at a NUL, as C has it.
func length(b []byte) int {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return i
	}
	return len(b)
}
