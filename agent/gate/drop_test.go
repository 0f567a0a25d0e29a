package gate_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// stuck is a PBX that does not answer when it is to let go of something, until it does.
type stuck struct {
	gate.PBX
	tries chan string // what it was to let go of

	mu      sync.Mutex
	answers bool
}

func (p *stuck) Drop(ctx context.Context, bridge call.BridgeID, legs ...call.LegID) error {
	p.mu.Lock()
	answers := p.answers
	p.mu.Unlock()
	defer func() { p.tries <- fmt.Sprint(bridge, legs) }()
	if !answers {
		return errors.New("context deadline exceeded")
	}
	return p.PBX.Drop(ctx, bridge, legs...)
}

func (p *stuck) answer() {
	p.mu.Lock()
	p.answers = true
	p.mu.Unlock()
}

func TestWhatAPBXDoesNotLetGoOfGoesAsSoonAsItAnswers(t *testing.T) {
	p := &stuck{tries: make(chan string, 100)}
	o := newOffice(t, house, func(c *gate.Config) {
		p.PBX = c.PBX
		c.PBX = p
	})
	o.talk("x", ivanov, "PJSIP/101")
	id := o.active("carl", "spy", "anna")
	o.mustLock("anna")
	o.audit.waits(t, id, audit.Revoked) // which does not wait for a PBX that is stuck
	first := <-p.tries
	if second := <-p.tries; second != first {
		t.Fatalf("it is to let go of %s, and then of %s", first, second)
	}
	if o.pbx.left() == 0 {
		t.Fatal("nothing is left that could go")
	}
	p.answer()
	for range 2 { // the second time for what it does only now of what it was asked for before
		if again := <-p.tries; again != first {
			t.Fatalf("it is to let go of %s, and then of %s", first, again)
		}
	}
	if o.pbx.left() != 0 {
		t.Fatal("own legs are left")
	}
	if err := o.gate.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(p.tries); n != 0 {
		t.Fatalf("it is asked %d times more", n)
	}
}

func TestCloseDoesNotTryForEver(t *testing.T) {
	p := &stuck{tries: make(chan string, 100)}
	o := newOffice(t, house, func(c *gate.Config) {
		p.PBX = c.PBX
		c.PBX = p
	})
	o.talk("x", ivanov, "PJSIP/101")
	o.active("carl", "spy", "anna")
	o.mustLock("anna")
	<-p.tries
	if err := o.gate.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
