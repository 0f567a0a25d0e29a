package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/earshot-pbx/earshot/cache"
)

// Config says which Redis and how. Secrets are in files, which are read again at each connection, so that they may be changed.
type Config struct {
	Addrs   []string // host:port; one, or some of a cluster's, or the sentinels'
	DB      int      // not with a cluster
	Cluster bool     // a cluster, even if only one address of it is given
	Master  string   // name of the master that the sentinels at Addrs know; none: no sentinels

	TLS        bool
	ServerName string // in the certificate; the host of each address
	CAFile     string // PEM; the system's
	CertFile   string // PEM, the client's own, with KeyFile; none
	KeyFile    string

	UsernameFile         string
	PasswordFile         string
	SentinelPasswordFile string

	// Prefix of all keys, in braces for those on which one step depends; "earshot".
	Prefix string
	// Poll is how often it looks for changes of which it was not told; 500ms.
	Poll time.Duration
	// Timeout bounds each exchange with Redis, and how long Fill waits for what other sidecars know; 500ms.
	Timeout time.Duration

	// Memory bounds the local copy, and by Sessions what all sidecars together may put.
	Memory cache.Options
}

const (
	usualPoll    = 500 * time.Millisecond
	usualTimeout = 500 * time.Millisecond
	usualPort    = "6379"
	usualPrefix  = "earshot"
)

// Staleness is the Age that is not exceeded while the state is Up: what was set by a system that published no hint is seen by then,
// and a caller who refuses what is older refuses nothing while all is well. With the defaults it is 3.5 s.
func (c Config) Staleness() time.Duration {
	c = c.withDefaults()
	return 2*c.Poll + 5*c.Timeout // a step has five exchanges at most
}

func (c Config) withDefaults() Config {
	if c.Prefix == "" {
		c.Prefix = usualPrefix
	}
	if c.Poll == 0 {
		c.Poll = usualPoll
	}
	if c.Timeout == 0 {
		c.Timeout = usualTimeout
	}
	return c
}

// Parse reads the configuration's one line:
//
//	redis://HOST:PORT[,HOST:PORT…][/DB][?KEY=VALUE&…]
//
// or rediss:// for TLS. The keys are cluster (true), master, server_name, ca_file, cert_file, key_file, username_file,
// password_file, sentinel_password_file, prefix, poll and timeout, as in Config. Paths are taken from dir. All errors are joined;
// none repeats the line, since somebody may have put a password into it.
func Parse(line, dir string) (Config, error) {
	scheme, rest, ok := strings.Cut(line, "://")
	if !ok || scheme != "redis" && scheme != "rediss" {
		return Config{}, errors.New("cache.redis: write redis://host:port, or rediss://host:port for TLS")
	}
	c := Config{TLS: scheme == "rediss"}
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf("cache.redis: "+format, args...)) }
	rest, query, _ := strings.Cut(rest, "?")
	hosts, db, _ := strings.Cut(rest, "/")
	if strings.Contains(rest, "@") {
		fail("user and password do not belong here; write them into files and name those by username_file and password_file")
		hosts = ""
	} else if hosts == "" {
		fail("the host is missing")
	}
	for addr := range strings.SplitSeq(hosts, ",") {
		if hosts == "" {
			break
		}
		if !strings.Contains(addr, ":") {
			addr += ":" + usualPort
		}
		host, port, err := net.SplitHostPort(addr)
		if err != nil || !isHost(host) {
			fail("an address is host:port, of IPv6 [address]:port")
			continue
		}
		if p, err := strconv.ParseUint(port, 10, 16); err != nil || p == 0 {
			fail("a port is a number from 1 to 65535")
		}
		c.Addrs = append(c.Addrs, addr)
	}
	if db != "" {
		n, err := strconv.ParseUint(db, 10, 16)
		if err != nil {
			fail("the database after the slash is a number")
		}
		c.DB = int(n)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		fail("after the question mark: key=value, joined by &")
	}
	for key, v := range values {
		if len(v) != 1 || v[0] == "" {
			fail("%s: give it one value", quoted(key))
			continue
		}
		if err := c.set(key, v[0], dir); err != nil {
			fail("%w", err)
		}
	}
	if len(errs) == 0 {
		if err := c.Validate(); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) }) // a map has no order
		return Config{}, errors.Join(errs...)
	}
	return c, nil
}

// isHost reports whether s is a name or an address.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return s != "" && len(s) < 256 && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789.-_") == ""
}

// keys are what may stand after the question mark.
var keys = []string{"cluster", "master", "server_name", "ca_file", "cert_file", "key_file", "username_file", "password_file",
	"sentinel_password_file", "prefix", "poll", "timeout"}

func (c *Config) set(key, v, dir string) (err error) {
	file := v
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	switch key {
	case "cluster":
		if c.Cluster, err = strconv.ParseBool(v); err != nil {
			return errors.New("cluster: true or false")
		}
	case "master":
		c.Master = v
	case "server_name":
		c.ServerName = v
	case "ca_file":
		c.CAFile = file
	case "cert_file":
		c.CertFile = file
	case "key_file":
		c.KeyFile = file
	case "username_file":
		c.UsernameFile = file
	case "password_file":
		c.PasswordFile = file
	case "sentinel_password_file":
		c.SentinelPasswordFile = file
	case "prefix":
		c.Prefix = v
	case "poll":
		if c.Poll, err = time.ParseDuration(v); err != nil {
			return errors.New("poll: a time with its unit, such as 500ms")
		}
	case "timeout":
		if c.Timeout, err = time.ParseDuration(v); err != nil {
			return errors.New("timeout: a time with its unit, such as 500ms")
		}
	case "password", "username", "user":
		return fmt.Errorf("%s does not belong here; write it into a file and name that by username_file or password_file", key)
	default:
		return fmt.Errorf("%s is unknown; known are %s", quoted(key), strings.Join(keys, ", "))
	}
	return nil
}

// quoted shows a key that somebody wrote, as far as it can be one: it may be half of a password with an & in it.
func quoted(key string) string {
	if len(key) > 24 || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "a key"
	}
	return strconv.Quote(key)
}

// Validate reports all that is wrong, by the key of the line. It has no effect and reads no file.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, message string) {
		if !ok {
			errs = append(errs, errors.New("cache.redis: "+message))
		}
	}
	d := c.withDefaults()
	check(len(c.Addrs) > 0, "the host is missing")
	check(len(c.Addrs) < 2 || c.Cluster || c.Master != "", "several addresses are those of a cluster (cluster=true) or of sentinels (master=NAME)")
	check(!c.Cluster || c.Master == "", "cluster and master exclude each other")
	check(!c.Cluster || c.DB == 0, "a cluster has no databases")
	check(c.TLS || c.CAFile == "" && c.CertFile == "" && c.KeyFile == "" && c.ServerName == "", "ca_file, cert_file, key_file and server_name need rediss://")
	check((c.CertFile == "") == (c.KeyFile == ""), "cert_file and key_file belong together")
	check(c.SentinelPasswordFile == "" || c.Master != "", "sentinel_password_file needs master")
	check(c.UsernameFile == "" || c.PasswordFile != "", "username_file needs password_file")
	check(strings.Trim(d.Prefix, "abcdefghijklmnopqrstuvwxyz0123456789-") == "", "prefix: lower-case letters, digits and hyphens")
	check(d.Poll >= 50*time.Millisecond && d.Poll <= time.Minute, "poll: from 50ms to 1m")
	check(d.Timeout >= 50*time.Millisecond && d.Timeout <= time.Minute, "timeout: from 50ms to 1m")
	return errors.Join(errs...)
}

// silent keeps the client from printing to standard error by itself, which it does with addresses, and which it lets be changed
// for all clients of the program only; this package has the only ones.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func init() { goredis.SetLogger(silent{}) }

// client makes the client. It reads the files, so that what is missing is told at the start, and connects to nothing.
func (c Config) client() (goredis.UniversalClient, error) {
	o := &goredis.UniversalOptions{
		Addrs: c.Addrs, DB: c.DB, IsClusterMode: c.Cluster, MasterName: c.Master, ClientName: "earshot",
		// One attempt each: what failed is tried again by the next poll, and what waits for an answer is bounded by Timeout.
		MaxRetries: -1, DialerRetries: 1,
		DialTimeout: c.Timeout, ReadTimeout: c.Timeout, WriteTimeout: c.Timeout, PoolTimeout: c.Timeout, ContextTimeoutEnabled: true,
		PoolSize: 8, PipelinePoolSize: -1,
		// What every Redis and its relatives understand, in as few steps as can be.
		Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if c.PasswordFile != "" {
		read := func(context.Context) (string, string, error) { return c.credentials() }
		if _, _, err := read(context.Background()); err != nil {
			return nil, err
		}
		o.CredentialsProviderContext = read
	}
	if c.SentinelPasswordFile != "" {
		password, err := secret("sentinel_password_file", c.SentinelPasswordFile)
		if err != nil {
			return nil, err
		}
		o.SentinelPassword = password
	}
	if c.TLS {
		conf, err := c.tls()
		if err != nil {
			return nil, err
		}
		o.TLSConfig = conf
	}
	return goredis.NewUniversalClient(o), nil
}

func (c Config) credentials() (username, password string, err error) {
	if c.UsernameFile != "" {
		if username, err = secret("username_file", c.UsernameFile); err != nil {
			return "", "", err
		}
	}
	password, err = secret("password_file", c.PasswordFile)
	return username, password, err
}

// errSecret marks an error that comes of a file of ours and not of the Redis.
var errSecret = errors.New("secret file")

func secret(key, file string) (string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("cache.redis: %s: %w: %w", key, errSecret, err)
	}
	s := strings.TrimRight(string(raw), "\r\n")
	if s == "" || strings.ContainsAny(s, "\r\n") {
		return "", fmt.Errorf("cache.redis: %s: %w: %s does not hold one line", key, errSecret, file)
	}
	return s, nil
}

func (c Config) tls() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		raw, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("cache.redis: ca_file: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(raw) {
			return nil, fmt.Errorf("cache.redis: ca_file: %s holds no certificate in PEM form", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("cache.redis: cert_file and key_file: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}
