package amiproxy_test

import (
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/amiproxy"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// One credential does not take the room of all.
func TestSessionsOfOneCredentialAreBounded(t *testing.T) {
	w := newWorld(t, func(c *amiproxy.Config) { c.PerEmployee, c.PerPanel = 2, 3 })
	var wg sync.WaitGroup
	for who, most := range map[string]int{"alice": 2, "crm": 3} {
		var last *ami.Client
		for range most {
			last = w.as(who)
		}
		wg.Go(func() { // each refusal takes a second
			cfg := ami.Config{Addr: w.addr, Username: who, Secret: ami.Secret(w.token[who]), PlainLogin: true}
			c, err := ami.Dial(t.Context(), cfg)
			if err == nil {
				c.Close()
			}
			var no *ami.RefusedError
			if !errors.Is(err, ami.ErrAuth) || !errors.As(err, &no) || no.Message != "Authentication failed" {
				t.Errorf("%s's session beyond %d: %v", who, most, err)
			}
			last.Close() // the room is there again when the door has seen that
			for err = ami.ErrAuth; err != nil; {
				if c, err = ami.Dial(t.Context(), cfg); err == nil {
					c.Close()
				} else if !errors.Is(err, ami.ErrAuth) {
					t.Fatal(err)
				}
			}
		})
	}
	w.as("olga")
	wg.Wait()
	if n := testutil.ToFloat64(w.door.Logins("limited")); n < 2 {
		t.Errorf("%v refusals are counted", n)
	}
	if n := testutil.ToFloat64(w.door.Logins("refused")); n != 0 {
		t.Errorf("%v are counted as of nobody", n)
	}
}

// Whoever asks by several sessions has no more than by one.
func TestSessionsOfOneCredentialShareItsActions(t *testing.T) {
	w := newWorld(t, func(c *amiproxy.Config) { c.PerMinute, c.Burst = 1, 4 })
	for _, who := range []string{"alice", "crm"} {
		one, other := w.as(who), w.as(who)
		for range 2 {
			for _, c := range []*ami.Client{one, other} {
				if got := answered(t, c, act("ListCommands")); got != "ok" {
					t.Errorf("%s: %q", who, got)
				}
			}
		}
		for _, c := range []*ami.Client{one, other} {
			if got := answered(t, c, act("ListCommands")); got != "Too many actions; wait a little." {
				t.Errorf("%s: %q", who, got)
			}
		}
	}
	if got := answered(t, w.as("olga"), act("ListCommands")); got != "ok" {
		t.Errorf("another: %q", got)
	}
}

// The gate makes one list of an employee's at a time, and of several employees as many.
func TestOneListOfACredentialIsLookedUpAtATime(t *testing.T) {
	w := newWorld(t)
	var inside, most atomic.Int32
	both, olga := make(chan struct{}), sync.Once{}
	w.door.View(func(who auth.Subject) (gate.Channels, error) {
		if who.Employee() == "olga" {
			olga.Do(func() { close(both) })
			return gate.Channels{Known: true}, nil
		}
		most.Store(max(most.Load(), inside.Add(1)))
		defer inside.Add(-1)
		select {
		case <-both: // olga's is made beside alice's
		case <-time.After(10 * time.Second):
			t.Error("another's list waits for hers")
		}
		for range 1000 {
			runtime.Gosched() // to let others of hers in
		}
		return gate.Channels{Known: true}, nil
	})
	var wg sync.WaitGroup
	for range 5 {
		c := w.as("alice")
		wg.Go(func() {
			for range 5 {
				if got := answered(t, c, act("CoreShowChannels")); got != "ok" {
					t.Errorf("%q", got)
				}
			}
		})
	}
	for most.Load() == 0 {
		runtime.Gosched()
	}
	rows(t, w.as("olga"), "CoreShowChannels")
	wg.Wait()
	if n := most.Load(); n != 1 {
		t.Errorf("%d lists of hers are made at a time", n)
	}
}

// Who only connects keeps nobody out who logs in.
func TestConnectionsThatDoNotLogInKeepNobodyOut(t *testing.T) {
	w := newWorld(t)
	var first net.Conn
	for i := range 50 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i/10))}}
		c, err := d.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := ami.NewReader(c, ami.Limits{}).Greeting(); err != nil {
			t.Fatal(err) // it waits, and is counted
		}
		if first == nil {
			first = c
		}
	}
	w.as("olga")
	if err := first.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := first.Read(make([]byte, 1)); n != 0 || errors.Is(err, net.ErrClosed) || err == nil {
		t.Errorf("the oldest reads %d bytes, %v", n, err)
	}
}

func TestAConnectionHasItsTimeToLogIn(t *testing.T) {
	w := newWorld(t, func(c *amiproxy.Config) { c.LoginTimeout = 50 * time.Millisecond })
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := ami.NewReader(c, ami.Limits{})
	if _, err := r.Greeting(); err != nil {
		t.Fatal(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(4 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if m, err := r.Read(); err == nil || errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "timeout") {
		t.Errorf("%v, %v", m, err)
	}
}

// Something in front may shut out who guesses.
func TestTheLogSaysFromWhereALogInWasRefused(t *testing.T) {
	w := newWorld(t)
	w.as("olga")
	if strings.Contains(w.log.String(), "127.0.0.1") {
		t.Errorf("the log has the address of who was let in: %s", w.log)
	}
	if _, err := ami.Dial(t.Context(), ami.Config{Addr: w.addr, Username: "olga", Secret: "nothing", PlainLogin: true}); !errors.Is(err, ami.ErrAuth) {
		t.Fatal(err)
	}
	if !strings.Contains(w.log.String(), `"outcome":"refused","challenge":false,"remote":"127.0.0.1","message":"AMI log-in"`) {
		t.Errorf("the log has no address: %s", w.log)
	}
}
