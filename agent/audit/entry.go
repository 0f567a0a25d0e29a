package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Phase says at what point of an act an entry was written. Entries of one act share its id.
type Phase string

// The phases. There is none for the zero value; an entry without a phase is refused.
const (
	Decided   Phase = "decided"   // the gate has allowed or denied; for an allowed act this stands in the log before anything is done
	Done      Phase = "done"      // the PBX has carried it out
	Failed    Phase = "failed"    // it was allowed and could not be carried out
	Revoked   Phase = "revoked"   // it ran and was ended because its ground was gone
	Ended     Phase = "ended"     // it ran and ended by itself or by the subject's wish
	Disclosed Phase = "disclosed" // something kept (a recording) was handed out
	Witnessed Phase = "witnessed" // somebody else than the gate has begun it on the PBX, and it was seen; its end is Revoked when Earshot ended it, else Ended
	Recovered Phase = "recovered" // written by the log itself, or by the gate about it: what happened to it is in Detail
)

// Outcome is what was decided. The zero value says nothing and permits nothing.
type Outcome string

// The outcomes.
const (
	Allow Outcome = "allow"
	Deny  Outcome = "deny"
)

// What stands in Detail with [Recovered]: the codes that the log itself writes there, and what the gate does.
const (
	DetailTornTail    = "torn_tail"          // an unfinished end was found when the log was opened, and moved to a file beside it
	DetailWriteFailed = "write_failed"       // Append failed for a while before this entry
	DetailRefused     = "refused:"           // begins the gate's: behind it is how many entries could not be written and never will be, since what they tell of was refused
	DetailLost        = "lost:"              // begins the gate's: behind it is how many entries could not be written and never will be, though what they tell of has happened
	DetailStarted     = "started"            // Earshot was started, and the one before had stopped with everything on record
	DetailUnclosed    = "started:not_closed" // Earshot was started, and the record does not say so: what had happened and was not written yet is missing
	DetailStopped     = "stopped"            // Earshot stopped, and everything is on record
)

// What stands in Detail with the end of an act that an Earshot before has left, where more is to be said than that it is over.
const (
	DetailRang          = "rang"           // with Failed: whose phone rang had not answered, so it is certain that nothing was carried out
	DetailChangeUnknown = "change_unknown" // a change of it had been allowed, and nobody knows whether that came into force
)

// What stands in Reason with the end of an act that an Earshot before has left.
const (
	ReasonRestarted = "earshot_restarted" // it was found after a restart, which is the time of the entry; when and why it ended nobody knows
	ReasonUnknown   = "outcome_unknown"   // with Failed: nor whether what was allowed was carried out
)

// Rule is the place in the policy that decided. The zero value means that no single rule did.
type Rule struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

// Entry is one line of the log.
//
// Codes (ID, Credential, Action, Mode, Reason, Door, Detail) are made of ASCII letters, digits and "_ - . : + /", Reason and Detail
// beginning with a letter so that no telephone number fits in them. Subject, Targets and Employees are ids as in the policy.
type Entry struct {
	Seq        uint64    `json:"seq,omitzero"`         // number in the chain, from 1; set by Append
	Time       time.Time `json:"time,omitzero"`        // UTC; set by Append
	ID         string    `json:"id"`                   // the act's id; required
	Phase      Phase     `json:"phase"`                // required
	Subject    string    `json:"subject,omitempty"`    // the employee who asked; empty when unknown
	Credential string    `json:"credential,omitempty"` // by what he proved himself (auth.Subject.Credential)
	Action     string    `json:"action"`               // required
	Targets    []string  `json:"targets,omitempty"`    // about whom or what
	Employees  []string  `json:"employees,omitempty"`  // all employees on the call
	Mode       string    `json:"mode,omitempty"`
	Outcome    Outcome   `json:"outcome,omitempty"` // required with Decided
	Reason     string    `json:"reason,omitempty"`
	Rule       Rule      `json:"rule,omitzero"`
	Given      string    `json:"given_reason,omitempty"` // why the subject says that he asks, in his own words
	Generation uint64    `json:"generation,omitzero"`    // of the policy in force
	Door       string    `json:"door,omitempty"`
	Detail     string    `json:"detail,omitempty"`
	Happened   time.Time `json:"happened,omitzero"` // when, of what could not be written then and was later; otherwise it is Time
	Seconds    float64   `json:"seconds,omitempty"` // how long it lasted, at the end of what was Witnessed
	Prev       string    `json:"prev,omitempty"`    // hash of the line before, 64 hex digits; set by Append
	Hash       string    `json:"hash,omitempty"`    // hash of this line; set by Append
}

const (
	maxCode = 128      // bytes of one code or id
	maxBody = 15 << 10 // bytes of an entry's JSON before it is chained; with the chain's fields a line stays under maxLine
	maxLine = 16 << 10 // bytes of a line with its newline
)

// ErrInvalid is returned for an entry that may not stand in the log. The error says which field, never what is in it.
var ErrInvalid = errors.New("invalid entry")

// At is when what the entry tells happened. What could not be written then was written later, at Time.
func (e *Entry) At() time.Time {
	if e.Happened.IsZero() {
		return e.Time
	}
	return e.Happened
}

// encode checks e and returns its JSON without the fields that the chain adds.
func (e Entry) encode() ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	e.Seq, e.Time, e.Prev, e.Hash = 0, time.Time{}, "", ""
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrInvalid, maxBody)
	}
	return body, nil
}

func (e *Entry) check() error {
	switch e.Phase {
	case Decided:
		if e.Outcome == "" {
			return fmt.Errorf("%w: decided without an outcome", ErrInvalid)
		}
	case Done, Failed, Revoked, Ended, Disclosed, Witnessed, Recovered:
	default:
		return fmt.Errorf("%w: unknown phase", ErrInvalid)
	}
	switch e.Outcome {
	case "", Allow, Deny:
	default:
		return fmt.Errorf("%w: unknown outcome", ErrInvalid)
	}
	if e.Seconds < 0 || math.IsNaN(e.Seconds) || math.IsInf(e.Seconds, 0) {
		return fmt.Errorf("%w: seconds is no length of time", ErrInvalid)
	}
	if e.ID == "" || e.Action == "" {
		return fmt.Errorf("%w: id and action are required", ErrInvalid)
	}
	for _, f := range [...]struct{ name, value string }{
		{"id", e.ID}, {"credential", e.Credential}, {"action", e.Action}, {"mode", e.Mode}, {"reason", e.Reason},
		{"door", e.Door}, {"detail", e.Detail},
	} {
		if !isCode(f.value) {
			return fmt.Errorf("%w: %s is not a code", ErrInvalid, f.name)
		}
	}
	for _, f := range [...]struct{ name, value string }{{"reason", e.Reason}, {"detail", e.Detail}} {
		if f.value != "" && !isLetter(f.value[0]) {
			return fmt.Errorf("%w: %s does not begin with a letter", ErrInvalid, f.name)
		}
	}
	if !IsReason(e.Given) {
		return fmt.Errorf("%w: given_reason is no line of text", ErrInvalid)
	}
	if !isName(e.Subject) {
		return fmt.Errorf("%w: subject is not an id", ErrInvalid)
	}
	if len(e.Rule.File) > 4096 || !utf8.ValidString(e.Rule.File) || e.Rule.Line < 0 {
		return fmt.Errorf("%w: rule is not a place", ErrInvalid)
	}
	for _, id := range e.Targets {
		if id == "" || !isName(id) {
			return fmt.Errorf("%w: a target is not an id", ErrInvalid)
		}
	}
	for _, id := range e.Employees {
		if id == "" || !isName(id) {
			return fmt.Errorf("%w: an employee is not an id", ErrInvalid)
		}
	}
	return nil
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// isCode reports whether s is empty or a code.
func isCode(s string) bool {
	if len(s) > maxCode {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !isLetter(c) && (c < '0' || c > '9') && strings.IndexByte("_-.:+/", c) < 0 {
			return false
		}
	}
	return true
}

// IsCode reports whether s can stand where a code does, if it is not empty. In Reason and Detail it has to begin with a letter too.
func IsCode(s string) bool { return isCode(s) }

// MaxReason is how many characters a reason that somebody gives may have, of whatever script.
const MaxReason = 500

// IsReason reports whether s can be recorded as the reason that somebody gives: one line of at most MaxReason characters. It may be empty.
func IsReason(s string) bool {
	return len(s) <= MaxReason*utf8.UTFMax && utf8.RuneCountInString(s) <= MaxReason && isPrintable(s)
}

// isName reports whether s is empty or can be an id of the policy: printable, in valid UTF-8, of bounded length.
func isName(s string) bool { return len(s) <= maxCode && isPrintable(s) }

func isPrintable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
