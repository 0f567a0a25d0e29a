package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/publication"
	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// Publication is how several Earshots have one policy.
type Publication struct {
	Role    string `yaml:"role"`     // give: what is in force here is published; follow: what is published is in force here; none
	KeyFile string `yaml:"key_file"` // the key that all of them have, alone
	Copy    string `yaml:"copy"`     // follow: where the last good policy is kept, for a start without the Redis
	Overlay bool   `yaml:"overlay"`  // what another system sets in the Redis for single employees is laid over the policy
}

// The roles.
const (
	roleGive   = "give"
	roleFollow = "follow"
)

// fetchTime is how long the first start of a follower waits for the Redis.
const fetchTime = 15 * time.Second

func (p *Publication) validate(c *Config, required func(key, value, what string), bad func(key, format string, args ...any)) {
	if !slices.Contains([]string{"", roleGive, roleFollow}, p.Role) {
		bad("publication.role", "publication.role is give or follow; left out, the policy is this Earshot's alone")
		return
	}
	if p.Overlay && p.Role == "" && p.KeyFile == "" {
		bad("publication.overlay", "publication.overlay needs publication.role, or what earshot publish needs: what is set goes by the generation of the published policy")
	}
	if p.Role == "" && p.KeyFile == "" && p.Copy == "" {
		return
	}
	if c.Cache.Redis == "" {
		bad("publication", "publication needs cache.redis: the policy is published there")
	}
	required("publication.key_file", p.KeyFile, "a file that holds the key which all Earshots of the publication have, of 32 bytes or more, such as `openssl rand -hex 32` makes")
	switch p.Role {
	case roleFollow:
		required("publication.copy", p.Copy, "the path of a file in which the last good policy is kept, for a start while the Redis is away")
		if len(c.Policy) > 0 {
			bad("policy", "policy and publication.role: follow exclude each other: the policy is the published one")
		}
	default:
		if p.Copy != "" {
			bad("publication.copy", "publication.copy is for publication.role: follow; what is given stands in its files")
		}
	}
}

func (p *Publication) key() ([]byte, error) {
	key, err := ReadSecret(p.KeyFile)
	if err == nil && len(key) < publication.MinKey {
		err = fmt.Errorf("the secret file %s must hold %d bytes or more", p.KeyFile, publication.MinKey)
	}
	return []byte(key), err
}

// LoadPolicy reads the policy that the configuration names or, of a follower, the one that was in force there last, as it is in force beside
// its PBX.
func (c *Config) LoadPolicy(at time.Time) (*policy.Set, policy.Problems, error) {
	if c.Publication.Role != roleFollow {
		set, warnings, err := policyfile.Load(c.Policy, at)
		set = set.Beside(c.Cluster.PBX)
		return set, append(warnings, set.PBXWarnings()...), err
	}
	f, err := publication.Load(c.publication(cache.NewMemory(cache.Options{}), nil), c.Publication.Copy, policyfile.Options{PBX: c.Cluster.PBX, Now: func() time.Time { return at }})
	if err != nil {
		return nil, nil, err
	}
	return f.File().Current(), f.File().Status().Warnings, nil
}

// publication is what package publication needs, over a store.
func (c *Config) publication(store publication.Store, tell func(publication.Status)) publication.Config {
	p := publication.Config{Store: store, Key: c.Publication.key, Tell: tell}
	if r, err := c.Cache.config(); err == nil {
		p.Stale = r.Staleness()
	}
	return p
}

// number is what generations begin with where they are compared with those of other Earshots.
func number() uint64 { return uint64(max(0, time.Now().Unix())) }

// openPolicy puts the first policy in force: that of the files, or of the publication. Of the latter's first start it waits for the Redis.
func (a *Agent) openPolicy() error {
	options := policyfile.Options{OnChange: a.policyChanged, PBX: a.cfg.Cluster.PBX}
	var err error
	if a.cfg.Publication.Role != roleFollow {
		if a.cfg.Publication.Role == roleGive {
			options.Number, options.Overlay = number, a.cfg.Publication.Overlay
		}
		if a.policy, err = policyfile.Open(a.cfg.Policy, options); err != nil {
			return err
		}
		if a.cfg.Publication.Role == roleGive {
			if _, err := a.cfg.Publication.key(); err != nil {
				return fmt.Errorf("publication.key_file: %w", err)
			}
			a.giver = publication.NewGiver(a.overlaid(), a.policy)
		}
		return nil
	}
	if _, err := os.Stat(a.cfg.Publication.Copy); errors.Is(err, fs.ErrNotExist) {
		if err := a.cfg.fetchPolicy(); err != nil {
			return fmt.Errorf("publication: no policy has been in force here yet, and none is to be had from cache.redis that is sealed with the key in publication.key_file: %w", err)
		}
	}
	a.follower, err = publication.Load(a.overlaid(), a.cfg.Publication.Copy, options)
	if err != nil {
		return fmt.Errorf("publication: %w", err)
	}
	a.policy = a.follower.File()
	return nil
}

// fetchPolicy saves the published policy as the follower's copy.
func (c *Config) fetchPolicy() error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), fetchTime, fmt.Errorf("waited for %v", fetchTime))
	defer cancel()
	return c.withStore(ctx, func(store cache.Cache) error {
		_, err := publication.Fetch(ctx, c.publication(store, nil), c.Publication.Copy, policyfile.Options{})
		return err
	})
}

// withStore runs the shared cache for as long as f takes.
func (c *Config) withStore(ctx context.Context, f func(cache.Cache) error) error {
	store, err := c.Cache.open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- store.Run(ctx) }()
	err = f(store)
	if s := store.Status(); err != nil && s.State != cache.Up && s.Reason != "" {
		err = fmt.Errorf("%w: the Redis is %s (%s)", err, s.State, s.Reason)
	}
	cancel()
	return errors.Join(err, <-done)
}

// Published is what came of Publish.
type Published struct {
	Generation uint64
	Fresh      bool // it was not published already
}

// Publish publishes the policy that the paths lead to, or, when there are none, the one that the configuration names, for the followers of its Redis.
// Unless it is forced, it does so neither beside an Earshot that gives its own nor in place of one that is sealed with another key.
func Publish(ctx context.Context, cfg *Config, paths []string, force bool) (Published, error) {
	if len(paths) == 0 {
		paths = cfg.Policy
	}
	if cfg.Cache.Redis == "" || cfg.Publication.KeyFile == "" {
		return Published{}, errors.New("publish the policy: the configuration must name cache.redis and publication.key_file")
	}
	key, err := cfg.Publication.key()
	if err != nil {
		return Published{}, fmt.Errorf("publication.key_file: %w", err)
	}
	documents, err := policyfile.Documents(paths, policyfile.Options{})
	if err != nil {
		return Published{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, fetchTime, fmt.Errorf("waited for %v", fetchTime))
	defer cancel()
	var out Published
	err = cfg.withStore(ctx, func(store cache.Cache) (err error) {
		out.Generation, out.Fresh, err = publication.Publish(ctx, store, key, publication.Edition{Generation: number(), Documents: documents}, cfg.Publication.Overlay, force)
		return err
	})
	if err != nil {
		return Published{}, fmt.Errorf("publish the policy: %w", err)
	}
	return out, nil
}

// publicationStands says in the log how the policy in force stands to the published one.
func (a *Agent) publicationStands(s publication.Status) {
	if s.Trouble == "" {
		a.log.Info().Uint64("generation", s.Generation).Msg("publication: the policy in force is the published one")
		return
	}
	a.log.Warn().Uint64("generation", s.Generation).Msg(publicationAdvice(s))
}

// publicationAdvice says what is wrong and what to do.
func publicationAdvice(s publication.Status) string {
	return "publication: " + map[publication.Trouble]string{
		publication.Unconfirmed: "the Redis does not say whether the policy in force is still the published one; it stays in force",
		publication.Absent:      "the Redis has no policy and takes none; the last good one stays in force",
		publication.Older:       "the Redis has an older policy and takes no other; the last good one stays in force",
		publication.Forged:      "what stands in the Redis was not sealed with the key in publication.key_file; the last good policy stays in force. If the key is the right one, publish anew by earshot publish --force",
		publication.Broken:      "what was published is no good policy for this version of Earshot; the last good one stays in force",
		publication.Conflict:    "somebody else has published another policy; let one alone publish. What is in force here stays so until the next change",
		publication.Second:      "another Earshot with publication.role: give is at work, or has died within the last seconds, so nothing is published from here and its policy is in force at those that follow; let one alone give",
		publication.NoKey:       "publication.key_file cannot be read; the last good policy stays in force",
		publication.Unfit:       "what is given is not published: the overlay in the Redis does not fit it, or cannot be read, and would not go over; correct it, see publication.overlay",
		publication.Unsaved:     "the published policy is in force and could not be saved in publication.copy; a start without the Redis would have an older one",
	}[s.Trouble]
}

// published is how the policy in force stands to the published one; ok is false where none is.
func (a *Agent) published() (s publication.Status, ok bool) {
	switch {
	case a.follower != nil:
		return a.follower.Status(), true
	case a.giver != nil:
		return a.giver.Status(), true
	}
	return s, false
}
