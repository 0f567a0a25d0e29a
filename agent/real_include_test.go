package agent_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// lockingAnna is houseRules with anna allowed to lock her calls, and irina asked for a reason.
func lockingAnna() string {
	text := strings.Replace(houseRules, `numbers: ["101"], department: sales}`, `numbers: ["101"], department: sales, lock: true}`, 1)
	return strings.Replace(text, "listen: {to: any, except: [pavel]}", "listen: {to: any, except: [pavel], reason: [boris]}", 1)
}

// Who is on a call puts it on hold and dials the code on another line of his phone: nobody supervises it from then on, until he dials it again.
func TestADeskPhoneLocksItsCall(t *testing.T) {
	o := enter(t)
	o.must(o.Write("policy.yaml", lockingAnna()))
	o = openOn(o)
	o.scene("locked and unlocked", func(o *office) {
		customer, mine := o.talk(stranger, "anna")
		w := o.watch("irina")
		sup := o.dials("irina", "*50101")
		s := o.onlyOne(w, "active")
		o.must(mine.Hold(o.ctx))
		before := o.decided()
		dialled := time.Now()
		o.spoken(o.dials("anna", "*59"), dialled, customer.Tone())
		if s, err := w.UntilAct(o.ctx, s.ID, "ended"); err != nil || s.Reason != "not_for_this_call" {
			o.Fatalf("it ended with %+v, %v", s, err)
		}
		o.must(sup.WaitEnded(o.ctx))
		if e := o.entries()[before]; e.Action != "lock" || e.Subject != "anna" || e.Door != "phone" || e.Outcome != audit.Allow {
			o.Errorf("on record is %+v", e)
		}
		o.must(mine.Unhold(o.ctx))
		o.together(customer, mine)
		o.spoken(o.dials("irina", "*50101"), time.Now(), customer.Tone(), mine.Tone())
		if last := o.entries(); last[len(last)-1].Reason != "locked" {
			o.Errorf("on record is %+v", last[len(last)-1])
		}
		o.must(mine.Hold(o.ctx))
		o.spoken(o.dials("anna", "*59"), time.Now(), customer.Tone())
		o.must(mine.Unhold(o.ctx))
		o.together(customer, mine)
		again := o.dials("irina", "*50101")
		o.hear(0, map[*phone.Call][]phone.Tone{again: {customer.Tone(), mine.Tone()}})
	})
	o.scene("who may not, and who is on no call", func(o *office) {
		customer, his := o.talk(stranger, "boris")
		o.must(his.Hold(o.ctx))
		before := o.decided()
		o.spoken(o.dials("boris", "*59"), time.Now(), customer.Tone())
		o.spoken(o.dials("anna", "*59"), time.Now())
		for i, want := range []string{"boris no_right", "anna not_on_call"} {
			if e := o.entries()[before+i]; e.Subject+" "+e.Reason != want || e.Action != "lock" || e.Outcome != audit.Deny {
				o.Errorf("on record is %+v, and not %s", e, want)
			}
		}
	})
	o.scene("what needs a reason", func(o *office) {
		customer, his := o.talk(stranger, "boris")
		before := o.decided()
		o.spoken(o.dials("irina", "*50102"), time.Now(), customer.Tone(), his.Tone())
		if e := o.entries()[before]; e.Reason != "reason_required" || e.Subject != "irina" || e.Outcome != audit.Deny {
			o.Errorf("on record is %+v", e)
		}
	})
}

// A call that a panel's button makes leads through the include too, and is decided and recorded once.
func TestAClickThatLeadsThroughTheIncludeIsDecidedOnce(t *testing.T) {
	o := openToDial(t)
	o.scene("her own client", func(o *office) {
		before := o.decided()
		mine, code := o.clicks("anna", map[string]string{"number": vera.number[1:]})
		if mine == nil {
			o.Fatal(code)
		}
		outside := o.called(vera)
		o.together(mine, outside)
		if got := o.entries()[before:]; len(got) != 1 || got[0].Door != "http" || got[0].Action != "dial" {
			o.Errorf("on record is %+v", got)
		}
		// She may put it on hold and dial as ever: that is decided.
		o.must(mine.Hangup(o.ctx))
		o.must(outside.WaitEnded(o.ctx))
		again := o.dials("anna", vera.number[1:])
		o.together(again, o.called(vera))
		if got := o.entries()[before:]; len(got) != 2 || got[1].Door != "phone" {
			o.Errorf("on record is %+v", got)
		}
	})
}

// asFreePBX has the phones begin their calls in a dialplan like FreePBX's: from-internal takes in what administrators add before what FreePBX
// makes, and outbound routes stand in outbound-allroutes. What Earshot prints for it is put where it says.
func (o *office) asFreePBX() {
	o.Helper()
	printed, err := os.ReadFile("../deploy/asterisk/extensions_custom.conf")
	o.must(err)
	etc := func(name string) string { return filepath.Join(o.PBX.Dir(), "etc", name) }
	reload := func() {
		o.Helper()
		for _, command := range []string{"dialplan reload", "module reload res_pjsip.so"} {
			_, err := o.PBX.Command(context.Background(), command)
			o.must(err)
		}
	}
	change := func(name string, f func(text string) string) {
		o.Helper()
		text, err := os.ReadFile(etc(name))
		o.must(err)
		o.must(os.WriteFile(etc(name), []byte(f(string(text))), 0o600))
		o.Cleanup(func() {
			o.must(os.WriteFile(etc(name), text, 0o600))
			reload()
		})
	}
	change("extensions_earshot.conf", func(string) string { return string(printed) })
	change("extensions.conf", func(text string) string {
		return text + `
[from-internal]
include => from-internal-xfer
include => bad-number

[from-internal-xfer]
include => from-internal-custom
include => from-internal-additional

[from-internal-additional]
include => ext-local
include => outbound-allroutes

[ext-local]
exten => 102,1,Dial(PJSIP/102)

[outbound-allroutes]
include => outrt-1

[outrt-1]
exten => _X.,1,Dial(PJSIP/${EXTEN}@trunk,60)
exten => _+X.,1,Dial(PJSIP/${EXTEN}@trunk,60)

[bad-number]
exten => _X.,1,Hangup(1)
`
	})
	change("pjsip.conf", func(text string) string {
		changed := strings.ReplaceAll(text, "context=phones\n", "context=from-internal\n")
		if changed == text {
			o.Error("no phone has been moved")
		}
		return changed
	})
	reload()
}

// What is printed for FreePBX lets out and refuses, supervises and lets alone what it should, in a dialplan like FreePBX's.
func TestWhatIsPrintedForFreePBXWorksInADialplanLikeIts(t *testing.T) {
	o := openToDial(t)
	o.asFreePBX()
	o.scene("her own client", func(o *office) {
		before := o.decided()
		mine := o.dials("anna", vera.number[1:])
		outside := o.called(vera)
		o.together(mine, outside)
		if got := o.entries()[before:]; len(got) != 1 || got[0].Door != "phone" || got[0].Outcome != audit.Allow || outside.Called() != vera.number[1:] {
			o.Errorf("on record is %+v", got)
		}
	})
	o.scene("nobody's client", func(o *office) {
		before := o.decided()
		o.spoken(o.dials("anna", stranger.number[1:]), time.Now())
		if e := o.entries()[before]; e.Reason != "not_client" || e.Outcome != audit.Deny {
			o.Errorf("on record is %+v", e)
		}
	})
	o.scene("more than a number", func(o *office) {
		for _, more := range []string{"0000000000", "*", "#"} {
			before := o.decided()
			dialled := time.Now()
			national, international := o.dials("anna", stranger.number[1:]+more), o.dials("boris", stranger.number+more)
			o.spoken(national, dialled)
			o.spoken(international, dialled)
			if n, out := o.decided(), len(o.Trunk.Calls()); n != before || out != 0 {
				o.Errorf("%q: Earshot was asked %d times, and the trunk has %d calls", more, n-before, out)
			}
		}
	})
	o.scene("an emergency", func(o *office) {
		before := o.decided()
		o.together(o.dials("nina", "112"), o.called(stranger))
		if n := o.decided(); n != before {
			o.Errorf("Earshot was asked %d times", n-before)
		}
	})
	o.scene("a colleague, and who listens to him", func(o *office) {
		mine := o.dials("anna", "102")
		his := o.answers("boris")
		o.together(mine, his)
		sup := o.dials("irina", "*50101")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {mine.Tone(), his.Tone()}, mine: {his.Tone()}, his: {mine.Tone()}})
		o.spoken(o.dials("nina", "*50101"), time.Now(), mine.Tone(), his.Tone())
	})
}
