package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent"
)

// follower keeps the events of one ARI stream.
type follower struct {
	mu  sync.Mutex
	all []object
}

// follows opens an event stream: as an employee at Earshot's door, or past Earshot at the PBX.
func (o *office) follows(base, app, user, password string) *follower {
	o.Helper()
	query := url.Values{"app": {app}, "subscribeAll": {"true"}, "api_key": {user + ":" + password}}
	conn, _, err := websocket.Dial(o.ctx, strings.Replace(base, "http", "ws", 1)+"/events?"+query.Encode(), nil)
	o.must(err)
	conn.SetReadLimit(1 << 20)
	f := &follower{}
	var reads sync.WaitGroup
	reads.Go(func() {
		for {
			_, text, err := conn.Read(context.Background())
			if err != nil {
				return
			}
			var e object
			if err := json.Unmarshal(text, &e); err != nil {
				e = object{"type": "broken: " + err.Error()}
			}
			f.mu.Lock()
			f.all = append(f.all, e)
			f.mu.Unlock()
		}
	})
	o.Cleanup(func() {
		_ = conn.CloseNow()
		reads.Wait()
	})
	return f
}

func (f *follower) events() []object {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.all)
}

// lives are the stories of employees' channels from when they are answered: by the phone and how many of its came before, the states, bridges, holds and
// the end. What is told before, and of trunks, is told in another order from call to call, or as long as an employee has to do with it.
func lives(all []object) (of map[string][]string, open int) {
	of = map[string][]string{}
	names, phones, held := map[string]string{}, map[string]int{}, map[string]bool{}
	for _, e := range all {
		id, kind := e.at("channel", "id"), e.at("type")
		phone := endpoint(e.at("channel", "name"))
		if resource, ok := strings.CutPrefix(phone, "PJSIP/"); !ok || !isEmployees(resource) {
			continue
		}
		if kind == "ChannelCreated" {
			phones[phone]++
			names[id] = fmt.Sprintf("%s#%d", phone, phones[phone])
			of[names[id]] = nil
			open++
		}
		line := kind
		switch kind {
		case "ChannelStateChange":
			if line = "is " + e.at("channel", "state"); line != "is Up" {
				continue
			}
		case "ChannelEnteredBridge":
			line += fmt.Sprintf(" %s of %d", e.at("bridge", "bridge_type"), len(e["bridge"].(map[string]any)["channels"].([]any)))
		case "ChannelLeftBridge":
		case "ChannelHold":
			held[id] = true
		case "ChannelUnhold":
			if !held[id] {
				continue // a phone that transfers says so where nobody is on hold
			}
			held[id] = false
		case "ChannelDestroyed":
			open--
			line += " " + e.at("cause") + " " + e.at("cause_txt")
		default:
			continue
		}
		of[names[id]] = append(of[names[id]], line)
	}
	return of, open
}

// untoldMembers are what Asterisk tells of an attended transfer beside what it must: to whom it was, who comes into the bridge by events of his own,
// and the bridges of the two legs before it.
var untoldMembers = []string{"transfer_target", "transferer_first_leg_bridge", "transferer_second_leg_bridge"}

// forms are those that events of each type have.
func forms(all []object) map[string][]string {
	of := map[string][]string{}
	for _, e := range all {
		e = maps.Clone(e)
		for _, name := range untoldMembers {
			delete(e, name)
		}
		if e.at("type") == "BridgeBlindTransfer" {
			delete(e, "bridge") // the transferer may have left it when AMI's word of the transfer comes
		}
		if kind, form := e.at("type"), e.form(); !slices.Contains(of[kind], form) {
			of[kind] = append(of[kind], form)
		}
	}
	return of
}

// To who sees everything Earshot's events tell the story that Asterisk's tell, in forms that Asterisk's have; who may see nobody is told of no one.
func TestTheARIDoorsEventsTellWhatThePBXTells(t *testing.T) {
	o := openLines(t, func(c *agent.Config) { c.ARI.Listen = "127.0.0.1:0" })
	addr, err := o.agent.ARIAddress(o.ctx)
	o.must(err)
	account, base := o.PBX.Site().Admin, "http://"+addr+"/ari"
	theirs, irina, nina := o.follows(o.PBX.ARI(), "control", account.User, account.Password), o.follows(base, "control", "irina", o.tokens["irina"]), o.follows(base, "control", "nina", o.tokens["nina"])
	played := 0
	for _, s := range amiScenes {
		if !slices.Contains([]string{"internal", "trunk in", "hold", "blind transfer", "attended transfer"}, s.name) {
			continue
		}
		played++
		o.scene(s.name, func(o *office) {
			s.play(o)
			o.until("both have told the same", func() error {
				want, open := lives(theirs.events())
				got, ours := lives(irina.events())
				if open != 0 || ours != 0 {
					return fmt.Errorf("%d and %d channels are open", open, ours)
				}
				var errs []error
				for of, story := range want {
					if !slices.Equal(story, got[of]) {
						errs = append(errs, fmt.Errorf("of %s Asterisk tells %q, and Earshot %q", of, story, got[of]))
					}
				}
				if len(got) != len(want) {
					errs = append(errs, fmt.Errorf("Asterisk tells of %d channels, and Earshot of %d", len(want), len(got)))
				}
				return errors.Join(errs...)
			})
		})
	}
	if played != 5 {
		t.Fatalf("%d scenes were played", played)
	}
	asterisks, ours := forms(theirs.events()), forms(irina.events())
	for kind, all := range ours {
		if kind == "DeviceStateChanged" {
			continue // Asterisk tells it to who has named the device alone
		}
		for _, form := range all {
			if !slices.Contains(asterisks[kind], form) {
				t.Errorf("a %s has the form\n%s\nand Asterisk's\n%s", kind, form, strings.Join(asterisks[kind], "\n"))
			}
		}
	}
	for _, kind := range []string{"ChannelCreated", "ChannelStateChange", "ChannelDestroyed", "ChannelConnectedLine", "ChannelHold", "ChannelUnhold", "Dial", "BridgeCreated", "BridgeDestroyed", "ChannelEnteredBridge", "ChannelLeftBridge", "BridgeBlindTransfer", "BridgeAttendedTransfer"} {
		if len(ours[kind]) == 0 || len(asterisks[kind]) == 0 {
			t.Errorf("of %s Earshot tells %d, and Asterisk %d", kind, len(ours[kind]), len(asterisks[kind]))
		}
	}
	hidden := nina.events()
	if text, err := json.Marshal(hidden); err != nil || len(hidden) < 20 || strings.Contains(string(text), stranger.number[1:]) || strings.Contains(string(text), stranger.name) || strings.Contains(string(text), "PJSIP/trunk") {
		t.Errorf("nina is told %s (%v)", text, err)
	}
	if text, _ := json.Marshal(irina.events()); !strings.Contains(string(text), stranger.number[1:]) {
		t.Error("irina is not told of the number, so that its absence would say nothing")
	}
}
