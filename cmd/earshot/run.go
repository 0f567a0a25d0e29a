package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/earshot-pbx/earshot/agent"
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
	defer signal.Stop(hup)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-hup:
				if err := a.Reload(); err != nil {
					log.Error().Err(err).Msg("reload")
				} else {
					log.Info().Msg("reloaded")
				}
			}
		}
	}()
	return a.Run(ctx)
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
	Config string `type:"path" xor:"what" required:"" help:"A configuration file; every file that it names is checked too." placeholder:"FILE"`
	Policy string `type:"path" xor:"what" required:"" help:"A policy file." placeholder:"FILE"`
}

// Run prints every error and warning.
func (c *checkCmd) Run(s streams) error {
	var warnings []string
	var err error
	if c.Config != "" {
		warnings, err = agent.Check(c.Config)
	} else {
		warnings, err = agent.CheckPolicy(c.Policy)
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
