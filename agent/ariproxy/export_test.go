package ariproxy

import (
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// Row is an operation of the table, for tests.
type Row struct {
	Label, Name, Why string
	Offered, Refused bool
	Acts             bool
	Takes            []string // its parameters
	Bounded          []string // those of them that are refused, or not taken with every text
}

// Operations is the table.
func Operations() (all []Row) {
	for _, o := range operations() {
		row := Row{o.label(), o.name, o.why, o.kind >= answered, o.kind == refused, o.kind >= acting, nil, nil}
		for _, p := range o.takes {
			row.Takes = append(row.Takes, p.name)
			if p.refused || p.fits != nil {
				row.Bounded = append(row.Bounded, p.name)
			}
		}
		all = append(all, row)
	}
	return all
}

// Stasis is what the door steers by.
type Stasis = stasis

// Steers has the door steer by another thing than the gate's.
func (s *Server) Steers(open func(auth.Subject, func(gate.StasisEvent)) (Stasis, error)) {
	s.opens = open
}

// Steering is one request that makes something, without a row of the table.
type Steering struct{ x *exchange }

// Ask is a request of somebody's.
func (s *Server) Ask(who auth.Subject) Steering {
	return Steering{&exchange{Server: s, client: &client{subject: who}}}
}

// Finish ends the request.
func (r Steering) Finish() { releaseAll(r.x.claims) }

// Stasis is x.stasis.
func (r Steering) Stasis(app string) (Stasis, error) { return r.x.stasis(app) }

// Holder is x.holder.
func (r Steering) Holder(channel string) (Stasis, bool) { return r.x.holder(channel) }

// Resolve is x.resolve of a channel.
func (r Steering) Resolve(id string) string { return r.x.resolve(idChannel, id) }

// Recorded is that of the client's estate, of a channel's.
func (r Steering) Recorded(kind, name, channel, state string) {
	r.x.estate().recorded(kind, &liveRecording{name: name, format: "wav", channel: channel, target: r.x.estate().target(channel, ""), state: state, seconds: 3})
}

// The kinds of objects.
const (
	AChannel  = idChannel
	ABridge   = idBridge
	APlayback = idPlayback
)

// Make claims an id, has something made, and binds it. Of a channel app launches it with args.
func (r Steering) Make(kind idKind, app, args, alias string, make func(Stasis) string) error {
	var c *claim
	var err error
	if kind == idChannel {
		c, err = r.x.launch(app, args, alias)
	} else {
		c, err = r.x.claim(kind, alias)
	}
	if err != nil {
		return err
	}
	st, err := r.x.stasis(app)
	if err != nil {
		return err
	}
	c.bind(make(st))
	return nil
}

// Christen is x.christen.
func (r Steering) Christen(bridge, name string) { r.x.christen(bridge, name) }

// Bridges are those of the client's that are known.
func (r Steering) Bridges() int {
	e := r.x.estate()
	e.lock.Lock()
	defer e.lock.Unlock()
	return len(e.bridges)
}

// Status is that of the answer.
func (f *fault) Status() int { return f.status }
