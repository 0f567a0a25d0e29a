//go:build unix

package processor

import (
	"testing"
	"time"
)

func TestWhoWorksOnIsNotIdleAndWhoWaitsIs(t *testing.T) {
	const most = Window / 5
	if took := Idle(t, most); took > most {
		t.Errorf("who waits takes %v", took)
	}
	over := make(chan struct{})
	worked := make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-over:
				worked <- n
				return
			default:
				n++
			}
		}
	}()
	// No bound: how much of the processors it gets is the machine's to say.
	if took := Idle(t, 0); took <= 0 {
		t.Errorf("who works on takes %v", took)
	}
	close(over)
	if <-worked == 0 {
		t.Error("nobody has worked")
	}
}

// The least counts, whichever look it was; the first that is little is the last.
func TestTheLeastOfAllLooksIsTold(t *testing.T) {
	for _, c := range []struct {
		took  []time.Duration
		want  time.Duration
		looks int
	}{
		{[]time.Duration{900, 500, 700}, 500, 3},
		{[]time.Duration{900, 100, 50}, 100, 2},
		{[]time.Duration{0, 900, 900}, 0, 1},
	} {
		now, looks := time.Duration(0), 0
		got := idle(100, func() time.Duration { return now }, func() { now += c.took[looks]; looks++ })
		if got != c.want || looks != c.looks {
			t.Errorf("of %v it is %v after %d looks", c.took, got, looks)
		}
	}
}
