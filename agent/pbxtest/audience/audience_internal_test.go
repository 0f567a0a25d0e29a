package audience

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// pipes are clients' ends of connections, and those that write to them.
func pipes(t *testing.T, n int) (clients, writers []net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range n {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		writer, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close(); writer.Close() })
		clients, writers = append(clients, client), append(writers, writer)
	}
	return clients, writers
}

func say(t *testing.T, to net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(to, text); err != nil {
		t.Fatal(err)
	}
}

// round is longer for every other client.
func round(i int) int { return 4 + i%2 }

func TestARoundIsOverWhenEveryClientHasReadIt(t *testing.T) {
	clients, writers := pipes(t, 2)
	a := newAudience(clients, round, time.Minute)
	for range 3 {
		say(t, writers[0], "four")
		say(t, writers[1], "fi")
		say(t, writers[1], "ves")
		if err := a.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Leave(); err != nil {
		t.Error(err)
	}
}

func TestAClientThatIsCutOffIsToldOfAndNotWaitedFor(t *testing.T) {
	clients, writers := pipes(t, 2)
	a := newAudience(clients, round, time.Hour)
	say(t, writers[0], "four")
	say(t, writers[1], "fi")
	writers[1].Close()
	if err := a.Wait(); err == nil || !strings.Contains(err.Error(), "client 1 of 2 has read 2 bytes of the 5 of a round") {
		t.Errorf("the round ends with %v", err)
	}
	if err := a.Leave(); err != nil {
		t.Errorf("it is told again: %v", err)
	}
}

func TestARoundThatNeverComesIsAnErrorAndOneThatIsSlowIsNot(t *testing.T) {
	clients, writers := pipes(t, 2)
	a := newAudience(clients, round, 2*time.Second)
	slow := time.AfterFunc(3*time.Second, func() { _, _ = io.WriteString(writers[1], "es") })
	defer slow.Stop()
	say(t, writers[0], "four")
	say(t, writers[1], "fiv")
	if err := a.Wait(); err != nil {
		t.Fatal(err)
	}
	say(t, writers[0], "four")
	if err := a.Wait(); err == nil || !strings.Contains(err.Error(), "1 of 2 clients have not read the round") {
		t.Errorf("the round ends with %v", err)
	}
}

func TestWhatIsSentBeyondARoundIsAnError(t *testing.T) {
	clients, writers := pipes(t, 1)
	a := newAudience(clients, round, time.Minute)
	say(t, writers[0], "four")
	if err := a.Wait(); err != nil {
		t.Fatal(err)
	}
	say(t, writers[0], "?")
	for a.progress.Load() < 5 {
		time.Sleep(time.Millisecond)
	}
	if err := a.Leave(); err == nil || !strings.Contains(err.Error(), "has read 1 bytes of the 4 of a round") {
		t.Errorf("the end is %v", err)
	}
}
