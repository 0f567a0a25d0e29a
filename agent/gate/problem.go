package gate

import (
	"context"
	"errors"
	"fmt"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// Kind sorts what a door has to answer.
type Kind uint8

// The kinds of problems. The zero value is an internal fault, so that a forgotten kind never reads as success or as a refusal.
const (
	Internal      Kind = iota
	Invalid            // the request makes no sense; say what to do
	Refused            // the policy says no
	NotFound           // does not exist, or is not for this subject: the same answer
	Conflict           // exists, but not in this state
	Unavailable        // cannot be decided, recorded or carried out now
	Outdated           // what was asked rests on something that is not so any more
	Unconditional      // what was asked has to say on what it rests
)

// Problem is why the gate did not do what was asked, in the form a subject may see. What he may not see is in the audit log only.
type Problem struct {
	Kind Kind
	// Code is a fixed word that programs branch on.
	Code string
	// Text is a fixed sentence that says what to do. It holds no name and no number.
	Text string
	// Rule is the ground, file:line, only where it follows from subject and target alone.
	Rule string
	// ID is the audit record's id, for the administrator; empty where nothing was recorded.
	ID string

	cause error
	open  bool
}

// MayBeDone reports whether what was asked may be done all the same: the PBX was told to, and nobody knows what came of it, since it did not answer in
// time. Every other problem is what became of it, however long that took: it was not done, or was taken back, or the code says what else is known.
func (p *Problem) MayBeDone() bool { return p.open }

// outOfTime reports whether something failed because its time was over.
func outOfTime(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// Error gives the code, and the cause for the log.
func (p *Problem) Error() string {
	if p.cause != nil {
		return fmt.Sprintf("%s: %v", p.Code, p.cause)
	}
	return p.Code
}

// Unwrap gives the cause, which is for the log and never for the subject.
func (p *Problem) Unwrap() error { return p.cause }

// AsProblem finds the Problem in err; anything else becomes an internal fault whose text tells nothing.
func AsProblem(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return &Problem{Kind: Internal, Code: "internal", Text: "Something went wrong inside Earshot; the log has it.", cause: err}
}

// The problems that do not come from the policy. Each is one value of code and text, so that answers are uniform.
func noSuchEmployee() *Problem {
	return &Problem{Kind: NotFound, Code: "no_such_employee", Text: "There is no employee of that id. GET /v1/employees lists them."}
}

func noSuchCall() *Problem {
	return &Problem{Kind: NotFound, Code: "no_such_call", Text: "There is no such call on that employee. Take the call's id from his row on the board."}
}

func noSuchLine() *Problem {
	return &Problem{Kind: NotFound, Code: "no_such_line", Text: "There is no such line. GET /v1/lines lists those that you may view."}
}

func notOnLine() *Problem {
	return &Problem{Kind: Conflict, Code: "not_on_line", Text: "That employee has no conversation of this line now."}
}

func notAway() *Problem {
	return &Problem{Kind: Conflict, Code: "not_away", Text: "That colleague is not away: his phone does not ring, he has nobody on hold, and he is not paused on the line. Join the conversation instead."}
}

func notQueued() *Problem {
	return &Problem{Kind: NotFound, Code: "no_such_member", Text: "That employee is not in the line's queue."}
}

func noMemberPhone() *Problem {
	return &Problem{Kind: Conflict, Code: "no_phone", Text: "The policy gives that employee no phone at which a line could ring."}
}

func fixedMember() *Problem {
	return &Problem{Kind: Conflict, Code: "fixed_member", Text: "That member stands in the PBX's configuration, so he cannot be removed here; pause him, or take him out of queues.conf."}
}

func badPenalty() *Problem {
	return &Problem{Kind: Invalid, Code: "bad_penalty", Text: "penalty is a whole number from 0 to 1000."}
}

func lineUnknown() *Problem {
	return &Problem{Kind: Unavailable, Code: "line_unknown", Text: "Asterisk does not tell of its queues just now; try again shortly."}
}

func noQueue() *Problem {
	return &Problem{Kind: Conflict, Code: "no_queue", Text: "The PBX has no such queue as the policy says that this line is; the administrator has to mend one of the two. earshot doctor says which."}
}

func noSuchSupervision() *Problem {
	return &Problem{Kind: NotFound, Code: "no_such_supervision", Text: "There is no such supervision of yours."}
}

func noSuchJoin() *Problem {
	return &Problem{Kind: NotFound, Code: "no_such_join", Text: "There is no such joining or take-over of yours on this line; a conversation that has been left to you, or that you have taken over, is an ordinary call."}
}

func noSuchLock() *Problem {
	return &Problem{Kind: NotFound, Code: "no_such_lock", Text: "There is no such lock of yours; it ends with the call."}
}

func notOnCall() *Problem {
	return &Problem{Kind: Conflict, Code: "not_on_call", Text: "You are on no call that could be locked: one that you talk on, dial, or hold."}
}

func whichOwnCall() *Problem {
	return &Problem{Kind: Conflict, Code: "several_calls", Text: "You are on several calls; name one by its id in call, from your own row."}
}

// NotYourPhone is the code of the refusal of a phone that is not the subject's, or of a leg on which it is not he who asks.
const NotYourPhone = "not_your_phone"

func notYourPhone() *Problem {
	return &Problem{Kind: Invalid, Code: NotYourPhone, Text: "That is not one of your phones. GET /v1/me lists them; leave phone out for the first."}
}

func noPhone() *Problem {
	return &Problem{Kind: Invalid, Code: "no_phone", Text: "The policy gives you no phone that Earshot could ring."}
}

func notTalking() *Problem {
	return &Problem{Kind: Conflict, Code: "not_talking", Text: "That employee is on no call that is up."}
}

func notRinging() *Problem {
	return &Problem{Kind: Conflict, Code: "not_ringing", Text: "No incoming call rings at that employee."}
}

func whichCall() *Problem {
	return &Problem{Kind: Conflict, Code: "several_calls", Text: "That employee has several such calls; name one by its id in call."}
}

func alreadySupervising() *Problem {
	return &Problem{Kind: Conflict, Code: "already_supervising", Text: "You supervise already; end that supervision first."}
}

func beingTaken() *Problem {
	return &Problem{Kind: Conflict, Code: "already_taken", Text: "Somebody is taking that call already."}
}

func noSuchOffer() *Problem {
	return &Problem{Kind: NotFound, Code: "no_such_call", Text: "No such call is offered to you: it has been answered or taken, the caller has hung up, or there was none. The banner's target and call, or its call alone, say which is."}
}

func noInclude(id string) *Problem {
	return &Problem{Kind: Conflict, Code: reasonNoInclude, ID: id, Text: reasonTexts[reasonNoInclude]}
}

func pbxFailed(cause error) *Problem {
	return &Problem{Kind: Unavailable, Code: "pbx_failed", Text: "The PBX did not carry it out, and the mode is as it was; the log says why.", cause: cause}
}

func credentialEnded() *Problem {
	return &Problem{Kind: Refused, Code: reasonCredential, Text: reasonTexts[reasonCredential]}
}

func noNumber() *Problem {
	return &Problem{Kind: Conflict, Code: "no_number", Text: "The policy has no number of that employee's."}
}

func badNumber(id string) *Problem {
	return &Problem{Kind: Invalid, Code: "bad_number", ID: id, Text: "That is no number that may be dialled: give digits, with a plus before a country code; feature codes are not dialled this way."}
}

func clientUnknown(id string) *Problem {
	return &Problem{Kind: Unavailable, Code: "client_unknown", ID: id, Text: "You may call clients, and the directory of clients does not answer whether this is one; try again shortly."}
}

func notCalled(id string, cause error) *Problem {
	return &Problem{Kind: Unavailable, Code: reasonPBX, ID: id, Text: reasonTexts[reasonPBX], cause: cause, open: outOfTime(cause)}
}

func phoneUnreachable(id string, cause error) *Problem {
	return &Problem{Kind: Conflict, Code: reasonUnreachable, ID: id, Text: reasonTexts[reasonUnreachable], cause: cause}
}

func unknownMode() *Problem {
	return &Problem{Kind: Invalid, Code: "unknown_mode", Text: "mode is one of spy, whisper, barge."}
}

func badReason() *Problem {
	return &Problem{Kind: Invalid, Code: "bad_reason", Text: fmt.Sprintf("reason is one line of text, at most %d characters.", audit.MaxReason)}
}

func notActive() *Problem {
	return &Problem{Kind: Conflict, Code: "not_active", Text: "The supervision's phone is still ringing; its mode can be changed once it is active."}
}

func changing() *Problem {
	return &Problem{Kind: Conflict, Code: "changing_mode", Text: "The supervision is changing its mode just now; ask again when it has."}
}

func callMoved(id string) *Problem {
	return &Problem{Kind: Conflict, Code: "call_moved", ID: id, Text: "The call changed while it was decided; look at the board and ask again."}
}

func stateUnknown() *Problem {
	return &Problem{Kind: Unavailable, Code: "state_unknown", Text: "Earshot has no connection to the PBX, so nothing can be decided; try again shortly."}
}

func notRecorded(cause error) *Problem {
	return &Problem{Kind: Unavailable, Code: "not_recorded", Text: "The audit record could not be written, so nothing was done.", cause: cause}
}

// notForThisCall is every refusal that rests on a party whom the subject may not see: always the same, without rule or phrase of its own.
func notForThisCall(id string) *Problem {
	return &Problem{Kind: Refused, Code: "not_for_this_call", Text: "Not for this call.", ID: id}
}
