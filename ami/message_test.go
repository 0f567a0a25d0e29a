package ami

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestFieldsKeepTheirOrderAndRepeats(t *testing.T) {
	m := read(t, "Event: Newchannel\r\nChanVariable: a=1\r\nChannel: PJSIP/101-00000001\r\nChanVariable: b=2\r\n\r\n")
	var got []string
	for i := range m.Len() {
		name, value := m.Field(i)
		got = append(got, string(name)+"="+string(value))
	}
	want := []string{"Event=Newchannel", "ChanVariable=a=1", "Channel=PJSIP/101-00000001", "ChanVariable=b=2"}
	if !slices.Equal(got, want) {
		t.Errorf("fields are %q, want %q", got, want)
	}
	if got := m.Values("chanvariable"); !slices.Equal(got, []string{"a=1", "b=2"}) {
		t.Errorf("values are %q", got)
	}
}

func TestLookupTakesTheFirstFieldInAnyCase(t *testing.T) {
	m := read(t, "Event: UserEvent\r\nuniqueid: 1\r\nUniqueid: 2\r\nEvent: Hangup\r\nEmpty:\r\n: odd\r\nplain\r\nTight:x\r\nWide:  y \r\n\r\n")
	for name, want := range map[string]string{
		"UNIQUEID": "1", "Event": "UserEvent", "Empty": "", "Tight": "x", "Wide": " y ", "": "", "plain": "", "Uniqueid: 1": "", "Unique": "",
	} {
		if got := m.Get(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	if _, ok := m.Lookup("Empty"); !ok {
		t.Error("an empty field counts as absent")
	}
	if _, ok := m.Lookup("plain"); ok {
		t.Error("a line without a colon counts as a field")
	}
	if string(m.Event()) != "UserEvent" || m.Response() != nil {
		t.Errorf("event %q, response %q", m.Event(), m.Response())
	}
	if name, value := m.Field(5); len(name) != 0 || string(value) != ": odd" {
		t.Errorf("a line that begins with a colon gives %q, %q", name, value)
	}
}

func TestOnlyTheFirstLineMakesAnEventOrAnAnswer(t *testing.T) {
	m := read(t, "Channel: x\r\nEvent: Hangup\r\nResponse: Success\r\nAction:\r\nAction: Ping\r\n\r\n")
	if m.Event() != nil || m.Response() != nil {
		t.Errorf("event %q, response %q", m.Event(), m.Response())
	}
	if string(m.Action()) != "Ping" {
		t.Errorf("action %q: Asterisk takes the first that is not empty", m.Action())
	}
	var none Message
	if none.Event() != nil || none.Action() != nil || none.Len() != 0 {
		t.Error("the zero message is not empty")
	}
}

func TestCaseFoldingIsForASCIILettersOnly(t *testing.T) {
	// KELVIN SIGN folds onto k in Unicode; '@' and '`' differ by the letter-case bit alone.
	m := read(t, "\u212aey: 1\r\n@: 2\r\n\r\n")
	if _, ok := m.Lookup("Key"); ok {
		t.Error("a name that Asterisk does not know is taken for Key")
	}
	if _, ok := m.Lookup("`"); ok {
		t.Error("@ is taken for a backquote")
	}
}

func TestSetReplacesTheFirstAndRemovesTheRest(t *testing.T) {
	m := NewAction("Originate").Append("Variable", "a").Append("Context", "c").Append("variable", "b").Set("Variable", "x").Set("Exten", "1")
	wire, err := m.AppendTo(nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := "Action: Originate\r\nVariable: x\r\nContext: c\r\nExten: 1\r\n\r\n"; string(wire) != want {
		t.Errorf("got %q, want %q", wire, want)
	}
}

func TestACloneOutlivesTheNextRead(t *testing.T) {
	r := NewReader(strings.NewReader("Event: One\r\nA: 1\r\n\r\nEvent: Two\r\nA: 2\r\n\r\n"), Limits{})
	m, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	kept := m.Clone()
	m.Append("B", "a change of the view must not reach the bytes of the next message")
	if m, err = r.Read(); err != nil || m.Get("A") != "2" || m.Len() != 2 {
		t.Fatalf("second message %v, %v", m, err)
	}
	if kept.Get("A") != "1" || kept.Len() != 2 {
		t.Errorf("the clone is now %q", kept.Raw())
	}
	kept.Reset()
	if kept.Len() != 0 || kept.Append("C", "3").Get("C") != "3" {
		t.Error("a reset message is not empty and usable")
	}
}

func TestNothingThatReadsBackDifferentlyIsWritten(t *testing.T) {
	for problem, m := range map[string]*Message{
		"LF in a value":          NewAction("UserEvent").Append("Text", "a\nEvent: Hangup"),
		"CR in a value":          NewAction("UserEvent").Append("Text", "a\rb"),
		"CR at the end":          NewAction("UserEvent").Append("Text", "a\r"),
		"LF at the end":          NewAction("UserEvent").Append("Text", "a\n"),
		"CRLF at the end":        NewAction("UserEvent").Append("Text", "a\r\n"),
		"two line ends":          NewAction("UserEvent").Append("Text", "a\r\n\r\nAction: Hangup"),
		"NUL in a value":         NewAction("UserEvent").Append("Text", "a\x00b"),
		"LF in a name":           NewAction("UserEvent").Append("A\nB", "c"),
		"CR in a name":           NewAction("UserEvent").Append("A\rB", "c"),
		"NUL before a name":      NewAction("UserEvent").Append("\x00A", "c"),
		"colon in a name":        NewAction("UserEvent").Append("A:B", "c"),
		"colon hidden by Set":    NewAction("UserEvent").Append("A:B", "c").Set("D", "e"),
		"colon hidden by Clone":  NewAction("UserEvent").Append("A:B", "c").Clone(),
		"empty name":             NewAction("UserEvent").Append("", "c"),
		"blank before a name":    NewAction("UserEvent").Append(" A", "c"),
		"blank behind a name":    NewAction("UserEvent").Append("A ", "c"),
		"line without a name":    read(t, "Event: X\r\nplain\r\n\r\n").Clone(),
		"CR inside a read value": read(t, "Event: X\r\nA: b\rC: d\r\n\r\n").Clone(),
	} {
		var out strings.Builder
		err := NewWriter(&out).Write(m)
		var field *FieldError
		if !errors.As(err, &field) {
			t.Errorf("%s: error is %v", problem, err)
		}
		if out.Len() != 0 {
			t.Errorf("%s: %q was written", problem, out.String())
		}
		if got, err := m.AppendTo([]byte("kept")); err == nil || string(got) != "kept" {
			t.Errorf("%s: AppendTo gave %q, %v", problem, got, err)
		}
	}
	if err := NewWriter(new(strings.Builder)).Write(new(Message)); !errors.Is(err, ErrEmpty) {
		t.Errorf("an empty message gives %v", err)
	}
}

type countingWriter struct {
	strings.Builder
	calls int
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.calls++
	return w.Builder.Write(p)
}

func TestAMessageIsWrittenInOneCall(t *testing.T) {
	var out countingWriter
	w := NewWriter(&out)
	for range 2 {
		if err := w.Write(NewAction("Ping").Append("ActionID", "7")); err != nil {
			t.Fatal(err)
		}
	}
	const ping = "Action: Ping\r\nActionID: 7\r\n\r\n"
	if out.calls != 2 || out.String() != ping+ping {
		t.Errorf("%d calls wrote %q", out.calls, out.String())
	}
}

func TestPrintingAMessageTellsNoValues(t *testing.T) {
	m := NewAction("Login").Append("Username", "u-secret").Append("Secret", "s-secret").Append("Key", "k-secret").
		Append("CallerIDNum", "79161234567-secret").Append("weird secret name", "x").Append("", "nameless-secret")
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		for _, v := range []any{m, *m, struct{ M Message }{*m}} {
			got := fmt.Sprintf(format, v)
			if strings.Contains(got, "secret") || strings.Contains(got, "7916") {
				t.Errorf("%s of %T prints %s", format, v, got)
			}
			if !strings.Contains(got, "Login") || !strings.Contains(got, "Secret: [8 bytes]") {
				t.Errorf("%s of %T does not say what it is: %s", format, v, got)
			}
		}
	}
	s := Secret("hidden")
	text, _ := s.MarshalText()
	if got := fmt.Sprintf("%v %+v %#v %q %s", s, Config{Secret: s}, Config{Secret: s}, s, text); strings.Contains(got, "hidden") {
		t.Errorf("a secret prints as %s", got)
	}
}

func TestIrregularBlocksAreTold(t *testing.T) {
	for _, c := range []struct {
		name, block string
		want        Irregularity
	}{
		{"as Asterisk writes", "Event: X\r\nA: b\tc: d\r\nEmpty: \r\n\r\n", 0},
		{"bare LF", "Event: X\nA: b\r\n\r\n", BareLF},
		{"bare LF in the last line", "Event: X\r\nA: b\n\r\n", BareLF},
		{"CR in a value", "Event: X\r\nA: b\rc\r\n\r\n", ControlByte},
		{"CR at the end of a value", "Event: X\r\nA: b\r\r\n\r\n", ControlByte},
		{"NUL", "Event: X\r\nA: \x00\r\n\r\n", ControlByte},
		{"DEL", "Event: X\r\nA: \x7f\r\n\r\n", ControlByte},
		{"no colon", "Event: X\r\nplain\r\n\r\n", NoName},
		{"colon first", "Event: X\r\n: b\r\n\r\n", NoName},
		{"no space", "Event: X\r\nA:b\r\n\r\n", NoSpace},
		{"empty lines before", "\r\n\nEvent: X\r\n\r\n", BlankLine},
		{"all", "\n:\x00\nA:b\r\n\r\n", BareLF | ControlByte | NoName | NoSpace | BlankLine},
	} {
		m := read(t, c.block)
		if got := m.Irregular(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if m.Clone().Irregular() != c.want {
			t.Errorf("%s: the clone differs", c.name)
		}
	}
}

func TestAControlByteIsFoundAnywhereInALine(t *testing.T) {
	for length := range 40 {
		for at := range length {
			for c := range 256 {
				line := bytes.Repeat([]byte("\xff"), length)
				line[at] = byte(c)
				want := c < 0x20 && c != '\t' || c == 0x7f
				if hasControl(line) != want {
					t.Fatalf("byte %#02x at %d of %d: found %t", c, at, length, !want)
				}
			}
		}
	}
}

func TestAppendingToAViewLeavesTheMessageAlone(t *testing.T) {
	m := read(t, "Event: Hangup\r\nCause: 16\r\n\r\n")
	name, value := m.Field(0)
	_, _ = append(name, "XXXX"...), append(value, "XXXX"...)
	v, _ := m.Lookup("Event")
	_, _ = append(v, "XXXX"...), append(m.Event(), "XXXX"...)
	if _ = append(m.Raw(), "XXXX"...); string(m.Raw()) != "Event: Hangup\r\nCause: 16\r\n" {
		t.Errorf("the message is now %q", m.Raw())
	}
}

// read reads the first message of a stream.
func read(t testing.TB, stream string) *Message {
	t.Helper()
	m, err := NewReader(strings.NewReader(stream), Limits{}).Read()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A name with a colon in it cannot be written, but can be looked at, and is then what a reader would take it for.
func TestAFieldsNameEndsAtItsFirstColon(t *testing.T) {
	m := new(Message).Append("Na:me", "value").Append(":", "x").Append("", "y").Append("Last", "z").Set("Last", "new")
	for i, want := range [][2]string{{"Na", "me: value"}, {"", ":: x"}, {"", ": y"}, {"Last", "new"}} {
		if name, value := m.Field(i); string(name) != want[0] || string(value) != want[1] {
			t.Errorf("field %d is %q with %q", i, name, value)
		}
	}
}
