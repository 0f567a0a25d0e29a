package mask

import "time"

// Row is one employee on the board as one watcher may see him.
type Row struct {
	ID             string     `json:"id" doc:"Employee id"`
	Name           string     `json:"name"`
	Department     string     `json:"department,omitempty" doc:"Department id"`
	DepartmentName string     `json:"department_name,omitempty" doc:"Name of the department, where it has one"`
	State          string     `json:"state" enum:"idle,ringing,dialling,talking,held,unknown" doc:"unknown: see the member unknown"`
	Since          *time.Time `json:"since,omitempty" doc:"When the state began, to the second; absent when it began before Earshot looked"`
	Calls          []View     `json:"calls" nullable:"false"`
	Can            []string   `json:"can" nullable:"false" enum:"spy,whisper,barge,intercept,dial" doc:"What the watcher may do to this colleague now; dial: POST /v1/calls with employee"`

	Unknown bool `json:"unknown,omitempty" doc:"The PBX of this colleague's phones is out of reach, or what it tells of him cannot be read: he may be on calls that are not here"`

	ReasonRequired bool `json:"reason_required,omitempty" doc:"One of spy, whisper and barge in can works only with a reason given"`
}

// Sum sets the row's state and since from its calls: the liveliest call speaks for the employee. Of one on whose row it is not known which there are,
// nobody says that there are none.
func (r *Row) Sum(idleSince time.Time) {
	r.State, r.Since = Idle, nil
	if r.Unknown {
		r.State = Unknown
	} else if !idleSince.IsZero() {
		t := Moment(idleSince)
		r.Since = &t
	}
	best := -1
	for i := range r.Calls {
		v := &r.Calls[i]
		if l := liveliness(v.State); l > best {
			best = l
			r.State, r.Since = v.State, &v.Since
		}
	}
}

func liveliness(state string) int {
	switch state {
	case Talking:
		return 3
	case Held:
		return 2
	case Dialling:
		return 1
	default: // ringing
		return 0
	}
}

// Supervision is a running or ended supervision as its supervisor sees it.
type Supervision struct {
	ID     string    `json:"id"`
	Target string    `json:"target" doc:"Employee id of the one supervised"`
	Mode   string    `json:"mode" enum:"spy,whisper,barge"`
	Call   string    `json:"call,omitempty" doc:"Handle of the call, as on the target's row"`
	Phone  string    `json:"phone" doc:"The supervisor's own phone that rings; of one that waits, empty"`
	State  string    `json:"state" enum:"ringing,waiting,active,ended" doc:"waiting: by ARI, for one of the supervisor's own channels to come into a bridge with it"`
	Since  time.Time `json:"since" doc:"When the state began"`
	Reason string    `json:"reason,omitempty" doc:"Why it ended"`
	Text   string    `json:"text,omitempty" doc:"What that means and what to do, in a sentence; absent where there is nothing to do"`

	PeerSilent bool `json:"peer_silent,omitempty" doc:"The other side's phone sends no audio (as some do while muted), so the target's hears nothing of a whisper; told where it can be known, within some seconds"`
}

// Supervised is a supervision as one is told of it whose call it is about.
type Supervised struct {
	ID    string     `json:"id"`
	By    string     `json:"by" doc:"Employee id of who supervises"`
	Mode  string     `json:"mode" enum:"spy,whisper,barge,join" doc:"The last, when there were several; join: he has joined a conversation of a line, and everybody on it hears him"`
	State string     `json:"state" enum:"active,ended"`
	Since time.Time  `json:"since" doc:"When it began"`
	Until *time.Time `json:"until,omitempty" doc:"When it ended, or one was no more on the call"`
}

// Lock is a private lock as the one who has locked sees it.
type Lock struct {
	ID    string    `json:"id"`
	Call  string    `json:"call,omitempty" doc:"Handle of the call, as on one's own row; absent when one has left the call, which stays locked"`
	Since time.Time `json:"since" doc:"When it was locked"`
}

// Dialled is a call that the subject's own phone is rung for, as he is told of it. What becomes of it is on his row of the board.
type Dialled struct {
	ID    string `json:"id" doc:"Id of the decision in the record"`
	Phone string `json:"phone" doc:"The own phone that rings; once it is answered it calls"`
}

// Intercept is a call being taken, as the one who takes it sees it.
type Intercept struct {
	ID     string    `json:"id"`
	Target string    `json:"target" doc:"Employee id of the one whose phone rings; empty where none rings the caller"`
	Call   string    `json:"call,omitempty" doc:"Handle of the call, as on the target's row, or as in the offer"`
	Phone  string    `json:"phone" doc:"The own phone that rings to take the call"`
	State  string    `json:"state" enum:"ringing,taken,ended"`
	Since  time.Time `json:"since" doc:"When the state began"`
	Reason string    `json:"reason,omitempty" doc:"Why it ended without the call"`
	Text   string    `json:"text,omitempty" doc:"What that means and what to do, in a sentence; absent where there is nothing to do"`
}

// Incoming is a call of a client that rings at others than the employee who is responsible for him, or at nobody, as that one is told of it.
type Incoming struct {
	ID        string    `json:"id" doc:"Id of the offer; opaque"`
	State     string    `json:"state" enum:"ringing,waiting,ended" doc:"waiting: no phone rings the caller, who is in a queue's music, say, or in a menu; ended: answered, taken, or given up"`
	Since     time.Time `json:"since" doc:"When it began to ring or to wait, to the second"`
	Client    Party     `json:"client" doc:"Who calls, by the directory"`
	CanAccept bool      `json:"can_accept" doc:"Whether POST /v1/intercepts with target and call, as far as they are there, will take it; of one who waits, where the PBX's dialplan has Earshot's include"`
	Target    string    `json:"target,omitempty" doc:"Employee id of one at whose phone it rings, when it may be taken there"`
	Call      string    `json:"call,omitempty" doc:"Handle of the call, as on the target's row; of one who waits, the id of the offer"`
}
