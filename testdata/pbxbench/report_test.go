package main

import "testing"

// An event that a panel was not told is seen as missing, and one that it was told late as late.
func TestWhatAPanelWasNotToldIsMissing(t *testing.T) {
	said := &panel{heard: map[about][]int64{1: {10, 20}, 2: {30}}}
	told := &panel{heard: map[about][]int64{1: {15}, 2: {36}}}
	delays, missing := told.compare(said, nil)
	if missing != 1 || len(delays) != 2 || at(delays, 0) != 5 || at(delays, 1) != 6 {
		t.Errorf("%d are missing, the others took %v", missing, delays)
	}
	if _, missing := said.compare(said, nil); missing != 0 {
		t.Errorf("%d of its own are missing", missing)
	}
}
