//go:build unix

package ami

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// direct is a connection that is written to without waiting.
type direct struct{ raw syscall.RawConn }

// directOf returns nil for what is not one of the kernel's connections as it is: a Write of its own, as TLS has, must not
// be passed by.
func directOf(conn net.Conn) *direct {
	var kernels syscall.Conn
	switch c := conn.(type) {
	case *net.TCPConn:
		kernels = c
	case *net.UnixConn:
		kernels = c
	default:
		return nil
	}
	raw, err := kernels.SyscallConn()
	if err != nil {
		return nil
	}
	return &direct{raw: raw}
}

// directWriter writes to such connections, one after the other. The zero value is ready.
type directWriter struct {
	control func(fd uintptr) // once, stays the same
	wire    []byte
	n       int
	err     error
}

// write writes what the kernel takes at once. It is for who alone writes to the connection; deadlines do not matter to it.
func (w *directWriter) write(d *direct, wire []byte) (n int, err error) {
	if w.control == nil {
		w.control = w.once
	}
	w.wire = wire
	err = d.raw.Control(w.control) // keeps the descriptor as long as it takes, whoever closes the connection
	n = w.n
	if err == nil {
		err = w.err
	}
	w.wire, w.n, w.err = nil, 0, nil
	return n, err
}

func (w *directWriter) once(fd uintptr) {
	for {
		n, err := send(fd, w.wire)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return
		case err != nil:
			w.err = os.NewSyscallError("send", err)
			return
		}
		w.n = n
		return
	}
}
