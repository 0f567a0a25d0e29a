package mask

import "time"

// RecordingLink is an address at which one recording can be heard for a while without a credential.
type RecordingLink struct {
	URL     string    `json:"url" doc:"Path of the address. Whoever has it can hear the recording as the person who asked for it, and each listening is that person's"`
	Expires time.Time `json:"expires" doc:"When it ends; earlier when the policy or the credential that asked for it no longer allows it"`
}

// States of a recording that is being made.
const (
	TapeStarting  = "starting" // the PBX has been asked
	TapeRecording = "recording"
	TapePaused    = "paused"
	TapeStopped   = "stopped"
)

// Taped says on a row that Earshot records the call.
type Taped struct {
	ID    string `json:"id" doc:"Id for PATCH /v1/recordings/{id}, for who may record the call"`
	State string `json:"state" enum:"recording,paused"`
}

// Taping is a recording that Earshot makes, as one who may record the call sees it.
type Taping struct {
	ID     string    `json:"id"`
	Target string    `json:"target" doc:"Employee id of the one whose call it is of"`
	Call   string    `json:"call,omitempty" doc:"Handle of the call, as on the target's row; for who has begun it"`
	State  string    `json:"state" enum:"starting,recording,paused,stopped"`
	Since  time.Time `json:"since" doc:"When the state began"`
	Reason string    `json:"reason,omitempty" doc:"Why it has ended"`
	Text   string    `json:"text,omitempty" doc:"What that means and what to do, in a sentence; absent where there is nothing to do"`
}
