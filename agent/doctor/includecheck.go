package doctor

import (
	"slices"
	"strings"
)

// dialContext is the context of Earshot's include that has the emergency numbers, each as an extension of its own.
const dialContext = "earshot-dial"

// includeChecks holds the emergency numbers of the include that is installed against those that the policy has now: the include is made once, and
// the policy changes.
func includeChecks(e *exam) error {
	if e.own.Emergency == nil {
		return nil
	}
	plan, err := e.pbx.Dialplan(e.ctx)
	if err != nil {
		return err
	}
	var first *Step // of the context; without one Earshot is not asked about outgoing calls
	missing := slices.Clone(e.own.Emergency)
	for i := range plan.Steps {
		s := &plan.Steps[i]
		if s.Context != dialContext || s.Priority != "1" {
			continue
		}
		if first == nil {
			first = s
		}
		if strings.HasPrefix(s.Exten, "_") {
			continue
		}
		missing = slices.DeleteFunc(missing, func(n string) bool { return n == s.Exten })
		if !slices.Contains(e.own.Emergency, s.Exten) {
			e.find("include-unasked", inPlan(s, s.Exten), "number", s.Exten)
		}
	}
	if first != nil && len(e.own.Emergency) == 0 {
		e.find("include-no-emergency", inPlan(first, ""))
	}
	for _, n := range missing {
		if first != nil {
			e.find("include-emergency", inPlan(first, n), "number", n)
		}
	}
	return nil
}

// inPlan is a place of the dialplan.
func inPlan(s *Step, subject string) where {
	at := where{s.Place, s.Context, subject}
	if at.File == "" {
		at.File = "extensions.conf"
	}
	return at
}
