package mask

import (
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// JournalRow is one employee's part in a call, running or past, as one reader may see it.
type JournalRow struct {
	ID        string     `json:"id" doc:"Handle of the row for this reader; opaque, good until Earshot is started anew"`
	Employee  string     `json:"employee" doc:"Employee id of the one whose row it is"`
	Direction string     `json:"direction" enum:"in,out" doc:"in: the phone was rung; out: the phone called"`
	Outcome   string     `json:"outcome" enum:"running,answered,missed,elsewhere,busy,failed,abandoned,cancelled,unanswered" doc:"How it ended for this employee. For who does not see the employee's calls there are only running, answered, missed (in) and unanswered (out)"`
	Began     time.Time  `json:"began" doc:"To the second, as all times"`
	Answered  *time.Time `json:"answered,omitempty"`
	Ended     *time.Time `json:"ended,omitempty" doc:"Absent while it runs"`
	Wait      int        `json:"wait" doc:"Seconds until it was answered or ended"`
	Talk      int        `json:"talk" doc:"Seconds from the answer to the end; 0 while it runs"`
	Hidden    bool       `json:"hidden,omitempty" doc:"The other side is not for this reader; of a call on which he was himself, others has whom he met"`
	Kind      string     `json:"kind,omitempty" enum:"external,internal,queue" doc:"Of which kind the other side was, for whom the policy lets see that and not who"`
	Peer      *Party     `json:"peer,omitempty" doc:"The other side: with whom it talked first or, if with nobody, who rang or was rung"`
	Others    []Party    `json:"others,omitempty" doc:"Others with whom it talked, who rang it or whom it rang"`
	Dialled   string     `json:"dialled,omitempty" doc:"What was dialled, on a row of one's own"`
	Line      string     `json:"line,omitempty" doc:"Id of the line that brought the call, or the queue's name where the policy has no line for it"`

	Transfers  []JournalTransfer  `json:"transfers,omitempty" doc:"Transfers by this employee or by the other side, oldest first"`
	Supervised []Supervised       `json:"supervised,omitempty" doc:"Supervisions of this call of one's own, as far as the policy wants one told"`
	Recordings []JournalRecording `json:"recordings,omitempty" doc:"Recordings of the call, oldest first"`
	Grades     []Grade            `json:"grades,omitempty" doc:"For who may grade the call himself"`
	CanGrade   bool               `json:"can_grade,omitempty" doc:"Whether PUT /v1/journal/{id}/grade will work; where the other side is hidden, whether it would if nobody on it stood against it"`
	Gap        bool               `json:"gap,omitempty" doc:"Earshot did not see all of the call, so that times are bounds"`
}

// JournalTransfer is a transfer during a call.
type JournalTransfer struct {
	At       time.Time `json:"at"`
	Attended bool      `json:"attended" doc:"The one who transferred spoke with the new party first"`
	By       string    `json:"by" enum:"employee,other_side" doc:"employee: the one whose row it is"`
}

// States of a recording.
const (
	RecordingAvailable = "available"
	RecordingRunning   = "running" // it is still being made
	RecordingNoAccess  = "no_access"
	RecordingDeleted   = "deleted"
)

// RecordingGap is why there is no access to a recording for who has the right: Earshot did not see all of the call.
const RecordingGap = "gap"

// JournalRecording says of a recording what one may do with it.
type JournalRecording struct {
	ID    string `json:"id,omitempty" doc:"Handle of the recording for this reader and row; only with access"`
	State string `json:"state" enum:"available,running,no_access,deleted"`

	Can []string `json:"can,omitempty" enum:"play,download,delete" doc:"What one may do with it now, with a reason where the policy wants one; whatever a second authority has to say comes on top"`

	Reason string `json:"reason,omitempty" enum:"gap" doc:"gap: one has the right, and there is no access because Earshot did not see all of the call, so that nobody can say who was on it"`
}

// Grade is what somebody thinks of how an employee did on a call.
type Grade struct {
	By      string    `json:"by" doc:"Employee id of who graded"`
	Value   int       `json:"value" minimum:"1" maximum:"5" doc:"1 is worst, 5 is best"`
	Comment string    `json:"comment,omitempty" doc:"Told where one sees the other side of the call, and of one's own grades"`
	At      time.Time `json:"at"`
}

// JournalGap is a time in which Earshot did not see what happened, so that calls may be missing.
type JournalGap struct {
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"`
}

// JournalPage is a page of the journal.
type JournalPage struct {
	Rows []JournalRow `json:"rows" nullable:"false" doc:"Newest first"`
	Next string       `json:"next,omitempty" doc:"Give it as cursor for the page after this one, which may be empty; absent on the last one"`
	Gaps []JournalGap `json:"gaps,omitempty" doc:"Within the time of this page, oldest first; the newest hundred"`
}

// Figures count calls that have ended, of a group.
type Figures struct {
	Employee   string     `json:"employee,omitempty" doc:"Employee id, by employee"`
	Department string     `json:"department,omitempty" doc:"Department id, by department; absent for who is in none"`
	Line       string     `json:"line,omitempty" doc:"Line id, by line"`
	Began      *time.Time `json:"began,omitempty" doc:"When the hour or the day began, in the time zone of the policy"`
	Calls      int        `json:"calls" doc:"Of employees: times that a phone of theirs rang or called. Of a line: callers"`
	Answered   int        `json:"answered"`
	Missed     int        `json:"missed"`
	Abandoned  int        `json:"abandoned" doc:"Callers who left a line before anybody answered"`
	Talk       int64      `json:"talk" doc:"Seconds, from the answer to the end"`
	Wait       int64      `json:"wait" doc:"Seconds, from the beginning to the answer, or to the end"`
}

// PastFacts is what there is to know of one employee's part in a call. It never leaves the gate; OfPast takes from it what the sight admits.
type PastFacts struct {
	Employee  string
	Direction call.Direction
	Outcome   string // as the journal names it
	Began     time.Time
	Answered  time.Time // zero if it was not
	Ended     time.Time // zero while it runs
	Kind      string
	Parties   []Party // the other sides, the foremost first
	Met       []Party // of them those whom the reader met on the call himself, whatever his sight
	Behind    bool    // the foremost of Parties is none of Met
	Dialled   string
	Line      string
	Transfers []JournalTransfer
	Told      []Supervised // supervisions of which the row's employee is told
	Gap       bool
}

// Outcomes that a row has whatever its sight; a call that came to nothing is of the other two.
const (
	OutcomeRunning    = "running"
	OutcomeAnswered   = "answered"
	OutcomeMissed     = "missed"     // of a hidden call: it rang, and this employee did not take it
	OutcomeUnanswered = "unanswered" // of a hidden call: it was not answered
)

// OfPast writes the row of a call for one sight under the given handle. What the board never showed of a call that is not Seen is not in its row:
// why it came to nothing tells about the other side, which line brought it and who transferred it too.
func OfPast(f *PastFacts, s Sight, handle string) JournalRow {
	r := JournalRow{ID: handle, Employee: f.Employee, Direction: direction(f.Direction), Outcome: coarse(f), Began: Moment(f.Began), Gap: f.Gap}
	r.times(f)
	switch s {
	case Seen, Own:
		r.Outcome, r.Line, r.Transfers = f.Outcome, f.Line, f.Transfers
		if len(f.Parties) > 0 {
			r.Peer = &f.Parties[0]
			r.Others = f.Parties[1:]
		}
		if s == Own {
			r.Dialled, r.Supervised = f.Dialled, f.Told
		}
	case Kind:
		r.Hidden, r.Kind = true, f.Kind
	default:
		r.Hidden = true
	}
	if r.Hidden && len(f.Met) > 0 {
		r.meet(f)
	}
	return r
}

// meet shows whom the reader met on the call himself, and nothing of whether there were more.
func (r *JournalRow) meet(f *PastFacts) {
	if f.Behind {
		r.Others = f.Met
		return
	}
	r.Hidden, r.Kind, r.Peer, r.Others = false, "", &f.Met[0], f.Met[1:]
}

// times sets what follows from the times. Lengths are between times to the second, and tell no more than those.
func (r *JournalRow) times(f *PastFacts) {
	until := r.Began
	if !f.Answered.IsZero() {
		t := Moment(f.Answered)
		r.Answered, until = &t, t
	}
	if !f.Ended.IsZero() {
		t := Moment(f.Ended)
		r.Ended = &t
		if r.Answered == nil {
			until = t
		} else {
			r.Talk = int(t.Sub(*r.Answered) / time.Second)
		}
	}
	r.Wait = int(until.Sub(r.Began) / time.Second)
}

// coarse is how a call ended as far as everybody could see.
func coarse(f *PastFacts) string {
	switch {
	case f.Outcome == OutcomeRunning, f.Outcome == OutcomeAnswered:
		return f.Outcome
	case f.Direction == call.Out:
		return OutcomeUnanswered
	}
	return OutcomeMissed
}
