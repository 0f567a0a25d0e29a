package audit_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// sealed is a log of n lines with its head.
func sealed(t testing.TB, k audit.Key, n int) (lines [][]byte, head []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.log")
	mustWrite(t, path, audit.Options{Key: k, Clock: clock}, n)
	lines = bytes.SplitAfter(mustRead(t, path), []byte("\n"))
	return lines[:n], mustRead(t, path+".head")
}

// look verifies a log with its head.
func look(t testing.TB, k audit.Key, log, head []byte) audit.Report {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.log")
	mustPut(t, path, log)
	if head != nil {
		mustPut(t, path+".head", head)
	}
	rep, err := audit.VerifyFiles(k, path)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestEveryChangeOfASingleByteIsFound(t *testing.T) {
	for name, key := range map[string]audit.Key{"plain": nil, "with a key": testKey} {
		t.Run(name, func(t *testing.T) {
			lines, _ := sealed(t, key, 3)
			log := slices.Concat(lines...)
			verify := func(b []byte) audit.Report {
				rep, err := audit.Verify(bytes.NewReader(b), key)
				if err != nil {
					t.Fatal(err)
				}
				return rep
			}
			if rep := verify(log); !rep.OK() || rep.Lines != 3 {
				t.Fatalf("unchanged: %+v", rep)
			}
			for i := range log {
				line := 1 + bytes.Count(log[:i], []byte("\n"))
				for _, mask := range []byte{0x01, 0x02, 0x20, 0x80, log[i], log[i] ^ '\n', log[i] ^ ' ', log[i] ^ '"'} {
					if mask == 0 {
						continue // that is the byte which stands there
					}
					log[i] ^= mask
					if rep := verify(log); rep.OK() || rep.Fault.Line != line {
						t.Errorf("byte %d changed by %#x in line %d: %v", i, mask, line, rep.Fault)
					}
					log[i] ^= mask
				}
				if rep := verify(slices.Delete(bytes.Clone(log), i, i+1)); rep.OK() || rep.Fault.Line != line {
					t.Errorf("byte %d of line %d removed: %v", i, line, rep.Fault)
				}
				if rep := verify(slices.Insert(bytes.Clone(log), i, ' ')); rep.OK() || rep.Fault.Line != line {
					t.Errorf("a space before byte %d of line %d: %v", i, line, rep.Fault)
				}
			}
		})
	}
}

func TestEveryChangeOfTheHeadIsFound(t *testing.T) {
	lines, head := sealed(t, nil, 2)
	log := slices.Concat(lines...)
	if rep := look(t, nil, log, head); !rep.OK() {
		t.Fatal(rep.Fault)
	}
	for i := range head {
		head[i] ^= 1
		if rep := look(t, nil, log, head); rep.OK() || rep.Fault.Problem != audit.BadHead {
			t.Errorf("byte %d: %v", i, rep.Fault)
		}
		head[i] ^= 1
	}
	if rep := look(t, nil, log, nil); rep.OK() || rep.Fault.Problem != audit.NoHead {
		t.Errorf("without a head: %v", rep.Fault)
	}
}

func TestRemovedMovedAndAddedLinesAreFoundAndNamed(t *testing.T) {
	lines, head := sealed(t, nil, 6)
	alien, _ := sealed(t, testKey, 6)
	other := func() [][]byte { // the same numbers in another chain
		path := filepath.Join(t.TempDir(), "audit.log")
		l := mustOpen(t, path, audit.Options{Clock: clock})
		for n := range 6 {
			mustAppend(t, l, entry(n+50))
		}
		return bytes.SplitAfter(mustRead(t, path), []byte("\n"))[:6]
	}()
	type edit struct {
		name    string
		lines   [][]byte
		line    int
		problem audit.Problem
	}
	var edits []edit
	add := func(problem audit.Problem, line int, name string, lines ...[]byte) {
		edits = append(edits, edit{name, lines, line, problem})
	}
	for i := range lines {
		problem := audit.Missing
		if i == 5 {
			problem = audit.CutOff
		}
		add(problem, i+1, fmt.Sprintf("%d removed", i+1), slices.Delete(slices.Clone(lines), i, i+1)...)
		add(audit.OutOfOrder, i+2, fmt.Sprintf("%d doubled", i+1), slices.Insert(slices.Clone(lines), i, lines[i])...)
		add(audit.Altered, i+1, fmt.Sprintf("an empty line before %d", i+1), slices.Insert(slices.Clone(lines), i, []byte("\n"))...)
		add(audit.Altered, i+1, fmt.Sprintf("%d of another key", i+1), slices.Replace(slices.Clone(lines), i, i+1, alien[i])...)
		for j := range i {
			swapped := slices.Clone(lines)
			swapped[i], swapped[j] = swapped[j], swapped[i]
			add(audit.OutOfOrder, j+1, fmt.Sprintf("%d and %d swapped", j+1, i+1), swapped...)
		}
		if i > 0 {
			add(audit.Replaced, i+1, fmt.Sprintf("%d of another chain", i+1), slices.Replace(slices.Clone(lines), i, i+1, other[i])...)
			add(audit.CutOff, i+1, fmt.Sprintf("cut off before %d", i+1), lines[:i]...)
		}
	}
	add(audit.CutOff, 1, "emptied")
	add(audit.Rewritten, 6, "all of another chain", other...)
	for _, e := range edits {
		rep := look(t, nil, slices.Concat(e.lines...), head)
		if rep.OK() || rep.Fault.Problem != e.problem || rep.Fault.Line != e.line {
			t.Errorf("%s: %v, want %s in line %d", e.name, rep.Fault, e.problem, e.line)
		}
	}
}

func TestAnEndThatIsCutAtAnyByteIsFound(t *testing.T) {
	lines, head := sealed(t, nil, 3)
	log := slices.Concat(lines...)
	for size := range log {
		if rep := look(t, nil, log[:size], head); rep.OK() {
			t.Errorf("cut at %d of %d: not found", size, len(log))
		}
	}
	if rep := look(t, nil, append(log, "{\"seq\":4"...), head); !rep.OK() || rep.Unfinished != 8 || rep.Lines != 3 {
		t.Errorf("a line that is being written: %+v, %v", rep, rep.Fault)
	}
}

func TestARewrittenChainIsFoundWithAKeyAndOnlyThen(t *testing.T) {
	lines, head := sealed(t, nil, 3) // what one who has no key can write
	log := slices.Concat(lines...)
	if rep := look(t, nil, log, head); !rep.OK() {
		t.Fatalf("without a key a new chain cannot be told from the old, and yet: %v", rep.Fault)
	}
	if rep := look(t, testKey, log, head); rep.OK() || rep.Fault.Problem != audit.BadHead {
		t.Errorf("with a key, head forged too: %v", rep.Fault)
	}
	_, ours := sealed(t, testKey, 3)
	if rep := look(t, testKey, log, ours); rep.OK() || rep.Fault.Problem != audit.Altered || rep.Fault.Line != 1 {
		t.Errorf("with a key: %v", rep.Fault)
	}
}

func TestAForgedLineThatAppendWouldNotWriteIsFound(t *testing.T) {
	good, first := audit.ForgeLine(nil, audit.Link{}, clock(), `"id":"a","phase":"ended","action":"spy"`)
	if rep, err := audit.Verify(bytes.NewReader(good), nil); err != nil || !rep.OK() {
		t.Fatalf("%v, %v", rep.Fault, err)
	}
	for name, tc := range map[string]struct {
		prev    audit.Link
		fields  string
		problem audit.Problem // of Verify; none where only the entry is wrong
	}{
		"no JSON":                {first, `"id":`, audit.Altered},
		"a number left out":      {audit.Link{Seq: 2, Hash: first.Hash}, `"id":"a","phase":"ended","action":"spy"`, audit.Missing},
		"a number twice":         {audit.Link{Hash: first.Hash}, `"id":"a","phase":"ended","action":"spy"`, audit.OutOfOrder},
		"an unknown field":       {first, `"id":"a","phase":"ended","action":"spy","note":"x"`, ""},
		"another number further": {first, `"id":"a","phase":"ended","action":"spy","seq":7`, ""},
		"free text":              {first, `"id":"a","phase":"ended","action":"spy","detail":"Ivan"` + ` ` + `,"reason":"to +7"`, ""},
		"no phase":               {first, `"id":"a","action":"spy"`, ""},
	} {
		line, _ := audit.ForgeLine(nil, tc.prev, clock(), tc.fields)
		log := slices.Concat(good, line)
		rep, err := audit.Verify(bytes.NewReader(log), nil)
		if err != nil || rep.OK() != (tc.problem == "") || !rep.OK() && (rep.Fault.Problem != tc.problem || rep.Fault.Line != 2) {
			t.Errorf("%s: %v, %v, want %q", name, rep.Fault, err, tc.problem)
		}
		r := audit.NewReader(bytes.NewReader(log), nil)
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Next(); err == nil {
			t.Errorf("%s: the reader gives it as an entry", name)
		}
	}
}

func TestAReaderGoesOnAfterAFault(t *testing.T) {
	lines, _ := sealed(t, nil, 6)
	lines[1] = bytes.Replace(lines[1], []byte("irina"), []byte("boris"), 1)
	lines[3] = append(bytes.Repeat([]byte("x"), 100<<10), '\n')
	path := filepath.Join(t.TempDir(), "audit.log")
	mustPut(t, path, slices.Concat(lines...))
	var got []string
	for e, err := range audit.Read(nil, path) {
		if err != nil {
			got = append(got, strings.TrimPrefix(err.Error(), path+":"))
		} else {
			got = append(got, e.ID)
		}
	}
	want := []string{"act0", "2: altered: entry 2", "act2", "4: altered: entry 4", "act4", "act5"}
	if !slices.Equal(got, want) {
		t.Fatalf("%q\nwant\n%q", got, want)
	}
}

func TestAReadersOwnErrorIsNoFault(t *testing.T) {
	lines, _ := sealed(t, nil, 1)
	r := iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(lines[0])))
	if rep, err := audit.Verify(r, nil); err == nil || !rep.OK() {
		t.Fatalf("%+v, %v", rep, err)
	}
	if _, err := audit.VerifyFiles(nil, filepath.Join(t.TempDir(), "none.log")); err != nil {
		t.Errorf("a log that is not there: %v, want a fault", err)
	}
	if os.Getuid() != 0 { // root reads everything
		path := filepath.Join(t.TempDir(), "audit.log")
		mustWrite(t, path, audit.Options{}, 1)
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := audit.VerifyFiles(nil, path); err == nil {
			t.Error("a log that may not be read")
		}
	}
}

func TestAPartOfTheChainBeginsAnywhereAndIsWholeBehindThat(t *testing.T) {
	lines, _ := sealed(t, testKey, 6)
	dir := t.TempDir()
	file := func(name string, of ...[]byte) string {
		path := filepath.Join(dir, name)
		mustPut(t, path, slices.Concat(of...))
		return path
	}
	for name, c := range map[string]struct {
		files []string
		want  string // problem and place, or numbers
	}{
		"from the beginning":      {[]string{file("all", lines...)}, "1-6"},
		"the midst":               {[]string{file("midst", lines[2:5]...)}, "3-5"},
		"several files":           {[]string{file("none"), file("some", lines[2:4]...), file("more", lines[4:]...)}, "3-6"},
		"nothing":                 {[]string{file("empty")}, "0-0"},
		"one is missing":          {[]string{file("gap", lines[1], lines[3])}, "missing 3"},
		"one is missing between":  {[]string{file("first", lines[1]), file("second", lines[3])}, "missing 3"},
		"one comes twice":         {[]string{file("twice", lines[1], lines[1])}, "out_of_order 3"},
		"the first was altered":   {[]string{file("altered", bytes.Replace(lines[1], []byte("irina"), []byte("ivana"), 1), lines[2])}, "altered 1"},
		"another was altered":     {[]string{file("later", lines[1], bytes.Replace(lines[2], []byte("irina"), []byte("ivana"), 1))}, "altered 3"},
		"an unfinished last line": {[]string{file("torn", lines[1], lines[2][:100])}, "unfinished 3"},
	} {
		rep, err := audit.VerifyPart(testKey, c.files...)
		if err != nil {
			t.Fatal(name, err)
		}
		got := fmt.Sprintf("%d-%d", rep.First, rep.Last.Seq)
		if !rep.OK() {
			got = fmt.Sprintf("%s %d", rep.Fault.Problem, rep.Fault.Want)
		}
		if got != c.want {
			t.Errorf("%s: %s, not %s", name, got, c.want)
		}
	}
	if rep, err := audit.VerifyPart(nil, file("keyed", lines...)); err != nil || rep.OK() {
		t.Errorf("without the key: %v %v", rep, err)
	}
	if _, err := audit.VerifyPart(audit.Key("short"), file("keyed", lines...)); err == nil {
		t.Error("a short key is taken")
	}
	if _, err := audit.VerifyPart(nil, filepath.Join(dir, "nowhere")); err == nil {
		t.Error("what cannot be read is whole")
	}
}
