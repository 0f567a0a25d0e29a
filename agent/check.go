package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/recording"
	"github.com/earshot-pbx/earshot/agent/strict"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// Check checks a configuration and every file that it names. It opens no connection and changes nothing. The error joins all faults, a line
// each, at the place in the file where they stand; a file that cannot be read is a fault of the key that names it. The warnings are about
// what is legal and surely not meant. findings are the kinds of what the doctor finds, which this package does not know: one that is accepted has
// to be of them; with none they are not looked at.
func Check(path string, findings ...string) (warnings []string, err error) {
	cfg, doc, errs := readConfig(path)
	if cfg == nil {
		return nil, errors.Join(errs...)
	}
	errs = append(errs, cfg.Doctor.unknown(findings, doc)...)
	var inside []error // what is wrong in the other files
	note := func(key string, err error) {
		switch {
		case err == nil:
		case isCredential(err):
			warnings = append(warnings, fmt.Sprintf("%s: %s: systemd gives it to the service alone, so it was not looked at", path, key))
		case hasPlace(err):
			inside = append(inside, err)
		default:
			errs = append(errs, doc.Errorf(key, "%s: %v", key, err))
		}
	}
	var set *policy.Set
	if cfg.Publication.KeyFile != "" {
		_, err := cfg.Publication.key()
		note("publication.key_file", err)
	}
	if p := cfg.Publication; p.Role == roleFollow && p.Copy != "" && p.KeyFile != "" {
		var loaded policy.Problems
		set, loaded, err = cfg.LoadPolicy(time.Now())
		if errors.Is(err, fs.ErrNotExist) {
			warnings = append(warnings, path+": publication.copy: no policy was in force yet, so none was looked at")
		} else {
			note("publication.copy", err)
		}
		for _, w := range loaded {
			warnings = append(warnings, w.Error())
		}
	}
	if !slices.Contains(cfg.Policy, "") && len(cfg.Policy) > 0 {
		set, warnings, err = loadPolicy(cfg.Policy, cfg.Cluster.PBX)
		for _, err := range leaves(err) { // a file that is missing, and mistakes in another
			note("policy", err)
		}
	}
	if set != nil {
		errs = append(errs, cfg.emergencies(set, doc.Errorf)...)
		for _, w := range cfg.emergencyWarnings(set) {
			warnings = append(warnings, path+": "+w)
		}
	}
	if len(cfg.Shadow.Policy) > 0 {
		_, more, err := loadPolicy(cfg.Shadow.Policy, cfg.Cluster.PBX)
		warnings = append(warnings, more...)
		note("shadow.policy", err)
	}
	if cfg.Tokens != "" {
		tokens, err := auth.OpenTokens(cfg.Tokens, auth.Options{})
		if note("tokens", err); err == nil {
			warnings = append(warnings, strangers(cfg.Tokens, "a token is", set, tokenHolders(tokens))...)
		}
	}
	key := "directory"
	if cfg.Clients != "" {
		key = "clients"
	}
	if sources := cfg.sources(); len(sources.Faults()) == 0 { // the others are among errs already
		directories, err := sources.Check()
		note(key, err)
		for _, d := range directories {
			warnings = append(warnings, strangers(d.Path(), "a client is", set, responsible(d))...)
		}
	}
	if cfg.Lines.Replies != "" {
		of, err := loadReplies(cfg.Lines.Replies)
		note("lines.replies", err)
		warnings = append(warnings, replyStrangers(cfg.Lines.Replies, of, set)...)
	}
	for _, w := range cfg.warnings() {
		warnings = append(warnings, path+": "+w)
	}
	if cfg.Auth.JWT.JWKSFile != "" {
		if j := cfg.Auth.JWT.config(); len(j.Faults()) == 0 {
			_, err := auth.OpenJWT(j)
			note("auth.jwt.jwks_file", err)
		}
	}
	if t := cfg.HTTP.TLS; t.CertFile != "" && t.KeyFile != "" {
		cert, err := openCertificate(t)
		if note("http.tls.cert_file", err); err == nil && time.Now().After(cert.ends()) {
			warnings = append(warnings, path+": http.tls.cert_file: the certificate has ended")
		}
	}
	_, err = cfg.PBX.AMI.TLS.config()
	note("pbx.ami.tls.ca_file", err)
	if _, err := cfg.Cache.config(); err == nil {
		if _, err = cfg.Cache.open(); err != nil {
			errs = append(errs, doc.Errorf("cache.redis", "%v", err)) // which names the key itself
		}
	}
	for _, secret := range []struct{ key, path string }{
		{"pbx.ami.secret_file", cfg.PBX.AMI.SecretFile}, {"pbx.ari.password_file", cfg.PBX.ARI.PasswordFile}, {"audit.key_file", cfg.Audit.KeyFile},
	} {
		if secret.path != "" {
			s, err := ReadSecret(secret.path)
			if secret.key == "audit.key_file" && err == nil {
				err = audit.Key(s).Check()
			}
			note(secret.key, err)
		}
	}
	for _, log := range []struct{ key, path string }{{"audit.file", cfg.Audit.File}, {"shadow.file", cfg.Shadow.File}, {"journal.file", cfg.Journal.File}} {
		if log.path != "" {
			note(log.key, writable(log.path))
		}
	}
	if cfg.Journal.File != "" {
		note("journal.file", journal.Check(cfg.Journal.File))
	}
	for i, s := range cfg.Recordings.Spools {
		if s.Path != "" {
			note(fmt.Sprintf("recordings.spools[%d].path", i), recording.CheckFolder(s.Path))
		}
	}
	strict.Sort(errs)
	return warnings, errors.Join(append(errs, inside...)...)
}

// writable looks whether a file can be written, and another beside it; neither has to be there, and none is made.
func writable(path string) error {
	const read, write, enter = 4, 2, 1 // access(2)
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	if err := syscall.Access(dir, write|enter); err != nil {
		return fmt.Errorf("files cannot be made in its folder: %w", err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return errors.New("a file belongs here, and this is a folder")
	}
	if err := syscall.Access(path, read|write); err != nil {
		return fmt.Errorf("the file cannot be read and written: %w", err)
	}
	return nil
}

// CheckPolicy checks the policy of files and folders alone.
func CheckPolicy(paths ...string) (warnings []string, err error) {
	_, problems, err := policyfile.Load(paths, time.Now())
	return sentences(problems), err
}

// loadPolicy loads a policy as it is in force beside a PBX.
func loadPolicy(paths []string, pbx string) (*policy.Set, []string, error) {
	set, problems, err := policyfile.Load(paths, time.Now())
	set = set.Beside(pbx)
	return set, sentences(append(problems, set.PBXWarnings()...)), err
}

func sentences(problems policy.Problems) (out []string) {
	for _, p := range problems {
		out = append(out, p.String())
	}
	return out
}

// leaves takes joined errors apart. One that wraps joined errors stays whole, for it says more than they do.
func leaves(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, err := range joined.Unwrap() {
		all = append(all, leaves(err)...)
	}
	return all
}

// hasPlace reports whether an error says by itself where in a file the fault is.
func hasPlace(err error) bool {
	var (
		fault   *strict.Error
		problem policy.Problem
	)
	return errors.As(err, &fault) || errors.As(err, &problem)
}

func tokenHolders(tokens *auth.Tokens) []string {
	var ids []string
	for _, e := range tokens.Entries() {
		switch {
		case e.Panel == "":
			ids = append(ids, e.Employee)
		case !slices.Equal(e.ActsFor, []string{auth.Everyone}):
			ids = append(ids, slices.DeleteFunc(slices.Clone(e.ActsFor), func(id string) bool { return id == e.Panel })...)
		}
	}
	return ids
}

func responsible(directory *clients.Directory) []string {
	var ids []string
	for c := range directory.All() {
		if c.Responsible != "" {
			ids = append(ids, c.Responsible)
		}
	}
	return ids
}

// strangers warns, once each, of ids that the policy does not have: who bears one can do nothing.
func strangers(file, what string, set *policy.Set, ids []string) []string {
	if set == nil {
		return nil
	}
	var warnings []string
	told := make(map[string]bool)
	for _, id := range ids {
		if ref, known := set.Employee(id); (!known || set.Panel(ref)) && !told[id] {
			who := "whom the policy does not have"
			if known {
				who = "which the policy has as a panel"
			}
			told[id] = true
			warnings = append(warnings, fmt.Sprintf("%s: %s of %q, %s", file, what, id, who))
		}
	}
	return warnings
}
