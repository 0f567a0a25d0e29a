package journal

import (
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// Outcome is how a call ended for somebody. Running is the zero value.
type Outcome uint8

// The outcomes. Each is seen from the leg, the line or the call that has it: one call is missed by who was rung and cancelled by who rang.
const (
	Running    Outcome = iota // it has not ended
	Answered                  // it talked to somebody; or, where nobody was ever rung for it, to a machine
	Missed                    // it rang and nobody took the call: who called gave up, or time ran out. Of a line: time ran out, or the caller was sent on
	Elsewhere                 // it rang, and another leg took the call meanwhile
	Busy                      // the phone was busy or turned the call away; of who called: all did that he reached
	Failed                    // nobody was reached
	Abandoned                 // the caller left a line before anybody answered
	Cancelled                 // its own call, given up before anybody answered
	Unanswered                // its own call, which nobody took until time ran out
)

var outcomeNames = [...]string{
	Running: "running", Answered: "answered", Missed: "missed", Elsewhere: "elsewhere", Busy: "busy", Failed: "failed",
	Abandoned: "abandoned", Cancelled: "cancelled", Unanswered: "unanswered",
}

// String returns the outcome as a word: "answered".
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// ParseOutcome returns the outcome of that name, and whether there is one.
func ParseOutcome(name string) (Outcome, bool) {
	for o, n := range outcomeNames {
		if n == name {
			return Outcome(o), true
		}
	}
	return Running, false
}

// A Call is all legs that were ever tied to each other, by bridges, dials and Local channels, from the first one's beginning to the last one's
// end. Calls that come together, as in an attended transfer, are one from then on; the older one's id remains, and the other's leads to it.
type Call struct {
	ID           string // random, and good for ever
	Began        time.Time
	Answered     time.Time // when two of its parties first talked; zero if none did
	Ended        time.Time // zero while it runs
	Line         string    // the first queue that it was in
	Outcome      Outcome   // as who began it saw it
	Gap          bool      // Earshot did not see all of it
	Legs         []Leg     // in order of beginning
	Visits       []Visit
	Transfers    []Transfer
	Recordings   []Recording
	Supervisions []Supervision
}

// A Leg is one party on a call: a phone's channel. Halves of Local channels, snoops, supervisors' legs and Asterisk's own channels are none.
type Leg struct {
	ID        call.LegID
	Endpoint  string
	Employee  string // whose phone it was then, by the policy then in force; empty for a stranger's
	Direction call.Direction
	Number    call.Number // that it claimed
	Name      string      // that it claimed
	Dialled   call.Number // as call.Leg.Dialled
	Line      string      // the queue that it was in, or that rang it
	Began     time.Time
	Answered  time.Time // zero if it was not
	Ended     time.Time // zero while it lasts
	Outcome   Outcome
	Peers     []call.LegID // who rang it, whom it rang and with whom it talked
}

// Format writes the leg's id, whatever the verb, since package fmt would write the name.
func (l Leg) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "leg %s", string(l.ID)) }

// A Visit is one caller's stay in one queue.
type Visit struct {
	Line     string
	Leg      call.LegID
	Began    time.Time // when he was first seen in it
	Answered time.Time // zero if nobody answered
	Ended    time.Time // when he was gone from it, or the talk was over; zero before
	Outcome  Outcome
}

// A Transfer is what somebody on a call did.
type Transfer struct {
	At       time.Time
	By       call.LegID
	Attended bool
}

// A Supervision of a call, as the gate tells.
type Supervision struct {
	ID     string // the audit log's
	By     string // employee
	Target string // employee
	Mode   string
	Began  time.Time
	Ended  time.Time // zero while it runs
	Told   bool      // those on the call were told
}

// A Recording is a file that holds a call, or a part of it.
type Recording struct {
	ID      string // random: no path, and nothing that one could guess
	Call    string
	Leg     call.LegID
	Spool   string
	File    string // relative to its spool
	Source  string // "mixmonitor", "ari" or "spool"
	Began   time.Time
	Ended   time.Time // zero while it is made
	Size    int64     // bytes; 0 while it is made
	Deleted time.Time // zero while the file is there
}

// A Grade is what somebody thinks of how an employee did on a call.
type Grade struct {
	Call     string
	Employee string // who is graded
	By       string
	Value    int
	Comment  string
	At       time.Time
}

// A Gap is a time in which Earshot did not see what happened, so that calls may be missing; or in which calls were lost because they could not
// be saved.
type Gap struct {
	Began, Ended time.Time
	Lost         int // calls that were seen and could not be kept
}

// add makes the gap reach over another one too.
func (g *Gap) add(o Gap) {
	if g.Lost == 0 || o.Began.Before(g.Began) {
		g.Began = o.Began
	}
	if o.Ended.After(g.Ended) {
		g.Ended = o.Ended
	}
	g.Lost += o.Lost
}
