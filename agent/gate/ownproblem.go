package gate

import (
	"errors"

	"github.com/earshot-pbx/earshot/agent/pbx"
)

func badSide() *Problem {
	return &Problem{Kind: Invalid, Code: "bad_side", Text: "side is one of own, other, both."}
}

func badDirection() *Problem {
	return &Problem{Kind: Invalid, Code: "bad_direction", Text: "direction is one of in, out, all."}
}

func badDigits() *Problem {
	return &Problem{Kind: Invalid, Code: "bad_digits", Text: "digits are 1 to 20 of 0 to 9, A to D, * and #."}
}

func notDoable() *Problem {
	return &Problem{Kind: Conflict, Code: "not_on_such_call", Text: "That cannot be done with this call as it is: it has to be answered and, but for redirecting or muting your own phone, with one other side."}
}

func notTwoCalls() *Problem {
	return &Problem{Kind: Invalid, Code: "not_two_calls", Text: "Name two different calls of your own."}
}

func transferring() *Problem {
	return &Problem{Kind: Conflict, Code: "transferring", Text: "That call is being transferred, with a question before it; hang up, or give the transfer up first."}
}

func noTransfer() *Problem {
	return &Problem{Kind: Conflict, Code: "no_transfer", Text: "You are making no attended transfer of that call."}
}

// undone says why the PBX has not done something with a call of one's own.
func undone(id string, cause error) *Problem {
	switch {
	case errors.Is(cause, pbx.ErrGone):
		return callMoved(id)
	case errors.Is(cause, pbx.ErrNoRight):
		return &Problem{Kind: Conflict, Code: "no_ami_right", ID: id, cause: cause, Text: "Earshot's account at the PBX may not do that; the administrator has to give it the write classes that `earshot setup asterisk` prints."}
	case errors.Is(cause, pbx.ErrNoExtension):
		return &Problem{Kind: Conflict, Code: "number_leads_nowhere", ID: id, Text: "The PBX's dialplan has no such number, so nothing was done."}
	case errors.Is(cause, pbx.ErrNoInclude):
		return &Problem{Kind: Conflict, Code: reasonNoInclude, ID: id, Text: "The PBX's dialplan has no place for attended transfers; the administrator has to install what `earshot setup asterisk` prints."}
	}
	return notCalled(id, cause)
}
