package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
)

func TestTheChainRunsThroughRotatedFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit[1].log") // a name that glob would read as a pattern
	l := mustOpen(t, path, audit.Options{Clock: clock})
	if name, err := l.Rotate(); err != nil || name != "" {
		t.Fatalf("an empty log: %q, %v", name, err)
	}
	var archives []string
	for n := range 12 {
		mustAppend(t, l, entry(n))
		if n%5 == 4 {
			name, err := l.Rotate()
			if err != nil {
				t.Fatal(err)
			}
			archives = append(archives, name)
		}
	}
	mustPut(t, path+".torn-000000000009-1", nil) // neighbours that are no logs
	files, err := audit.Files(path)
	if want := append(archives, path); err != nil || !slices.Equal(files, want) {
		t.Fatalf("files %v, %v, want %v", files, err, want)
	}
	if got := len(wantGood(t, nil, files...)); got != 12 {
		t.Fatalf("%d entries", got)
	}
	for i, want := range []uint64{1, 6, 11} {
		rep, err := audit.VerifyFiles(nil, files[i])
		if err != nil || !rep.OK() || rep.First != want {
			t.Errorf("%s alone: %+v, %v", files[i], rep, err)
		}
	}
	rep, err := audit.VerifyFiles(nil, files[0], files[2])
	if err != nil || rep.OK() || rep.Fault.Problem != audit.Missing || rep.Fault.Want != 6 || rep.Fault.Got != 11 {
		t.Errorf("a file left out: %v, %v", rep.Fault, err)
	}
	rep, err = audit.VerifyFiles(nil, files[1], files[0])
	if err != nil || rep.OK() {
		t.Errorf("files swapped: %+v, %v", rep, err)
	}
	begun := filepath.Join(t.TempDir(), "audit.log")
	mustWrite(t, begun, audit.Options{}, 0)
	if rep, err := audit.VerifyFiles(nil, files[0], begun); err != nil || rep.OK() || rep.Fault.File != begun {
		t.Errorf("an empty log of another chain behind: %v, %v", rep.Fault, err)
	}
	b := mustRead(t, files[1])
	mustPut(t, files[1], b[:len(b)/5*4])
	if rep, err := audit.VerifyFiles(nil, files...); err != nil || rep.OK() || rep.Fault.File != files[1] {
		t.Errorf("the end of an archive cut off: %v, %v", rep.Fault, err)
	}
}

func TestARotationThatACrashInterruptsIsFinishedByTheNextOpen(t *testing.T) {
	for _, stage := range []string{"archive's head written", "log's head written", "renamed", "done"} {
		t.Run(stage, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			l := mustOpen(t, path, audit.Options{Clock: clock})
			mustAppend(t, l, entry(0), entry(1))
			before := mustRead(t, path+".head")
			archive, err := l.Rotate()
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			rotated := true
			switch stage {
			case "archive's head written":
				mustPut(t, path+".head", before)
				rotated = false
				fallthrough
			case "log's head written":
				if err := os.Rename(archive, path); err != nil {
					t.Fatal(err)
				}
			case "renamed":
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			l = mustOpen(t, path, audit.Options{Clock: clock})
			mustAppend(t, l, entry(2))
			files, err := audit.Files(path)
			if err != nil || (len(files) == 2) != rotated {
				t.Fatalf("files %v, %v", files, err)
			}
			if got := ids(wantGood(t, nil, files...)); got != "act0 act1 act2" {
				t.Fatalf("entries %s", got)
			}
		})
	}
}

func TestARotationThatFailsLeavesTheLogInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f := &audit.Faults{Space: 1 << 20}
	l := mustOpenFaulty(t, path, f)
	mustAppend(t, l, entry(0))
	f.Set(func(f *audit.Faults) { f.HeadErr = syscall.EIO })
	if _, err := l.Rotate(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	f.Set(func(f *audit.Faults) { f.HeadErr = nil })
	mustAppend(t, l, entry(1))
	if got := ids(wantGood(t, nil, path)); got != "act0 act1" {
		t.Fatalf("entries %s", got)
	}
	mustPut(t, path+".000000000002", []byte("of an older chain"))
	if name, err := l.Rotate(); !errors.Is(err, os.ErrExist) {
		t.Fatalf("renamed over %s: %v", name, err)
	}
	if got := string(mustRead(t, path+".000000000002")); got != "of an older chain" {
		t.Fatalf("the older archive holds %q", got)
	}
	mustAppend(t, l, entry(2))
	if got := ids(wantGood(t, nil, path)); got != "act0 act1 act2" {
		t.Fatalf("entries %s", got)
	}
}
