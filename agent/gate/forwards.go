package gate

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// What has been forwarded from here is ended when the employee may not call there any more. The AstDB has for each such number, in a family of
// Earshot's own, by which act and by whom it was set: so it is known after a restart, and what a telephone's feature code has set is left alone.

// How soon forwardings are looked at after something has changed, and again when that failed.
const (
	reviewSoon  = 100 * time.Millisecond
	reviewAgain = 5 * time.Second
	reviewTime  = time.Minute
)

// reviewForwards has the forwardings looked at soon, since what they rest on may have changed. Caller holds the lock.
func (g *Gate) reviewForwards(after time.Duration) {
	switch {
	case g.cfg.Settings.Switchboard == nil, g.closed, !g.known:
		return
	case g.review != nil:
		if after == reviewSoon {
			g.review.Reset(after)
		}
		return
	}
	g.review = time.AfterFunc(after, func() {
		begin := false
		g.locked(func(*call.Table) {
			if g.review = nil; !g.closed {
				begin = true
				g.running.Add(1)
			}
		})
		if !begin {
			return
		}
		defer g.running.Done()
		ctx, cancel := context.WithTimeout(g.ctx, reviewTime)
		defer cancel()
		err := g.endForwards(ctx)
		g.locked(func(*call.Table) {
			if err != nil && !g.reviewFailed && !g.closed {
				g.log.Warn().Err(err).Msg("it is not known of every forwarding that was set here whether the employee may still call there; it is tried again")
			}
			if g.reviewFailed = err != nil; g.reviewFailed {
				g.reviewForwards(reviewAgain)
			}
		})
	})
}

// errUnsure says that a directory does not tell yet whose client a number is.
var errUnsure = errors.New("the directory of clients does not say yet whose client a number is")

// endForwards looks at everything that was forwarded from here. It goes on behind what fails.
func (g *Gate) endForwards(ctx context.Context) error {
	done, err := g.aloneAtForwards(ctx)
	if err != nil {
		return err
	}
	defer done()
	c := &g.cfg.Settings
	kept, err := c.Switchboard.Family(ctx, c.marks())
	if err != nil {
		return err
	}
	var errs []error
	for _, ext := range slices.Sorted(maps.Keys(kept)) {
		errs = append(errs, g.endForward(ctx, ext, kept[ext]))
	}
	return errors.Join(errs...)
}

// endForward decides one forwarding anew, and ends it when the employee may not call there.
func (g *Gate) endForward(ctx context.Context, ext, text string) error {
	c := &g.cfg.Settings
	to, err := c.Switchboard.Lookup(ctx, c.Forward, ext)
	if err != nil {
		return err
	}
	marks := parseMarks(text)
	m, ok := markOf(marks, to)
	if e, doubtful := g.doubtful[ext]; doubtful && m.act != e.ID {
		g.forwardEnded(ext, e) // it was to be ended, and is gone
	}
	if !ok { // somebody has set another since, or none
		return c.Switchboard.Keep(ctx, keeper(), c.marks(), ext, "")
	}
	if len(marks) > 1 && m == marks[0] {
		if err := c.Switchboard.Keep(ctx, keeper(), c.marks(), ext, m.String()); err != nil {
			return err
		}
	}
	set := g.policy.Load()
	d, reason := policy.Decision{}, policy.ReasonUnknownTarget.String()
	owner, known := ownerOf(set, ext)
	if known {
		var dest Destination
		dest, d = g.decideNow(set, owner, m.number, g.cfg.Clients.Find)
		_, p := g.forwards(set, owner, dest, d, m.act)
		switch rule := set.Protector(owner); {
		case rule != 0 && m.setter != set.ID(owner): // he was not, when that was set
			d = policy.Decision{Reason: policy.ReasonProtected, Rule: rule}
		case p == nil:
			delete(g.doubtful, ext)
			return nil
		case p.Kind == Unavailable:
			return errUnsure
		}
		if reason = d.Reason.String(); d.Allowed {
			reason = p.Code // it has become one to which nobody's calls are forwarded
		}
	}
	e := audit.Entry{
		ID: m.act, Phase: audit.Revoked, Subject: m.setter, Action: policy.SettingsUser.String(), Outcome: audit.Deny, Reason: reason,
		Generation: set.Generation(), Detail: keysDetail([]string{"forward"}),
	}
	if known {
		e.Targets = []string{set.ID(owner)}
	}
	if r := set.Rule(d.Rule); r.Line > 0 {
		e.Rule = audit.Rule{File: r.File, Line: r.Line}
	}
	if err := c.Switchboard.Keep(ctx, keeper(), c.Forward, ext, ""); err != nil {
		g.doubtful[ext] = e // the PBX may have done it all the same, or do it yet
		return err
	}
	// It is over whatever fails from here on, and who looks at it again finds nothing to end: so this is recorded before the mark goes, and kept if it cannot be.
	g.forwardEnded(ext, e)
	return c.Switchboard.Keep(ctx, keeper(), c.marks(), ext, "")
}

// settleDoubt looks what became of a forwarding whose end the PBX has not confirmed, before somebody changes it: of one that is gone the end is recorded. Caller
// is alone at the forwardings.
func (g *Gate) settleDoubt(ctx context.Context, ext string) error {
	e, doubtful := g.doubtful[ext]
	if !doubtful {
		return nil
	}
	is, kept, err := g.forwarded(ctx, ext)
	if err != nil {
		return err
	}
	if m, _ := markOf(parseMarks(kept), is); m.act != e.ID {
		g.forwardEnded(ext, e)
	}
	return nil
}

// forwardEnded records that a forwarding is over that was not permitted any more. Caller is alone at the forwardings.
func (g *Gate) forwardEnded(ext string, e audit.Entry) {
	delete(g.doubtful, ext)
	g.canonical(&e)
	if err := g.fact(e); err != nil {
		g.log.Error().Err(err).Str("id", e.ID).Msg("the end of a forwarding was not recorded")
	}
}

// ownerOf is whose calls come by an extension.
func ownerOf(set *policy.Set, ext string) (policy.Ref, bool) {
	for ref := range set.Employees() {
		if extension(set, ref) == ext {
			return ref, true
		}
	}
	return policy.Ref{}, false
}
