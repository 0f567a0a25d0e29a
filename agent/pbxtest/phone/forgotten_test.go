package phone

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// A call that the PBX has forgotten while it rang ends when it is given up: its INVITE is answered by nobody any more.
func TestACallThatThePBXHasForgottenIsGivenUp(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		b := make([]byte, 65536)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			status := "180 Ringing"
			switch {
			case bytes.HasPrefix(b[:n], []byte("CANCEL ")):
				status = "481 Call/Transaction Does Not Exist"
			case !bytes.HasPrefix(b[:n], []byte("INVITE ")):
				continue
			}
			answer := "SIP/2.0 " + status + "\r\n"
			for _, line := range strings.Split(string(b[:n]), "\r\n") {
				switch name, _, _ := strings.Cut(line, ":"); name {
				case "To":
					answer += line + ";tag=there\r\n"
				case "Via", "From", "Call-ID", "CSeq":
					answer += line + "\r\n"
				}
			}
			_, _ = conn.WriteTo([]byte(answer+"Content-Length: 0\r\n\r\n"), from)
		}
	})
	defer serving.Wait()
	defer func() { _ = conn.Close() }()
	p, err := Listen(Config{User: "101", Server: conn.LocalAddr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := p.Dial(ctx, "102")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.WaitRinging(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Hangup(ctx); err != nil {
		t.Error(err)
	}
	if got := c.Ending().Reason; got != "given up" {
		t.Errorf("it ended by %q", got)
	}
}
