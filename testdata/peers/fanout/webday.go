package fanout

import (
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
)

// day is what happens at a company: customers wait, and one after the other rings at an employee's, who answers; the call that was answered ten calls
// ago ends. Each is one change, of which the PBX tells by one event, but for a call that comes: there the leg is told of before it is dialled.
type day struct {
	waiting []call.Event
	calls   [40]struct{ rings, talks, holds, ends []call.Event }
	step    int
}

func newDay() *day {
	d := &day{}
	for i := range d.calls {
		id, endpoint, exten := fmt.Sprint(i), fmt.Sprintf("PJSIP/%d", 1000+2*i), fmt.Sprint(1000+2*i)
		out, in := call.Identity{Name: fmt.Sprintf("Caller %d", i), Number: call.Number(fmt.Sprintf("+7916%07d", i))}, call.Identity{Number: call.Number(exten)}
		trunk, phone := leg(id+".t", "PJSIP/trunk", call.StateRing, out, call.Identity{}), leg(id+".p", endpoint, call.StateDown, in, out)
		trunk.Exten, trunk.App, phone.App = exten, "Dial", "AppDial"
		up := leg(id+".p", endpoint, call.StateUp, in, out)
		d.waiting = append(d.waiting, call.Event{Kind: call.LegSeen, Channel: trunk, At: at(10)})
		c := &d.calls[i]
		c.rings = []call.Event{{Kind: call.LegSeen, Channel: phone, At: at(10)}, {Kind: call.DialBegan, Channel: trunk, Peer: phone, Dialled: exten, At: at(10)}}
		c.talks = []call.Event{{Kind: call.LegSeen, Channel: up, At: at(15)}}
		c.holds = []call.Event{{Kind: call.LegHeld, Channel: up, At: at(17)}}
		c.ends = []call.Event{{Kind: call.LegGone, Channel: call.Channel{ID: call.LegID(id + ".p")}, At: at(20)}}
	}
	return d
}

// changes is how many there are until each employee who is called has been told of in each way.
func (d *day) changes() int { return 3 * len(d.calls) }

// next is what the PBX tells of the next change.
func (d *day) next() []call.Event {
	round, kind := d.step/3, d.step%3
	d.step++
	c := &d.calls[round%len(d.calls)]
	switch {
	case kind == 0:
		// The ids come again, as those of other channels.
		created := start.Add(time.Duration(round) * time.Millisecond)
		c.rings[0].Channel.Created, c.rings[1].Peer.Created, c.talks[0].Channel.Created = created, created, created
		return c.rings
	case kind == 1:
		return c.talks
	case round < 10:
		return c.holds
	}
	return d.calls[(round-10)%len(d.calls)].ends
}
