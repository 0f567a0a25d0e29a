package deploy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/child"
	"github.com/earshot-pbx/earshot/agent/pbxtest/debian"
)

// fetchTime is for the first test on a machine, which downloads programs; what is waited for after that comes within a second or two.
const fetchTime, patience = 5 * time.Minute, 25 * time.Second

// rig is where the folders and ports of the containers are on this machine: below a folder of its own, and in a block of ports.
type rig struct {
	*testing.T
	ctx  context.Context
	dir  string
	port map[string]int
	path *strings.Replacer // of the containers' paths
}

// The ports lie below those that pbxtest takes and those that the system gives to outgoing connections.
const blockFirst, blockLast, blockSize, rtpOffset = 2000, 9800, 130, 20

func newRig(t *testing.T, paths ...string) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), fetchTime)
	t.Cleanup(cancel)
	dir, err := os.MkdirTemp("", "earshot-compose-") // short: the path of Asterisk's socket has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := &rig{T: t, ctx: ctx, dir: dir, port: map[string]int{}}
	r.must(os.Chmod(dir, 0o755)) // nobody has to get through
	var pairs []string
	for _, p := range paths {
		pairs = append(pairs, p, dir+p)
	}
	r.path = strings.NewReplacer(pairs...)
	base := claim(t)
	for i, name := range []string{"sip", "ami", "ari", "http", "admin", "prometheus", "redis"} {
		r.port[name] = base + 1 + i
	}
	r.port["rtp"] = base + rtpOffset
	return r
}

// claim gives the base of a block of ports that nobody else here has, and keeps it until the test ends.
func claim(t *testing.T) int {
	n := (blockLast - blockFirst) / blockSize
	for i, start := 0, rand.IntN(n); i < n; i++ {
		base := blockFirst + (start+i)%n*blockSize
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base))
		if err != nil {
			continue
		}
		if free(base) {
			t.Cleanup(func() { l.Close() })
			return base
		}
		l.Close()
	}
	t.Fatal("no free block of ports")
	return 0
}

func free(base int) bool {
	for p := base + 1; p < base+rtpOffset; p++ {
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", p))
		if err != nil {
			return false
		}
		l.Close()
		c, err := net.ListenPacket("udp", fmt.Sprintf(":%d", p))
		if err != nil {
			return false
		}
		c.Close()
	}
	return true
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// until asks again until there is no error.
func (r *rig) until(what string, f func() error) {
	r.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-limit:
			r.Fatalf("not within %s: %s: %v", patience, what, err)
		case <-tick.C:
		}
	}
}

// address is a port of this machine's.
func (r *rig) address(name string) string { return fmt.Sprintf("127.0.0.1:%d", r.port[name]) }

// replaced is text with each old replaced by its new, which must be there, and with the containers' paths replaced.
func (r *rig) replaced(text string, pairs ...string) string {
	r.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			r.Fatalf("there is no %q in\n%s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return r.path.Replace(text)
}

// write writes a file below the rig's folder by its path in the container.
func (r *rig) write(path, text string, mode fs.FileMode) {
	r.Helper()
	file := r.dir + path
	r.must(os.MkdirAll(filepath.Dir(file), 0o755))
	r.must(os.WriteFile(file, []byte(text), mode))
}

// program is something that runs in the background and its output.
type process struct {
	*child.Process
	log string
}

func (p process) output() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// start starts a program, and ends it when the test ends; when the test has failed, what it printed is shown.
func (r *rig) start(name string, cmd *exec.Cmd) process {
	r.Helper()
	log, err := os.Create(filepath.Join(r.dir, name+".log"))
	r.must(err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	c, err := child.Start(cmd)
	r.must(err)
	p := process{c, log.Name()}
	r.Cleanup(func() {
		if err := p.Stop(10 * time.Second); err != nil {
			r.Error(err)
		}
		if r.Failed() {
			r.Logf("%s printed:\n%s", name, p.output())
		}
	})
	return p
}

// run runs a program to its end and gives what it printed on standard output.
func (r *rig) run(cmd *exec.Cmd) (string, error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%w: %s%s", err, out.String(), errs.String())
	}
	return out.String(), nil
}

// asNobody makes a command one of the image's: its user, where that can be had, and nothing in its environment.
func asNobody(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = []string{"TMPDIR=/nowhere"}
	cmd.Dir = "/"
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}

// fetch gets a bundle of Debian's.
func (r *rig) fetch(name, suite string, packages ...string) *debian.Root {
	r.Helper()
	root, err := debian.Fetch(r.ctx, debian.Bundle{Name: name, Suite: suite, Packages: packages})
	r.must(err)
	r.Cleanup(func() { root.Close() })
	return root
}

// packaged is a command that runs a program of a bundle.
func (r *rig) packaged(root *debian.Root, args []string, more ...string) *exec.Cmd {
	r.Helper()
	cmd, err := root.Command(r.ctx, args[0], append(args[1:len(args):len(args)], more...)...)
	r.must(err)
	return cmd
}

// asterisk lays out the container of Asterisk as its Dockerfile and docker-compose.yml do, and gives the environment of its commands.
func (r *rig) asterisk(s service) []string {
	r.Helper()
	a, err := pbxtest.Find(r.ctx, nil)
	r.must(err)
	r.Cleanup(func() { a.Close() })

	pbx := pbxtest.Container
	ports := map[string][]string{
		"pjsip.conf":   {fmt.Sprintf(":%d", pbx.SIP), fmt.Sprintf(":%d", r.port["sip"])},
		"manager.conf": {fmt.Sprintf("port=%d", pbx.AMI), fmt.Sprintf("port=%d", r.port["ami"])},
		"http.conf":    {fmt.Sprintf("port=%d", pbx.HTTP), fmt.Sprintf("port=%d", r.port["ari"])},
		"rtp.conf":     {fmt.Sprint(pbx.RTPFirst), fmt.Sprint(r.port["rtp"]), fmt.Sprint(pbx.RTPLast), fmt.Sprint(r.port["rtp"] + pbx.RTPLast - pbx.RTPFirst)},
	}
	files, err := os.ReadDir(filepath.Join(top, "testdata/pbx"))
	r.must(err)
	for _, f := range files {
		r.write("/etc/asterisk/"+f.Name(), r.replaced(read(r.T, "testdata/pbx/"+f.Name()), ports[f.Name()]...), 0o644)
	}
	// The package knows its folders; the unpacked one is told.
	directories := "[directories]\nastmoddir => " + a.Modules + "\n"
	for name, path := range map[string]string{
		"astetcdir": "/etc/asterisk", "astvarlibdir": "/var/lib/asterisk", "astdbdir": "/var/lib/asterisk", "astkeydir": "/var/lib/asterisk", "astdatadir": "/usr/share/asterisk",
		"astagidir": "/usr/share/asterisk/agi-bin", "astspooldir": "/var/spool/asterisk", "astrundir": "/run/asterisk", "astlogdir": "/var/log/asterisk", "astcachedir": "/var/cache/asterisk",
	} {
		directories += name + " => " + r.dir + path + "\n"
		r.must(os.MkdirAll(r.dir+path, 0o755))
	}
	r.write("/etc/asterisk/asterisk.conf", read(r.T, "testdata/pbx/asterisk.conf")+directories, 0o644)
	r.must(os.MkdirAll(r.dir+"/usr/share/asterisk/sounds", 0o755))
	r.must(os.MkdirAll(r.dir+"/var/lib/asterisk/keys", 0o755))
	music := r.fetch("music", "forky", "asterisk-moh-opsound-gsm")
	for name, to := range map[string]string{"documentation": a.Documentation, "sounds/en": a.Sounds, "moh": music.Path("usr/share/asterisk/moh")} {
		r.must(os.Symlink(to, r.dir+"/usr/share/asterisk/"+name))
	}
	cmd, err := a.Command(r.ctx)
	r.must(err)
	r.write("/bin/asterisk", fmt.Sprintf("#!/bin/sh\nexec '%s' \"$@\" -C '%s/etc/asterisk/asterisk.conf'\n", strings.Join(cmd.Args, "' '"), r.dir), 0o755)
	r.write("/usr/local/bin/start", r.replaced(read(r.T, "deploy/compose/asterisk/start")), 0o755)
	return []string{"PATH=" + r.dir + "/bin:" + os.Getenv("PATH"), "HOME=" + r.dir, "TERM=dumb", "LC_ALL=C.UTF-8", "ADDRESS=" + s.Environment["ADDRESS"]}
}

// earshot lays out the container of Earshot.
func (r *rig) earshot() {
	r.Helper()
	image := built(r.T)
	pbx := pbxtest.Container
	for _, name := range []string{"policy.yaml", "next.yaml", "clients.yaml"} {
		r.write("/etc/earshot/"+name, read(r.T, "deploy/compose/earshot/"+name), 0o444)
	}
	r.write("/etc/earshot/earshot.yaml", r.replaced(read(r.T, "deploy/compose/earshot/earshot.yaml"),
		":8080", fmt.Sprintf(":%d", r.port["http"]), ":9090", fmt.Sprintf(":%d", r.port["admin"]),
		fmt.Sprintf(":%d", pbx.AMI), fmt.Sprintf(":%d", r.port["ami"]), fmt.Sprintf(":%d", pbx.HTTP), fmt.Sprintf(":%d", r.port["ari"]),
		"redis:6379", r.address("redis")), 0o444)
	for name, s := range compose(r.T).Secrets {
		r.write("/run/secrets/"+name, read(r.T, s.File), 0o444)
	}
	r.must(os.MkdirAll(r.dir+"/var/lib", 0o755))
	r.must(os.CopyFS(r.dir+"/var/lib/earshot", os.DirFS(filepath.Join(image, "out/lib/earshot"))))
	r.must(os.Chmod(r.dir+"/var/lib/earshot", 0o700))
	r.must(os.Chmod(r.dir+"/var/lib/earshot/tokens.yaml", 0o600))
	if os.Geteuid() == 0 {
		r.must(errors.Join(os.Chown(r.dir+"/var/lib/earshot", nobody, nobody), os.Chown(r.dir+"/var/lib/earshot/tokens.yaml", nobody, nobody)))
	}
	b, err := os.ReadFile(filepath.Join(image, "out/earshot"))
	r.must(err)
	r.write(program, string(b), 0o555)
}

// inImage is a command of Earshot's container.
func (r *rig) inImage(args ...string) *exec.Cmd {
	for i, a := range args {
		args[i] = r.path.Replace(a)
	}
	return asNobody(exec.CommandContext(r.ctx, args[0], args[1:]...))
}
