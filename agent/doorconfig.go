package agent

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/httpapi"
)

// Auth is by what somebody proves who he is, beside the tokens file.
type Auth struct {
	JWT      JWT          `yaml:"jwt"`
	Sessions AuthSessions `yaml:"sessions"`
}

// JWT is whose JSON web tokens are believed; none, when it names no issuer.
type JWT struct {
	Issuer        string        `yaml:"issuer"`         // the claim iss
	Audience      string        `yaml:"audience"`       // in the claim aud
	JWKSURL       string        `yaml:"jwks_url"`       // where the issuer publishes his keys
	JWKSFile      string        `yaml:"jwks_file"`      // the same as a file
	Algorithms    []string      `yaml:"algorithms"`     // that are taken; all asymmetric ones
	EmployeeClaim string        `yaml:"employee_claim"` // the claim with the employee's id; sub
	Leeway        time.Duration `yaml:"leeway"`         // by how much the issuer's clock may be off; 30s
	Refresh       time.Duration `yaml:"refresh"`        // how old keys get before they are fetched anew; 1h
}

// TLS is the HTTP door's certificate; none: plain HTTP.
type TLS struct {
	CertFile string `yaml:"cert_file"` // PEM, with what is between it and the authority
	KeyFile  string `yaml:"key_file"`  // PEM
}

// Limits are how often one may ask at the HTTP door.
type Limits struct {
	Commands Rate `yaml:"commands"` // what one employee begins or changes
	Reads    Rate `yaml:"reads"`    // what one employee looks at or ends
	Exports  Rate `yaml:"exports"`  // what one employee exports of the journal
	Failures Rate `yaml:"failures"` // credentials from one address that prove nobody
}

// Rate is so much at once, and then so much a minute.
type Rate struct {
	PerMinute int `yaml:"per_minute"`
	Burst     int `yaml:"burst"`
}

func standardJWT() JWT {
	return JWT{Algorithms: auth.Algorithms(), EmployeeClaim: "sub", Leeway: 30 * time.Second, Refresh: time.Hour}
}

func standardLimits() Limits {
	return Limits{Commands: Rate{60, 20}, Reads: Rate{1200, 300}, Exports: Rate{2, 4}, Failures: Rate{10, 20}}
}

// used reports whether any JSON web token is believed.
func (j *JWT) used() bool {
	return j.Issuer != "" || j.Audience != "" || j.JWKSURL != "" || j.JWKSFile != ""
}

func (j *JWT) config() auth.JWTConfig {
	return auth.JWTConfig{
		Issuer: j.Issuer, Audience: j.Audience, URL: j.JWKSURL, File: j.JWKSFile, Algorithms: j.Algorithms, EmployeeClaim: j.EmployeeClaim,
		Leeway: j.Leeway, Refresh: j.Refresh,
	}
}

// jwtKeys are the keys for the fields in which auth finds a fault.
var jwtKeys = map[string]string{
	"Issuer": "issuer", "Audience": "audience", "URL": "jwks_url", "File": "jwks_file", "Algorithms": "algorithms", "Leeway": "leeway", "Refresh": "refresh",
}

func (j *JWT) validate(bad func(key, format string, args ...any)) {
	if !j.used() {
		return
	}
	cfg := j.config()
	for _, f := range cfg.Faults() {
		key := "auth.jwt." + jwtKeys[f.Field]
		bad(key, "%s: %s", key, f.Message)
	}
	if len(j.Algorithms) == 0 {
		bad("auth.jwt.algorithms", "auth.jwt.algorithms: name at least one, or leave the key out")
	}
	if j.EmployeeClaim == "" {
		bad("auth.jwt.employee_claim", "auth.jwt.employee_claim: the name of the claim that holds the employee's id belongs here, such as sub")
	}
	if j.Leeway > 5*time.Minute {
		bad("auth.jwt.leeway", "auth.jwt.leeway must be at most 5m, for so long a token outlives its end")
	}
	if j.Refresh >= 0 && (j.Refresh < time.Minute || j.Refresh > 24*time.Hour) {
		bad("auth.jwt.refresh", "auth.jwt.refresh must be between 1m and 24h")
	}
}

func (h *HTTP) validate(bad func(key, format string, args ...any)) {
	switch {
	case h.TLS.CertFile != "" && h.TLS.KeyFile == "":
		bad("http.tls.cert_file", "http.tls.key_file is missing: the file with the certificate's private key")
	case h.TLS.CertFile == "" && h.TLS.KeyFile != "":
		bad("http.tls.key_file", "http.tls.cert_file is missing: the file with the key's certificate")
	}
	for i, s := range h.Proxies {
		if _, err := network(s); err != nil {
			bad(fmt.Sprintf("http.proxies[%d]", i), "http.proxies: an address or a network belongs here, such as 10.0.0.5 or 10.0.0.0/8")
		}
	}
	if h.MaxPerEmployee < 1 || h.MaxPerEmployee > 100_000 {
		bad("http.max_per_employee", "http.max_per_employee must be between 1 and 100000")
	}
	for _, l := range []struct {
		key  string
		rate Rate
	}{{"commands", h.Limits.Commands}, {"reads", h.Limits.Reads}, {"exports", h.Limits.Exports}, {"failures", h.Limits.Failures}} {
		for name, n := range map[string]int{"per_minute": l.rate.PerMinute, "burst": l.rate.Burst} {
			if key := "http.limits." + l.key + "." + name; n < 1 || n > 1_000_000 {
				bad(key, "%s must be between 1 and 1000000", key)
			}
		}
	}
}

// network reads an address or a network.
func network(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// proxies are those of the configuration, which has been checked.
func (h *HTTP) proxies() []netip.Prefix {
	var list []netip.Prefix
	for _, s := range h.Proxies {
		if p, err := network(s); err == nil {
			list = append(list, p)
		}
	}
	return list
}

func (l *Limits) forDoor() httpapi.Limits {
	rate := func(r Rate) httpapi.Rate { return httpapi.Rate{PerMinute: r.PerMinute, Burst: r.Burst} }
	return httpapi.Limits{Commands: rate(l.Commands), Reads: rate(l.Reads), Exports: rate(l.Exports), Failures: rate(l.Failures)}
}

// warnings tells what is legal and surely not meant.
func (c *Config) warnings() (all []string) {
	for _, door := range []struct {
		key, listen string
		secured     bool
		remedy      string
	}{
		{"http", c.HTTP.Listen, c.HTTP.TLS.CertFile != "", "give a certificate, or listen on loopback behind a proxy that has one"},
		{"ami", c.AMI.Listen, c.AMI.TLS || c.AMI.Listen == "", "set it, with a certificate in http.tls, or listen on loopback"},
		{"ari", c.ARI.Listen, c.ARI.TLS || c.ARI.Listen == "", "set it, with a certificate in http.tls, or listen on loopback"},
	} {
		host, _, err := net.SplitHostPort(door.listen)
		if ip := net.ParseIP(host); err != nil || door.secured || host == "localhost" || ip != nil && ip.IsLoopback() {
			continue
		}
		all = append(all, door.key+".listen: "+door.listen+" is not on loopback and there is no "+door.key+".tls, so tokens and calls cross the network for everybody to read; "+door.remedy)
	}
	if r, err := c.Cache.config(); err == nil && !r.TLS && slices.ContainsFunc(r.Addrs, func(addr string) bool {
		host, _, _ := net.SplitHostPort(addr)
		ip := net.ParseIP(host)
		return host != "localhost" && (ip == nil || !ip.IsLoopback())
	}) {
		all = append(all, "cache.redis: it is not on loopback and there is no TLS, so its password, sessions and the policy cross the network for everybody to read; write rediss://")
	}
	return all
}
