package agent

import (
	"context"
	"errors"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/redistest"
)

// line is a PBX's address at which it is counted who connects.
func line(t *testing.T) (addr string, connected *atomic.Int64) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connected = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connected.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String(), connected
}

// beside makes the files of an Earshot of a cluster.
func beside(t *testing.T, s *redistest.Server, role, pbx string) (dir string, connected *atomic.Int64) {
	t.Helper()
	dir = sharing(t, s, role)
	addr, connected := line(t)
	path := filepath.Join(dir, "earshot.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.ReplaceAll(string(text), "127.0.0.1:1", addr)+"cluster: {pbx: "+pbx+"}\n")
	return dir, connected
}

// knows waits until these PBXs, and no others, are known.
func (n *neighbour) knows(pbxs ...string) {
	n.t.Helper()
	n.comes("to know "+strings.Join(pbxs, " "), func() bool { return slices.Equal(n.cluster.Status().Known, pbxs) })
}

func (n *neighbour) stands(s cache.Standing) {
	n.t.Helper()
	n.comes(s.String(), func() bool { return n.cluster.Status().Standing == s })
}

func TestTheEarshotsOfAClusterKnowEachOtherAndSayWhoIsMissing(t *testing.T) {
	s := redistest.Start(t)
	giver, connected := beside(t, s, roleGive, "pbx-a")
	a, _ := shares(t, giver)
	a.has(1, "")
	dir, _ := beside(t, s, roleFollow, "pbx-b")
	b, end := shares(t, dir)
	a.knows("pbx-b")
	b.knows("pbx-a")
	a.comes("a connection to the PBX", func() bool { return connected.Load() > 0 })
	if lacks := a.degraded(); len(lacks) > 0 {
		t.Error(lacks)
	}
	begun := time.Now()
	end()
	a.knows()
	if took := time.Since(begun); took > 1500*time.Millisecond { // a lease is longer
		t.Errorf("who leaves is known for %v more", took)
	}
	if _, body := ask(t, a.Agent, "GET", "/readyz"); !strings.Contains(body, "out of reach, so that their calls are not known: pbx-b") {
		t.Error(body)
	}
	if _, body := ask(t, a.Agent, "GET", "/metrics"); !strings.Contains(body, "\nearshot_cluster_members{state=\"gone\"} 1\n") || !strings.Contains(body, "\nearshot_cluster_standing{standing=\"joined\"} 1\n") {
		t.Error("no gauge tells")
	}
	b, _ = shares(t, dir)
	a.knows("pbx-b")
	b.knows("pbx-a")
}

func TestASecondEarshotBesideAPBXDoesNotTouchIt(t *testing.T) {
	s := redistest.Start(t)
	giver, first := beside(t, s, roleGive, "pbx-a")
	a, end := shares(t, giver)
	a.has(1, "")
	a.comes("a connection to the PBX", func() bool { return first.Load() > 0 })
	dir, second := beside(t, s, roleFollow, "pbx-a")
	other, err := New(settings(t, dir), zerolog.Nop(), "test")
	if err != nil {
		t.Fatal(err)
	}
	err = other.Run(t.Context())
	if !errors.Is(err, ErrTaken) || !strings.Contains(err.Error(), "pbx-a") || !strings.Contains(err.Error(), "cluster.pbx") {
		t.Errorf("%v", err)
	}
	if n := second.Load(); n != 0 {
		t.Errorf("it has connected %d times", n)
	}
	a.stands(cache.Joined)
	// Who has left gives the name back at once.
	end()
	next, err := New(settings(t, dir), zerolog.Nop(), "test")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- next.Run(ctx) }()
	(&neighbour{Agent: next, t: t}).comes("a connection to the PBX", func() bool { return second.Load() > 0 })
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

func TestASecondEarshotBesideAPBXDoesNotPublishItsPolicy(t *testing.T) {
	s := redistest.Start(t)
	giver, _ := beside(t, s, roleGive, "pbx-a")
	a, _ := shares(t, giver)
	a.has(1, "")
	before := s.Admin.HGetAll(t.Context(), "{earshot}:document:policy").Val()
	dir, _ := beside(t, s, roleGive, "pbx-a")
	write(t, filepath.Join(dir, "policy.yaml"), anotherPolicy)
	other, err := New(settings(t, dir), zerolog.Nop(), "test")
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Run(t.Context()); !errors.Is(err, ErrTaken) {
		t.Errorf("%v", err)
	}
	if after := s.Admin.HGetAll(t.Context(), "{earshot}:document:policy").Val(); before["version"] == "" || !maps.Equal(before, after) {
		t.Errorf("generation %q became %q", before["version"], after["version"])
	}
}

func TestWithoutTheRedisAnEarshotOfAClusterBeginsAloneAndJoinsLater(t *testing.T) {
	s := redistest.Start(t)
	giver, connected := beside(t, s, roleGive, "pbx-a")
	s.Kill()
	a, _ := shares(t, giver)
	a.comes("a connection to the PBX", func() bool { return connected.Load() > 0 })
	if lacks := strings.Join(a.degraded(), "\n"); !strings.Contains(lacks, "cluster: not a member") {
		t.Error(lacks)
	}
	s.Run()
	a.stands(cache.Joined)
	a.comes("nothing that is lacking", func() bool { return len(a.degraded()) == 0 })
}

func TestAnEarshotWhoseNameIsTakenAfterTheRedisWasAwayGoesOnAndSaysSo(t *testing.T) {
	s := redistest.Start(t)
	giver, connected := beside(t, s, roleGive, "pbx-a")
	s.Kill()
	a, _ := shares(t, giver) // begins alone
	a.comes("a connection to the PBX", func() bool { return connected.Load() > 0 })
	s.Run()
	a.stands(cache.Joined)
	s.Kill()
	a.stands(cache.Waiting)
	s.Run()
	s.Do("SET", "{earshot}:member:pbx-a", "another")
	a.stands(cache.Taken)
	if _, body := ask(t, a.Agent, "GET", "/readyz"); !strings.Contains(body, "another Earshot has the name pbx-a") {
		t.Error(body)
	}
	before := connected.Load()
	a.comes("another try to connect to the PBX", func() bool { return connected.Load() > before }) // it supervises its own
	s.Do("DEL", "{earshot}:member:pbx-a")
	a.stands(cache.Joined)
}

func TestEachEarshotOfAClusterHasThePhonesOfItsOwnPBX(t *testing.T) {
	s := redistest.Start(t)
	giver, _ := beside(t, s, roleGive, "pbx-a")
	write(t, filepath.Join(giver, "policy.yaml"), `version: 1
employees:
  anna: {name: Anna, phones: [PJSIP/101], pbx: pbx-a}
  boris: {name: Boris, phones: [PJSIP/101], pbx: pbx-b}
`)
	a, _ := shares(t, giver)
	dir, _ := beside(t, s, roleFollow, "pbx-b")
	b, _ := shares(t, dir)
	for n, want := range map[*neighbour]string{a: "anna", b: "boris"} {
		n.has(2, "")
		if who, _, ok := n.ownerOf("PJSIP/101"); !ok || who != want {
			t.Errorf("the phone is of %q", who)
		}
		set, warnings, err := settings(t, n.dir).LoadPolicy(time.Now())
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%v %v", warnings, err)
		}
		if ref, ok := set.Phone("PJSIP/101"); !ok || set.ID(ref) != want {
			t.Error("to a command it is another's")
		}
	}
	path := filepath.Join(giver, "earshot.yaml")
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(config), "{pbx: pbx-a}", "{pbx: pbx-c}", 1))
	if warnings, err := Check(path); err != nil || !strings.Contains(strings.Join(warnings, "\n"), "pbx-c") {
		t.Errorf("%v %v", warnings, err)
	}
}

func TestAPBXOfThePolicyForWhichNoEarshotHasComeIsNamed(t *testing.T) {
	s := redistest.Start(t)
	giver, _ := beside(t, s, roleGive, "moscow")
	write(t, filepath.Join(giver, "policy.yaml"), "version: 1\nemployees:\n  anna: {phones: [PJSIP/101], pbx: moscow}\n  boris: {phones: [PJSIP/102], pbx: moscwo}\n")
	a, _ := shares(t, giver)
	a.comes("the name of who is missing", func() bool {
		return strings.Contains(strings.Join(a.degraded(), "\n"), "no Earshot has come for them, so that their calls are not known; is the name written as in cluster.pbx there: moscwo")
	})
	if _, body := ask(t, a.Agent, "GET", "/metrics"); !strings.Contains(body, "\nearshot_cluster_members{state=\"gone\"} 1\n") {
		t.Error("no gauge tells")
	}
}
