package pbx

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ami"
)

// Join is the order to ring a phone which, once answered, is put into the bridge of a leg that talks: beside all who are there, or alone with that
// leg, which then leaves the others. Nobody is moved before the phone is answered.
type Join struct {
	Leg      call.LegID // the unique id that the phone's leg is to have; begins with Prefix
	Endpoint string
	With     string // the channel's name of the leg that talks
	Alone    bool
	Display  call.Identity // what the phone shows
	Timeout  time.Duration
}

// Join carries out a Join order. Asterisk's Bridge takes a leg out of its bridge in one step: it hears the phone, or whom it heard before, and
// never nobody; those whom it leaves are hung up once they are one. BridgeAdd comes to the bridge that is there, and when one of three leaves it
// the others go on. Both find their leg by the beginning of a name, and a whole one begins no other.
func (l *Link) Join(ctx context.Context, o Join) error {
	if !isChannel(o.With) {
		return errors.New("pbx: the channel's name cannot be given to the dialplan's application")
	}
	application := "BridgeAdd"
	if o.Alone {
		application = "Bridge"
	}
	c, err := l.manager()
	if err != nil {
		return err
	}
	m := ami.NewAction("Originate").
		Append("Channel", o.Endpoint).
		Append("Application", application).
		Append("Data", o.With).
		Append("CallerID", `"`+spoken(o.Display.Name)+`" <`+dialable(o.Display.Number)+`>`).
		Append("Timeout", strconv.FormatInt(o.Timeout.Milliseconds(), 10)).
		Append("ChannelId", string(o.Leg)).
		Append("Async", "true")
	_, err = c.Do(ctx, m)
	return err
}

// isChannel reports whether s is the whole name of a phone's channel, such as PJSIP/101-0000002a: an endpoint and at least eight hex digits
// (main/channel.c, chan_pjsip: "%s-%08lx").
func isChannel(s string) bool {
	i := strings.LastIndexByte(s, '-')
	return i > 0 && len(s)-i > 8 && isEndpoint(s[:i]) && strings.Trim(s[i+1:], "0123456789abcdef") == ""
}
