package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
)

// Lists of all lengths, of people and of a group, hold whom they name and nobody beside or between them.
func TestAListHoldsWhomItNamesWhateverItsLength(t *testing.T) {
	const people = 90
	var employees strings.Builder
	for i := range people {
		fmt.Fprintf(&employees, ", e%d: {}", i)
	}
	for length := 1; length <= people/2-1; length++ {
		var named []string
		for i := range length {
			named = append(named, fmt.Sprint("e", 2*i+1))
		}
		list := strings.Join(named, ", ")
		set := load(t, fmt.Sprintf("version: 1\ngroups: {some: [%s]}\nemployees: {anna: {spy: [%s], barge: [group:some]}%s}\n", list, list, employees.String()))
		req := policy.Request{Subject: employee(t, set, "anna")}
		for i := range people {
			id := fmt.Sprint("e", i)
			req.Target = employee(t, set, id)
			for _, req.Action = range []policy.Action{policy.Spy, policy.Barge} {
				if d := set.Decide(&req); d.Allowed != slices.Contains(named, id) {
					t.Fatalf("%s of %s by a list of %d: %v", req.Action, id, length, d.Allowed)
				}
			}
		}
	}
}
