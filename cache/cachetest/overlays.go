package cachetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

func overlay(t *testing.T, generation uint64, on bool, targets ...string) *cache.Overlay {
	t.Helper()
	o, err := cache.NewOverlay(generation, map[string]cache.Person{
		"anna": {Flags: map[string]bool{"spy": on}, Except: targets},
	})
	must(t, err)
	return o
}

func overlays(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	if o, age := c.Overlay(7); o != nil || age != cache.Never {
		t.Fatalf("an overlay of nobody: %v", age)
	}
	must(t, c.PutOverlay(t.Context(), overlay(t, 7, false, "boris", "group:board")))
	must(t, c.PutOverlay(t.Context(), overlay(t, 8, true)))
	for g, want := range map[uint64]bool{7: false, 8: true} {
		if o, err := c.Follow(t.Context(), g); err != nil || o.Generation() != g {
			t.Fatalf("%v %v", o.Generation(), err)
		}
		o, age := c.Overlay(g)
		if o.Generation() != g || age > time.Minute {
			t.Fatalf("asked for %d, got %d of age %v", g, o.Generation(), age)
		}
		if on, set := o.Flag("anna", "spy"); on != want || !set {
			t.Errorf("generation %d: %v %v", g, on, set)
		}
		for _, target := range []string{"boris", "group:board"} {
			if o.Excluded("anna", target) != (g == 7) {
				t.Errorf("generation %d: %s", g, target)
			}
		}
		if _, set := o.Flag("anna", "barge"); set || o.Excluded("anna", "vera") || o.Excluded("boris", "anna") {
			t.Error("more is set than was put")
		}
	}
	if o, _ := c.Overlay(9); o != nil {
		t.Error("generation 9 has values of another")
	}
	must(t, c.PutOverlay(t.Context(), overlay(t, 8, false)))
	o, _ := c.Overlay(8)
	if on, set := o.Flag("anna", "spy"); on || !set {
		t.Errorf("after the change: %v %v", on, set)
	}
	if err := c.PutOverlay(t.Context(), nil); err == nil {
		t.Error("nothing was put")
	}
}

func wholeOverlays(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	// The flag is on exactly when boris is excluded.
	put := func(on bool) {
		if on {
			must(t, c.PutOverlay(t.Context(), overlay(t, 3, true, "boris")))
		} else {
			must(t, c.PutOverlay(t.Context(), overlay(t, 3, false)))
		}
	}
	put(true)
	_, err := c.Follow(t.Context(), 3)
	must(t, err)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				o, _ := c.Overlay(3)
				if on, _ := o.Flag("anna", "spy"); on != o.Excluded("anna", "boris") || o.Generation() != 3 {
					t.Error("half of a change was seen")
					return
				}
			}
		})
	}
	for i := range 100 {
		put(i%2 == 0)
	}
	close(stop)
	wg.Wait()
}

func noOverlay(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	o, err := c.Follow(t.Context(), 7)
	if !errors.Is(err, cache.ErrNoOverlay) || o != nil {
		t.Fatalf("%v", err)
	}
	o, age := c.Overlay(7)
	if o != nil || age != cache.Never {
		t.Fatalf("%v", age)
	}
	if on, set := o.Flag("anna", "spy"); on || !set || !o.Excluded("anna", "boris") {
		t.Error("no overlay does not deny")
	}
	empty, err := cache.NewOverlay(7, nil)
	must(t, err)
	must(t, c.PutOverlay(t.Context(), empty))
	if o, age := c.Overlay(7); o == nil || age > time.Minute || o.Excluded("anna", "boris") {
		t.Errorf("an empty overlay is one too: %v", age)
	}
}
