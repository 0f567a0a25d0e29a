package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent"
)

type setupCmd struct {
	Asterisk setupAsteriskCmd `cmd:"" help:"Print what Asterisk's configuration needs for this Earshot: its accounts, with their secrets, and the dialplan of the phone door."`
}

type setupAsteriskCmd struct {
	Config string `required:"" type:"path" placeholder:"FILE" help:"The configuration file."`
	Part   string `enum:",manager,ari,extensions,freepbx" default:"" placeholder:"PART" help:"Print one part alone, fit for a file: manager, ari, extensions, or freepbx in the place of extensions."`
}

// Run prints the configuration.
func (c *setupAsteriskCmd) Run(s streams) error {
	cfg, err := agent.LoadConfig(c.Config)
	if err != nil {
		return err
	}
	set, _, err := cfg.LoadPolicy(time.Now())
	if err != nil {
		return err
	}
	// What is printed as a whole is for one PBX: what freepbx has stands in extensions too.
	parts := slices.DeleteFunc(slices.Clone(agent.AsteriskParts), func(part string) bool { return part == "freepbx" })
	if c.Part != "" {
		parts = []string{c.Part}
	}
	for i, part := range parts {
		text, err := agent.AsteriskConfig(cfg, set, part)
		if err != nil {
			return err
		}
		if len(parts) > 1 {
			text = fmt.Sprintf("; ---- %s\n%s", part, text)
		}
		if i > 0 {
			text = "\n" + text
		}
		if _, err := s.out.Write([]byte(text)); err != nil {
			return err
		}
	}
	return nil
}
