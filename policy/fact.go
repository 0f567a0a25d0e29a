package policy

// Facts says what a request of an action takes notice of, one bit for each. What is not among them changes no answer.
type Facts uint16

// The fields of a Request, and for dial those of a Destination.
const (
	// FactTarget is Request.Target, and for dial Destination.Number. Of a line's actions those take it that may be about one conversation.
	FactTarget Facts = 1 << iota
	// FactWith is Request.With.
	FactWith
	// FactLine is Request.Line.
	FactLine
	// FactResponsible is Responsible of either.
	FactResponsible
	// FactAccess is Access of either.
	FactAccess
	// FactParty is Request.Party.
	FactParty
	// FactLocked is Request.Locked.
	FactLocked
	// FactUnknownPhone is Request.UnknownPhone.
	FactUnknownPhone
	// FactProtectedNumber is Request.ProtectedNumber.
	FactProtectedNumber
	// FactReason is Request.ReasonGiven.
	FactReason
)

// Has reports whether all of the facts are among them.
func (f Facts) Has(some Facts) bool { return f&some == some }

// takings are the facts that are more than those of an action's Matter.
var takings = [...]struct {
	facts   Facts
	actions actionSet
}{
	{FactTarget | FactWith, setOf(LineStatistics, LineHistory, LineJoin, LineGrade)},
	{FactResponsible, setOf(Intercept, Dial, LineHistory, LineJoin)},
	{FactAccess, setOf(Dial, LineHistory, LineJoin)},
	{FactParty, setOf(Observe, ObserveKind, Spy, Whisper, Barge)},
	{FactLocked | FactUnknownPhone, setOf(Spy, Whisper, Barge)},
	{FactProtectedNumber, setOf(Observe, Spy, Whisper, Barge, Play, Download, Record, Journal, LineHistory, LineJoin)},
	{FactReason, reasonable},
}

// Takes returns what the answer to a request of the action may depend on, through its conditions too. To state anything else, in a test or on
// a command line, is a mistake of somebody who believes that it matters.
func (a Action) Takes() Facts {
	var f Facts
	switch a.Matter() {
	case MatterCall, MatterPast:
		f = FactTarget | FactWith
	case MatterNumber, MatterEmployee:
		f = FactTarget
	case MatterLine:
		f = FactLine
	case MatterNothing:
	}
	for _, t := range takings {
		if t.actions&(setOf(a)|a.conditions()) != 0 {
			f |= t.facts
		}
	}
	return f
}
