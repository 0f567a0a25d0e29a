package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/dialplan"
	"github.com/earshot-pbx/earshot/agent/strict"
)

// Config is the server's configuration: what needs a restart to change. What administrators tune while it runs is in the policy file.
// Paths are taken from the folder of the configuration file, or, where they begin with $CREDENTIALS_DIRECTORY/, are credentials of systemd's.
type Config struct {
	// The files and folders of the policy, see policyfile.Open; required, unless it follows a publication.
	Policy  strict.OneOrMore `yaml:"policy"`
	Shadow  Shadow           `yaml:"shadow"`  // a second policy that is tried beside it; none
	Tokens  string           `yaml:"tokens"`  // the tokens file; required
	Clients string           `yaml:"clients"` // a file with the clients; none, and no sources in directory: nobody is a client
	Auth    Auth             `yaml:"auth"`
	HTTP    HTTP             `yaml:"http"`
	AMI     AMIDoor          `yaml:"ami"`
	ARI     ARIDoor          `yaml:"ari"`
	Admin   Admin            `yaml:"admin"`
	PBX     PBX              `yaml:"pbx"`
	Cache   Cache            `yaml:"cache"`
	// How several Earshots have one policy; none.
	Publication Publication `yaml:"publication"`
	Cluster     Cluster     `yaml:"cluster"` // none: this Earshot acts alone
	Audit       Audit       `yaml:"audit"`
	Recordings  Recordings  `yaml:"recordings"`
	Journal     Journal     `yaml:"journal"` // none: past calls are not kept
	Log         Log         `yaml:"log"`

	Directory   clients.Config `yaml:"directory"` // how numbers are read, and other sources of clients than one file
	Supervision Supervision    `yaml:"supervision"`
	Dialling    Dialling       `yaml:"dialling"`
	Watchdog    Watchdog       `yaml:"watchdog"`
	Phone       Phone          `yaml:"phone"`
	Lines       Lines          `yaml:"lines"`
	Doctor      Doctor         `yaml:"doctor"`
	Settings    Settings       `yaml:"settings"`
}

// Shadow is a second policy that is decided beside the one in force and changes nothing: where the two differ is counted and written down.
type Shadow struct {
	Policy strict.OneOrMore `yaml:"policy"` // its files and folders; none: nothing is tried
	File   string           `yaml:"file"`   // where the differences go, a JSON line each; required with policy
}

// HTTP is the HTTP door.
type HTTP struct {
	Listen  string   `yaml:"listen"` // host:port; 127.0.0.1:8080
	Panel   bool     `yaml:"panel"`  // whether the page for people is served at /; true
	TLS     TLS      `yaml:"tls"`
	Proxies []string `yaml:"proxies"` // networks and addresses whose X-Forwarded-For is believed; none
	Limits  Limits   `yaml:"limits"`

	MaxPerEmployee int `yaml:"max_per_employee"` // event streams of one employee, and as many by each panel's token; 10
}

// Admin is the admin listener.
type Admin struct {
	Listen string `yaml:"listen"` // host:port; 127.0.0.1:9090
}

// PBX is how Asterisk is reached.
type PBX struct {
	AMI AMI `yaml:"ami"`
	ARI ARI `yaml:"ari"`
}

// AMI is Earshot's account in manager.conf.
type AMI struct {
	Address    string `yaml:"address"` // host:port; 127.0.0.1:5038
	Username   string `yaml:"username"`
	SecretFile string `yaml:"secret_file"` // the file that holds the secret, alone
	TLS        AMITLS `yaml:"tls"`
}

// ARI is Earshot's account in ari.conf.
type ARI struct {
	URL          string `yaml:"url"` // http://127.0.0.1:8088/ari
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"` // the file that holds the password, alone
	Application  string `yaml:"application"`   // earshot; only one Earshot may use it
}

// Audit is the audit log.
type Audit struct {
	File    string      `yaml:"file"`     // required
	KeyFile string      `yaml:"key_file"` // a secret that makes the chain one which only its holder can write; none: a plain hash chain
	Stream  AuditStream `yaml:"stream"`   // none: it stands in its file alone
}

// Log is the program's own log, on standard error.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn, error; info
	Format string `yaml:"format"` // json, console; json
}

// Supervision is how supervisions run.
type Supervision struct {
	Lease       time.Duration `yaml:"lease"`        // how long one may outlive Earshot; 30s, at least 3s
	RingTimeout time.Duration `yaml:"ring_timeout"` // how long a supervisor's phone rings, and never longer than the lease; 25s
	ToneEvery   time.Duration `yaml:"tone_every"`   // how often a tone is heard where the policy wants one; 15s
	Keys        bool          `yaml:"keys"`         // keys on the supervisor's phone ask for another mode: 4 spy, 5 whisper, 6 barge; false
}

// Dialling is how employees' phones are made to call somebody.
type Dialling struct {
	Context string `yaml:"context"` // of the dialplan, in which the phones' own calls begin; from-internal
}

// defaults are the values of keys that the file leaves out.
func defaults() Config {
	return Config{
		Auth:        Auth{JWT: standardJWT(), Sessions: standardSessions()},
		HTTP:        HTTP{Listen: "127.0.0.1:8080", Panel: true, Proxies: []string{}, Limits: standardLimits(), MaxPerEmployee: 10},
		AMI:         AMIDoor{MaxSessions: 1000, Actions: Rate{3000, 500}, MaxPerEmployee: 10, MaxPerPanel: 50, LoginTimeout: 5 * time.Second},
		ARI:         standardARI(),
		Admin:       Admin{Listen: "127.0.0.1:9090"},
		PBX:         PBX{AMI: AMI{Address: "127.0.0.1:5038"}, ARI: ARI{URL: "http://127.0.0.1:8088/ari", Application: "earshot"}},
		Recordings:  standardRecordings(),
		Journal:     Journal{Keep: 365 * 24 * time.Hour},
		Log:         Log{Level: "info", Format: "json"},
		Supervision: Supervision{Lease: 30 * time.Second, RingTimeout: 25 * time.Second, ToneEvery: 15 * time.Second},
		Dialling:    Dialling{Context: "from-internal"},
		Watchdog:    standardWatchdog(),
		Phone:       Phone{Codes: dialplan.StandardCodes(), Digits: 5},
		Doctor:      Doctor{Accept: []Acceptance{}},
		Settings:    standardSettings(),
	}
}

// LoadConfig reads and checks a configuration file. Every fault is reported at once, each as file:line:column: message.
func LoadConfig(path string) (*Config, error) {
	cfg, _, errs := readConfig(path)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return cfg, nil
}

// readConfig is LoadConfig; when nothing but values is wrong, it returns what it could read, with the places of the keys, beside the errors.
func readConfig(path string) (*Config, *strict.Document, []error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, []error{fmt.Errorf("read the configuration: %w", err)}
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, nil, []error{fmt.Errorf("read the configuration: %w", err)}
	}
	cfg := defaults()
	doc, err := strict.Decode(path, data, &cfg)
	if err != nil {
		return nil, nil, []error{err}
	}
	if cfg.Cache.Redis != "" {
		cfg.Cache.dir = dir
	}
	errs := cfg.validate(doc)
	cfg.resolve(dir)
	errs = append(errs, cfg.clashes(doc)...)
	strict.Sort(errs)
	return &cfg, doc, errs
}

// validate checks what the shape of the file cannot, and returns the faults in the order of their places. It has no effects.
func (c *Config) validate(doc *strict.Document) []error {
	var errs []error
	bad := func(key, format string, args ...any) { errs = append(errs, doc.Errorf(key, format, args...)) }
	required := func(key, value, what string) {
		if value == "" {
			bad(key, "%s is required: %s", key, what)
		}
	}
	if c.Publication.Role != roleFollow {
		required("policy", strings.Join(c.Policy, ""), "the path of the policy file, or of a folder, or a list of them")
	}
	for _, list := range []struct {
		key   string
		paths strict.OneOrMore
	}{{"policy", c.Policy}, {"shadow.policy", c.Shadow.Policy}} {
		for i, path := range list.paths {
			if path == "" && strings.Join(list.paths, "") != "" {
				bad(fmt.Sprintf("%s[%d]", list.key, i), "%s: an empty path names nothing; take it out", list.key)
			}
		}
	}
	required("tokens", c.Tokens, "the path of the tokens file, which `earshot token` writes")
	required("audit.file", c.Audit.File, "the path of the audit log")
	required("pbx.ami.username", c.PBX.AMI.Username, "Earshot's account in manager.conf")
	required("pbx.ami.secret_file", c.PBX.AMI.SecretFile, "a file that holds the secret of that account, alone")
	required("pbx.ari.username", c.PBX.ARI.Username, "Earshot's account in ari.conf")
	required("pbx.ari.password_file", c.PBX.ARI.PasswordFile, "a file that holds the password of that account, alone")
	required("pbx.ari.application", c.PBX.ARI.Application, "the name of Earshot's Stasis application")
	if !isAddress(c.HTTP.Listen) {
		bad("http.listen", "http.listen must be host:port with a number as port, such as 127.0.0.1:8080")
	}
	if !isAddress(c.Admin.Listen) {
		bad("admin.listen", "admin.listen must be host:port with a number as port, such as 127.0.0.1:9090")
	}
	if len(c.Shadow.Policy) > 0 || c.Shadow.File != "" {
		required("shadow.policy", strings.Join(c.Shadow.Policy, ""), "the path of the policy that is to be tried")
		required("shadow.file", c.Shadow.File, "the path of the file for its differences")
	}
	c.HTTP.validate(bad)
	c.AMI.validate(c, bad)
	c.ARI.validate(c, bad)
	c.Journal.validate(bad)
	c.Recordings.validate(c.Journal.File, bad)
	c.Auth.JWT.validate(bad)
	c.PBX.AMI.TLS.validate(bad)
	c.Watchdog.validate(bad)
	c.Doctor.validate(bad)
	c.Settings.validate(bad)
	c.Auth.Sessions.validate(&c.Cache, bad)
	c.Cache.validate(bad)
	c.Audit.Stream.validate(c, bad)
	c.Publication.validate(c, required, bad)
	c.Cluster.validate(c, bad)
	if host, port, _ := net.SplitHostPort(c.PBX.AMI.Address); !isAddress(c.PBX.AMI.Address) || host == "" || port == "0" {
		bad("pbx.ami.address", "pbx.ami.address must be host:port with a number as port, such as 127.0.0.1:5038")
	}
	if c.HTTP.Listen == c.Admin.Listen && !strings.HasSuffix(c.HTTP.Listen, ":0") {
		bad("admin.listen", "admin.listen must differ from http.listen, since what it serves is not for panels")
	}
	if u, err := url.Parse(c.PBX.ARI.URL); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.Port() != "" && !isAddress(u.Host) {
		bad("pbx.ari.url", "pbx.ari.url must be the address of ARI, such as http://127.0.0.1:8088/ari")
	} else if u.User != nil {
		bad("pbx.ari.url", "pbx.ari.url must hold no credentials; use username and password_file")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		bad("log.level", "log.level is one of debug, info, warn, error")
	}
	if !slices.Contains([]string{"json", "console"}, c.Log.Format) {
		bad("log.format", "log.format is one of json, console")
	}
	if c.Supervision.Lease < 3*time.Second || c.Supervision.Lease%time.Second != 0 {
		bad("supervision.lease", "supervision.lease must be whole seconds and at least 3s")
	}
	if c.Supervision.RingTimeout < time.Second || c.Supervision.RingTimeout > 5*time.Minute || c.Supervision.RingTimeout%time.Second != 0 {
		bad("supervision.ring_timeout", "supervision.ring_timeout must be whole seconds between 1s and 5m")
	}
	if c.Supervision.ToneEvery < 2*time.Second || c.Supervision.ToneEvery > time.Minute || c.Supervision.ToneEvery%time.Second != 0 {
		bad("supervision.tone_every", "supervision.tone_every must be whole seconds between 2s and 1m")
	}
	if c.Clients != "" && len(c.Directory.Sources) > 0 {
		bad("clients", "clients is short for one file; with directory.sources, name the file there")
	}
	for _, f := range c.Directory.Faults() {
		bad("directory."+f.Key, "directory.%s: %s", f.Key, f.Message)
	}
	c.Phone.validate(c.Dialling.Context, bad)
	if !isContext(c.Dialling.Context) {
		bad("dialling.context", "dialling.context must be the name of a context in extensions.conf: letters, digits, - and _")
	}
	return errs
}

// clashes returns what is wrong with files that are one and must not be. Paths have been resolved.
func (c *Config) clashes(doc *strict.Document) (errs []error) {
	if len(c.Shadow.Policy) > 0 && slices.EqualFunc(c.Shadow.Policy, c.Policy, func(a, b string) bool { return filepath.Clean(a) == filepath.Clean(b) }) {
		errs = append(errs, doc.Errorf("shadow.policy", "shadow.policy is the policy in force, from which it cannot differ"))
	}
	type single struct {
		key  string
		path *string
	}
	singles := []single{{"shadow.file", &c.Shadow.File}, {"journal.file", &c.Journal.File}, {"publication.copy", &c.Publication.Copy}, {"audit.file", &c.Audit.File}}
	for i, own := range singles {
		told := func(p *string) bool {
			return slices.ContainsFunc(singles[:i], func(s single) bool { return s.path == p })
		}
		for _, p := range c.paths() {
			if p != own.path && !told(p) && *p != "" && *own.path != "" && filepath.Clean(*p) == filepath.Clean(*own.path) {
				errs = append(errs, doc.Errorf(own.key, "%s must be a file of its own: another key names it too", own.key))
				break
			}
		}
	}
	return errs
}

// isContext reports whether s can be the name of a context. Asterisk takes more; a name is not where that is tried.
func isContext(s string) bool {
	return s != "" && len(s) < 80 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// sources are the client directory's, whichever way they are given.
func (c *Config) sources() clients.Config {
	d := c.Directory
	if c.Clients != "" {
		d.Sources = []clients.SourceConfig{{Name: "clients", File: c.Clients}}
	}
	return d
}

// isAddress reports whether s is host:port. The host may be left out, which means every address of this machine.
func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// paths are all that the configuration names.
func (c *Config) paths() []*string {
	all := append(slices.Concat(c.Directory.Paths(), c.Recordings.paths()), &c.Shadow.File, &c.Journal.File, &c.Lines.Replies, &c.Tokens, &c.Clients, &c.Audit.File, &c.Audit.KeyFile, &c.Publication.KeyFile, &c.Publication.Copy, &c.PBX.AMI.SecretFile, &c.PBX.AMI.TLS.CAFile, &c.PBX.ARI.PasswordFile, &c.Auth.JWT.JWKSFile, &c.HTTP.TLS.CertFile, &c.HTTP.TLS.KeyFile)
	for _, files := range []strict.OneOrMore{c.Policy, c.Shadow.Policy} {
		for i := range files {
			all = append(all, &files[i])
		}
	}
	return all
}

// credentials is how the path of a file begins that systemd gives to the service (LoadCredential= in the unit). Only the service has the variable
// in its environment, so elsewhere such a path stays as it is, and leads nowhere.
const credentials = "$" + credentialsVariable + "/"

const credentialsVariable = "CREDENTIALS_DIRECTORY"

// resolve makes every path one that does not depend on the working folder.
func (c *Config) resolve(dir string) {
	for _, p := range c.paths() {
		name, credential := strings.CutPrefix(*p, credentials)
		switch given := os.Getenv(credentialsVariable); {
		case credential && given != "":
			*p = filepath.Join(given, name)
		case *p != "" && !credential && !filepath.IsAbs(*p):
			*p = filepath.Join(dir, *p)
		}
	}
}

// isCredential reports whether an error is that a credential cannot be read here, since only the service has it.
func isCredential(err error) bool {
	gone := (*fs.PathError)(nil)
	return errors.As(err, &gone) && strings.HasPrefix(gone.Path, credentials)
}

// Secret is a value that prints itself redacted.
type Secret string

// String never tells the secret.
func (Secret) String() string { return "[secret]" }

// GoString never tells the secret.
func (Secret) GoString() string { return "[secret]" }

// MarshalText never tells the secret, so neither do JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ReadSecret reads a secret file; a line end at its end is not part of it.
func ReadSecret(path string) (Secret, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	s := strings.TrimRight(string(data), "\r\n")
	if s == "" || strings.ContainsAny(s, "\r\n\x00") {
		return "", fmt.Errorf("the secret file %s must hold one line, the secret alone", path)
	}
	return Secret(s), nil
}
