package agent

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/earshot-pbx/earshot/agent/publication"
	"github.com/earshot-pbx/earshot/cache/redistest"
)

const anotherPolicy = "version: 1\nemployees:\n  anna: {name: Anna, phones: [PJSIP/101]}\n  boris: {name: Boris, phones: [PJSIP/102]}\n"

// sharing makes the files of an Earshot of a publication. A follower has no policy.
func sharing(t *testing.T, s *redistest.Server, role string) (dir string) {
	t.Helper()
	_, dir, _ = house(t)
	dir = elsewhere(t, dir)
	write(t, filepath.Join(dir, "key"), strings.Repeat("k", publication.MinKey)+"\n")
	path := filepath.Join(dir, "earshot.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	config := string(text) + overRedis(s) + "publication: {role: " + role + ", key_file: key}\n"
	if role == roleFollow {
		config = strings.Replace(config, "policy: policy.yaml\n", "", 1)
		config = strings.Replace(config, "key_file: key", "key_file: key, copy: copy", 1)
		if err := os.Remove(filepath.Join(dir, "policy.yaml")); err != nil {
			t.Fatal(err)
		}
	}
	write(t, path, config)
	return dir
}

func settings(t *testing.T, dir string) *Config {
	t.Helper()
	cfg, err := LoadConfig(filepath.Join(dir, "earshot.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// shares starts an Earshot with such files.
func shares(t *testing.T, dir string) (n *neighbour, end func()) {
	t.Helper()
	log := make(lines, 1000)
	a, err := New(settings(t, dir), zerolog.New(log), "test")
	if err != nil {
		t.Fatal(err)
	}
	n = &neighbour{Agent: a, t: t, dir: dir, log: log}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- a.Run(ctx) }()
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(end)
	if _, _, err := a.Addresses(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n, end
}

// has waits until so many employees are known, by the policy that is decided by, and how it stands to the published one.
func (n *neighbour) has(employees int, trouble publication.Trouble) {
	n.t.Helper()
	n.comes(fmt.Sprintf("%d employees, %q", employees, trouble), func() bool {
		s, ok := n.published()
		return ok && s.Trouble == trouble && n.gate.Policy().Len() == employees
	})
}

func TestAFollowerHasThePolicyOfTheGiver(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("run", func(t *testing.T) {
		t.Cleanup(http.DefaultClient.CloseIdleConnections)
		s := redistest.Start(t)
		giver, _ := shares(t, sharing(t, s, roleGive))
		giver.has(1, "")
		dir := sharing(t, s, roleFollow)
		follower, end := shares(t, dir)
		follower.has(1, "")
		write(t, filepath.Join(giver.dir, "policy.yaml"), anotherPolicy)
		follower.has(2, "")
		giver.has(2, "")
		if a, b := giver.gate.Policy().Generation(), follower.gate.Policy().Generation(); a != b || a < 1_700_000_000 {
			t.Errorf("generations %d and %d", a, b)
		}
		write(t, filepath.Join(giver.dir, "policy.yaml"), "version: 2\n") // nothing comes of it
		giver.comes("the broken policy", func() bool { return giver.policy.Status().LastError != nil })

		s.Kill()
		follower.has(2, publication.Unconfirmed)
		if _, body := ask(t, follower.Agent, "GET", "/readyz"); !strings.Contains(body, "still the published one") {
			t.Error(body)
		}
		end()
		if set, _, err := settings(t, dir).LoadPolicy(follower.gate.Policy().Moment()); err != nil || set.Len() != 2 {
			t.Errorf("what the commands see: %v", err)
		}
		if warnings, err := Check(filepath.Join(dir, "earshot.yaml")); err != nil || strings.Contains(strings.Join(warnings, "\n"), "copy") {
			t.Errorf("%v %v", warnings, err)
		}
		again, _ := shares(t, dir) // without the Redis
		again.has(2, publication.Unconfirmed)
		if _, body := ask(t, again.Agent, "GET", "/metrics"); !strings.Contains(body, "\nearshot_policy_unverified_seconds +Inf\n") ||
			!strings.Contains(body, "\nearshot_policy_publication_trouble{trouble=\"unconfirmed\"} 1\n") {
			t.Error("no gauge tells")
		}
		s.Run()
		again.has(2, "")
		giver.has(2, "")
	})
}

func TestAPolicyIsPublishedByCommand(t *testing.T) {
	s := redistest.Start(t)
	dir := sharing(t, s, roleFollow)
	cfg := settings(t, dir)
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, anotherPolicy)
	first, err := Publish(t.Context(), cfg, []string{path}, false)
	if err != nil || !first.Fresh {
		t.Fatalf("%+v %v", first, err)
	}
	if again, err := Publish(t.Context(), cfg, []string{path}, false); err != nil || again.Fresh || again.Generation != first.Generation {
		t.Errorf("%+v %v", again, err)
	}
	follower, _ := shares(t, dir)
	follower.has(2, "")
	write(t, path, "version: 1\nemployees:\n  anna: {name: Anna}\n")
	if next, err := Publish(t.Context(), cfg, []string{path}, false); err != nil || next.Generation <= first.Generation {
		t.Errorf("%+v %v", next, err)
	}
	follower.has(1, "")
	write(t, path, "version: 1\nemployeees: {}\n")
	if p, err := Publish(t.Context(), cfg, []string{path}, false); err == nil {
		t.Errorf("a broken one was published: %+v", p)
	}
	if p, err := Publish(t.Context(), cfg, nil, false); err == nil {
		t.Errorf("what follows has published: %+v", p)
	}
	s.Pause()
	t.Cleanup(s.Resume)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	write(t, path, anotherPolicy)
	if _, err := Publish(ctx, cfg, []string{path}, false); err == nil || strings.Contains(err.Error(), s.Addr) {
		t.Errorf("%v", err)
	}
}

func TestTheCommandIsRefusedBesideAGiverAndWithAnotherKey(t *testing.T) {
	s := redistest.Start(t)
	giver, end := shares(t, sharing(t, s, roleGive))
	giver.has(1, "")
	dir := sharing(t, s, roleFollow)
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, anotherPolicy)
	refused := func(reason string) {
		t.Helper()
		if p, err := Publish(t.Context(), settings(t, dir), []string{path}, false); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%+v %v", p, err)
		}
	}
	refused("role: give")
	end()
	write(t, filepath.Join(dir, "key"), strings.Repeat("w", publication.MinKey)+"\n")
	refused("publication.key_file")
	if p, err := Publish(t.Context(), settings(t, dir), []string{path}, true); err != nil || !p.Fresh {
		t.Errorf("%+v %v", p, err)
	}
}

func TestARedisWithoutTLSElsewhereIsWarnedOf(t *testing.T) {
	for line, want := range map[string]bool{
		"redis://redis:6379": true, "redis://10.0.0.1:6379": true,
		"rediss://redis:6379": false, "redis://127.0.0.1:6379": false, "redis://localhost:6379": false, "": false,
	} {
		c := &Config{Cache: Cache{Redis: line}, HTTP: HTTP{Listen: "127.0.0.1:1"}}
		if got := strings.Contains(strings.Join(c.warnings(), "\n"), "cache.redis"); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

func TestAFollowerThatNeverHadAPolicyDoesNotStartWithoutOne(t *testing.T) {
	s := redistest.Start(t)
	dir := sharing(t, s, roleFollow)
	write(t, filepath.Join(dir, "copy"), "cut")
	if _, err := New(settings(t, dir), zerolog.Nop(), "test"); err == nil || !strings.Contains(err.Error(), "publication") {
		t.Errorf("%v", err)
	}
	if _, err := Check(filepath.Join(dir, "earshot.yaml")); err == nil || !strings.Contains(err.Error(), "publication.copy") {
		t.Errorf("%v", err)
	}
	write(t, filepath.Join(dir, "key"), "short\n")
	if _, err := New(settings(t, dir), zerolog.Nop(), "test"); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("%v", err)
	}
}
