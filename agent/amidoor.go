package agent

import (
	"context"
	"errors"
	"time"

	"github.com/earshot-pbx/earshot/agent/amiproxy"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// AMIDoor is the door for panels that are made for Asterisk's manager interface.
type AMIDoor struct {
	Listen      string `yaml:"listen"`       // host:port; none: there is no such door
	TLS         bool   `yaml:"tls"`          // with the certificate of http.tls; false
	MaxSessions int    `yaml:"max_sessions"` // clients at a time; 1000
	Actions     Rate   `yaml:"actions"`      // what one employee or panel may ask for; 3000 a minute, 500 at once

	MaxPerEmployee int           `yaml:"max_per_employee"` // sessions of one employee; 10
	MaxPerPanel    int           `yaml:"max_per_panel"`    // sessions of one panel; 50
	LoginTimeout   time.Duration `yaml:"login_timeout"`    // from the connection to the log-in; 5s
}

func (d *AMIDoor) validate(c *Config, bad func(key, format string, args ...any)) {
	(&panelDoor{
		key: "ami", listen: d.Listen, example: "127.0.0.1:5039", tls: d.TLS, rateKey: "actions", rate: d.Actions,
		sessions: map[string]int{"sessions": d.MaxSessions, "per_employee": d.MaxPerEmployee, "per_panel": d.MaxPerPanel}, loginTimeout: d.LoginTimeout,
	}).validate(c, map[string]string{"http.listen": c.HTTP.Listen, "admin.listen": c.Admin.Listen}, bad)
}

// assembleAMI makes the AMI door, if there is to be one.
func (a *Agent) assembleAMI(version string) (err error) {
	if a.cfg.AMI.Listen == "" {
		return nil
	}
	a.amiDoor, err = amiproxy.New(amiproxy.Config{
		Gate: a.gate, Auth: a.auth, Panel: a.tokens.Panel, Command: a.door.Command, Context: a.cfg.Dialling.Context, Codes: gate.Codes(a.cfg.Phone.Codes), Version: version,
		MaxSessions: a.cfg.AMI.MaxSessions, PerEmployee: a.cfg.AMI.MaxPerEmployee, PerPanel: a.cfg.AMI.MaxPerPanel, LoginTimeout: a.cfg.AMI.LoginTimeout,
		PerMinute: a.cfg.AMI.Actions.PerMinute, Burst: a.cfg.AMI.Actions.Burst, Log: a.log.With().Str("part", "ami").Logger(), Registerer: a.reg,
	})
	return err
}

// errNoAMIDoor is the answer about a door that is not there.
var errNoAMIDoor = errors.New("there is no AMI door: ami.listen names no address")

// AMIAddress waits until the listeners are open and tells where the AMI door is.
func (a *Agent) AMIAddress(ctx context.Context) (string, error) {
	if _, _, err := a.Addresses(ctx); err != nil {
		return "", err
	}
	if a.amiAddr == "" {
		return "", errNoAMIDoor
	}
	return a.amiAddr, nil
}
