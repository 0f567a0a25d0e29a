package amiproxy

import (
	"strings"

	"github.com/earshot-pbx/earshot/ami"
)

// provider begins the names by which panels ask for what people want to be told of them; behind it stands a number of an employee's.
const provider = "CustomPresence:"

const faultProvider fault = "No provider specified"

// The states that are told (main/presencestate.c).
const (
	presenceNotSet    = "not_set"
	presenceAvailable = "available"
	presenceAway      = "away"
	presenceDND       = "dnd"
)

// stated are the states of all employees about whom the subject is told anything, by their ids: not to be disturbed, where he may see such settings, and
// paused on all lines of theirs that he may view.
func (x *exchange) stated() (map[string]string, error) {
	of := map[string]string{}
	lines, _, err := x.queues("")
	if err != nil {
		return nil, err
	}
	for i := range lines {
		for _, m := range lines[i].Members {
			switch {
			case !m.Queued:
			case !m.Paused:
				of[m.Employee] = presenceAvailable
			case of[m.Employee] == "":
				of[m.Employee] = presenceAway
			}
		}
	}
	var quiet map[string]bool
	err = x.client.share.look(x.ctx, func() (err error) {
		quiet, err = x.cfg.Gate.DoNotDisturb(x.ctx, x.who)
		return err
	})
	if err != nil {
		return nil, err
	}
	for employee, dnd := range quiet {
		switch {
		case dnd:
			of[employee] = presenceDND
		case of[employee] == "":
			of[employee] = presenceAvailable
		}
	}
	return of, nil
}

// presenceState is PresenceState. Of an employee of whom nothing is to be told, and of a number that is nobody's, there is the same answer.
func (x *exchange) presenceState() error {
	asked := x.m.Get("Provider")
	if asked == "" {
		return faultProvider
	}
	if len(asked) < len(provider) || !strings.EqualFold(asked[:len(provider)], provider) {
		return fault("Invalid provider " + printable(asked) + " or provider in invalid state")
	}
	of, err := x.stated()
	if err != nil {
		return err
	}
	state := presenceNotSet
	for _, c := range x.cfg.Gate.Phonebook().Colleagues {
		for _, number := range c.Numbers {
			if number == asked[len(provider):] && of[c.ID] != "" {
				state = of[c.ID]
			}
		}
	}
	return x.session.Respond(x.m, ami.NewResponse("Success").Append("Message", "Presence State").Append("State", state))
}

// presenceStateList is PresenceStateList.
func (x *exchange) presenceStateList() error {
	of, err := x.stated()
	if err != nil {
		return err
	}
	answer := x.session.List(x.m, "Presence State Changes will follow")
	for _, c := range x.cfg.Gate.Phonebook().Colleagues {
		if of[c.ID] == "" {
			continue
		}
		for _, number := range c.Numbers {
			answer.Row(ami.NewEvent("PresenceStateChange", 0).Append("Presentity", provider+number).Append("Status", of[c.ID]).
				Append("Subtype", "").Append("Message", ""))
		}
	}
	return answer.Complete(ami.NewEvent("PresenceStateListComplete", 0))
}
