package pbx

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// readmeSettings are the lines of the API's README.md that honour the settings, in a context of their own, and those of the include that keep them.
func readmeSettings() (string, error) {
	b, err := os.ReadFile("../httpapi/README.md")
	if err != nil {
		return "", err
	}
	_, after, _ := strings.Cut(string(b), "\n## Changing rights and settings\n")
	_, after, _ = strings.Cut(after, "```ini\n[phones]\n")
	text, _, ok := strings.Cut(after, "```")
	if !ok {
		return "", errors.New("README.md has no dialplan for settings")
	}
	b, err = os.ReadFile("../../deploy/asterisk/extensions_earshot.conf")
	_, keeps, ok := strings.Cut(string(b), "["+SettingsContext+"]\n")
	if err == nil && !ok {
		err = errors.New("the include keeps no settings")
	}
	return "[asset]\n" + text + "\n[" + SettingsContext + "]\n" + keeps, err
}

func TestSettingsAreKeptAndTheDialplanHonoursThem(t *testing.T) {
	o := openOffice(t)
	r := run(t, o, nil, nil)
	r.up()
	defer o.hangupAll(t)
	n := 0
	keep := func(family, key, value string) {
		t.Helper()
		n++ // Asterisk may still be busy with the leg before
		r.must(r.link.Keep(r.ctx, call.LegID(fmt.Sprintf("%skeeps%d-back", Prefix, n)), family, key, value))
		if got, err := r.link.Lookup(r.ctx, family, key); err != nil || got != value {
			t.Fatalf("%s: %q %v", family, got, err)
		}
	}
	t.Cleanup(func() {
		for _, family := range []string{"CF", "CF-earshot", "DND"} {
			if _, err := o.pbx.Command(context.WithoutCancel(r.ctx), "database deltree "+family); err != nil {
				t.Error(err)
			}
		}
	})
	rings := func(id string) {
		t.Helper()
		c, err := o.phones["101"].Dial(r.ctx, asSet+"102")
		r.must(err)
		in, err := o.phones[id].Incoming(r.ctx)
		r.must(err)
		r.must(c.Hangup(r.ctx))
		r.must(in.WaitEnded(r.ctx))
	}
	rings("102")
	keep("CF", "102", "103")
	rings("103")
	keep("CF", "102", "")
	rings("102")
	if text, err := o.pbx.Command(r.ctx, "database show CF"); err != nil || strings.Contains(text, "102") {
		t.Errorf("it is still there: %s %v", text, err)
	}
	keep("DND", "102", "YES")
	c, err := o.phones["101"].Dial(r.ctx, asSet+"102")
	r.must(err)
	r.must(c.WaitEnded(r.ctx))
	if e := c.Ending(); e.Status != 486 {
		t.Errorf("%+v", e)
	}
	if n := len(o.phones["102"].Calls()); n != 0 {
		t.Error("the phone has rung")
	}
	keep("DND", "102", "")
	rings("102")
	// A family is read as a whole, and no other that begins like it.
	keep("CF-earshot", "102", "+74951234567:act1:626f726973")
	keep("CF-earshot", "1031", "103:act2:616e6e61")
	keep("CF", "103", "102")
	for family, want := range map[string]map[string]string{
		"CF-earshot": {"102": "+74951234567:act1:626f726973", "1031": "103:act2:616e6e61"}, "CF": {"103": "102"}, "CFU": {},
	} {
		if got, err := r.link.Family(r.ctx, family); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v %v", family, got, err)
		}
	}
	keep("CF-earshot", "1031", "")
	keep("CF", "103", "")
	// What the dialplan's own codes set is seen too.
	if _, err := o.pbx.Command(r.ctx, "database put CF 102 +74951234567"); err != nil {
		t.Fatal(err)
	}
	if got, err := r.link.Lookup(r.ctx, "CF", "102"); err != nil || got != "+74951234567" {
		t.Errorf("%q %v", got, err)
	}
	for _, bad := range [][3]string{{"CF", "102/x", "1"}, {"CF", "102", "1)"}, {"CF)", "102", "1"}, {"CF", "", "1"}, {"CF", "102", "${SHELL(id)}"}, {"CF", "102", "1\r\nAction: x"}} {
		if err := r.link.Keep(r.ctx, Prefix+"keeps-back", bad[0], bad[1], bad[2]); !errors.Is(err, errNotKept) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if got, err := r.link.Lookup(r.ctx, "CF", "102"); err != nil || got != "+74951234567" {
		t.Errorf("%q %v", got, err)
	}
}

// Without the include that is told at once, and not after the time that a leg there would have.
func TestWithoutTheIncludeNothingIsKept(t *testing.T) {
	o := openOffice(t)
	r := run(t, o, nil, nil)
	r.up()
	defer o.hangupAll(t)
	command := func(text string) {
		t.Helper()
		if _, err := o.pbx.Command(context.WithoutCancel(r.ctx), text); err != nil {
			t.Fatal(err)
		}
	}
	command("dialplan remove context " + SettingsContext)
	t.Cleanup(func() { command("dialplan reload") })
	if err := r.link.Keep(r.ctx, Prefix+"keeps-without-back", "DND", "103", "YES"); !errors.Is(err, ErrNoInclude) {
		t.Errorf("%v", err)
	}
	command("dialplan reload")
	r.must(r.link.Keep(r.ctx, Prefix+"keeps-with-back", "DND", "103", "YES"))
	r.must(r.link.Keep(r.ctx, Prefix+"keeps-out-back", "DND", "103", ""))
}

func TestMembersOfQueuesArePausedAndCalledAgain(t *testing.T) {
	o := openOffice(t)
	r := run(t, o, nil, nil)
	r.up()
	defer o.hangupAll(t)
	o.react(t, "102", phone.Reaction{})
	members := func(want ...Member) {
		t.Helper()
		got, err := r.link.Memberships(r.ctx, []string{"PJSIP/101", "pjsip/201", "PJSIP/999"})
		if err != nil || len(got) != len(want) {
			t.Fatalf("%+v %v", got, err)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%+v, want %+v", got[i], want[i])
			}
		}
	}
	sales, support := Member{"sales", "PJSIP/101", false}, Member{"support", "Local/201@phones/n", false}
	members(sales, support)
	for _, m := range []*Member{&sales, &support} {
		m.Paused = true
		r.must(r.link.Pause(r.ctx, *m))
		members(sales, support)
	}
	// The queue rings the other member, and not the one that is paused.
	number := ""
	for _, q := range o.pbx.Plan().Queues {
		if q.Name == "sales" {
			number = q.Number
		}
	}
	c, err := o.phones["103"].Dial(r.ctx, number)
	r.must(err)
	in, err := o.phones["102"].Incoming(r.ctx)
	r.must(err)
	if n := len(o.phones["101"].Calls()); n != 0 {
		t.Error("the paused phone rings")
	}
	r.must(c.Hangup(r.ctx))
	r.must(in.WaitEnded(r.ctx))
	for _, m := range []*Member{&sales, &support} {
		m.Paused = false
		r.must(r.link.Pause(r.ctx, *m))
	}
	members(sales, support)
	if err := r.link.Pause(r.ctx, Member{"none", "PJSIP/101", true}); err == nil {
		t.Error("there is no such queue")
	}
}
