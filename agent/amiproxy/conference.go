package amiproxy

import (
	"strconv"

	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/ami"
)

const (
	faultNoConferences fault = "No active conferences."
	faultConference    fault = "No Conference name provided."
	faultNoConference  fault = "No Conference by that name found."
)

// conference is one in which channels are shown.
type conference struct {
	name     string
	channels []channel
}

// conferences are all, in the order of their first channels.
func (o *office) conferences() []conference {
	var all []conference
	at := map[string]int{}
	for _, c := range o.channels() {
		if c.App != mask.AppConfBridge || c.Room == "" {
			continue
		}
		k, ok := at[c.Room]
		if !ok {
			k = len(all)
			at[c.Room] = k
			all = append(all, conference{name: printable(c.Room)})
		}
		all[k].channels = append(all[k].channels, c)
	}
	return all
}

// confbridgeListRooms is ConfbridgeListRooms. Whether a conference is locked and who may lead it is not in the model.
func (x *exchange) confbridgeListRooms() error {
	o, err := x.look()
	if err != nil {
		return err
	}
	all := o.conferences()
	if len(all) == 0 {
		return faultNoConferences
	}
	answer := x.session.List(x.m, "Confbridge conferences will follow")
	for _, r := range all {
		answer.Row(ami.NewEvent("ConfbridgeListRooms", 0).Append("Conference", r.name).Append("Parties", strconv.Itoa(len(r.channels))).
			Append("Marked", "0").Append("Locked", "No").Append("Muted", "No"))
	}
	return answer.Complete(ami.NewEvent("ConfbridgeListRoomsComplete", 0))
}

// confbridgeList is ConfbridgeList: who is shown in one conference.
func (x *exchange) confbridgeList() error {
	name := x.m.Get("Conference")
	if name == "" {
		return faultConference
	}
	o, err := x.look()
	if err != nil {
		return err
	}
	all := o.conferences()
	if len(all) == 0 {
		return faultNoConferences
	}
	for _, r := range all {
		if r.name == name {
			return x.participants(&r)
		}
	}
	return faultNoConference
}

func (x *exchange) participants(r *conference) error {
	now := x.cfg.Clock()
	answer := x.session.List(x.m, "Confbridge user list will follow")
	for _, c := range r.channels {
		answered := 0
		if c.State == mask.ChannelUp {
			answered = seconds(now, c.Since)
		}
		row := ami.NewEvent("ConfbridgeList", 0).Append("Conference", r.name)
		for _, never := range [...]string{"Admin", "MarkedUser", "WaitMarked", "EndMarked", "EndMarkedAny", "Waiting", "Muted", "Talking"} {
			row.Append(never, "No")
		}
		answer.Row(c.snapshot(row.Append("AnsweredTime", strconv.Itoa(answered)), "", x.cfg.Context))
	}
	return answer.Complete(ami.NewEvent("ConfbridgeListComplete", 0))
}
