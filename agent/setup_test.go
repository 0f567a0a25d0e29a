package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent"
)

// What is printed is loaded by a real Asterisk in the tests of the whole: see company.install.
func TestTheAccountsHaveTheLeastRights(t *testing.T) {
	cfg, dir, err := load(t, minimal)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "ami-secret"), "of;ami\n")
	put(t, filepath.Join(dir, "ari-password"), "of=ari\n")
	for part, want := range map[string][]string{
		"manager": {"[manager]\nsecret = of\\;ami\nread = call,agent\nwrite = originate,call,agent,reporting\ndeny = 0.0.0.0/0.0.0.0\ndeny = ::/0\npermit = 127.0.0.1/32\n", "bindaddr = 127.0.0.1\nport = 5038\n", "webenabled = no\n"},
		"ari":     {"[rest]\ntype = user\nread_only = no\npassword = of=ari\npassword_format = plain\n", ";   bindaddr = 127.0.0.1\n;   bindport = 8088\n"},
	} {
		text, err := agent.AsteriskConfig(cfg, nil, part)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s has no %q:\n%s", part, w, text)
			}
		}
	}
	cfg.PBX.AMI.Address, cfg.PBX.ARI.URL = "pbx.example:5039", "https://[::1]:8089/ari"
	for part, want := range map[string]string{"manager": "bindaddr = pbx.example\nport = 5039\n", "ari": ";   bindaddr = 127.0.0.1\n;   tlsenable = yes\n;   tlsbindaddr = [::1]:8089\n;   tlscertfile = "} {
		if text, err := agent.AsteriskConfig(cfg, nil, part); err != nil || !strings.Contains(text, want) {
			t.Errorf("%s: %v\n%s", part, err, text)
		}
	}
}

func TestWhatAsteriskWouldReadOtherwiseIsNotPrinted(t *testing.T) {
	for name, change := range map[string]func(c *agent.Config, dir string) (part string){
		"blanks at an end":        func(_ *agent.Config, dir string) string { put(t, dir+"/ami-secret", " s"); return "manager" },
		"an escaped semicolon":    func(_ *agent.Config, dir string) string { put(t, dir+"/ami-secret", `s\;t`); return "manager" },
		"a control character":     func(_ *agent.Config, dir string) string { put(t, dir+"/ari-password", "s\tt"); return "ari" },
		"no secret":               func(_ *agent.Config, dir string) string { _ = os.Remove(dir + "/ami-secret"); return "manager" },
		"an account of two lines": func(c *agent.Config, _ string) string { c.PBX.AMI.Username = "a]\n[b"; return "manager" },
		"the general section":     func(c *agent.Config, _ string) string { c.PBX.ARI.Username = "general"; return "ari" },
		"an application of two":   func(c *agent.Config, _ string) string { c.PBX.ARI.Application = "a,b"; return "extensions" },
		"another part":            func(*agent.Config, string) string { return "sip" },
	} {
		cfg, dir, err := load(t, minimal)
		if err != nil {
			t.Fatal(err)
		}
		put(t, dir+"/ami-secret", "s\n")
		put(t, dir+"/ari-password", "s\n")
		if text, err := agent.AsteriskConfig(cfg, nil, change(cfg, dir)); err == nil || text != "" {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}
