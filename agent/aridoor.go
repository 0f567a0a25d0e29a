package agent

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"time"

	"github.com/earshot-pbx/earshot/agent/ariproxy"
	"github.com/earshot-pbx/earshot/agent/gate"
)

// ARIDoor is the door for panels that are made for Asterisk's REST interface.
type ARIDoor struct {
	Listen      string   `yaml:"listen"`       // host:port; none: there is no such door
	TLS         bool     `yaml:"tls"`          // with the certificate of http.tls; false
	Origins     []string `yaml:"origins"`      // hosts whose pages may ask, beside the door's own; none
	MaxSessions int      `yaml:"max_sessions"` // event streams at a time; 1000
	Requests    Rate     `yaml:"requests"`     // what one employee or panel may ask for; 3000 a minute, 500 at once

	MaxPerEmployee int           `yaml:"max_per_employee"` // event streams of one employee; 10
	MaxPerPanel    int           `yaml:"max_per_panel"`    // event streams of one panel; 50
	LoginTimeout   time.Duration `yaml:"login_timeout"`    // from the connection to a request with a credential that holds; 5s

	Sounds []string `yaml:"sounds"` // that clients may play, by their names below the PBX's folder of sounds; a few
	Tones  []string `yaml:"tones"`  // of indications.conf; the usual ones
}

func standardARI() ARIDoor {
	return ARIDoor{
		Origins: []string{}, MaxSessions: 1000, Requests: Rate{3000, 500}, MaxPerEmployee: 10, MaxPerPanel: 50, LoginTimeout: 5 * time.Second,
		Sounds: standardSounds(), Tones: standardTones(),
	}
}

// maxSounds is how many sounds, and how many tones, may be named.
const maxSounds = 1000

// standardSounds and standardTones say nothing to anybody but that something happens; all come with Asterisk.
func standardSounds() []string {
	return []string{"beep", "beeperr", "hello-world", "vm-goodbye", "silence/1", "silence/2", "silence/3"}
}

func standardTones() []string {
	return []string{"dial", "ring", "busy", "congestion", "callwaiting", "dialrecall", "record", "info", "stutter"}
}

var (
	soundName = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+){0,4}$`)
	toneName  = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	// A pattern for path.Match of what a page's host can be: a name, or an address of IPv6, whose brackets are to be escaped, and a port.
	originHost = regexp.MustCompile(`^(\\\[[^/\s]+\\\]|[^/:\s]+)(:[0-9?*\[\]-]+)?$`)
)

func (d *ARIDoor) validate(c *Config, bad func(key, format string, args ...any)) {
	(&panelDoor{
		key: "ari", listen: d.Listen, example: "127.0.0.1:8089", tls: d.TLS, rateKey: "requests", rate: d.Requests,
		sessions: map[string]int{"sessions": d.MaxSessions, "per_employee": d.MaxPerEmployee, "per_panel": d.MaxPerPanel}, loginTimeout: d.LoginTimeout,
	}).validate(c, map[string]string{"http.listen": c.HTTP.Listen, "admin.listen": c.Admin.Listen, "ami.listen": c.AMI.Listen}, bad)
	for _, origin := range d.Origins {
		if _, err := path.Match(origin, ""); err != nil || !originHost.MatchString(origin) {
			bad("ari.origins", "ari.origins: a host belongs here, with its port where that is not the usual one, such as panel.example.com or *.example.com:8443")
		}
	}
	for _, l := range []struct {
		key   string
		names []string
		form  *regexp.Regexp
		what  string
	}{
		{"ari.sounds", d.Sounds, soundName, "the name of a sound belongs here, without its suffix and from the PBX's folder of sounds on, such as beep or digits/1"},
		{"ari.tones", d.Tones, toneName, "the name of a tone of indications.conf belongs here, such as busy"},
	} {
		if len(l.names) > maxSounds {
			bad(l.key, "%s may have %d names at most", l.key, maxSounds)
		}
		for i, name := range l.names {
			if len(name) > 64 || !l.form.MatchString(name) {
				bad(fmt.Sprintf("%s[%d]", l.key, i), "%s: %s", l.key, l.what)
			}
		}
	}
}

// assembleARI makes the ARI door, if there is to be one.
func (a *Agent) assembleARI(version string) {
	if a.cfg.ARI.Listen == "" {
		return
	}
	a.ariDoor = ariproxy.New(ariproxy.Config{
		Gate: a.gate, Auth: a.auth, Panel: a.tokens.Panel, Context: a.cfg.Dialling.Context, Origins: a.cfg.ARI.Origins, Version: version,
		Codes: gate.Codes(a.cfg.Phone.Codes), Command: a.door.Command,
		MaxSessions: a.cfg.ARI.MaxSessions, PerEmployee: a.cfg.ARI.MaxPerEmployee, PerPanel: a.cfg.ARI.MaxPerPanel, LoginTimeout: a.cfg.ARI.LoginTimeout,
		PerMinute: a.cfg.ARI.Requests.PerMinute, Burst: a.cfg.ARI.Requests.Burst, Log: a.log.With().Str("part", "ari").Logger(), Registerer: a.reg,
	})
}

// errNoARIDoor is the answer about a door that is not there.
var errNoARIDoor = errors.New("there is no ARI door: ari.listen names no address")

// ARIAddress waits until the listeners are open and tells where the ARI door is.
func (a *Agent) ARIAddress(ctx context.Context) (string, error) {
	if _, _, err := a.Addresses(ctx); err != nil {
		return "", err
	}
	if a.ariAddr == "" {
		return "", errNoARIDoor
	}
	return a.ariAddr, nil
}
