package policy

import "slices"

// An Action is what a subject asks to do. The zero value is no action and is always refused.
type Action uint8

// The actions on a live call, that is on its employee. Spy, whisper and barge mean what Asterisk's ChanSpy application means by them.
const (
	// Observe is to see with whom the target talks.
	Observe Action = iota + 1
	// Spy is to hear both sides of the target's call.
	Spy
	// Whisper is to hear both sides and to speak to the target alone.
	Whisper
	// Barge is to hear both sides and to speak to both.
	Barge
	// Intercept is to take a call that rings at the target.
	Intercept
	// ObserveKind is to see of which kind the other side of the target's call is: external, internal or a queue. Whoever may
	// observe may do this too; the other way round it does not follow, so Observe alone never shows a peer to somebody who may
	// see the kind only.
	ObserveKind
	// Dial is to call a number. It is about a number and not about a target: DecideDial decides it, and Decide refuses it.
	Dial
)

// The actions on what was said: on a call that is over, or on its recording, and so on all employees who were on it.
const (
	// Play is to hear a recording.
	Play Action = iota + Dial + 1
	// Download is to have a recording as a file.
	Download
	// Delete is to delete a recording for good.
	Delete
	// Record is to start, pause and stop the recording of a running call.
	Record
	// Journal is to see a call in the history of calls.
	Journal
	// Grade is to grade a call. Who may not see it in the journal may not.
	Grade
)

// The actions on an employee, whatever he talks.
const (
	// Statistics is to see how many calls the target had, and how long.
	Statistics Action = iota + Grade + 1
	// SettingsUser is to change the target's forwarding, do-not-disturb and pauses.
	SettingsUser
	// Unnoticed is to supervise the target without his being told, though a rule wants him told: see Notice.
	Unnoticed
)

// The actions without a target: who may do one may do it, and that is all.
const (
	// Lock is to lock the call that one is on oneself against supervision.
	Lock Action = iota + Unnoticed + 1
	// SettingsTelephony is to change how the telephony works.
	SettingsTelephony
	// SettingsNumbers is to change numbers and which lines they lead to.
	SettingsNumbers
	// SettingsPermissions is to change this policy.
	SettingsPermissions
)

// The actions on a line, which is a queue that customers call, or on one conversation of it.
const (
	// LineView is to see the line among the others.
	LineView Action = iota + SettingsPermissions + 1
	// LineConnect is to connect channels with the line. LineView and LineConnect are each a condition of the other, and both of LineChange.
	LineConnect
	// LineChange is to change the line and who works on it.
	LineChange
	// LineStatistics is to see the line's figures.
	LineStatistics
	// LineHistory is to see its past conversations.
	LineHistory
	// LineJoin is to join a conversation that goes on.
	LineJoin
	// LineGrade is to grade a conversation. LineHistory is a condition of it.
	LineGrade
	// LineReplies is to use the line's quick replies.
	LineReplies

	actionEnd
)

var actionNames = [actionEnd]string{
	Observe: "observe", Spy: "spy", Whisper: "whisper", Barge: "barge", Intercept: "intercept", ObserveKind: "observe.kind", Dial: "dial",
	Play: "play", Download: "download", Delete: "delete", Record: "record", Journal: "journal", Grade: "grade",
	Statistics: "statistics", SettingsUser: "settings.user", Unnoticed: "unnoticed",
	Lock: "lock", SettingsTelephony: "settings.telephony", SettingsNumbers: "settings.numbers", SettingsPermissions: "settings.permissions",
	LineView: "line.view", LineConnect: "line.connect", LineChange: "line.change", LineStatistics: "line.statistics",
	LineHistory: "line.history", LineJoin: "line.join", LineGrade: "line.grade", LineReplies: "line.replies",
}

// Actions returns every action, in a fixed order, in a slice of the caller's own.
func Actions() []Action {
	all := []Action{Observe, ObserveKind}
	for a := Spy; a < actionEnd; a++ {
		if a != ObserveKind {
			all = append(all, a)
		}
	}
	return all
}

// ParseAction returns the action of that name, as String gives it.
func ParseAction(name string) (Action, bool) {
	i := slices.Index(actionNames[:], name)
	if i <= 0 {
		return 0, false
	}
	return Action(i), true
}

// String returns the name of the action, which is a key of the policy file but for observe.kind; or "unknown".
func (a Action) String() string {
	if a == 0 || a >= actionEnd {
		return "unknown"
	}
	return actionNames[a]
}

// A Matter is what an action is done to, which says which fields of a Request it needs. The zero Matter is no action's.
type Matter uint8

const (
	// MatterCall is an employee's live call: Request.Target, and With for the others on it.
	MatterCall Matter = iota + 1
	// MatterNumber is a number: a Destination, which DecideDial takes.
	MatterNumber
	// MatterPast is a call with what is kept of it: Request.Target and With are the employees who were on it, in any order.
	MatterPast
	// MatterEmployee is an employee: Request.Target.
	MatterEmployee
	// MatterNothing has no target.
	MatterNothing
	// MatterLine is a line, Request.Line. With line.statistics, history, join and grade it may be one conversation of it: Target and With are the
	// employees who have a part in it.
	MatterLine
)

// Matter returns what the action is done to.
func (a Action) Matter() Matter {
	switch {
	case a == 0 || a >= actionEnd:
		return 0
	case a < Dial:
		return MatterCall
	case a == Dial:
		return MatterNumber
	case a <= Grade:
		return MatterPast
	case a <= Unnoticed:
		return MatterEmployee
	case a <= SettingsPermissions:
		return MatterNothing
	}
	return MatterLine
}

// Conversation reports whether an action on a line may be about one conversation of it, or what one employee does there. The others are about the
// whole line, and nobody can make it his own by naming himself.
func (a Action) Conversation() bool {
	return setOf(LineStatistics, LineHistory, LineJoin, LineGrade).has(a)
}

// Supervises reports whether the action puts the subject into a running call: spy, whisper and barge do.
func (a Action) Supervises() bool { return a == Spy || a == Whisper || a == Barge }

// hears reports whether nobody may do the action to somebody who is protected: it lets hear, take or record him.
func (a Action) hears() bool {
	return setOf(Spy, Whisper, Barge, Intercept, Play, Download, Record, LineJoin).has(a)
}

// sees reports whether the action shows something of a call and does nothing to it.
func (a Action) sees() bool { return a == Observe || a == ObserveKind }

// conditions are the actions that one must be allowed to do beside this one. Each is asked without conditions of its own.
func (a Action) conditions() actionSet {
	switch a { //nolint:exhaustive // the others have none
	case Grade:
		return setOf(Journal)
	case LineGrade:
		return setOf(LineHistory)
	case LineView:
		return setOf(LineConnect)
	case LineConnect:
		return setOf(LineView)
	case LineChange:
		return setOf(LineView, LineConnect)
	}
	return 0
}

// actionSet has one bit for each action.
type actionSet uint32

func setOf(actions ...Action) actionSet {
	var s actionSet
	for _, a := range actions {
		s |= 1 << a
	}
	return s
}

func (s actionSet) has(a Action) bool { return s&(1<<a) != 0 }
