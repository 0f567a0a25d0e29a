package agent_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// outsideRoutes is the context that leads outside for what Earshot has let through.
const outsideRoutes = "routes"

// deskConfig is the company's phone door. Its own dialplan has ** and *8 already.
const deskConfig = `phone:
  codes: {pickup: "*53", group_pickup: "*54"}
  outgoing: ` + outsideRoutes + `
  digits: 7
`

// install puts what Earshot prints for this Asterisk in the place of the Asterisk's own configuration: every test of the package is one that
// Earshot works with it.
func (c *company) install(ctx context.Context) error {
	text, err := os.ReadFile(c.Path("earshot.yaml"))
	if err != nil {
		return err
	}
	if err := c.Write("earshot.yaml", string(text)+deskConfig); err != nil {
		return err
	}
	if err := c.Edit("policy.yaml", "trunks: [PJSIP/trunk]\n", "trunks: [PJSIP/trunk]\nemergency: [\"112\"]\n"); err != nil {
		return err
	}
	cfg, err := agent.LoadConfig(c.Path("earshot.yaml"))
	if err != nil {
		return err
	}
	f, err := policyfile.Open(cfg.Policy, policyfile.Options{})
	if err != nil {
		return err
	}
	etc := func(name string) string { return filepath.Join(c.PBX.Dir(), "etc", name) }
	admin := c.PBX.Site().Admin
	for part, file := range map[string]struct{ name, more string }{
		"manager":    {"manager.conf", fmt.Sprintf("[%s]\nsecret=%s\nread=all\nwrite=all\n", admin.User, admin.Password)},
		"ari":        {"ari.conf", fmt.Sprintf("[%s]\ntype=user\npassword=%s\npassword_format=plain\n", admin.User, admin.Password)},
		"extensions": {"extensions_earshot.conf", ""},
	} {
		text, err := agent.AsteriskConfig(cfg, f.Current(), part)
		if err != nil {
			return err
		}
		if err := os.WriteFile(etc(file.name), []byte(text+"\n"+file.more), 0o600); err != nil {
			return err
		}
	}
	plan, err := os.OpenFile(etc("extensions.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = plan.WriteString("\n#include \"extensions_earshot.conf\"\n\n[phones](+)\ninclude => earshot-codes\ninclude => earshot-dial\n")
	if err := errors.Join(err, plan.Close()); err != nil {
		return err
	}
	for _, command := range []string{"manager reload", "module reload res_ari.so", "dialplan reload"} {
		if _, err := c.PBX.Command(ctx, command); err != nil {
			return err
		}
	}
	return nil
}

// spoken waits until a leg has been told something and hung up, and says how long that took. What it was told is speech, and nobody on a call.
func (o *office) spoken(c *phone.Call, since time.Time, nobody ...phone.Tone) time.Duration {
	o.Helper()
	o.must(c.WaitEnded(o.ctx))
	took := time.Since(since)
	loudest := 0.0
	for _, w := range c.Windows(since, time.Now()) {
		for t := phone.Tone(1); t <= 24; t++ {
			loudest = max(loudest, w.Level(t))
		}
	}
	if loudest < 0.02 {
		o.Errorf("nothing was said before the leg was hung up: at the loudest %.3f", loudest)
	}
	for _, t := range nobody {
		if heard := c.HeardBetween(t, since, time.Now()); len(heard) > 1 {
			o.Errorf("tone %d was heard in %d windows", t, len(heard))
		}
	}
	return took
}

// onlyOne waits until an employee has one supervision, and returns it.
func (o *office) onlyOne(w *site.Stream, state string) site.Supervision {
	o.Helper()
	var found site.Supervision
	o.must(w.Until(o.ctx, "a supervision is "+state, func(w *site.Stream) bool {
		for _, a := range w.Acts {
			if a.State == state {
				found = a
				return true
			}
		}
		return false
	}))
	return found
}

// A supervisor who dials a code hears what he would by a panel, and is heard by whom his mode says. He who may not is told so and hung up.
func TestADeskPhoneSupervisesAsThePolicyAllows(t *testing.T) {
	o := open(t)
	for _, c := range []struct {
		name, code string
		modes      func(me, it, other phone.Tone) (target, peer []phone.Tone)
	}{
		{"spy", "*50", func(_, it, other phone.Tone) (a, b []phone.Tone) { return []phone.Tone{other}, []phone.Tone{it} }},
		{"whisper", "*51", func(me, it, other phone.Tone) (a, b []phone.Tone) { return []phone.Tone{other, me}, []phone.Tone{it} }},
		{"barge", "*52", func(me, it, other phone.Tone) (a, b []phone.Tone) {
			return []phone.Tone{other, me}, []phone.Tone{it, me}
		}},
	} {
		o.scene(c.name, func(o *office) {
			outside, inside := o.talk(stranger, "anna")
			w := o.watch("irina")
			dialled := time.Now()
			sup := o.dials("irina", c.code+"101")
			s := o.onlyOne(w, "active")
			o.Logf("active %d ms after the code was dialled", time.Since(dialled).Milliseconds())
			target, peer := c.modes(sup.Tone(), inside.Tone(), outside.Tone())
			o.hear(proof, map[*phone.Call][]phone.Tone{sup: {inside.Tone(), outside.Tone()}, inside: target, outside: peer})
			if s.Mode != c.name || s.Target != "anna" || s.Phone != "PJSIP/103" {
				o.Errorf("he is shown %+v", s)
			}
			o.must(sup.Hangup(o.ctx))
			o.over(w, s.ID, sup, "ended_by_supervisor")
			o.hear(0, map[*phone.Call][]phone.Tone{inside: {outside.Tone()}, outside: {inside.Tone()}})
		})
	}
	_ = pbxtest.Plan{}
	_ = strings.TrimSpace
}
