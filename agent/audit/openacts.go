package audit

import (
	"iter"
	"slices"
	"time"
)

// Act is one that was allowed and of whose end the log says nothing: it runs, or Earshot was killed before it could say.
type Act struct {
	Entry              // as it was decided; Action and Mode are those in force, Employees everybody who was on the call at any time
	Carried  time.Time // when the log says that it was carried out; zero when it does not
	Changing bool      // another mode had been allowed, and the log does not say whether that came into force
}

// OpenActs tells which acts of the log have no end, in the order in which they were decided. An act that hears nobody is at its end
// when it has been carried out, since there is nothing of it that runs.
//
// The error is the first of the entries' own. What is said of a damaged log is not complete, so nothing may be kept running on its strength.
func OpenActs(entries iter.Seq2[Entry, error]) ([]Act, error) {
	var order []string
	open := make(map[string]*Act)
	for e, err := range entries {
		if err != nil {
			return nil, err
		}
		a := open[e.ID]
		switch {
		case e.Phase == Decided && e.Outcome == Allow && a == nil:
			open[e.ID] = &Act{Entry: e}
			order = append(order, e.ID)
			continue
		case a == nil:
			continue
		case e.Phase == Decided && e.Outcome == Allow:
			a.Changing = a.Changing || e.Action != a.Action
		case e.Phase == Done && !hears(e.Action), e.Phase == Ended, e.Phase == Revoked, e.Phase == Failed && a.Carried.IsZero():
			delete(open, e.ID)
			continue
		case e.Phase == Done:
			a.Action, a.Mode, a.Carried, a.Changing = e.Action, e.Mode, e.Time, false
		case e.Phase == Failed:
			a.Changing = false
		}
		for _, id := range e.Employees {
			if !slices.Contains(a.Employees, id) {
				a.Employees = append(slices.Clip(a.Employees), id)
			}
		}
	}
	acts := make([]Act, 0, len(open))
	for _, id := range order {
		if a := open[id]; a != nil {
			acts = append(acts, *a)
			delete(open, id)
		}
	}
	return acts, nil
}
