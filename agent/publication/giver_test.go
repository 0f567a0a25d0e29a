package publication_test

import (
	"errors"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/earshot-pbx/earshot/agent/publication"
	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/redistest"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

var wrong = slices.Repeat([]byte("w"), 32)

func stands(t *testing.T, c cache.Cache) cache.Document {
	t.Helper()
	d, _ := c.Document(publication.Name)
	return d
}

func TestOneAloneGives(t *testing.T) {
	dirs := [2]string{t.TempDir(), t.TempDir()}
	write(t, dirs[0], says("anna"))
	write(t, dirs[1], says("boris"))
	for name, force := range map[string]bool{"refused": false, "forced": true} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t)
			c, other := open(t, s), open(t, s)
			first, _, end := giving(t, c, dirs[0])
			until(t, first, "the first", has(2000, ""))
			second, _, _ := giving(t, other, dirs[1])
			until(t, second, "the second", has(0, publication.Second))
			_, _, err := publication.Publish(patient(t), other, key, publication.Edition{Documents: says("boris")}, false, force)
			if force {
				must(t, err)
				until(t, first, "what was forced", has(2000, publication.Conflict))
				return
			}
			if !errors.Is(err, publication.ErrGiven) {
				t.Errorf("%v", err)
			}
			if d := stands(t, c); d.Version != 2000 || second.Status().Trouble != publication.Second {
				t.Errorf("generation %d", d.Version)
			}
			end()
			until(t, second, "its turn", has(2001, ""))
		})
	}
}

func TestWhatIsSealedWithAnotherKeyStays(t *testing.T) {
	c, dir := open(t, redistest.Start(t)), t.TempDir()
	g := publish(t, c, says("anna"))
	if _, _, err := publication.Publish(patient(t), c, wrong, publication.Edition{Documents: says("boris")}, false, false); !errors.Is(err, publication.ErrSealed) {
		t.Errorf("%v", err)
	}
	write(t, dir, says("boris"))
	file, err := policyfile.Open([]string{dir}, policyfile.Options{})
	must(t, err)
	var right atomic.Bool
	cfg := config(c)
	cfg.Key = func() ([]byte, error) {
		if right.Load() {
			return key, nil
		}
		return wrong, nil
	}
	giver := publication.NewGiver(cfg, file)
	run(t, giver.Run)
	until(t, giver, "the wrong key", has(0, publication.Forged))
	if d := stands(t, c); d.Version != g {
		t.Errorf("it was replaced by %d", d.Version)
	}
	right.Store(true)
	until(t, giver, "the right key", has(g+1, ""))
}

func TestAGiverPutsItsOwnBackAndTakesANewKey(t *testing.T) {
	s := redistest.Start(t)
	c, dir := open(t, s), t.TempDir()
	write(t, dir, says("anna"))
	file, err := policyfile.Open([]string{dir}, policyfile.Options{Number: func() uint64 { return 2000 }})
	must(t, err)
	var other atomic.Bool
	cfg := config(c)
	cfg.Key = func() ([]byte, error) {
		if other.Load() {
			return wrong, nil
		}
		return key, nil
	}
	giver := publication.NewGiver(cfg, file)
	run(t, giver.Run)
	until(t, giver, "the first", has(2000, ""))
	f, _ := fetch(t, open(t, s), filepath.Join(t.TempDir(), "copy"))
	foreign, err := publication.Seal(wrong, publication.Edition{Generation: 5000, Documents: says("boris")})
	must(t, err)
	swap(t, s, 5000, foreign)
	until(t, giver, "its own", has(5001, ""))
	until(t, f, "the giver's", has(5001, ""))
	if !may(f.File().Current(), "anna") {
		t.Error("it is not the giver's")
	}
	other.Store(true)
	until(t, giver, "the new key", has(5002, ""))
	until(t, f, "the key before", has(5001, publication.Forged))
	if e, err := publication.Open(wrong, stands(t, c).Data); err != nil || e.Generation != 5002 {
		t.Errorf("%v", err)
	}
}
