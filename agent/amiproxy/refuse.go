package amiproxy

import (
	"errors"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// fault is an action that makes no sense. Its words are fixed sentences for the client; the others are Asterisk's.
type fault string

// Error gives the words.
func (f fault) Error() string { return string(f) }

const (
	faultHeader     fault = "A header of this action is not taken here."
	faultNoChannel  fault = "No such channel"
	faultUnsaid     fault = "No channel specified"
	faultNotOwn     fault = "That is not a leg of yours"
	faultNoLeg      fault = "That channel is of no one employee's call"
	faultTooOften   fault = "Too many commands; wait a little."
	faultTooMany    fault = "Too many actions; wait a little."
	faultUnknownPBX fault = "Earshot does not know the state of the PBX now; ask again in a moment."
)

// How the record calls what the door refuses by itself. Every other fault is codeInvalid.
const (
	codeInvalid   = "bad_action"
	codeForbidden = "action_not_permitted"
	codeUnknown   = "action_unknown"
	codeMalformed = "action_not_readable"
	codeUnnamed   = "nobody_named"
	codeNotYours  = "employee_not_yours"
)

var faultCodes = map[fault]string{
	faultHeader: "header_not_taken", faultNoChannel: "no_such_channel", faultNotOwn: "not_your_leg", faultTooOften: "too_many_commands",
	faultOptions: "option_not_taken", faultApplication: "application_not_started", faultVariable: "variable_not_taken", faultNotAlone: "employee_not_alone", faultCommand: "command_after_recording",
}

// refuse answers an error in words that are fixed for what it is, has the record say so, and names it for the metrics.
func (x *exchange) refuse(row *action, err error) (outcome string) {
	var f fault
	switch {
	case x.session.Err() != nil: // nobody hears the answer
		return outcomeGone
	case errors.Is(err, faultTooOften):
		outcome = outcomeLimited
	case errors.As(err, &f):
		outcome = outcomeInvalid
	case errors.Is(err, errUnnamed), errors.Is(err, errNotYours):
		outcome = outcomeRefused
	default:
		return x.refusedByGate(row, gate.AsProblem(err))
	}
	if row.kind == command || row.any || outcome == outcomeRefused || f == faultHeader {
		x.note(x.session, x.who, row.name, codeOf(err))
	}
	_ = x.session.Error(x.m, err.Error())
	return outcome
}

// refusedByGate answers what the gate has refused. What it has not recorded, because it was not asked to decide anything, is recorded as the door's.
func (x *exchange) refusedByGate(row *action, p *gate.Problem) (outcome string) {
	switch {
	case p.Kind == gate.Internal:
		x.log.Error().Err(p).Msg("an AMI action met a fault")
	case row.kind == command && p.ID == "" && p.Kind != gate.Unavailable:
		x.note(x.session, x.who, row.name, p.Code)
	}
	words := gateWords[p.Code]
	if words == "" {
		words = p.Text
	}
	_ = x.session.Error(x.m, words)
	return p.Code
}

// gateWords are the texts of this door for what the gate refuses in words that lead to another door.
var gateWords = map[string]string{
	gate.NotYourPhone:   "That is not one of your phones: Channel is a phone of yours, or Local/NUMBER@context with a number of yours.",
	"no_such_employee":  "There is no such employee.",
	"no_such_line":      "There is no such queue for you; QueueSummary has those that you may view.",
	"no_such_recording": "No such recording is being made, or not of a call that you may record.",
	"no_such_call":      "There is no such call; CoreShowChannels has those that you are shown.",
	"several_calls":     "There are several such calls; name one by its channel.",
	"bad_reason":        "Reason is one line of text, at most 80 bytes.",
	"bad_number":        "That is no number that may be dialled: give digits, with a plus before a country code; feature codes are not dialled this way.",
}

// codeOf is what the record calls what the door refuses.
func codeOf(err error) string {
	var f fault
	switch {
	case errors.Is(err, errUnnamed):
		return codeUnnamed
	case errors.Is(err, errNotYours):
		return codeNotYours
	case errors.As(err, &f) && faultCodes[f] != "":
		return faultCodes[f]
	}
	return codeInvalid
}
