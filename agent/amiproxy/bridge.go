package amiproxy

import (
	"strconv"

	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/ami"
)

const (
	faultBridge   fault = "BridgeUniqueid must be provided"
	faultNoBridge fault = "Specified BridgeUniqueid not found"
)

// bridge is one bridge with the channels that the subject is shown in it.
type bridge struct {
	id, kind, technology, creator, name string
	channels                            []channel
}

// bridges are all that channels are shown in, in the order of their first channels. What a bridge is follows from what is done in it: two talk, somebody
// is parked, or a conference is held.
func (o *office) bridges() []bridge {
	var all []bridge
	at := map[string]int{}
	for i := range o.view.All {
		c := channel{&o.view.All[i]}
		if c.Bridge == "" {
			continue
		}
		k, ok := at[c.Bridge]
		if !ok {
			k = len(all)
			at[c.Bridge] = k
			all = append(all, bridge{id: c.Bridge, kind: "basic", technology: "simple_bridge", creator: unknown, name: unknown})
		}
		b := &all[k]
		b.channels = append(b.channels, c)
		if c.App == mask.AppConfBridge {
			b.kind, b.technology, b.creator, b.name = "base", "softmix", mask.AppConfBridge, orUnknown(c.Room)
		}
	}
	for _, p := range o.view.Parked {
		if k, ok := at[o.view.All[p.Channel].Bridge]; ok {
			b := &all[k]
			b.kind, b.technology, b.creator, b.name = "parking", "holding_bridge", "Parking", orUnknown(p.Lot)
		}
	}
	return all
}

// describe appends the fields that every event about a bridge has, in Asterisk's order (main/manager_bridges.c, ast_manager_build_bridge_state_string_prefix).
// How many are in it counts those who are shown.
func (b *bridge) describe(m *ami.Message) *ami.Message {
	return m.Append("BridgeUniqueid", b.id).Append("BridgeType", b.kind).Append("BridgeTechnology", b.technology).Append("BridgeCreator", b.creator).
		Append("BridgeName", b.name).Append("BridgeNumChannels", strconv.Itoa(len(b.channels))).Append("BridgeVideoSourceMode", "none")
}

// bridgeList is BridgeList. BridgeType is compared with the technology, as Asterisk does.
func (x *exchange) bridgeList() error {
	o, err := x.look()
	if err != nil {
		return err
	}
	only := x.m.Get("BridgeType")
	answer := x.session.List(x.m, "Bridge listing will follow")
	for _, b := range o.bridges() {
		if only == "" || only == b.technology {
			answer.Row(b.describe(ami.NewEvent("BridgeListItem", 0)))
		}
	}
	return answer.Complete(ami.NewEvent("BridgeListComplete", 0))
}

// bridgeInfo is BridgeInfo.
func (x *exchange) bridgeInfo() error {
	id := x.m.Get("BridgeUniqueid")
	if id == "" {
		return faultBridge
	}
	o, err := x.look()
	if err != nil {
		return err
	}
	for _, b := range o.bridges() {
		if b.id != id {
			continue
		}
		answer := x.session.List(x.m, "Bridge channel listing will follow")
		for _, c := range b.channels {
			answer.Row(c.snapshot(ami.NewEvent("BridgeInfoChannel", 0), "", x.cfg.Context))
		}
		return answer.Complete(b.describe(ami.NewEvent("BridgeInfoComplete", 0)))
	}
	return faultNoBridge
}
