package feed_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/feed"
)

// room is how many batches may wait for a subscriber; every so many, the benchmark waits until all are read, so that nobody
// is cut off.
const room = 256

// least is what of the floor's rate is asked for.
const least = 0.75

// crowd are readers. Each tells when it has read another room of batches, and fails when one is not what it should be.
type crowd struct {
	n    int
	told chan struct{}
	done sync.WaitGroup
}

func newCrowd(b *testing.B, n int, read func(i int, each func(kind call.Kind))) *crowd {
	c := &crowd{n: n, told: make(chan struct{}, n)}
	for i := range n {
		c.done.Go(func() {
			mine := 0
			read(i, func(kind call.Kind) {
				if kind != call.LegStateChanged {
					b.Errorf("reader %d got %v", i, kind)
				}
				if mine++; mine%room == 0 {
					c.told <- struct{}{}
				}
			})
		})
	}
	return c
}

func (c *crowd) wait() {
	for range c.n {
		<-c.told
	}
}

// measure publishes, waiting for the crowd after each room and in the end.
func (c *crowd) measure(b *testing.B, publish func(i int)) (sent int) {
	b.ReportAllocs()
	step := func() {
		publish(sent)
		if sent++; sent%room == 0 {
			c.wait()
		}
	}
	for b.Loop() {
		step()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(sent*c.n), "ns/delivery")
	for sent%room != 0 {
		step()
	}
	return sent
}

// message is what the floor hands on.
type message struct {
	seq     uint64
	changes []call.Change
}

// BenchmarkFanOut is one change of state to n subscribers that read at once, beside a floor: a plain broadcaster that hands
// the same batch on to channels under a lock, without waiting, and knows nothing of calls.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("subscribers=%d/earshot", n), func(b *testing.B) {
			f := feed.New(feed.Config{})
			f.Ingest(resynced("a"))
			subs := make([]*feed.Subscription, n)
			for i := range subs {
				subs[i] = f.Subscribe(room, nil)
			}
			c := newCrowd(b, n, func(i int, each func(call.Kind)) {
				for seq := uint64(2); ; {
					batches, err := subs[i].Take(context.Background())
					if err != nil {
						return
					}
					for _, got := range batches {
						if got.Seq != seq {
							b.Errorf("reader %d got batch %d, not %d", i, got.Seq, seq)
						}
						seq++
						each(got.Changes[0].Kind)
					}
				}
			})
			up, ring := leg("a"), leg("a")
			ring.Channel.State = call.StateRing
			facts := [2]*call.Event{ring, up}
			sent := c.measure(b, func(i int) { f.Ingest(facts[i%2]) })
			if got := f.Stats(); got.CutOff > 0 || got.Delivered != uint64(sent*n) {
				b.Errorf("%+v", got)
			}
			b.ReportMetric(least, "min-ratio")
			f.Close()
			c.done.Wait()
		})
		b.Run(fmt.Sprintf("subscribers=%d/floor", n), func(b *testing.B) {
			queues := make([]chan *message, n)
			for i := range queues {
				queues[i] = make(chan *message, room)
			}
			c := newCrowd(b, n, func(i int, each func(call.Kind)) {
				for got := range queues[i] {
					each(got.changes[0].Kind)
				}
			})
			var mu sync.Mutex
			c.measure(b, func(i int) {
				batch := &message{uint64(i), []call.Change{{Kind: call.LegStateChanged, Leg: "a"}}}
				mu.Lock()
				defer mu.Unlock()
				for _, q := range queues {
					select {
					case q <- batch:
					default:
						b.Fatal("a reader is too slow")
					}
				}
			})
			for _, q := range queues {
				close(q)
			}
			c.done.Wait()
		})
	}
}
