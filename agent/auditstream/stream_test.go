package auditstream_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auditstream"
	"github.com/earshot-pbx/earshot/cache/redis"
)

func TestWhatIsAppendedByManyComesInOrderAndOnceThroughRotations(t *testing.T) {
	const writers, each = 8, 100
	h := build(t)
	h.start(10_000)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				if err := h.log.Append(t.Context(), entry(n)); err != nil {
					t.Error(err)
				}
				if w == 0 && n%20 == 19 {
					if _, err := h.log.Rotate(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	h.complete()
	h.wantStream(1, writers*each)
	if s := h.Status(); s.Sent != writers*each || s.Missing != 0 {
		t.Errorf("%+v", s)
	}
	select {
	case trouble := <-h.told:
		t.Errorf("told %q", trouble)
	default:
	}
}

func TestALineComesSoonAfterItIsOnTheDisk(t *testing.T) {
	h := build(t)
	h.add(1)
	h.start(1000)
	h.complete()
	for range 20 { // one at a time, as they come: a stream that looked now and then would take long
		begun := time.Now()
		h.add(1)
		h.complete()
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	}
	h.wantStream(1, 21)
}

func TestAStreamGoesOnAfterARestart(t *testing.T) {
	h := build(t)
	h.add(5)
	h.start(1000)
	h.complete()
	h.end()
	h.add(3)
	h.rotate()
	h.add(3)
	must(t, h.log.Close())
	h.open() // another Earshot, which finds the stream three and three lines behind
	h.start(1000)
	h.complete()
	h.wantStream(1, 11)
	if s := h.Status(); s.Sent != 6 {
		t.Errorf("%d lines were sent", s.Sent)
	}
}

func TestWhatIsWrittenWhileItEndsIsSent(t *testing.T) {
	h := build(t)
	h.start(1000)
	h.complete()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	h.end()
	h.add(4)
	s := auditstream.New(auditstream.Config{Log: h.log, Store: h.store, Name: "audit", Keep: 1000})
	s.Run(ctx)
	h.wantStream(1, 4)
}

func TestARedisThatIsAwayIsCaughtUpWith(t *testing.T) {
	for name, c := range map[string]struct{ away, back func(h *house) }{
		"killed, and empty again": {func(h *house) { h.redis.Kill() }, func(h *house) { h.redis.Run() }},
		"paused":                  {func(h *house) { h.redis.Pause() }, func(h *house) { h.redis.Resume() }},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t)
			h.start(1000)
			h.add(10)
			h.complete()
			c.away(h)
			begun := time.Now()
			h.add(10) // the record waits for no Redis
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("ten entries took %v", took)
			}
			h.waitTold(auditstream.Away)
			h.rotate()
			h.add(10)
			h.await("how old what it lacks is", func() bool { return h.Status().Age > 0 })
			s := h.Status()
			if s.Behind != 20 || s.Age <= 0 || s.Age > time.Minute {
				t.Errorf("while it is away %+v", s)
			}
			c.back(h)
			h.waitTold("")
			h.complete()
			h.wantStream(1, 30)
		})
	}
}

func TestBeforeTheRedisWasFirstAskedNothingIsKnown(t *testing.T) {
	h := build(t)
	h.redis.Kill()
	h.add(3)
	h.start(1000)
	h.waitTold(auditstream.Away)
	h.await("time goes by", func() bool { return h.Status().Age > 0 })
	if s := h.Status(); s.Known || s.Behind != 0 {
		t.Errorf("%+v", s)
	}
	h.redis.Run()
	h.complete()
	h.wantStream(1, 3)
}

// Which of an Earshot's parts begins first is worth no warning.
func TestNothingIsSaidWhenTheCacheBeginsLater(t *testing.T) {
	h := build(t)
	cfg, err := redis.Parse("redis://"+h.redis.Addr, "")
	must(t, err)
	later, err := redis.Open(cfg)
	must(t, err)
	h.add(3)
	asked := make(chan struct{}, 100)
	h.Stream = auditstream.New(auditstream.Config{
		Log: h.log, Store: noticed{later, asked}, Name: "audit", Keep: 1000, Retry: time.Hour,
		Tell: func(s auditstream.Status) { t.Errorf("told %q", s.Trouble) },
	})
	run(t, func(ctx context.Context) error { h.Run(ctx); return nil })
	<-asked
	run(t, later.Run)
	h.complete()
	h.wantStream(1, 3)
}

// noticed is a store that is seen to be asked.
type noticed struct {
	*redis.Cache
	asked chan struct{}
}

func (n noticed) LogEnd(ctx context.Context, name string) (uint64, string, error) {
	defer func() { n.asked <- struct{}{} }()
	return n.Cache.LogEnd(ctx, name)
}

func TestAFullRedisIsWaitedFor(t *testing.T) {
	h := build(t)
	h.start(1000)
	h.add(5)
	h.complete()
	h.redis.Do("CONFIG", "SET", "maxmemory", "1")
	h.add(5)
	h.waitTold(auditstream.Full)
	if s := h.Status(); s.Behind != 5 || s.Last != 5 {
		t.Errorf("while it is full %+v", s)
	}
	h.redis.Do("CONFIG", "SET", "maxmemory", "0")
	h.waitTold("")
	h.complete()
	h.wantStream(1, 10)
}

// Nobody appends anything: that it was emptied shows by itself.
func TestAnEmptiedRedisGetsTheLastLinesAgain(t *testing.T) {
	h := build(t)
	h.start(6)
	h.add(10)
	h.rotate()
	h.add(2)
	h.complete()
	h.redis.Do("FLUSHALL")
	h.await("the stream is filled again", func() bool { return h.redis.Admin.XLen(t.Context(), stream).Val() == 6 })
	h.complete()
	h.wantStream(7, 12) // as if it had never been emptied
	h.redis.Do("DEL", stream)
	h.add(1)
	h.complete()
	h.wantStream(8, 13)
	if s := h.Status(); s.Missing != 0 {
		t.Errorf("%+v", s)
	}
	h.end()
	close(h.told)
	for trouble := range h.told { // which is no trouble at all
		t.Errorf("told %q", trouble)
	}
}

func TestARedisThatWasSetBackIsFilledUp(t *testing.T) {
	h := build(t)
	h.start(1000)
	h.add(5)
	h.complete()
	before, err := h.redis.Admin.Dump(t.Context(), stream).Result()
	must(t, err)
	h.add(5)
	h.complete()
	must(t, h.redis.Admin.RestoreReplace(t.Context(), stream, 0, before).Err()) // a backup of five lines
	h.add(1)
	h.complete()
	h.wantStream(1, 11)
}

// A collector that takes out what it has read finds what comes behind it.
func TestACollectorThatTakesOutWhatItReadsMissesNothing(t *testing.T) {
	h := build(t)
	h.start(1000)
	var all []string
	last := uint64(0)
	for n := range 30 {
		h.add(7)
		if n%10 == 5 {
			h.rotate()
		}
		if n == 15 {
			h.end()
			h.add(3)
			h.start(1000)
		}
		h.complete()
		numbers, lines := h.streamed(last)
		all, last = append(all, lines...), numbers[len(numbers)-1]
		h.redis.Do("XTRIM", stream, "MAXLEN", "0")
	}
	if last != 213 {
		t.Errorf("the last is %d", last)
	}
	h.verify(all, 1, last)
}

func TestWhatTheFilesDoNotHaveAnyMoreIsCountedAndPassedOver(t *testing.T) {
	h := build(t)
	h.start(1000)
	h.add(2)
	h.complete()
	h.end()
	h.add(3)
	h.rotate()
	h.add(3)
	must(t, os.Remove(h.path+".000000000005"))
	h.start(1000)
	h.complete()
	numbers, _ := h.streamed(0)
	if want := append(span(1, 2), span(6, 8)...); !slices.Equal(numbers, want) {
		t.Errorf("lines %v, not %v", numbers, want)
	}
	if s := h.Status(); s.Missing != 3 || s.Sent != 3 {
		t.Errorf("%+v", s)
	}
}

func TestAStreamOfAnotherLogIsLeftAlone(t *testing.T) {
	for name, foreign := range map[string]func(h *house){
		"longer":  func(h *house) { h.redis.Do("XADD", stream, "7-0", "entry", "x") },
		"as long": func(h *house) { h.redis.Do("XADD", stream, "2-0", "entry", `{"seq":2,"time":"2026-10-01T09:00:00Z"}`) },
		"large":   func(h *house) { h.redis.Do("XADD", stream, "2-0", "entry", strings.Repeat("x", 1<<20)) },
		"by hand": func(h *house) { h.redis.Do("XADD", stream, "*", "entry", "x") },
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t)
			h.add(3)
			foreign(h)
			h.start(1000)
			h.waitTold(auditstream.Conflict)
			h.add(1)
			if n := h.redis.Admin.XLen(t.Context(), stream).Val(); n != 1 {
				t.Errorf("it has %d entries", n)
			}
			h.redis.Do("DEL", stream) // as the log line says
			h.waitTold("")
			h.complete()
			h.wantStream(1, 4)
		})
	}
}

// Two sidecars that were given one name do not mix their lines.
func TestOfTwoWritersOneIsTold(t *testing.T) {
	h := build(t)
	h.start(1000)
	h.add(3)
	h.complete()
	other := build(t)
	other.store = h.store
	other.add(5)
	other.start(1000)
	other.waitTold(auditstream.Conflict)
	h.add(1)
	h.complete()
	h.wantStream(1, 4)
}

func TestALogThatCannotBeReadIsTold(t *testing.T) {
	h := build(t)
	h.add(3)
	must(t, os.Rename(h.path, h.path+".away"))
	h.start(1000)
	h.waitTold(auditstream.Unreadable)
	must(t, os.Rename(h.path+".away", h.path))
	h.waitTold("")
	h.complete()
	h.wantStream(1, 3)
}
