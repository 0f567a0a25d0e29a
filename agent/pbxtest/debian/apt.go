package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// keyrings are the places where debian-archive-keyring puts its keys, newest form first.
var keyrings = []string{
	"/usr/share/keyrings/debian-archive-keyring.pgp",
	"/usr/share/keyrings/debian-archive-keyring.gpg",
}

// apt is the machine's apt-get, working in directories of ours.
type apt struct {
	home string
	from string // the archive and the suite, in words
	conf string // apt configuration file, given by -c so that it is read after the machine's own
}

// fetch downloads and unpacks the bundle into home and makes it current.
func (b *Bundle) fetch(ctx context.Context, home string) error {
	for _, tool := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w: %s is missing (it is part of every Debian; elsewhere install %s yourself and put it on the PATH)", ErrUnavailable, tool, b.Name)
		}
	}
	a := apt{home: home, conf: filepath.Join(home, "apt.conf")}
	if err := a.prepare(ctx, b.Suite); err != nil {
		return err
	}
	b.Progress("reading the package list of Debian for " + b.Name + " (once; the cache is " + home + ")")
	if _, err := a.run(ctx, "update"); err != nil {
		return err
	}
	install := append([]string{"-y", "--no-install-recommends", "install"}, b.Packages...)
	plan, err := a.run(ctx, append([]string{"-s"}, install...)...)
	if err != nil {
		return err
	}
	files, err := parsePlan(plan)
	if err != nil {
		return err
	}
	b.Progress(fmt.Sprintf("downloading %s with all that it needs: %d packages", b.Name, len(files)))
	if _, err := a.run(ctx, append([]string{"--download-only"}, install...)...); err != nil {
		return err
	}
	b.Progress(fmt.Sprintf("unpacking %d packages", len(files)))
	if err := a.unpack(ctx, files); err != nil {
		return err
	}
	return a.forget(files)
}

// prepare writes the directories and the configuration that apt-get is run with.
func (a *apt) prepare(ctx context.Context, suite string) error {
	uri, own, err := mirror(ctx)
	if err != nil {
		return err
	}
	if suite == "" {
		if suite = own; suite == "" {
			return fmt.Errorf("%w: apt's configuration does not tell which suite this machine runs", ErrUnavailable)
		}
	}
	a.from = "Debian's " + suite + " at " + uri
	keyring := ""
	for _, k := range keyrings {
		if _, err := os.Stat(k); err == nil {
			keyring = k
			break
		}
	}
	if keyring == "" {
		return fmt.Errorf("%w: %s is missing: install the package debian-archive-keyring", ErrUnavailable, keyrings[len(keyrings)-1])
	}
	for _, d := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.home, d), 0o755); err != nil {
			return err
		}
	}
	conf := fmt.Sprintf(`Dir::Etc::sourcelist %q;
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State %q;
Dir::State::status %q;
Dir::State::extended_states %q;
Dir::Cache %q;
// The machine's own values of these four may be empty or elsewhere (container images do that).
Dir::Cache::archives "archives/";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Log "/dev/null";
// The lock of ours is enough, and apt's sandbox user cannot write into a user's cache folder.
Debug::NoLocking "true";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11-icons::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::Retries "3";
// Hooks of the machine speak of the machine's packages, and would run as this user.
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
`, a.path("sources.list"), a.path("state"), a.path("status"), a.path("extended_states"), a.path("cache"))
	for name, text := range map[string]string{
		"apt.conf":     conf,
		"sources.list": fmt.Sprintf("deb [signed-by=%s] %s %s main\n", keyring, uri, suite),
		"status":       "", // nothing is installed, so everything needed is downloaded
	} {
		if err := os.WriteFile(a.path(name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (a *apt) path(name string) string { return filepath.Join(a.home, name) }

// run runs apt-get and returns what it printed.
func (a *apt) run(ctx context.Context, args ...string) (string, error) {
	out, err := output(ctx, "apt-get", append([]string{"-q", "-c", a.conf}, args...)...)
	if err != nil {
		return "", fmt.Errorf("%w (can %s be reached, and is it there? %s names another archive)", err, a.from, EnvMirror)
	}
	return out, nil
}

// unpack unpacks the packages beside the final place, makes them current by a rename, and records what they are.
func (a *apt) unpack(ctx context.Context, files []packageFile) error {
	tmp, err := os.MkdirTemp(a.home, unpackPrefix)
	if err != nil {
		return err
	}
	defer func() {
		_ = makeRemovable(tmp)
		_ = os.RemoveAll(tmp)
	}()
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan packageFile)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for f := range work {
				if ctx.Err() != nil {
					continue
				}
				if _, err := output(ctx, "dpkg-deb", "-x", a.path(filepath.Join("cache/archives", f.file())), tmp); err != nil {
					cancel(err)
				}
			}
		})
	}
	var list strings.Builder
	for _, f := range files {
		work <- f
		fmt.Fprintf(&list, "%s %s\n", f.name, f.version)
	}
	close(work)
	wg.Wait()
	if ctx.Err() != nil {
		return fmt.Errorf("unpack: %w", context.Cause(ctx))
	}
	if err := os.WriteFile(filepath.Join(tmp, packageList), []byte(list.String()), 0o644); err != nil {
		return err
	}
	name := rootPrefix + time.Now().UTC().Format("20060102T150405.000")
	if err := os.Rename(tmp, a.path(name)); err != nil {
		return err
	}
	link := a.path(currentLink)
	if err := errors.Join(removeIfThere(link+".new"), os.Symlink(name, link+".new")); err != nil {
		return err
	}
	return os.Rename(link+".new", link)
}

// forget removes downloaded packages that an older fetch left and that are no longer part of the bundle.
func (a *apt) forget(files []packageFile) error {
	keep := make(map[string]bool, len(files))
	for _, f := range files {
		keep[f.file()] = true
	}
	all, err := filepath.Glob(a.path("cache/archives/*.deb"))
	if err != nil {
		return err
	}
	for _, f := range all {
		if !keep[filepath.Base(f)] {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// packageFile is one package that the plan installs.
type packageFile struct{ name, version, arch string }

// file is the name under which apt-get keeps the package: an epoch's colon is written %3a.
func (p packageFile) file() string {
	return p.name + "_" + strings.ReplaceAll(p.version, ":", "%3a") + "_" + p.arch + ".deb"
}

// planLine is a line of `apt-get -s install`: Inst NAME (VERSION ARCHIVE [ARCH]).
var planLine = regexp.MustCompile(`(?m)^Inst (\S+) \((\S+) .*\[(\S+)\]\)`)

func parsePlan(out string) ([]packageFile, error) {
	var files []packageFile
	for _, m := range planLine.FindAllStringSubmatch(out, -1) {
		name, _, _ := strings.Cut(m[1], ":")
		files = append(files, packageFile{name: name, version: m[2], arch: m[3]})
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("apt-get plans to install nothing; it said: %s", tail(out))
	}
	return files, nil
}

// output runs a command in a process group of its own and returns its standard output; the error has the
// end of its standard error.
func output(ctx context.Context, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	// apt-get works through helper processes; they must end with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", fmt.Errorf("%s: %w: %s", name, err, tail(stderr.String()))
	}
	return stdout.String(), nil
}

// tail is the end of a command's output, for an error.
func tail(s string) string {
	const most = 1500
	s = strings.TrimSpace(s)
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return s
}
