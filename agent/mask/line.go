package mask

import "time"

// Line is a line, that is a queue that customers call, as one who may view it sees it.
type Line struct {
	ID      string       `json:"id" doc:"Line id"`
	Name    string       `json:"name"`
	Known   bool         `json:"known" doc:"Whether Earshot knows the state of the queue; while false nobody is shown to be in it or to wait"`
	Members []LineMember `json:"members" nullable:"false" doc:"Who works on the line by the policy, and who else is in its queue"`
	Others  int          `json:"others,omitempty" doc:"Members of the queue whose phone is no employee's"`
	Waiting int          `json:"waiting" doc:"How many callers wait"`
	Since   *time.Time   `json:"since,omitempty" doc:"Since when the one waits who has waited longest, to the second"`
	Callers []LineCaller `json:"callers" nullable:"false" doc:"Who waits, longest first"`
	Can     []string     `json:"can" nullable:"false" doc:"What the subject may do on the line as a whole: change, statistics, history, join, replies. What one employee's conversation is about is decided when it is asked for"`
}

// LineMember is an employee on a line.
type LineMember struct {
	Employee string `json:"employee" doc:"Employee id"`
	Name     string `json:"name"`
	Works    bool   `json:"works" doc:"Whether the policy has him among those who work on the line"`
	Queued   bool   `json:"queued" doc:"Whether he is in the queue now, so that its calls ring at his phone"`
	Penalty  int    `json:"penalty" doc:"Those of a higher one are rung only when nobody of a lower one is free; 0 where he is not in the queue"`
	Paused   bool   `json:"paused" doc:"Whether the queue rings him no more until that is taken back"`
	Fixed    bool   `json:"fixed,omitempty" doc:"Whether he stands in the PBX's configuration, so that he cannot be removed here"`
	State    string `json:"state" enum:"idle,ringing,dialling,talking,held" doc:"By his phones on the PBX of the line, whatever he talks"`
}

// LineCaller is one who waits on a line.
type LineCaller struct {
	Since  time.Time `json:"since" doc:"Since when he waits, to the second"`
	Hidden bool      `json:"hidden,omitempty" doc:"Who it is is not for this watcher"`
	Peer   *Party    `json:"peer,omitempty" doc:"Who it is; absent when hidden"`

	// For the doors that speak the PBX's own protocols, and there in lists of lines alone.
	ID       string `json:"-"` // handle, as in QueueEvent
	Endpoint string `json:"-"` // as in QueueEvent
}

// LineCall is a conversation of a line that goes on, or rings, at one employee's, as a watcher may see it.
type LineCall struct {
	Employee string   `json:"employee" doc:"Id of the employee at whose phone it is"`
	Name     string   `json:"name" doc:"His name"`
	Call     View     `json:"call" doc:"As on his row of the board"`
	Can      []string `json:"can" nullable:"false" doc:"What the subject may do: join, takeover. Of a call that is hidden from him it says what follows from him, the line, the employee and the state; what is begun is decided over everybody who is there"`
}

// Join is a conversation of a line being joined or taken over, as the one who does it sees it.
type Join struct {
	ID     string    `json:"id"`
	Line   string    `json:"line" doc:"Line id"`
	Target string    `json:"target" doc:"Employee id of the colleague whose conversation it is"`
	Mode   string    `json:"mode" enum:"join,takeover"`
	Call   string    `json:"call,omitempty" doc:"Handle of the call, as on the target's row"`
	Phone  string    `json:"phone" doc:"The own phone that rings"`
	State  string    `json:"state" enum:"ringing,active,taken,ended" doc:"active: joined; taken: the conversation is one's own call now"`
	Since  time.Time `json:"since" doc:"When the state began"`
	Reason string    `json:"reason,omitempty" doc:"Why it ended"`
	Text   string    `json:"text,omitempty" doc:"What that means and what to do, in a sentence; absent where there is nothing to do"`
}

// Reply is a quick reply: a text that is ready to be said or sent.
type Reply struct {
	ID    string `json:"id" doc:"Id of the reply within the line"`
	Title string `json:"title" doc:"What a panel's button says"`
	Text  string `json:"text"`
}
