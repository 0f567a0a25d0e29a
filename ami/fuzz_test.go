package ami

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// tight limits let the fuzzer reach them with short inputs.
var tight = Limits{Line: 24, Fields: 4, Block: 64}

// roomy limits are out of reach for all but the longest inputs, and their buffers are quickly made.
var roomy = Limits{Line: 4 << 10, Fields: 4 << 10, Block: 8 << 10}

// plainly is what a Reader without limits does, written as simply as possible: the oracle.
func plainly(stream string) (string, error) {
	var b strings.Builder
	var fields []string
	x := Irregularity(0)
	for stream != "" {
		line, rest, found := strings.Cut(stream, "\n")
		if !found {
			return b.String(), io.ErrUnexpectedEOF
		}
		stream = rest
		text, crlf := strings.CutSuffix(line, "\r")
		if text == "" && len(fields) == 0 {
			x |= BlankLine
			continue
		}
		if text == "" {
			if strings.Map(lower, fields[0]) == "|response=follows" {
				return b.String(), ErrFollows
			}
			b.WriteString(x.String() + strings.Join(fields, "") + "\x1e")
			fields, x = nil, 0
			continue
		}
		if !crlf {
			x |= BareLF
		}
		if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
			x |= ControlByte
		}
		name, value, found := strings.Cut(text, ":")
		switch {
		case !found || name == "":
			name, value = "", text
			x |= NoName
		case !strings.HasPrefix(value, " "):
			x |= NoSpace
		default:
			value = value[1:]
		}
		fields = append(fields, "|"+name+"="+value)
	}
	if len(fields) > 0 {
		return b.String(), io.ErrUnexpectedEOF
	}
	return b.String(), io.EOF
}

func lower(c rune) rune {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"Event: Newchannel\r\nPrivilege: call,all\r\nChannel: PJSIP/101-00000001\r\nEmpty: \r\n\r\n",
		"Response: Success\r\nOutput: a: b\r\nOutput: \r\n\r\nResponse: Follows\r\n\r\n",
		"A:b\nB:  c\n\n\r\n\r\n: d\r\nplain\r\n\rE: f\r\n\r\n",
		"A: 345678901234567890123456789\r\n\r\n",
		"A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n\r\n",
		"A: 34567890123456789012\r\nA: 34567890123456789012\r\nA: 34567890123456\r\n\r\n",
		"A: 34567890123456789012\r\nA: 34567890123456789012\r\nA: 345678901234567\r\n\r\n",
		"A: \x00\x7f\r\r\n\r\n\r",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		// Without limits in reach it does what the plain one does.
		want, wantErr := plainly(string(stream))
		got, err := outcome(bytes.NewReader(stream), roomy)
		if over := new(LimitError); errors.As(err, &over) {
			return // an input beyond them
		}
		if got != want || !errors.Is(err, wantErr) {
			t.Fatalf("read %q, %v; plainly %q, %v", got, err, want, wantErr)
		}
		for _, limits := range []Limits{roomy, tight} {
			sameHoweverCut(t, stream, limits)
		}
		reencodesEqual(t, stream)
		bounded(t, stream)
	})
}

func sameHoweverCut(t *testing.T, stream []byte, limits Limits) {
	whole, wholeErr := outcome(bytes.NewReader(stream), limits)
	same := func(how string, src io.Reader) {
		got, err := outcome(src, limits)
		if got != whole || err.Error() != wholeErr.Error() {
			t.Fatalf("%s: %q, %v; whole: %q, %v", how, got, err, whole, wholeErr)
		}
	}
	same("byte by byte", iotest.OneByteReader(bytes.NewReader(stream)))
	same("the end with the last bytes", iotest.DataErrReader(bytes.NewReader(stream)))
	for cut := range min(len(stream), 300) {
		same("in two", &pieces{string(stream[:cut]), string(stream[cut:])})
	}
}

// reencodesEqual checks that what Writer takes reads back as it was, and is byte for byte the same when it is regular.
func reencodesEqual(t *testing.T, stream []byte) {
	r := NewReader(bytes.NewReader(stream), roomy)
	for {
		m, err := r.Read()
		if err != nil {
			return
		}
		wire, err := m.AppendTo(nil)
		sameLineByLine(t, m, wire, err)
		if err != nil {
			if m.Irregular()&(ControlByte|NoName) == 0 && !strings.Contains(err.Error(), "blank") {
				t.Fatalf("%q is refused: %v", m.Raw(), err)
			}
			continue
		}
		if m.Irregular()&^(BlankLine|ControlByte) == 0 && string(wire) != string(m.Raw())+"\r\n" {
			t.Fatalf("%q is written as %q", m.Raw(), wire)
		}
		again := NewReader(bytes.NewReader(wire), roomy)
		back, err := again.Read()
		if err != nil || back.Len() != m.Len() {
			t.Fatalf("%q reads back as %v, %v", wire, back, err)
		}
		for i := range m.Len() {
			name, value := m.Field(i)
			backName, backValue := back.Field(i)
			if !bytes.Equal(name, backName) || !bytes.Equal(value, backValue) {
				t.Fatalf("field %q: %q reads back as %q: %q", name, value, backName, backValue)
			}
		}
		if _, err := again.Read(); !errors.Is(err, io.EOF) {
			t.Fatalf("%q holds more than one message: %v", wire, err)
		}
	}
}

func bounded(t *testing.T, stream []byte) {
	r := NewReader(bytes.NewReader(stream), tight)
	for {
		m, err := r.Read()
		if len(r.buf) > tight.Block+slack {
			t.Fatalf("the buffer has %d bytes", len(r.buf))
		}
		if err != nil {
			return
		}
		if m.Len() > tight.Fields || len(m.Raw()) > tight.Block {
			t.Fatalf("%d fields in %d bytes are over the limits", m.Len(), len(m.Raw()))
		}
		for i := range m.Len() {
			if n := len(m.rawLine(i)); n > tight.Line+1 {
				t.Fatalf("a line of %d bytes is over the limit", n)
			}
		}
	}
}

// sameLineByLine checks that a message which is written in one piece is what its lines are.
func sameLineByLine(t *testing.T, m *Message, wire []byte, err error) {
	each, eachErr := m.appendEach(nil)
	if !bytes.Equal(wire, each) || (err == nil) != (eachErr == nil) {
		t.Fatalf("%q, %v and line by line %q, %v", wire, err, each, eachErr)
	}
}

func FuzzAppend(f *testing.F) {
	f.Add("Channel", "PJSIP/101-00000001")
	f.Add("A", " b: c ")
	f.Add("A:B", "c")
	f.Add("", "x")
	f.Add("A", "b\r\n\r\nAction: Originate")
	f.Add("A\r\nB", "c\r")
	f.Fuzz(func(t *testing.T, name, value string) {
		m := NewAction("X").Append(name, value)
		wire, err := m.AppendTo(nil)
		if m.badName == nil {
			sameLineByLine(t, m, wire, err)
		}
		if err != nil {
			if len(wire) != 0 {
				t.Fatalf("refused, and %q written", wire)
			}
			return
		}
		r := NewReader(bytes.NewReader(wire), Limits{Line: len(wire), Block: len(wire)})
		back, err := r.Read()
		if err != nil || back.Len() != 2 {
			t.Fatalf("%q reads back as %v, %v", wire, back, err)
		}
		if n, v := back.Field(1); string(n) != name || string(v) != value {
			t.Fatalf("%q: %q reads back as %q: %q", name, value, n, v)
		}
		if _, err := r.Read(); !errors.Is(err, io.EOF) {
			t.Fatalf("%q holds more than one message", wire)
		}
	})
}
