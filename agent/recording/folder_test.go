package recording

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// A spool that cannot be read takes nothing else with it, and what is in it is not gone: nobody hears that there is no such file.
func TestASpoolThatCannotBeReadIsTriedAgain(t *testing.T) {
	dir := t.TempDir()
	gone := filepath.Join(dir, "gone")
	write(t, filepath.Join(dir, "here/a.wav"), "sound")
	s := open(t, SpoolConfig{Name: "here", Path: filepath.Join(dir, "here")}, SpoolConfig{Name: "gone", Path: gone})
	if up := s.Up(); !up["here"] || up["gone"] || len(up) != 2 {
		t.Errorf("%v", up)
	}
	if turns := s.Look(); len(turns) != 1 || turns[0].Spool != "gone" || !errors.Is(turns[0].Err, os.ErrNotExist) {
		t.Errorf("first %+v", turns)
	}
	if turns := s.Look(); len(turns) != 0 {
		t.Errorf("it is told again: %+v", turns)
	}
	if there, err := s.Has(Place{"here", "a.wav"}); !there || err != nil {
		t.Errorf("the other spool: %v, %v", there, err)
	}
	_, opened := s.Open("gone", "a.wav")
	_, has := s.Has(Place{"gone", "a.wav"})
	_, copies := s.Copies("here", "a.wav")
	_, allowed := newRights([]UnixUser{{"anna", "root"}}, s).Allow(t.Context(), Question{Employee: "anna", Action: "play", Place: Place{"gone", "a.wav"}})
	for what, err := range map[string]error{"open": opened, "has": has, "remove": s.Remove("gone", "a.wav"), "copies": copies, "allow": allowed} {
		if !errors.Is(err, ErrDown) || errors.Is(err, ErrNoFile) {
			t.Errorf("%s: %v", what, err)
		}
	}
	write(t, filepath.Join(gone, "a.wav"), "sound")
	if turns := s.Look(); !slices.Equal(turns, []Turn{{Spool: "gone"}}) {
		t.Errorf("then %+v", turns)
	}
	if there, err := s.Has(Place{"gone", "a.wav"}); !there || err != nil {
		t.Errorf("then: %v, %v", there, err)
	}
	if there, err := s.Has(Place{"gone", "b.wav"}); there || err != nil {
		t.Errorf("another file: %v, %v", there, err)
	}
}

// What is at a spool's path is what is served, also when another folder has come there. Until that is seen, nothing is said to be gone.
func TestAFolderInTheFormersPlaceIsOpened(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	write(t, filepath.Join(dir, "a.wav"), "old")
	s := open(t, SpoolConfig{Name: "main", Path: dir})
	if turns := s.Look(); len(turns) != 0 {
		t.Errorf("unchanged: %+v", turns)
	}
	if err := os.Rename(dir, dir+"-was"); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "b.wav"), "new")
	if _, err := s.Has(Place{"main", "b.wav"}); !errors.Is(err, ErrDown) {
		t.Errorf("before it is seen: %v", err)
	}
	if turns := s.Look(); !slices.Equal(turns, []Turn{{Spool: "main", Replaced: true}}) {
		t.Errorf("%+v", turns)
	}
	for name, want := range map[string]bool{"a.wav": false, "b.wav": true} {
		if there, err := s.Has(Place{"main", name}); there != want || err != nil {
			t.Errorf("%s: %v, %v", name, there, err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if turns := s.Look(); len(turns) != 1 || turns[0].Err == nil || s.Up()["main"] {
		t.Errorf("removed: %+v", turns)
	}
}

// The keeper looks by itself, tells, finds what lies in the new folder and watches it.
func TestTheKeeperGoesOnInANewFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	turns, book := make(chan Turn, 10), newLedger(map[string]string{"1763790000.1": "one", "1763790000.2": "two"})
	k := NewKeeper(KeeperConfig{
		Spools: open(t, SpoolConfig{Name: "main", Path: dir}), Book: book, OnTurn: func(turn Turn) { turns <- turn },
		Settle: time.Millisecond, Try: 10 * time.Millisecond,
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // after which nothing comes any more
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}()
	next := func() (turn Turn) {
		t.Helper()
		select {
		case turn = <-turns:
		case <-ctx.Done():
			t.Fatal("nothing is told")
		}
		return turn
	}
	if turn := next(); turn.Err == nil {
		t.Errorf("missing: %+v", turn)
	}
	write(t, filepath.Join(dir, "sub/1763790000.1.wav"), "sound")
	if turn := next(); turn != (Turn{Spool: "main"}) {
		t.Errorf("there: %+v", turn)
	}
	kept := func(call, name string) {
		t.Helper()
		for e := (Entry{}); e.Call != call; e, _ = book.entry(Place{"main", name}) {
			select {
			case <-ctx.Done():
				t.Fatal("it is not kept")
			case <-time.After(time.Millisecond):
			}
		}
	}
	kept("one", "sub/1763790000.1.wav")
	other := dir + "-next"
	if err := errors.Join(os.MkdirAll(filepath.Join(other, "sub"), 0o755), os.Rename(dir, dir+"-was"), os.Rename(other, dir)); err != nil {
		t.Fatal(err)
	}
	// Between the two there may have been none.
	for next().Err != nil {
	}
	write(t, filepath.Join(dir, "sub/1763790000.2.wav"), "sound")
	kept("two", "sub/1763790000.2.wav")
}
