package publication_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/earshot-pbx/earshot/agent/publication"
	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/redis"
	"github.com/earshot-pbx/earshot/cache/redistest"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const people = "version: 1\nemployees:\n  anna: {name: Anna, phones: [PJSIP/101]}\n  boris: {name: Boris, phones: [PJSIP/102]}\n"

// says is a policy of two files that says who may listen, and nothing that a mixture of two would say.
func says(who string) []policyfile.Document {
	return []policyfile.Document{
		{Name: "/srv/a.yaml", Text: people + "groups:\n  " + who + "-group: [" + who + "]\n"},
		{Name: "/srv/b.yaml", Text: "version: 1\nroles:\n  ear: {listen: any}\nassign:\n  - {role: ear, to: [group:" + who + "-group]}\n"},
	}
}

func may(s *policy.Set, who string) bool {
	anna, _ := s.Employee("anna")
	boris, _ := s.Employee("boris")
	if who == "boris" {
		anna, boris = boris, anna
	}
	return s.Decide(&policy.Request{Subject: anna, Action: policy.Spy, Target: boris}).Allowed
}

// open opens a cache over a Redis and runs it until the test, or closeIt.
func open(t testing.TB, s *redistest.Server) *redis.Cache {
	t.Helper()
	cfg, err := redis.Parse("redis://"+s.Addr+"?poll=50ms&timeout=1s", "")
	must(t, err)
	c, err := redis.Open(cfg)
	must(t, err)
	run(t, c.Run)
	return c
}

func run(t testing.TB, f func(context.Context) error) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(end)
	return end
}

func keyOf(k []byte) publication.Key { return func() ([]byte, error) { return k, nil } }

func config(c cache.Cache) publication.Config {
	return publication.Config{Store: c, Key: keyOf(key), Stale: time.Second}
}

func publish(t testing.TB, c cache.Cache, documents []policyfile.Document) uint64 {
	t.Helper()
	return publishFrom(t, c, 1000, documents)
}

func publishFrom(t testing.TB, c cache.Cache, least uint64, documents []policyfile.Document) uint64 {
	t.Helper()
	g, _, err := publication.Publish(patient(t), c, key, publication.Edition{Generation: least, Documents: documents}, false, false)
	must(t, err)
	return g
}

func patient(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// fetch makes a follower that runs.
func fetch(t testing.TB, c cache.Cache, file string) (*publication.Follower, func()) {
	t.Helper()
	f, err := publication.Fetch(patient(t), config(c), file, policyfile.Options{})
	must(t, err)
	return f, run(t, f.Run)
}

type stater interface{ Status() publication.Status }

func until(t testing.TB, s stater, what string, holds func(publication.Status) bool) {
	t.Helper()
	limit := patient(t)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds(s.Status()) {
		select {
		case <-limit.Done():
			t.Fatalf("%s: %+v", what, s.Status())
		case <-tick.C:
		}
	}
}

func has(generation uint64, trouble publication.Trouble) func(publication.Status) bool {
	return func(s publication.Status) bool { return s.Generation == generation && s.Trouble == trouble }
}

func TestWhatIsPublishedIsInForceAtAllFollowers(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, s)
	g1 := publish(t, c, says("anna"))
	var all []*publication.Follower
	for i := range 3 {
		f, _ := fetch(t, open(t, s), filepath.Join(t.TempDir(), fmt.Sprint(i)))
		all = append(all, f)
		until(t, f, "the first", has(g1, ""))
		if !may(f.File().Current(), "anna") || may(f.File().Current(), "boris") || f.File().Current().Generation() != g1 {
			t.Error("it is not what was published")
		}
	}
	g2 := publish(t, c, says("boris"))
	if again := publish(t, c, says("boris")); g2 <= g1 || again != g2 {
		t.Errorf("%d %d %d", g1, g2, again)
	}
	for _, f := range all {
		until(t, f, "the second", has(g2, ""))
		if may(f.File().Current(), "anna") || !may(f.File().Current(), "boris") || f.File().Current().Generation() != g2 || f.Status().Unverified > time.Second {
			t.Errorf("%+v", f.Status())
		}
	}
}

// swap replaces what the Redis has for the policy.
func swap(t *testing.T, s *redistest.Server, version uint64, text string) {
	t.Helper()
	s.Do("HSET", "{earshot}:document:policy", "version", version, "data", text)
}

func TestWhatIsNotRightStaysOut(t *testing.T) {
	old, foreign := sealed(t, publication.Edition{Generation: 5, Documents: says("boris")}), ""
	foreign, err := publication.Seal(slices.Repeat([]byte("x"), 32), publication.Edition{Generation: 5000, Documents: says("boris")})
	must(t, err)
	broken := says("boris")
	broken[1].Text = "version: 1\nrules:\n"
	for name, c := range map[string]struct {
		version uint64
		text    string
		trouble publication.Trouble
	}{
		"another key":                       {5000, foreign, publication.Forged},
		"an old one under a new number":     {5000, old, publication.Forged},
		"cut":                               {5000, sealed(t, publication.Edition{Generation: 5000, Documents: says("boris")})[:300], publication.Forged},
		"no policy":                         {5000, "x", publication.Forged},
		"the same generation, changed":      {1000, "x", publication.Forged},
		"another one of the same":           {1000, sealed(t, publication.Edition{Generation: 1000, Documents: says("boris")}), publication.Conflict},
		"a mixture":                         {5000, sealed(t, publication.Edition{Generation: 5000, Documents: append(says("boris")[:1], says("anna")[1:]...)}), publication.Broken},
		"a policy that is not good":         {5000, sealed(t, publication.Edition{Generation: 5000, Documents: broken}), publication.Broken},
		"a policy without any file":         {5000, sealed(t, publication.Edition{Generation: 5000}), publication.Broken},
		"an older one, which is put right":  {5, old, ""},
		"nothing at all, which is as well":  {0, "", ""},
		"the same, as it was":               {1000, sealed(t, publication.Edition{Generation: 1000, Documents: says("anna")}), ""},
		"the version of what cannot be one": {0, "x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := redistest.Start(t)
			f, _ := fetch(t, func() cache.Cache { c := open(t, s); publish(t, c, says("anna")); return c }(), filepath.Join(t.TempDir(), "copy"))
			until(t, f, "the first", has(1000, ""))
			swap(t, s, c.version, c.text)
			if c.trouble != "" {
				until(t, f, "the trouble", has(1000, c.trouble))
				old := f.Status().Unverified
				until(t, f, "its age", func(s publication.Status) bool { return s.Unverified > old && s.Unverified != cache.Never })
			} else {
				until(t, f, "its being put right", func(st publication.Status) bool {
					return s.Admin.HGet(t.Context(), "{earshot}:document:policy", "version").Val() == "1000" && st.Trouble == ""
				})
			}
			if !may(f.File().Current(), "anna") || may(f.File().Current(), "boris") || f.File().Current().Generation() != 1000 {
				t.Error("it is in force")
			}
			// What is right again is in force again.
			s.Do("DEL", "{earshot}:document:policy")
			until(t, f, "the end of the trouble", has(1000, ""))
			next := publishFrom(t, open(t, s), 9000, says("boris")) // later, as the clock goes
			until(t, f, "the next", has(next, ""))
			if !may(f.File().Current(), "boris") {
				t.Error("the next one is not in force")
			}
		})
	}
}

func TestAFollowerStartsFromItsCopyAndSaysSo(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, s)
	file := filepath.Join(t.TempDir(), "copy")
	if _, err := publication.Load(config(c), file, policyfile.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%v", err)
	}
	publish(t, c, says("anna"))
	f, end := fetch(t, c, file)
	g := publish(t, c, says("boris"))
	until(t, f, "the second", has(g, ""))
	end()
	s.Kill()
	away := open(t, s)
	var told []publication.Trouble
	cfg := config(away)
	cfg.Tell = func(s publication.Status) { told = append(told, s.Trouble) }
	f, err := publication.Load(cfg, file, policyfile.Options{})
	must(t, err)
	if st := f.Status(); st.Trouble != publication.Unconfirmed || st.Unverified != cache.Never || st.Generation != g || !may(f.File().Current(), "boris") {
		t.Errorf("%+v", st)
	}
	end = run(t, f.Run)
	s.Run() // empty: it gets the policy back from whoever has it
	until(t, f, "its being confirmed", has(g, ""))
	s.Pause()
	until(t, f, "the pause", has(g, publication.Unconfirmed))
	if st := f.Status(); st.Unverified < time.Second || st.Unverified == cache.Never {
		t.Errorf("%+v", st)
	}
	s.Resume()
	until(t, f, "its return", has(g, ""))
	end()
	if !slices.Equal(told, []publication.Trouble{"", publication.Unconfirmed, ""}) {
		t.Errorf("%q", told)
	}
	other, _ := fetch(t, open(t, s), filepath.Join(t.TempDir(), "other"))
	until(t, other, "what was put back", has(g, ""))
}

func TestACopyThatWasChangedIsNoGround(t *testing.T) {
	file := filepath.Join(t.TempDir(), "copy")
	for name, text := range map[string]string{
		"cut":         sealed(t, edition(5, people))[:100],
		"another key": strings.Replace(sealed(t, edition(5, people)), " 5 ", " 6 ", 1),
		"empty":       "",
		"no policy":   sealed(t, edition(5, "version: 1\nrules: {}\n")),
	} {
		must(t, os.WriteFile(file, []byte(text), 0o600))
		if f, err := publication.Load(config(cache.NewMemory(cache.Options{})), file, policyfile.Options{}); err == nil || f != nil {
			t.Errorf("%s: it starts", name)
		}
	}
	must(t, os.WriteFile(file, []byte(sealed(t, edition(5, people))), 0o600))
	f, err := publication.Load(config(cache.NewMemory(cache.Options{})), file, policyfile.Options{})
	if err != nil || f.Status().Generation != 5 {
		t.Errorf("%v", err)
	}
}

func TestAPolicyThatCannotBeSavedIsInForceAndSaidToBeUnsaved(t *testing.T) {
	c := cache.NewMemory(cache.Options{})
	g := publish(t, c, says("anna"))
	dir := filepath.Join(t.TempDir(), "d")
	must(t, os.Mkdir(dir, 0o700))
	f, _ := fetch(t, c, filepath.Join(dir, "copy"))
	until(t, f, "the first", has(g, ""))
	must(t, os.Rename(dir, dir+"-gone"))
	g = publish(t, c, says("boris"))
	until(t, f, "the second", has(g, publication.Unsaved))
	if !may(f.File().Current(), "boris") {
		t.Error("it is not in force")
	}
	must(t, os.Rename(dir+"-gone", dir))
	until(t, f, "its being saved", has(g, ""))
	if f, err := publication.Load(config(c), filepath.Join(dir, "copy"), policyfile.Options{}); err != nil || f.Status().Generation != g {
		t.Errorf("%v", err)
	}
}

func TestTheKeyMayChange(t *testing.T) {
	c := cache.NewMemory(cache.Options{})
	g := publish(t, c, says("anna"))
	file := filepath.Join(t.TempDir(), "key")
	must(t, os.WriteFile(file, key, 0o600))
	cfg := config(c)
	cfg.Key = func() ([]byte, error) { return os.ReadFile(file) }
	f, err := publication.Fetch(patient(t), cfg, filepath.Join(t.TempDir(), "copy"), policyfile.Options{})
	must(t, err)
	run(t, f.Run)
	until(t, f, "the first", has(g, ""))
	next := []byte(strings.Repeat("n", 32))
	g2, fresh, err := publication.Publish(patient(t), c, next, publication.Edition{Documents: says("boris")}, false, true)
	if err != nil || !fresh {
		t.Fatalf("%v", err)
	}
	until(t, f, "a key that it has not", has(g, publication.Forged))
	must(t, os.Remove(file))
	until(t, f, "no key", has(g, publication.NoKey))
	must(t, os.WriteFile(file, next, 0o600))
	until(t, f, "the new key", has(g2, ""))
}

// giving runs a giver of the files of a folder.
func giving(t *testing.T, c cache.Cache, dir string) (*publication.Giver, *policyfile.File, func()) {
	t.Helper()
	var g *publication.Giver
	file, err := policyfile.Open([]string{dir}, policyfile.Options{Number: func() uint64 { return 2000 }, OnChange: func(*policy.Set, error) { g.Changed() }})
	must(t, err)
	g = publication.NewGiver(config(c), file)
	return g, file, run(t, g.Run)
}

func write(t *testing.T, dir string, documents []policyfile.Document) {
	t.Helper()
	for _, d := range documents {
		must(t, os.WriteFile(filepath.Join(dir, filepath.Base(d.Name)), []byte(d.Text), 0o600))
	}
}

func TestAGiverPublishesWhatIsInForceAtIt(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, s)
	dir := t.TempDir()
	write(t, dir, says("anna"))
	g, file, end := giving(t, c, dir)
	until(t, g, "the first", has(2000, ""))
	f, _ := fetch(t, open(t, s), filepath.Join(t.TempDir(), "copy"))
	until(t, f, "the first", has(2000, ""))
	write(t, dir, says("boris"))
	must(t, file.Reload())
	until(t, f, "the second", has(2001, ""))
	if !may(f.File().Current(), "boris") || f.Status().Hash != g.Status().Hash {
		t.Error("it is not what is in force at the giver")
	}
	must(t, os.WriteFile(filepath.Join(dir, "b.yaml"), []byte("version: 1\nrules:\n"), 0o600))
	if file.Reload() == nil {
		t.Fatal("it is good")
	}
	write(t, dir, says("boris"))
	must(t, file.Reload())
	s.Do("FLUSHALL")
	until(t, g, "its being put back", func(publication.Status) bool {
		return s.Admin.HGet(t.Context(), "{earshot}:document:policy", "version").Val() == "2001"
	})
	until(t, f, "its being put back", has(2001, ""))
	end()
	// Started again, it has nothing new to say.
	g, file, _ = giving(t, c, dir)
	until(t, g, "what is published", has(2001, ""))
	// Somebody else publishes: it says so and does not fight.
	other, _, err := publication.Publish(patient(t), open(t, s), key, publication.Edition{Documents: says("anna")}, false, true)
	must(t, err)
	until(t, g, "the other", has(2001, publication.Conflict))
	until(t, f, "the other", has(other, ""))
	// Its next change holds.
	write(t, dir, says("boris")[:1])
	must(t, os.WriteFile(filepath.Join(dir, "b.yaml"), []byte(says("boris")[1].Text+"# more\n"), 0o600))
	must(t, file.Reload())
	until(t, g, "its next", has(other+1, ""))
	until(t, f, "its next", has(other+1, ""))
}

func TestAGiverWhoseRedisIsAwayPublishesAfterwards(t *testing.T) {
	s := redistest.Start(t)
	c := open(t, s)
	dir := t.TempDir()
	write(t, dir, says("anna"))
	g, file, _ := giving(t, c, dir)
	until(t, g, "the first", has(2000, ""))
	s.Pause()
	t.Cleanup(s.Resume)
	until(t, g, "the pause", has(2000, publication.Unconfirmed))
	write(t, dir, says("boris"))
	must(t, file.Reload())
	if !may(file.Current(), "boris") {
		t.Error("it waits for the Redis with its own policy")
	}
	s.Resume()
	until(t, g, "the second", has(2001, ""))
	s.Do("CONFIG", "SET", "maxmemory", "1")
	write(t, dir, says("anna"))
	must(t, file.Reload())
	until(t, g, "a full Redis", has(2001, publication.Older))
	s.Do("CONFIG", "SET", "maxmemory", "0")
	until(t, g, "the third", has(2002, ""))
}
