package deploy_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// install is make install below a folder of the rig's, from the program of the image.
func (r *rig) install() {
	r.Helper()
	cmd := exec.CommandContext(r.ctx, "make", "-s", "-C", top, "install", "DESTDIR="+r.dir, "PREFIX=/usr", "BIN="+r.dir+"/bin")
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "GOFLAGS=-buildvcs=false")
	if out, err := r.run(cmd); err != nil {
		r.Fatalf("%v: %s", err, out)
	}
}

// systemd is a command of systemd's.
func (r *rig) systemd(args ...string) *exec.Cmd {
	r.Helper()
	root := r.fetch("systemd", "bookworm", "systemd")
	cmd := r.packaged(root, args)
	private, err := filepath.Glob(root.Path("usr/lib/*/systemd/libsystemd-shared-*.so"))
	if err != nil || len(private) == 0 {
		r.Fatalf("systemd's own library is not in its package: %v", err)
	}
	i := slices.Index(cmd.Args, "--library-path")
	cmd.Args[i+1] += ":" + filepath.Dir(private[0])
	return cmd
}

// What is installed is what the unit needs, nobody can read what is secret, and a second time nothing is lost.
func TestMakeInstallLaysOutWhatRuns(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/etc/earshot", "/var/lib/earshot")
	r.install()
	want := map[string]fs.FileMode{
		"usr/bin/earshot": 0o755, "usr/lib/systemd/system/earshot.service": 0o644, "usr/lib/sysusers.d/earshot.conf": 0o644, "usr/lib/tmpfiles.d/earshot.conf": 0o644,
		"etc/logrotate.d/earshot": 0o644, "usr/share/earshot/earshot.example.yaml": 0o644, "usr/share/earshot/licences.txt": 0o644, "usr/share/earshot/asterisk/extensions_earshot.conf": 0o644,
		"usr/share/earshot/prometheus/earshot.rules.yaml": 0o644, "usr/share/earshot/grafana/earshot.json": 0o644,
		"etc/earshot": 0o750 | fs.ModeDir, "etc/earshot/earshot.yaml": 0o640, "etc/earshot/policy.yaml": 0o640,
		"etc/earshot/secrets": 0o700 | fs.ModeDir, "etc/earshot/secrets/ami": 0o600, "etc/earshot/secrets/ari": 0o600,
		"var/lib/earshot": 0o700 | fs.ModeDir, "var/lib/earshot/tokens.yaml": 0o600,
	}
	for name, mode := range want {
		if st, err := os.Stat(filepath.Join(r.dir, name)); err != nil || st.Mode() != mode {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	for _, name := range []string{"usr/lib/systemd/system/earshot.service", "etc/logrotate.d/earshot"} {
		if text := r.read("/" + name); strings.Contains(text, "/usr/local/") || !strings.Contains(text, "/usr/bin/earshot ") {
			t.Errorf("%s has another PREFIX", name)
		}
	}
	ami, ari := r.read("/etc/earshot/secrets/ami"), r.read("/etc/earshot/secrets/ari")
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(ami) || ami == ari {
		t.Errorf("secrets of %d and %d bytes", len(ami), len(ari))
	}
	r.write("/etc/earshot/policy.yaml", "version: 1\nemployees: {boris: {name: Boris}}\n", 0o640)
	r.install()
	if r.read("/etc/earshot/secrets/ami") != ami || !strings.Contains(r.read("/etc/earshot/policy.yaml"), "boris") {
		t.Error("what was configured is written over")
	}

	// The configuration is good, with the credentials and without them.
	r.write("/etc/earshot/earshot.yaml", r.path.Replace(r.read("/etc/earshot/earshot.yaml")), 0o640)
	for _, given := range []string{"CREDENTIALS_DIRECTORY=" + r.dir + "/etc/earshot/secrets", "NOTHING="} {
		cmd := exec.CommandContext(r.ctx, r.dir+"/usr/bin/earshot", "check", "--config", r.dir+"/etc/earshot/earshot.yaml")
		cmd.Env = []string{given}
		out, err := r.run(cmd)
		if err != nil || !strings.HasSuffix(out, "ok\n") || strings.Count(out, "systemd gives it to the service alone") != map[bool]int{true: 2}[given == "NOTHING="] {
			t.Errorf("%s: %v: %s", given, err, out)
		}
	}
	cmd := exec.CommandContext(r.ctx, r.dir+"/usr/bin/earshot", "setup", "asterisk", "--config", r.dir+"/etc/earshot/earshot.yaml", "--part", "manager")
	cmd.Env = []string{"CREDENTIALS_DIRECTORY=" + r.dir + "/etc/earshot/secrets"}
	if out, err := r.run(cmd); err != nil || !strings.Contains(out, ami) {
		t.Errorf("%v: %s", err, out)
	}
}

// systemd takes the unit as it is installed, has its user, and keeps it from everything that it does not need.
func TestSystemdTakesTheUnit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.install()
	const unit = "/usr/lib/systemd/system/earshot.service"
	// What is of other packages.
	for _, target := range []string{"sysinit", "basic", "shutdown", "multi-user", "network-online"} {
		r.write("/usr/lib/systemd/system/"+target+".target", "[Unit]\nDescription="+target+"\n", 0o644)
	}
	r.write("/bin/kill", "#!/bin/sh\n", 0o755)
	verify := func() (string, error) {
		var all bytes.Buffer // what is wrong is a warning: the exit code does not say it
		cmd := r.systemd("systemd-analyze", "verify", "--root="+r.dir, "--recursive-errors=yes", "earshot.service")
		cmd.Stdout, cmd.Stderr = &all, &all
		err := cmd.Run()
		return all.String(), err
	}
	if out, err := verify(); err != nil || out != "" {
		t.Errorf("%v: %s", err, out)
	}
	out, err := r.run(r.systemd("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=16", r.dir+unit))
	if err != nil || !strings.Contains(out, "exposure level for earshot.service: 1.5 OK") {
		t.Errorf("%v: %s", err, out)
	}
	text := r.read(unit)
	r.write(unit, strings.Replace(text, "ProtectSystem=", "ProtectSytem=", 1), 0o644)
	if out, _ := verify(); !strings.Contains(out, "Unknown key") {
		t.Errorf("a key that is none is taken: %s", out)
	}
	if out, err := r.run(r.systemd("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=16", r.dir+unit)); err == nil {
		t.Errorf("a system that can be written is taken: %s", out)
	}
	if !strings.Contains(text, "RestartPreventExitStatus=3\n") || !strings.Contains(read(t, "cmd/earshot/main.go"), "exitReplaced = 3 ") {
		t.Error("the unit has another exit code for who was replaced than the program")
	}
	if os.Geteuid() != 0 {
		return // only root makes users and gives files away
	}
	r.write("/etc/group", "root:x:0:\n", 0o644)
	r.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0o644)
	for _, tool := range [][]string{{"systemd-sysusers", "--root=" + r.dir, "earshot.conf"}, {"systemd-tmpfiles", "--root=" + r.dir, "--create", "earshot.conf"}} {
		if out, err := r.run(r.systemd(tool...)); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
	m := regexp.MustCompile(`(?m)^earshot:[^:]*:\d+:(\d+):Earshot:/var/lib/earshot:(\S+)$`).FindStringSubmatch(r.read("/etc/passwd"))
	if m == nil || !strings.HasSuffix(m[2], "/nologin") {
		t.Fatalf("there is no user: %s", r.read("/etc/passwd"))
	}
	for name, want := range map[string]string{
		"/etc/earshot": "0:" + m[1] + " 750", "/etc/earshot/earshot.yaml": "0:" + m[1] + " 640", "/etc/earshot/secrets/ami": "0:0 600",
	} {
		st, err := os.Stat(r.dir + name)
		r.must(err)
		if got := fmt.Sprintf("%d:%d %o", st.Sys().(*syscall.Stat_t).Uid, st.Sys().(*syscall.Stat_t).Gid, st.Mode().Perm()); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func (r *rig) read(path string) string {
	r.Helper()
	b, err := os.ReadFile(r.dir + path)
	r.must(err)
	return string(b)
}

// logrotate has Earshot put its audit log away, touches nothing itself, and leaves it alone when Earshot is away. The chain runs through all files.
func TestTheAuditLogIsRotated(t *testing.T) {
	t.Parallel()
	r := newRig(t, "/etc/earshot", "/var/lib/earshot", "/usr/bin/earshot")
	r.install()
	r.write("/etc/earshot/earshot.yaml", r.replaced(r.read("/etc/earshot/earshot.yaml"), ":8080", fmt.Sprintf(":%d", r.port["http"]), ":9090", fmt.Sprintf(":%d", r.port["admin"])), 0o640)
	earshot := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(r.ctx, r.dir+"/usr/bin/earshot", args...)
		cmd.Env = []string{"CREDENTIALS_DIRECTORY=" + r.dir + "/etc/earshot/secrets"}
		return cmd
	}
	token, err := r.run(earshot("token", "--config", r.dir+"/etc/earshot/earshot.yaml", "anna"))
	r.must(err)
	anna := &site.Client{Base: "http://" + r.address("http"), Token: strings.TrimSpace(token)}
	p := r.start("earshot", earshot("run", "--config", r.dir+"/etc/earshot/earshot.yaml"))
	r.until("Earshot answers", func() error { return anna.Do(r.ctx, http.MethodGet, "/v1/me", nil, nil) })

	text := r.path.Replace(r.read("/etc/logrotate.d/earshot"))
	r.write("/logrotate.conf", strings.Replace(text, "minsize 1M", "minsize 1", 1), 0o644)
	rotate := func() error {
		_, err := r.run(r.packaged(r.fetch("logrotate", "bookworm", "logrotate"), []string{"logrotate", "--force", "--state", r.dir + "/state", r.dir + "/logrotate.conf"}))
		return err
	}
	files := func() []string {
		r.Helper()
		names, err := filepath.Glob(r.dir + "/var/lib/earshot/*")
		r.must(err)
		for i, n := range names {
			names[i] = filepath.Base(n)
		}
		return slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, "journal.db") || n == "tokens.yaml" })
	}
	refused := func() { // what anna may not is on record
		r.Helper()
		if err := anna.Do(r.ctx, http.MethodPost, "/v1/calls", map[string]string{"number": "+74951234567"}, nil); err == nil {
			t.Fatal("anna may call")
		}
	}
	whole := func(lines int, names ...string) {
		r.Helper()
		args := []string{"audit", "verify"}
		for _, n := range names {
			args = append(args, r.dir+"/var/lib/earshot/"+n)
		}
		if out, err := r.run(earshot(args...)); err != nil || !strings.HasPrefix(out, fmt.Sprintf("whole: %d lines,", lines)) {
			t.Errorf("%v: %s", err, out)
		}
	}
	const log, first, second = "audit.jsonl", "audit.jsonl.000000000003", "audit.jsonl.000000000004" // the first line says that Earshot was started
	refused()
	refused()
	r.must(rotate())
	refused()
	whole(4, first, log)
	if got, want := files(), []string{log, first, first + ".head", log + ".head"}; !slices.Equal(got, want) {
		t.Errorf("there are %v, want %v", got, want)
	}
	r.must(rotate())
	r.must(rotate()) // of nothing
	refused()
	whole(5, first, second, log)
	whole(2, second, log) // when the oldest is thrown away
	all := regexp.MustCompile(`earshot audit verify (.*\*.*)`).FindStringSubmatch(text)
	cmd := exec.CommandContext(r.ctx, "sh", "-c", r.dir+"/usr/bin/earshot audit verify "+all[1])
	cmd.Dir = r.dir + "/var/lib/earshot"
	if out, err := r.run(cmd); err != nil || !strings.HasPrefix(out, "whole: 5 lines,") {
		t.Errorf("%s: %v: %s", all[1], err, out)
	}
	before := files()

	r.must(p.Signal(syscall.SIGTERM))
	<-p.Done()
	if err := rotate(); err == nil {
		t.Error("it is rotated while Earshot is away")
	}
	if got := files(); !slices.Equal(got, before) {
		t.Errorf("there are %v, want %v", got, before)
	}
	whole(6, first, second, log) // that it stopped
	p = r.start("earshot", earshot("run", "--config", r.dir+"/etc/earshot/earshot.yaml"))
	r.until("Earshot answers again", func() error { return anna.Do(r.ctx, http.MethodGet, "/v1/me", nil, nil) })
	refused()
	whole(8, first, second, log) // and was started
	r.must(p.Signal(syscall.SIGTERM))
	<-p.Done()
}
