// Package mask makes what a watcher is told of a call.
//
// Its one invariant: a View is written afresh from the facts that the watcher's Sight admits. Nothing is copied and then struck out, so a
// field that nobody thought of is absent, not leaked. View, Row and Supervision are the only forms in which a call leaves Earshot.
package mask

import (
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// Sight is what one watcher may see of one leg's call. The zero value sees nothing but that the call exists.
type Sight uint8

const (
	// Hidden shows state, direction and time.
	Hidden Sight = iota
	// Kind shows of which kind the other side is too, but not who.
	Kind
	// Seen shows the party on the other side too.
	Seen
	// Own is of the leg's owner: he sees the party on the other side, the supervision that the leg carries, and his lock on the call.
	Own
)

// Peer reports whether the sight shows who is on the other side.
func (s Sight) Peer() bool { return s >= Seen }

// Kinds of the other side.
const (
	External = "external" // somebody outside
	Internal = "internal" // a colleague
	Queue    = "queue"    // somebody who came by a line, that is a queue
)

// States of a call and of an employee, as the doors spell them.
const (
	Idle     = "idle"
	Ringing  = "ringing"
	Dialling = "dialling"
	Talking  = "talking"
	Held     = "held"
	Unknown  = "unknown" // of an employee: whether he is on a call

	Waiting = "waiting" // of an offered call: it rings nowhere
)

// Party is who is on the other side of a call: an employee, or an outside number with the name that the directory or, failing that, the network gives it.
type Party struct {
	Number   string `json:"number,omitempty" doc:"Number of the other side, as dialled or as claimed by the network"`
	Name     string `json:"name,omitempty" doc:"Name: of the employee, of the client in the directory, or as claimed by the network"`
	Employee string `json:"employee,omitempty" doc:"Id of the employee, when the other side is one"`
}

// View is one call of one employee as one watcher may see it.
type View struct {
	ID          string    `json:"id" doc:"Handle of the call for this watcher and row; opaque"`
	Direction   string    `json:"direction" enum:"in,out" doc:"in: the phone was rung; out: the phone called"`
	State       string    `json:"state" enum:"ringing,dialling,talking,held"`
	Since       time.Time `json:"since" doc:"When the state began, to the second; after a resync a lower bound"`
	Hidden      bool      `json:"hidden,omitempty" doc:"The other side is not for this watcher"`
	Peer        *Party    `json:"peer,omitempty" doc:"The other side; absent while there is none or when hidden"`
	Supervision string    `json:"supervision,omitempty" doc:"The watcher's own supervision that this leg carries"`
	Supervised  bool      `json:"supervised,omitempty" doc:"Somebody supervises this call of the watcher's own, and the policy wants him told"`
	Locked      bool      `json:"locked,omitempty" doc:"The watcher has locked this call of his own against supervision"`
	Taped       *Taped    `json:"recording,omitempty" doc:"The recording of this call that Earshot makes; only where one may know: of a call of one's own, and, seeing the other side, with the right to record it"`
	Kind        string    `json:"kind,omitempty" enum:"external,internal,queue" doc:"Of which kind the other side is, for whom the policy lets see that and not who; absent when it is not known"`
}

// Facts is what there is to know of one leg. It never leaves the gate; Of takes from it what the sight admits.
type Facts struct {
	Direction   call.Direction
	Phase       call.Phase
	Since       time.Time
	Kind        string // of the other side; empty while there is none or it is not known
	Peer        *Party // nil while there is none; views share it, so it is not written once it is here
	Supervision string // set on a leg that carries a supervision
	Supervised  bool   // somebody supervises the call, and the leg's owner is told
	Locked      bool   // the leg's owner has locked the call
	Taped       *Taped // Earshot records the call; shared, as Peer is
}

// Of writes the view of a call for one sight under the given handle. A leg that carries a supervision has no peer for anybody: whom it
// listens to is told to the supervisor alone, by the supervision itself; to others it looks like a leg on which nobody is met.
func Of(f *Facts, s Sight, handle string) View {
	v := View{ID: handle, Direction: direction(f.Direction), State: f.Phase.String(), Since: Moment(f.Since)}
	switch s {
	case Seen:
		v.Peer = f.peer()
	case Own:
		v.Peer, v.Supervision, v.Supervised, v.Locked, v.Taped = f.peer(), f.Supervision, f.Supervised, f.Locked, f.Taped
	case Kind:
		if v.Hidden = true; f.Supervision == "" {
			v.Kind = f.Kind
		}
	default:
		v.Hidden = true
	}
	return v
}

func (f *Facts) peer() *Party {
	if f.Supervision != "" {
		return nil
	}
	return f.Peer
}

// Moment is a time as watchers are told it: to the second. The two legs of a call change in the same instant, and an exact time would join
// two rows whose calls are hidden.
func Moment(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

func direction(d call.Direction) string {
	if d == call.Out {
		return "out"
	}
	return "in"
}
