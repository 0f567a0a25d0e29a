package allocation

import (
	"runtime"
	"testing"
)

var sink []byte

func TestWhatTakesTooMuchTakesItEachTime(t *testing.T) {
	done := 0
	if n := Least(64<<10, func() { done++; sink = make([]byte, 1<<20) }); n < 1<<20 || done != tries {
		t.Errorf("a megabyte is %d bytes after %d tries", n, done)
	}
	done = 0
	if n := Least(4<<20, func() { done++; sink = make([]byte, 1<<20) }); n < 1<<20 || n > 4<<20 || done != 1 {
		t.Errorf("a megabyte within its limit is %d bytes after %d tries", n, done)
	}
}

// What others allocate is in a try or two, and not in each.
func TestWhatOthersTakeMeanwhileIsNotCounted(t *testing.T) {
	done := 0
	n := Least(64<<10, func() {
		if done++; done < tries {
			ready := make(chan []byte)
			go func() { ready <- make([]byte, 1<<20) }()
			sink = <-ready
		}
	})
	if n > 64<<10 || done != tries {
		t.Errorf("nothing is %d bytes after %d tries", n, done)
	}
	runtime.KeepAlive(sink)
}

// The least counts, whichever try it was.
func TestTheLeastOfAllTriesIsTold(t *testing.T) {
	now, took := uint64(0), []uint64{900, 500, 700, 800, 600}
	i := 0
	n := least(100, func() uint64 { return now }, func() { now += took[i]; i++ })
	if n != 500 || i != len(took) {
		t.Errorf("%d bytes after %d tries", n, i)
	}
}
