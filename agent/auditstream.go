package agent

import (
	"cmp"
	"context"
	"sync"

	"github.com/earshot-pbx/earshot/agent/auditstream"
	"github.com/earshot-pbx/earshot/cache"
)

// AuditStream is a stream in Redis into which the audit log is copied.
type AuditStream struct {
	Keep int    `yaml:"keep"` // about how many entries are kept there; 0: there is no stream
	Name string `yaml:"name"` // of its own for each PBX; audit, or in a cluster audit.PBX
}

const (
	// standardStream is the name of a stream for which none is given.
	standardStream = "audit"
	// longestStream bounds what the stream takes of the Redis's memory.
	longestStream = 10_000_000
)

// name is what the stream is called: as it is given, or after the PBX.
func (s *AuditStream) name(c *Cluster) string {
	if s.Name == "" && c.used() {
		return standardStream + "." + c.PBX
	}
	return cmp.Or(s.Name, standardStream)
}

func (s *AuditStream) validate(c *Config, bad func(key, format string, args ...any)) {
	switch name := s.name(&c.Cluster); {
	case s.Keep < 0 || s.Keep > longestStream:
		bad("audit.stream.keep", "audit.stream.keep must be between 1 and %d entries; 0, or left out, there is no stream", longestStream)
	case s.Keep == 0 && s.Name != "":
		bad("audit.stream.keep", "audit.stream.keep is required: about how many entries the stream has, such as 10000")
	case s.Keep > 0 && cache.CheckLog(name) != nil:
		bad("audit.stream.name", "audit.stream.name must be 1 to %d letters, digits, dots, hyphens and underscores", cache.MaxWord)
	case s.Keep > 0 && c.Cache.Redis == "":
		bad("audit.stream", "audit.stream needs cache.redis: the stream is there")
	}
}

// openStream makes the stream of the audit log, if there is to be one.
func (a *Agent) openStream() {
	c := a.cfg.Audit.Stream
	if c.Keep == 0 {
		return
	}
	a.stream = auditstream.New(auditstream.Config{
		Log: a.audit, Store: a.cache, Name: c.name(&a.cfg.Cluster), Keep: c.Keep, Tell: a.streamStands,
	})
	a.reg.MustRegister(a.stream)
}

// runStream starts to copy, and returns how to end that.
func (a *Agent) runStream(ctx context.Context) (end func()) {
	if a.stream == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { a.stream.Run(ctx) })
	return func() { cancel(); wg.Wait() }
}

// streamStands says in the log how the stream stands.
func (a *Agent) streamStands(s auditstream.Status) {
	if s.Trouble == "" {
		a.log.Info().Uint64("last", s.Last).Msg("audit: the stream goes on")
		return
	}
	a.log.Warn().Uint64("behind", s.Behind).Msg(streamAdvice(s.Trouble))
}

// streamLacks says what the stream does without.
func (a *Agent) streamLacks() []string {
	if a.stream == nil {
		return nil
	}
	if t := a.stream.Status().Trouble; t != "" {
		return []string{streamAdvice(t)}
	}
	return nil
}

// streamAdvice says what is wrong with the stream and what to do.
func streamAdvice(t auditstream.Trouble) string {
	return "audit: " + map[auditstream.Trouble]string{
		auditstream.Away:       "the stream waits for the Redis; the record goes on in its file",
		auditstream.Full:       "the stream waits, since the Redis takes no writes; the record goes on in its file",
		auditstream.Conflict:   "the stream has entries of another audit log, so nothing is added to it; give each Earshot a name of its own in audit.stream.name, or, where the log was begun anew, DEL {PREFIX}:log:NAME when it has been read",
		auditstream.Unreadable: "the stream waits, since the files of the audit log cannot be read; earshot audit verify says what is wrong",
	}[t]
}
