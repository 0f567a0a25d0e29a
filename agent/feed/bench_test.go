package feed_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/feed"
)

// room is how many batches may wait for a subscriber; every so many, the benchmark waits until all are read, so that nobody
// is cut off.
const room = 256

// readers reads n queues. wait is to be called after each room batches that were sent to all, and returns when all are read;
// stop waits for the queues to be closed.
func readers(n int, queue func(i int) <-chan feed.Batch) (wait, stop func()) {
	var wg sync.WaitGroup
	told := make(chan struct{}, n)
	for i := range n {
		q := queue(i)
		wg.Go(func() {
			mine := 0
			for range q {
				if mine++; mine%room == 0 {
					told <- struct{}{}
				}
			}
		})
	}
	wait = func() {
		for range n {
			<-told
		}
	}
	return wait, wg.Wait
}

// BenchmarkFanOut is one change of state to n subscribers that read at once, beside a floor: a plain broadcaster that hands
// the same batch on under a lock, without waiting, and knows nothing of calls.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("subscribers=%d", n), func(b *testing.B) {
			f := feed.New(feed.Config{})
			f.Ingest(resynced("a"))
			wait, stop := readers(n, func(int) <-chan feed.Batch { return f.Subscribe(room, nil).Batches() })
			up, ring := leg("a"), leg("a")
			ring.Channel.State = call.StateRing
			b.ReportAllocs()
			sent := 0
			for b.Loop() {
				ev := ring
				if sent%2 == 1 {
					ev = up
				}
				f.Ingest(ev)
				if sent++; sent%room == 0 {
					wait()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(sent*n), "ns/delivery")
			if got := f.Stats(); got.CutOff > 0 || got.Delivered != uint64(sent*n) {
				b.Errorf("%+v", got)
			}
			f.Close()
			stop()
		})
		b.Run(fmt.Sprintf("floor=%d", n), func(b *testing.B) {
			queues := make([]chan feed.Batch, n)
			wait, stop := readers(n, func(i int) <-chan feed.Batch {
				queues[i] = make(chan feed.Batch, room)
				return queues[i]
			})
			var mu sync.Mutex
			b.ReportAllocs()
			sent := 0
			for b.Loop() {
				batch := feed.Batch{Changes: []call.Change{{Kind: call.LegStateChanged, Leg: "a"}}}
				mu.Lock()
				for _, q := range queues {
					select {
					case q <- batch:
					default:
						b.Fatal("a reader is too slow")
					}
				}
				mu.Unlock()
				if sent++; sent%room == 0 {
					wait()
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(sent*n), "ns/delivery")
			for _, q := range queues {
				close(q)
			}
			stop()
		})
	}
}
