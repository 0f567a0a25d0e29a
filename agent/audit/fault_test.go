package audit_test

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
)

func TestADiskThatIsFullRefusesUntilThereIsSpaceAndLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f := &audit.Faults{Space: 1 << 20}
	l := mustOpenFaulty(t, path, f)
	mustAppend(t, l, entry(1))
	for _, space := range []int64{0, 1, 100} { // nothing, or a part of the line, reaches the disk
		f.Set(func(f *audit.Faults) { f.Space = space })
		if err := l.Append(t.Context(), entry(2)); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("with %d bytes left: %v", space, err)
		}
		if !errors.Is(l.Err(), syscall.ENOSPC) {
			t.Fatalf("Err() = %v while the disk is full", l.Err())
		}
	}
	f.Set(func(f *audit.Faults) { f.Space = 1 << 20 })
	mustAppend(t, l, entry(3))
	if l.Err() != nil {
		t.Fatalf("Err() = %v after a success", l.Err())
	}
	if got := l.Stats(); got != (audit.Stats{Written: 2, Refused: 3, Commits: 2}) {
		t.Fatalf("stats %+v", got)
	}
	all := wantGood(t, nil, path)
	if got := ids(all); got != "act1 audit act3" || all[1].Phase != audit.Recovered || all[1].Detail != audit.DetailWriteFailed {
		t.Fatalf("entries %s, want the two good ones and a note of the gap between them", got)
	}
}

func TestWhatAFailedSyncLeftIsTakenBackBeforeTheNextWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f := &audit.Faults{Space: 1 << 20}
	l := mustOpenFaulty(t, path, f)
	mustAppend(t, l, entry(1))
	f.Set(func(f *audit.Faults) { f.SyncErr = syscall.EIO })
	for range 2 {
		if err := l.Append(t.Context(), entry(2)); !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
	}
	f.Set(func(f *audit.Faults) { f.SyncErr, f.Ops = nil, nil })
	mustAppend(t, l, entry(3))
	want := "head write,head sync,log truncate,log sync,log write,log sync,head write"
	f.Set(func(f *audit.Faults) {
		if got := strings.Join(f.Ops, ","); got != want {
			t.Errorf("after a failed sync:\n%s\nwant\n%s", got, want)
		}
	})
	if got := ids(wantGood(t, nil, path)); got != "act1 audit act3" {
		t.Fatalf("entries %s", got)
	}
}

func TestAHeadThatCannotBeWrittenRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f := &audit.Faults{Space: 1 << 20}
	l := mustOpenFaulty(t, path, f)
	f.Set(func(f *audit.Faults) { f.HeadErr = syscall.EIO })
	for range 2 {
		if err := l.Append(t.Context(), entry(1)); !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
	}
	f.Set(func(f *audit.Faults) { f.HeadErr = nil })
	mustAppend(t, l, entry(2))
	if got := ids(wantGood(t, nil, path)); got != "audit act2" {
		t.Fatalf("entries %s", got)
	}
}

func TestTheLogIsSyncedBeforeAppendReturnsAndTheHeadFollows(t *testing.T) {
	f := &audit.Faults{Space: 1 << 20}
	l := mustOpenFaulty(t, filepath.Join(t.TempDir(), "audit.log"), f)
	f.Set(func(f *audit.Faults) { f.Ops = nil })
	mustAppend(t, l, entry(1))
	f.Set(func(f *audit.Faults) {
		if got := strings.Join(f.Ops, ","); got != "log write,log sync,head write" {
			t.Errorf("order %s", got)
		}
	})
}

// A log to which nobody appends, since everything is refused, is found to be well again by trying.
func TestALogThatCanBeWrittenAgainIsFoundToBeSo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f := &audit.Faults{Space: 1 << 20}
	l := mustOpenFaulty(t, path, f)
	if err := l.Retry(); err != nil || l.Stats().Commits != 0 {
		t.Fatalf("a log that is well was tried: %v", err)
	}
	mustAppend(t, l, entry(1))
	f.Set(func(f *audit.Faults) { f.Space = 10 })
	if err := l.Append(t.Context(), entry(2)); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	for range 3 {
		if err := l.Retry(); !errors.Is(err, syscall.ENOSPC) || l.Err() == nil {
			t.Fatalf("%v, %v", err, l.Err())
		}
	}
	f.Set(func(f *audit.Faults) { f.Space = 1 << 20 })
	for range 2 {
		if err := l.Retry(); err != nil || l.Err() != nil {
			t.Fatalf("%v, %v", err, l.Err())
		}
	}
	if got := l.Stats(); got != (audit.Stats{Written: 1, Refused: 1, Commits: 2}) {
		t.Errorf("stats %+v", got)
	}
	mustAppend(t, l, entry(3))
	if got := ids(wantGood(t, nil, path)); got != "act1 audit act3" {
		t.Errorf("entries %s, want one note of the gap", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Retry(); err != nil {
		t.Errorf("a closed log that was well: %v", err)
	}
}
