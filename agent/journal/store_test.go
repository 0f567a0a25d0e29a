package journal_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/journal"
)

func opened(t testing.TB, c journal.Config) *journal.Store {
	t.Helper()
	st, err := journal.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func TestTheFilesAreTheOwnersAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a journal?100%#1.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	st := opened(t, journal.Config{Path: path})
	if err := st.Fill(t.Context(), 1, aCall); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 2 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode().Perm() != 0o600 || !strings.HasPrefix(f.Name(), "a journal?100%#1.db") {
			t.Errorf("%s has the rights %v, %v", f.Name(), info.Mode(), err)
		}
	}
	if _, err := journal.Open(t.Context(), journal.Config{}); err == nil {
		t.Error("a journal without a file was opened")
	}
	if _, err := journal.Open(t.Context(), journal.Config{Path: filepath.Join(dir, "no", "such")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in a folder that is not there: %v", err)
	}
	if err := os.WriteFile(path+"2", []byte(strings.Repeat("this is no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Open(t.Context(), journal.Config{Path: path + "2"}); err == nil {
		t.Error("what is no journal was opened")
	}
}

// aCall is an answered call of anna's with a client, the i-th of a day.
func aCall(i int) journal.Call {
	began := start.Add(time.Duration(i) * time.Minute)
	c := journal.Call{ID: fmt.Sprintf("call %d", i), Began: began, Answered: began.Add(5 * time.Second), Ended: began.Add(65 * time.Second), Outcome: journal.Answered}
	c.Legs = []journal.Leg{
		{ID: "c", Endpoint: "PJSIP/trunk", Number: "+7 916 000-00-01", Began: began, Answered: c.Answered, Ended: c.Ended, Outcome: c.Outcome},
		{ID: "a", Endpoint: "PJSIP/101", Employee: "anna", Line: "sales", Began: began, Answered: c.Answered, Ended: c.Ended, Outcome: c.Outcome},
	}
	c.Visits = []journal.Visit{{Line: "sales", Began: began, Answered: c.Answered, Ended: c.Ended, Outcome: c.Outcome}}
	return c
}

// oldFile has in a file of version 1 what its version would have written.
func oldFile(t *testing.T, path string) {
	t.Helper()
	st, err := journal.OpenAt(t.Context(), journal.Config{Path: path}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		at := start.Add(time.Duration(i) * 40 * time.Minute).UnixMicro()
		for _, q := range []string{
			`INSERT INTO calls VALUES (?1, 'id' || ?1, ?2, ?2 + 5000000, ?2 + 65000000, 1, 0, 'sales')`,
			`INSERT INTO legs VALUES (?1, ?1, 'leg' || ?1, 'PJSIP/101', 'anna', 1, '101', 'Anna', '', 'sales', ?2, ?2 + 5000000, ?2 + 65000000, 1, '', '101', '')`,
			`INSERT INTO visits VALUES (?1, ?1, ?1, 'sales', ?2, ?2 + 5000000, ?2 + 65000000, 1)`,
		} {
			if err := st.Exec(t.Context(), q, i+1, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAFileOfTheFirstVersionIsBroughtUpToDate(t *testing.T) {
	c := journal.Config{Path: filepath.Join(t.TempDir(), "journal"), Zone: time.FixedZone("half", 5*3600+1800)}
	oldFile(t, c.Path)
	for range 2 { // once it is up to date it is opened as it is
		st := opened(t, c)
		got, err := st.Statistics(t.Context(), journal.StatsFilter{By: journal.ByHour})
		if err != nil || len(got) != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
		// 9:00, 9:40 and 10:20 are 14:30, 15:10 and 15:50 there.
		if got[0].Calls != 1 || got[1].Calls != 2 || !got[1].Began.Equal(start.Add(30*time.Minute)) || got[1].Talk != 2*time.Minute || got[1].Wait != 10*time.Second {
			t.Errorf("%+v", got)
		}
		lines, err := st.Statistics(t.Context(), journal.StatsFilter{By: journal.ByLine})
		if err != nil || len(lines) != 1 || lines[0].Key != "sales" || lines[0].Answered != 3 {
			t.Errorf("%+v, %v", lines, err)
		}
		rows, err := st.Rows(t.Context(), journal.Filter{})
		if err != nil || len(rows) != 3 || rows[0].Call.ID != "id3" || rows[0].Call.Visits[0].Leg != "leg3" {
			t.Errorf("%d rows, %v", len(rows), err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c.Zone = nil
	got, err := opened(t, c).Statistics(t.Context(), journal.StatsFilter{By: journal.ByHour})
	if err != nil || len(got) != 2 || got[0].Calls != 2 || !got[0].Began.Equal(start) {
		t.Errorf("in another zone: %+v, %v", got, err)
	}
}

func TestAFileOfANewerVersionIsLeftAlone(t *testing.T) {
	c := journal.Config{Path: filepath.Join(t.TempDir(), "journal")}
	st := opened(t, c)
	if err := st.Exec(t.Context(), fmt.Sprintf(`PRAGMA user_version = %d`, journal.Versions+1)); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := journal.Open(t.Context(), c)
	if wants(t, err, journal.ErrNewer); !strings.Contains(err.Error(), "start that version, or give this one another file") {
		t.Errorf("it does not say what to do: %v", err)
	}
}

func TestWhoReadsNeverWaitsForWhoWrites(t *testing.T) {
	p := newPBX(t)
	client, anna := p.talk("")
	p.gone(client, anna)
	p.sync()
	// A transaction is begun and has written, and is not ended before both have read.
	release, err := p.store.Hold(t.Context(), `UPDATE legs SET name = 'other'`)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range 50 {
				rows, err := p.store.Rows(ctx, journal.Filter{})
				if err != nil || len(rows) != 1 || rows[0].Leg.Name != "Name of anna" {
					t.Errorf("%d rows, %v", len(rows), err)
				}
				if _, err := p.store.Statistics(ctx, journal.StatsFilter{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	// Who writes does wait, as long as he likes.
	late, stop := context.WithCancel(t.Context())
	stop()
	wants(t, p.store.Grade(late, journal.Grade{}), context.Canceled)
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if rows, err := p.store.Rows(ctx, journal.Filter{}); err != nil || rows[0].Leg.Name != "other" {
		t.Errorf("what was written is not read: %v", err)
	}
}

func TestTheScribeWritesByItselfAndToTheEnd(t *testing.T) {
	p := newPBX(t)
	p.clock = func() time.Time { return start } // Run reads it on a goroutine of its own
	p.open()
	p.resync()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.scribe.Run(ctx) }()
	p.talk("")
	for deadline := time.Now().Add(10 * time.Second); ; {
		rows, err := p.store.Rows(t.Context(), journal.Filter{})
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		if len(rows) == 1 {
			break
		}
	}
	p.gone("client", "anna")
	cancel()
	wants(t, <-done, context.Canceled)
	rows, err := p.store.Rows(t.Context(), journal.Filter{})
	if err != nil || len(rows) != 1 || rows[0].Leg.Outcome != journal.Answered {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestRetentionDeletesWhatBelongsToAnOldCallAndItsFilesFirst(t *testing.T) {
	st := opened(t, journal.Config{Path: filepath.Join(t.TempDir(), "journal")})
	if err := st.Fill(t.Context(), 500, aCall); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, i := range []int{3, 4, 499} {
		r, err := st.AddRecording(t.Context(), journal.Recording{Call: fmt.Sprintf("call %d", i), Spool: "monitor", File: fmt.Sprintf("%d.wav", i), Began: start})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
		if err := st.Grade(t.Context(), journal.Grade{Call: r.Call, Employee: "anna", By: "irina", Value: 5}); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.MarkDeleted(t.Context(), ids[0], start); err != nil {
		t.Fatal(err)
	}
	before := start.Add(450 * time.Minute)
	broken := errors.New("broken")
	// What cannot be removed keeps its call, and that one alone.
	if n, err := st.Retain(t.Context(), before, func(context.Context, journal.Recording) error { return broken }); !errors.Is(err, broken) || n != 448 {
		t.Errorf("%d calls were deleted, %v", n, err)
	}
	var files []string
	n, err := st.Retain(t.Context(), before, func(_ context.Context, r journal.Recording) error {
		files = append(files, r.Spool+"/"+r.File+" of "+r.Call)
		return nil
	})
	// The 449th ended at 449:05 past.
	if err != nil || n != 1 || len(files) != 1 || files[0] != "monitor/4.wav of call 4" {
		t.Errorf("%d calls and the files %v were deleted, %v", n, files, err)
	}
	if _, err := st.Call(t.Context(), "call 4"); !errors.Is(err, journal.ErrNoCall) {
		t.Errorf("call 4: %v", err)
	}
	if _, err := st.Recording(t.Context(), ids[1]); !errors.Is(err, journal.ErrNoRecording) {
		t.Errorf("its recording: %v", err)
	}
	if _, err := st.Recording(t.Context(), ids[2]); err != nil {
		t.Errorf("another one: %v", err)
	}
	if g, err := st.Grades(t.Context(), "call 499"); err != nil || len(g) != 1 {
		t.Errorf("grades %v, %v", g, err)
	}
	stats, err := st.Statistics(t.Context(), journal.StatsFilter{})
	if err != nil || len(stats) != 1 || stats[0].Calls != 51 {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestRetentionGivesBackTheRoom(t *testing.T) {
	c := journal.Config{Path: filepath.Join(t.TempDir(), "journal")}
	st := opened(t, c)
	if err := st.Fill(t.Context(), 4000, aCall); err != nil {
		t.Fatal(err)
	}
	size := func() int64 {
		if err := st.Exec(t.Context(), `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(c.Path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	full := size()
	if n, err := st.Retain(t.Context(), start.Add(3600*time.Minute), nil); err != nil || n < 3500 {
		t.Fatalf("%d calls were deleted, %v", n, err)
	}
	if left := size(); left > full/5 {
		t.Errorf("of %d bytes %d are left for a tenth of the calls", full, left)
	}
}

func TestRetentionKeepsACallThatRuns(t *testing.T) {
	p := newPBX(t)
	client, _ := p.talk("")
	p.sync()
	if n, err := p.store.Retain(t.Context(), p.now.Add(time.Hour), nil); err != nil || n != 0 {
		t.Errorf("%d calls, %v", n, err)
	}
	is(t, p.call(client).Outcome.String(), "running")
}

func TestARecordingIsFoundByIdAndFileUntilItIsDeleted(t *testing.T) {
	st := opened(t, journal.Config{Path: filepath.Join(t.TempDir(), "journal")})
	if err := st.Fill(t.Context(), 1, aCall); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	r := journal.Recording{Call: "call 0", Leg: "a", Spool: "monitor", File: "2026/x.wav", Source: "mixmonitor", Began: start}
	kept, err := st.AddRecording(ctx, r)
	if err != nil || len(kept.ID) < 20 {
		t.Fatalf("%+v, %v", kept, err)
	}
	_, err = st.AddRecording(ctx, r)
	wants(t, err, journal.ErrRecordingKnown)
	_, err = st.AddRecording(ctx, journal.Recording{Call: "none", File: "y"})
	wants(t, err, journal.ErrNoCall)
	if err := st.EndRecording(ctx, kept.ID, start.Add(time.Minute), 1234); err != nil {
		t.Fatal(err)
	}
	want := r
	want.ID, want.Ended, want.Size = kept.ID, start.Add(time.Minute), 1234
	if got, err := st.Recording(ctx, kept.ID); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := st.RecordingOf(ctx, "monitor", "2026/x.wav"); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for i := range 2 { // it is deleted once
		if err := st.MarkDeleted(ctx, kept.ID, start.Add(time.Duration(i+1)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := st.Call(ctx, "call 0")
	want.Deleted = start.Add(time.Hour)
	if err != nil || len(c.Recordings) != 1 || c.Recordings[0] != want {
		t.Errorf("%+v, %v", c.Recordings, err)
	}
	_, err = st.RecordingOf(ctx, "monitor", "2026/x.wav")
	wants(t, err, journal.ErrNoRecording)
	wants(t, st.MarkDeleted(ctx, "guessed", start), journal.ErrNoRecording)
	wants(t, st.EndRecording(ctx, "guessed", start, 1), journal.ErrNoRecording)
	if _, err := st.AddRecording(ctx, r); err != nil {
		t.Errorf("a file of the same name, after the first was deleted: %v", err)
	}
}

func TestAGradeIsOnePersonsOfOneEmployee(t *testing.T) {
	st := opened(t, journal.Config{Path: filepath.Join(t.TempDir(), "journal")})
	if err := st.Fill(t.Context(), 2, aCall); err != nil {
		t.Fatal(err)
	}
	g := journal.Grade{Call: "call 1", Employee: "anna", By: "irina", Value: 3, Comment: "ok", At: start}
	better := g
	better.Value, better.At = 5, start.Add(time.Hour)
	other := g
	other.By = "dora"
	for _, g := range []journal.Grade{g, other, better} {
		if err := st.Grade(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	got, err := st.Grades(t.Context(), "call 1")
	if err != nil || len(got) != 2 || got[0] != other || got[1] != better {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := st.Grades(t.Context(), "call 0"); err != nil || len(got) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = st.Grades(t.Context(), "none")
	wants(t, err, journal.ErrNoCall)
	g.Call = "none"
	wants(t, st.Grade(t.Context(), g), journal.ErrNoCall)
}
