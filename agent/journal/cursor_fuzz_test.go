package journal_test

import (
	"testing"

	"github.com/earshot-pbx/earshot/agent/journal"
)

// A place in the journal is a word that reads back the same; a word that is read is a place, however it was spelled, and one that is not is none.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{"", "0.0", "gjdgxs.1", "-1.z", "+1.1", "1", "1.", ".1", "1.1.1", "1y2p0ij32e8e7.1y2p0ij32e8e8", "Z.z", " 1.1", "1_0.1"} {
		f.Add(s, int64(0), int64(-1))
	}
	f.Fuzz(func(t *testing.T, s string, began, n int64) {
		at, err := journal.ParseCursor(s)
		if err != nil && at != (journal.Cursor{}) {
			t.Fatalf("%q is %v and an error", s, at)
		}
		for _, c := range []journal.Cursor{at, journal.CursorAt(began, n)} {
			if again, err := journal.ParseCursor(c.String()); err != nil || again != c {
				t.Fatalf("%q reads back as %v, %v", c, again, err)
			}
			if b, k := c.Place(); journal.CursorAt(b, k) != c {
				t.Fatalf("%v and %v are another place", b, k)
			}
		}
		if b, k := journal.CursorAt(began, n).Place(); b != began || k != n {
			t.Fatalf("%d and %d became %d and %d", began, n, b, k)
		}
	})
}
