package gate

import (
	"context"
	"errors"
	"slices"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/policy"
)

// What is on record of the end of a forwarding. Earshot may be killed, or the log be full, between the end and its entry. So the mark of a forwarding says, before
// that is ended, that it is to be, and goes when the end is on record: what is marked so and is gone has an end that the next Earshot has to record.

// forwardEnd is the record of the end of a forwarding.
func forwardEnd(set *policy.Set, ext string, m forwardMark, reason string) audit.Entry {
	e := audit.Entry{
		ID: m.act, Phase: audit.Revoked, Subject: m.setter, Action: policy.SettingsUser.String(), Outcome: audit.Deny, Reason: reason,
		Generation: set.Generation(), Detail: keysDetail([]string{"forward"}),
	}
	if owner, ok := ownerOf(set, ext); ok {
		e.Targets = []string{set.ID(owner)}
	}
	return e
}

// forwardEnded records that a forwarding is over that was not permitted any more. Caller is alone at the forwardings.
func (g *Gate) forwardEnded(ext string, e audit.Entry) {
	g.canonical(&e)
	err := g.fact(e)
	if err != nil {
		g.log.Error().Err(err).Str("id", e.ID).Msg("the end of a forwarding was not recorded")
	}
	if errors.Is(err, errTooLate) || errors.Is(err, audit.ErrClosed) {
		g.doubtful[ext] = e // it is tried again
		return
	}
	delete(g.doubtful, ext)
	g.ended[e.ID] = struct{}{}
}

// recordEnds records of an extension the ends of what Earshot has ended and is gone, once each, and returns the marks that stay. Of what an Earshot before this one
// has ended nobody knows when and why any more: that it was found after a restart is what is on record. Caller is alone at the forwardings.
func (g *Gate) recordEnds(ext, to string, marks forwardMarks) (rest forwardMarks) {
	is, _ := marks.of(to)
	if e, doubtful := g.doubtful[ext]; doubtful && is.act != e.ID {
		g.forwardEnded(ext, e) // it was to be ended, and is gone
	}
	for _, m := range marks {
		if !m.ending || m == is {
			rest = append(rest, m)
			continue
		}
		_, said := g.ended[m.act]
		if _, doubtful := g.doubtful[ext]; !said && !doubtful {
			g.forwardEnded(ext, forwardEnd(g.policy.Load(), ext, m, reasonRestarted))
			_, said = g.ended[m.act]
		}
		if !said || g.isLate(m.act) {
			rest = append(rest, m)
		}
	}
	return rest
}

// settleEnds looks what became of the forwardings of an extension that Earshot was to end, before somebody changes it: of one that is gone the end is recorded, and
// one that is there is not to be ended any more, since what is to come is not Earshot's doing. It returns where the extension is forwarded to, and its marks. Caller is
// alone at the forwardings.
func (g *Gate) settleEnds(ctx context.Context, ext string) (to string, marks forwardMarks, err error) {
	to, marks, err = g.forwarded(ctx, ext)
	if err != nil {
		return "", nil, err
	}
	marks = g.recordEnds(ext, to, marks)
	is, ok := marks.of(to)
	if !ok || !is.ending {
		return to, marks, nil
	}
	marks = marks.toEnd(is, false)
	return to, marks, g.keepMarks(ctx, ext, marks)
}

// tidyMarks writes the marks of an extension if they are not what is there.
func (g *Gate) tidyMarks(ctx context.Context, ext, there string, marks forwardMarks) error {
	if marks.String() == there {
		return nil
	}
	if err := g.keepMarks(ctx, ext, marks); err != nil {
		return err
	}
	for _, m := range parseMarks(there) {
		if !slices.ContainsFunc(marks, func(o forwardMark) bool { return o.act == m.act }) {
			delete(g.ended, m.act) // nobody asks any more
		}
	}
	return nil
}

// toEnd is some marks of which one says that Earshot is to end its forwarding, or that it is not.
func (marks forwardMarks) toEnd(m forwardMark, ending bool) forwardMarks {
	marks = slices.Clone(marks)
	if i := slices.Index(marks, m); i >= 0 {
		marks[i].ending = ending
	}
	return marks
}
