package audit

import (
	"errors"
	"iter"
	"slices"
	"time"
)

// Hearing is one stretch of time in which somebody could hear somebody: a supervision, or a recording played or downloaded.
type Hearing struct {
	ID        string // of the act; a change of action gives a second Hearing with the same
	Subject   string // who heard
	Action    string
	Mode      string
	Employees []string  // who was heard: targets and all employees on the call at any time of it
	From      time.Time // when it was carried out; the decision's time while that is not known
	To        time.Time // zero when the log does not say: it is running, or Earshot was killed
	Confirmed bool      // the log says that it was carried out; false when it was revoked (or Earshot was killed) between decision and act
	End       Phase     // Ended or Revoked, or Failed where nobody knows whether it was carried out; empty without To, and where another action followed
	Reason    string    // of the end
}

// Heard reports whether the employee could be heard.
func (h Hearing) Heard(employee string) bool { return slices.Contains(h.Employees, employee) }

// hears reports whether what is done lets its subject hear others in whose call he was no party: media and join are what the watchdog sees.
func (e *Entry) hears() bool {
	switch e.Action {
	case "line.join": // who takes a conversation over has it as his own call
		return e.Mode == "join"
	case "spy", "whisper", "barge", "play", "download", "media", "join":
		return true
	}
	return false
}

// perhaps reports whether what failed may have been carried out. Earshots of old said of all in which they were killed that it had failed since they were started anew.
func (e *Entry) perhaps() bool {
	switch e.Reason {
	case ReasonUnknown:
		return true
	case ReasonRestarted:
		return e.Detail != DetailRang && e.Action != "play" && e.Action != "download"
	}
	return false
}

// Hearings puts the entries of [Read] together, in the order in which the hearings were decided. Who heard anna are those for which
// Heard("anna") holds; what boris heard are those whose Subject he is. A refusal is no hearing, nor is what failed; but what Earshot was killed in may have been
// heard, unless the log says that the phone still rang. The error is the
// first of the entries' own; a [Fault] does not stop it, and what can be read of a damaged log is returned with it.
func Hearings(entries iter.Seq2[Entry, error]) ([]Hearing, error) {
	var all []*Hearing
	var first error
	open := make(map[string]*Hearing) // by id
	for e, err := range entries {
		if err != nil && first == nil {
			first = err
		}
		if fault := (*Fault)(nil); err != nil && !errors.As(err, &fault) {
			break
		}
		if e.ID == "" || !e.hears() {
			continue
		}
		h := open[e.ID]
		if h != nil && h.Action != e.Action && (e.Phase == Done || e.Phase == Disclosed) {
			h.To = e.At()
			h = nil
		}
		switch e.Phase {
		case Decided:
			if e.Outcome != Allow {
				continue
			}
			// Decided again while it runs, for more parties or another action. An action that is not yet carried out adds none.
			if h == nil {
				h = &Hearing{ID: e.ID, Subject: e.Subject, Action: e.Action, Mode: e.Mode, From: e.At()}
				all, open[e.ID] = append(all, h), h
			}
		case Done, Disclosed, Witnessed:
			if h == nil {
				h = &Hearing{ID: e.ID, Subject: e.Subject, Action: e.Action, Mode: e.Mode}
				all, open[e.ID] = append(all, h), h
			}
			if !h.Confirmed {
				h.Confirmed, h.From = true, e.At()
			}
		case Failed:
			if h != nil && !h.Confirmed && e.perhaps() {
				h.To, h.End, h.Reason = e.At(), e.Phase, e.Reason
				delete(open, e.ID)
			} else if h != nil && !h.Confirmed {
				all = slices.DeleteFunc(all, func(other *Hearing) bool { return other == h })
				delete(open, e.ID)
			}
			continue
		case Revoked, Ended:
			if h != nil {
				h.To, h.End, h.Reason = e.At(), e.Phase, e.Reason
				h.Confirmed = h.Confirmed || e.Phase == Ended // what had not begun has failed, or was revoked
				delete(open, e.ID)
			}
		case Recovered:
			continue
		}
		if h != nil {
			h.add(e)
		}
	}
	hearings := make([]Hearing, len(all))
	for i, h := range all {
		hearings[i] = *h
	}
	return hearings, first
}

func (h *Hearing) add(e Entry) {
	for _, ids := range [...][]string{e.Targets, e.Employees} {
		for _, id := range ids {
			if id != h.Subject && !slices.Contains(h.Employees, id) {
				h.Employees = append(h.Employees, id)
			}
		}
	}
}
