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

func (d *demo) noRight(ctx context.Context) error {
	for _, employee := range []string{"anna", "pavel"} {
		who := vera
		if employee == "pavel" {
			who = stranger
		}
		if _, err := d.talk(ctx, who, employee); err != nil {
			return err
		}
	}
	if _, err := d.row(ctx, "boris", "anna", "talking"); err != nil {
		return err
	}
	say("boris asks to listen to anna")
	_, err := d.clients["boris"].Supervise(ctx, "anna", "spy")
	if err := refused(err, "no_right"); err != nil {
		return err
	}
	if _, err := d.row(ctx, "irina", "pavel", "talking"); err != nil {
		return err
	}
	say("irina asks to listen to pavel, who is in her except list")
	_, err = d.clients["irina"].Supervise(ctx, "pavel", "spy")
	if err := refused(err, "excluded"); err != nil {
		return err
	}
	say("irina asks to listen to somebody who does not exist")
	_, err = d.clients["irina"].Supervise(ctx, "nobody", "spy")
	return refused(err, "no_such_employee")
}

func (d *demo) protected(ctx context.Context) error {
	if _, _, err := d.internal(ctx, "maria", "anna"); err != nil {
		return err
	}
	if _, err := d.talk(ctx, secret, "boris"); err != nil {
		return err
	}
	if _, err := d.row(ctx, "irina", "anna", "talking"); err != nil {
		return err
	}
	say("irina asks to listen to anna, who talks with the protected director")
	_, err := d.clients["irina"].Supervise(ctx, "anna", "spy")
	if err := refused(err, "not_for_this_call"); err != nil {
		return err
	}
	// That boris talks with a protected number is hidden from irina, so the button is there; the answer gives nothing away.
	r, err := d.row(ctx, "irina", "boris", "talking", "spy", "whisper", "barge")
	if err != nil {
		return err
	}
	if len(r.Calls) != 1 || !r.Calls[0].Hidden {
		return fmt.Errorf("irina must not see with whom boris talks")
	}
	say("irina asks to listen to boris, who talks with a protected number")
	_, err = d.clients["irina"].Supervise(ctx, "boris", "spy")
	return refused(err, "not_for_this_call")
}

// masked compares what two watchers get of the same call, to the byte.
func (d *demo) masked(ctx context.Context) error {
	if _, err := d.talk(ctx, stranger, "anna"); err != nil {
		return err
	}
	for _, watcher := range []struct {
		id   string
		sees bool
	}{{"irina", true}, {"anna", true}, {"olga", false}} {
		var buttons []string
		if watcher.id == "irina" {
			buttons = []string{"spy", "whisper", "barge"}
		}
		if _, err := d.row(ctx, watcher.id, "anna", "talking", buttons...); err != nil {
			return err
		}
		var raw json.RawMessage
		if err := d.clients[watcher.id].Do(ctx, http.MethodGet, "/v1/employees", nil, &raw); err != nil {
			return err
		}
		for _, secret := range []string{stranger.number[1:], stranger.name} {
			if strings.Contains(string(raw), secret) != watcher.sees {
				return fmt.Errorf("whether %s is sent number and name of the caller should be %v", watcher.id, watcher.sees)
			}
		}
	}
	say("no byte of the number or the name is in what Olga is sent")
	return nil
}

func (d *demo) intercept(ctx context.Context) error {
	w, err := d.clients["anna"].Watch(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	out, err := d.site.Trunk.Dial(ctx, "74950000102", phone.As(vera.number, vera.name), phone.WithTone(vera.tone))
	if err != nil {
		return err
	}
	rings, err := d.site.Phones["boris"].Incoming(ctx)
	if err != nil {
		return err
	}
	if _, err := d.row(ctx, "sergei", "boris", "ringing"); err != nil {
		return err
	}
	if _, err := d.row(ctx, "anna", "boris", "ringing", "intercept"); err != nil {
		return err
	}
	offer, err := w.UntilOffer(ctx, func(i site.Incoming) bool { return i.CanAccept })
	if err != nil {
		return err
	}
	say("anna's banner:   %s %s is calling, rings at %s   [Accept]", offer.Client.Name, offer.Client.Number, offer.Target)
	say("sergei asks for the call")
	_, err = d.clients["sergei"].Intercept(ctx, "boris")
	if err := refused(err, "not_client"); err != nil {
		return err
	}
	say("anna accepts")
	d.site.Phones["anna"].SetReaction(phone.Reaction{Answer: true, After: 100 * time.Millisecond})
	s, err := d.clients["anna"].Intercept(ctx, offer.Target)
	if err != nil {
		return err
	}
	taken, err := d.site.Phones["anna"].Incoming(ctx)
	if err != nil {
		return err
	}
	say("anna's phone rings and shows %s %s", taken.Remote().Name, taken.Remote().Number)
	if taken.Remote().Number != vera.number {
		return fmt.Errorf("anna's phone should show the caller's number")
	}
	if _, err := w.UntilAct(ctx, s.ID, "taken"); err != nil {
		return err
	}
	if err := d.hears(ctx, "anna", taken, vera.tone); err != nil {
		return err
	}
	if err := d.hears(ctx, "customer", out, d.site.Phones["anna"].Tone()); err != nil {
		return err
	}
	if err := rings.WaitEnded(ctx); err != nil {
		return err
	}
	say("boris's phone rings no more")
	return w.Until(ctx, "the board shows it", func(s *site.Stream) bool {
		return s.Rows["anna"].State == "talking" && s.Rows["boris"].State == "idle"
	})
}

// dials has Anna's phone call from the panel.
func (d *demo) dials(ctx context.Context) error {
	client := d.clients["anna"]
	say("anna asks for a call to a number that is nobody's client")
	if err := refused(client.Call(ctx, stranger.number), "not_client"); err != nil {
		return err
	}
	say("anna asks for the same through a Local channel")
	if err := refused(client.Call(ctx, "Local/"+stranger.number+"@phones"), "not_client"); err != nil {
		return err
	}
	say("anna asks for a call to her client, as one dials him at home: 8 (916) 123-45-67")
	d.site.Phones["anna"].SetReaction(phone.Reaction{Answer: true, After: 100 * time.Millisecond})
	if err := client.Call(ctx, "8 (916) 123-45-67"); err != nil {
		return err
	}
	own, err := d.site.Phones["anna"].Incoming(ctx)
	if err != nil {
		return err
	}
	out, err := d.site.Trunk.Incoming(ctx)
	if err != nil {
		return err
	}
	out.SetTone(vera.tone)
	if err := out.Answer(ctx); err != nil {
		return err
	}
	if err := d.hears(ctx, "anna", own, vera.tone); err != nil {
		return err
	}
	if err := d.hears(ctx, "customer", out, own.Tone()); err != nil {
		return err
	}
	_, err = d.row(ctx, "irina", "anna", "talking", "spy", "whisper", "barge")
	return err
}
