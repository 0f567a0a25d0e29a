package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/doctor"
	"github.com/rs/zerolog"
)

type runCmd struct {
	Config string `required:"" type:"path" help:"The configuration file." placeholder:"FILE"`
}

// Run runs an agent until SIGINT or SIGTERM; SIGHUP reads policy, tokens and clients anew.
func (c *runCmd) Run(ctx context.Context, s streams) error {
	cfg, err := agent.LoadConfig(c.Config)
	if err != nil {
		return err
	}
	log := newLog(cfg.Log, s)
	a, err := agent.New(cfg, log, version())
	if err != nil {
		return err
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	var reloading sync.WaitGroup
	reloading.Go(func() {
		for range hup {
			if err := a.Reload(); err != nil {
				log.Error().Err(err).Msg("reload")
			} else {
				log.Info().Msg("reloaded")
			}
		}
	})
	err = a.Run(ctx)
	signal.Stop(hup) // nothing is sent any more when it returns
	close(hup)
	reloading.Wait()
	return err
}

func newLog(cfg agent.Log, s streams) zerolog.Logger {
	level, err := zerolog.ParseLevel(cfg.Level)
	if err != nil {
		level = zerolog.InfoLevel // the configuration has been checked
	}
	zerolog.TimeFieldFormat = zerolog.TimeFormatUnixMs
	if cfg.Format == "console" {
		return zerolog.New(zerolog.ConsoleWriter{Out: s.err, TimeFormat: "15:04:05.000", NoColor: true}).Level(level).With().Timestamp().Logger()
	}
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000Z07:00"
	return zerolog.New(s.err).Level(level).With().Timestamp().Logger()
}

type checkCmd struct {
	Config string   `type:"path" xor:"what" required:"" help:"A configuration file; every file that it names is checked too." placeholder:"FILE"`
	Policy []string `type:"path" sep:"none" xor:"what" required:"" help:"A policy's file or folder; may be repeated. Instead of --config." placeholder:"PATH"`

	Running bool `help:"Ask the Earshot that runs with the configuration whether it is ready, and print what it lacks; exit 1 if it is not."`
}

// Run prints every error and warning.
func (c *checkCmd) Run(ctx context.Context, s streams) error {
	if c.Running {
		return c.running(ctx, s)
	}
	paths, check := c.Policy, agent.CheckPolicy
	if c.Config != "" {
		paths, check = []string{c.Config}, func(paths ...string) ([]string, error) { return agent.Check(paths[0], doctor.Kinds()...) }
	}
	warnings, err := check(paths...)
	if gone := (*fs.PathError)(nil); errors.As(err, &gone) && slices.Contains(paths, gone.Path) {
		return err // there is nothing to judge
	}
	for _, w := range warnings {
		_, _ = fmt.Fprintln(s.out, "warning:", w)
	}
	if err != nil {
		_, _ = fmt.Fprintln(s.out, err)
		return refusal{}
	}
	_, err = fmt.Fprintln(s.out, "ok")
	return err
}
