package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
	"github.com/earshot-pbx/earshot/ami"
)

// command has Asterisk do something.
func (o *office) command(command string) {
	o.Helper()
	_, err := o.PBX.Command(o.ctx, command)
	o.must(err)
}

// unserved has nobody of the sales queue rung, until the test is over.
func (o *office) unserved() {
	o.Helper()
	for _, member := range []string{"PJSIP/101", "PJSIP/102"} {
		o.command("queue pause member " + member + " queue sales")
		o.Cleanup(func() { _, _ = o.PBX.Command(context.Background(), "queue unpause member "+member+" queue sales") })
	}
}

// inMusic has somebody outside wait in the sales queue's music until that is offered to the watcher.
func (o *office) inMusic(w *site.Stream, who caller) (outside *phone.Call, offer site.Incoming) {
	o.Helper()
	outside = o.calls(who, "100")
	offer, err := w.UntilOffer(o.ctx, func(i site.Incoming) bool { return i.State == "waiting" })
	o.must(err)
	o.hear(0, map[*phone.Call][]phone.Tone{outside: {phone.Music}})
	return outside, offer
}

// accepts takes what an offer says, as a panel does that sends what the banner has.
func (o *office) accepts(employee string, i site.Incoming) site.Supervision {
	o.Helper()
	var s site.Supervision
	o.must(o.as(employee).Do(o.ctx, http.MethodPost, intercepts, map[string]string{"call": i.Call}, &s))
	return s
}

func TestAWaitingClientIsTaken(t *testing.T) {
	o := open(t)
	o.unserved()

	o.scene("from a queue's music", func(o *office) {
		w, others := o.watch("sergei"), o.watch("gleb")
		_, seen := o.caught(0)
		outside, v := o.inMusic(w, oleg)
		if v.Client.Name != "Oleg Customer" || !v.CanAccept || v.Target != "" || v.Call != v.ID {
			o.Errorf("he is told %+v", v)
		}
		for who, code := range map[string]int{"gleb": 404, "anna": 404, "nina": 403} {
			o.denied(who, intercepts, map[string]string{"call": v.Call}, code, map[int]string{404: "no_such_call", 403: "no_right"}[code])
		}
		id := o.legOf("PJSIP/trunk")
		s := o.accepts("sergei", v)
		taken := o.rings("sergei")
		if got := taken.Remote(); got.Number != oleg.number || got.Name != "Oleg Customer" {
			o.Errorf("his phone shows %+v", got)
		}
		o.hear(proof, map[*phone.Call][]phone.Tone{outside: {phone.Music}}) // nothing moves before it is answered
		o.denied("sergei", intercepts, map[string]string{"call": v.Call}, 409, "already_supervising")
		o.must(taken.Answer(o.ctx))
		_, err := w.UntilAct(o.ctx, s.ID, "taken")
		o.must(err)
		o.together(outside, taken)
		if again := o.legOf("PJSIP/trunk"); again != id {
			o.Errorf("the caller's leg was %s and is %s", id, again)
		}
		o.must(w.Until(o.ctx, "the board shows it", func(s *site.Stream) bool {
			r := s.Rows["sergei"]
			return len(s.Offers) == 0 && r.State == "talking" && len(r.Calls) == 1 && r.Calls[0].Peer != nil && r.Calls[0].Peer.Name == "Oleg Customer"
		}))
		if len(others.Offers) > 0 {
			o.Errorf("gleb was offered %+v", others.Offers)
		}
		// It is an ordinary call now, with no limit of time, and that may be supervised.
		iw := o.watch("irina")
		sup, leg := o.supervises(iw, "irina", "sergei", "spy")
		o.hear(6*time.Second, map[*phone.Call][]phone.Tone{leg: {taken.Tone(), outside.Tone()}, outside: {taken.Tone()}, taken: {outside.Tone()}})
		o.must(outside.Hangup(o.ctx))
		o.must(taken.WaitEnded(o.ctx))
		o.over(iw, sup.ID, leg, "call_ended")
		o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
		if all, _ := o.caught(seen); len(all) > 0 {
			o.Errorf("the watchdog has seen %+v", all)
		}
		if o.lastOf(s.ID) != "done " {
			o.Errorf("on record is %q", o.lastOf(s.ID))
		}
	})

	o.scene("from a wait in the dialplan, the taker hangs up", func(o *office) {
		w := o.watch("sergei")
		outside := o.calls(oleg, "164")
		v, err := w.UntilOffer(o.ctx, func(i site.Incoming) bool { return i.State == "waiting" })
		o.must(err)
		o.accepts("sergei", v)
		taken := o.answers("sergei")
		o.together(outside, taken)
		o.must(taken.Hangup(o.ctx))
		o.must(outside.WaitEnded(o.ctx))
	})

	o.scene("not answered, and then by somebody of the queue", func(o *office) {
		w := o.watch("sergei")
		outside, v := o.inMusic(w, oleg)
		s := o.accepts("sergei", v)
		o.must(o.rings("sergei").Reject(o.ctx, 486))
		ended, err := w.UntilAct(o.ctx, s.ID, "ended")
		o.must(err)
		if ended.Reason != "no_answer" {
			o.Errorf("it ended because of %s", ended.Reason)
		}
		o.hear(proof, map[*phone.Call][]phone.Tone{outside: {phone.Music}})
		s = o.accepts("sergei", v)
		mine := o.rings("sergei")
		o.command("queue unpause member PJSIP/102 queue sales")
		agent := o.answers("boris")
		ended, err = w.UntilAct(o.ctx, s.ID, "ended")
		o.must(err)
		if ended.Reason != "answered" {
			o.Errorf("it ended because of %s", ended.Reason)
		}
		o.must(mine.WaitEnded(o.ctx))
		o.together(outside, agent)
		o.denied("sergei", intercepts, map[string]string{"call": v.Call}, 404, "no_such_call")
		o.command("queue pause member PJSIP/102 queue sales")
	})

	o.scene("while the queue rings somebody", func(o *office) {
		w := o.watch("sergei")
		outside, v := o.inMusic(w, oleg)
		s := o.accepts("sergei", v)
		mine := o.rings("sergei")
		o.command("queue unpause member PJSIP/102 queue sales")
		agent := o.rings("boris")
		again, err := w.UntilOffer(o.ctx, func(i site.Incoming) bool { return i.State == "ringing" })
		o.must(err)
		if again.ID != v.ID || again.Target != "boris" {
			o.Errorf("it is offered anew as %+v, and was %+v", again, v)
		}
		o.denied("gleb", intercepts, map[string]string{"target": "boris"}, 409, "already_taken")
		o.must(mine.Answer(o.ctx))
		_, err = w.UntilAct(o.ctx, s.ID, "taken")
		o.must(err)
		o.together(outside, mine)
		o.must(agent.WaitEnded(o.ctx))
		o.command("queue pause member PJSIP/102 queue sales")
	})

	o.scene("the caller hangs up", func(o *office) {
		w := o.watch("sergei")
		outside, v := o.inMusic(w, oleg)
		s := o.accepts("sergei", v)
		mine := o.rings("sergei")
		o.must(outside.Hangup(o.ctx))
		ended, err := w.UntilAct(o.ctx, s.ID, "ended")
		o.must(err)
		if ended.Reason != "call_ended" {
			o.Errorf("it ended because of %s", ended.Reason)
		}
		o.must(mine.WaitEnded(o.ctx))
	})

	o.scene("the phone is not there", func(o *office) {
		w := o.watch("sergei")
		outside, v := o.inMusic(w, oleg)
		o.must(o.Phones["sergei"].Unregister(o.ctx))
		defer func() { o.must(o.Phones["sergei"].Register(context.Background())) }()
		o.denied("sergei", intercepts, map[string]string{"call": v.Call}, 409, "phone_unreachable")
		o.hear(proof, map[*phone.Call][]phone.Tone{outside: {phone.Music}})
	})

	o.scene("without the include", func(o *office) {
		w := o.watch("sergei")
		outside, v := o.inMusic(w, oleg)
		o.command("dialplan remove extension fetch@earshot-back")
		defer func() {
			_, err := o.PBX.Command(context.Background(), "dialplan reload")
			o.must(err)
		}()
		var p struct{ ID string }
		o.must(json.Unmarshal(o.denied("sergei", intercepts, map[string]string{"call": v.Call}, 409, "no_include").body, &p))
		if calls := o.Phones["sergei"].Calls(); len(calls) > 0 {
			o.Errorf("his phone has %d calls", len(calls))
		}
		o.until("it is on record", func() error {
			if got := o.lastOf(p.ID); got != "failed no_include" {
				return fmt.Errorf("it is %q", got)
			}
			return nil
		})
		o.hear(proof, map[*phone.Call][]phone.Tone{outside: {phone.Music}})
	})

	// Where the phone that was answered is gone before he comes, he goes on where he was; and where that is no more, he rings there.
	o.scene("the phone is gone before he comes", func(o *office) {
		w := o.watch("sergei")
		outside, _ := o.inMusic(w, oleg)
		m := o.manager(nil)
		moved := func(place string) {
			for name, value := range map[string]string{pbx.TakerVariable: "PJSIP/201-ffffffff", pbx.PlaceVariable: place, pbx.EndpointVariable: "PJSIP/201"} {
				_, err := m.Do(o.ctx, ami.NewAction("Setvar").Append("Channel", o.nameOf("PJSIP/trunk")).Append("Variable", "SHARED("+name+")").Append("Value", value))
				o.must(err)
			}
			_, err := m.Do(o.ctx, ami.NewAction("Redirect").Append("Channel", o.nameOf("PJSIP/trunk")).Append("Context", pbx.BackContext).Append("Exten", pbx.ExtenFetched).Append("Priority", "1"))
			o.must(err)
		}
		at := o.channelOf("PJSIP/trunk").Dialplan
		moved(fmt.Sprintf("%s,%s,%d", at.Context, at.Exten, at.Priority))
		o.until("he is back in the queue", func() error {
			if now := o.channelOf("PJSIP/trunk").Dialplan; now.AppName != "Queue" || now.Exten != at.Exten {
				return fmt.Errorf("he is in %s", now.AppName)
			}
			return nil
		})
		o.hear(proof, map[*phone.Call][]phone.Tone{outside: {phone.Music}})
		moved("")
		o.together(outside, o.answers("sergei"))
	})
}

// A kill of Earshot while the taker's phone rings moves nobody. If it is answered while Earshot is away he comes to it all the same: that was decided.
func TestAKilledEarshotLeavesAWaitingCallerWhereHeIs(t *testing.T) {
	o := enter(t)
	start := o.start
	p := start()
	o.unserved()
	o.scene("killed while it rings", func(o *office) {
		outside, v := o.inMusic(o.watch("sergei"), oleg)
		s := o.accepts("sergei", v)
		mine := o.rings("sergei")
		p.Kill()
		o.hear(2*time.Second, map[*phone.Call][]phone.Tone{outside: {phone.Music}})
		p = start()
		o.must(mine.WaitEnded(o.ctx))
		o.until("its end is on record", func() error {
			if got := o.lastOf(s.ID); got != "failed earshot_restarted" {
				return fmt.Errorf("%q is on record", got)
			}
			return nil
		})
		w := o.watch("sergei")
		v, err := w.UntilOffer(o.ctx, func(i site.Incoming) bool { return i.State == "waiting" })
		o.must(err)
		o.hear(proof, map[*phone.Call][]phone.Tone{outside: {phone.Music}})
		o.accepts("sergei", v)
		o.together(outside, o.answers("sergei"))
	})
	o.scene("answered before the next one is there", func(o *office) {
		_, seen := o.caught(0)
		outside, v := o.inMusic(o.watch("sergei"), oleg)
		s := o.accepts("sergei", v)
		mine := o.rings("sergei")
		p.Kill()
		o.must(mine.Answer(o.ctx))
		o.together(outside, mine)
		p = start()
		o.until("it is on record", func() error {
			if got := o.lastOf(s.ID); got != "done " {
				return fmt.Errorf("%q is on record", got)
			}
			return nil
		})
		_, err := o.watch("irina").UntilState(o.ctx, "sergei", "talking")
		o.must(err)
		o.hear(proof, map[*phone.Call][]phone.Tone{outside: {mine.Tone()}, mine: {outside.Tone()}})
		if all, _ := o.caught(seen); len(all) > 0 {
			o.Errorf("the watchdog has seen %+v", all)
		}
	})
	o.verified()
	p.Stop()
	o.discreetOnDisk()
}
