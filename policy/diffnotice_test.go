package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
)

// tellingPolicy draws a policy in which somebody supervises two others, who are told in some way.
func tellingPolicy(t *rapid.T, label string) string {
	entry := func(label string) string {
		var rights []string
		for _, key := range []string{"spy", "whisper", "listen"} {
			to := rapid.SampledFrom([]string{"", "none", "[b]", "[b, c]", "any"}).Draw(t, label+" "+key)
			how := rapid.SampledFrom([]string{"none", "panel", "[after]", "[panel, after]", "{how: after, to: both}"}).Draw(t, label+" notify "+key)
			if to != "" {
				rights = append(rights, fmt.Sprintf("%s: {to: %s, notify: %s}", key, to, how))
			}
		}
		if to := rapid.SampledFrom([]string{"", "", "[b]", "any"}).Draw(t, label+" unnoticed"); to != "" {
			rights = append(rights, "unnoticed: "+to)
		}
		return "{" + strings.Join(rights, ", ") + "}"
	}
	who := rapid.SampledFrom([]string{"a", "b"}).Draw(t, label+" has the role")
	return fmt.Sprintf("version: 1\nemployees: {a: %s, b: {}, c: {}}\nroles: {r: %s}\nassign: [{role: r, to: [%s]}]\n", entry(label+" own"), entry(label+" role"), who)
}

// A change of how somebody is told is told if there is one, and only then: of whom one may supervise before and after and never unnoticed.
func TestADifferenceOfNoticesIsTold(t *testing.T) {
	told, none := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		oldText, newText := tellingPolicy(t, "old"), tellingPolicy(t, "new")
		before, after := mustLoad(t, oldText), mustLoad(t, newText)
		got := map[string]bool{}
		for p := range policy.Compare(before, after, day).People() {
			for _, c := range p.Changes {
				if c.Kind == policy.ChangeNotice {
					got[p.ID+" "+c.Action.String()] = true
				}
			}
		}
		for _, subject := range []string{"a", "b", "c"} {
			for _, a := range []policy.Action{policy.Spy, policy.Whisper, policy.Barge} {
				want := slices.ContainsFunc([]string{"a", "b", "c"}, func(target string) bool { return noticeDiffers(before, after, subject, a, target) })
				if what := subject + " " + a.String(); got[what] != want {
					t.Fatalf("%s: told %v, differs %v\n%s--\n%s", what, got[what], want, oldText, newText)
				}
				if want {
					told++
				} else {
					none++
				}
			}
		}
	})
	if told < 20 || none < 20 {
		t.Errorf("%d are told and %d are not", told, none)
	}
}

func noticeDiffers(before, after *policy.Set, subject string, a policy.Action, target string) bool {
	var notices [2][3]bool
	for i, set := range []*policy.Set{before, after} {
		s, _ := set.Employee(subject)
		o, _ := set.Employee(target)
		req := policy.Request{Subject: s, Action: a, Target: o}
		unnoticed := policy.Request{Subject: s, Action: policy.Unnoticed, Target: o}
		if !set.Decide(&req).Allowed || set.Decide(&unnoticed).Allowed {
			return false
		}
		n := set.Notice(&req)
		notices[i] = [3]bool{n.Panel(), n.After(), n.Both()}
	}
	return notices[0] != notices[1]
}
