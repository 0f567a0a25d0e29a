package decisiontest

import "github.com/earshot-pbx/earshot/policy"

var (
	fileKeys = []string{"version", "policy", "at", "tests"}
	testKeys = []string{
		"name", "who", "may", "may_not", "to", "line", "with", "client_of", "client", "access", "party", "locked", "unknown_phone",
		"protected_number", "reason", "at", "because", "by",
	}
)

// fit is to which actions a key belongs.
type fit struct {
	matters []policy.Matter
	also    policy.Action // one more, or none
	hint    string
}

func (f fit) has(a policy.Action) bool {
	for _, m := range f.matters {
		if a.Matter() == m {
			return true
		}
	}
	return a == f.also
}

// fits has the keys that mean something for certain actions only. A key that a request of that action takes no notice of is a mistake: whoever
// wrote it believes that it matters.
var fits = map[string]fit{
	"to":     {matters: []policy.Matter{policy.MatterCall, policy.MatterNumber, policy.MatterPast, policy.MatterEmployee, policy.MatterLine}, hint: "it is about nobody else"},
	"line":   {matters: []policy.Matter{policy.MatterLine}, hint: "it is for the actions that begin with line"},
	"with":   {matters: []policy.Matter{policy.MatterCall, policy.MatterPast, policy.MatterLine}, hint: "it is for live calls, what is kept of calls, and conversations of a line"},
	"client": {matters: []policy.Matter{policy.MatterNumber}, hint: "it is for dial"},
	"access": {
		matters: []policy.Matter{policy.MatterNumber, policy.MatterLine}, also: policy.Intercept,
		hint: "it is for dial, intercept and the actions that begin with line",
	},
	"client_of": {
		matters: []policy.Matter{policy.MatterNumber, policy.MatterLine}, also: policy.Intercept,
		hint: "it is for dial, intercept and the actions that begin with line",
	},
	"party":         {matters: []policy.Matter{policy.MatterCall}, hint: "it is for live calls"},
	"locked":        {matters: []policy.Matter{policy.MatterCall}, hint: "it is for live calls"},
	"unknown_phone": {matters: []policy.Matter{policy.MatterCall}, hint: "it is for live calls"},
	"protected_number": {
		matters: []policy.Matter{policy.MatterCall, policy.MatterPast, policy.MatterLine},
		hint:    "it is for live calls, what is kept of calls, and conversations of a line",
	},
	"reason": {matters: []policy.Matter{policy.MatterCall, policy.MatterPast}, hint: "it is for live calls and what is kept of calls"},
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
