package ariproxy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	aliasForm  = regexp.MustCompile(`\A[A-Za-z0-9._:-]{1,64}\z`)
	handleForm = regexp.MustCompile(`\A[a-z0-9]{20,21}\z`)
	sourceForm = regexp.MustCompile(`(?s)\A(channel|bridge|endpoint|deviceState):(.*)\z`)
)

// An id that a client may choose is of the form that is said of it, stands for what it is bound to, and for nothing when that is gone.
func FuzzAlias(f *testing.F) {
	for _, s := range []string{"a", "my-leg", "c234567890123456789ab", "6f1c:._-", "", "a b", "ä", "x\n", strings.Repeat("x", 65), "channel:1"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, alias, other string) {
		may := aliasForm.MatchString(alias) && !handleForm.MatchString(alias)
		if isAlias(alias) != may {
			t.Fatalf("%q: %v", alias, !may)
		}
		var a aliases
		if fault := a.claim(idChannel, alias); (fault == nil) != may {
			t.Fatalf("%q is claimed with %v", alias, fault)
		}
		if !may {
			return
		}
		if a.resolve(idChannel, alias) != "" || a.shown(idChannel, "real") != "real" || a.claim(idChannel, alias) != faultTaken {
			t.Fatalf("%q stands for something before it is bound", alias)
		}
		a.bind(idChannel, alias, "real")
		if a.resolve(idChannel, alias) != "real" || a.shown(idChannel, "real") != alias || a.resolve(idBridge, alias) != alias || a.shown(idBridge, "real") != "real" {
			t.Fatalf("%q does not stand for what it is bound to", alias)
		}
		if other != alias && a.resolve(idChannel, other) != other {
			t.Fatalf("%q stands for something", other)
		}
		a.forget(idChannel, "real")
		if a.resolve(idChannel, alias) != alias || a.shown(idChannel, "real") != alias || a.claim(idChannel, alias) != nil {
			t.Fatalf("%q is not free", alias)
		}
		a.release(idChannel, alias)
		if a.claim(idChannel, alias) != nil {
			t.Fatalf("%q is not free behind its release", alias)
		}
	})
}

// An event source is a scheme of Asterisk's and whatever stands behind it.
func FuzzEventSource(f *testing.F) {
	for _, s := range []string{"channel:x", "bridge:", "endpoint:PJSIP/100", "deviceState:PJSIP/100", "devicestate:x", "channel", ":", "endpoint:channel:x", " channel:x", "channel:\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, fault := readSource(text)
		want := sourceForm.FindStringSubmatch(text)
		if (fault == nil) != (want != nil) {
			t.Fatalf("%q: %v", text, fault)
		}
		if fault == nil && (schemes[o.kind] != want[1]+":" || o.id != want[2]) {
			t.Fatalf("%q is %v", text, o)
		}
		var s sources
		if fault != nil {
			return
		}
		if s.unsubscribe(o) || !s.subscribe(o) || !s.subscribe(o) || o.id != "" && !s.has(o.kind, o.id) || o.id == "" && !s.has(o.kind, "any") || !s.unsubscribe(o) || s.has(o.kind, "any") || s.has(o.kind, o.id) {
			t.Fatalf("%q does not come and go", text)
		}
	})
}

// separate is Asterisk's own way, in its own words: a text that is changed while it is read (main/app.c, __ast_app_separate_args).
func separate(text string) (argv []string) {
	buf := append([]byte(text), 0)
	at := func(i int) byte { return buf[i] }
	remove := func(i int) { buf = slices.Delete(buf, i, i+1) }
	begins := []int{}
	ends := map[int]int{}
	paren, bracket, quote := 0, 0, false
	scan, was := 0, -1
	for argc := 0; at(scan) != 0 && argc < maxArgs-1; argc++ {
		begins = append(begins, scan)
		for ; at(scan) != 0; scan++ {
			switch c := at(scan); {
			case c == '(':
				paren++
			case c == ')':
				if paren > 0 {
					paren--
				}
			case c == '[':
				bracket++
			case c == ']':
				if bracket > 0 {
					bracket--
				}
			case c == '"':
				quote = !quote
				remove(scan)
				scan--
			case c == '\\':
				remove(scan)
				if at(scan) == 0 {
					scan--
				}
			case c == ',' && paren == 0 && bracket == 0 && !quote:
				was = scan
				ends[begins[len(begins)-1]] = scan
				scan++
				goto next
			}
		}
	next:
	}
	if at(scan) != 0 || scan > 0 && scan-1 == was {
		begins = append(begins, scan)
	}
	for _, from := range begins {
		to, ok := ends[from]
		if !ok {
			to = len(buf) - 1
		}
		argv = append(argv, string(buf[from:to]))
	}
	return argv
}

// What a channel is started with is split as Asterisk does it.
func FuzzArguments(f *testing.F) {
	for _, s := range []string{"", "a", "a,b", "a,b,", ",", "\"a,b\",c", `a\,b`, "f(a,b),c", "[a,b],c", "),a", ",,\"", `\`, `"`, `a""b`, strings.Repeat("x,", 200)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "\x00") || len(text) > 4096 {
			return
		}
		if got, want := splitArgs(text), separate(text); !slices.Equal(got, want) {
			t.Fatalf("%q is split into %q and not %q", text, got, want)
		}
	})
}

// What is gone is known by its alias for a while, and what is known is bounded.
func TestAliasesOfWhatIsGoneAreBounded(t *testing.T) {
	var a aliases
	for i := range 10 * pastIDs {
		alias, real := fmt.Sprint("a", i), fmt.Sprint("r", i)
		if fault := a.claim(idPlayback, alias); fault != nil {
			t.Fatal(i, fault)
		}
		a.bind(idPlayback, alias, real)
		a.forget(idPlayback, real)
		if a.shown(idPlayback, real) != alias {
			t.Fatalf("%s is told as %s", real, a.shown(idPlayback, real))
		}
	}
	if len(a.by[idPlayback]) > pastIDs || len(a.real[idPlayback]) != 0 {
		t.Errorf("%d and %d are known", len(a.by[idPlayback]), len(a.real[idPlayback]))
	}
}

// Who has chosen as many ids as may be is told how many that is.
func TestTheIDsThatOneClientChoosesAreBounded(t *testing.T) {
	var a aliases
	for i := range 64 {
		if f := a.claim(idRecording, fmt.Sprint("r", i)); f != nil {
			t.Fatalf("the id %d is refused: %v", i, f)
		}
	}
	if f := a.claim(idRecording, "more"); f == nil || !strings.Contains(f.words, "64 ids of that kind") {
		t.Errorf("one more is answered by %v", f)
	}
	if f := a.claim(idBridge, "more"); f != nil {
		t.Errorf("one of another kind is refused: %v", f)
	}
}
