package main

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed seeds.txt
var seeds string

// A place is a round of a seed.
type place struct {
	seed  uint64
	round int
	deeds []string // that are in it
}

// kept are the places in the list.
func kept() (all []place, err error) {
	for line := range strings.Lines(seeds) {
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		var p place
		line, _, _ = strings.Cut(line, "#")
		if _, err := fmt.Sscanf(line, "%d %d", &p.seed, &p.round); err != nil {
			return nil, fmt.Errorf("seeds.txt: %q: %w", line, err)
		}
		p.deeds = strings.Fields(line)[2:]
		all = append(all, p)
	}
	return all, nil
}

// places says which round is the ith of the run: those after each other of one seed, or the kept ones, again and again.
func places(seed string, first int) (of func(i int) place, name string, err error) {
	if seed == "kept" {
		all, err := kept()
		return func(i int) place { return all[i%len(all)] }, seed, err
	}
	n, err := seedOf(seed)
	return func(i int) place { return place{seed: n, round: first + i} }, fmt.Sprint(n), err
}
