package mask

import "strings"

// What Asterisk calls what a channel has, in whichever of its protocols it is told. Nothing of it is from elsewhere than the channel.

// The applications of which more is told than the name.
const (
	AppConfBridge = "ConfBridge" // in which a conference is held
	AppQueue      = "Queue"      // in which callers wait on a line
)

// FullName is PJSIP/101-c…: whose channel it is, and the handle that this subject has for it.
func (c *Channel) FullName() string { return c.Endpoint + "-" + c.ID }

// StateNumber is the state's number (include/asterisk/channelstate.h).
func (c *Channel) StateNumber() string {
	switch c.State {
	case ChannelRing:
		return "4"
	case ChannelRinging:
		return "5"
	case ChannelUp:
		return "6"
	default:
		return "0"
	}
}

// StateWord is the state in a word (main/channelstate.c, ast_state2str).
func (c *Channel) StateWord() string {
	switch c.State {
	case ChannelRing:
		return "Ring"
	case ChannelRinging:
		return "Ringing"
	case ChannelUp:
		return "Up"
	default:
		return "Down"
	}
}

// Connected is who is on the other side; nil for nobody. In a conference there is nobody in particular, and who waits in a queue is connected with
// nobody yet, whose phone ever rings.
func (c *Channel) Connected() *Party {
	if c.App == AppConfBridge || c.App == AppQueue && c.Bridge == "" {
		return nil
	}
	return c.Peer
}

// Exten is where in the dialplan the channel is: at what it has dialled, or, while it rings, at the number that rings it. Once it is answered one that
// was rung is nowhere.
func (c *Channel) Exten() string {
	switch {
	case c.Out:
		return c.Dialled
	case c.State == ChannelUp:
		return ""
	default:
		return c.Number
	}
}

// Application is what the channel does in the dialplan, with as much of what it was told as the model has: one that was rung does nothing of its own.
// Of a channel whose other side is hidden the direction alone says it.
func (c *Channel) Application() (app, data string) {
	switch app = c.App; {
	case app == "" && c.Out:
		return "Dial", ""
	case app == "":
		app = "AppDial"
	}
	switch {
	case strings.HasPrefix(app, "App"):
		return app, "(Outgoing Line)"
	case app == AppQueue:
		return app, c.Queue
	case app == AppConfBridge:
		return app, c.Room
	default:
		return app, ""
	}
}

// LinkedID is the id by which the channels of a call are tied; of one that is shown alone it is its own.
func (c *Channel) LinkedID() string {
	if c.Linked == "" {
		return c.ID
	}
	return c.Linked
}

// EmployeesLeg is the channel of an employee's, of all that a watcher is shown, that a command on a channel is about: the channel itself, or, where it is that
// of somebody outside, the one colleague's on the other side. It is nil where several could be meant, or nobody.
func EmployeesLeg(all []Channel, c *Channel) *Channel {
	if c.Employee != "" {
		return c
	}
	for _, tied := range [...]func(o *Channel) bool{
		func(o *Channel) bool { return c.Bridge != "" && o.Bridge == c.Bridge },
		func(o *Channel) bool { return o.DialledBy == c.ID || c.DialledBy == o.ID },
		func(*Channel) bool { return true },
	} {
		var found []*Channel
		for i := range all {
			if o := &all[i]; o.Employee != "" && o.LinkedID() == c.LinkedID() && tied(o) {
				found = append(found, o)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0]
		default:
			return nil
		}
	}
	return nil
}
