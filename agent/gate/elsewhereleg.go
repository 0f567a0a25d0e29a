package gate

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// The form in which the sidecars show each other the legs on their employees' rows. Who gets it works out anew, by its own policy, who is claimed by a
// number and which are protected; a phone's owner is who the origin says, by the same policy, and of its directory is whose client somebody is.

// legVersion and stateVersion are the versions of the forms. What has another is not read.
const (
	legVersion   = 1
	stateVersion = 1
)

// How the keys begin, or are.
const (
	legKey   = "leg/"  // and the unique id
	stateKey = "state" // and nothing
)

// stateForm says whether the sidecar knows the state of its PBX. Without it nothing counts that it shows.
type stateForm struct {
	Version int  `json:"v"`
	Known   bool `json:"known"`
}

// legForm is a leg on an employee's row. The first two members are the same in all versions.
type legForm struct {
	Version  int    `json:"v"`
	Employee string `json:"e"`
	Edition  string `json:"ed,omitempty"` // of the policy there

	Place     int    `json:"n,omitempty"` // on the row
	Direction string `json:"d,omitempty"`
	Phase     string `json:"ph"`
	Since     int64  `json:"t,omitempty"` // in nanoseconds of Unix; 0: not known
	Other     string `json:"o,omitempty"` // the unique id of the leg on the other side; empty: there is none
	Kind      string `json:"k,omitempty"`

	Peer        *peerForm `json:"p,omitempty"`
	Supervision string    `json:"s,omitempty"`
	Supervised  bool      `json:"told,omitempty"` // the owner is told that it is
	Locked      bool      `json:"lock,omitempty"`
	OwnLock     bool      `json:"own,omitempty"` // the owner has locked it
	Tape        *tapeForm `json:"tape,omitempty"`

	Present     []string `json:"in,omitempty"`
	Rung        []string `json:"rung,omitempty"`
	Responsible string   `json:"resp,omitempty"`
	Numbers     []string `json:"no,omitempty"`
	Stranger    bool     `json:"x,omitempty"`   // an endpoint that is neither a phone nor a trunk is on the call
	Heard       []string `json:"ear,omitempty"` // who is within earshot beside those on the call: who whispers or barges in, who is on another call that is heard
}

type peerForm struct {
	Number   string `json:"n,omitempty"`
	Name     string `json:"m,omitempty"`
	Employee string `json:"e,omitempty"`
}

type tapeForm struct {
	ID    string `json:"id"`
	State string `json:"s"`
}

// readForm reads a form strictly: nothing in it that this version does not know, and nothing behind it.
func readForm(value []byte, form any) bool {
	if len(value) > maxShown {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	if d.Decode(form) != nil {
		return false
	}
	_, err := d.Token()
	return err == io.EOF
}

// farBetween is between the name of a PBX and the unique id of a leg there. Asterisk has no unique ids with it, as they are texts of C; one that came all
// the same is on no row, and shown to nobody.
const farBetween = "\x00"

// farID is the id by which a leg on another PBX is known here, so that it is none of the table's, whoever has chosen the unique id.
func farID(pbx, id string) call.LegID { return call.LegID(pbx + farBetween + id) }

func isFar(leg call.LegID) bool { return strings.Contains(string(leg), farBetween) }

// farLeg is an employee's leg on another PBX. It is never changed.
type farLeg struct {
	on     *otherPBX
	leg    call.LegID // farID
	unread bool       // of the form there is the employee, if that could be read
	form   legForm

	facts   mask.Facts
	numbers []call.Number
}

// readLeg reads a leg that is shown under a unique id. Of one that cannot be read nobody knows more than whose it may be, so it counts as a call on which
// there may be anybody: it is shown to nobody, and its employee's row says that it is not known what he does.
func readLeg(p *otherPBX, id string, value []byte) *farLeg {
	f := &farLeg{on: p, leg: farID(p.name, id)}
	if id == "" || strings.Contains(id, farBetween) || !readForm(value, &f.form) || f.form.Version != legVersion || !f.understand() {
		var of struct {
			Employee string `json:"e"`
		}
		if len(value) <= maxShown {
			_ = json.Unmarshal(value, &of) // whose it is may be readable where the rest is not
		}
		f.unread, f.form, f.facts, f.numbers = true, legForm{Employee: of.Employee}, mask.Facts{}, nil
	}
	return f
}

// understand makes the facts of the form; false if they are none.
func (f *farLeg) understand() bool {
	m := &f.form
	f.facts = mask.Facts{Kind: m.Kind, Supervision: m.Supervision, Supervised: m.Supervised, Locked: m.OwnLock}
	switch m.Direction {
	case call.In.String():
		f.facts.Direction = call.In
	case call.Out.String():
		f.facts.Direction = call.Out
	case "":
	default:
		return false
	}
	for _, p := range [...]call.Phase{call.PhaseRinging, call.PhaseDialling, call.PhaseTalking, call.PhaseHeld} {
		if m.Phase == p.String() {
			f.facts.Phase = p
		}
	}
	if m.Since != 0 {
		f.facts.Since = time.Unix(0, m.Since).UTC()
	}
	for _, n := range m.Numbers {
		f.numbers = append(f.numbers, call.Number(n))
	}
	if p := m.Peer; p != nil {
		f.facts.Peer = &mask.Party{Number: p.Number, Name: p.Name, Employee: p.Employee}
		if p.Employee == "" {
			f.numbers = addNumber(f.numbers, call.Number(p.Number))
		}
	}
	if m.Tape != nil {
		f.facts.Taped = &mask.Taped{ID: m.Tape.ID, State: m.Tape.State}
	}
	switch m.Kind {
	case "", mask.External, mask.Internal, mask.Queue:
	default:
		return false
	}
	return m.Employee != "" && f.facts.Phase != call.PhaseNone && (m.Other != "") == (m.Peer != nil) && (m.Responsible == "" || m.Peer != nil) && !strings.Contains(m.Other, farBetween)
}

func addNumber(all []call.Number, n call.Number) []call.Number {
	if n == "" || slices.Contains(all, n) {
		return all
	}
	return append(all, n)
}

// gather is what gather of the gate is for a leg here. Present is only who has a phone there by the policy in force here too. An employee whom the policy in force does not know may be one whom somebody must not hear or be
// shown by the policy at the other end: nobody is shown who is on the other side then. Nor is he while the policy at the other end is another edition: by that one another
// may have the phone.
func (f *farLeg) gather(set *policy.Set, owner policy.Ref, to *legFacts) {
	m, c := &f.form, &to.company
	to.leg, to.pbx, to.facts, to.tag, to.locked = f.leg, f.on.name, f.facts, tag{}, m.Locked
	to.endpoint, to.queue, to.second, to.last, to.numbers, to.heard = "", "", nil, nil, to.numbers[:0], to.heard[:0]
	clear(to.sums[:])
	if to.other = ""; m.Other != "" {
		to.other = farID(f.on.name, m.Other)
	}
	c.reset()
	known := m.Edition == set.Edition()
	for _, id := range m.Present {
		switch ref, ok := set.Employee(id); {
		case !ok:
			known = false
		case len(set.PhonesOn(ref, f.on.name)) > 0:
			c.present = addRef(c.present, ref)
		default: // no phone can have proven him there
			c.claimed = addRef(c.claimed, ref)
		}
	}
	to.rung = to.rung[:0]
	for _, id := range m.Rung {
		ref, ok := set.Employee(id)
		if known = known && ok; ok {
			to.rung = addRef(to.rung, ref)
		}
	}
	to.responsible, _ = set.Employee(m.Responsible)
	c.unknown = m.Stranger
	for _, n := range f.numbers {
		c.protected = c.protected || set.ProtectedNumber(n.Digits())
		c.claimed = set.AppendByNumber(c.claimed, bare(n))
	}
	if p := f.facts.Peer; p != nil && p.Employee != "" {
		if ref, ok := set.Employee(p.Employee); !ok {
			known = false
		} else if !slices.Contains(c.present, ref) {
			c.claimed = addRef(c.claimed, ref)
		}
	}
	if !known {
		c.protected, to.facts.Peer, to.facts.Kind = true, nil, ""
	}
	to.alone = c.only(owner)
}
