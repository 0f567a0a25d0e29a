// Package site is a whole small company for the demo and the tests: a real Asterisk with the plan of pbxtest.Demo, a registered SIP phone
// for each employee, an outside world behind the trunk, and the files of an Earshot that sits beside it.
package site

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

//go:embed files/*.yaml
var files embed.FS

// Employees are the people of the demo company with their phones, in the order of the policy file.
var Employees = []struct{ ID, Phone string }{
	{"anna", "101"}, {"boris", "102"}, {"irina", "103"}, {"sergei", "201"}, {"olga", "202"}, {"pavel", "203"}, {"maria", "301"}, {"nina", "302"}, {"gleb", "303"},
}

// Outside is the tone of outside parties unless a call has one of its own.
const Outside phone.Tone = 20

// Options of a Site. The zero value is good.
type Options struct {
	Plan     *pbxtest.Plan  // pbxtest.Demo if nil
	Progress func(string)   // is told what takes long; nil prints to standard error
	Clock    *pbxtest.Clock // what the PBX goes by; nil is the machine's
	// Policy and Clients replace the demo's files when not empty.
	Policy, Clients string
	// HTTP and Admin are the addresses for Earshot; free ports of loopback if empty.
	HTTP, Admin string
	// AMI and ARI are the addresses for Earshot's AMI and ARI doors; AnyPort: a free port of loopback; there is none if empty.
	AMI, ARI string
	// Lease and RingTimeout go into Earshot's configuration when not empty ("6s").
	Lease, RingTimeout string
	// Journal has Earshot keep a journal, and serve what the PBX records into the folder recordings beside it.
	Journal bool
	// Stream has Earshot copy its audit log into the Redis of Share, where about so many entries are kept; 0: it does not.
	Stream int
	// Share has Earshot act as one with those beside the company's other PBXs.
	Share *Share
}

// Share is what the Earshot beside one of several PBXs has in common with the others.
type Share struct {
	PBX   string // its name
	Redis string // its address
	Key   string // which all of them have
	Gives bool   // gives the policy to the others, and else follows
}

// AnyPort is an address of loopback, of which the port is not chosen yet.
const AnyPort = "127.0.0.1:0"

// Site is the running company. Phones are by employee id.
type Site struct {
	PBX    *pbxtest.PBX
	Phones map[string]*phone.Phone
	Trunk  *phone.Phone // plays every outside party
	Dir    string       // Earshot's files: earshot.yaml, policy.yaml, clients.yaml, tokens.yaml, audit.jsonl, with Options.Journal journal.db
	HTTP   string       // host:port where Earshot's door is to be
	Admin  string
	AMI    string // where its AMI door is to be, empty for nowhere
	ARI    string // and its ARI door
}

// Start starts PBX and phones and writes Earshot's files; Earshot itself is started by the caller. Stop ends it all.
func Start(ctx context.Context, o Options) (*Site, error) {
	plan := pbxtest.Demo()
	if o.Plan != nil {
		plan = *o.Plan
	}
	p, err := pbxtest.Start(ctx, pbxtest.Options{Plan: plan, Progress: o.Progress, Clock: o.Clock})
	if err != nil {
		return nil, err
	}
	s := &Site{PBX: p, Phones: map[string]*phone.Phone{}, HTTP: o.HTTP, Admin: o.Admin, AMI: o.AMI, ARI: o.ARI}
	if err := s.open(ctx, o); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Site) open(ctx context.Context, o Options) error {
	var err error
	plan := s.PBX.Plan()
	for i, e := range Employees {
		if _, here := plan.Secret(e.Phone); !here { // it is on another of the company's PBXs
			continue
		}
		if s.Phones[e.ID], err = s.phone(e.Phone, phone.Tone(i+1)); err != nil {
			return err
		}
	}
	if s.Trunk, err = s.phone("trunk", Outside); err != nil {
		return err
	}
	if err := s.Register(ctx); err != nil {
		return err
	}
	for _, addr := range []*string{&s.HTTP, &s.Admin, &s.AMI, &s.ARI} {
		if *addr == AnyPort || *addr == "" && addr != &s.AMI && addr != &s.ARI {
			if *addr, err = free(); err != nil {
				return err
			}
		}
	}
	return s.files(o)
}

func (s *Site) phone(id string, tone phone.Tone) (*phone.Phone, error) {
	plan := s.PBX.Plan()
	secret, ok := plan.Secret(id)
	if !ok {
		return nil, fmt.Errorf("site: the plan has no phone %s", id)
	}
	return phone.Listen(phone.Config{User: id, Password: secret, Server: s.PBX.SIP(), Tone: tone})
}

// Register registers every phone, again after a restart of the PBX.
func (s *Site) Register(ctx context.Context) error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var errs []error
	for _, p := range s.All() {
		wg.Go(func() {
			if err := p.Register(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("register phone %s: %w", p.User(), err))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// All are the phones in the order of Employees, and the trunk.
func (s *Site) All() []*phone.Phone {
	var out []*phone.Phone
	for _, e := range Employees {
		if p := s.Phones[e.ID]; p != nil {
			out = append(out, p)
		}
	}
	if s.Trunk != nil {
		out = append(out, s.Trunk)
	}
	return out
}

// files writes what Earshot needs into a folder of its own.
func (s *Site) files(o Options) error {
	var err error
	if s.Dir, err = os.MkdirTemp("", "earshot-site-"); err != nil {
		return err
	}
	for name, text := range map[string]string{"policy.yaml": o.Policy, "clients.yaml": o.Clients} {
		if name == "policy.yaml" && o.Share != nil && !o.Share.Gives { // it is given one
			continue
		}
		if text == "" {
			if text, err = Sample(name); err != nil {
				return err
			}
		}
		if err := s.Write(name, text); err != nil {
			return err
		}
	}
	account := s.PBX.Site().Earshot
	audit := "file: audit.jsonl"
	if o.Stream > 0 {
		audit += fmt.Sprintf(", stream: {keep: %d}", o.Stream)
	}
	config := fmt.Sprintf(`tokens: tokens.yaml
clients: clients.yaml
http: {listen: %q}
admin: {listen: %q}
pbx:
  ami: {address: %q, username: %s, secret_file: secret}
  ari: {url: %q, username: %s, password_file: secret}
audit: {%s}
dialling: {context: phones}
log: {level: info, format: json}
`, s.HTTP, s.Admin, s.PBX.AMI(), account.User, s.PBX.ARI(), account.User, audit)
	var keys []string
	for key, value := range map[string]string{"lease": o.Lease, "ring_timeout": o.RingTimeout} {
		if value != "" {
			keys = append(keys, key+": "+value)
		}
	}
	if len(keys) > 0 {
		config += "supervision: {" + strings.Join(keys, ", ") + "}\n"
	}
	if s.AMI != "" {
		config += fmt.Sprintf("ami: {listen: %q}\n", s.AMI)
	}
	if s.ARI != "" {
		config += fmt.Sprintf("ari: {listen: %q}\n", s.ARI)
	}
	if o.Journal {
		if err := os.Mkdir(s.Path("recordings"), 0o700); err != nil {
			return err
		}
		config += fmt.Sprintf("journal: {file: journal.db}\nrecordings: {spools: [{name: monitor, path: %q}]}\n", s.Path("recordings"))
	}
	shared, key := o.Share.config()
	for name, text := range map[string]string{"earshot.yaml": config + shared, "key": key, "secret": account.Password + "\n", "tokens.yaml": "[]\n"} {
		if err := s.Write(name, text); err != nil {
			return err
		}
	}
	return nil
}

// config is what the configuration says of the policy and the other Earshots, and the key that all have.
func (s *Share) config() (text, key string) {
	const own = "policy: policy.yaml\n"
	if s == nil {
		return own, ""
	}
	text = fmt.Sprintf("cluster: {pbx: %s}\ncache: {redis: %q}\n", s.PBX, "redis://"+s.Redis)
	if s.Gives {
		return text + own + "publication: {role: give, key_file: key}\n", s.Key
	}
	return text + "publication: {role: follow, key_file: key, copy: copy}\n", s.Key
}

// Sample is one of the demo's own files: policy.yaml, clients.yaml.
func Sample(name string) (string, error) {
	b, err := files.ReadFile("files/" + name)
	return string(b), err
}

// Path is the path of one of Earshot's files.
func (s *Site) Path(name string) string { return filepath.Join(s.Dir, name) }

// Write puts a new file in the place of one of Earshot's, in one step as a careful editor does.
func (s *Site) Write(name, text string) error {
	tmp := s.Path(name + ".new")
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, s.Path(name))
}

// Edit replaces a piece of one of Earshot's files, which must be there.
func (s *Site) Edit(name, old, new string) error {
	b, err := os.ReadFile(s.Path(name))
	if err != nil {
		return err
	}
	if !strings.Contains(string(b), old) {
		return fmt.Errorf("site: %s does not have %q in it", name, old)
	}
	return s.Write(name, strings.Replace(string(b), old, new, 1))
}

// Stop ends phones and PBX and removes the files.
func (s *Site) Stop() error {
	var wg sync.WaitGroup
	for _, p := range s.All() {
		wg.Go(func() { _ = p.Close() }) // a phone that does not get through to the PBX is gone all the same
	}
	wg.Wait()
	err := s.PBX.Stop()
	if s.Dir == "" {
		return err
	}
	return errors.Join(err, os.RemoveAll(s.Dir))
}

// free is a loopback address with a port that nobody uses now.
func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}
