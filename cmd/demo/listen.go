package main

import (
	"context"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

func (d *demo) spy(ctx context.Context) error     { return d.listen(ctx, "spy") }
func (d *demo) whisper(ctx context.Context) error { return d.listen(ctx, "whisper") }
func (d *demo) barge(ctx context.Context) error   { return d.listen(ctx, "barge") }

// listen has Irina supervise a call of Anna's with a customer and proves by tones who hears whom.
func (d *demo) listen(ctx context.Context, mode string) error {
	w, err := d.clients["irina"].Watch(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	t, err := d.talk(ctx, vera, "anna")
	if err != nil {
		return err
	}
	if _, err := d.row(ctx, "irina", "anna", "talking", "spy", "whisper", "barge"); err != nil {
		return err
	}
	asked := time.Now()
	s, sup, err := d.supervise(ctx, w, "irina", "anna", mode)
	if err != nil {
		return err
	}
	anna, irina := d.site.Phones["anna"].Tone(), d.site.Phones["irina"].Tone()
	if err := d.hears(ctx, "irina", sup, anna, vera.tone); err != nil {
		return err
	}
	say("%-9s heard it %d ms after asking, 100 ms of ringing included", "irina", time.Since(asked).Milliseconds())
	for _, side := range []struct {
		who    string
		call   *phone.Call
		other  phone.Tone // whom he talks with
		speaks bool       // whether the supervisor's voice may reach him
	}{{"anna", t.inside, vera.tone, mode != "spy"}, {"customer", t.outside, anna, mode == "barge"}} {
		if side.speaks {
			if err := d.hears(ctx, side.who, side.call, side.other, irina); err != nil {
				return err
			}
			continue
		}
		if err := side.call.DoesNotHear(ctx, irina, side.other, time.Second); err != nil {
			return fmt.Errorf("%s must not hear the supervisor: %w", side.who, err)
		}
		say("%-9s hears %s, and not irina", side.who, d.names([]phone.Tone{side.other}))
	}
	if err := d.clients["irina"].End(ctx, s.ID); err != nil {
		return err
	}
	return d.over(ctx, w, s.ID, sup, "ended_by_supervisor")
}

// modes has Irina go through the modes of one supervision.
func (d *demo) modes(ctx context.Context) error {
	w, err := d.clients["irina"].Watch(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	t, err := d.talk(ctx, vera, "anna")
	if err != nil {
		return err
	}
	s, sup, err := d.supervise(ctx, w, "irina", "anna", "spy")
	if err != nil {
		return err
	}
	anna, irina := d.site.Phones["anna"].Tone(), d.site.Phones["irina"].Tone()
	if err := d.hears(ctx, "irina", sup, anna, vera.tone); err != nil {
		return err
	}
	for _, mode := range []string{"whisper", "barge", "whisper", "spy"} {
		asked := time.Now()
		if s, err = d.clients["irina"].Change(ctx, s.ID, mode); err != nil {
			return err
		}
		say("now %-7s after %d ms", s.Mode, time.Since(asked).Milliseconds())
		heard := map[string]bool{"anna": mode != "spy", "customer": mode == "barge"}
		for who, c := range map[string]*phone.Call{"anna": t.inside, "customer": t.outside} {
			tones := []phone.Tone{vera.tone}
			if who == "customer" {
				tones[0] = anna
			}
			if heard[who] {
				tones = append(tones, irina)
			}
			if err := d.hears(ctx, who, c, tones...); err != nil {
				return err
			}
		}
		if err := d.hears(ctx, "irina", sup, anna, vera.tone); err != nil {
			return err
		}
		if lost := max(sup.Missing(anna, asked, time.Now()), sup.Missing(vera.tone, asked, time.Now())); lost > 5 {
			return fmt.Errorf("%d frames of 20 ms were lost in the change to %s", lost, mode)
		}
	}
	if err := d.clients["irina"].End(ctx, s.ID); err != nil {
		return err
	}
	return d.over(ctx, w, s.ID, sup, "ended_by_supervisor")
}

// over waits until a supervision has ended for a reason, and the supervisor's phone with it.
func (d *demo) over(ctx context.Context, w *site.Stream, id string, sup *phone.Call, reason string) error {
	s, err := w.UntilAct(ctx, id, "ended")
	if err != nil {
		return err
	}
	if s.Reason != reason {
		return fmt.Errorf("it should have ended because of %s, and ended because of %s", reason, s.Reason)
	}
	if err := sup.WaitEnded(ctx); err != nil {
		return err
	}
	say("ended: %s; the supervisor's phone is hung up", s.Reason)
	return nil
}

// joins has an excluded colleague brought into a supervised call by an attended transfer.
func (d *demo) joins(ctx context.Context) error {
	w, err := d.clients["irina"].Watch(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	out, in, err := d.internal(ctx, "boris", "anna")
	if err != nil {
		return err
	}
	if _, err := w.UntilState(ctx, "anna", "talking"); err != nil {
		return err
	}
	s, sup, err := d.supervise(ctx, w, "irina", "anna", "spy")
	if err != nil {
		return err
	}
	if err := d.hears(ctx, "irina", sup, d.site.Phones["anna"].Tone(), d.site.Phones["boris"].Tone()); err != nil {
		return err
	}
	if err := out.Hold(ctx); err != nil {
		return err
	}
	consultation, _, err := d.internal(ctx, "boris", "pavel")
	if err != nil {
		return err
	}
	if err := out.TransferTo(ctx, consultation); err != nil {
		return err
	}
	if _, err := in.WaitHears(ctx, d.site.Phones["pavel"].Tone()); err != nil {
		return fmt.Errorf("the transfer should have brought anna and pavel together: %w", err)
	}
	say("boris has handed anna over to pavel, whom irina may not listen to")
	if err := d.over(ctx, w, s.ID, sup, "not_for_this_call"); err != nil {
		return err
	}
	if heard := sup.HeardBetween(d.site.Phones["pavel"].Tone(), time.Time{}, time.Now()); len(heard) > 0 {
		return fmt.Errorf("irina heard pavel in %d windows of 100 ms", len(heard))
	}
	say("%-9s has not heard pavel at all", "irina")
	return nil
}

// internal has one employee call another, who answers.
func (d *demo) internal(ctx context.Context, from, to string) (out, in *phone.Call, err error) {
	if out, err = d.site.Phones[from].Dial(ctx, d.site.Phones[to].User()); err != nil {
		return nil, nil, err
	}
	if in, err = d.site.Phones[to].Incoming(ctx); err != nil {
		return nil, nil, err
	}
	if err = in.Answer(ctx); err != nil {
		return nil, nil, err
	}
	if err = out.WaitAnswered(ctx); err != nil {
		return nil, nil, err
	}
	_, err = in.WaitHears(ctx, d.site.Phones[from].Tone())
	return out, in, err
}

// edited takes the right away in the file while it is used.
func (d *demo) edited(ctx context.Context) error {
	const grant = "listen: {to: any, allow: [spy, whisper, barge], except: [pavel]}"
	w, err := d.clients["irina"].Watch(ctx)
	if err != nil {
		return err
	}
	defer w.Close()
	t, err := d.talk(ctx, vera, "anna")
	if err != nil {
		return err
	}
	s, sup, err := d.supervise(ctx, w, "irina", "anna", "barge")
	if err != nil {
		return err
	}
	anna, irina := d.site.Phones["anna"].Tone(), d.site.Phones["irina"].Tone()
	if err := d.hears(ctx, "irina", sup, anna, vera.tone); err != nil {
		return err
	}
	if err := d.hears(ctx, "anna", t.inside, vera.tone, irina); err != nil {
		return err
	}
	saved := time.Now()
	if err := d.site.Edit("policy.yaml", grant, "listen: false"); err != nil {
		return err
	}
	if err := d.over(ctx, w, s.ID, sup, "no_right"); err != nil {
		return err
	}
	say("the phone was hung up %d ms after the file was saved", time.Since(saved).Milliseconds())
	if err := t.inside.DoesNotHear(ctx, irina, vera.tone, 500*time.Millisecond); err != nil {
		return err
	}
	say("%-9s goes on talking, and hears irina no more", "anna")
	if _, err := d.clients["irina"].Supervise(ctx, "anna", "barge"); refused(err, "no_right") != nil {
		return refused(err, "no_right")
	}
	if err := d.site.Edit("policy.yaml", "listen: false", "listen: {{{"); err != nil {
		return err
	}
	if err := d.gauge(ctx, "earshot_policy_last_reload_successful 0"); err != nil {
		return err
	}
	say("a broken file changes nothing, and the gauge says so")
	if err := d.site.Edit("policy.yaml", "listen: {{{", grant); err != nil {
		return err
	}
	return d.gauge(ctx, "earshot_policy_last_reload_successful 1")
}
