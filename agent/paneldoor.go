package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/earshot-pbx/earshot/agent/amiproxy"
	"github.com/earshot-pbx/earshot/agent/ariproxy"
)

// panelDoors are the doors for panels that are made for Asterisk, as far as there are to be any, and where they are.
type panelDoors struct {
	amiDoor          *amiproxy.Server // nil: there is none
	ariDoor          *ariproxy.Server // nil: there is none
	amiAddr, ariAddr string
}

// assemblePanels makes them.
func (a *Agent) assemblePanels(version string) error {
	a.assembleARI(version)
	return a.assembleAMI(version)
}

// recheckPanels ends what is open at them on the strength of a credential that no longer holds.
func (a *Agent) recheckPanels() {
	if a.amiDoor != nil {
		a.amiDoor.Recheck()
	}
	if a.ariDoor != nil {
		a.ariDoor.Recheck()
	}
}

// panelDoor is what the doors for panels that are made for Asterisk have alike in their configuration, by the keys that it has there.
type panelDoor struct {
	key, listen, example string
	tls                  bool
	rateKey              string
	rate                 Rate
	sessions             map[string]int // max_…
	loginTimeout         time.Duration
}

// validate checks it; others are listeners beside it, by their keys.
func (d *panelDoor) validate(c *Config, others map[string]string, bad func(key, format string, args ...any)) {
	key := d.key + ".listen"
	if d.listen != "" && !isAddress(d.listen) {
		bad(key, "%s must be host:port with a number as port, such as %s", key, d.example)
	}
	for other, listen := range others {
		if _, port, _ := net.SplitHostPort(d.listen); d.listen != "" && d.listen == listen && port != "0" {
			bad(key, "%s must differ from %s", key, other)
		}
	}
	if d.tls && c.HTTP.TLS.CertFile == "" {
		bad(d.key+".tls", "%s.tls takes the certificate of http.tls, which names none", d.key)
	}
	for name, n := range map[string]int{"per_minute": d.rate.PerMinute, "burst": d.rate.Burst} {
		if key := d.key + "." + d.rateKey + "." + name; n < 1 || n > 1_000_000 {
			bad(key, "%s must be between 1 and 1000000", key)
		}
	}
	for name, n := range d.sessions {
		if key := d.key + ".max_" + name; n < 1 || n > 100_000 {
			bad(key, "%s must be between 1 and 100000", key)
		}
	}
	if key := d.key + ".login_timeout"; d.loginTimeout < time.Second || d.loginTimeout > time.Minute {
		bad(key, "%s must be between 1s and 1m", key)
	}
}

// listenPanels opens the listeners of the doors that there are to be, or none. Each of what it returns serves one until its context ends.
func (a *Agent) listenPanels(ctx context.Context) (serve []func(context.Context) error, err error) {
	var open []net.Listener
	for _, d := range []struct {
		key, listen string
		tls, there  bool
		addr        *string
		serve       func(context.Context, net.Listener) error
	}{
		{"ami", a.cfg.AMI.Listen, a.cfg.AMI.TLS, a.amiDoor != nil, &a.amiAddr, a.amiDoor.Serve},
		{"ari", a.cfg.ARI.Listen, a.cfg.ARI.TLS, a.ariDoor != nil, &a.ariAddr, a.ariDoor.Serve},
	} {
		if !d.there {
			continue
		}
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", d.listen)
		if err != nil {
			err = unopened(d.key+".listen", "Asterisk itself", err)
			for _, l := range open {
				err = errors.Join(err, l.Close())
			}
			return nil, err
		}
		open = append(open, l)
		*d.addr = l.Addr().String()
		l = a.watched(d.key, l)
		if d.tls {
			l = tls.NewListener(l, a.cert.config())
		}
		serve = append(serve, func(ctx context.Context) error { return d.serve(ctx, l) })
	}
	return serve, nil
}
