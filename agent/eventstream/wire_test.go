package eventstream_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/eventstream"
)

func TestMessagesOfEveryLengthAreFramed(t *testing.T) {
	b := []byte("before")
	for _, c := range []struct {
		length int
		header string // with the length in as few bytes as it takes
	}{
		{0, "\x81\x00"},
		{1, "\x81\x01"},
		{125, "\x81\x7d"},
		{126, "\x81\x7e\x00\x7e"},
		{127, "\x81\x7e\x00\x7f"},
		{65535, "\x81\x7e\xff\xff"},
		{65536, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"},
		{70000, "\x81\x7f\x00\x00\x00\x00\x00\x01\x11\x70"},
	} {
		before, message := len(b), strings.Repeat("m", c.length)
		b = eventstream.Frame(append(eventstream.Begin(b), message...), before)
		if got := string(b[before:]); got != c.header+message {
			t.Errorf("a message of %d bytes has the frame %.16q of %d bytes", c.length, got, len(got))
		}
	}
	if string(b[:6]) != "before" {
		t.Errorf("what was there before is %q", b[:6])
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
	w := eventstream.NewWire(here, time.Minute)
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

// The WebSocket breaks the connection when a ping or a pong takes five seconds. A client who takes messages slowly has all of the patience.
func TestAPingDoesNotWaitForMessagesThatAreTakenSlowlyAndAGoodbyeDoes(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	w := eventstream.NewWire(here, time.Minute)
	message := append([]byte{0x81, 100}, bytes.Repeat([]byte("m"), 100)...)
	sent := make(chan error, 1)
	go func() { sent <- w.Send(message) }()
	one := make([]byte, 1)
	if _, err := io.ReadFull(there, one); err != nil { // it is being sent
		t.Fatal(err)
	}
	wrote := make(chan error, 1)
	go func() {
		for range 50 { // many more than there is room for
			if n, err := w.Write(append([]byte{0x8a, 40}, bytes.Repeat([]byte("p"), 40)...)); n != 42 || err != nil {
				wrote <- fmt.Errorf("%d bytes, %w", n, err)
				return
			}
		}
		wrote <- nil
	}()
	select {
	case err := <-wrote:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("pongs wait for the message")
	}
	gone := make(chan error, 1)
	go func() {
		_, err := w.Write([]byte{0x88, 0})
		gone <- err
	}()
	rest := make(chan []byte, 1)
	go func() {
		all, _ := io.ReadAll(there)
		rest <- all
	}()
	for _, done := range []chan error{sent, gone} {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n, err := w.Write([]byte{0x89, 0}); n != 2 || err != nil { // the WebSocket's own to prevent
		t.Fatal(n, err)
	}
	_ = here.Close()
	all := append(one, <-rest...)
	body, pongs := all[:len(message)], all[len(message):]
	if !bytes.Equal(body, message) {
		t.Errorf("the message is %q", body)
	}
	// All that there was room for, whole, and the last of it.
	if n := bytes.Count(pongs, []byte("\x8a\x28pp")); n != 24 || len(pongs) != 24*42+4 || !bytes.HasSuffix(pongs, []byte("\x88\x00\x89\x00")) {
		t.Errorf("behind it come %d pongs in %d bytes: %q", n, len(pongs), pongs)
	}
}

func TestAWriteIsWaitedForNoLongerThanThePatience(t *testing.T) {
	here, there := net.Pipe() // nobody reads
	defer here.Close()
	defer there.Close()
	w := eventstream.NewWire(here, 50*time.Millisecond)
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

// Who takes nothing but what lets him say more is not waited for longer.
func TestPingsDoNotMakeThePatienceLonger(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	w := eventstream.NewWire(here, 200*time.Millisecond)
	sent := make(chan error, 1)
	go func() { sent <- w.Send([]byte{0x89, 0}) }()
	half := make([]byte, 1)
	for range 100 {
		if _, err := io.ReadFull(there, half); err != nil { // something is being sent
			t.Fatal(err)
		}
		if n, err := w.Write([]byte{0x8a, 0}); n != 2 || err != nil { // and this behind it
			t.Fatal(n, err)
		}
		time.Sleep(20 * time.Millisecond) // as slow as he is
		select {
		case err := <-sent:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			return
		default:
		}
		if _, err := io.ReadFull(there, half); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("what goes out behind a message has a time of its own each time")
}
