package policy

import "slices"

// A Mark says in a [Row] how the subject may do the action to one target. The zero Mark is that he may not.
type Mark uint8

// The marks. Each is about the subject and the target alone: whoever else is on a call may still bar it, and so may a protected number.
const (
	// MarkNo: he may not.
	MarkNo Mark = iota
	// MarkNotNow: what grants it holds at other times; Decide refuses it as ReasonNotNow.
	MarkNotNow
	// MarkKind, of Observe: he sees of which kind the other side of the target's calls is, and not who.
	MarkKind
	// MarkOwnClients, of Intercept: only where the caller is his own client.
	MarkOwnClients
	// MarkReason: only if he gives a reason.
	MarkReason
	// MarkYes: he may.
	MarkYes

	markEnd
)

var markNames = [markEnd]string{
	MarkNo: "no", MarkNotNow: "not-now", MarkKind: "kind", MarkOwnClients: "own-clients", MarkReason: "reason", MarkYes: "yes",
}

// Marks returns every mark that says something is allowed, in whatever way or at whatever time, the widest first; in a slice of the
// caller's own.
func Marks() []Mark {
	all := make([]Mark, 0, markEnd)
	for m := MarkYes; m > MarkNo; m-- {
		all = append(all, m)
	}
	return all
}

// ParseMark returns the mark of that name, as String gives it.
func ParseMark(name string) (Mark, bool) {
	i := slices.Index(markNames[:], name)
	return Mark(max(i, 0)), i >= 0
}

// String returns yes, reason, own-clients, kind, not-now or no.
func (m Mark) String() string {
	if m >= markEnd {
		return "unknown"
	}
	return markNames[m]
}
