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
	marks := g.recordEnds(ext, to, parseMarks(text))
	m, ok := marks.of(to)
	if !ok { // somebody has set another since, or none; or it was ended
		return g.tidyMarks(ctx, ext, text, marks.endings())
	}
	if m == marks[0] {
		marks = append(forwardMarks{m}, marks[1:].endings()...)
	}
	e, err := g.forwardRevoked(ext, m)
	if err != nil {
		return err
	}
	if e == nil {
		delete(g.doubtful, ext)
		return g.tidyMarks(ctx, ext, text, marks.toEnd(m, false))
	}
	// Should Earshot be killed before the end is on record, the next one knows by the mark that there was one. Nobody goes on being forwarded for want of it.
	there, ending := text, marks.toEnd(m, true)
	marked := g.tidyMarks(ctx, ext, there, ending)
	if marked == nil {
		there = ending.String()
	}
	if err := c.Switchboard.Keep(ctx, keeper(), c.Forward, ext, ""); err != nil {
		g.doubtful[ext] = *e // the PBX may have done it all the same, or do it yet
		return err
	}
	// It is over whatever fails from here on, and who looks at it again finds nothing to end. So the mark goes when that is on record.
	g.forwardEnded(ext, *e)
	return g.tidyMarks(ctx, ext, there, g.recordEnds(ext, "", ending.endings()))
}

// forwardRevoked is the end, for the record, of a forwarding to where the employee may not call any more; nil: he may.
func (g *Gate) forwardRevoked(ext string, m forwardMark) (*audit.Entry, error) {
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
			return nil, nil
		case p.Kind == Unavailable:
			return nil, errUnsure
		}
		if reason = d.Reason.String(); d.Allowed {
			reason = p.Code // it has become one to which nobody's calls are forwarded
		}
	}
	e := forwardEnd(set, ext, m, reason)
	if r := set.Rule(d.Rule); r.Line > 0 {
		e.Rule = audit.Rule{File: r.File, Line: r.Line}
	}
	return &e, nil
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
