package audit

import (
	"bytes"
	"strconv"
	"strings"
)

// Notes is what a log says of its own gaps: a chain that is whole has every line that was written, and not what could not be.
type Notes struct {
	Unclosed    int // starts behind which nothing says that the Earshot before had everything on record: what it had not written yet is missing
	TornTail    int // ends that were cut off a line
	WriteFailed int // times in which the log could not be written
	Refused     int // entries that are missing, of what was refused since it could not be recorded
	Lost        int // entries that are missing, of what has happened
	Unknown     int // acts of which nobody knows whether they were carried out
	Restarted   int // ends that were found after a restart: when and why they came nobody knows
}

// String names what there is, in the log's own words; it is empty when there is nothing.
func (n Notes) String() string {
	var all []string
	for _, note := range []struct {
		name  string
		count int
	}{
		{"not_closed", n.Unclosed}, {DetailTornTail, n.TornTail}, {DetailWriteFailed, n.WriteFailed},
		{strings.TrimSuffix(DetailRefused, ":"), n.Refused}, {strings.TrimSuffix(DetailLost, ":"), n.Lost},
		{ReasonUnknown, n.Unknown}, {ReasonRestarted, n.Restarted},
	} {
		if note.count > 0 {
			all = append(all, note.name+" "+strconv.Itoa(note.count))
		}
	}
	return strings.Join(all, ", ")
}

var (
	recoveredMark = []byte(`,"phase":"recovered"`)
	failedMark    = []byte(`,"phase":"failed"`)
	detailMark    = []byte(`,"detail":"`)
	unknownMark   = []byte(`,"reason":"` + ReasonUnknown + `"`)
	restartMark   = []byte(`,"reason":"` + ReasonRestarted + `"`)
)

// line takes a line that is good. It is not decoded, since a log may be long: a quotation mark within a value is escaped.
func (n *Notes) line(line []byte) {
	_, rest, _ := bytes.Cut(line, idMark)
	_, rest, ok := bytes.Cut(rest, []byte{'"'}) // an id is a code
	switch {
	case !ok:
	case !bytes.HasPrefix(rest, recoveredMark):
		if !bytes.HasPrefix(rest, failedMark) && !bytes.HasPrefix(rest, endedMark[1:]) && !bytes.HasPrefix(rest, revokedMark[1:]) {
			return
		}
		if bytes.Contains(rest, unknownMark) {
			n.Unknown++
		} else if bytes.Contains(rest, restartMark) {
			n.Restarted++
		}
	default:
		_, rest, _ = bytes.Cut(rest, detailMark)
		detail, _, _ := bytes.Cut(rest, []byte{'"'})
		n.note(string(detail))
	}
}

func (n *Notes) note(detail string) {
	switch detail {
	case DetailUnclosed:
		n.Unclosed++
	case DetailTornTail:
		n.TornTail++
	case DetailWriteFailed:
		n.WriteFailed++
	}
	for prefix, count := range map[string]*int{DetailRefused: &n.Refused, DetailLost: &n.Lost} {
		if text, ok := strings.CutPrefix(detail, prefix); ok {
			if more, err := strconv.Atoi(text); err == nil && more > 0 {
				*count += more
			}
		}
	}
}
