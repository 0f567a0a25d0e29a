package decisiontest

import (
	"strings"

	"github.com/earshot-pbx/earshot/policy"
)

var (
	fileKeys = []string{"version", "policy", "at", "tests"}
	testKeys = []string{
		"name", "who", "may", "may_not", "to", "line", "with", "client_of", "client", "access", "party", "locked", "unknown_phone",
		"protected_number", "reason", "at", "because", "by",
	}
)

// fit is to which actions a key belongs: to those that take the fact.
type fit struct {
	fact policy.Facts
	only policy.Action // to this one alone, or zero
	hint string
}

func (f fit) has(a policy.Action) bool { return a.Takes().Has(f.fact) && (f.only == 0 || f.only == a) }

// fits has the keys that mean something for certain actions only. A key that a request of that action takes no notice of is a mistake: whoever
// wrote it believes that it matters.
var fits = map[string]fit{
	"to":               {fact: policy.FactTarget, hint: "it is about nobody else"},
	"line":             {fact: policy.FactLine, hint: "it is for the actions that begin with line"},
	"with":             {fact: policy.FactWith, hint: "it is for live calls, what is kept of calls, and conversations of a line"},
	"client":           {fact: policy.FactResponsible, only: policy.Dial, hint: "it is for dial"},
	"client_of":        {fact: policy.FactResponsible, hint: forActions(policy.FactResponsible)},
	"access":           {fact: policy.FactAccess, hint: forActions(policy.FactAccess)},
	"party":            {fact: policy.FactParty, hint: forActions(policy.FactParty)},
	"locked":           {fact: policy.FactLocked, hint: forActions(policy.FactLocked)},
	"unknown_phone":    {fact: policy.FactUnknownPhone, hint: forActions(policy.FactUnknownPhone)},
	"protected_number": {fact: policy.FactProtectedNumber, hint: forActions(policy.FactProtectedNumber)},
	"reason":           {fact: policy.FactReason, hint: forActions(policy.FactReason)},
}

func forActions(fact policy.Facts) string {
	all := names(func(a policy.Action) bool { return a.Takes().Has(fact) })
	return "it is for " + strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}

// needs returns the keys without which a request of the action is about nothing.
func needs(a policy.Action) []string {
	switch m := a.Matter(); {
	case m == policy.MatterLine:
		return []string{"line"}
	case m == policy.MatterNothing:
		return nil
	}
	return []string{"to"}
}

// reasons are all codes, in the order of their numbers.
func reasons() []policy.Reason {
	var all []policy.Reason
	for r := policy.ReasonNoPolicy; r.String() != policy.Reason(255).String(); r++ {
		all = append(all, r)
	}
	return all
}

// codes are the codes of all reasons.
func codes() []string {
	var all []string
	for _, r := range reasons() {
		all = append(all, r.String())
	}
	return all
}

// names are those of the actions for which is holds.
func names(is func(policy.Action) bool) []string {
	var all []string
	for _, a := range policy.Actions() {
		if is(a) {
			all = append(all, a.String())
		}
	}
	return all
}

// wholeLine are the keys that mean nothing for a whole line, though they do for a conversation of it.
var wholeLine = []string{"with", "protected_number"}

// verb is the key under which stands what is allowed, or what is refused.
func verb(allowed bool) string {
	if allowed {
		return "may"
	}
	return "may_not"
}

// allows reports whether the reason is one on which something is allowed.
func allows(r policy.Reason) bool { return r == policy.ReasonAllowed || r == policy.ReasonEmergency }
