package amiproxy

import (
	"strconv"

	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/ami"
)

// nobodyShown stands for a channel that is not told.
const nobodyShown = "n/a"

// agents is Agents: the employees on the lines that the subject may view, under their numbers. One is logged in while a queue may ring him. How long he has
// been is not known.
func (x *exchange) agents() error {
	lines, _, err := x.queues("")
	if err != nil {
		return err
	}
	o, err := x.look()
	if err != nil {
		return err
	}
	members := map[string]*mask.LineMember{}
	for i := range lines {
		for k := range lines[i].Members {
			m := &lines[i].Members[k]
			if was := members[m.Employee]; was == nil || !was.Queued {
				members[m.Employee] = m
			}
		}
	}
	answer := x.session.List(x.m, "Agents will follow")
	for _, who := range o.book.Colleagues {
		m := members[who.ID]
		if m == nil {
			continue
		}
		row := ami.NewEvent("Agents", 0).Append("Agent", agentID(who.Numbers, who.ID)).Append("Name", printable(m.Name))
		c, talks := o.talking(who.ID)
		switch {
		case !m.Queued:
			row.Append("Status", "AGENT_LOGGEDOFF")
		case talks:
			row.Append("Status", "AGENT_ONCALL").Append("TalkingToChan", o.mate(c)).Append("CallStarted", strconv.FormatInt(c.Since.Unix(), 10)).
				Append("LoggedInTime", "0")
			c.snapshot(row, "", x.cfg.Context)
		default:
			row.Append("Status", "AGENT_IDLE").Append("LoggedInTime", "0")
		}
		answer.RowTail(row)
	}
	return answer.Complete(ami.NewEvent("AgentsComplete", 0))
}

// agentID is by what an employee is known as an agent.
func agentID(numbers []string, id string) string {
	if len(numbers) > 0 {
		return numbers[0]
	}
	return id
}

// talking is the first channel of an employee's that is up.
func (o *office) talking(employee string) (channel, bool) {
	for i := range o.view.All {
		if c := (channel{&o.view.All[i]}); c.Employee == employee && c.State == mask.ChannelUp {
			return c, true
		}
	}
	return channel{}, false
}

// mate is the channel that is shown in one bridge with another, if it is one.
func (o *office) mate(c channel) string {
	mate := nobodyShown
	for i := range o.view.All {
		m := channel{&o.view.All[i]}
		if c.Bridge == "" || m.Bridge != c.Bridge || m.ID == c.ID {
			continue
		}
		if mate != nobodyShown {
			return nobodyShown
		}
		mate = m.name()
	}
	return mate
}
