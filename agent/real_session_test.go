package agent_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/cache/redis"
	"github.com/earshot-pbx/earshot/cache/redistest"
)

// other is another sidecar's cache over the same Redis, until the test ends.
func (o *office) other(line string) cache.Cache {
	o.Helper()
	cfg, err := redis.Parse(line, "")
	o.must(err)
	c, err := redis.Open(cfg)
	o.must(err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	o.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			o.Error(err)
		}
	})
	return c
}

// bySession makes a session for an employee by his token.
func (o *office) bySession(employee string) *site.Client {
	o.Helper()
	var made struct {
		Token, Employee string
		Expires         time.Time
	}
	o.must(o.as(employee).Do(o.ctx, http.MethodPost, "/v1/sessions", map[string]int{"ttl": 300}, &made))
	if made.Employee != employee || time.Until(made.Expires) > 301*time.Second {
		o.Fatalf("a session of %s until %v", made.Employee, made.Expires)
	}
	return &site.Client{Base: "http://" + o.HTTP, Token: made.Token}
}

// What was begun by a session ends with it, whether it is ended here or by another Earshot that shares the Redis. The employee's own token
// goes on.
func TestASessionThatEndsTakesItsSupervisionWithIt(t *testing.T) {
	store := redistest.Start(t)
	line := "redis://" + store.Addr + "?poll=100ms&timeout=1s"
	o := open(t, func(c *agent.Config) { c.Cache.Redis = line })
	o.reaches(`earshot_cache_state{state="up"}`, 1)
	far := o.other(line)
	id := func(c *site.Client) string { return strings.TrimPrefix(auth.Hash(c.Token), "sha256:") }
	for name, end := range map[string]func(o *office, session *site.Client){
		"ended by itself": func(o *office, s *site.Client) {
			o.must(s.Do(o.ctx, http.MethodDelete, "/v1/sessions/current", nil, nil))
		},
		"ended by another Earshot": func(o *office, s *site.Client) { o.must(far.DeleteSession(o.ctx, id(s))) },
		"ended by its maker": func(o *office, _ *site.Client) {
			o.must(o.as("irina").Do(o.ctx, http.MethodDelete, "/v1/sessions", nil, nil))
		},
	} {
		o.scene(name, func(o *office) {
			peer, target := o.talk(stranger, "anna")
			w := o.watch("irina") // by her token, which stays
			session := o.bySession("irina")
			o.until("the other has the session", func() error {
				if _, ok := far.Session(id(session)); !ok {
					return os.ErrNotExist
				}
				return nil
			})
			o.Phones["irina"].SetReaction(phone.Reaction{Answer: true})
			s, err := session.Supervise(o.ctx, "anna", "spy")
			o.must(err)
			sup := o.rings("irina")
			_, err = w.UntilAct(o.ctx, s.ID, "active")
			o.must(err)
			o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}})
			since := time.Now()
			end(o, session)
			e := o.ended(since, sup, target, peer)
			o.over(w, s.ID, sup, "credential_ended")
			o.Logf("last heard by the supervisor after %d ms, hung up after %d ms", e.deaf.Milliseconds(), e.hungUp.Milliseconds())
			if e.deaf > time.Second || e.hungUp > 2*time.Second {
				o.Errorf("it took too long: %+v", e)
			}
			_ = o.refused(session.Do(o.ctx, http.MethodGet, "/v1/me", nil, nil), 401, "unauthenticated")
			o.must(o.as("irina").Do(o.ctx, http.MethodGet, "/v1/me", nil, nil))
			record, err := os.ReadFile(o.Path("audit.jsonl"))
			o.must(err)
			want := `"credential":"session:` + id(session)[:8] + `:token:` + strings.TrimPrefix(auth.Hash(o.tokens["irina"]), "sha256:")[:12] + `"`
			if strings.Count(string(record), want) < 2 {
				o.Errorf("the record names %s not with what was decided and what came of it", want)
			}
		})
	}
}
