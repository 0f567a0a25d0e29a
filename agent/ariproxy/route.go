package ariproxy

import (
	"slices"
	"strings"
)

// node is one place in the tree of paths.
type node struct {
	next map[string]*node // by segment, as it is written
	any  *node            // whatever the segment is
	name string           // of any: the parameter, in braces
	rows map[string]*operation
}

// newTree makes the tree of a table.
func newTree(table []operation) *node {
	root := &node{}
	for i := range table {
		at := root
		for _, segment := range table[i].segments {
			at = at.child(segment)
		}
		if at.rows == nil {
			at.rows = map[string]*operation{}
		}
		at.rows[table[i].method] = &table[i]
	}
	return root
}

func (n *node) child(segment string) *node {
	if strings.HasPrefix(segment, "{") {
		if n.any == nil {
			n.any = &node{name: segment}
		}
		return n.any
	}
	if n.next == nil {
		n.next = map[string]*node{}
	}
	if n.next[segment] == nil {
		n.next[segment] = &node{}
	}
	return n.next[segment]
}

// find finds the place of a path, as Asterisk does: what is written in the table comes before what may be anything. Vars are the parameters in it.
func (n *node) find(segments []string) (at *node, vars []string, f *fault) {
	for _, s := range segments {
		if next := n.next[s]; next != nil {
			n = next
			continue
		}
		if n = n.any; n == nil {
			return nil, nil, faultNotFound
		}
		if strings.Contains(s, "/") && !slashed[n.name] {
			return nil, nil, faultPath
		}
		vars = append(vars, s)
	}
	if len(n.rows) == 0 {
		return nil, nil, faultNotFound
	}
	return n, vars, nil
}

// allow is the header of that name for a place.
func (n *node) allow() string {
	methods := []string{"OPTIONS"}
	for _, m := range []string{"GET", "POST", "DELETE", "PUT"} {
		if n.rows[m] != nil {
			methods = append(methods, m)
		}
	}
	return strings.Join(methods, ",")
}

// labels are all that an operation is called in the metrics.
func (o *operation) label() string {
	if o == nil {
		return operationNone
	}
	return o.method + " " + o.path
}

// operationNone stands for what is no operation of the table.
const operationNone = "none"

// resources are what paths begin with where something is offered, sorted.
func resources(table []operation) (all []string) {
	for i := range table {
		if o := &table[i]; o.kind >= answered && !slices.Contains(all, o.segments[0]) {
			all = append(all, o.segments[0])
		}
	}
	slices.Sort(all)
	return all
}
