package ariproxy

import (
	"net/http"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// sees is all that the subject is shown now.
func (x *exchange) sees() (out gate.Channels, err error) {
	err = x.client.share.look(x.r.Context(), func() (err error) {
		out, err = x.view(x.who())
		return err
	})
	if err == nil && !out.Known {
		err = faultUnknownPBX
	}
	return out, err
}

// each answers with a list, an entry for each thing.
func each[T any](x *exchange, all []T, entry func(b []byte, one *T) []byte) error {
	b := []byte{'['}
	for i := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = entry(b, &all[i])
	}
	return x.answer(http.StatusOK, append(b, ']'))
}

// channels is GET /channels.
func (x *exchange) channels() error {
	view, err := x.sees()
	if err != nil {
		return err
	}
	e := x.estate()
	all := make([][]byte, 0, len(view.All))
	for i := range view.All {
		all = append(all, appendChannel(nil, e.names().channel(&view.All[i]), x.cfg.Context))
	}
	for _, c := range e.snoops() {
		all = append(all, c.text)
	}
	return each(x, all, func(b []byte, c *[]byte) []byte { return append(b, *c...) })
}

// channel is GET /channels/{channelId}: by the whole id, or the one that the client has chosen, and nothing else. What is not shown is not there.
func (x *exchange) channel() error {
	view, err := x.sees()
	if err != nil {
		return err
	}
	e, id := x.estate(), x.resolve(idChannel, x.vars[0])
	for i := range view.All {
		if view.All[i].ID == id {
			return x.answer(http.StatusOK, appendChannel(nil, e.names().channel(&view.All[i]), x.cfg.Context))
		}
	}
	for _, c := range e.snoops() {
		if c.id == id {
			return x.answer(http.StatusOK, c.text)
		}
	}
	return faultNoChannel
}

// bridgesOf are all that channels are shown in, in the order of their first channels. A bridge is as old as the first of them is in his state.
func bridgesOf(view *gate.Channels) []bridge {
	var all []bridge
	at := map[string]int{}
	for i := range view.All {
		c := &view.All[i]
		if c.Bridge == "" {
			continue
		}
		k, ok := at[c.Bridge]
		if !ok {
			k = len(all)
			at[c.Bridge] = k
			all = append(all, bridge{id: c.Bridge, since: c.Since})
		}
		o := &all[k]
		o.in = append(o.in, c.ID)
		if c.Since.Before(o.since) {
			o.since = c.Since
		}
		if c.App == mask.AppConfBridge {
			o.room, o.creator, o.name = true, mask.AppConfBridge, c.Room
		}
	}
	for _, p := range view.Parked {
		if k, ok := at[view.All[p.Channel].Bridge]; ok {
			all[k].kind, all[k].creator, all[k].name = holding, "Parking", p.Lot
		}
	}
	return all
}

// bridges is GET /bridges.
func (x *exchange) bridges() error {
	view, err := x.sees()
	if err != nil {
		return err
	}
	return each(x, x.estate().ownBridges(bridgesOf(&view)), appendBridge)
}

// bridge is GET /bridges/{bridgeId}.
func (x *exchange) bridge() error {
	view, err := x.sees()
	if err != nil {
		return err
	}
	e := x.estate()
	all, id := e.ownBridges(bridgesOf(&view)), e.names().shown(idBridge, x.resolve(idBridge, x.vars[0]))
	for i := range all {
		if all[i].id == id {
			return x.answer(http.StatusOK, appendBridge(nil, &all[i]))
		}
	}
	return faultNoBridge
}

// phone is an endpoint of an employee's with the channels that are shown on it. What he does is told of the first of his.
type phone struct {
	endpoint string
	channels []string
	state    string // of the device
}

// phones are those of the employees for whom keep holds. A trunk is nobody's, and is not there.
func (x *exchange) phones(keep func(endpoint string) bool) ([]phone, error) {
	view, err := x.sees()
	if err != nil {
		return nil, err
	}
	names, on := x.estate().names(), map[string][]string{}
	for i := range view.All {
		on[view.All[i].Endpoint] = append(on[view.All[i].Endpoint], names.shown(idChannel, view.All[i].ID))
	}
	var all []phone
	for i := range view.Presence {
		owner, _ := x.cfg.Gate.Colleague(view.Presence[i].Employee)
		for n, endpoint := range owner.Phones {
			if !keep(endpoint) {
				continue
			}
			state := deviceIdle
			if n == 0 {
				state = deviceState(&view.Presence[i])
			}
			all = append(all, phone{endpoint, on[endpoint], state})
		}
	}
	return all, nil
}

func (x *exchange) listPhones(all []phone, err error) error {
	if err != nil {
		return err
	}
	return each(x, all, func(b []byte, p *phone) []byte { return appendEndpoint(b, p.endpoint, p.channels) })
}

// endpoints is GET /endpoints.
func (x *exchange) endpoints() error {
	return x.listPhones(x.phones(func(string) bool { return true }))
}

// endpointsByTech is GET /endpoints/{tech}, which Asterisk takes in any case.
func (x *exchange) endpointsByTech() error {
	known := false
	all, err := x.phones(func(endpoint string) bool {
		technology, _, _ := strings.Cut(endpoint, "/")
		known = known || strings.EqualFold(technology, x.vars[0])
		return strings.EqualFold(technology, x.vars[0])
	})
	if err == nil && !known {
		err = faultNoTechnology
	}
	return x.listPhones(all, err)
}

// endpoint is GET /endpoints/{tech}/{resource}.
func (x *exchange) endpoint() error {
	all, err := x.phones(func(endpoint string) bool { return endpoint == x.vars[0]+"/"+x.vars[1] })
	switch {
	case err != nil:
		return err
	case len(all) == 0:
		return faultNoEndpoint
	}
	return x.answer(http.StatusOK, appendEndpoint(nil, all[0].endpoint, all[0].channels))
}

// deviceStates is GET /deviceStates: Asterisk lists there what applications have set, which none can here.
func (x *exchange) deviceStates() error { return x.answer(http.StatusOK, []byte("[]")) }

// deviceState is GET /deviceStates/{deviceName}, of employees' phones. Of any other device Asterisk's answer is that of one that is not there.
func (x *exchange) deviceState() error {
	name := x.vars[0]
	all, err := x.phones(func(endpoint string) bool { return endpoint == name })
	switch {
	case err != nil:
		return err
	case len(all) == 0:
		return x.answer(http.StatusOK, appendDevice(nil, name, deviceUnknown))
	}
	return x.answer(http.StatusOK, appendDevice(nil, name, all[0].state))
}

// ping is GET /asterisk/ping.
func (x *exchange) ping() error {
	b := appendTime(append(member([]byte(`{"ping":"pong"`), "asterisk_id", entityID), `,"timestamp":`...), x.cfg.Clock())
	return x.answer(http.StatusOK, append(b, '}'))
}

// info is GET /asterisk/info. It says Asterisk 22, whose forms the door has, and nothing of the machine that the PBX runs on.
func (x *exchange) info() error {
	begun := string(appendTime(nil, x.begun))
	sections := []struct{ name, text string }{
		{"build", `{"os":"","kernel":"","machine":"","options":"","date":"","user":""}`},
		{"system", string(append(member(mask.AppendString([]byte(`{"version":`), "22.0.0 (Earshot "+x.cfg.Version+")"), "entity_id", entityID), '}'))},
		{"config", `{"name":"","default_language":"en","setid":{"user":"","group":""}}`},
		{"status", `{"startup_time":` + begun + `,"last_reload_time":` + begun + `}`},
	}
	only, asked := x.q.params["only"]
	wanted := strings.Split(strings.ToLower(only), ",")
	var b []byte
	for _, s := range sections {
		if asked && !slices.Contains(wanted, s.name) {
			continue
		}
		b = append(append(append(append(b, ',', '"'), s.name...), '"', ':'), s.text...)
	}
	if len(b) == 0 {
		return x.answer(http.StatusOK, []byte("{}"))
	}
	b[0] = '{'
	return x.answer(http.StatusOK, append(b, '}'))
}
