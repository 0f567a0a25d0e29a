package pbxtest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

func TestPhonesOfTwoBranchesTalkOverATrunk(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience) // an Asterisk each
	defer cancel()
	plans := pbxtest.Branches()
	pbx, offices := map[string]*pbxtest.PBX{}, map[string]*office{}
	for name, id := range map[string]string{"north": "101", "south": "201"} {
		p, err := pbxtest.Start(ctx, pbxtest.Options{Plan: plans[name]})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
		})
		ph, err := phone.Listen(phone.Config{User: id, Password: "secret-" + id, Server: p.SIP(), Tone: phone.Tone(len(pbx) + 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := ph.Close(); err != nil {
				t.Error(err)
			}
		})
		if err := ph.Register(ctx); err != nil {
			t.Fatal(err)
		}
		pbx[name], offices[name] = p, &office{T: t, pbx: p, phones: map[string]*phone.Phone{id: ph}}
	}
	north, south := offices["north"], offices["south"]
	north.must(pbx["north"].Reach(ctx, map[string]string{"south": pbx["south"].SIP()}))
	south.must(pbx["south"].Reach(ctx, map[string]string{"north": pbx["north"].SIP()}))

	a := north.dial(ctx, "101", "201")
	b := south.answer(ctx, "201")
	north.talk(ctx, a, b)
	if shown := b.Remote(); shown.Number != "101" || shown.Name != "Anna Petrova" {
		t.Errorf("the phone that is called shows %+v", shown)
	}
	for name, trunk := range map[string]string{"north": "PJSIP/south-", "south": "PJSIP/north-"} {
		if out := offices[name].command(ctx, "core show channels concise"); !strings.Contains(out, trunk) {
			t.Errorf("the call does not go over the trunk of %s:\n%s", name, out)
		}
	}
	north.must(a.Hangup(ctx))
	north.must(b.WaitEnded(ctx))

	if err := pbx["north"].Reach(ctx, map[string]string{"east": pbx["south"].SIP()}); err == nil || !strings.Contains(err.Error(), "no trunk east") {
		t.Errorf("a trunk that there is not is reached: %v", err)
	}
}

func TestBranchesShareTheDemoOut(t *testing.T) {
	whole, phones, incoming := pbxtest.Demo(), 0, map[string]bool{}
	for name, p := range pbxtest.Branches() {
		phones += len(p.Phones)
		if len(p.Phones) == 0 || p.Trunks[0].ID != whole.Trunks[0].ID || len(p.Trunks) != 3 {
			t.Errorf("%s has %d phones and the trunks %v", name, len(p.Phones), p.Trunks)
		}
		for _, in := range p.Incoming {
			if incoming[in.Number] {
				t.Errorf("%s is a number of two branches", in.Number)
			}
			incoming[in.Number] = true
		}
	}
	if phones != len(whole.Phones) {
		t.Errorf("the branches have %d phones of the demo's %d", phones, len(whole.Phones))
	}
	for _, in := range whole.Incoming {
		if !incoming[in.Number] {
			t.Errorf("no branch has the number %s", in.Number)
		}
	}
}
