package policy

import "slices"

// An Action is what a subject asks to do. The zero value is no action and is always refused.
type Action uint8

// The actions that a policy decides. Spy, whisper and barge mean what Asterisk's ChanSpy application means by them.
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

	actionEnd
)

var actionNames = [actionEnd]string{
	Observe: "observe", Spy: "spy", Whisper: "whisper", Barge: "barge", Intercept: "intercept",
	ObserveKind: "observe.kind", Dial: "dial",
}

// Actions returns every action, in a fixed order, in a slice of the caller's own.
func Actions() []Action { return []Action{Observe, ObserveKind, Spy, Whisper, Barge, Intercept, Dial} }

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
	if !a.valid() {
		return "unknown"
	}
	return actionNames[a]
}

// Supervises reports whether the action puts the subject into a running call: spy, whisper and barge do.
func (a Action) Supervises() bool { return a == Spy || a == Whisper || a == Barge }

// sees reports whether the action shows something of a call and does nothing to it.
func (a Action) sees() bool { return a == Observe || a == ObserveKind }

func (a Action) valid() bool { return a > 0 && a < actionEnd }

// onTarget reports whether the action is done to an employee, so that Decide can decide it.
func (a Action) onTarget() bool { return a > 0 && a < Dial }

// actionSet has one bit for each action.
type actionSet uint16

func setOf(actions ...Action) actionSet {
	var s actionSet
	for _, a := range actions {
		s |= 1 << a
	}
	return s
}

func (s actionSet) has(a Action) bool { return s&(1<<a) != 0 }

// A right is a key of an employee or a role that gives actions.
type right uint8

const (
	rightObserve right = iota
	rightListen
	rightSpy
	rightWhisper
	rightBarge
	rightIntercept
	rightDial
)

// rightNames and rightActions are indexed by right. Listen is short for three rights that can also be given one by one.
var (
	rightNames   = [...]string{"observe", "listen", "spy", "whisper", "barge", "intercept", "dial"}
	rightActions = [...]actionSet{
		rightObserve: setOf(Observe, ObserveKind), rightListen: setOf(Spy, Whisper, Barge), rightSpy: setOf(Spy),
		rightWhisper: setOf(Whisper), rightBarge: setOf(Barge), rightIntercept: setOf(Intercept),
		rightDial: setOf(Dial),
	}
)
