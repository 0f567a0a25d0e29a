package agent

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/dialplan"
	"github.com/earshot-pbx/earshot/policy"
)

// Phone is the phone door, as `earshot setup asterisk` writes it into the dialplan.
type Phone struct {
	Codes    dialplan.Codes `yaml:"codes"`
	Outgoing string         `yaml:"outgoing"` // the dialplan's context that leads outside; none: Earshot is not asked about outgoing calls
	Digits   int            `yaml:"digits"`   // a number of so many digits or more leads outside; 5
}

// phoneCode is one of the codes.
type phoneCode struct {
	key, code string
	number    bool // a colleague's number follows
}

func (p *Phone) codes() []phoneCode {
	return []phoneCode{
		{"spy", p.Codes.Spy, true}, {"whisper", p.Codes.Whisper, true}, {"barge", p.Codes.Barge, true}, {"pickup", p.Codes.Pickup, true},
		{"group_pickup", p.Codes.GroupPickup, false}, {"lock", p.Codes.Lock, false},
	}
}

// isDigits reports whether s is of digits alone, or empty.
func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// within returns the key of another code which, with a colleague's number after it, is this one with another number; empty for none.
func (c phoneCode) within(all []phoneCode) string {
	for _, o := range all {
		if rest, ok := strings.CutPrefix(c.code, o.code); ok && c.number && o.number && o.code != "" && rest != "" && isDigits(rest) {
			return o.key
		}
	}
	return ""
}

// validate checks the codes and the context; begin is that in which the phones' calls begin.
func (p *Phone) validate(begin string, bad func(key, format string, args ...any)) {
	seen := map[string]string{}
	all := p.codes()
	for _, c := range all {
		key := "phone.codes." + c.key
		switch {
		case c.code == "":
		case len(c.code) > 8 || strings.Trim(c.code, "0123456789*#") != "":
			bad(key, "%s must be what a phone can dial, at most eight of the digits, * and #, such as \"*50\"; empty for none", key)
		case seen[c.code] != "":
			bad(key, "%s is the code of phone.codes.%s too", key, seen[c.code])
		case c.within(all) != "":
			bad(key, "%s begins with the code of phone.codes.%s: what is dialled could be that one and a number that begins with the rest", key, c.within(all))
		}
		seen[c.code] = c.key
	}
	if p.Outgoing != "" && !isContext(p.Outgoing) {
		bad("phone.outgoing", "phone.outgoing must be the name of a context in extensions.conf: letters, digits, - and _")
	}
	switch {
	case p.Outgoing == "":
	case p.Outgoing == begin:
		bad("phone.outgoing", "phone.outgoing must be another context than dialling.context: calls begin there, so that one which goes out, an emergency call too, would come back for ever")
	case strings.HasPrefix(p.Outgoing, "earshot") || p.Outgoing == "from-internal-custom":
		bad("phone.outgoing", "phone.outgoing must not be a context of Earshot's include, where a call that goes out, an emergency call too, would go round for ever")
	}
	if p.Digits < 3 || p.Digits > 15 {
		bad("phone.digits", "phone.digits must be from 3 to 15")
	}
}

// emergencies returns what is wrong with the codes beside a policy: a code that is an emergency number as somebody may dial it, or with which one
// begins, takes that number. place makes the error.
func (c *Config) emergencies(set *policy.Set, place func(key, format string, args ...any) error) (errs []error) {
	for _, code := range c.Phone.codes() {
		for _, n := range c.include(set).EmergencyNumbers() {
			if rest, ok := strings.CutPrefix(n, code.code); ok && code.code != "" && (rest == "" || code.number && isDigits(rest)) {
				errs = append(errs, place("phone.codes."+code.key, "phone.codes.%s takes a number that the policy has under emergency, so that nobody could dial it; choose another", code.key))
				break
			}
		}
	}
	return errs
}

// emergencyWarnings are about emergency numbers that nobody could dial.
func (c *Config) emergencyWarnings(set *policy.Set) []string {
	if c.Phone.Outgoing == "" || len(set.EmergencyNumbers()) > 0 {
		return nil
	}
	return []string{"phone.outgoing: the policy names no emergency number, so the include lets none out: write emergency: [\"112\"], with those of your country"}
}

// AsteriskParts are the parts that AsteriskConfig can write, in their order. The last two are one thing for two kinds of PBX.
var AsteriskParts = []string{"manager", "ari", "extensions", "freepbx"}

// AsteriskConfig writes a part of Asterisk's configuration for this Earshot, with the least rights that work. The accounts' secrets stand in it.
func AsteriskConfig(cfg *Config, set *policy.Set, part string) (string, error) {
	if !isContext(cfg.PBX.ARI.Application) {
		return "", errors.New("pbx.ari.application cannot stand in the dialplan: give it a name of letters, digits, - and _")
	}
	if err := errors.Join(cfg.emergencies(set, func(_, format string, args ...any) error { return fmt.Errorf(format, args...) })...); err != nil {
		return "", err
	}
	switch part {
	case "manager":
		return managerConf(cfg)
	case "ari":
		return ariConf(cfg)
	case "extensions":
		return cfg.include(set).String(), nil
	case "freepbx":
		return cfg.include(set).FreePBX(), nil
	default:
		return "", fmt.Errorf("there is no part %q; there are %s", part, strings.Join(AsteriskParts, ", "))
	}
}

// EmergencyNumbers are those that the dialplan's include for this Earshot lets out without asking.
func EmergencyNumbers(cfg *Config, set *policy.Set) []string {
	return cfg.include(set).EmergencyNumbers()
}

// SetsTelephones reports whether a policy lets somebody set an employee's telephone.
func SetsTelephones(set *policy.Set) bool {
	for subject := range set.Employees() {
		for target := range set.Employees() {
			if set.Decide(&policy.Request{Subject: subject, Action: policy.SettingsUser, Target: target}).Allowed {
				return true
			}
		}
	}
	return false
}

// Queues are the queues of a policy's lines, by the lines' ids.
func Queues(set *policy.Set) map[string]string {
	queues := map[string]string{}
	for line := range set.Lines() {
		queues[set.LineID(line)] = set.Queue(line)
	}
	return queues
}

// managerConf is Earshot's account in manager.conf. It reads what Asterisk tells of calls and queues. Of its write classes originate is for taking and
// joining calls, call for what employees do with calls of their own (ARI moves only legs that are in a Stasis application), agent for who works on a queue, and reporting, which changes nothing, for reading the settings in the AstDB; everything else goes by ARI.
func managerConf(cfg *Config) (string, error) {
	user, err := account("pbx.ami.username", cfg.PBX.AMI.Username, "pbx.ami.secret_file", cfg.PBX.AMI.SecretFile)
	if err != nil {
		return "", err
	}
	host, port, _ := net.SplitHostPort(cfg.PBX.AMI.Address)
	listen := listening(host)
	where := fmt.Sprintf("bindaddr = %s\nport = %s\n", listen.bind, port)
	if cfg.PBX.AMI.TLS.Enabled {
		where = fmt.Sprintf("bindaddr = 127.0.0.1\n%s", tlsKeys(listen.bind, port, ""))
	} else if listen.off {
		where += "; the secret's answers and whom everybody talks to cross the network in the clear: use pbx.ami.tls, or a tunnel\n"
	}
	return fmt.Sprintf(`; manager.conf: one account, for Earshot. An account beside it that may call, originate, command or config is a way round Earshot.
[general]
enabled = yes
webenabled = no
%s
[%s]
secret = %s
read = call,agent
write = originate,call,agent,reporting
deny = 0.0.0.0/0.0.0.0
deny = ::/0
permit = %s
writetimeout = 5000
`, where, user.name, user.secret, listen.permit), nil
}

// ariConf is Earshot's account in ari.conf. A read-only one could do nothing; ARI has no rights in between.
func ariConf(cfg *Config) (string, error) {
	user, err := account("pbx.ari.username", cfg.PBX.ARI.Username, "pbx.ari.password_file", cfg.PBX.ARI.PasswordFile)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(cfg.PBX.ARI.URL)
	if err != nil {
		return "", fmt.Errorf("pbx.ari.url: %w", err)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	listen := listening(u.Hostname())
	where := fmt.Sprintf(";   bindaddr = %s\n;   bindport = %s\n", listen.bind, port)
	if u.Scheme == "https" {
		where = ";   bindaddr = 127.0.0.1\n" + tlsKeys(listen.bind, port, ";   ")
	}
	return fmt.Sprintf(`; ari.conf: one account, for Earshot. Any other, a read-only one too, is a way round Earshot.
[general]
enabled = yes
websocket_write_timeout = 1000

[%s]
type = user
read_only = no
password = %s
password_format = plain

; http.conf has to have:
;   [general]
;   enabled = yes
%s`, user.name, user.secret, where), nil
}

// side is where Asterisk listens, and from where it lets Earshot in.
type side struct {
	bind, permit string
	off          bool // off loopback
}

// tlsKeys makes a server of Asterisk's speak TLS, and no version of it that is too old.
func tlsKeys(host, port, indent string) string {
	var b strings.Builder
	for _, line := range []string{
		"tlsenable = yes", "tlsbindaddr = " + net.JoinHostPort(host, port), "tlscertfile = /etc/asterisk/keys/asterisk.pem      ; its certificate, and those between it and its authority",
		"tlsprivatekey = /etc/asterisk/keys/asterisk.key", "tlsdisablev1 = yes", "tlsdisablev11 = yes",
	} {
		b.WriteString(indent + line + "\n")
	}
	return b.String()
}

// listening is by the address at which Earshot reaches Asterisk.
func listening(host string) side {
	ip := net.ParseIP(host)
	if host == "localhost" || ip != nil && ip.IsLoopback() {
		if ip != nil && ip.To4() == nil {
			return side{"::1", "::1/128", false}
		}
		return side{"127.0.0.1", "127.0.0.1/32", false}
	}
	bits := "/32      ; the address from which Earshot comes; /128 after an IPv6 one"
	if ip != nil && ip.To4() == nil {
		bits = "/128      ; the address from which Earshot comes"
	}
	return side{host, "EARSHOT-ADDRESS" + bits, true}
}

type login struct{ name, secret string }

// account is an account as Asterisk's configuration can have it.
func account(nameKey, name, fileKey, file string) (login, error) {
	secret, err := ReadSecret(file)
	if err != nil {
		return login{}, fmt.Errorf("%s: %w", fileKey, err)
	}
	if name == "" || name == "general" || strings.ContainsAny(name, "[](),;\\ \t") {
		return login{}, fmt.Errorf("%s cannot be the name of a section in Asterisk's configuration", nameKey)
	}
	written, err := value(string(secret))
	if err != nil {
		return login{}, fmt.Errorf("%s: %w", fileKey, err)
	}
	return login{name, written}, nil
}

// value writes a value so that Asterisk reads it as it is (main/config.c: a semicolon begins a comment unless it is escaped, and blanks at the
// ends are taken off).
func value(s string) (string, error) {
	if strings.TrimSpace(s) != s || strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) || strings.Contains(s, "\\;") {
		return "", errors.New("the secret has blanks at its ends, control characters or a backslash before a semicolon, which Asterisk does not read as they are; make another")
	}
	return strings.ReplaceAll(s, ";", "\\;"), nil
}

// include is the dialplan's.
func (c *Config) include(set *policy.Set) dialplan.Include {
	i := dialplan.Include{Application: c.PBX.ARI.Application, Codes: c.Phone.Codes, Outgoing: c.Phone.Outgoing, Digits: c.Phone.Digits}
	for _, n := range set.EmergencyNumbers() {
		i.Emergency = append(i.Emergency, prefixed(n, c.Directory.Prefixes)...)
	}
	return i
}

// maxPrefixed bounds what prefixed returns.
const maxPrefixed = 1000

// prefixed are all ways to dial a number that the PBX reads as it: as it stands, and with the prefixes before it, in any order, each once at most.
// Those with few prefixes come first.
func prefixed(number string, prefixes []string) []string {
	type way struct {
		number string
		left   []string
	}
	ways := []way{{number, prefixes}}
	var all []string
	for i := 0; i < len(ways) && len(all) < maxPrefixed; i++ {
		w := ways[i]
		if slices.Contains(all, w.number) {
			continue
		}
		all = append(all, w.number)
		for j, p := range w.left {
			ways = append(ways, way{p + w.number, slices.Delete(slices.Clone(w.left), j, j+1)})
		}
	}
	return all
}
