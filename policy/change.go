package policy

import (
	"iter"
	"slices"
	"strings"
	"time"
)

// A ChangeKind says what a [Change] is about. The zero value is none.
type ChangeKind uint8

const (
	// ChangeTargets is what one may do to employees. Of an action on lines it is about conversations with them, on the lines of Change.Lines.
	ChangeTargets ChangeKind = iota + 1
	// ChangeLines is what one may do to whole lines, those of Change.Lines.
	ChangeLines
	// ChangeRight is a right that is about nobody.
	ChangeRight
	// ChangeDial is which numbers one may call; Change.Text says which.
	ChangeDial
	// ChangeOthers is whose presence bars one: MarkNo is that one may not do the action to anybody while they are on the call, MarkReason that one
	// must give a reason, and MarkYes that they stand in nobody's way.
	ChangeOthers
	// ChangeNotice is how those are told whom one may supervise before and after; Change.Text says in which ways. MarkNo is that they are told so,
	// and MarkYes that they are not.
	ChangeNotice
	// ChangeClients is what one may do to conversations on the lines of Change.Lines that no right opens to one, where access to the client does.
	ChangeClients
)

var changeKindNames = [...]string{ChangeTargets: "targets", ChangeLines: "lines", ChangeRight: "right", ChangeDial: "dial", ChangeOthers: "others", ChangeNotice: "notice", ChangeClients: "clients"}

// String returns targets, lines, right, dial, others, notice or clients; "" for none.
func (k ChangeKind) String() string {
	if int(k) >= len(changeKindNames) {
		return ""
	}
	return changeKindNames[k]
}

// A Change is one right that somebody has gained or lost.
type Change struct {
	Kind     ChangeKind
	Action   Action
	From, To Mark      // gained if To is the greater one
	Since    time.Time // from when on; zero for the moment of the comparison
	Lines    []string  // ids
	// Was is the rule on which it was decided before, and Is that on which it is decided now: what granted, or what excluded. No rule is that
	// nothing granted it.
	Was, Is Ground

	text    string
	company *census
	targets bitset
	among   bitset // everybody of the policy that allows more
	self    uint32
}

// A Ground is a rule, and the assignment that brings it when it stands in a role.
type Ground struct{ Rule, Via Rule }

// String returns the rule with the assignment; "" for no rule.
func (g Ground) String() string {
	out := g.Rule.String()
	if via := g.Via.String(); via != "" {
		out += ", by " + via
	}
	return out
}

// Gained reports whether one may do more than before.
func (c *Change) Gained() bool { return c.To > c.From }

// Made returns the rule that made the change, and whether that is one of the new policy: what grants or excludes now, or what did so before
// and does not any more.
func (c *Change) Made() (g Ground, isNew bool) {
	var isLast bool
	switch {
	case c.Gained():
		// Who was excluded is so no more; otherwise it is granted now.
		isLast = c.From == MarkNo && c.Was.Rule.Line != 0 || c.From == MarkReason
	case c.To == MarkNo:
		isLast = c.Is.Rule.Line == 0
	default:
		isLast = c.To != MarkReason
	}
	if isLast && c.Was.Rule.Line != 0 || c.Is.Rule.Line == 0 {
		return c.Was, false
	}
	return c.Is, true
}

// Targets yields the ids of the employees whom it is about.
func (c *Change) Targets() iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range c.targets.places() {
			if !yield(c.company.ids[i]) {
				return
			}
		}
	}
}

// Count returns how many employees it is about.
func (c *Change) Count() int { return c.targets.count() }

// Text says in few words what it is about: employees by the selectors of the language, lines, numbers, or ways of telling.
func (c *Change) Text() string {
	if c.targets == nil {
		if len(c.Lines) > 0 {
			return strings.Join(c.Lines, ", ")
		}
		return c.text
	}
	universe := c.among
	if c.Action.Matter() == MatterCall && !c.targets.has(c.self) {
		universe = slices.Clone(universe)
		universe.remove(c.self)
	}
	out := c.company.text(c.targets, universe, c.self)
	if len(c.Lines) > 0 {
		out = "conversations of " + out + " on " + strings.Join(c.Lines, ", ")
	}
	return out
}
