//go:build faults

package agent_test

import (
	"fmt"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// decidedHaveOutcomes makes sure that everything that was permitted has an end on record, and that nothing was done that was not.
func (o *office) decidedHaveOutcomes() error {
	last, order := map[string]audit.Entry{}, []string{}
	for _, e := range o.audited() {
		if e.Phase == audit.Recovered { // of the log itself
			continue
		}
		if _, seen := last[e.ID]; !seen {
			order = append(order, e.ID)
			if e.Phase != audit.Decided {
				return fmt.Errorf("%s begins with %s", e.ID, e.Phase)
			}
		}
		last[e.ID] = e
	}
	for _, id := range order {
		switch e := last[id]; {
		case e.Phase == audit.Decided && e.Outcome == audit.Deny:
		case e.Phase == audit.Decided, e.Phase == audit.Done:
			return fmt.Errorf("the last of %s of %s is %s", e.Action, id, e.Phase)
		}
	}
	return nil
}
