package pbx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A model is the PBX as a recorded stream tells it, read without the code that is under test: the last that each event said of each channel
// and bridge, and who dials whom. It is what the table is held against, and it answers for the PBX where a test takes a snapshot in the middle
// of a stream.
type model struct {
	channels map[string]modelChannel
	bridges  map[string]modelBridge
	dials    map[[2]string]bool // caller and dialled leg; true: answered
	linked   map[string]string
	answered map[string]time.Time
	gone     map[string]bool
	hungUp   map[string]bool // the phone is gone, the channel not yet
}

type modelChannel struct {
	ID, Name, State string
	raw             jsonText
}

type modelBridge struct {
	ID       string
	Type     string `json:"bridge_type"`
	Channels []string
	raw      jsonText
}

type modelEvent struct {
	Type       string
	Channel    jsonText
	Caller     jsonText
	Peer       jsonText
	Replaced   jsonText `json:"replace_channel"`
	Bridge     jsonText
	BridgeFrom jsonText `json:"bridge_from"`
	DialStatus string
	SecondLeg  jsonText `json:"transferer_second_leg"`
	Transferee jsonText
	Soft       bool
}

func newModel() *model {
	return &model{
		channels: map[string]modelChannel{}, bridges: map[string]modelBridge{}, dials: map[[2]string]bool{},
		linked: map[string]string{}, answered: map[string]time.Time{}, gone: map[string]bool{}, hungUp: map[string]bool{},
	}
}

func (m *model) clone() *model {
	return &model{
		maps.Clone(m.channels), maps.Clone(m.bridges), maps.Clone(m.dials), maps.Clone(m.linked), maps.Clone(m.answered), maps.Clone(m.gone),
		maps.Clone(m.hungUp),
	}
}

// take reads one line of a stream.
func (m *model) take(t testing.TB, e *entry) {
	t.Helper()
	maps.Copy(m.linked, e.Linked)
	if e.ARI == nil {
		return
	}
	var ev modelEvent
	if err := json.Unmarshal(e.ARI, &ev); err != nil {
		t.Fatal(err)
	}
	channel, caller, peer := m.channel(t, ev.Channel, e.At), m.channel(t, ev.Caller, e.At), m.channel(t, ev.Peer, e.At)
	m.channel(t, ev.Replaced, e.At)
	m.bridge(t, ev.BridgeFrom)
	bridge := ""
	if ev.Type != "BridgeBlindTransfer" { // which has the bridge as it was before, and may come when one has left it
		bridge = m.bridge(t, ev.Bridge)
	}
	switch ev.Type {
	case "ChannelDestroyed":
		delete(m.channels, channel)
		m.gone[channel] = true
		maps.DeleteFunc(m.dials, func(d [2]string, _ bool) bool { return d[0] == channel || d[1] == channel })
	case "ChannelHangupRequest":
		m.hungUp[channel] = m.hungUp[channel] || !ev.Soft
	case "BridgeDestroyed":
		delete(m.bridges, bridge)
	case "BridgeAttendedTransfer": // to a phone that rings: who is left takes the place of who has dialled
		waits, left := m.channel(t, ev.SecondLeg, e.At), m.channel(t, ev.Transferee, e.At)
		for d, answered := range maps.Clone(m.dials) {
			if d[0] == waits && left != "" && !answered {
				delete(m.dials, d)
				m.dials[[2]string{left, d[1]}] = false
			}
		}
	case "Dial":
		d := [2]string{caller, peer}
		switch ev.DialStatus {
		case "", "RINGING", "PROGRESS", "PROCEEDING":
			if _, begun := m.dials[d]; !begun {
				m.dials[d] = false
			}
		case "ANSWER":
			m.dials[d] = true
		default:
			delete(m.dials, d)
		}
		if caller == "" {
			delete(m.dials, d)
		}
	}
	maps.DeleteFunc(m.dials, func(d [2]string, answered bool) bool { return answered && m.in(d[0]) != "" && m.in(d[1]) != "" })
}

func (m *model) channel(t testing.TB, raw jsonText, at time.Time) string {
	t.Helper()
	if raw == nil {
		return ""
	}
	c := modelChannel{raw: raw}
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	if !m.gone[c.ID] {
		if c.State == "Up" && m.answered[c.ID].IsZero() {
			m.answered[c.ID] = at
		}
		m.channels[c.ID] = c
	}
	return c.ID
}

func (m *model) bridge(t testing.TB, raw jsonText) string {
	t.Helper()
	if raw == nil {
		return ""
	}
	b := modelBridge{raw: raw}
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	m.bridges[b.ID] = b
	return b.ID
}

func (m *model) in(channel string) string {
	for id, b := range m.bridges {
		if slices.Contains(b.Channels, channel) {
			return id
		}
	}
	return ""
}

func isLocal(name string) bool { return strings.HasPrefix(name, "Local/") }
func isPhone(name string) bool { return strings.HasPrefix(name, "PJSIP/") }

// peers are the phones on the other side of a leg: in the same bridge, dialled or dialling, through Local channels and no other.
func (m *model) peers(leg string) map[string]bool {
	found, been := map[string]bool{}, map[string]bool{}
	var step func(id, came string)
	reach := func(id, came string) {
		c, ok := m.channels[id]
		switch {
		case !ok || id == leg:
		case isPhone(c.Name):
			found[id] = true
		case isLocal(c.Name) && !been[id+came]:
			been[id+came] = true
			step(id, came)
		}
	}
	step = func(id, came string) {
		if b, ok := m.bridges[m.in(id)]; ok && came != "bridge" && b.Type != "holding" && !slices.ContainsFunc(b.Channels, func(c string) bool {
			return strings.HasPrefix(m.channels[c].Name, "Snoop/")
		}) {
			for _, other := range b.Channels {
				if other != id {
					reach(other, "bridge")
				}
			}
		}
		for d := range m.dials {
			if d[1] == id && came != "down" {
				reach(d[0], "up")
			}
			if d[0] == id && came != "up" {
				reach(d[1], "down")
			}
		}
		if name := m.channels[id].Name; isLocal(name) && came != "half" {
			for other, c := range m.channels {
				if isLocal(c.Name) && c.Name != name && c.Name[:len(c.Name)-1] == name[:len(name)-1] {
					reach(other, "half")
				}
			}
		}
	}
	step(leg, "")
	return found
}

// A poll answers the requests of a snapshot as the PBX would that is asked piece by piece while calls go on.
type poll struct {
	channels, bridges, variables *model
	first                        map[string]string // the first linked id that AMI told of each channel; it tells later than ARI
}

func (p poll) linked(id string) string {
	if v := p.variables.linked[id]; v != "" {
		return v
	}
	return p.first[id]
}

func (p poll) RoundTrip(r *http.Request) (*http.Response, error) {
	var body any
	part := strings.Split(strings.TrimPrefix(r.URL.Path, "/ari/"), "/")
	switch {
	case r.URL.Path == "/ari/channels":
		list := []jsonText{}
		for _, id := range slices.Sorted(maps.Keys(p.channels.channels)) {
			list = append(list, p.channels.channels[id].raw)
		}
		body = list
	case r.URL.Path == "/ari/bridges":
		list := []jsonText{}
		for _, id := range slices.Sorted(maps.Keys(p.bridges.bridges)) {
			list = append(list, p.bridges.bridges[id].raw)
		}
		body = list
	case len(part) == 3 && part[0] == "channels" && part[2] == "variable":
		m, id := p.variables, part[1]
		if _, ok := m.channels[id]; ok {
			switch r.URL.Query().Get("variable") {
			case "CHANNEL(linkedid)":
				body = map[string]string{"value": p.linked(id)}
			case "CDR(answer,u)":
				body = map[string]string{"value": fmt.Sprintf("%.6f", float64(m.answered[id].UnixMicro())/1e6)}
			}
		}
	}
	res := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r}
	if body == nil {
		res.StatusCode, body = http.StatusNotFound, map[string]string{"message": "not found"}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(text))
	return res, nil
}
