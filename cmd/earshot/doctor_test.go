package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
)

// The doctor sees a running Asterisk and its files, and tells nobody a secret.
func TestTheDoctorLooksAtARunningPBX(t *testing.T) {
	p, err := pbxtest.Start(t.Context(), pbxtest.Options{Plan: pbxtest.Plan{Extra: map[string]string{
		"manager.conf":    "[doctor]\nsecret=doctor-secret\nread=config,command,reporting\nwrite=config,command,reporting\n",
		"extensions.conf": "[phones](+)\nexten => 9,1,ChanSpy(all)\n",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("doctor-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, stderr bytes.Buffer
	code := run([]string{"doctor", "--ami", p.AMI(), "--user", "doctor", "--secret-file", file, "--etc", filepath.Join(p.Dir(), "etc")}, streams{&out, &stderr})
	if code != exitNo || stderr.Len() > 0 {
		t.Errorf("exit code %d, %s", code, stderr.String())
	}
	for _, want := range []string{"[phones] 9,1,ChanSpy  dialplan-spy\n", "[admin] write  ami-powers\n", "(live and files)\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("not told: %q", want)
		}
	}
	for _, secret := range []string{"doctor-secret", p.Site().Admin.Password, p.Site().Earshot.Password} {
		if strings.Contains(out.String(), secret) {
			t.Error("a secret is told")
		}
	}
	if err := os.WriteFile(file, []byte("wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	code = run([]string{"doctor", "--ami", p.AMI(), "--user", "doctor", "--secret-file", file}, streams{&out, &stderr})
	if code != exitError || out.Len() > 0 || !strings.HasPrefix(stderr.String(), "earshot: log in to AMI: ") {
		t.Errorf("a wrong secret: exit code %d, %s%s", code, out.String(), stderr.String())
	}
}

// What the configuration accepts is printed and does not count, until its last day is over.
func TestWhatIsAcceptedDoesNotCount(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("p", "version: 1\nemployees: {anna: {name: Anna, phones: [PJSIP/101]}}\n")
	write("modules.conf", "[modules]\nautoload = no\n")
	write("manager.conf", "[general]\nenabled = no\n")
	write("extensions.conf", "[phones]\nexten => 9,1,ChanSpy(PJSIP/101-,E)\n")
	for until, want := range map[string]int{"": exitNo, "2999-12-31": exitOK, "2026-01-31": exitNo} {
		config := "policy: p\ntokens: t\naudit: {file: a}\npbx: {ami: {username: earshot, secret_file: s}, ari: {username: earshot, password_file: s}}\n"
		if until != "" {
			config += fmt.Sprintf("doctor: {accept: [{finding: dialplan-spy, where: \"extensions.conf [phones]\", why: the training room, until: %q}]}\n", until)
		}
		write("earshot.yaml", config)
		var out, stderr bytes.Buffer
		code := run([]string{"doctor", "--config", filepath.Join(dir, "earshot.yaml"), "--etc", dir}, streams{&out, &stderr})
		if code != want || !strings.Contains(out.String(), "extensions.conf:2 [phones] 9,1,ChanSpy  dialplan-spy\n") || stderr.Len() > 0 {
			t.Errorf("until %q: exit code %d, %s%s", until, code, out.String(), stderr.String())
		}
		if accepted := strings.Contains(out.String(), "the training room (until the end of 2999-12-31)\n"); accepted != (want == exitOK) {
			t.Errorf("until %q: %s", until, out.String())
		}
		if stale := strings.Contains(out.String(), "its time is over"); stale != (until == "2026-01-31") {
			t.Errorf("until %q: %s", until, out.String())
		}
	}
}
