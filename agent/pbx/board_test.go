package pbx

import (
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/call"
)

// short is how the tests name an endpoint: "101" for "PJSIP/101".
func short(endpoint string) string { return strings.TrimPrefix(endpoint, "PJSIP/") }

// board tells what a table shows, in the words of a mark: "101 talking in with 102+103", one line for each leg that does something.
func board(t *call.Table) []string {
	var lines []string
	for _, l := range t.All(nil) {
		if l.Kind() != call.KindPhone || l.Phase() == call.PhaseNone {
			continue
		}
		lines = append(lines, line(t, l))
	}
	slices.Sort(lines)
	return lines
}

func line(t *call.Table, l *call.Leg) string {
	s := short(l.Endpoint()) + " " + l.Phase().String() + " " + l.Direction().String()
	if p := peers(t, l); len(p) > 0 {
		s += " with " + strings.Join(p, "+")
	}
	return s
}

func peers(t *call.Table, l *call.Leg) []string {
	var names []string
	for _, p := range t.Peers(nil, l) {
		names = append(names, short(p.Endpoint()))
	}
	slices.Sort(names)
	return names
}
