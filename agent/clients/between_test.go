package clients_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/cache"
)

// between is a cache in which something happens between two steps of a source, as another goroutine can make it.
type between struct {
	*cache.Memory
	lookup func(t cache.Table, key string) (lost bool)
	fill   func(key string)
}

func (b *between) Lookup(t cache.Table, key string) (cache.Entry, bool) {
	if b.lookup != nil && b.lookup(t, key) {
		return cache.Entry{}, false
	}
	return b.Memory.Lookup(t, key)
}

func (b *between) Fill(ctx context.Context, t cache.Table, key string, load cache.Load) (cache.Entry, error) {
	if b.fill != nil {
		b.fill(key)
	}
	return b.Memory.Fill(ctx, t, key, load)
}

func TestAnAnswerThatComesBetweenTwoLooksIsTaken(t *testing.T) {
	var asked atomic.Int64
	b := &between{Memory: cache.NewMemory(cache.Options{})}
	c := newCRM(t, plain(), clients.Environment{Cache: b, Transport: within(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		answer(answerVera)(w, r)
	})})
	c.learn(vera, clients.Found)
	first := true
	b.lookup = func(_ cache.Table, key string) bool {
		lost := first && key == vera
		first = first && !lost
		return lost
	}
	c.is(vera, clients.Found)
	c.stop()
	if first || asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func TestAChangeBetweenARenewalAndItsRememberingCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &between{Memory: cache.NewMemory(cache.Options{})}
		c := newCRM(t, plain(), clients.Environment{Cache: b, Transport: within(answer(answerVera))})
		c.learn(vera, clients.Found)
		time.Sleep(8*time.Minute + 30*time.Second)
		once := true
		b.fill = func(key string) {
			if key == vera && once {
				once = false
				if err := c.Forget(context.Background(), vera); err != nil {
					t.Error(err)
				}
			}
		}
		c.is(vera, clients.Found)
		c.changed(vera)
		synctest.Wait()
		c.is(vera, clients.Unknown)
		if once {
			t.Error("it was not renewed")
		}
		c.stop()
	})
}
