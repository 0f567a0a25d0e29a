package amiread

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/textproto"
	"strings"

	"github.com/earshot-pbx/earshot/ami"
	"github.com/earshot-pbx/earshot/testdata/peers/contest"
)

// Names of the readers that figures are asked of.
const (
	Earshot   = "Earshot"
	Textproto = "net/textproto"
	Searches  = "two IndexByte a line"
)

const bufferSize = 64 << 10

type field struct{ name, value string }

// reference cuts the whole stream at what ends an event, these at what ends a line, and these at the first colon.
func reference(stream []byte) (events [][]field) {
	for text := range strings.SplitSeq(strings.TrimSuffix(string(stream), "\r\n\r\n"), "\r\n\r\n") {
		var fields []field
		for line := range strings.SplitSeq(text, "\r\n") {
			name, value, _ := strings.Cut(line, ":")
			fields = append(fields, field{name, strings.TrimPrefix(value, " ")})
		}
		events = append(events, fields)
	}
	return events
}

// Check has all readers read a stream, and compares what they find with the reference.
func Check(stream []byte) (events, fields int, err error) {
	mine := ami.NewReader(bytes.NewReader(stream), ami.Limits{})
	searches := &floor{src: bytes.NewReader(stream), buf: make([]byte, bufferSize)}
	lines := textproto.NewReader(bufio.NewReaderSize(bytes.NewReader(stream), bufferSize))
	for n, want := range reference(stream) {
		m, err := mine.Read()
		if err != nil {
			return 0, 0, fmt.Errorf("event %d: %w", n, err)
		}
		found, err := searches.read()
		if err != nil {
			return 0, 0, fmt.Errorf("event %d by %s: %w", n, Searches, err)
		}
		header, err := lines.ReadMIMEHeader()
		if err != nil {
			return 0, 0, fmt.Errorf("event %d by %s: %w", n, Textproto, err)
		}
		if m.Len() != len(want) || found != len(want) {
			return 0, 0, fmt.Errorf("event %d has %d fields: Earshot reads %d, %s %d", n, len(want), m.Len(), Searches, found)
		}
		inHeader := textproto.MIMEHeader{}
		for i, f := range want {
			if name, value := m.Field(i); string(name) != f.name || string(value) != f.value {
				return 0, 0, fmt.Errorf("event %d: Earshot reads %q of %q", n, value, f)
			}
			at := searches.fields[i]
			if name, value := string(searches.buf[at[0]:at[1]]), string(searches.buf[at[2]:at[3]]); name != f.name || value != f.value {
				return 0, 0, fmt.Errorf("event %d: %s reads %q of %q", n, Searches, value, f)
			}
			inHeader.Add(f.name, f.value)
		}
		if fmt.Sprint(header) != fmt.Sprint(inHeader) {
			return 0, 0, fmt.Errorf("event %d: %s reads %q", n, Textproto, header)
		}
		events, fields = events+1, fields+len(want)
	}
	if _, err := mine.Read(); err != io.EOF { //nolint:errorlint // the reader promises io.EOF itself
		return 0, 0, fmt.Errorf("behind the last event Earshot reads %w", err)
	}
	return events, fields, nil
}

// repeated gives a stream for ever.
type repeated struct {
	all []byte
	at  int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.all[r.at:])
	if r.at += n; r.at == len(r.all) {
		r.at = 0
	}
	return n, nil
}

// floor is the least that a reader of this protocol has to do: a buffer, one search for the line's end and one for the colon, and where each field is.
// It trusts the peer: no limits, no checks, and no event larger than its buffer.
type floor struct {
	src        io.Reader
	buf        []byte
	start, end int
	fields     [128][4]int
}

func (f *floor) read() (int, error) {
	line, n := f.start, 0
	for {
		i := bytes.IndexByte(f.buf[line:f.end], '\n')
		if i < 0 {
			copy(f.buf, f.buf[f.start:f.end])
			line, f.end, f.start, n = 0, f.end-f.start, 0, 0
			got, err := f.src.Read(f.buf[f.end:])
			if err != nil {
				return 0, err
			}
			f.end += got
			continue
		}
		if i == 1 {
			f.start = line + 2
			return n, nil
		}
		colon := bytes.IndexByte(f.buf[line:line+i], ':')
		f.fields[n] = [4]int{line, line + colon, line + colon + 2, line + i - 1}
		n++
		line += i + 1
	}
}

// Contenders read the stream over and over, and find every field of each event.
func Contenders(stream []byte) []contest.Contender {
	mine := ami.NewReader(&repeated{all: stream}, ami.Limits{})
	searches := &floor{src: &repeated{all: stream}, buf: make([]byte, bufferSize)}
	lines := textproto.NewReader(bufio.NewReaderSize(&repeated{all: stream}, bufferSize))
	each := func(name string, read func() bool) contest.Contender {
		return contest.Contender{Name: name, Do: func(n int) {
			for range n {
				if !read() {
					panic(name + " cannot read an event")
				}
			}
		}}
	}
	return []contest.Contender{
		each(Earshot, func() bool {
			m, err := mine.Read()
			if err != nil {
				return false
			}
			for i := range m.Len() {
				if name, _ := m.Field(i); len(name) == 0 {
					return false
				}
			}
			return m.Len() >= 4
		}),
		each(Searches, func() bool { n, err := searches.read(); return n >= 4 && err == nil }),
		each(Textproto, func() bool { h, err := lines.ReadMIMEHeader(); return len(h) >= 4 && err == nil }),
	}
}
