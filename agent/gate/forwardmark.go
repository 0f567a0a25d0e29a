package gate

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/policy"
)

// marks is the family of the AstDB that says what was forwarded from here.
func (s *Settings) marks() string { return s.Forward + "-earshot" }

// forwardMark is what is kept of a forwarding that was set from here.
type forwardMark struct {
	number, act, setter string
	ending              bool // Earshot is to end it, or has, and that is not on record yet for all that is known
}

// endingMark stands before a setter of whose forwarding the end is not on record yet. It is no digit of a setter's.
const endingMark = "x"

// String is the mark as the AstDB has it: a setter's id may have letters that cannot stand there.
func (m forwardMark) String() string {
	setter := hex.EncodeToString([]byte(m.setter))
	if m.ending {
		setter = endingMark + setter
	}
	return m.number + ":" + m.act + ":" + setter
}

// forwardMarks are those of one extension: of what was to be set last, of what was there before until it is certain that it is no more, and of those whose
// end is not on record yet.
type forwardMarks []forwardMark

func (marks forwardMarks) String() string {
	text := make([]string, len(marks))
	for i, m := range marks {
		text[i] = m.String()
	}
	return strings.Join(text, ":")
}

// parseMarks reads what the AstDB has of an extension.
func parseMarks(text string) (marks forwardMarks) {
	for parts := range slices.Chunk(strings.Split(text, ":"), 3) {
		if len(parts) < 3 || parts[0] == "" || parts[1] == "" {
			return nil
		}
		digits, ending := strings.CutPrefix(parts[2], endingMark)
		setter, err := hex.DecodeString(digits)
		if err != nil {
			return nil
		}
		marks = append(marks, forwardMark{parts[0], parts[1], string(setter), ending})
	}
	return marks
}

// of is the one of some marks that is of a number.
func (marks forwardMarks) of(number string) (forwardMark, bool) {
	i := slices.IndexFunc(marks, func(m forwardMark) bool { return m.number == number })
	if i < 0 {
		return forwardMark{}, false
	}
	return marks[i], true
}

// endings are those of some marks of whose forwardings the end is not on record yet.
func (marks forwardMarks) endings() forwardMarks {
	return slices.DeleteFunc(slices.Clone(marks), func(m forwardMark) bool { return !m.ending })
}

// aloneAtForwards waits until nobody else changes forwardings; the caller has to call what it returns, unless there is an error.
func (g *Gate) aloneAtForwards(ctx context.Context) (func(), error) {
	select {
	case g.forwarding <- struct{}{}:
		return func() { <-g.forwarding }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// keepForward writes where an extension's calls go, and by whom; without a number they go nowhere else. A mark without its forwarding says nothing, and a
// forwarding without its mark would never be ended, so that one comes first and goes last; and what it takes the place of keeps its own until it is seen
// to be gone.
func (g *Gate) keepForward(ctx context.Context, set *policy.Set, target policy.Ref, m forwardMark) error {
	done, err := g.aloneAtForwards(ctx)
	if err != nil {
		return notSet(err)
	}
	defer done()
	ext := extension(set, target)
	is, marks, err := g.settleEnds(ctx, ext)
	if err != nil {
		return notSet(err)
	}
	if m.number == "" {
		if err := g.dropForward(ctx, ext, marks); err != nil {
			return notSet(err)
		}
		delete(g.doubtful, ext) // it is this that has ended it
		return nil
	}
	// Somebody else's change may have closed a circle since that was looked at.
	if p := g.circle(ctx, set, target, m.number); p != nil {
		return p
	}
	if err := g.writeForward(ctx, ext, m, is, marks); err != nil {
		return notSet(err)
	}
	delete(g.doubtful, ext) // or this, which has taken its place
	return nil
}

// forwarded is where an extension is forwarded to, and what marks are kept of it.
func (g *Gate) forwarded(ctx context.Context, ext string) (to string, marks forwardMarks, err error) {
	c := &g.cfg.Settings
	if to, err = c.Switchboard.Lookup(ctx, c.Forward, ext); err != nil {
		return "", nil, err
	}
	kept, err := c.Switchboard.Lookup(ctx, c.marks(), ext)
	return to, parseMarks(kept), err
}

func (g *Gate) writeForward(ctx context.Context, ext string, m forwardMark, is string, marks forwardMarks) error {
	keep := forwardMarks{m}
	if was, ok := marks.of(is); ok && is != m.number {
		keep = append(keep, was)
	}
	c := &g.cfg.Settings
	if err := g.keepMarks(ctx, ext, append(keep, marks.endings()...)); err != nil {
		return err
	}
	err := c.Switchboard.Keep(ctx, keeper(), c.Forward, ext, m.number)
	g.locked(func(*call.Table) { g.reviewForwards(reviewSoon) }) // the policy may have changed since that was decided; and the mark may have one too many
	return err
}

func (g *Gate) dropForward(ctx context.Context, ext string, marks forwardMarks) error {
	c := &g.cfg.Settings
	if err := c.Switchboard.Keep(ctx, keeper(), c.Forward, ext, ""); err != nil {
		return err
	}
	return g.keepMarks(ctx, ext, marks.endings())
}

// keepMarks writes the marks of an extension; none takes out what is there.
func (g *Gate) keepMarks(ctx context.Context, ext string, marks forwardMarks) error {
	return g.cfg.Settings.Switchboard.Keep(ctx, keeper(), g.cfg.Settings.marks(), ext, marks.String())
}

// circle refuses a number from which calls would come back to the employee: one of a colleague's whose own go on to him, at once or by others. It looks at
// what the AstDB has, whoever has set that, and takes every number that the policy knows for its owner's telephone.
func (g *Gate) circle(ctx context.Context, set *policy.Set, target policy.Ref, number string) *Problem {
	c := &g.cfg.Settings
	stranger := func(string) (clients.Client, clients.Answer) { return clients.Client{}, clients.Stranger }
	seen := map[policy.Ref]bool{}
	for next := []string{number}; len(next) > 0; next = next[1:] {
		who := g.destination(set, next[0], stranger).Employee
		if who == target {
			return &Problem{Kind: Conflict, Code: "forward_circle", Text: "Calls that are forwarded to that number come back to the employee, so nobody would get them. End the other forwarding first, or give another number."}
		}
		if who.IsZero() || seen[who] {
			continue
		}
		seen[who] = true
		for _, ext := range extensions(set, who) {
			to, err := c.Switchboard.Lookup(ctx, c.Forward, ext)
			if err != nil {
				return AsProblem(notSet(err))
			}
			if to != "" {
				next = append(next, to)
			}
		}
	}
	return nil
}
