package journal_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// calls is how many calls the figures of TestFiguresOfManyCalls are made of; make campaign-journal says a million.
var calls = flag.Int("calls", 5000, "how many calls there are in the journal that figures are asked of")

// The driver keeps a goroutine that opens connections as long as a store is open; each test closes its own.
func TestMain(m *testing.M) {
	// Each check makes files; rapid's hundred would take minutes under the race detector. (What the command line says has the last word.)
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
