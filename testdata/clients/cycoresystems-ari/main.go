// Command cycoresystems-ari drives CyCoreSystems/ari as driver.js says.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"sync"

	"github.com/CyCoreSystems/ari/v5"
	"github.com/CyCoreSystems/ari/v5/client/native"
)

// order is a line on standard input.
type order struct {
	Do, ID, What           string
	URL, User, Secret, App string
	Given                  given
}

// given is what an operation takes.
type given struct{ ID, Endpoint, App, Bridge, Channel, Media, Playback, Spy, Whisper string }

var out struct {
	sync.Mutex
	*json.Encoder
}

func say(said map[string]any) {
	out.Lock()
	defer out.Unlock()
	_ = out.Encode(said)
}

type rows []any

// each is what the library hands over of each thing that is there. One that is gone between two questions is left out.
func each[T any](keys []*ari.Key, err error, data func(*ari.Key) (T, error)) (any, error) {
	all := rows{}
	for _, k := range keys {
		if d, err := data(k); err == nil {
			all = append(all, d)
		}
	}
	return all, err
}

// made is a thing that the library has made, by the id that it has given to it.
func made(thing interface{ ID() string }, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return map[string]any{"id": thing.ID()}, nil
}

func channel(id string) *ari.Key { return ari.NewKey(ari.ChannelKey, id) }
func bridge(id string) *ari.Key  { return ari.NewKey(ari.BridgeKey, id) }

var operations = map[string]func(c ari.Client, g given) (any, error){
	"channels": func(c ari.Client, _ given) (any, error) {
		keys, err := c.Channel().List(nil)
		return each(keys, err, c.Channel().Data)
	},
	"bridges": func(c ari.Client, _ given) (any, error) {
		keys, err := c.Bridge().List(nil)
		return each(keys, err, c.Bridge().Data)
	},
	"endpoints": func(c ari.Client, _ given) (any, error) {
		keys, err := c.Endpoint().List(nil)
		return each(keys, err, c.Endpoint().Data)
	},
	"channel": func(c ari.Client, g given) (any, error) { return c.Channel().Data(channel(g.ID)) },
	"originate": func(c ari.Client, g given) (any, error) {
		return made(c.Channel().Originate(nil, ari.OriginateRequest{Endpoint: g.Endpoint, App: g.App, Timeout: 20}))
	},
	"create": func(c ari.Client, _ given) (any, error) { return made(c.Bridge().Create(bridge(""), "mixing", "")) },
	"add": func(c ari.Client, g given) (any, error) {
		return nil, c.Bridge().AddChannel(bridge(g.Bridge), g.Channel)
	},
	"remove": func(c ari.Client, g given) (any, error) {
		return nil, c.Bridge().RemoveChannel(bridge(g.Bridge), g.Channel)
	},
	"destroy": func(c ari.Client, g given) (any, error) { return nil, c.Bridge().Delete(bridge(g.Bridge)) },
	"play":    func(c ari.Client, g given) (any, error) { return made(c.Bridge().Play(bridge(g.Bridge), "", g.Media)) },
	"stop": func(c ari.Client, g given) (any, error) {
		return nil, c.Playback().Stop(ari.NewKey(ari.PlaybackKey, g.Playback))
	},
	"snoop": func(c ari.Client, g given) (any, error) {
		return made(c.Channel().Snoop(channel(g.ID), "", &ari.SnoopOptions{App: g.App, Spy: ari.Direction(g.Spy), Whisper: ari.Direction(g.Whisper)}))
	},
	"hangup": func(c ari.Client, g given) (any, error) { return nil, c.Channel().Hangup(channel(g.ID), "") },
}

func connect(o order) ari.Client {
	root := strings.TrimSuffix(o.URL, "/") + "/ari"
	c := native.New(&native.Options{
		Application: o.App, SubscribeAll: true, Username: o.User, Password: o.Secret,
		URL: root, WebsocketURL: strings.Replace(root, "http", "ws", 1) + "/events",
	})
	// The library tries for ever to open the events, so whether it may is asked first.
	if _, err := c.Asterisk().Info(nil); err != nil {
		say(map[string]any{"say": "refused", "why": err.Error()})
		return nil
	}
	if err := c.Connect(); err != nil {
		say(map[string]any{"say": "refused", "why": err.Error()})
		return nil
	}
	all := c.Bus().Subscribe(&ari.Key{}, ari.Events.All)
	go func() {
		for e := range all.Events() {
			say(map[string]any{"say": "event", "fields": e})
		}
	}()
	say(map[string]any{"say": "in"})
	return c
}

func answer(c ari.Client, o order) {
	result, err := operations[o.What](c, o.Given)
	said := map[string]any{"say": "answer", "id": o.ID, "ok": err == nil}
	switch result := result.(type) {
	case rows:
		said["rows"] = result
	default:
		said["fields"] = result
	}
	if err != nil {
		said["why"] = err.Error()
	}
	say(said)
}

func main() {
	out.Encoder = json.NewEncoder(os.Stdout)
	var c ari.Client
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			panic(err)
		}
		switch o.Do {
		case "connect":
			c = connect(o)
		case "do":
			go answer(c, o)
		case "leave":
			c.Close()
			say(map[string]any{"say": "left"})
		}
	}
}
