package phone_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// registrar grants one second and lets the test see and answer each REGISTER.
func registrar(t *testing.T, answer func(n int) int) (addr string, seen <-chan string) {
	t.Helper()
	ua, err := sipgo.NewUA()
	must(t, err)
	server, err := sipgo.NewServer(ua)
	must(t, err)
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(t, err)
	log, served, n := make(chan string, 100), make(chan struct{}), 0
	server.OnRegister(func(req *sip.Request, tx sip.ServerTransaction) {
		n++
		status := answer(n)
		res := sip.NewResponseFromRequest(req, status, "", nil)
		res.AppendHeader(sip.NewHeader("Contact", req.Contact().Value()+";expires=1"))
		if err := tx.Respond(res); err != nil {
			t.Error(err)
		}
		log <- req.GetHeader("Expires").Value()
	})
	go func() {
		defer close(served)
		_ = server.ServeUDP(conn)
	}()
	t.Cleanup(func() {
		must(t, conn.Close())
		<-served
		must(t, ua.Close())
	})
	return conn.LocalAddr().String(), log
}

func TestARegistrationIsRenewedThroughRefusals(t *testing.T) {
	ctx := background(t)
	addr, seen := registrar(t, func(n int) int {
		if n == 3 {
			return 503
		}
		return 200
	})
	p := listen(t, phone.Config{User: "101", Server: addr})
	must(t, p.Register(ctx))
	begun := time.Now()
	for n := 1; n <= 4; n++ { // the third is refused and tried again
		select {
		case expires := <-seen:
			if expires != "120" {
				t.Errorf("REGISTER %d asks for %s", n, expires)
			}
		case <-ctx.Done():
			t.Fatalf("REGISTER %d did not come", n)
		}
	}
	if took := time.Since(begun); took < time.Second || took > 10*time.Second {
		t.Errorf("four registrations took %s", took)
	}
	must(t, p.Close())
	last := ""
	for len(seen) > 0 {
		last = <-seen
	}
	if last != "0" {
		t.Errorf("the last REGISTER asks for %q seconds, want 0", last)
	}
}

func TestARefusedRegistrationSaysWhy(t *testing.T) {
	addr, _ := registrar(t, func(int) int { return 403 })
	p := listen(t, phone.Config{User: "101", Server: addr})
	if err := p.Register(background(t)); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("register: %v", err)
	}
	if err := listen(t, phone.Config{User: "102"}).Register(t.Context()); err == nil {
		t.Error("registered without a server")
	}
}
