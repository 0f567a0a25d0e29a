package recording

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// desk is a keeper whose work a test does, by a clock of its own.
type desk struct {
	*Keeper
	t    *testing.T
	dir  string
	book *ledger
	now  time.Time
	said []error // by OnError
}

func newDesk(t *testing.T, calls map[string]string, change func(*KeeperConfig)) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir(), book: newLedger(calls), now: time.Now()}
	c := KeeperConfig{
		Spools: open(t, SpoolConfig{Name: "main", Path: d.dir, ARI: true}), Book: d.book, Now: func() time.Time { return d.now }, OnError: func(err error) { d.said = append(d.said, err) },
		Variable: func(_ context.Context, leg, _ string) (string, error) { return filepath.Join(d.dir, leg+".wav"), nil },
	}
	if change != nil {
		change(&c)
	}
	d.Keeper = NewKeeper(c)
	return d
}

// file writes a recording's file; it has rested since.
func (d *desk) file(name string) Place {
	d.t.Helper()
	write(d.t, filepath.Join(d.dir, name), "sound")
	if err := os.Chtimes(filepath.Join(d.dir, name), d.now, d.now); err != nil {
		d.t.Fatal(err)
	}
	return Place{"main", name}
}

// passes has some time pass, and the keeper do what it does.
func (d *desk) passes(by time.Duration) {
	for len(d.facts) > 0 {
		d.take(d.t.Context(), <-d.facts)
	}
	d.now = d.now.Add(by)
	for range 3 { // what is told is taken one step at a time
		d.work(d.t.Context())
	}
}

// is looks how far the book is with a recording.
func (d *desk) is(at Place, call string, ended bool) {
	d.t.Helper()
	if e, size := d.book.entry(at); e.Call != call || (size > 0) != ended {
		d.t.Errorf("the book has %+v, %d bytes; want one of %q, ended %v", e, size, call, ended)
	}
}

func TestTheEndOfARecordingIsKeptThoughItsFileIsNotKnownYet(t *testing.T) {
	var d *desk
	d = newDesk(t, map[string]string{"a": "one", "b": "two"}, func(c *KeeperConfig) {
		ask := c.Variable
		c.Variable = func(ctx context.Context, leg, name string) (string, error) {
			if leg == "a" {
				d.Ended(leg) // while the PBX is asked
			}
			return ask(ctx, leg, name)
		}
	})
	a, b := d.file("a.wav"), d.file("b.wav")
	d.Began("a", d.now)
	d.Began("b", d.now)
	d.passes(time.Minute)
	d.is(a, "one", true)
	d.is(b, "two", false)
	d.Ended("b")
	d.passes(0)
	d.is(b, "two", true)
	if s := d.Stats(); s.Waiting != 0 || len(d.open) != 0 {
		t.Errorf("%+v, %d are open", s, len(d.open))
	}
}

// An end that nobody told, as the connection was away or the fact was lost, is asked for: at once when the PBX is seen again, else when nothing has been
// written for a while. What cannot be told, or goes on, stays.
func TestALostEndIsAskedFor(t *testing.T) {
	runs, fault, asked := true, error(nil), 0
	d := newDesk(t, map[string]string{"a": "one", "b": "two"}, func(c *KeeperConfig) {
		c.Runs = func(_ context.Context, source, of string) (bool, error) {
			if source != SourceARI || of != "talk" {
				return true, nil
			}
			asked++
			return runs, fault
		}
	})
	d.ARIBegan("a", "talk", "wav", d.now)
	d.Began("b", d.now)
	talk, other := d.file("talk.wav"), d.file("b.wav")
	d.passes(5 * time.Second)
	if asked != 0 {
		t.Error("it was asked for though something was written a moment ago")
	}
	d.passes(time.Minute)
	d.passes(time.Second)
	if d.is(talk, "one", false); asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	fault, runs = errors.New("away"), false
	d.Resumed()
	d.passes(2 * time.Second)
	if d.is(talk, "one", false); asked != 2 {
		t.Errorf("asked %d times", asked)
	}
	fault = nil
	d.passes(2 * time.Second)
	d.is(talk, "one", true)
	d.is(other, "two", false)
}

// What was told of a file whose name tells nothing is not lost when the journal cannot be written for as long as it likes; nor when its call is written late.
func TestABusyJournalLosesNoRecording(t *testing.T) {
	d := newDesk(t, map[string]string{"a": "one", "b": "two"}, nil)
	d.book.busy = errors.New("busy")
	tape, mix := d.file("earshot-x.wav"), d.file("b.wav")
	d.ARIBegan("a", "earshot-x", "wav", d.now)
	d.ARIBegan("a", "earshot-x", "wav", d.now) // by the PBX and by who has it made
	d.Began("b", d.now)
	d.passes(time.Second)
	d.ARIEnded("earshot-x")
	d.Ended("b")
	d.passes(time.Hour)
	d.is(tape, "", false)
	if len(d.said) == 0 {
		t.Error("nobody is told")
	}
	d.book.busy = nil
	d.passes(time.Second)
	d.is(tape, "one", true)
	d.is(mix, "two", true)
	if s := d.Stats(); s.Kept != 2 || s.Unmatched != 0 {
		t.Errorf("%+v", s)
	}

	late := d.file("earshot-y.wav")
	d.ARIBegan("c", "earshot-y", "wav", d.now)
	d.ARIEnded("earshot-y")
	d.passes(time.Minute)
	d.book.calls["c"] = "three"
	d.passes(time.Second)
	d.is(late, "three", true)
	never := d.file("earshot-z.wav")
	d.ARIBegan("d", "earshot-z", "wav", d.now)
	d.ARIEnded("earshot-z")
	d.passes(time.Hour)
	d.passes(time.Hour)
	d.is(never, "", false)
	if s := d.Stats(); s.Unmatched != 1 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAFileIsNotBoundByTheTextBeforeItsID(t *testing.T) {
	d := newDesk(t, map[string]string{"1763790000.1": "one", "1763790000.2": "two"}, nil)
	forged, own := d.file("in-1763790000.1-1763790000.9.wav"), d.file("in-1763790000.1-1763790000.2.wav")
	d.notice(forged)
	d.notice(own)
	d.passes(time.Hour)
	d.is(forged, "", false)
	d.is(own, "two", true)
}

func TestWhatNeedsNoLookIsNotRememberedForEver(t *testing.T) {
	d := newDesk(t, map[string]string{"1763790000.1": "one"}, nil)
	for i := range maxDone {
		d.done[Place{"main", fmt.Sprint(i)}] = 0
	}
	at := d.file("1763790000.1.wav")
	d.notice(at)
	d.passes(time.Hour)
	if d.is(at, "one", true); len(d.done) > maxDone {
		t.Errorf("%d are remembered", len(d.done))
	}
	d.swept()
	d.notice(at)
	if d.swept(); len(d.done) != 1 || len(d.waiting) != 0 {
		t.Errorf("of one that is there and those that are gone %d are remembered, %d wait", len(d.done), len(d.waiting))
	}
}
