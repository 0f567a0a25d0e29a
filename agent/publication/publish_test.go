package publication_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/publication"
	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/redistest"
)

// behind is a store that goes on showing the document that it had when it was told to, until it has been looked at some times.
type behind struct {
	publication.Store
	old   cache.Document
	looks atomic.Int32 // left
}

func (b *behind) Document(name string) (cache.Document, time.Duration) {
	if b.looks.Add(-1) >= 0 {
		return b.old, time.Minute
	}
	return b.Store.Document(name)
}

// A policy that was published before another is not taken for published because the store's last look is older than that other.
func TestAPolicyThatComesBackIsPublishedThoughTheOneBetweenWasNotSeen(t *testing.T) {
	c := open(t, redistest.Start(t))
	publish := func(store publication.Store, who string) (uint64, bool) {
		t.Helper()
		g, fresh, err := publication.Publish(patient(t), store, key, publication.Edition{Documents: says(who)}, false, false)
		must(t, err)
		return g, fresh
	}
	if g, fresh := publish(c, "anna"); g != 1 || !fresh {
		t.Fatal(g, fresh)
	}
	b := &behind{Store: c}
	for late := time.Now().Add(20 * time.Second); b.old.Version != 1; b.old, _ = c.Document(publication.Name) {
		if time.Now().After(late) {
			t.Fatal("it is not seen")
		}
		time.Sleep(time.Millisecond)
	}
	if g, fresh := publish(c, "boris"); g != 2 || !fresh {
		t.Fatal(g, fresh)
	}
	b.looks.Store(2)
	if g, fresh := publish(b, "anna"); g != 3 || !fresh {
		t.Errorf("generation %d, new %v", g, fresh)
	}
	if g, fresh := publish(c, "anna"); g != 3 || fresh {
		t.Errorf("generation %d again, new %v", g, fresh)
	}
}
