package mutation

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
)

// Seed is what the mutants that a run of tests tries are chosen by.
type Seed struct{ told *uint64 }

// SeedFlag registers -seed, by which a run chooses as another one did that printed it.
func SeedFlag() Seed {
	return Seed{flag.Uint64("seed", 0, "choose the mutants as a run did that printed this; 0: anew")}
}

// Rand returns what to choose mutants by, and has a failure say how to choose the same ones.
func (s Seed) Rand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := *s.told
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// EveryFlag registers -mutants, which has a run try all of them.
func EveryFlag() *bool {
	return flag.Bool("mutants", false, "try every mutant of the attack cases, and not some of each kind")
}

// Some are the places of two mutants of each kind in a list, or of all.
func Some(all []Mutant, every bool, r *rand.Rand) (places []int) {
	if !every {
		return slices.Concat(One(all, r), One(all, r))
	}
	for i := range all {
		places = append(places, i)
	}
	return places
}
