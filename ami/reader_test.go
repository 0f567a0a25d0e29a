package ami

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

const greeting = "Asterisk Call Manager/9.0.0\r\n"

// pieces is a source that gives one piece for each Read, and what is left of it for the next.
type pieces []string

func (p *pieces) Read(b []byte) (int, error) {
	if len(*p) == 0 {
		return 0, io.EOF
	}
	n := copy(b, (*p)[0])
	if (*p)[0] = (*p)[0][n:]; (*p)[0] == "" {
		*p = (*p)[1:]
	}
	return n, nil
}

// outcome reads a stream to its end: the fields of all messages, and the error.
func outcome(src io.Reader, limits Limits) (string, error) {
	var b strings.Builder
	r := NewReader(src, limits)
	for {
		m, err := r.Read()
		if err != nil {
			return b.String(), err
		}
		b.WriteString(m.Irregular().String())
		for i := range m.Len() {
			name, value := m.Field(i)
			b.WriteString("|" + string(name) + "=" + string(value))
		}
		b.WriteByte('\x1e')
	}
}

func TestSplitGreeting(t *testing.T) {
	stream := greeting + "Event: FullyBooted\r\nStatus: Fully Booted\r\n\r\n"
	for cut := range stream {
		r := NewReader(&pieces{stream[:cut], stream[cut:]}, Limits{})
		got, err := r.Greeting()
		if err != nil || got != "Asterisk Call Manager/9.0.0" {
			t.Fatalf("cut at %d: greeting %q, %v", cut, got, err)
		}
		if m, err := r.Read(); err != nil || string(m.Event()) != "FullyBooted" {
			t.Fatalf("cut at %d: message %v, %v", cut, m, err)
		}
	}
}

func TestAGreetingThatIsNotAsterisks(t *testing.T) {
	limit := new(LimitError)
	for _, c := range []struct {
		name, stream string
		check        func(error) bool
	}{
		{"another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n", is(ErrGreeting)},
		{"an event", "Event: X\r\n\r\n", is(ErrGreeting)},
		{"nothing", "", is(io.EOF)},
		{"half", greeting[:10], is(io.ErrUnexpectedEOF)},
		{"endless", strings.Repeat("Asterisk Call Manager/", 1000), func(err error) bool { return errors.As(err, &limit) && limit.What == "greeting" }},
		{"too long", strings.Repeat("Asterisk Call Manager/", 10) + "\n", func(err error) bool { return errors.As(err, &limit) && limit.What == "greeting" }},
	} {
		for kind, src := range map[string]io.Reader{"whole": strings.NewReader(c.stream), "bytes": iotest.OneByteReader(strings.NewReader(c.stream))} {
			r := NewReader(src, Limits{})
			_, err := r.Greeting()
			if !c.check(err) {
				t.Errorf("%s (%s): %v", c.name, kind, err)
			}
			if _, again := r.Read(); again != err {
				t.Errorf("%s (%s): Read after the error gives %v", c.name, kind, again)
			}
			if _, again := r.Greeting(); again != err {
				t.Errorf("%s (%s): Greeting after the error gives %v", c.name, kind, again)
			}
		}
	}
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func TestOneByteSegments(t *testing.T) {
	stream := "Response: Success\r\nActionID: 1\r\nMessage: Authentication accepted\r\n\r\n" +
		"Event: Newchannel\r\nChannel: PJSIP/101-00000001\r\nA:\r\nB: :\r\n\r\n\r\n\n" +
		"Event: Hangup\nCause: 16\n\n"
	whole, wholeErr := outcome(strings.NewReader(stream), Limits{})
	if strings.Count(whole, "\x1e") != 3 || !errors.Is(wholeErr, io.EOF) {
		t.Fatalf("read %q, %v", whole, wholeErr)
	}
	for kind, src := range map[string]io.Reader{
		"one byte at a time":       iotest.OneByteReader(strings.NewReader(stream)),
		"half of what is wanted":   iotest.HalfReader(strings.NewReader(stream)),
		"the end with last bytes":  iotest.DataErrReader(strings.NewReader(stream)),
		"one byte and the end too": iotest.DataErrReader(iotest.OneByteReader(strings.NewReader(stream))),
	} {
		if got, err := outcome(src, Limits{}); got != whole || !errors.Is(err, io.EOF) {
			t.Errorf("%s: %q, %v", kind, got, err)
		}
	}
}

func TestTheEndInsideAMessageIsUnexpected(t *testing.T) {
	stream := "Event: Hangup\r\nCause: 16\r\n\r\n"
	for cut := range len(stream) + 1 {
		want := io.ErrUnexpectedEOF
		if cut == 0 || cut == len(stream) {
			want = io.EOF
		}
		for kind, src := range map[string]io.Reader{"whole": strings.NewReader(stream[:cut]), "bytes": iotest.OneByteReader(strings.NewReader(stream[:cut]))} {
			if _, err := outcome(src, Limits{}); err != want {
				t.Errorf("ends after %d bytes (%s): %v, want %v", cut, kind, err, want)
			}
		}
	}
}

// endless gives the same text for ever and counts what was taken.
type endless struct {
	text  string
	taken int
}

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = e.text[(e.taken+i)%len(e.text)]
	}
	e.taken += len(b)
	return len(b), nil
}

func TestEndlessLine(t *testing.T) {
	testEndless(t, "x", Limits{}, "line", defaultLine)
}

func TestEndlessHeaders(t *testing.T) {
	testEndless(t, "A: b\r\n", Limits{}, "fields", defaultFields)
}

func TestEndlessBlock(t *testing.T) {
	testEndless(t, "A: "+strings.Repeat("b", 1000)+"\r\n", Limits{}, "block", defaultBlock)
}

func TestEndlessBlockWithSmallLimits(t *testing.T) {
	testEndless(t, "A: b\r\n", Limits{Block: 1}, "block", leastBlock)
	testEndless(t, "x", Limits{Line: 1}, "line", leastLine)
	testEndless(t, "A: b\r\n", Limits{Fields: 3}, "fields", 3)
}

func testEndless(t *testing.T, text string, limits Limits, what string, limit int) {
	t.Helper()
	src := &endless{text: text}
	r := NewReader(src, limits)
	_, err := r.Read()
	var over *LimitError
	if !errors.As(err, &over) || over.What != what || over.Limit != limit {
		t.Fatalf("error is %v, want %s over the limit of %d", err, what, limit)
	}
	bound := max(readBuffer, r.limits.Block+slack)
	if len(r.buf) > bound || src.taken > bound {
		t.Errorf("the buffer has %d bytes, %d were taken, the bound is %d", len(r.buf), src.taken, bound)
	}
	if _, again := r.Read(); again != err {
		t.Errorf("the next Read gives %v", again)
	}
}

func TestEndlessEmptyLinesNeedNoMemory(t *testing.T) {
	src := io.MultiReader(io.LimitReader(&endless{text: "\r\n"}, 10<<20), strings.NewReader("Event: X\r\n\r\n"))
	r := NewReader(src, Limits{})
	m, err := r.Read()
	if err != nil || string(m.Event()) != "X" || m.Irregular() != BlankLine {
		t.Fatalf("%v, %v", m, err)
	}
	if len(r.buf) > readBuffer {
		t.Errorf("the buffer grew to %d", len(r.buf))
	}
}

func TestWhatFitsTheLimitsExactlyIsRead(t *testing.T) {
	limits := Limits{Line: 16, Fields: 2, Block: 34}
	for _, c := range []struct{ stream, what string }{
		{"A: 34567890123\r\nB: 34567890123\r\n\r\n", ""},   // 15 with the CR, 32 in all
		{"A: 345678901234\r\nB: 345678901234\r\n\r\n", ""}, // 16 with the CR, 34 in all
		{"A: 3456789012345\r\n\r\n", "line"},
		{"A: 345678901234567\n\r\n", "line"},
		{"A: 345678901234\r\nB: 3456789012345\n\n", ""},
		{"A: 3456789012345\nB: 3456789012345\n\n", ""},
		{"A: 345678901234\r\nB: 3456789012345\r\n\n", "line"},
		{"A: 1\r\nB: 2\r\nC: 3\r\n\r\n", "fields"},
		{"A: 345678901234\r\nB: 34567\r\nC: 34567\r\n\r\n", "block"},
		{"A: 345678901234\r\nB: 34567\r\nC: 345678901234567890\r\n\r\n", "block"}, // passed before the line's
	} {
		whole, err := outcome(strings.NewReader(c.stream), limits)
		var over *LimitError
		if c.what == "" && !errors.Is(err, io.EOF) || c.what != "" && (!errors.As(err, &over) || over.What != c.what) {
			t.Errorf("%q: %v, want limit %q", c.stream, err, c.what)
		}
		for cut := range c.stream {
			got, cutErr := outcome(&pieces{c.stream[:cut], c.stream[cut:]}, limits)
			if got != whole || cutErr.Error() != err.Error() {
				t.Errorf("%q cut at %d: %q, %v; whole: %q, %v", c.stream, cut, got, cutErr, whole, err)
			}
		}
	}
}

func TestALongBlockInSmallBitsIsRead(t *testing.T) {
	value := strings.Repeat("v", 40_000)
	stream := strings.Repeat("Event: Big\r\nA: "+value+"\r\nB: "+value+"\r\nC: "+value+"\r\n\r\n", 20)
	got, err := outcome(iotest.HalfReader(strings.NewReader(stream)), Limits{})
	if !errors.Is(err, io.EOF) || strings.Count(got, "C="+value+"\x1e") != 20 {
		t.Errorf("%d messages, %v", strings.Count(got, "\x1e"), err)
	}
}

func TestUnframedCommandOutputIsRefused(t *testing.T) {
	stream := "Response: Follows\r\nPrivilege: Command\r\nlines without form\n\nEvent: Hangup\r\n--END COMMAND--\r\n\r\n"
	got, err := outcome(strings.NewReader(stream), Limits{})
	if got != "" || !errors.Is(err, ErrFollows) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCommandOutputIsRepeatedFields(t *testing.T) {
	m := read(t, "Response: Success\r\nMessage: Command output follows\r\nOutput: a: b\r\nOutput: \r\nOutput:   c\r\n\r\n")
	if got := strings.Join(m.Values("Output"), "|"); got != "a: b||  c" {
		t.Errorf("output %q", got)
	}
}

func TestTheSourcesErrorComesAfterItsBytes(t *testing.T) {
	lost := errors.New("lost")
	r := NewReader(io.MultiReader(strings.NewReader("Event: X\r\n\r\nEvent: Y\r\n"), iotest.ErrReader(lost)), Limits{})
	if m, err := r.Read(); err != nil || string(m.Event()) != "X" {
		t.Fatalf("%v, %v", m, err)
	}
	for range 2 {
		if _, err := r.Read(); !errors.Is(err, lost) {
			t.Errorf("error is %v", err)
		}
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestASourceThatGivesNothingEnds(t *testing.T) {
	if _, err := NewReader(idle{}, Limits{}).Read(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("error is %v", err)
	}
}

func TestAForgedBlockIsToldApart(t *testing.T) {
	// A caller id number with line breaks in it: Asterisk writes it as it is.
	stream := "Event: Newchannel\r\nPrivilege: call,all\r\nCallerIDNum: 1\r\n\r\nEvent: Hangup\r\nUniqueid: 7\r\n\r\nContext: in\r\n\r\n"
	r := NewReader(strings.NewReader(stream), Limits{})
	var seen []string
	for range 3 {
		m, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, string(m.Event())+"/"+m.Get("Privilege"))
	}
	if got := strings.Join(seen, " "); got != "Newchannel/call,all Hangup/ /" {
		t.Errorf("saw %q", got)
	}
}
