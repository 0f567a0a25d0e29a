package policy

// A Reason is the code of the ground on which a request was decided. The zero value means that no policy decided it.
type Reason uint8

// The reasons. Those that end in Other, and ReasonProtectedNumber and ReasonUnknownPhone, come from somebody else on the
// call, whom the subject may not know to be there: see Decision.Pairwise.
const (
	// ReasonNoPolicy: there is no policy, so nothing is allowed.
	ReasonNoPolicy Reason = iota
	// ReasonAllowed: a rule grants it and none excludes it, or the call is the subject's own to observe.
	ReasonAllowed
	// ReasonNoRight: no rule grants the action on this target.
	ReasonNoRight
	// ReasonNotClient: the subject may intercept his own clients' calls, and this is not known to be one; or he may dial clients,
	// and the number is not known to be one's.
	ReasonNotClient
	// ReasonSelf: nobody supervises himself or intercepts his own call.
	ReasonSelf
	// ReasonParty: the subject is himself on the call.
	ReasonParty
	// ReasonExcluded: a rule that binds the subject excludes the target.
	ReasonExcluded
	// ReasonProtected: the target is protected from everybody.
	ReasonProtected
	// ReasonExcludedOther: a rule that binds the subject excludes another employee within earshot.
	ReasonExcludedOther
	// ReasonProtectedOther: another employee within earshot is protected from everybody.
	ReasonProtectedOther
	// ReasonProtectedNumber: a protected number is on the call.
	ReasonProtectedNumber
	// ReasonUnknownPhone: an endpoint on the call is neither a phone nor a trunk of the policy.
	ReasonUnknownPhone
	// ReasonUnknownSubject: the subject is no employee of this policy.
	ReasonUnknownSubject
	// ReasonUnknownTarget: the target is no employee of this policy.
	ReasonUnknownTarget
	// ReasonUnknownParty: somebody named in Request.With is no employee of this policy.
	ReasonUnknownParty
	// ReasonUnknownAction: the action is none that the policy knows, or none that is decided about a target, as Dial.
	ReasonUnknownAction
	// ReasonEmergency: the number is one of emergency, which everybody may dial always.
	ReasonEmergency
	// ReasonBadNumber: the number cannot be judged, because it is empty or not normalised; or it is a feature code that no rule
	// names.
	ReasonBadNumber
	// ReasonNotNow: what grants it holds at other times.
	ReasonNotNow
	// ReasonRequired: a reason must be given, and none was.
	ReasonRequired
	// ReasonRequiredOther: a reason must be given because of another employee within earshot, and none was.
	ReasonRequiredOther
	// ReasonCondition: another right is a condition of it, and the subject does not have that on this target.
	ReasonCondition
	// ReasonLocked: the call is locked against supervision.
	ReasonLocked
	// ReasonUnknownLine: the line is none of this policy.
	ReasonUnknownLine

	reasonEnd
)

var reasonCodes = [reasonEnd]string{
	ReasonNoPolicy: "no_policy", ReasonAllowed: "allowed", ReasonNoRight: "no_right", ReasonNotClient: "not_client",
	ReasonSelf: "self", ReasonParty: "party", ReasonExcluded: "excluded", ReasonProtected: "protected",
	ReasonExcludedOther: "excluded_other", ReasonProtectedOther: "protected_other",
	ReasonProtectedNumber: "protected_number", ReasonUnknownPhone: "unknown_phone",
	ReasonUnknownSubject: "unknown_subject", ReasonUnknownTarget: "unknown_target",
	ReasonUnknownParty: "unknown_party", ReasonUnknownAction: "unknown_action",
	ReasonEmergency: "emergency", ReasonBadNumber: "bad_number",
	ReasonNotNow: "not_now", ReasonRequired: "reason_required", ReasonRequiredOther: "reason_required_other",
	ReasonCondition: "condition", ReasonLocked: "locked", ReasonUnknownLine: "unknown_line",
}

// String returns the code, which is fit for a metric label and an audit record and does not change between versions.
func (r Reason) String() string {
	if r >= reasonEnd {
		return "unknown"
	}
	return reasonCodes[r]
}
