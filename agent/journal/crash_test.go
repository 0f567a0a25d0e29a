package journal_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/earshot-pbx/earshot/agent/journal"
	"pgregory.net/rapid"
)

// TestNothingThatWasWrittenIsLostByAKill copies the files at random moments, as a kill leaves them, with nothing closed, and opens the copy: it
// has what the last Sync has written, and each call that was open goes on or has been ended, with the mark of a gap.
func TestNothingThatWasWrittenIsLostByAKill(t *testing.T) {
	gaps := 0
	rapid.Check(t, func(r *rapid.T) {
		p := newPBX(t)
		defer func() { _ = p.store.Close() }()
		c := &chaos{pbx: p, r: r}
		for range rapid.IntRange(1, 2).Draw(r, "kills") {
			for range rapid.IntRange(1, 25).Draw(r, "acts") {
				c.act()
			}
			p.sync()
			saved := p.everything(r)
			for range rapid.IntRange(0, 5).Draw(r, "unsaved") {
				c.act()
			}
			c.n += 1000 // ids of legs are Asterisk's, and are not used again
			old := p.store
			p.config.Path = copied(r, p.config.Path, filepath.Join(t.TempDir(), "journal"))
			p.restart()
			_ = old.Close()
			if got := p.everything(r); got != saved {
				r.Fatalf("after a kill there is\n%s\nand was\n%s", got, saved)
			}
			p.resync()
			p.sync()
			rows, err := p.store.Rows(t.Context(), journal.Filter{Limit: journal.MaxLimit})
			if err != nil {
				r.Fatal(err)
			}
			for _, row := range rows {
				runs := p.chans[row.Leg.ID] != nil && row.Leg.Ended.IsZero()
				if row.Leg.Ended.IsZero() && (!runs || !row.Call.Gap) || !row.Call.Ended.IsZero() && row.Call.Outcome == journal.Running {
					r.Fatalf("%v is on the PBX: %v; ended %v, cut %v, %v", row.Leg, runs, row.Leg.Ended, row.Call.Gap, row.Call.Outcome)
				}
				if row.Call.Gap {
					gaps++
				}
			}
			for _, id := range p.order {
				if _, ok := p.scribe.CallOf(id); !ok && p.chans[id].Name[:5] == "PJSIP" && id != "own" {
					r.Fatalf("leg %s is followed no more", string(id))
				}
			}
			c.figures()
		}
	})
	if gaps == 0 {
		t.Error("nothing was cut")
	}
}

// everything is all that the store says, in one text.
func (p *pbx) everything(r *rapid.T) string {
	rows, err := p.store.Rows(p.t.Context(), journal.Filter{Limit: journal.MaxLimit})
	if err != nil {
		r.Fatal(err)
	}
	s := ""
	for _, row := range rows {
		c := row.Call
		s += fmt.Sprintln(c.ID, c.Began, c.Answered, c.Ended, c.Outcome, c.Gap, c.Line, c.Visits, c.Transfers, row.Leg.Employee, row.Leg.Began)
		for _, l := range c.Legs {
			s += fmt.Sprintln("  ", l, l.Endpoint, l.Direction, l.Number.Digits(), l.Began, l.Answered, l.Ended, l.Outcome, l.Peers)
		}
	}
	return s
}

// copied copies a file and its log of what is not in it yet.
func copied(r *rapid.T, from, to string) string {
	for _, suffix := range []string{"", "-wal"} {
		src, err := os.Open(from + suffix)
		if err != nil {
			r.Fatal(err)
		}
		dst, err := os.Create(to + suffix)
		if err == nil {
			_, err = io.Copy(dst, src)
		}
		if err != nil {
			r.Fatal(err)
		}
		_ = src.Close()
		if err := dst.Close(); err != nil {
			r.Fatal(err)
		}
	}
	return to
}
