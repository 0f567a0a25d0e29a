package doctor

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// classes are AMI's, in the order of main/manager.c, perms.
var classes = []string{"system", "call", "log", "verbose", "command", "agent", "user", "config", "dtmf", "reporting", "cdr", "dialplan", "originate",
	"agi", "cc", "aoc", "test", "security", "message", "all", "none"}

var (
	// powers are write classes with any of which an account gets round Earshot.
	powers = []string{"system", "call", "command", "config", "originate", "agi", "all"}
	// lesser are write classes that read or change what is others'.
	lesser = []string{"agent", "user", "reporting", "aoc", "message"}
	// telling are read classes whose events say who talks with whom. Those left out have no party in their events.
	telling = []string{"system", "call", "log", "verbose", "agent", "user", "dtmf", "reporting", "cdr", "dialplan", "agi", "cc", "aoc", "security", "message", "all"}
	// needsRead and needsWrite are what Earshot's own account needs; needsDoctor is what the doctor's does.
	needsRead   = []string{"call", "agent"}
	needsWrite  = []string{"originate", "call", "agent", "reporting"}
	needsDoctor = []string{"config", "command", "reporting"}
)

// granted are the classes that Asterisk understands a list to mean (main/manager.c, get_perm and ast_instring): a token before a comma stands
// for every class that begins with it, an empty one for all; the last token has to be a class to the letter. Blanks are part of a token. short
// says that a class is meant which is not written out.
func granted(list string) (classesOf []string, short bool) {
	has := map[string]bool{}
	for rest, more := list, true; more && rest != ""; {
		var token string
		token, rest, more = strings.Cut(rest, ",")
		for _, class := range classes {
			switch {
			case token == class:
				has[class] = true
			case more && strings.HasPrefix(class, token):
				has[class] = true
				short = true
			}
		}
	}
	for _, class := range classes {
		if class != "none" && (has[class] || has["all"]) {
			classesOf = append(classesOf, class)
		}
	}
	return classesOf, short
}

// both are what two lists have in common.
func both(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

// without are what a has and b has not. Whoever has all is said to have all.
func without(a, b []string) []string {
	return written(slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) }))
}

// written is a list as one writes it.
func written(list []string) []string {
	if slices.Contains(list, "all") {
		return []string{"all"}
	}
	return list
}

func list(of []string) string { return strings.Join(written(of), ",") }

// account is a user of manager.conf, with all its sections together.
type account struct {
	name        string
	place       Place
	read, write Setting
	limited     bool // by permit, deny or acl
}

func accounts(cfg *Config) []*account {
	var all []*account
	for _, s := range cfg.Sections {
		if strings.EqualFold(s.Name, "general") {
			continue
		}
		i := slices.IndexFunc(all, func(a *account) bool { return strings.EqualFold(a.name, s.Name) })
		if i < 0 {
			i = len(all)
			all = append(all, &account{name: s.Name, place: s.Place})
		}
		a := all[i]
		for _, v := range s.Settings {
			switch strings.ToLower(v.Key) {
			case "read":
				a.read = v
			case "write":
				a.write = v
			case "permit", "deny", "acl":
				a.limited = a.limited || v.Value != ""
			}
		}
	}
	return all
}

// amiChecks looks at manager.conf and users.conf.
func amiChecks(e *exam) error {
	cfg, err := e.config("manager.conf")
	if err != nil {
		return err
	}
	web, err := e.config("http.conf")
	if err != nil {
		return err
	}
	users, err := e.config("users.conf")
	if err != nil {
		return err
	}
	if on, _ := cfg.option("general", "enabled"); !isTrue(on.Value) {
		return nil
	}
	bind, isSet := cfg.option("general", "bindaddr")
	open := !isSet || !isLoopback(bind.Value) // left out, it is every address
	if open {
		e.find("ami-open", where{place(bind, cfg), "general", "bindaddr"})
	}
	open = e.oldTLS("AMI", cfg, bind) || open
	if on, _ := cfg.option("general", "webenabled"); isTrue(on.Value) {
		if served, _ := web.option("general", "enabled"); isTrue(served.Value) {
			e.find("ami-http", where{place(on, cfg), "general", "webenabled"})
		}
	}
	for _, a := range accounts(cfg) {
		at := where{nameless(a.place, cfg), a.name, ""}
		e.account(a, cfg)
		if open && !a.limited {
			e.find("ami-acl", at, "account", a.name)
		}
	}
	for _, s := range users.Sections {
		if v, ok := s.last("hasmanager"); ok && isTrue(v.Value) {
			e.find("ami-users-conf", where{place(v, users), s.Name, "hasmanager"}, "account", s.Name)
		}
	}
	return nil
}

// oldTLS looks at a listener with TLS, which is where the plain one is if nothing else is said, and reports whether it listens beyond loopback.
// Asterisk offers every version of TLS that is not switched off (main/tcptls.c).
func (e *exam) oldTLS(what string, cfg *Config, bind Setting) (open bool) {
	on, _ := cfg.option("general", "tlsenable")
	if !isTrue(on.Value) {
		return false
	}
	if v, ok := cfg.option("general", "tlsbindaddr"); ok {
		bind = v
	}
	if isLoopback(bind.Value) {
		return false
	}
	var offered []string
	for _, v := range []struct{ key, name string }{{"tlsdisablev1", "TLS 1.0"}, {"tlsdisablev11", "TLS 1.1"}} {
		if off, _ := cfg.option("general", v.key); !isTrue(off.Value) {
			offered = append(offered, v.name)
		}
	}
	if len(offered) > 0 {
		e.find("tls-old", where{place(on, cfg), "general", "tlsenable of " + cfg.Name}, "what", what, "versions", strings.Join(offered, " and "))
	}
	return true
}

// account looks at the classes of one account.
func (e *exam) account(a *account, cfg *Config) {
	seen := len(e.found)
	read, shortRead := granted(a.read.Value)
	write, shortWrite := granted(a.write.Value)
	readAt := where{place(a.read, cfg), a.name, "read"}
	writeAt := where{place(a.write, cfg), a.name, "write"}
	if shortRead {
		e.find("ami-abbreviation", readAt, "account", a.name, "key", "read", "classes", list(read))
	}
	if shortWrite {
		e.find("ami-abbreviation", writeAt, "account", a.name, "key", "write", "classes", list(write))
	}
	switch {
	case e.own.AMI != "" && strings.EqualFold(a.name, e.own.AMI):
		e.more("ami-own", "read", read, needsRead, readAt)
		e.more("ami-own", "write", write, needsWrite, writeAt)
		return
	case e.own.Doctor != "" && strings.EqualFold(a.name, e.own.Doctor):
		e.more("ami-doctor", "read", read, needsDoctor, readAt)
		e.more("ami-doctor", "write", write, needsDoctor, writeAt)
		return
	}
	if may := both(write, powers); len(may) > 0 {
		e.find("ami-powers", writeAt, "account", a.name, "classes", list(may))
	} else if may := both(write, lesser); len(may) > 0 {
		e.find("ami-writes", writeAt, "account", a.name, "classes", list(may))
	}
	if may := both(read, telling); len(may) > 0 {
		e.find("ami-reads", readAt, "account", a.name, "classes", list(may))
	}
	if len(e.found) == seen {
		e.find("ami-account", where{nameless(a.place, cfg), a.name, ""}, "account", a.name)
	}
}

// more finds what an account of ours has beyond what it needs.
func (e *exam) more(code, key string, has, needs []string, at where) {
	if extra := without(has, needs); len(extra) > 0 {
		e.find(code, at, "key", key, "classes", strings.Join(extra, ","), "needs", strings.Join(needs, ","))
	}
}

// place is where a setting stands or, when it is left out or its line is not known, its file.
func place(v Setting, cfg *Config) Place { return nameless(v.Place, cfg) }

// nameless gives a place without a file that of the configuration.
func nameless(at Place, cfg *Config) Place {
	if at.File == "" {
		at.File = cfg.Name
	}
	return at
}

// isLoopback reports whether an address, with or without a port, is reached from this machine alone.
func isLoopback(address string) bool {
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	address = strings.Trim(address, "[]")
	if strings.EqualFold(address, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.Unmap().IsLoopback()
}
