package gate_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/gate"
)

func TestCloseEndsAllAndWaits(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.rings("y", ivanov, "PJSIP/102")
	o.active("carl", "spy", "anna")
	o.active("ivo", "whisper", "anna")
	o.pbx.silent = true
	o.must("fay", "intercept", "boris")
	o.must("dora", "spy", "anna")
	w := o.watch("carl")
	if err := o.gate.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o.pbx.left() != 0 {
		t.Fatal("own legs are left")
	}
	n := 0
	for _, l := range o.log.all() {
		if strings.HasSuffix(l, "earshot_stops") {
			n++
		}
	}
	if n != 4 {
		t.Fatalf("%d ends are on record", n)
	}
	var err error
	for err == nil { // phones that ring as it closes are told of before
		_, err = w.Next(t.Context())
	}
	if !errors.Is(err, gate.CutShutdown) {
		t.Fatal(err)
	}
	o.refused("state_unknown", "carl", "spy", "anna")
	if _, err := o.gate.Watch(who("carl")); !errors.Is(err, gate.CutShutdown) {
		t.Fatal(err)
	}
}

func TestCloseDoesNotWaitForAPBXThatDoesNotAnswer(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	o.active("carl", "spy", "anna")
	o.pbx.holds("drop snoop own")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := o.gate.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	o.log.until(t, "record ended earshot_stops")
}

func TestACredentialThatEndsEndsWhatRunsByIt(t *testing.T) {
	o := newOffice(t, house)
	o.talk("x", ivanov, "PJSIP/101")
	s := who("carl", time.Now().Add(1500*time.Millisecond))
	if _, err := o.gate.Supervise(t.Context(), s, gate.Ask{Target: "anna", Mode: "spy"}); err != nil {
		t.Fatal(err)
	}
	o.log.until(t, "record done")
	o.log.until(t, "record revoked deny credential_ended")
}
