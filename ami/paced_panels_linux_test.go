package ami

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/processor"
)

// TestPacedReaders is the process of the panels, which TestPacedFanOut starts; by itself it has nothing to do.
//
// It stands for the machines of the panels, which a sender does not have to feed as well. So one thread reads them all, by a poll of its own: a
// goroutine for each took as much of the processors as the sender, and what was late was late for want of them.
func TestPacedReaders(t *testing.T) {
	var p pace
	text := os.Getenv("EARSHOT_READERS")
	if text == "" {
		return
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	panels, err := newPanels(p.Panels, made(t)[0].Len())
	if err != nil {
		t.Fatal(err)
	}
	for range p.Panels {
		conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.Addr)
		if err != nil {
			t.Fatal(err)
		}
		if p.Login {
			r := &raw{t: t, conn: conn}
			r.expect(greeting22)
			r.send("Action: Login\r\nUsername: panel\r\nSecret: " + testSecret + "\r\n\r\n")
			r.expect("Response: Success\r\nMessage: Authentication accepted\r\n\r\n")
		}
		if err := panels.add(conn); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- panels.read() }()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		n, err := strconv.Atoi(in.Text())
		if err != nil {
			t.Fatal(err)
		}
		for i := range panels.all {
			for panels.all[i].got.Load() < int64(n*panels.size) {
				select {
				case err := <-ended:
					t.Fatal(err)
				case <-time.After(time.Millisecond):
				}
			}
		}
		fmt.Println(n)
	}
	cpu := processor.Used(t)
	if err := panels.end(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	var late []time.Duration
	for i := range panels.all {
		one := &panels.all[i]
		late = append(late, one.late[min(1, len(one.late)):]...) // the first opened the way
	}
	slices.Sort(late)
	if len(late) == 0 {
		t.Fatal("nothing is measured")
	}
	out, err := json.Marshal(paced{Readers: cpu, Half: late[len(late)/2], Most: late[len(late)*99/100], Worst: late[len(late)-1]})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(out))
}

// What is measured is how late the sender is, not the panels. One in measured is read as soon as there is something to read, and looks at how old each
// event is; the others are read in turn, each once in a round.
const (
	measured = 50
	turns    = 50 // of a round, each a millisecond long
)

// panels are connections that one thread reads.
type panels struct {
	all  []panel
	size int // of an event
	poll int // for those that are measured
	buf  []byte
}

// panel is one connection.
type panel struct {
	fd   int
	got  atomic.Int64
	part []byte // of an event that has not come whole
	late []time.Duration
}

func newPanels(n, size int) (*panels, error) {
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &panels{all: make([]panel, 0, n), size: size, poll: poll, buf: make([]byte, 256<<10)}, nil
}

// add takes a connection over from Go, whose own poll would be woken by it.
func (p *panels) add(conn net.Conn) error {
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	fd := -1
	if outer := raw.Control(func(its uintptr) { fd, err = syscall.Dup(int(its)) }); outer != nil || err != nil {
		return errors.Join(outer, err)
	}
	i := len(p.all)
	p.all = append(p.all, panel{fd: fd})
	if i%measured != 0 {
		return nil
	}
	return os.NewSyscallError("epoll_ctl", syscall.EpollCtl(p.poll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}))
}

// read reads them all until one ends.
func (p *panels) read() error {
	events := make([]syscall.EpollEvent, len(p.all))
	for turn, last := 0, time.Now(); ; {
		n, err := syscall.EpollWait(p.poll, events, 1)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("epoll_wait", err)
		}
		for _, e := range events[:max(n, 0)] {
			one := &p.all[e.Fd]
			wire, err := p.take(one)
			if err != nil {
				return err
			}
			one.measure(wire, p.size)
		}
		if now := time.Now(); now.Sub(last) >= time.Millisecond {
			last = now
			for i := turn; i < len(p.all); i += turns {
				if i%measured == 0 {
					continue
				}
				if _, err := p.take(&p.all[i]); err != nil {
					return err
				}
			}
			turn = (turn + 1) % turns
		}
	}
}

// take reads what there is at one.
func (p *panels) take(one *panel) ([]byte, error) {
	n, err := syscall.Read(one.fd, p.buf)
	switch {
	case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.EAGAIN):
		return nil, nil
	case err != nil:
		return nil, os.NewSyscallError("read", err)
	case n == 0:
		return nil, io.EOF
	}
	one.got.Add(int64(n))
	return p.buf[:n], nil
}

// measure notes how old the events are that are whole now.
func (p *panel) measure(wire []byte, size int) {
	p.part = append(p.part, wire...)
	now := time.Now().UnixNano()
	whole := len(p.part) - len(p.part)%size
	for at := 0; at < whole; at += size {
		_, rest, _ := strings.Cut(string(p.part[at:at+100]), sentField)
		sent, err := strconv.ParseInt(rest[:sentWidth], 10, 64)
		if err != nil {
			panic(err)
		}
		p.late = append(p.late, time.Duration(now-sent))
	}
	p.part = append(p.part[:0], p.part[whole:]...)
}

// end ends the reading.
func (p *panels) end() error {
	return os.NewSyscallError("shutdown", syscall.Shutdown(p.all[0].fd, syscall.SHUT_RDWR))
}
