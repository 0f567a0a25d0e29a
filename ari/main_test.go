package ari_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain fails the run if a goroutine is left over.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(closing{m})
}

// closing closes the examples' servers after the run.
type closing struct{ *testing.M }

func (c closing) Run() int {
	code := c.M.Run()
	for _, server := range servers {
		server.Close()
	}
	return code
}
