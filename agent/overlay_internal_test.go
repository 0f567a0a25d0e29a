package agent

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/earshot-pbx/earshot/agent/publication"
	"github.com/earshot-pbx/earshot/cache/redistest"
	"github.com/earshot-pbx/earshot/policy"
)

const spyingPolicy = "version: 1\nemployees:\n  anna: {name: Anna, spy: true}\n  boris: {name: Boris}\n"

// overlaying is sharing with an overlay.
func overlaying(t *testing.T, s *redistest.Server, role string) (dir string) {
	t.Helper()
	dir = sharing(t, s, role)
	path := filepath.Join(dir, "earshot.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(text), "publication: {", "publication: {overlay: true, ", 1))
	if role == roleGive {
		write(t, filepath.Join(dir, "policy.yaml"), spyingPolicy)
	}
	return dir
}

// lets waits until what is decided by lets anna, or boris, spy on the other, or not.
func (n *neighbour) lets(anna, boris bool) {
	n.t.Helper()
	n.comes(fmt.Sprintf("%v %v", anna, boris), func() bool {
		set := n.gate.Policy()
		a, _ := set.Employee("anna")
		b, _ := set.Employee("boris")
		return set.Decide(&policy.Request{Subject: a, Action: policy.Spy, Target: b}).Allowed == anna &&
			set.Decide(&policy.Request{Subject: b, Action: policy.Spy, Target: a}).Allowed == boris
	})
}

func (n *neighbour) overlaid(known bool, trouble publication.OverlayTrouble) uint64 {
	n.t.Helper()
	n.comes(fmt.Sprintf("an overlay: %v %q", known, trouble), func() bool {
		s, ok := n.overlay()
		return ok && s.Known == known && s.Trouble == trouble
	})
	s, _ := n.overlay()
	return s.Generation
}

func TestAnOverlayIsDecidedByWhereItIsTurnedOn(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("run", func(t *testing.T) {
		t.Cleanup(http.DefaultClient.CloseIdleConnections)
		s := redistest.Start(t)
		set := func(fields ...any) {
			t.Helper()
			version := s.Admin.HGet(t.Context(), "{earshot}:document:policy", "version").Val()
			s.Do(append([]any{"HSET", "{earshot}:overlay:" + version}, fields...)...)
			s.Do("PUBLISH", "{earshot}:changes", "overlay")
		}
		giver, _ := shares(t, overlaying(t, s, roleGive))
		giver.has(2, "")
		follower, _ := shares(t, overlaying(t, s, roleFollow))
		plain, _ := shares(t, sharing(t, s, roleFollow))
		for _, n := range []*neighbour{giver, follower} {
			g := n.overlaid(false, publication.OverlayAbsent)
			n.lets(false, false)
			if _, body := ask(t, n.Agent, "GET", "/readyz"); !strings.Contains(body, fmt.Sprintf("under {PREFIX}:overlay:%d with all its fields; none is known for this policy, so nobody", g)) {
				t.Error(body)
			}
		}
		plain.lets(true, false)
		version := s.Admin.HGet(t.Context(), "{earshot}:document:policy", "version").Val()
		set("generation", version, "flag:anna:spy", "0", "flag:boris:listen", "1")
		giver.lets(false, true)
		follower.lets(false, true)
		if _, body := ask(t, follower.Agent, "GET", "/readyz"); strings.Contains(body, "overlay") {
			t.Error(body)
		}
		if _, body := ask(t, follower.Agent, "GET", "/metrics"); !strings.Contains(body, "\nearshot_policy_overlay_known 1\n") {
			t.Error("no gauge tells")
		}
		set("flag:irina:spy", "1")
		giver.overlaid(true, publication.OverlayUnfit)
		follower.overlaid(true, publication.OverlayUnfit)
		follower.log.wait(t, "there is no such employee")
		follower.lets(false, true)
		s.Do("HDEL", "{earshot}:overlay:"+version, "flag:irina:spy")
		// Also while the files are broken.
		write(t, filepath.Join(giver.dir, "policy.yaml"), "version: 2\n")
		giver.comes("the broken policy", func() bool { return giver.policy.Status().LastError != nil })
		set("flag:anna:spy", "1")
		giver.lets(true, true)
		follower.lets(true, true)
		// The next policy has it too.
		write(t, filepath.Join(giver.dir, "policy.yaml"), strings.Replace(spyingPolicy, "spy: true", "barge: true", 1))
		giver.comes("the next", func() bool {
			st, _ := giver.published()
			return fmt.Sprint(st.Generation) != version && st.Trouble == ""
		})
		next := giver.overlaid(true, "")
		follower.comes("the next", func() bool { st, _ := follower.overlay(); return st.Generation == next && st.Known })
		follower.lets(true, true) // by her flag
		set("flag:anna:spy", "0")
		giver.lets(false, true)
		follower.lets(false, true)
		plain.lets(false, false)
		// What the commands see is the policy alone.
		if set, _, err := follower.cfg.LoadPolicy(follower.gate.Policy().Moment()); err != nil {
			t.Error(err)
		} else if a, _ := set.Employee("anna"); !set.Decide(&policy.Request{Subject: a, Action: policy.Barge, Target: other(set)}).Allowed {
			t.Error("the commands see an overlay that they cannot know")
		}
	})
}

func other(set *policy.Set) policy.Ref {
	boris, _ := set.Employee("boris")
	return boris
}

func TestACommandPublishesWithTheOverlay(t *testing.T) {
	s := redistest.Start(t)
	dir := overlaying(t, s, roleFollow)
	cfg := settings(t, dir)
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, spyingPolicy)
	first, err := Publish(t.Context(), cfg, []string{path}, false)
	if err != nil {
		t.Fatal(err)
	}
	s.Do("HSET", fmt.Sprintf("{earshot}:overlay:%d", first.Generation), "generation", first.Generation, "except:anna:boris", "1")
	write(t, path, strings.Replace(spyingPolicy, "boris: {name: Boris}", "vera: {name: Vera}", 1))
	if p, err := Publish(t.Context(), cfg, []string{path}, false); err == nil || !strings.Contains(err.Error(), "there is no such target") {
		t.Errorf("%+v %v", p, err)
	}
	write(t, path, spyingPolicy+"  vera: {name: Vera}\n")
	next, err := Publish(t.Context(), cfg, []string{path}, false)
	if err != nil || !next.Fresh {
		t.Fatalf("%+v %v", next, err)
	}
	if got := s.Admin.HGetAll(t.Context(), fmt.Sprintf("{earshot}:overlay:%d", next.Generation)).Val(); len(got) != 2 || got["except:anna:boris"] != "1" {
		t.Errorf("%v", got)
	}
}
