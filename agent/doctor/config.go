package doctor

import (
	"slices"
	"strings"
)

// Place is a line of a configuration file.
type Place struct {
	File string // as Asterisk names it, from its configuration folder: "extensions.conf"; empty when it is not known
	Line int    // from 1; 0 when it is not known, as with everything that AMI's GetConfig tells
}

// Setting is one "key = value", in the order of the file.
type Setting struct {
	Key, Value string // the value is "" when it is a secret: see [Config]
	Place      Place
	Secret     bool // it has a value, which is forgotten
}

// Section is a category of a configuration file, as Asterisk sees it: what its templates say comes first, what (+) adds comes last. A template
// itself is none.
type Section struct {
	Name     string
	Place    Place // of its header
	Settings []Setting
}

// Config is a configuration file after #include. Values of secrets are forgotten as they are read, so that nothing here can tell them.
type Config struct {
	Name     string
	Sections []Section
	Absent   bool   // there is no such file
	Broken   string // why Asterisk takes nothing of it; empty when it does
	Stopped  Place  // where it gave up, when it is broken
	// Unread are lines that bring in what is not seen here: the output of a program, an included file that cannot be read.
	Unread []Unread
}

// Unread is a line that brings in what is not seen here.
type Unread struct {
	Directive string // "#include", "#tryinclude", "#exec"
	Place     Place
}

// secrets are keys whose values nobody has to see.
var secrets = []string{"secret", "password", "md5secret", "md5_cred", "remotesecret", "pin", "oauth_secret", "refresh_token", "password_digest", "inbound_auth/password", "outbound_auth/password"}

// setting makes a Setting, and forgets a secret.
func setting(key, value string, at Place) Setting {
	if slices.Contains(secrets, strings.ToLower(key)) {
		return Setting{Key: key, Place: at, Secret: value != ""}
	}
	return Setting{Key: key, Value: value, Place: at}
}

// named are the sections of a name. Asterisk compares the names of sections in any case where it looks one up.
func (c *Config) named(name string) []Section {
	var found []Section
	for _, s := range c.Sections {
		if strings.EqualFold(s.Name, name) {
			found = append(found, s)
		}
	}
	return found
}

// option is the last setting of a key in all sections of a name.
func (c *Config) option(section, key string) (Setting, bool) {
	var last Setting
	found := false
	for _, s := range c.named(section) {
		if v, ok := s.last(key); ok {
			last, found = v, true
		}
	}
	return last, found
}

// last is the last setting of any of the keys.
func (s *Section) last(keys ...string) (Setting, bool) {
	for _, v := range slices.Backward(s.Settings) {
		if slices.ContainsFunc(keys, func(k string) bool { return strings.EqualFold(k, v.Key) }) {
			return v, true
		}
	}
	return Setting{}, false
}

// isTrue reports whether Asterisk takes a value for yes (main/utils.c, ast_true).
func isTrue(value string) bool {
	switch strings.ToLower(value) {
	case "yes", "true", "y", "t", "1", "on":
		return true
	}
	return false
}

// isFalse reports whether Asterisk takes a value for no (main/utils.c, ast_false). What is neither leaves a setting at its default.
func isFalse(value string) bool {
	switch strings.ToLower(value) {
	case "no", "false", "n", "f", "0", "off":
		return true
	}
	return false
}
