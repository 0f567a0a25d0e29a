package pbx

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// update makes TestCapture write what it records into testdata/streams.
var update = flag.Bool("update", false, "record testdata/streams anew from a real Asterisk")

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if err := closeOffice(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
