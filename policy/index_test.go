package policy_test

import (
	"strings"
	"testing"
)

// Ids of every length, which differ from each other in one byte at each place, are found, and what differs from all of them is not.
func TestAnIdIsFoundWhateverItsLength(t *testing.T) {
	known := map[string]bool{}
	for length := 1; length <= 40; length++ {
		id := strings.Repeat("a", length)
		known[id] = true
		for i := range length {
			known[id[:i]+"b"+id[i+1:]] = true
		}
	}
	var text strings.Builder
	text.WriteString("version: 1\nemployees:\n")
	for id := range known {
		text.WriteString("  " + id + ": {}\n")
	}
	set := load(t, text.String())
	for id := range known {
		if ref, ok := set.Employee(id); !ok || set.ID(ref) != id {
			t.Errorf("%q is not found, or is %q", id, set.ID(ref))
		}
		for i := range len(id) {
			if other := id[:i] + "c" + id[i+1:]; found(set.Employee(other)) {
				t.Errorf("%q is somebody", other)
			}
		}
	}
	for _, nobody := range []string{"", strings.Repeat("a", 41), strings.Repeat("a", 1000), "aaaaaaab\x00"} {
		if found(set.Employee(nobody)) {
			t.Errorf("%q is somebody", nobody)
		}
	}
}

func found[T any](_ T, ok bool) bool { return ok }
