package amiproxy

import "github.com/earshot-pbx/earshot/agent/gate"

// find finds a channel that the subject is shown, by its name or id as he knows it, or, where a panel asks for him, as the panel is shown it itself: it
// lists as itself and acts for employees. What he is not shown there is not.
func (x *exchange) find(all []channel, name string) (channel, bool) {
	c, ok := find(all, name)
	if ok || x.client.panel == "" || !x.client.subject.Known() || x.client.subject.Employee() == x.who.Employee() {
		return c, ok
	}
	view, err := x.view(x.client.subject)
	if err != nil {
		return channel{}, false
	}
	shown := office{view: view}
	if c, ok = find(shown.channels(), name); !ok {
		return channel{}, false
	}
	return find(all, x.cfg.Gate.SameChannel(x.client.subject, c.ID, x.who))
}

// ownCall is the subject's own call that a channel is of: his own leg, or the other side of it, where he is shown that.
func (x *exchange) ownCall(all []channel, c channel) (call string, side gate.Side, ok bool) {
	if c.Employee == x.who.Employee() {
		return c.ID, gate.SideOwn, true
	}
	var own []channel
	for _, o := range all {
		tied := c.Bridge != "" && o.Bridge == c.Bridge || c.DialledBy == o.ID || o.DialledBy == c.ID
		if o.Employee == x.who.Employee() && tied && o.LinkedID() == c.LinkedID() {
			own = append(own, o)
		}
	}
	if len(own) != 1 {
		return "", "", false
	}
	return own[0].ID, gate.SideOther, true
}
