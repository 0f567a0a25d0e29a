package audit_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// tailed reads on until there is no more for now, some lines at a time, and returns the numbers.
func tailed(t testing.TB, tail *audit.Tail) (numbers []uint64, text string) {
	t.Helper()
	var b strings.Builder
	for {
		lines, err := tail.Read(3)
		if err != nil {
			t.Fatal(err)
		}
		if len(lines) == 0 {
			return numbers, b.String()
		}
		for i, line := range lines {
			if i > 0 && line.Seq != lines[0].Seq+uint64(i) {
				t.Fatalf("a run with a gap: %v", lines)
			}
			if line.Time.IsZero() {
				t.Errorf("line %d has no time", line.Seq)
			}
			numbers = append(numbers, line.Seq)
			b.WriteString(line.Text + "\n")
		}
	}
}

func startTail(t testing.TB, l *audit.Log) *audit.Tail {
	t.Helper()
	tail := l.Tail()
	t.Cleanup(tail.Close)
	return tail
}

func wantTail(t testing.TB, tail *audit.Tail, want ...uint64) {
	t.Helper()
	if got, _ := tailed(t, tail); !slices.Equal(got, want) {
		t.Fatalf("lines %v, not %v", got, want)
	}
}

// span is the numbers from one to another.
func span(from, to uint64) (all []uint64) {
	for ; from <= to; from++ {
		all = append(all, from)
	}
	return all
}

func TestATailReadsTheVeryBytesThroughFilesThatArePutAway(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit[1].log")
	l := mustOpen(t, path, audit.Options{Key: testKey})
	tail := startTail(t, l)
	wantTail(t, tail)
	for n := range 40 {
		mustAppend(t, l, entry(n))
		if n%7 == 6 || n == 20 || n == 21 {
			if _, err := l.Rotate(); err != nil {
				t.Fatal(err)
			}
		}
		if n%9 == 8 { // from the midst of a file, its end, and over several
			wantTail(t, tail, span(uint64(n)-7, uint64(n)+1)...)
		}
	}
	wantTail(t, tail, span(37, 40)...)
	files, err := audit.Files(path)
	if err != nil || len(files) < 7 {
		t.Fatal(files, err)
	}
	var whole []byte
	for _, f := range files {
		whole = append(whole, mustRead(t, f)...)
	}
	tail.Seek(1)
	if _, text := tailed(t, tail); text != string(whole) {
		t.Error("the lines are not the bytes of the files")
	}
	for _, at := range []uint64{40, 7, 8, 22, 33, 41} { // back and ahead, at ends and beginnings of files
		tail.Seek(at)
		wantTail(t, tail, span(at, 40)...)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := startTail(t, mustOpen(t, path, audit.Options{Key: testKey}))
	again.Seek(39)
	wantTail(t, again, 39, 40)
}

func TestATailReadsWhatIsAppendedAndPutAwayMeanwhile(t *testing.T) {
	const writers, each = 8, 60
	path := filepath.Join(t.TempDir(), "audit.log")
	l := mustOpen(t, path, audit.Options{Clock: clock})
	tail := startTail(t, l)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				if err := l.Append(t.Context(), entry(n)); err != nil {
					t.Error(err)
				}
				if w == 0 && n%6 == 5 {
					if _, err := l.Rotate(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	var got []uint64
	for len(got) < writers*each {
		<-tail.Grown()
		numbers, _ := tailed(t, tail)
		got = append(got, numbers...)
	}
	wg.Wait()
	if !slices.Equal(got, span(1, writers*each)) {
		t.Errorf("lines %v", got)
	}
	wantTail(t, tail)
}

func TestATailReadsNothingThatIsNotRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f := &audit.Faults{Space: 1 << 20}
	l := mustOpenFaulty(t, path, f)
	tail := startTail(t, l)
	mustAppend(t, l, entry(0))
	wantTail(t, tail, 1)
	f.Set(func(f *audit.Faults) { f.SyncErr = os.ErrInvalid })
	if err := l.Append(t.Context(), entry(1)); err == nil {
		t.Fatal("it is recorded")
	}
	if got := bytes.Count(mustRead(t, path), []byte("\n")); got != 2 {
		t.Fatalf("%d lines stand in the file", got)
	}
	wantTail(t, tail)
	f.Set(func(f *audit.Faults) { f.SyncErr = nil })
	mustAppend(t, l, entry(2))
	wantTail(t, tail, 2, 3) // the note of the gap, and the entry
	if _, text := tailed(t, tail); strings.Contains(text, "act1") {
		t.Error("what was refused is read")
	}
}

func TestATailPassesOverWhatTheFilesDoNotHaveWhole(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, files []string)
		want  []uint64
	}{
		"an archive is gone": {func(t *testing.T, files []string) {
			if err := os.Remove(files[1]); err != nil {
				t.Fatal(err)
			}
			mustPut(t, strings.TrimSuffix(files[1], "10")+"99", nil) // of an older chain
		}, slices.Concat(span(1, 5), span(11, 13))},
		"all are gone": {func(t *testing.T, files []string) {
			for _, f := range files[:2] {
				if err := os.Remove(f); err != nil {
					t.Fatal(err)
				}
			}
		}, span(11, 13)},
		"a line was altered": {func(t *testing.T, files []string) {
			mustPut(t, files[0], bytes.Replace(mustRead(t, files[0]), []byte("irina"), []byte("ivana"), 1))
		}, span(2, 13)},
		"an archive's end was cut": {func(t *testing.T, files []string) {
			b := mustRead(t, files[1])
			mustPut(t, files[1], b[:len(b)-10])
		}, slices.Concat(span(1, 9), span(11, 13))},
		"lines were swapped": {func(t *testing.T, files []string) {
			lines := bytes.SplitAfter(mustRead(t, files[0]), []byte("\n"))
			lines[1], lines[2] = lines[2], lines[1]
			mustPut(t, files[0], slices.Concat(lines...))
		}, slices.Concat(span(1, 1), span(3, 13))},
		"a line that is no line": {func(t *testing.T, files []string) {
			mustPut(t, files[0], append(bytes.Repeat([]byte(`{"seq":3,`), 1<<16), append([]byte("\n"), mustRead(t, files[0])...)...))
		}, span(1, 13)},
		"a line of a number to come": {func(t *testing.T, files []string) {
			line, _ := audit.ForgeLine(nil, audit.Link{Seq: 98, Hash: strings.Repeat("0", 64)}, clock(), `"id":"a","phase":"ended","action":"spy"`)
			mustPut(t, files[0], append(line, mustRead(t, files[0])...))
		}, span(1, 13)},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			l := mustOpen(t, path, audit.Options{Clock: clock})
			for n := range 13 {
				mustAppend(t, l, entry(n))
				if n == 4 || n == 9 {
					if _, err := l.Rotate(); err != nil {
						t.Fatal(err)
					}
				}
			}
			files, err := audit.Files(path)
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(t, files)
			wantTail(t, startTail(t, l), c.want...)
		})
	}
}

// What is altered in the current file is passed over, and what comes after is read.
func TestATailOutlivesDamageToTheCurrentFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := mustOpen(t, path, audit.Options{Clock: clock})
	mustAppend(t, l, entry(0), entry(1))
	b := mustRead(t, path)
	b[len(b)-10] ^= 1
	mustPut(t, path, b)
	tail := startTail(t, l)
	wantTail(t, tail, 1)
	wantTail(t, tail)
	mustAppend(t, l, entry(2))
	wantTail(t, tail, 3)
	if _, err := l.Rotate(); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, entry(3))
	wantTail(t, tail, 4)
	tail.Seek(1)
	wantTail(t, tail, 1, 3, 4)
}

func TestATailTellsThatItCannotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := mustOpen(t, path, audit.Options{Clock: clock})
	mustAppend(t, l, entry(0))
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	tail := startTail(t, l)
	if _, err := tail.Read(1); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	wantTail(t, tail, 1)
}
