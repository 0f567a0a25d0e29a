package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/doctor"
	"github.com/earshot-pbx/earshot/policy"
)

type doctorCmd struct {
	AMI        string `name:"ami" and:"live" help:"The AMI of the running PBX." placeholder:"HOST:PORT"`
	User       string `and:"live" help:"The doctor's own account there, with read and write = config,command,reporting. The answers hold the PBX's passwords in the clear: run it on the PBX, or through a tunnel." placeholder:"NAME"`
	SecretFile string `and:"live" type:"path" help:"A file with the secret of that account, alone." placeholder:"FILE"`
	Etc        string `type:"path" help:"The folder of Asterisk's configuration, such as /etc/asterisk, or a copy of it. With --ami too, findings have the lines of its files." placeholder:"DIR"`
	Config     string `type:"path" help:"Earshot's configuration file, which says which accounts are Earshot's, and which findings are accepted. Left out, none is." placeholder:"FILE"`
	Format     string `enum:"text,json" default:"text" help:"How to print: text or json."`
}

// examination is how long a PBX may take for all of it.
const examination = time.Minute

// Run prints what is open. What is accepted is printed too, and does not count.
func (c *doctorCmd) Run(ctx context.Context, s streams) error {
	if c.AMI == "" && c.Etc == "" {
		return errors.New("which PBX? give --ami HOST:PORT --user NAME --secret-file FILE for a running one, --etc DIR for its files, or both")
	}
	own, accepted := doctor.Own{Doctor: c.User}, []doctor.Acceptance(nil)
	if c.Config != "" {
		cfg, err := agent.LoadConfig(c.Config)
		if err != nil {
			return err
		}
		set, _, err := cfg.LoadPolicy(time.Now())
		if err != nil {
			return err
		}
		own.AMI, own.ARI, own.Application = cfg.PBX.AMI.Username, cfg.PBX.ARI.Username, cfg.PBX.ARI.Application
		own.Trusted = cfg.Watchdog.Trusted
		own.Emergency = append([]string{}, agent.EmergencyNumbers(cfg, set)...) // none is known, too
		own.Settings, own.Queues = agent.SetsTelephones(set), agent.Queues(set)
		own.Recordings = recordings(cfg, set)
		for _, a := range cfg.Doctor.Accept {
			accepted = append(accepted, doctor.Acceptance{Code: a.Finding, Where: a.Where, Why: a.Why, Until: a.Ends()})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, examination)
	defer cancel()
	report, err := c.examine(ctx, own)
	if err != nil {
		return err
	}
	report.Accept(accepted, time.Now())
	if c.Format == "json" {
		e := json.NewEncoder(s.out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		err = e.Encode(report)
	} else {
		err = report.WriteText(s.out)
	}
	if err == nil && report.Open() {
		err = refusal{}
	}
	return err
}

// recordings is what the doctor is to know of those that Earshot serves and makes.
func recordings(cfg *agent.Config, set *policy.Set) (r doctor.Recordings) {
	for _, s := range cfg.Recordings.Spools {
		r.Spools = append(r.Spools, doctor.Spool{Name: s.Name, Path: s.Path})
		r.ARI = r.ARI || s.ARI
	}
	r.Deletes = len(r.Spools) > 0 && agent.MayAnybody(set, policy.Delete)
	r.Records = len(r.Spools) > 0 && agent.MayAnybody(set, policy.Record)
	return r
}

// examine looks at the PBX from the sides that were given.
func (c *doctorCmd) examine(ctx context.Context, own doctor.Own) (*doctor.Report, error) {
	var sides []doctor.PBX
	if c.AMI != "" {
		secret, err := agent.ReadSecret(c.SecretFile)
		if err != nil {
			return nil, err
		}
		live, err := doctor.Dial(ctx, c.AMI, c.User, string(secret))
		if err != nil {
			return nil, fmt.Errorf("log in to AMI: %w", err)
		}
		defer live.Close()
		sides = append(sides, live)
	}
	if c.Etc != "" {
		files, err := doctor.OpenFiles(c.Etc)
		if err != nil {
			return nil, err
		}
		sides = append(sides, files)
	}
	return doctor.Examine(ctx, own, sides...)
}
