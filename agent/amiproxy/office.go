package amiproxy

import "github.com/earshot-pbx/earshot/agent/gate"

// office is what one answer is made of: the channels and what employees do as the subject sees it at one moment, and the names of phones.
type office struct {
	view gate.Channels
	book gate.Phonebook
}

// look takes both.
func (x *exchange) look() (*office, error) {
	var view gate.Channels
	err := x.client.share.look(x.ctx, func() (err error) {
		view, err = x.view(x.who)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !view.Known {
		return nil, faultUnknownPBX
	}
	return &office{view: view, book: x.cfg.Gate.Phonebook()}, nil
}

// channels are those of a look.
func (x *exchange) channels() ([]channel, error) {
	o, err := x.look()
	if err != nil {
		return nil, err
	}
	return o.channels(), nil
}

// channels are all that the subject is shown, row by row.
func (o *office) channels() []channel {
	all := make([]channel, len(o.view.All))
	for i := range o.view.All {
		all[i] = channel{&o.view.All[i]}
	}
	return all
}

// find finds one by its whole name or its id.
func find(all []channel, name string) (channel, bool) {
	for _, c := range all {
		if name != "" && c.called(name) {
			return c, true
		}
	}
	return channel{}, false
}

// ask is a request about the call of an employee's that a channel is; about nobody where it is none's.
func (c channel) ask() gate.Ask {
	if c.Channel == nil || c.Employee == "" {
		return gate.Ask{}
	}
	return gate.Ask{Target: c.Employee, Call: c.ID}
}

// colleague finds who has an id.
func (o *office) colleague(id string) (gate.Colleague, bool) { return colleagueOf(o.book, id) }

func colleagueOf(book gate.Phonebook, id string) (gate.Colleague, bool) {
	for _, c := range book.Colleagues {
		if c.ID == id {
			return c, true
		}
	}
	return gate.Colleague{}, false
}

// presences are what the employees do, by their ids.
func (o *office) presences() map[string]presence {
	of := make(map[string]presence, len(o.view.Presence))
	for i := range o.view.Presence {
		of[o.view.Presence[i].Employee] = presenceWhile(&o.view.Presence[i])
	}
	return of
}
