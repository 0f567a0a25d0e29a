package pbxtest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
)

// An Asterisk that is kept goes on when its test has ended, and is the next one's: on the same ports, without a call, with its own configuration.
func TestAKeptAsteriskIsTakenUpAgain(t *testing.T) {
	home, err := os.MkdirTemp("", "kept-") // short, for its socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(home)
	t.Setenv(pbxtest.EnvKeep, home)
	start := func() *pbxtest.PBX {
		t.Helper()
		p, err := pbxtest.Start(t.Context(), pbxtest.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	stop := func(p *pbxtest.PBX) {
		t.Helper()
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	answers := func(site pbxtest.Site, ari string) bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ari+"/asterisk/info", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(site.Earshot.User, site.Earshot.Password)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}
	command := func(p *pbxtest.PBX, line string) string {
		t.Helper()
		out, err := p.Command(t.Context(), line)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}

	p := start()
	site, ari, dir := p.Site(), p.ARI(), p.Dir()
	other := start() // while one is in use
	if other.Site() == site || strings.HasPrefix(other.Dir(), home) {
		t.Errorf("two have the Asterisk in %s", other.Dir())
	}
	stop(other)
	if err := os.WriteFile(filepath.Join(dir, "etc", "left.conf"), []byte("; by a test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "etc", "extensions.conf"), []byte("[mine]\nexten => 1,1,Wait(60)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command(p, "dialplan reload")
	command(p, "channel originate Local/1@mine application Wait 60")
	if out := command(p, "core show channels count"); strings.Contains(out, "0 active channels") {
		t.Errorf("there is no call: %s", out)
	}
	stop(p)
	if !answers(site, ari) {
		t.Fatal("it is gone with its test")
	}

	p = start()
	if p.Site() != site || p.Dir() != dir {
		t.Errorf("it is another one: %v in %s", p.Site(), p.Dir())
	}
	if out := command(p, "core show channels count"); !strings.Contains(out, "0 active channels") {
		t.Errorf("calls go on: %s", out)
	}
	if out := command(p, "dialplan show mine"); !strings.Contains(out, "no existence of 'mine'") {
		t.Errorf("it has the dialplan of the test before: %s", out)
	}
	if _, err := os.Stat(filepath.Join(dir, "etc", "left.conf")); !os.IsNotExist(err) {
		t.Errorf("it has a file of the test before: %v", err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	stop(p) // cannot be left
	if answers(site, ari) {
		t.Error("it answers after its death")
	}
	p = start()
	site, ari = p.Site(), p.ARI()
	if err := p.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop(p)
	if !answers(site, ari) {
		t.Error("one that was started again is gone with its test")
	}
	if err := pbxtest.EndKept(home); err != nil {
		t.Fatal(err)
	}
	if answers(site, ari) {
		t.Error("it goes on after its end")
	}
	if left, err := filepath.Glob(filepath.Join(home, "*", "etc")); err != nil || len(left) > 0 {
		t.Errorf("left is %v, %v", left, err)
	}
}
