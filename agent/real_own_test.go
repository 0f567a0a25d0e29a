package agent_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// subject is an employee who has proven himself.
func (o *office) subject(employee string) auth.Subject {
	o.Helper()
	tokens, err := auth.OpenTokens(o.Path("tokens.yaml"), auth.Options{})
	o.must(err)
	s, err := tokens.Authenticate(o.ctx, auth.Credential{Token: o.tokens[employee]})
	o.must(err)
	return s
}

// handle is the id of the only call on an employee's row, once that is in this state.
func (o *office) handle(employee, state string) (id string) {
	o.Helper()
	o.until(employee+" is "+state, func() error {
		row, err := o.as(employee).Row(o.ctx, employee)
		if err != nil {
			return err
		}
		n := 0
		for _, c := range row.Calls {
			if c.State == state {
				id = c.ID
				n++
			}
		}
		if n != 1 {
			return fmt.Errorf("of %d calls %d are %s", len(row.Calls), n, state)
		}
		return nil
	})
	return id
}

// unseen makes sure, when what it returns is called, that the watchdog has taken nothing since for somebody's going past the gate.
func (o *office) unseen() func() {
	_, seen := o.caught(0)
	return func() {
		if found, _ := o.caught(seen); len(found) != 0 {
			o.Errorf("taken for somebody's going past the gate: %+v", found)
		}
	}
}

// deed is a method of the gate's for a call of one's own.
type deed func(context.Context, auth.Subject, gate.OwnAsk) error

// does has an employee do something with a call of his own, after another has tried the same with it in vain: for him there is no such call.
func (o *office) does(employee string, do deed, ask gate.OwnAsk) {
	o.Helper()
	ask.Door = "test"
	o.fails("nina", do, ask, "no_such_call")
	o.must(do(o.ctx, o.subject(employee), ask))
}

// fails makes sure that something is not done, for this reason.
func (o *office) fails(employee string, do deed, ask gate.OwnAsk, code string) {
	o.Helper()
	ask.Door = "test"
	if err := do(o.ctx, o.subject(employee), ask); err == nil || gate.AsProblem(err).Code != code {
		o.Fatalf("%s: %v where %s belongs", employee, err, code)
	}
}

func TestACallOfOnesOwnIsSentWhereOneMayCall(t *testing.T) {
	o := openToDial(t)
	defer o.unseen()()
	g := o.agent.Gate()

	o.scene("hung up", func(o *office) {
		outside, inside := o.talk(vera, "anna")
		ask := gate.OwnAsk{Call: o.handle("anna", "talking"), Door: "test"}
		for _, who := range []string{"boris", "irina"} { // who sees it and who does not
			o.fails(who, g.HangUp, ask, "no_such_call")
		}
		o.hear(proof, map[*phone.Call][]phone.Tone{outside: {inside.Tone()}, inside: {outside.Tone()}})
		o.does("anna", g.HangUp, ask)
		o.must(inside.WaitEnded(o.ctx))
		o.must(outside.WaitEnded(o.ctx))
	})
	o.scene("transferred to a colleague", func(o *office) {
		outside, inside := o.talk(vera, "anna")
		o.does("anna", g.Transfer, gate.OwnAsk{Call: o.handle("anna", "talking"), Number: "102"})
		to := o.answers("boris")
		o.together(outside, to)
		o.must(inside.WaitEnded(o.ctx))
	})
	o.scene("transferred out, as far as one may call there", func(o *office) {
		out, in := o.chat("sergei", "anna")
		ask := gate.OwnAsk{Call: o.handle("anna", "talking"), Number: stranger.number}
		o.fails("anna", g.Transfer, ask, "not_client")
		o.hear(proof, map[*phone.Call][]phone.Tone{out: {in.Tone()}, in: {out.Tone()}})
		o.does("anna", g.Transfer, gate.OwnAsk{Call: ask.Call, Number: vera.number})
		o.together(out, o.called(vera))
		o.must(in.WaitEnded(o.ctx))
	})
	o.scene("the own leg redirected", func(o *office) {
		outside, inside := o.talk(vera, "anna")
		o.does("anna", g.Redirect, gate.OwnAsk{Call: o.handle("anna", "talking"), Number: "201", Side: gate.SideOwn})
		o.together(inside, o.answers("sergei"))
		o.must(outside.WaitEnded(o.ctx))
	})
	o.scene("the own leg redirected out", func(o *office) {
		outside, inside := o.talk(oleg, "anna")
		o.does("anna", g.Redirect, gate.OwnAsk{Call: o.handle("anna", "talking"), Number: vera.number, Side: gate.SideOwn})
		o.together(inside, o.called(vera))
		o.must(outside.WaitEnded(o.ctx))
	})
	o.scene("the other side redirected", func(o *office) {
		outside, inside := o.talk(vera, "anna")
		o.does("anna", g.Redirect, gate.OwnAsk{Call: o.handle("anna", "talking"), Number: "201", Side: gate.SideOther})
		o.together(outside, o.answers("sergei"))
		o.must(inside.WaitEnded(o.ctx))
	})
	o.scene("the other side redirected out", func(o *office) {
		outside, inside := o.talk(oleg, "anna")
		o.does("anna", g.Redirect, gate.OwnAsk{Call: o.handle("anna", "talking"), Number: vera.number, Side: gate.SideOther})
		o.together(outside, o.called(vera))
		o.must(inside.WaitEnded(o.ctx))
	})
	o.scene("both sides redirected", func(o *office) {
		in, out := o.talk(vera, "olga")
		o.does("olga", g.Redirect, gate.OwnAsk{Call: o.handle("olga", "talking"), Number: pbxtest.Demo().Rooms[0], Side: gate.SideBoth})
		o.until("both are in the room", func() error {
			bridges, err := o.admin.ListBridges(o.ctx)
			if err != nil {
				return err
			}
			for _, b := range bridges {
				if b.Creator == "ConfBridge" && len(b.Channels) >= 2 {
					return nil
				}
			}
			return fmt.Errorf("%+v", bridges)
		})
		o.hear(0, map[*phone.Call][]phone.Tone{in: {out.Tone()}, out: {in.Tone()}})
	})
	o.scene("to nowhere", func(o *office) {
		outside, inside := o.talk(vera, "olga")
		ask := gate.OwnAsk{Call: o.handle("olga", "talking"), Number: "399", Side: gate.SideOther}
		for _, do := range []deed{g.Transfer, g.Redirect, g.AttendedTransfer} {
			o.fails("olga", do, ask, "number_leads_nowhere")
		}
		o.hear(proof, map[*phone.Call][]phone.Tone{outside: {inside.Tone()}, inside: {outside.Tone()}})
	})
}

func TestATransferWithAQuestionBeforeItIsFinishedByHangingUp(t *testing.T) {
	o := openToDial(t)
	defer o.unseen()()
	g := o.agent.Gate()
	// begin has anna ask at a number while vera waits.
	begin := func(o *office, number string) (outside, inside *phone.Call, handle string) {
		outside, inside = o.talk(vera, "anna")
		handle = o.handle("anna", "talking")
		o.fails("anna", g.CancelTransfer, gate.OwnAsk{Call: handle}, "no_transfer")
		o.does("anna", g.AttendedTransfer, gate.OwnAsk{Call: handle, Number: number})
		return outside, inside, handle
	}
	asks := func(o *office, outside, inside, to *phone.Call) {
		o.together(inside, to)
		o.hear(0, map[*phone.Call][]phone.Tone{outside: {phone.Music}})
	}
	o.scene("finished", func(o *office) {
		outside, inside, _ := begin(o, "102")
		to := o.answers("boris")
		asks(o, outside, inside, to)
		o.must(inside.Hangup(o.ctx))
		o.together(outside, to)
		// It is a call like any other: it may be supervised, and ends when one hangs up.
		w := o.watch("irina")
		s, sup := o.supervises(w, "irina", "boris", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {outside.Tone(), to.Tone()}})
		o.must(to.Hangup(o.ctx))
		o.over(w, s.ID, sup, "call_ended")
		o.must(outside.WaitEnded(o.ctx))
	})
	o.scene("finished by the panel", func(o *office) {
		outside, inside, handle := begin(o, "102")
		to := o.answers("boris")
		asks(o, outside, inside, to)
		o.does("anna", g.HangUp, gate.OwnAsk{Call: handle})
		o.together(outside, to)
		o.must(inside.WaitEnded(o.ctx))
	})
	o.scene("given up", func(o *office) {
		outside, inside, handle := begin(o, "102")
		to := o.answers("boris")
		asks(o, outside, inside, to)
		o.does("anna", g.CancelTransfer, gate.OwnAsk{Call: handle})
		o.must(to.WaitEnded(o.ctx))
		o.together(outside, inside)
		o.until("there is no transfer any more", func() error {
			if err := g.CancelTransfer(o.ctx, o.subject("anna"), gate.OwnAsk{Call: handle}); err == nil || gate.AsProblem(err).Code != "no_transfer" {
				return fmt.Errorf("got %w", err)
			}
			return nil
		})
		o.must(inside.Hangup(o.ctx))
		o.must(outside.WaitEnded(o.ctx))
	})
	o.scene("declined", func(o *office) {
		outside, inside, _ := begin(o, "102")
		o.must(o.rings("boris").Reject(o.ctx, 486))
		o.together(outside, inside)
		o.must(outside.Hangup(o.ctx))
		o.must(inside.WaitEnded(o.ctx))
	})
	o.scene("hung up before there is an answer", func(o *office) {
		outside, inside, _ := begin(o, "102")
		first := o.rings("boris")
		o.must(inside.Hangup(o.ctx))
		o.must(first.WaitEnded(o.ctx))
		o.together(outside, o.answers("boris"))
	})
	o.scene("who waits hangs up", func(o *office) {
		outside, inside, _ := begin(o, "102")
		to := o.answers("boris")
		asks(o, outside, inside, to)
		o.must(outside.Hangup(o.ctx))
		o.hear(proof, map[*phone.Call][]phone.Tone{inside: {to.Tone()}, to: {inside.Tone()}})
		o.must(inside.Hangup(o.ctx))
		o.must(to.WaitEnded(o.ctx))
	})
	o.scene("by who has called, of who was called", func(o *office) {
		asks, waits := o.chat("anna", "boris")
		handle := o.handle("anna", "talking")
		o.does("anna", g.AttendedTransfer, gate.OwnAsk{Call: handle, Number: "201"})
		to := o.answers("sergei")
		o.together(asks, to)
		o.hear(0, map[*phone.Call][]phone.Tone{waits: {phone.Music}})
		o.fails("boris", g.Redirect, gate.OwnAsk{Call: o.handle("boris", "talking"), Number: "103", Side: gate.SideOwn}, "transferring")
		o.does("anna", g.CancelTransfer, gate.OwnAsk{Call: handle})
		o.together(asks, waits)
		o.does("anna", g.AttendedTransfer, gate.OwnAsk{Call: handle, Number: "201"})
		again := o.answers("sergei")
		o.together(asks, again)
		o.must(asks.Hangup(o.ctx))
		o.together(waits, again)
	})
	o.scene("who waits is taken away", func(o *office) {
		outside, inside, _ := begin(o, "102")
		ringing := o.rings("boris")
		waits := ""
		channels, err := o.admin.ListChannels(o.ctx)
		o.must(err)
		for _, c := range channels {
			if strings.HasPrefix(c.Name, "PJSIP/trunk-") {
				waits = c.Name
			}
		}
		_, err = o.PBX.Command(o.ctx, "channel redirect "+waits+" phones,"+pbxtest.NumberEcho+",1")
		o.must(err)
		_, err = outside.WaitHears(o.ctx, outside.Tone())
		o.must(err)
		// What he last said of his waiting has to be some seconds old.
		gone := time.Now()
		o.until("he has not waited for long enough", func() error {
			if time.Since(gone) < 5*time.Second {
				return errors.New("not yet")
			}
			return nil
		})
		o.must(ringing.Reject(o.ctx, 486))
		o.must(inside.WaitEnded(o.ctx))
		o.hear(proof, map[*phone.Call][]phone.Tone{outside: {outside.Tone()}})
	})
	o.scene("out", func(o *office) {
		out, in := o.chat("boris", "anna")
		ask := gate.OwnAsk{Call: o.handle("anna", "talking"), Number: stranger.number}
		o.fails("anna", g.AttendedTransfer, ask, "not_client")
		ask.Number = vera.number
		o.does("anna", g.AttendedTransfer, ask)
		to := o.called(vera)
		o.together(in, to)
		o.must(in.Hangup(o.ctx))
		o.together(out, to)
	})
	o.scene("out, hung up before there is an answer", func(o *office) {
		out, in := o.chat("boris", "anna")
		o.does("anna", g.AttendedTransfer, gate.OwnAsk{Call: o.handle("anna", "talking"), Number: vera.number})
		first, err := o.Trunk.Incoming(o.ctx)
		o.must(err)
		o.must(in.Hangup(o.ctx))
		o.must(first.WaitEnded(o.ctx))
		o.together(out, o.called(vera))
	})
	o.scene("without the include", func(o *office) {
		_, err := o.PBX.Command(o.ctx, "dialplan remove context earshot-back")
		o.must(err)
		defer func() {
			_, err := o.PBX.Command(context.Background(), "dialplan reload")
			o.must(err)
		}()
		outside, inside := o.talk(vera, "anna")
		o.fails("anna", g.AttendedTransfer, gate.OwnAsk{Call: o.handle("anna", "talking"), Number: "102"}, "no_include")
		o.hear(proof, map[*phone.Call][]phone.Tone{outside: {inside.Tone()}, inside: {outside.Tone()}})
	})
}

// deaf waits until a call has not heard a tone for a while. Where all is mute nothing is sent at all.
func (o *office) deaf(c *phone.Call, tone phone.Tone) {
	o.Helper()
	o.until("it hears no more", func() error {
		if since := time.Since(c.LastHeard(tone)); since < 500*time.Millisecond {
			return fmt.Errorf("it has heard %v %v ago", tone, since)
		}
		return nil
	})
}

func TestACallOfOnesOwnIsParkedConnectedMutedAndPressed(t *testing.T) {
	o := openToDial(t)
	defer o.unseen()()
	g := o.agent.Gate()
	o.scene("parked", func(o *office) {
		outside, inside := o.talk(vera, "anna")
		o.does("anna", g.Park, gate.OwnAsk{Call: o.handle("anna", "talking")})
		o.must(inside.WaitEnded(o.ctx))
		o.hear(0, map[*phone.Call][]phone.Tone{outside: {phone.Music}})
		back := o.dials("boris", "701")
		o.together(outside, back)
	})
	o.scene("connected", func(o *office) {
		outside, first := o.talk(vera, "anna")
		one := o.handle("anna", "talking")
		o.must(first.Hold(o.ctx))
		o.handle("anna", "held")
		second, to := o.chat("anna", "boris")
		two := o.handle("anna", "talking")
		o.fails("anna", g.Connect, gate.OwnAsk{Call: one, Other: one}, "not_two_calls")
		o.fails("boris", g.Connect, gate.OwnAsk{Call: o.handle("boris", "talking"), Other: one}, "no_such_call")
		o.does("anna", g.Connect, gate.OwnAsk{Call: one, Other: two})
		o.together(outside, to)
		o.must(first.WaitEnded(o.ctx))
		o.must(second.WaitEnded(o.ctx))
		o.must(to.Hangup(o.ctx))
		o.must(outside.WaitEnded(o.ctx))
	})
	o.scene("muted", func(o *office) {
		outside, inside := o.talk(vera, "anna")
		ask := gate.OwnAsk{Call: o.handle("anna", "talking")}
		for _, s := range []struct {
			direction string
			they, she bool // hear the other
		}{{gate.MuteIn, false, true}, {gate.MuteOut, true, false}, {gate.MuteAll, false, false}} {
			ask.Direction, ask.On = s.direction, true
			o.does("anna", g.Mute, ask)
			hears := func(one, other *phone.Call, does bool) {
				if does {
					o.hear(proof, map[*phone.Call][]phone.Tone{one: {other.Tone()}})
				} else {
					o.deaf(one, other.Tone())
				}
			}
			hears(outside, inside, s.they)
			hears(inside, outside, s.she)
			ask.On = false
			o.does("anna", g.Mute, ask)
			o.hear(0, map[*phone.Call][]phone.Tone{outside: {inside.Tone()}, inside: {outside.Tone()}})
		}
	})
	o.scene("digits", func(o *office) {
		outside, inside := o.talk(vera, "anna")
		// Among them are this PBX's codes for transferring and parking.
		ask := gate.OwnAsk{Call: o.handle("anna", "talking"), Digits: "##102*2#72A"}
		o.does("anna", g.Press, ask)
		o.until("they have come", func() error {
			if got := outside.Digits(); got != ask.Digits {
				return fmt.Errorf("%q have come", got)
			}
			return nil
		})
		if got := inside.Digits(); got != "" {
			o.Errorf("she has heard %q", got)
		}
		o.hear(proof, map[*phone.Call][]phone.Tone{outside: {inside.Tone()}, inside: {outside.Tone()}})
		if n := len(o.Phones["boris"].Calls()); n != 0 {
			o.Errorf("%d phones ring", n)
		}
	})
	o.scene("a supervision's leg", func(o *office) {
		o.talk(vera, "anna")
		w := o.watch("irina")
		s, sup := o.supervises(w, "irina", "anna", "spy")
		handle := ""
		o.must(w.Until(o.ctx, "it is on her row", func(s *site.Stream) bool {
			if calls := s.Rows["irina"].Calls; len(calls) == 1 {
				handle = calls[0].ID
			}
			return handle != ""
		}))
		for _, do := range []deed{g.Transfer, g.AttendedTransfer, g.Park, g.Press} {
			o.fails("irina", do, gate.OwnAsk{Call: handle, Number: "102", Digits: "1"}, "not_on_such_call")
		}
		o.does("irina", g.HangUp, gate.OwnAsk{Call: handle})
		o.over(w, s.ID, sup, "ended_by_supervisor")
	})
}
