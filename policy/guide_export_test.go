package policy

import "slices"

// RightNames are all keys of an employee or a role that give actions, sorted.
func RightNames() []string { return slices.Sorted(slices.Values(rightNames)) }
