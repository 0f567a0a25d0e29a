package ami

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// actions reads a stream to its end and returns what came of it: each message's fields, or its problem, on a line.
func actions(t testing.TB, src io.Reader, limits Limits) (string, error) {
	var b strings.Builder
	r := &actionReader{src: src, limits: limits, repeats: repeatVariable}
	for {
		m, err := r.read()
		if len(r.line) > limits.Line+2 || len(m.buf) > 2*limits.Block+16 || m.Len() > limits.Fields {
			t.Fatalf("a line of %d bytes and a message of %d fields and %d bytes are kept", len(r.line), m.Len(), len(m.buf))
		}
		if bad := new(ParseError); errors.As(err, &bad) && bad != errLongMessage {
			fmt.Fprintf(&b, "<%s>\n", bad.Problem)
			continue
		}
		if err != nil {
			return b.String(), err
		}
		for i := range m.Len() {
			name, value := m.Field(i)
			fmt.Fprintf(&b, "%s=%s|", name, value)
		}
		b.WriteString("\n")
	}
}

var serverLimits = Limits{Line: maxActionLine, Fields: maxActionFields, Block: 128 << 10}

// What Asterisk and a proxy could take for different things is an error of the message that it is in, and no part of it
// is taken for a message of its own.
func TestReadingActions(t *testing.T) {
	long := func(n int) string { return "X: " + strings.Repeat("a", n-3) }
	const ping, pinged = "Action: Ping\r\n\r\n", "Action=Ping|\n"
	for name, c := range map[string]struct{ in, want string }{
		"plain":                      {"Action: Ping\r\nActionID: a\r\n\r\n", "Action=Ping|ActionID=a|\n"},
		"no blank, many blanks":      {"Action:Ping\r\nActionID:    a \r\n\r\n", "Action=Ping|ActionID=a |\n"},
		"LF":                         {"Action: Ping\nActionID: a\n\n", "Action=Ping|ActionID=a|\n"},
		"both":                       {"Action: Ping\nActionID: a\r\n\n", "Action=Ping|ActionID=a|\n"},
		"empty value":                {"Action: Ping\r\nX:\r\nY: \r\n\r\n", "Action=Ping|X=|Y=|\n"},
		"colons":                     {"Action: a: b\r\n\r\n", "Action=a: b|\n"},
		"empty lines":                {"\r\n\n" + ping, "\n\n" + pinged},
		"variables":                  {"Action: Originate\r\nVariable: a=1\r\nvariable: b=2\r\nVariable: c=3\r\n\r\n", "Action=Originate|Variable=a=1|variable=b=2|Variable=c=3|\n"},
		"the longest line":           {"Action: Ping\r\n" + long(1022) + "\r\n\r\n", "Action=Ping|" + strings.Replace(long(1022), ": ", "=", 1) + "|\n"},
		"most lines":                 {"Action: Ping\r\n" + manyLines(127) + "\r\n", "Action=Ping|" + strings.ReplaceAll(strings.ReplaceAll(manyLines(127), ": ", "="), "\r\n", "|") + "\n"},
		"one byte more":              {"Action: Ping\r\n" + long(1023) + "\r\nAction: Originate\r\n\r\n", "<line too long>\n"},
		"one byte more and LF":       {"Action: Ping\r\n" + long(1023) + "\nAction: Originate\r\n\r\n", "<line too long>\n"},
		"a line of 100,000 bytes":    {"Action: Ping\r\n" + long(100_000) + "\r\nAction: Originate\r\n\r\n", "<line too long>\n"},
		"one line more":              {"Action: Ping\r\n" + manyLines(128) + "\r\n", "<too many lines>\n"},
		"many lines and a long line": {"Action: Ping\r\n" + manyLines(130) + long(1200) + "\r\n\r\n", "<too many lines>\n"},
		"a line with a blank":        {"Action: Ping\r\n \r\nAction: CoreShowChannels\r\n\r\n", "<no header>\n"},
		"folding":                    {"Action: Ping\r\nX: a\r\n b\r\n\r\n", "<no header>\n"},
		"no colon":                   {"Action: Ping\r\nX\r\n\r\n", "<no header>\n"},
		"no name":                    {"Action: Ping\r\n: x\r\n\r\n", "<no header>\n"},
		"blank before the colon":     {"Action : Ping\r\n\r\n", "<no header>\n"},
		"blank in a name":            {"Action: Ping\r\nA B: c\r\n\r\n", "<no header>\n"},
		"a letter of another kind":   {"Action: Ping\r\nÄ: c\r\n\r\n", "<no header>\n"},
		"CR CR LF":                   {"Action: Ping\r\r\n\r\n", "<control byte>\n"},
		"a line that is a CR":        {"Action: Ping\r\n\r\r\nAction: Originate\r\n\r\n", "<control byte>\n"},
		"bare CR":                    {"Action: Ping\r\nActionID: a\rb\r\n\r\n", "<control byte>\n"},
		"NUL":                        {"Action: Ping\r\nX: a\x00b\r\n\r\n", "<control byte>\n"},
		"NUL begins a line":          {"Action: Ping\r\n\x00\r\nAction: Originate\r\n\r\n", "<control byte>\n"},
		"TAB":                        {"Action:\tPing\r\n\r\n", "<control byte>\n"},
		"0x01":                       {"aCTION: \x01Hangup\r\n\r\n", "<control byte>\n"},
		"DEL":                        {"Action: Ping\x7f\r\n\r\n", "<control byte>\n"},
		"two actions":                {"Action: Ping\r\nACTION: Originate\r\n\r\n", "<duplicate header>\n"},
		"an empty action first":      {"Action:\r\nAction: Originate\r\n\r\n", "<duplicate header>\n"},
		"two channels":               {"Action: Redirect\r\nChannel: a\r\nExten: 1\r\nchannel: b\r\n\r\n", "<duplicate header>\n"},
		"variables elsewhere":        {"Action: Redirect\r\nVariable: a\r\nVariable: b\r\n\r\n", "<duplicate header>\n"},
		"two channels to originate":  {"Action: Originate\r\nVariable: a\r\nVariable: b\r\nChannel: c\r\nChannel: d\r\n\r\n", "<duplicate header>\n"},
	} {
		t.Run(name, func(t *testing.T) {
			for how, src := range map[string]io.Reader{
				"whole":        strings.NewReader(c.in + ping),
				"byte by byte": iotest.OneByteReader(strings.NewReader(c.in + ping)),
			} {
				if got, err := actions(t, src, serverLimits); got != c.want+pinged || !errors.Is(err, io.EOF) {
					t.Errorf("%s: %.100q, %v", how, got, err)
				}
			}
		})
	}
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"the end in a line":       {"Action: P", io.ErrUnexpectedEOF},
		"the end in a message":    {"Action: Ping\r\n", io.ErrUnexpectedEOF},
		"the end between two":     {"", io.EOF},
		"a message without end":   {strings.Repeat("X: y\r\n", 30_000), errLongMessage},
		"a line without end":      {strings.Repeat("x", 200_000), errLongMessage},
		"a message of that size":  {"X: " + strings.Repeat("y", 128<<10-7) + "\r\n\r\n", io.EOF},
		"one byte more than that": {"X: " + strings.Repeat("y", 128<<10-6) + "\r\n\r\n", errLongMessage},
	} {
		if _, err := actions(t, strings.NewReader(c.in), serverLimits); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func manyLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "X%d: y\r\n", i)
	}
	return b.String()
}

// simply is reading without limits, written as simply as possible: the oracle.
func simply(stream string) string {
	var b strings.Builder
	var fields, names []string
	problem, variables, action := "", false, ""
	for {
		line, rest, found := strings.Cut(stream, "\n")
		if !found {
			return b.String()
		}
		stream = rest
		line = strings.TrimSuffix(line, "\r")
		name, value, colon := strings.Cut(line, ":")
		value = strings.TrimLeft(value, " ")
		folded := strings.Map(lower, name)
		switch {
		case line == "":
			if variables && !strings.EqualFold(action, "originate") && problem == "" {
				problem = "duplicate header"
			}
			for i, n := range names {
				for _, other := range names[:i] {
					if n == other && n != "variable" && problem == "" {
						problem = "duplicate header"
					}
				}
			}
			if problem != "" {
				b.WriteString("<" + problem + ">\n")
			} else {
				b.WriteString(strings.Join(fields, "") + "\n")
			}
			fields, names, problem, variables, action = nil, nil, "", false, ""
		case problem != "":
		case strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }):
			problem = "control byte"
		case !colon || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }):
			problem = "no header"
		default:
			for _, n := range names {
				variables = variables || n == folded && n == "variable"
			}
			if folded == "action" && action == "" {
				action = value
			}
			names = append(names, folded)
			fields = append(fields, name+"="+value+"|")
		}
	}
}

func FuzzActionReader(f *testing.F) {
	for _, s := range []string{
		"Action: Ping\r\nActionID: a\r\n\r\n",
		"Action: Originate\nVariable: a\nVariable: b\n\n\r\n",
		"Action: Ping\r\n \r\nAction: Originate\r\n\r\n",
		"A: b\r\na: c\r\n\r\nX: \x00\r\n\r\n",
		"Action:\r\nX:   y  \r\r\n\r\n",
		strings.Repeat("A: b\r\n", 8) + "\r\nAction: Ping\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		if want := simply(string(stream)); len(stream) < roomy.Line {
			if got, _ := actions(t, bytes.NewReader(stream), roomy); got != want {
				t.Fatalf("read %q, simply %q", got, want)
			}
		}
		for _, limits := range []Limits{roomy, tight} {
			whole, wholeErr := actions(t, bytes.NewReader(stream), limits)
			same := func(how string, src io.Reader) {
				if got, err := actions(t, src, limits); got != whole || err.Error() != wholeErr.Error() {
					t.Fatalf("%s: %q, %v; whole: %q, %v", how, got, err, whole, wholeErr)
				}
			}
			same("byte by byte", iotest.OneByteReader(bytes.NewReader(stream)))
			same("the end with the last bytes", iotest.DataErrReader(bytes.NewReader(stream)))
			for cut := range min(len(stream), 300) {
				same("in two", &pieces{string(stream[:cut]), string(stream[cut:])})
			}
		}
		// What is taken is written so that it is read as the same again, by this reader and by the other one.
		r := &actionReader{src: bytes.NewReader(stream), limits: roomy, repeats: repeatVariable}
		for {
			m, err := r.read()
			if bad := new(ParseError); errors.As(err, &bad) && bad != errLongMessage || err == nil && m.Len() == 0 {
				continue
			}
			if err != nil {
				return
			}
			wire, err := m.AppendTo(nil)
			if err != nil || string(wire) != string(m.Raw())+"\r\n" {
				t.Fatalf("%q is written as %q, %v", m.Raw(), wire, err)
			}
			back, err := NewReader(bytes.NewReader(wire), roomy).Read()
			if err != nil || string(back.Raw()) != string(m.Raw()) || back.Irregular() != 0 {
				t.Fatalf("%q reads back as %q, %v, %v", wire, back.Raw(), back.Irregular(), err)
			}
			again := &actionReader{src: bytes.NewReader(wire), limits: roomy, repeats: repeatVariable}
			if back, err = again.read(); err != nil || string(back.Raw()) != string(m.Raw()) {
				t.Fatalf("%q reads back as %q, %v", wire, back.Raw(), err)
			}
		}
	})
}

// A bad message costs its session nothing after the log-in, and the session before it.
func TestAMalformedActionIsAnsweredAndTheNextOneWorks(t *testing.T) {
	var malformed []string
	s := serve(t, ServerConfig{
		Observer: Observer{Malformed: func(_ *Session, err *ParseError) { malformed = append(malformed, err.Problem) }},
	})
	r, _ := s.login("Events: off\r\n")
	for _, c := range []struct{ send, want string }{
		{"Action: Ping\r\nActionID: a\r\nX: " + strings.Repeat("a", 1020) + "\r\nAction: Originate\r\nChannel: PJSIP/100\r\n\r\n",
			"Response: Error\r\nActionID: a\r\nMessage: Failed to parse message: line too long\r\n\r\n"},
		{"Action: Ping\r\n" + manyLines(130) + "X: " + strings.Repeat("a", 1200) + "\r\n\r\n",
			"Response: Error\r\nMessage: Too many lines in message or allocation failure\r\n\r\n"},
		{"aCTION:\t\x01Hangup\r\n\r\n", "Response: Error\r\nMessage: Failed to parse message: control byte\r\n\r\n"},
		{"Action: A\r\nActionID: 1\r\nActionID: 2\r\n\r\n", "Response: Error\r\nMessage: Failed to parse message: duplicate header\r\n\r\n"},
		{"Action: A\r\nActionID: 1\r\nX: 1\r\nX: 2\r\n\r\n", "Response: Error\r\nActionID: 1\r\nMessage: Failed to parse message: duplicate header\r\n\r\n"},
		{"Action: A\r\n \r\nAction: B\r\n\r\n", "Response: Error\r\nMessage: Failed to parse message: no header\r\n\r\n"},
	} {
		r.send(c.send + "Action: Events\r\nEventMask: off\r\n\r\n")
		r.expect(c.want + "Response: Success\r\nEvents: Off\r\n\r\n")
	}
	r.send(strings.Repeat("x", 128<<10+1))
	r.expect("Response: Error\r\nMessage: Failed to parse message: message too long\r\n\r\n")
	r.expectEnd()
	if cause := <-s.ended; !errors.Is(cause, errLongMessage) {
		t.Errorf("ended by %v", cause)
	}
	if got := strings.Join(malformed, ", "); got != "line too long, too many lines, control byte, duplicate header, duplicate header, no header, message too long" {
		t.Error(got)
	}

	// A browser's request to this port, with an action in it.
	r = s.connect()
	r.send("POST / HTTP/1.1\r\nHost: pbx:5038\r\n\r\nAction: Login\r\nUsername: panel\r\nSecret: " + testSecret + "\r\n\r\n")
	r.expect("Response: Error\r\nMessage: Failed to parse message: no header\r\n\r\n")
	r.expectEnd()
	// Before the log-in there is room for little.
	r = s.connect()
	r.send("Action: Login\r\n" + manyLines(32) + "\r\n")
	r.expect("Response: Error\r\nMessage: Too many lines in message or allocation failure\r\n\r\n")
	r.expectEnd()
	r = s.connect()
	r.send("X: " + strings.Repeat("x", loginBlock))
	r.expect("Response: Error\r\nMessage: Failed to parse message: message too long\r\n\r\n")
	r.expectEnd()
}
