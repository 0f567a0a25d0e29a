//go:build !unix

package ami

import "net"

// direct is a connection that is written to without waiting, of which there is none here: each session's own goroutine
// writes.
type direct struct{}

func directOf(net.Conn) *direct { return nil }

type directWriter struct{}

func (directWriter) write(*direct, []byte) (n int, err error) { return 0, nil }
