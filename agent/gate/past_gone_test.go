package gate_test

import (
	"context"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
	past "github.com/earshot-pbx/earshot/agent/journal"
)

// ageing is a journal from which a call is deleted for its age between two questions.
type ageing struct {
	gate.Journal
}

func (a *ageing) Grades(ctx context.Context, id string) ([]past.Grade, error) {
	grades, err := a.Journal.Grades(ctx, id+" that was")
	return grades, err
}

// A call that goes while a page with it is read takes the page from nobody.
func TestACallThatGoesWhileItIsReadTakesNoPageAway(t *testing.T) {
	o := newArchive(t, archive, func(c *gate.Config) { c.Journal = &ageing{c.Journal} })
	o.talk("a", other, "PJSIP/101")
	o.hangUp("a")
	sees(t, "carl", briefs(o.rows("carl", gate.JournalAsk{})), "anna in answered "+other)
}
