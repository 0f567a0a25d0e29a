package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// tour walks through what several Earshots do as one. Each step says what should be true and returns an error if it is not.
func (c *cluster) tour(ctx context.Context) error {
	err := walk(ctx, []step{
		{"The policy stands at north alone: a change of it is in force at all three", c.policyChange},
		{"A call on west is on the boards of north and south: Irina sees with whom, Sergei does not", c.oneBoard},
		{"A call from north to west goes over the trunk, and both boards say who talks with whom", c.across},
		{"Anna, whose phone is on north, calls her client from a panel at west", c.clickAcross},
		{"Irina, at a panel of south, listens to Boris on north, where her phone is, and may not listen to Gleb on west, where it is not", c.listenAcross},
		{"Anna, at a panel of west, takes her client's call that rings at Boris on north", c.interceptAcross},
		{"Anna locks her call at north: each panel of hers says so, and nobody listens to it from anywhere", c.lockAcross},
		{"The policy is edited at north: a supervision on south ends", c.editedAcross},
		{"The Earshot at west is killed: its calls leave the boards, and are back when it is", c.sidecarKilled},
		{"Redis is killed: what runs beside a PBX goes on, of the others nothing is known and nothing is asked; then it is back", c.redisKilled},
		{"A second Earshot for north is refused", c.second},
		{"How soon the panels show a call's change, and what it costs Redis", c.changes},
	}, c.quiet)
	if err != nil {
		return err
	}
	c.measured.table()
	return nil
}

// oneBoard has an outside party talk with Gleb on west while others watch elsewhere.
func (c *cluster) oneBoard(ctx context.Context) error {
	t, err := c.at["west"].talk(ctx, stranger, "gleb")
	if err != nil {
		return err
	}
	for _, watcher := range []struct {
		pbx, id string
		sees    bool
	}{{"west", "irina", true}, {"north", "irina", true}, {"south", "irina", true}, {"north", "sergei", false}, {"south", "sergei", false}} {
		if err := c.sees(ctx, watcher.pbx, watcher.id, watcher.sees); err != nil {
			return err
		}
	}
	say("no byte of the number or the name is in what Sergei is sent")
	if err := t.inside.Hold(ctx); err != nil {
		return err
	}
	if _, err := c.at["north"].row(ctx, "irina", "gleb", "held"); err != nil {
		return err
	}
	if err := t.inside.Unhold(ctx); err != nil {
		return err
	}
	if _, err := c.at["north"].row(ctx, "irina", "gleb", "talking"); err != nil {
		return err
	}
	if err := t.outside.Hangup(ctx); err != nil {
		return err
	}
	_, err = c.at["north"].row(ctx, "irina", "gleb", "idle")
	return err
}

// sees makes sure of what a watcher at a PBX is sent of Gleb's call with the stranger. Nobody there may listen: Irina's phone is on north.
func (c *cluster) sees(ctx context.Context, pbx, watcher string, whom bool) error {
	d := c.at[pbx]
	r, err := d.row(ctx, watcher, "gleb", "talking")
	if err != nil {
		return err
	}
	if len(r.Calls) != 1 || r.Calls[0].Hidden == whom || whom && (r.Calls[0].Peer == nil || r.Calls[0].Peer.Number != stranger.number) {
		return fmt.Errorf("%s at %s should see one call, and whether with whom should be %v: %+v", watcher, pbx, whom, r.Calls)
	}
	var raw json.RawMessage
	if err := d.clients[watcher].Do(ctx, http.MethodGet, "/v1/employees", nil, &raw); err != nil {
		return err
	}
	for _, secret := range []string{stranger.number[1:], stranger.name} {
		if strings.Contains(string(raw), secret) && !whom {
			return fmt.Errorf("%s at %s must not be sent number and name of the caller", watcher, pbx)
		}
	}
	return nil
}

// between has an employee call another on a second PBX.
func (c *cluster) between(ctx context.Context, from, to string) (out, in *phone.Call, err error) {
	if out, err = c.Phone(from).Dial(ctx, c.Phone(to).User()); err != nil {
		return nil, nil, err
	}
	if in, err = c.Phone(to).Incoming(ctx); err != nil {
		return nil, nil, err
	}
	if err = in.Answer(ctx); err != nil {
		return nil, nil, err
	}
	if err = out.WaitAnswered(ctx); err != nil {
		return nil, nil, err
	}
	if _, err = in.WaitHears(ctx, out.Tone()); err != nil {
		return nil, nil, err
	}
	_, err = out.WaitHears(ctx, in.Tone())
	return out, in, err
}

func (c *cluster) across(ctx context.Context) error {
	if _, _, err := c.between(ctx, "anna", "gleb"); err != nil {
		return err
	}
	for _, pbx := range []string{"south", "west"} {
		for who, other := range map[string]string{"anna": "gleb", "gleb": "anna"} {
			buttons := []string(nil)
			r, err := c.at[pbx].row(ctx, "maria", who, "talking", buttons...)
			if err != nil {
				return err
			}
			if len(r.Calls) != 1 || r.Calls[0].Peer == nil || r.Calls[0].Peer.Number != c.Phone(other).User() {
				return fmt.Errorf("maria at %s should see %s talk with %s: %+v", pbx, who, other, r.Calls)
			}
		}
	}
	return nil
}

func (c *cluster) clickAcross(ctx context.Context) error {
	c.Phone("anna").SetReaction(phone.Reaction{Answer: true, After: 100 * time.Millisecond})
	client := c.at["west"].clients["anna"]
	say("anna asks, at west, for a call to a number that is nobody's client")
	if err := refused(client.Call(ctx, stranger.number), "not_client"); err != nil {
		return err
	}
	say("anna asks, at west, for a call to her client")
	if err := client.Call(ctx, vera.number); err != nil {
		return err
	}
	own, err := c.Phone("anna").Incoming(ctx)
	if err != nil {
		return err
	}
	out, err := c.Sites["north"].Trunk.Incoming(ctx)
	if err != nil {
		return err
	}
	out.SetTone(vera.tone)
	if err := out.Answer(ctx); err != nil {
		return err
	}
	d := c.at["north"]
	if err := d.hears(ctx, "anna", own, vera.tone); err != nil {
		return err
	}
	return d.hears(ctx, "customer", out, own.Tone())
}

// listens has a supervisor ask at a PBX's panel, and waits until his phone, wherever it is, hears those who talk.
func (c *cluster) listens(ctx context.Context, pbx, who, target, mode string, voices ...phone.Tone) (*site.Stream, site.Supervision, *phone.Call, error) {
	var s site.Supervision
	client := c.at[pbx].clients[who]
	w, err := client.Watch(ctx)
	if err != nil {
		return nil, s, nil, err
	}
	fail := func(err error) (*site.Stream, site.Supervision, *phone.Call, error) {
		w.Close()
		return nil, s, nil, err
	}
	p := c.Phone(who)
	p.SetReaction(phone.Reaction{Answer: true, After: 100 * time.Millisecond})
	if s, err = client.Supervise(ctx, target, mode); err != nil {
		return fail(err)
	}
	call, err := p.Incoming(ctx)
	if err != nil {
		return fail(err)
	}
	if s, err = w.UntilAct(ctx, s.ID, "active"); err != nil {
		return fail(err)
	}
	if err := c.at[pbx].hears(ctx, who, call, voices...); err != nil {
		return fail(err)
	}
	return w, s, call, nil
}

func (c *cluster) listenAcross(ctx context.Context) error {
	south := c.at["south"]
	t, err := c.at["north"].talk(ctx, vera, "boris")
	if err != nil {
		return err
	}
	if _, err := c.at["west"].talk(ctx, stranger, "gleb"); err != nil {
		return err
	}
	if _, err := south.row(ctx, "irina", "boris", "talking", "spy", "whisper", "barge"); err != nil {
		return err
	}
	if _, err := south.row(ctx, "irina", "gleb", "talking"); err != nil {
		return err
	}
	w, s, sup, err := c.listens(ctx, "south", "irina", "boris", "spy", c.Phone("boris").Tone(), vera.tone)
	if err != nil {
		return err
	}
	defer w.Close()
	if s, err = south.clients["irina"].Change(ctx, s.ID, "whisper"); err != nil {
		return err
	}
	say("irina, at south: now %s", s.Mode)
	if err := south.hears(ctx, "boris", t.inside, vera.tone, sup.Tone()); err != nil {
		return err
	}
	if err := south.clients["irina"].End(ctx, s.ID); err != nil {
		return err
	}
	if err := south.over(ctx, w, s.ID, sup, "ended_by_supervisor"); err != nil {
		return err
	}
	for _, pbx := range []string{"south", "north", "west"} {
		say("irina asks, at %s, to listen to gleb on west", pbx)
		_, err = c.at[pbx].clients["irina"].Supervise(ctx, "gleb", "spy")
		if err := refused(err, "other_pbx"); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) interceptAcross(ctx context.Context) error {
	west := c.at["west"]
	w, err := west.clients["anna"].Watch(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	out, err := c.Sites["north"].Trunk.Dial(ctx, "74950000102", phone.As(vera.number, vera.name), phone.WithTone(vera.tone))
	if err != nil {
		return err
	}
	rings, err := c.Phone("boris").Incoming(ctx)
	if err != nil {
		return err
	}
	offer, err := w.UntilOffer(ctx, func(i site.Incoming) bool { return i.CanAccept })
	if err != nil {
		return err
	}
	say("anna's banner at west:   %s %s is calling, rings at %s   [Accept]", offer.Client.Name, offer.Client.Number, offer.Target)
	for who, code := range map[string]string{"irina": "not_client", "sergei": "other_pbx"} { // his phone is on south
		say("%s asks for the call, at west", who)
		_, err = west.clients[who].Intercept(ctx, "boris")
		if err := refused(err, code); err != nil {
			return err
		}
	}
	say("anna accepts, at west")
	c.Phone("anna").SetReaction(phone.Reaction{Answer: true, After: 100 * time.Millisecond})
	s, err := west.clients["anna"].Intercept(ctx, offer.Target)
	if err != nil {
		return err
	}
	taken, err := c.Phone("anna").Incoming(ctx)
	if err != nil {
		return err
	}
	if _, err := w.UntilAct(ctx, s.ID, "taken"); err != nil {
		return err
	}
	if err := west.hears(ctx, "anna", taken, vera.tone); err != nil {
		return err
	}
	if err := west.hears(ctx, "customer", out, taken.Tone()); err != nil {
		return err
	}
	if err := rings.WaitEnded(ctx); err != nil {
		return err
	}
	say("boris's phone rings no more")
	return c.everywhere(ctx, "sergei", "anna talks and boris does not", func(s *site.Stream) bool {
		return s.Rows["anna"].State == "talking" && s.Rows["boris"].State == "idle"
	})
}

func (c *cluster) lockAcross(ctx context.Context) error {
	if _, err := c.at["north"].talk(ctx, vera, "anna"); err != nil {
		return err
	}
	id, err := c.at["west"].clients["anna"].Lock(ctx)
	if err != nil {
		return err
	}
	say("anna has locked her call, at west")
	if err := c.everywhere(ctx, "anna", "the lock is on her row", func(s *site.Stream) bool {
		calls := s.Rows["anna"].Calls
		return len(calls) == 1 && calls[0].Locked
	}); err != nil {
		return err
	}
	for _, name := range site.PBXs {
		var list struct{ Locks []struct{ ID string } }
		if err := c.at[name].clients["anna"].Do(ctx, http.MethodGet, "/v1/locks", nil, &list); err != nil {
			return err
		}
		if len(list.Locks) != 1 || list.Locks[0].ID != id {
			return fmt.Errorf("anna's panel at %s has the locks %v, and not %s", name, list.Locks, id)
		}
		say("irina asks, at %s, to listen to anna", name)
		_, err = c.at[name].clients["irina"].Supervise(ctx, "anna", "spy")
		if err := refused(err, "not_for_this_call"); err != nil {
			return err
		}
	}
	if err := c.at["south"].clients["anna"].Do(ctx, http.MethodDelete, "/v1/locks/"+id, nil, nil); err != nil {
		return err
	}
	say("anna has taken the lock off, at south")
	return c.everywhere(ctx, "anna", "the lock is gone from her row", func(s *site.Stream) bool {
		calls := s.Rows["anna"].Calls
		return len(calls) == 1 && !calls[0].Locked
	})
}

// editedAcross takes a right away in the file at north while it is used on south.
func (c *cluster) editedAcross(ctx context.Context) error {
	const grant = "head:   {observe: department, listen: {to: department, allow: [spy, whisper]}"
	north, south := c.Sites["north"], c.at["south"]
	t, err := south.talk(ctx, stranger, "olga")
	if err != nil {
		return err
	}
	w, s, sup, err := c.listens(ctx, "south", "pavel", "olga", "spy", t.inside.Tone(), stranger.tone)
	if err != nil {
		return err
	}
	defer w.Close()
	saved := time.Now()
	if err := north.Edit("policy.yaml", grant, "head:   {observe: department"); err != nil {
		return err
	}
	if err := south.over(ctx, w, s.ID, sup, "no_right"); err != nil {
		return err
	}
	say("the phone on south was hung up %d ms after the file was saved at north", time.Since(saved).Milliseconds())
	if _, err := t.inside.WaitHears(ctx, stranger.tone); err != nil {
		return err
	}
	if err := north.Edit("policy.yaml", "head:   {observe: department", grant); err != nil {
		return err
	}
	_, err = south.row(ctx, "pavel", "olga", "talking", "spy", "whisper")
	return err
}
