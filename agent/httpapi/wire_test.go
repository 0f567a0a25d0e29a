package httpapi_test

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/httpapi"
)

func TestMessagesOfEveryLengthAreFramed(t *testing.T) {
	lengths := []int{0, 1, 125, 126, 127, 65535, 65536, 70000}
	b := []byte("before")
	for _, n := range lengths {
		b = httpapi.Enframe(append(append(b, make([]byte, httpapi.Headroom)...), strings.Repeat("m", n)...), len(b))
	}
	r := bufio.NewReader(bytes.NewReader(b[len("before"):]))
	for _, n := range lengths {
		if op, payload := frame(t, r); op != 1 || string(payload) != strings.Repeat("m", n) {
			t.Fatalf("a message of %d bytes came as %d of type %d", n, len(payload), op)
		}
	}
	if r.Buffered() > 0 {
		t.Fatal("there is more than was framed")
	}
}

func TestNoMessageFollowsACloseFrame(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	got := make(chan []byte, 3)
	go func() {
		b := make([]byte, 16)
		for {
			n, err := there.Read(b)
			if err != nil {
				close(got)
				return
			}
			got <- bytes.Clone(b[:n])
		}
	}()
	w := httpapi.NewWire(here, time.Minute)
	if err := w.Send([]byte{0x81, 1, 'a'}); err != nil {
		t.Fatal(err)
	}
	for _, control := range [][]byte{{0x89, 0}, {0x88, 0}} { // a ping changes nothing
		if _, err := w.Write(control); err != nil {
			t.Fatal(err)
		}
		err := w.Send([]byte{0x81, 1, 'b'})
		if closed := control[0] == 0x88; errors.Is(err, net.ErrClosed) != closed {
			t.Fatalf("after %x: %v", control, err)
		}
	}
	_ = here.Close()
	var all []byte
	for b := range got {
		all = append(all, b...)
	}
	if want := "\x81\x01a\x89\x00\x81\x01b\x88\x00"; string(all) != want {
		t.Fatalf("%x", all)
	}
}

func TestAWriteIsWaitedForNoLongerThanThePatience(t *testing.T) {
	here, there := net.Pipe() // nobody reads
	defer here.Close()
	defer there.Close()
	w := httpapi.NewWire(here, 50*time.Millisecond)
	began := time.Now()
	if err := w.Send([]byte{0x81, 0}); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Fatalf("given up after %v", took)
	}
	// What comes later has a deadline of its own.
	done := make(chan error, 1)
	go func() { done <- w.Send([]byte{0x81, 0}) }()
	b := make([]byte, 2)
	if n, err := there.Read(b); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
