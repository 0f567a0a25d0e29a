package gate

import "testing"

// A row that is touched is known as touched without a look through those that are: thousands arrive at once, and each is touched more than once.
func TestARowIsTouchedOnceInAnArrivalWithoutALookAtTheOthers(t *testing.T) {
	board := make([]entry, 100)
	for n := range uint64(3) {
		a := &arrival{number: n + 1}
		for i := range 2 * len(board) {
			a.touch(&board[i%len(board)])
		}
		if len(a.rows) != len(board) {
			t.Fatalf("%d rows of %d", len(a.rows), len(board))
		}
		a.rows = nil // so that there is nothing to look through
		for i := range board {
			a.touch(&board[i])
		}
		if len(a.rows) != 0 {
			t.Fatalf("%d rows are found out by a look at the others", len(a.rows))
		}
	}
}
