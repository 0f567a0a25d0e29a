package agent_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/dialplan"
	"github.com/earshot-pbx/earshot/agent/recording"
	"github.com/earshot-pbx/earshot/agent/strict"
	"go.yaml.in/yaml/v3"
)

// minimal has the required keys alone.
const minimal = `policy: policy.yaml
tokens: /etc/tokens.yaml
audit: {file: ../log/audit.jsonl}
pbx:
  ami: {username: manager, secret_file: ami-secret}
  ari: {username: rest, password_file: ari-password}
`

// load writes a configuration into a folder and loads it.
func load(t *testing.T, text string) (cfg *agent.Config, dir string, err error) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "earshot.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err = agent.LoadConfig(path)
	return cfg, dir, err
}

func TestKeysThatAreLeftOutHaveTheirDefaultsAndPathsTheirFolder(t *testing.T) {
	cfg, dir, err := load(t, minimal)
	want := &agent.Config{
		Policy: strict.OneOrMore{dir + "/policy.yaml"}, Tokens: "/etc/tokens.yaml",
		Auth: agent.Auth{JWT: agent.JWT{
			Algorithms:    []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"},
			EmployeeClaim: "sub", Leeway: 30 * time.Second, Refresh: time.Hour,
		}, Sessions: agent.AuthSessions{TTL: time.Hour, MaxTTL: 12 * time.Hour, MaxStale: 5 * time.Minute}},
		HTTP: agent.HTTP{Listen: "127.0.0.1:8080", Panel: true, Proxies: []string{}, Limits: agent.Limits{
			Commands: agent.Rate{PerMinute: 60, Burst: 20}, Reads: agent.Rate{PerMinute: 1200, Burst: 300}, Exports: agent.Rate{PerMinute: 2, Burst: 4}, Failures: agent.Rate{PerMinute: 10, Burst: 20},
		}, MaxPerEmployee: 10},
		AMI: agent.AMIDoor{MaxSessions: 1000, Actions: agent.Rate{PerMinute: 3000, Burst: 500}, MaxPerEmployee: 10, MaxPerPanel: 50, LoginTimeout: 5 * time.Second},
		ARI: agent.ARIDoor{
			Origins: []string{}, MaxSessions: 1000, Requests: agent.Rate{PerMinute: 3000, Burst: 500}, MaxPerEmployee: 10, MaxPerPanel: 50, LoginTimeout: 5 * time.Second,
			Sounds: []string{"beep", "beeperr", "hello-world", "vm-goodbye", "silence/1", "silence/2", "silence/3"},
			Tones:  []string{"dial", "ring", "busy", "congestion", "callwaiting", "dialrecall", "record", "info", "stutter"},
		},
		Admin: agent.Admin{Listen: "127.0.0.1:9090"},
		PBX: agent.PBX{
			AMI: agent.AMI{Address: "127.0.0.1:5038", Username: "manager", SecretFile: dir + "/ami-secret"},
			ARI: agent.ARI{URL: "http://127.0.0.1:8088/ari", Username: "rest", PasswordFile: dir + "/ari-password", Application: "earshot"},
		},
		Audit:   agent.Audit{File: filepath.Dir(dir) + "/log/audit.jsonl"},
		Journal: agent.Journal{Keep: 8760 * time.Hour},
		Recordings: agent.Recordings{
			Spools: []recording.SpoolConfig{}, Links: agent.Links{TTL: 10 * time.Minute},
			Second: recording.SecondConfig{Users: []recording.UnixUser{}, Timeout: 2 * time.Second, TTL: 30 * time.Second, Breaker: recording.Breaker{Failures: 5, Pause: 10 * time.Second}},
		},
		Log:         agent.Log{Level: "info", Format: "json"},
		Supervision: agent.Supervision{Lease: 30 * time.Second, RingTimeout: 25 * time.Second, ToneEvery: 15 * time.Second},
		Dialling:    agent.Dialling{Context: "from-internal"},
		Watchdog: agent.Watchdog{
			Spy: "end", Media: "end", Join: "report", Pickup: "hand_back", Record: "report", Redirect: "report", Trusted: []string{}, Applications: []string{},
		},
		Phone:  agent.Phone{Codes: dialplan.Codes{Spy: "*50", Whisper: "*51", Barge: "*52", Pickup: "**", GroupPickup: "*8", Lock: "*59"}, Digits: 5},
		Doctor: agent.Doctor{Accept: []agent.Acceptance{}},

		Settings: agent.Settings{Forward: "CF", DoNotDisturb: "DND"},
	}
	if err != nil || !reflect.DeepEqual(cfg, want) {
		t.Fatalf("%+v, %v\nwant %+v", cfg, err, want)
	}
}

func TestPathsDoNotDependOnTheWorkingFolderLater(t *testing.T) {
	_, dir, err := load(t, minimal)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	cfg, err := agent.LoadConfig("earshot.yaml")
	if err != nil || !slices.Equal(cfg.Policy, []string{dir + "/policy.yaml"}) {
		t.Fatalf("%+v, %v", cfg, err)
	}
}

func TestAPolicyMayBeAListOfPaths(t *testing.T) {
	cfg, dir, err := load(t, strings.Replace(minimal, "policy.yaml", "[policy, /etc/more.yaml, ../b]", 1))
	if err != nil || !slices.Equal(cfg.Policy, []string{dir + "/policy", "/etc/more.yaml", filepath.Dir(dir) + "/b"}) {
		t.Fatalf("%+v, %v", cfg, err)
	}
}

func TestEachFaultOfAConfigurationIsNamedWithItsPlace(t *testing.T) {
	for name, tc := range map[string]struct{ add, want string }{
		"an unknown key":                    {"suprvision: {lease: 5s}", `7:1: unknown key; did you mean "supervision"?`},
		"a key twice":                       {"policy: b.yaml", "7:1: policy stands in line 1 already"},
		"a lease without a unit":            {"supervision: {lease: 30}", "7:22: supervision.lease: a duration with its unit belongs here, such as 30s or 5m"},
		"a short lease":                     {"supervision: {lease: 2s}", "7:22: supervision.lease must be whole seconds and at least 3s"},
		"a lease of a part":                 {"supervision: {lease: 3500ms}", "7:22: supervision.lease must be whole seconds and at least 3s"},
		"tones without a pause":             {"supervision: {tone_every: 1s}", "7:27: supervision.tone_every must be whole seconds between 2s and 1m"},
		"tones too rare":                    {"supervision: {tone_every: 61s}", "7:27: supervision.tone_every must be whole seconds between 2s and 1m"},
		"tones of a part":                   {"supervision: {tone_every: 2500ms}", "7:27: supervision.tone_every must be whole seconds between 2s and 1m"},
		"no ringing":                        {"supervision: {ring_timeout: 0s}", "7:29: supervision.ring_timeout must be whole seconds between 1s and 5m"},
		"a response of none":                {"watchdog: {spy: stop}", "7:17: watchdog.spy is one of end, report, off"},
		"a caller hung up":                  {"watchdog: {pickup: end}", "7:20: watchdog.pickup is one of hand_back, report, off"},
		"a party hung up":                   {"watchdog: {record: end}", "7:20: watchdog.record is one of report, off: the leg is a party's, and who is called must not be hung up"},
		"everything trusted":                {"watchdog: {trusted: [\"*\"]}", "7:22: watchdog.trusted: an endpoint belongs here, such as PJSIP/recorder, or the beginning of channels' names, such as AudioSocket/ or UnicastRTP/10.0.0.*"},
		"an application of none":            {"watchdog: {applications: [\"a,b\"]}", "7:27: watchdog.applications: the name of an ARI application belongs here"},
		"endless ringing":                   {"supervision: {ring_timeout: 6m}", "7:29: supervision.ring_timeout must be whole seconds between 1s and 5m"},
		"ringing of a part":                 {"supervision: {ring_timeout: 1500ms}", "7:29: supervision.ring_timeout must be whole seconds between 1s and 5m"},
		"no port":                           {"http: {listen: 127.0.0.1}", "7:16: http.listen must be host:port with a number as port, such as 127.0.0.1:8080"},
		"a port's name":                     {"http: {listen: \":http\"}", "7:16: http.listen must be host:port with a number as port, such as 127.0.0.1:8080"},
		"a port too high":                   {"admin: {listen: \":65536\"}", "7:17: admin.listen must be host:port with a number as port, such as 127.0.0.1:9090"},
		"one address for both":              {"http: {listen: \":80\"}\nadmin: {listen: \":80\"}", "8:17: admin.listen must differ from http.listen, since what it serves is not for panels"},
		"a certificate alone":               {"http: {tls: {cert_file: c.pem}}", "7:25: http.tls.key_file is missing: the file with the certificate's private key"},
		"a key alone":                       {"http: {tls: {key_file: k.pem}}", "7:24: http.tls.cert_file is missing: the file with the key's certificate"},
		"an AMI door at no port":            {"ami: {listen: 127.0.0.1}", "7:15: ami.listen must be host:port with a number as port, such as 127.0.0.1:5039"},
		"an AMI door at another's place":    {"http: {listen: \":80\"}\nami: {listen: \":80\"}", "8:15: ami.listen must differ from http.listen"},
		"an AMI door without certificate":   {"ami: {tls: true}", "7:12: ami.tls takes the certificate of http.tls, which names none"},
		"an AMI door that answers nothing":  {"ami: {actions: {per_minute: 0}}", "7:29: ami.actions.per_minute must be between 1 and 1000000"},
		"an AMI door for no employee":       {"ami: {max_per_employee: 0}", "7:25: ami.max_per_employee must be between 1 and 100000"},
		"an AMI door for no panel":          {"ami: {max_per_panel: -1}", "7:22: ami.max_per_panel must be between 1 and 100000"},
		"an AMI door without time":          {"ami: {login_timeout: 10ms}", "7:22: ami.login_timeout must be between 1s and 1m"},
		"an AMI door for nobody":            {"ami: {max_sessions: 0}", "7:21: ami.max_sessions must be between 1 and 100000"},
		"an ARI door at no port":            {"ari: {listen: 127.0.0.1}", "7:15: ari.listen must be host:port with a number as port, such as 127.0.0.1:8089"},
		"an ARI door at the AMI door's":     {"ami: {listen: \":80\"}\nari: {listen: \":80\"}", "8:15: ari.listen must differ from ami.listen"},
		"an ARI door without certificate":   {"ari: {tls: true}", "7:12: ari.tls takes the certificate of http.tls, which names none"},
		"an ARI door that answers nothing":  {"ari: {requests: {per_minute: 0}}", "7:30: ari.requests.per_minute must be between 1 and 1000000"},
		"an ARI door for no employee":       {"ari: {max_per_employee: 0}", "7:25: ari.max_per_employee must be between 1 and 100000"},
		"an ARI door for no panel":          {"ari: {max_per_panel: -1}", "7:22: ari.max_per_panel must be between 1 and 100000"},
		"an ARI door without time":          {"ari: {login_timeout: 10ms}", "7:22: ari.login_timeout must be between 1s and 1m"},
		"an ARI door for nobody":            {"ari: {max_sessions: 0}", "7:21: ari.max_sessions must be between 1 and 100000"},
		"an ARI door that plays a file":     {"ari: {sounds: [beep, /etc/x]}", "7:22: ari.sounds: the name of a sound belongs here, without its suffix and from the PBX's folder of sounds on, such as beep or digits/1"},
		"an ARI door that climbs":           {"ari: {sounds: [a/../b]}", "7:16: ari.sounds: the name of a sound belongs here, without its suffix and from the PBX's folder of sounds on, such as beep or digits/1"},
		"an ARI door that plays cadences":   {"ari: {tones: [\"350+440\"]}", "7:15: ari.tones: the name of a tone of indications.conf belongs here, such as busy"},
		"an ARI door for no page":           {"ari: {origins: [\"[\"]}", "7:16: ari.origins: a host belongs here, with its port where that is not the usual one, such as panel.example.com or *.example.com:8443"},
		"no network":                        {"http: {proxies: [10.0.0.1, nginx]}", "7:28: http.proxies: an address or a network belongs here, such as 10.0.0.5 or 10.0.0.0/8"},
		"no stream of the HTTP door":        {"http: {max_per_employee: 0}", "7:26: http.max_per_employee must be between 1 and 100000"},
		"no limit":                          {"http: {limits: {commands: {burst: 0}}}", "7:35: http.limits.commands.burst must be between 1 and 1000000"},
		"a limit without end":               {"http: {limits: {failures: {per_minute: 1000001}}}", "7:40: http.limits.failures.per_minute must be between 1 and 1000000"},
		"a limit by name":                   {"http: {limits: {reads: 10}}", "7:24: a map with the keys per_minute, burst belongs here"},
		"no audience":                       {"auth: {jwt: {issuer: x, jwks_file: k}}", "7:13: auth.jwt.audience: it is required: what the tokens say in aud when they are meant for Earshot"},
		"no issuer":                         {"auth: {jwt: {audience: x, jwks_file: k}}", "7:13: auth.jwt.issuer: it is required: who makes the tokens, as they say it in iss"},
		"no keys":                           {"auth: {jwt: {issuer: x, audience: y}}", "7:13: auth.jwt.jwks_url: the issuer's keys are required, from an address or from a file"},
		"keys twice":                        {"auth: {jwt: {issuer: x, audience: y, jwks_url: \"https://x/k\", jwks_file: k}}", "7:74: auth.jwt.jwks_file: the keys come from an address or from a file, not from both"},
		"keys in plain text":                {"auth: {jwt: {issuer: x, audience: y, jwks_url: \"http://x/k\"}}", "7:48: auth.jwt.jwks_url: it must be https, or whoever is on the way could put keys of his own there"},
		"alg none":                          {"auth: {jwt: {issuer: x, audience: y, jwks_file: k, algorithms: [none]}}", "7:64: auth.jwt.algorithms: only those for which nobody but the issuer has the secret: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA"},
		"a shared secret":                   {"auth: {jwt: {issuer: x, audience: y, jwks_file: k, algorithms: [RS256, HS256]}}", "7:64: auth.jwt.algorithms: only those for which nobody but the issuer has the secret: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA"},
		"no algorithm":                      {"auth: {jwt: {issuer: x, audience: y, jwks_file: k, algorithms: []}}", "7:64: auth.jwt.algorithms: name at least one, or leave the key out"},
		"no claim":                          {"auth: {jwt: {issuer: x, audience: y, jwks_file: k, employee_claim: \"\"}}", "7:68: auth.jwt.employee_claim: the name of the claim that holds the employee's id belongs here, such as sub"},
		"a long leeway":                     {"auth: {jwt: {issuer: x, audience: y, jwks_file: k, leeway: 1h}}", "7:60: auth.jwt.leeway must be at most 5m, for so long a token outlives its end"},
		"a negative leeway":                 {"auth: {jwt: {issuer: x, audience: y, jwks_file: k, leeway: -1s}}", "7:60: auth.jwt.leeway: it must not be negative"},
		"a hasty refresh":                   {"auth: {jwt: {issuer: x, audience: y, jwks_file: k, refresh: 59s}}", "7:61: auth.jwt.refresh must be between 1m and 24h"},
		"a negative refresh":                {"auth: {jwt: {issuer: x, audience: y, jwks_file: k, refresh: -1s}}", "7:61: auth.jwt.refresh: it must not be negative"},
		"a session too short":               {"auth: {sessions: {ttl: 0s}}", "7:24: auth.sessions.ttl must be between 1s and auth.sessions.max_ttl, which is 12h0m0s"},
		"a session too long":                {"auth: {sessions: {ttl: 13h}}", "7:24: auth.sessions.ttl must be between 1s and auth.sessions.max_ttl, which is 12h0m0s"},
		"a bound too long":                  {"auth: {sessions: {max_ttl: 169h}}", "7:28: auth.sessions.max_ttl must be between 1m and 168h"},
		"a bound too short":                 {"auth: {sessions: {max_ttl: 59s}}", "7:28: auth.sessions.max_ttl must be between 1m and 168h"},
		"nothing stale":                     {"auth: {sessions: {max_stale: 0s}}", "7:30: auth.sessions.max_stale must be between 1s, so old is what is known of the Redis while all is well, and 1h"},
		"stale for ever":                    {"auth: {sessions: {max_stale: 61m}}", "7:30: auth.sessions.max_stale must be between 1s, so old is what is known of the Redis while all is well, and 1h"},
		"stale before it is":                {"cache: {redis: \"redis://r\"}\nauth: {sessions: {max_stale: 3s}}", "8:30: auth.sessions.max_stale must be between 3.5s, so old is what is known of the Redis while all is well, and 1h"},
		"no Redis":                          {"cache: {redis: localhost}", "7:16: cache.redis: write redis://host:port, or rediss://host:port for TLS"},
		"a password":                        {"cache: {redis: \"redis://:hunter2@r\"}", "7:16: cache.redis: user and password do not belong here; write them into files and name those by username_file and password_file"},
		"a password as a key":               {"cache: {redis: \"redis://r?password=hunter2\"}", "7:16: cache.redis: password does not belong here; write it into a file and name that by username_file or password_file"},
		"a CA without TLS":                  {"cache: {redis: \"redis://r?ca_file=c\"}", "7:16: cache.redis: ca_file, cert_file, key_file and server_name need rediss://"},
		"a publication nowhere":             {"publication: {role: give, key_file: k}", "7:14: publication needs cache.redis: the policy is published there"},
		"a publication without a key":       {"cache: {redis: \"redis://r\"}\npublication: {role: give}", "8:14: publication.key_file is required: a file that holds the key which all Earshots of the publication have, of 32 bytes or more, such as `openssl rand -hex 32` makes"},
		"a follower with a policy":          {"cache: {redis: \"redis://r\"}\npublication: {role: follow, key_file: k, copy: c}", "1:9: policy and publication.role: follow exclude each other: the policy is the published one"},
		"a giver's copy":                    {"cache: {redis: \"redis://r\"}\npublication: {role: give, key_file: k, copy: c}", "8:46: publication.copy is for publication.role: follow; what is given stands in its files"},
		"a cluster nowhere":                 {"cluster: {pbx: a}", "7:10: cluster needs cache.redis: the Earshots meet there"},
		"a cluster without a policy":        {"cache: {redis: \"redis://r\"}\ncluster: {pbx: a}", "8:10: cluster needs publication.role: all Earshots of a cluster decide by one policy, and know each other by publication.key_file"},
		"a cluster of slow ones":            {"cache: {redis: \"redis://r?poll=1s\"}\npublication: {role: give, key_file: k}\ncluster: {pbx: a}", "7:16: cache.redis: with cluster, poll is at most 500ms, or an Earshot that has died would be taken for alive for too long"},
		"a PBX of two words":                {"cache: {redis: \"redis://r\"}\npublication: {role: give, key_file: k}\ncluster: {pbx: a b}", "9:16: cluster.pbx is the name of this PBX, as employees' pbx: in the policy has it: letters a to z, digits, hyphens and underscores, at most 64 of them, of which the first is a letter or digit"},
		"an overlay over no publication":    {"publication: {overlay: true}", "7:24: publication.overlay needs publication.role, or what earshot publish needs: what is set goes by the generation of the published policy"},
		"a role of none":                    {"publication: {role: both}", "7:21: publication.role is give or follow; left out, the policy is this Earshot's alone"},
		"another cache":                     {"cache: {memcached: r}", `7:9: unknown key; the keys are redis`},
		"a code of letters":                 {"phone: {codes: {spy: \"*5x\"}}", "7:22: phone.codes.spy must be what a phone can dial, at most eight of the digits, * and #, such as \"*50\"; empty for none"},
		"a code twice":                      {"phone: {codes: {spy: \"**\"}}", "7:16: phone.codes.pickup is the code of phone.codes.spy too"},
		"no context outside":                {"phone: {outgoing: \"a,b\"}", "7:19: phone.outgoing must be the name of a context in extensions.conf: letters, digits, - and _"},
		"a code within another":             {"phone: {codes: {spy: \"*6\", barge: \"*62\"}}", "7:35: phone.codes.barge begins with the code of phone.codes.spy: what is dialled could be that one and a number that begins with the rest"},
		"outside where calls begin":         {"phone: {outgoing: from-internal}", "7:19: phone.outgoing must be another context than dialling.context: calls begin there, so that one which goes out, an emergency call too, would come back for ever"},
		"outside through the include":       {"phone: {outgoing: earshot-dial}", "7:19: phone.outgoing must not be a context of Earshot's include, where a call that goes out, an emergency call too, would go round for ever"},
		"outside through FreePBX's":         {"phone: {outgoing: from-internal-custom}", "7:19: phone.outgoing must not be a context of Earshot's include, where a call that goes out, an emergency call too, would go round for ever"},
		"no length":                         {"phone: {digits: 2}", "7:17: phone.digits must be from 3 to 15"},
		"an unknown level":                  {"log: {level: trace}", "7:14: log.level is one of debug, info, warn, error"},
		"a shadow without a file":           {"shadow: {policy: next.yaml}", "7:9: shadow.file is required: the path of the file for its differences"},
		"differences of nothing":            {"shadow: {file: d.jsonl}", "7:9: shadow.policy is required: the path of the policy that is to be tried"},
		"its own shadow":                    {"shadow: {policy: ./policy.yaml, file: d.jsonl}", "7:18: shadow.policy is the policy in force, from which it cannot differ"},
		"differences in the log":            {"shadow: {policy: next.yaml, file: ../log/audit.jsonl}", "7:35: shadow.file must be a file of its own: another key names it too"},
		"differences in a policy":           {"shadow: {policy: next.yaml, file: next.yaml}", "7:35: shadow.file must be a file of its own: another key names it too"},
		"a journal for a moment":            {"journal: {file: j.db, keep: 30m}", "7:29: journal.keep must be at least 24h, or 0s: for ever"},
		"a journal without a file":          {"journal: {keep: 48h}", "7:17: journal.keep is how long what is in journal.file is kept, and journal.file is missing"},
		"a journal in the audit log":        {"journal: {file: ../log/audit.jsonl}", "7:17: journal.file must be a file of its own: another key names it too"},
		"clients in the audit log":          {"clients: ../log/audit.jsonl", "3:15: audit.file must be a file of its own: another key names it too"},
		"an unknown format":                 {"log: {format: text}", "7:15: log.format is one of json, console"},
		"an acceptance without a reason":    {"doctor: {accept: [{finding: module, where: modules.conf}]}", "7:19: doctor.accept[0].why is required: whoever reads the report wants to know"},
		"an acceptance of everything":       {"doctor: {accept: [{finding: module, why: x}]}", "7:19: doctor.accept[0].where is required: its place as `earshot doctor` prints it"},
		"an acceptance until no day at all": {"doctor: {accept: [{finding: module, where: x, why: x, until: soon}]}", "7:62: doctor.accept[0].until: a day belongs here, such as \"2027-01-31\""},
	} {
		cfg, dir, err := load(t, minimal+tc.add+"\n")
		if want := dir + "/earshot.yaml:" + tc.want; err == nil || err.Error() != want || cfg != nil {
			t.Errorf("%s:\n%v, want\n%s", name, err, want)
		}
	}
	for name, tc := range map[string]struct{ old, new, want string }{
		"no policy":                {"policy: policy.yaml\n", "", "1:1: policy is required: the path of the policy file, or of a folder, or a list of them"},
		"an empty policy":          {"policy: policy.yaml", `policy: ""`, "1:9: policy is required: the path of the policy file, or of a folder, or a list of them"},
		"policy of nothing":        {"policy: policy.yaml", `policy: []`, "1:9: policy is required: the path of the policy file, or of a folder, or a list of them"},
		"one policy empty":         {"policy: policy.yaml", `policy: [a, ""]`, "1:13: policy: an empty path names nothing; take it out"},
		"policy in a map":          {"policy: policy.yaml", `policy: {file: a}`, "1:9: policy: a text or a list of texts belongs here"},
		"no tokens":                {"tokens: /etc/tokens.yaml\n", "", "1:1: tokens is required: the path of the tokens file, which `earshot token` writes"},
		"no audit log":             {"file: ../log/audit.jsonl", "", "3:8: audit.file is required: the path of the audit log"},
		"a stream nowhere":         {"audit: {file: ../log/audit.jsonl}", "audit: {file: a, stream: {keep: 10}}", "3:26: audit.stream needs cache.redis: the stream is there"},
		"a stream of nothing":      {"audit: {file: ../log/audit.jsonl}", "audit: {file: a, stream: {name: audit.a}}", "3:26: audit.stream.keep is required: about how many entries the stream has, such as 10000"},
		"a stream without an end":  {"audit: {file: ../log/audit.jsonl}", "audit: {file: a, stream: {keep: 10000001}}", "3:33: audit.stream.keep must be between 1 and 10000000 entries; 0, or left out, there is no stream"},
		"a stream of a wrong name": {"audit: {file: ../log/audit.jsonl}", "audit: {file: a, stream: {keep: 10, name: a b}}", "3:43: audit.stream.name must be 1 to 64 letters, digits, dots, hyphens and underscores"},
		"no AMI account":           {"username: manager, ", "", "5:8: pbx.ami.username is required: Earshot's account in manager.conf"},
		"no AMI secret":            {", secret_file: ami-secret", "", "5:8: pbx.ami.secret_file is required: a file that holds the secret of that account, alone"},
		"no ARI account":           {"username: rest, ", "", "6:8: pbx.ari.username is required: Earshot's account in ari.conf"},
		"no ARI password":          {", password_file: ari-password", "", "6:8: pbx.ari.password_file is required: a file that holds the password of that account, alone"},
		"no application":           {"username: rest", "username: rest, application: \"\"", "6:38: pbx.ari.application is required: the name of Earshot's Stasis application"},
		"AMI without a host":       {"username: manager", "address: \":5038\", username: manager", "5:18: pbx.ami.address must be host:port with a number as port, such as 127.0.0.1:5038"},
		"AMI at no port":           {"username: manager", "address: \"pbx:0\", username: manager", "5:18: pbx.ami.address must be host:port with a number as port, such as 127.0.0.1:5038"},
		"ARI by WebSocket":         {"username: rest", "url: \"ws://pbx/ari\", username: rest", "6:14: pbx.ari.url must be the address of ARI, such as http://127.0.0.1:8088/ari"},
		"ARI beyond the ports":     {"username: rest", "url: \"http://pbx:80880/ari\", username: rest", "6:14: pbx.ari.url must be the address of ARI, such as http://127.0.0.1:8088/ari"},
		"ARI nowhere":              {"username: rest", "url: \"http:///ari\", username: rest", "6:14: pbx.ari.url must be the address of ARI, such as http://127.0.0.1:8088/ari"},
		"ARI with a secret":        {"username: rest", "url: \"http://rest:s3cret@pbx/ari\", username: rest", "6:14: pbx.ari.url must hold no credentials; use username and password_file"},
	} {
		if !strings.Contains(minimal, tc.old) {
			t.Fatalf("%s: nothing to change", name)
		}
		cfg, dir, err := load(t, strings.Replace(minimal, tc.old, tc.new, 1))
		if want := dir + "/earshot.yaml:" + tc.want; err == nil || err.Error() != want || cfg != nil {
			t.Errorf("%s:\n%v, want\n%s", name, err, want)
		}
	}
}

func TestAllFaultsComeAtOnceInTheirOrder(t *testing.T) {
	_, _, err := load(t, minimal+"supervision: {lease: 1s}\nlog: {level: x, format: y}\nhttp: {listen: z}\n")
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Fatalf("%v", err)
	}
	last := 0
	for _, line := range strings.Split(err.Error(), "\n") {
		var n int
		if _, serr := fmt.Sscanf(line[strings.Index(line, ".yaml:")+6:], "%d:", &n); serr != nil || n < last {
			t.Errorf("%v, %v", line, serr)
		}
		last = n
	}
	if first := (*strict.Error)(nil); !errors.As(err, &first) || first.Line != 7 {
		t.Fatalf("%v has no place", err)
	}
}

func TestTwoListenersMayBothChooseTheirPort(t *testing.T) {
	if _, _, err := load(t, minimal+"http: {listen: \"127.0.0.1:0\"}\nadmin: {listen: \"127.0.0.1:0\"}\n"); err != nil {
		t.Fatal(err)
	}
}

func TestAConfigurationThatIsGoneIsAnError(t *testing.T) {
	if cfg, err := agent.LoadConfig(filepath.Join(t.TempDir(), "earshot.yaml")); !errors.Is(err, os.ErrNotExist) || cfg != nil {
		t.Fatalf("%v, %v", cfg, err)
	}
}

func TestASecretFileHoldsOneLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	for text, want := range map[string]string{"s3cret": "s3cret", "s3cret\n": "s3cret", "s3cret\r\n": "s3cret", " s 3 \n": " s 3 "} {
		put(t, path, text)
		if s, err := agent.ReadSecret(path); err != nil || string(s) != want {
			t.Errorf("%q: %q, %v", text, string(s), err)
		}
	}
	for _, text := range []string{"", "\n", "s3cret\ns3cret\n", "s3\rcret", "s3\x00cret"} {
		put(t, path, text)
		if s, err := agent.ReadSecret(path); err == nil || s != "" || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "s3") {
			t.Errorf("%q: %q, %v", text, string(s), err)
		}
	}
	if _, err := agent.ReadSecret(path + ".gone"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// A credential of systemd's is found where systemd has put it. Elsewhere its path leads nowhere, which a check does not hold against it.
func TestASecretMayBeACredential(t *testing.T) {
	text := strings.Replace(minimal, "secret_file: ami-secret", `secret_file: "$CREDENTIALS_DIRECTORY/ami"`, 1)
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	cfg, dir, err := load(t, text)
	if err != nil || cfg.PBX.AMI.SecretFile != "$CREDENTIALS_DIRECTORY/ami" || cfg.PBX.ARI.PasswordFile != filepath.Join(dir, "ari-password") {
		t.Fatalf("without: %+v, %v", cfg, err)
	}
	warnings, err := agent.Check(filepath.Join(dir, "earshot.yaml"))
	if !slices.Contains(warnings, dir+"/earshot.yaml: pbx.ami.secret_file: systemd gives it to the service alone, so it was not looked at") ||
		strings.Contains(err.Error(), "ami.secret_file") || !strings.Contains(err.Error(), "pbx.ari.password_file: read a secret: ") {
		t.Errorf("%q, %v", warnings, err)
	}
	given := t.TempDir()
	put(t, filepath.Join(given, "ami"), "s3cret\n")
	t.Setenv("CREDENTIALS_DIRECTORY", given)
	if cfg, err = agent.LoadConfig(filepath.Join(dir, "earshot.yaml")); err != nil || cfg.PBX.AMI.SecretFile != filepath.Join(given, "ami") {
		t.Fatalf("with: %+v, %v", cfg, err)
	}
	if s, err := agent.ReadSecret(cfg.PBX.AMI.SecretFile); err != nil || s != "s3cret" {
		t.Error(err)
	}
}

func TestASecretIsNeverPrinted(t *testing.T) {
	s := agent.Secret("s3cret")
	js, err := json.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	ym, err := yaml.Marshal(struct{ S agent.Secret }{s})
	if err != nil {
		t.Fatal(err)
	}
	out := fmt.Sprintf("%v %+v %#v %s %q %x %v %s %s", s, s, s, s, s, s, []agent.Secret{s}, js, ym)
	if strings.Contains(out, "s3cret") || strings.Contains(out, fmt.Sprintf("%x", "s3cret")) || !strings.Contains(out, "[secret]") {
		t.Fatal(out)
	}
}

// The sample configuration explains every key: it loads, and it names no more and no fewer keys than the code knows, with their defaults.
func TestTheSampleConfigurationHasEveryKey(t *testing.T) {
	const sample = "../deploy/earshot.example.yaml"
	cfg, err := agent.LoadConfig(sample)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	// The sources of clients are a list, so the sample has them as comments: the very text that their package is held to.
	_, sources, _ := strings.Cut(clients.ConfigExample, "sources:\n")
	for line := range strings.Lines(sources) {
		if line = strings.TrimRight("  # "+strings.TrimPrefix(line, "  "), " \n"); !strings.Contains(string(text), line+"\n") {
			t.Errorf("the sample does not have %q", line)
		}
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	got, want := leaves(tree, ""), keys(reflect.TypeFor[agent.Config](), "")
	if len(want) < 15 || !slices.Equal(got, want) {
		t.Errorf("the sample has the keys\n%v, the code\n%v", got, want)
	}
	plain, _, err := load(t, minimal)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*agent.Config{cfg, plain} { // what has no default, and what stands there with a name for its file
		c.Policy, c.Tokens, c.Clients, c.Audit = nil, "", "", agent.Audit{}
		c.PBX.AMI.Username, c.PBX.AMI.SecretFile, c.PBX.ARI.Username, c.PBX.ARI.PasswordFile = "", "", "", ""
	}
	if got, want := fmt.Sprintf("%+v", *cfg), fmt.Sprintf("%+v", *plain); got != want { // in which no list and an empty one are the same
		t.Errorf("the sample gives other values than the defaults:\n%s\n%s", got, want)
	}
}

// leaves are the dotted keys of a YAML tree, sorted.
func leaves(tree map[string]any, under string) []string {
	var all []string
	for key, value := range tree {
		if sub, ok := value.(map[string]any); ok {
			all = append(all, leaves(sub, under+key+".")...)
		} else {
			all = append(all, under+key)
		}
	}
	slices.Sort(all)
	return all
}

// keys are the dotted keys that a struct can be decoded from, sorted.
func keys(s reflect.Type, under string) []string {
	var all []string
	for i := range s.NumField() {
		if s.Field(i).Tag.Get("yaml") == "" {
			continue // the file does not say it
		}
		key := under + s.Field(i).Tag.Get("yaml")
		if f := s.Field(i).Type; f.Kind() == reflect.Struct {
			all = append(all, keys(f, key+".")...)
		} else {
			all = append(all, key)
		}
	}
	slices.Sort(all)
	return all
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
