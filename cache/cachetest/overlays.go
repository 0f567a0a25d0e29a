package cachetest

import (
	"errors"
	"slices"
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

func editions(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	c.FollowDocument("policy")
	before := uint64(0)
	put := func(version uint64, carry *cache.Overlay, want error) {
		t.Helper()
		if err := c.PutEdition(t.Context(), "policy", before+1, cache.Document{Version: 100, Data: "x"}, carry); !errors.Is(err, cache.ErrMoved) {
			t.Fatalf("%d: in place of another version: %v", version, err)
		}
		err := c.PutEdition(t.Context(), "policy", before, cache.Document{Version: version, Data: "x"}, carry)
		if !errors.Is(err, want) {
			t.Fatalf("%d: %v", version, err)
		}
		if err == nil {
			before = version
		}
	}
	has := func(version uint64, targets ...string) *cache.Overlay {
		t.Helper()
		o, err := c.Follow(t.Context(), version)
		must(t, err)
		for _, target := range []string{"boris", "vera"} {
			if o.Generation() != version || o.Excluded("anna", target) != slices.Contains(targets, target) {
				t.Fatalf("%d: %s", version, target)
			}
		}
		return o
	}
	put(7, nil, nil)
	if _, err := c.Follow(t.Context(), 7); !errors.Is(err, cache.ErrNoOverlay) {
		t.Errorf("%v", err)
	}
	must(t, c.PutOverlay(t.Context(), overlay(t, 7, false, "boris")))
	seven := has(7, "boris")
	put(8, seven, nil)
	has(8, "boris")
	put(8, seven, cache.ErrOlder)
	must(t, c.PutOverlay(t.Context(), overlay(t, 8, false, "vera")))
	put(9, seven, nil) // whose own is as it was
	has(9, "boris")
	must(t, c.PutOverlay(t.Context(), overlay(t, 9, false, "boris", "vera")))
	nine := has(9, "boris", "vera")
	must(t, c.PutOverlay(t.Context(), overlay(t, 11, true)))
	put(11, nine, nil) // what it has already stays
	eleven := has(11)
	must(t, c.PutOverlay(t.Context(), overlay(t, 11, true, "vera")))
	has(11, "vera")
	put(12, eleven, cache.ErrMoved)
	if _, err := c.Follow(t.Context(), 12); !errors.Is(err, cache.ErrNoOverlay) {
		t.Errorf("%v", err)
	}
	put(12, nil, cache.ErrMoved)  // there is one that would be lost
	put(12, has(11, "vera"), nil) // which shows that it was not written
	if err := c.PutEdition(t.Context(), "policy", 12, cache.Document{Data: "x"}, eleven); err == nil {
		t.Error("version 0")
	}
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
