package audit_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// killed makes the files of a log whose process was killed after the head named `acked` entries and the log held `written`.
func killed(t *testing.T, acked, written int) (log, head []byte, offsets []int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.log")
	l := mustOpen(t, path, audit.Options{Clock: clock})
	for n := range written {
		mustAppend(t, l, entry(n))
		if n+1 == acked {
			head = mustRead(t, path+".head")
		}
		offsets = append(offsets, len(mustRead(t, path)))
	}
	return mustRead(t, path), head, offsets
}

func TestAKillAtAnyByteOfAWriteLosesNothingThatWasAcknowledged(t *testing.T) {
	log, head, ends := killed(t, 2, 4)
	dir := t.TempDir()
	for size := ends[1]; size <= len(log); size += 7 {
		path := filepath.Join(dir, "audit.log")
		mustPut(t, path, log[:size])
		mustPut(t, path+".head", head)
		l, err := audit.Open(path, audit.Options{Clock: clock})
		if err != nil {
			t.Fatalf("cut at %d: %v", size, err)
		}
		mustAppend(t, l, entry(9))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		whole := 0
		for _, end := range ends {
			if end <= size {
				whole++
			}
		}
		want := strings.Join(strings.Fields("act0 act1 act2 act3")[:whole], " ")
		torn := log[ends[whole-1]:size]
		if len(torn) > 0 {
			want += " audit"
		}
		all := wantGood(t, nil, path)
		if got := ids(all); got != want+" act9" {
			t.Fatalf("cut at %d: entries %s, want %s act9", size, got, want)
		}
		kept, err := filepath.Glob(path + ".torn-*")
		if err != nil || len(kept) > 1 || (len(kept) == 1) != (len(torn) > 0) {
			t.Fatalf("cut at %d: kept %v, %v", size, kept, err)
		}
		if len(torn) > 0 {
			if e := all[whole]; e.Phase != audit.Recovered || e.Detail != audit.DetailTornTail {
				t.Fatalf("cut at %d: note %+v", size, e)
			}
			if !bytes.Equal(mustRead(t, kept[0]), torn) {
				t.Fatalf("cut at %d: the unfinished end was not kept as it was", size)
			}
			if err := os.Remove(kept[0]); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestAPageThatNeverReachedTheDiskIsCutOff(t *testing.T) {
	log, head, ends := killed(t, 2, 4)
	for i := ends[2] - 100; i < ends[2]; i++ { // after a power cut a middle page may be zeros and the next one written
		log[i] = 0
	}
	path := filepath.Join(t.TempDir(), "audit.log")
	mustPut(t, path, log)
	mustPut(t, path+".head", head)
	mustOpen(t, path, audit.Options{})
	if got := ids(wantGood(t, nil, path)); got != "act0 act1 audit" {
		t.Fatalf("entries %s", got)
	}
}

func TestWhatACrashCannotExplainIsNotOpened(t *testing.T) {
	log, head, ends := killed(t, 3, 3)
	var other []byte // a good log of as many lines and bytes
	{
		p := filepath.Join(t.TempDir(), "other.log")
		l := mustOpen(t, p, audit.Options{Clock: clock})
		mustAppend(t, l, entry(7), entry(8), entry(9))
		other = mustRead(t, p)
	}
	changed := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 1
		return b
	}
	for name, tc := range map[string]struct {
		log, head []byte
		want      string
	}{
		"the end is cut off at a line":     {log[:ends[1]], head, "cut off"},
		"the end is cut off within a line": {log[:ends[2]-1], head, "cut off"},
		"the log is gone":                  {nil, head, "the log is gone and its head is there"},
		"the log is emptied":               {[]byte{}, head, "cut off"},
		"the head is gone":                 {log, nil, "head file is missing"},
		"the head is emptied":              {log, []byte{}, "head file is missing"},
		"the head is changed":              {log, changed(head, 30), "head file is damaged"},
		"the head is longer":               {log, append(bytes.Clone(head), '\n'), "head file is damaged"},
		"the last line is changed":         {changed(log, ends[1]+10), head, "line 3 is not as it was written"},
		"the last line's end is changed":   {changed(log, len(log)-1), head, "line 3 is not as it was written"},
		"another log stands there":         {other, head, "line 3 is not as it was written"},
		"much was added":                   {append(bytes.Clone(log), bytes.Repeat([]byte("x"), 2<<20)...), head, "no part of the chain"},
	} {
		path := filepath.Join(t.TempDir(), "audit.log")
		if tc.log != nil {
			mustPut(t, path, tc.log)
		}
		if tc.head != nil {
			mustPut(t, path+".head", tc.head)
		}
		for range 2 { // and it stays so
			l, err := audit.Open(path, audit.Options{})
			if err == nil {
				closeAtEnd(t, l)
				t.Errorf("%s: it opens", name)
				break
			}
			if !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), " move the log and audit.log.head away and keep both") {
				t.Errorf("%s: %v, want %q", name, err, tc.want)
			}
		}
		if now, err := os.ReadFile(path); tc.log != nil && (err != nil || !bytes.Equal(now, tc.log)) {
			t.Errorf("%s: Open changed the log (%v)", name, err)
		} else if tc.log == nil && !os.IsNotExist(err) {
			t.Errorf("%s: Open made a log", name)
		}
	}
	path := filepath.Join(t.TempDir(), "audit.log") // the same files unchanged do open
	mustPut(t, path, log)
	mustPut(t, path+".head", head)
	mustOpen(t, path, audit.Options{})
}

func TestAWholeLineOfAnotherChainBehindTheHeadIsCutOff(t *testing.T) {
	log, head, ends := killed(t, 2, 2)
	other, _ := audit.ForgeLine(nil, audit.Link{Seq: 2, Hash: strings.Repeat("0", 64)}, clock(), `"id":"a","phase":"ended","action":"spy"`)
	for name, line := range map[string][]byte{"the right number behind another line": other, "a line again": log[ends[0]:]} {
		path := filepath.Join(t.TempDir(), "audit.log")
		mustPut(t, path, append(bytes.Clone(log), line...))
		mustPut(t, path+".head", head)
		mustOpen(t, path, audit.Options{})
		if got := ids(wantGood(t, nil, path)); got != "act0 act1 audit" {
			t.Errorf("%s: entries %s", name, got)
		}
	}
}

func TestALogWithAKeyIsNotOpenedWithoutIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	mustWrite(t, path, audit.Options{Key: testKey}, 2)
	for name, key := range map[string]audit.Key{"none": nil, "another": audit.Key("another key of some length")} {
		if l, err := audit.Open(path, audit.Options{Key: key}); err == nil {
			closeAtEnd(t, l)
			t.Errorf("with %s it opens", name)
		}
	}
	mustOpen(t, path, audit.Options{Key: testKey})
}
