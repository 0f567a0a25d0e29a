package doctor

import (
	"maps"
	"slices"
	"strings"
)

// dialContext is the context of Earshot's include that has the emergency numbers, each as an extension of its own.
const dialContext = "earshot-dial"

// Where the include has callers moved, and what it lacks there that an older Earshot has printed: the place by which attended transfers are made.
const (
	backContext = "earshot-back"
	newestExten = "asks"
)

// includeChecks looks whether the include that is installed is this Earshot's, and holds the emergency numbers of the include that is installed against those that the policy has now: the include is made once, and
// the policy changes.
func includeChecks(e *exam) error {
	plan, err := e.pbx.Dialplan(e.ctx)
	if err != nil {
		return err
	}
	in := func(s Step) bool { return s.Context == backContext }
	if i := slices.IndexFunc(plan.Steps, in); i >= 0 && !slices.ContainsFunc(plan.Steps, func(s Step) bool { return in(s) && s.Exten == newestExten }) {
		e.find("include-old", inPlan(&plan.Steps[i], ""))
	}
	if e.own.Emergency == nil {
		return nil
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

// settingsContext is the context of Earshot's include by which it writes into the AstDB.
const settingsContext = "earshot-settings"

// settingsChecks looks whether the include that is installed has the context by which settings are kept: it may be older than the right.
func settingsChecks(e *exam) error {
	if !e.own.Settings {
		return nil
	}
	plan, err := e.pbx.Dialplan(e.ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(plan.Steps, func(s Step) bool { return s.Context == settingsContext }) {
		e.find("include-settings", where{Place{File: "extensions.conf"}, settingsContext, ""})
	}
	return nil
}

// lineChecks looks whether the queues are there of which the policy has lines. Those that stand in a database are not seen.
func lineChecks(e *exam) error {
	external, err := e.config("extconfig.conf")
	if err != nil {
		return err
	}
	for _, family := range []string{"queues", "queues.conf"} {
		if v, ok := external.option("settings", family); ok && v.Value != "" {
			return nil
		}
	}
	queues, err := e.config("queues.conf")
	if err != nil {
		return err
	}
	for _, line := range slices.Sorted(maps.Keys(e.own.Queues)) {
		if queue := e.own.Queues[line]; queue == "general" || len(queues.named(queue)) == 0 {
			e.find("line-queue", where{Place{File: queues.Name}, queue, ""}, "line", line, "queue", queue)
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
