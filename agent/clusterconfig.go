package agent

import (
	"time"

	"github.com/earshot-pbx/earshot/policy"
)

// Cluster is how the Earshots beside several PBXs act as one.
type Cluster struct {
	PBX string `yaml:"pbx"` // the name of the PBX that this Earshot is beside, as employees' pbx: in the policy has it; none: it acts alone
}

// used reports whether there is a cluster.
func (c *Cluster) used() bool { return c.PBX != "" }

// slowestPoll is that with which an Earshot that has died is off the others' boards within three seconds.
const slowestPoll = 500 * time.Millisecond

func (c *Cluster) validate(all *Config, bad func(key, format string, args ...any)) {
	if !c.used() {
		return
	}
	if !policy.PBXName(c.PBX) {
		bad("cluster.pbx", "cluster.pbx is the name of this PBX, as employees' pbx: in the policy has it: letters a to z, digits, hyphens and underscores, at most 64 of them, of which the first is a letter or digit")
	}
	switch r, err := all.Cache.config(); {
	case all.Cache.Redis == "":
		bad("cluster", "cluster needs cache.redis: the Earshots meet there")
	case err == nil && r.Poll > slowestPoll:
		bad("cache.redis", "cache.redis: with cluster, poll is at most %v, or an Earshot that has died would be taken for alive for too long", slowestPoll)
	case all.Publication.Role == "":
		bad("cluster", "cluster needs publication.role: all Earshots of a cluster decide by one policy, and know each other by publication.key_file")
	}
}
