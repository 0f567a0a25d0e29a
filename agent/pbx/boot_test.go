package pbx

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/queue"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/rs/zerolog"
)

// booting is an Asterisk that lets somebody log in while it starts: it has no queues the first times that it is asked, and says nothing of having booted.
func booting(t *testing.T, refusals int) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprint(conn, "Asterisk Call Manager/11.0.0\r\n")
		var action, id string
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch {
			case name == "Action":
				action = value
			case name == "ActionID":
				id = value
			case lines.Text() != "":
			case action == "QueueStatus" && refusals > 0:
				refusals--
				_, _ = fmt.Fprintf(conn, "Response: Error\r\nActionID: %s\r\nMessage: Invalid/unknown command: QueueStatus. Use Action: ListCommands to show available commands.\r\n\r\n", id)
			case action == "QueueStatus":
				_, _ = fmt.Fprintf(conn, "Response: Success\r\nActionID: %s\r\nEventList: start\r\nMessage: Queue status will follow\r\n\r\nEvent: QueueStatusComplete\r\nActionID: %s\r\nEventList: Complete\r\nListItems: 0\r\n\r\n", id, id)
			default:
				_, _ = fmt.Fprintf(conn, "Response: Success\r\nActionID: %s\r\nMessage: %s\r\n\r\n", id, action)
			}
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// The lines are known some seconds after an Asterisk has started, and not when the next look is due a minute later.
func TestQueuesAreAskedAboutAgainSoonWhileAsteriskStarts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), queuesEvery/2)
	defer cancel()
	taken := make(chan struct{})
	p := newPlayer(t)
	p.link.log = zerolog.Nop()
	lost := 0
	p.link.cfg.Queues = func(ev queue.Event) {
		if ev.Kind == queue.Taken {
			close(taken)
		} else if ev.Kind == queue.Lost {
			lost++
		}
	}
	c, err := ami.Dial(ctx, ami.Config{Addr: booting(t, 2), Username: "earshot", Secret: "secret", PlainLogin: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var following sync.WaitGroup
	follow, stop := context.WithCancel(ctx)
	defer following.Wait()
	defer stop()
	began := time.Now()
	following.Go(func() { p.link.followQueues(follow, c) })
	select {
	case <-taken:
		t.Logf("they are known after %v", time.Since(began).Round(time.Millisecond))
	case <-ctx.Done():
		t.Errorf("after %v they are not known", time.Since(began))
	}
	stop()
	following.Wait()
	if lost < 2 {
		t.Errorf("they were said to be unknown %d times", lost)
	}
}
