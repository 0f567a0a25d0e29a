package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// shadow is the policy that is tried beside the one in force. Whatever is wrong with it, Earshot starts and works without.
type shadow struct {
	*gate.Shadow
	cfg        Shadow
	pbx        string // beside which it is tried
	log        zerolog.Logger
	put        func(*policy.Set) // has the gate take another
	good       prometheus.Gauge
	generation prometheus.Gauge
	again      time.Duration // how often a policy that was never good is looked at

	mu   sync.Mutex
	file *policyfile.File // nil until it has been good
	last string           // what was wrong with it when that was last said
}

func newShadow(a *Agent, met *gate.Metrics) *shadow {
	s := &shadow{
		cfg: a.cfg.Shadow, pbx: a.cfg.Cluster.PBX, log: a.log.With().Str("part", "shadow").Logger(), again: look,
		put:  func(set *policy.Set) { a.gate.SetShadow(set) },
		good: a.met.files.WithLabelValues("shadow"), // 0 until it is good
		generation: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "earshot_shadow_policy_generation", Help: "Number of the version of the shadow policy that is decided beside the one in force; 0 means that none has been good yet.",
		}),
	}
	a.reg.MustRegister(s.generation)
	s.Shadow = gate.NewShadow(gate.ShadowConfig{Metrics: met, Record: s.write, Log: s.log})
	return s
}

// open takes up the policy, if that has not been done.
func (s *shadow) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		return nil
	}
	file, err := policyfile.Open(s.cfg.Policy, policyfile.Options{OnChange: s.changed, PBX: s.pbx})
	if err != nil {
		if err.Error() != s.last {
			s.log.Error().Err(err).Msg("the shadow policy is broken, so nothing is compared until it is good")
		}
		s.last = err.Error()
		return err
	}
	s.file = file
	for _, w := range file.Status().Warnings {
		s.log.Warn().Msg(w.String())
	}
	s.changed(file.Current(), nil)
	return nil
}

// changed is told of each attempt to load the policy.
func (s *shadow) changed(set *policy.Set, err error) {
	s.good.Set(good(err))
	if err != nil {
		s.log.Error().Err(err).Msg("the shadow policy is broken; the last good one is compared with the one in force")
		return
	}
	s.generation.Set(float64(set.Generation()))
	s.put(set)
	s.log.Info().Uint64("generation", set.Generation()).Msg("shadow policy compared with the one in force")
}

// opened is the file, once it has been good.
func (s *shadow) opened() *policyfile.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file
}

// follow keeps the policy up to date until ctx ends. It returns nil: that it cannot is no reason to stop Earshot.
func (s *shadow) follow(ctx context.Context) error {
	for {
		if file := s.opened(); file != nil {
			if err := file.Watch(ctx); err != nil {
				s.log.Error().Err(err).Msg("the shadow policy is not followed; it is read when that is asked for")
			}
		} else {
			_ = s.open() // which says what is wrong
			if s.opened() != nil {
				continue
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(s.again):
		}
	}
}

// reloadShadow reads the shadow policy anew.
func (a *Agent) reloadShadow() error {
	if a.shadow == nil {
		return nil
	}
	read := a.shadow.open
	if file := a.shadow.opened(); file != nil {
		read = file.Reload
	}
	if err := read(); err != nil {
		return fmt.Errorf("shadow policy: %w", err)
	}
	return nil
}

// write appends a difference to the file, which is opened for each: they are few, and so the file may be moved away or deleted at any time. A
// line that could not be written whole is taken back.
func (s *shadow) write(d gate.Difference) (err error) {
	line, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("write a difference: %w", err)
	}
	// Nothing waits for it: a pipe that nobody reads would keep Earshot from ending.
	f, err := os.OpenFile(s.cfg.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return fmt.Errorf("write a difference: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	before, err := f.Stat()
	if err != nil {
		return fmt.Errorf("write a difference: %w", err)
	}
	if !before.Mode().IsRegular() {
		return errors.New("write a difference: shadow.file is no regular file")
	}
	if n, err := f.Write(append(line, '\n')); err != nil {
		if n > 0 {
			err = errors.Join(err, f.Truncate(before.Size()))
		}
		return fmt.Errorf("write a difference: %w", err)
	}
	return nil
}
