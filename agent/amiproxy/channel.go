package amiproxy

import (
	"strings"

	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/ami"
)

// unknown is what Asterisk writes for a number or a name that it does not have.
const unknown = "<unknown>"

// channel is a channel of the model under the names that Asterisk has for what it tells. Nothing of it is known to the door that is not in the model.
type channel struct{ *mask.Channel }

// name is PJSIP/101-c…
func (c channel) name() string { return printable(c.FullName()) }

// technology is that of whose channel it is: PJSIP.
func (c channel) technology() string {
	technology, _, _ := strings.Cut(c.Endpoint, "/")
	return technology
}

// called reports whether a name or an id means the channel: the whole of it, in any case, as Asterisk does where it looks for one channel.
func (c channel) called(name string) bool {
	end := len(name) - len(c.ID) // before most names are made that are not the one
	return strings.EqualFold(c.ID, name) || end > 0 && strings.EqualFold(c.ID, name[end:]) && strings.EqualFold(c.name(), name)
}

// state is the channel's, in Asterisk's number and word.
func (c channel) state() (number, word string) { return c.StateNumber(), c.StateWord() }

// other is who is on the other side.
func (c channel) other() (number, name string) {
	p := c.Connected()
	if p == nil {
		return unknown, unknown
	}
	return orUnknown(p.Number), orUnknown(p.Name)
}

// exten is where in the dialplan the channel is.
func (c channel) exten() string { return printable(c.Exten()) }

// application is what the channel does in the dialplan.
func (c channel) application() (app, data string) {
	app, data = c.Application()
	return app, printable(data)
}

func orUnknown(s string) string {
	if s == "" {
		return unknown
	}
	return printable(s)
}

// printable makes a text one that can stand in a field. What the network claims of itself may hold anything.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

// snapshot appends the fields that every event about a channel has, in Asterisk's order (main/manager_channels.c,
// ast_manager_build_channel_state_string_prefix), under names that begin with prefix.
func (c channel) snapshot(m *ami.Message, prefix, context string) *ami.Message {
	state, word := c.state()
	number, name := c.other()
	for _, f := range [...][2]string{
		{"Channel", c.name()},
		{"ChannelState", state},
		{"ChannelStateDesc", word},
		{"CallerIDNum", orUnknown(c.Number)},
		{"CallerIDName", orUnknown(c.Name)},
		{"ConnectedLineNum", number},
		{"ConnectedLineName", name},
		{"Language", "en"},
		{"AccountCode", ""},
		{"Context", context},
		{"Exten", c.exten()},
		{"Priority", "1"},
		{"Uniqueid", c.ID},
		{"Linkedid", c.LinkedID()},
	} {
		m.Append(prefix+f[0], f[1])
	}
	return m
}
