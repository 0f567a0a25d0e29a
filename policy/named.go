package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Named returns the employees whom a selector names, in the order of the files: an id, department:ID, subtree:ID, group:ID, everyone or
// heads. The error names the nearest selector where there is none of that name.
func (s *Set) Named(selector string) ([]Ref, error) {
	if s == nil || s.tables == nil {
		return nil, fmt.Errorf("there is no policy to name %q", selector)
	}
	c := newCrowd(s, nil, nil, 0, 0)
	hit := make(bitset, len(c.all))
	kind, id, found := strings.Cut(selector, ":")
	department := func() int { return slices.IndexFunc(s.departments, func(d department) bool { return d.id == id }) }
	switch {
	case selector == "everyone":
		hit.or(c.all)
	case selector == "heads":
		for who := range c.heads {
			hit.add(who)
		}
	case !found:
		who, ok := s.byID.find(selector)
		if !ok {
			return nil, s.unnamed("employee", selector, s.ids())
		}
		hit.add(who)
	case kind == "department" || kind == "subtree":
		d := department()
		if d < 0 {
			var ids []string
			for _, d := range s.departments {
				ids = append(ids, d.id)
			}
			return nil, s.unnamed("department", id, ids)
		}
		c.addDepartment(hit, uint32(d), kind == "subtree")
	case kind == "group":
		g := slices.Index(s.groupNames, id)
		if g < 0 {
			return nil, s.unnamed("group", id, s.groupNames)
		}
		group := s.groups[g]
		hit.addAll(s.members[group.start:][:group.grants])
	default:
		return nil, fmt.Errorf("%q names nobody: write an id, department:ID, subtree:ID, group:ID, everyone or heads", selector)
	}
	var out []Ref
	for who := range hit.places() {
		out = append(out, s.ref(who))
	}
	return out, nil
}

func (s *Set) unnamed(what, id string, known []string) error {
	if hint := DidYouMean(id, known); hint != "" {
		return fmt.Errorf("the policy has no %s %q: %s", what, id, hint)
	}
	return fmt.Errorf("the policy has no %s %q", what, id)
}
