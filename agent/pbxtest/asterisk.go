package pbxtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/earshot-pbx/earshot/agent/pbxtest/debian"
)

// release is an Asterisk that Debian packages.
type release struct {
	major int
	suite string // of Debian, that packages it
}

// releases are those that can be asked for; the first is taken when none is.
var releases = []release{{22, "forky"}, {16, "bullseye"}}

// oldest is the oldest major version that serves where none is asked for.
const oldest = 20

// EnvAsterisk names another Asterisk than Debian's 22: "16" is Debian's 16, the path of an asterisk program is that one, of 16 or newer.
const EnvAsterisk = "EARSHOT_ASTERISK"

// Asterisk is an installation that instances can be started from. Safe for concurrent use.
type Asterisk struct {
	// Version is what the program says of itself, for example "22.10.1~dfsg+~cs6.17.60671434".
	Version string
	// Modules, Documentation, Descriptions and Sounds are folders of the installation. Descriptions, of ARI by Swagger, and Sounds, the English
	// prompts, may be empty.
	Modules, Documentation, Descriptions, Sounds string

	root *debian.Root // nil for one that is installed on the machine
	path string
}

// Find gets an Asterisk: the program that EARSHOT_ASTERISK names; else Debian's 22, or the release that EARSHOT_ASTERISK asks for, from the
// cache or, the first time, downloaded (10 to 60 s); else, where the Debian archive cannot be used, the one on the PATH: of 20 or newer, or of
// the release asked for. progress is told what takes long; nil prints to standard error.
func Find(ctx context.Context, progress func(string)) (*Asterisk, error) {
	wanted, serves := releases[0], since(oldest)
	switch env := os.Getenv(EnvAsterisk); {
	case strings.Contains(env, "/"):
		return installed(ctx, env, since(releases[len(releases)-1].major))
	case env != "":
		i := slices.IndexFunc(releases, func(r release) bool { return strconv.Itoa(r.major) == env })
		if i < 0 {
			return nil, fmt.Errorf("%s is %q, which is neither 22 nor 16 nor the path of a program", EnvAsterisk, env)
		}
		wanted, serves = releases[i], exactly(releases[i].major)
	}
	root, err := debian.Fetch(ctx, debian.Bundle{
		Name:  "asterisk",
		Suite: wanted.suite,
		// No prompts, no DTMF transfer: the feature plays one and gives up without it.
		Packages: []string{"asterisk", "asterisk-core-sounds-en-gsm"},
		Progress: progress,
	})
	if err == nil {
		return unpacked(ctx, root, serves)
	}
	if !errors.Is(err, debian.ErrUnavailable) {
		return nil, fmt.Errorf("get an Asterisk: %w", err)
	}
	path, lookErr := exec.LookPath("asterisk")
	if lookErr != nil {
		return nil, fmt.Errorf("no Asterisk: %w; and there is no asterisk on the PATH (install Asterisk %s, or name one by %s)", err, serves.words, EnvAsterisk)
	}
	return installed(ctx, path, serves)
}

// Close gives the installation back; no instance of it may run any more.
func (a *Asterisk) Close() error {
	if a.root == nil {
		return nil
	}
	return a.root.Close()
}

// Command is the command that runs the asterisk program with args.
func (a *Asterisk) Command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	if a.root == nil {
		return exec.CommandContext(ctx, a.path, args...), nil
	}
	return a.root.Command(ctx, a.path, args...)
}

func unpacked(ctx context.Context, root *debian.Root, serves versions) (*Asterisk, error) {
	a := &Asterisk{root: root, path: "usr/sbin/asterisk"}
	// The second is the place of a 16.
	if a.Modules = first(root.Path("usr/lib/*/asterisk/modules"), root.Path("usr/lib/asterisk/modules")); a.Modules == "" {
		return nil, errors.Join(fmt.Errorf("no Asterisk modules in %s", root.Dir), root.Close())
	}
	a.Documentation, a.Descriptions = root.Path("usr/share/asterisk/documentation"), root.Path("usr/share/asterisk/rest-api")
	// The package's maintainer script, which has not run, would have made the link sounds/en to one of these.
	a.Sounds = first(root.Path("usr/share/asterisk/sounds/en"), root.Path("usr/share/asterisk/sounds/en_US*"))
	if err := a.ask(ctx, serves); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return a, nil
}

// installed describes an Asterisk that was installed on the machine by other means.
func installed(ctx context.Context, path string, serves versions) (*Asterisk, error) {
	a := &Asterisk{path: path}
	if err := a.ask(ctx, serves); err != nil {
		return nil, err
	}
	prefix := filepath.Dir(filepath.Dir(path))
	if a.Modules = first(prefix+"/lib/*/asterisk/modules", prefix+"/lib/asterisk/modules", prefix+"/lib64/asterisk/modules",
		"/usr/lib/*/asterisk/modules", "/usr/lib/asterisk/modules", "/usr/lib64/asterisk/modules"); a.Modules == "" {
		return nil, fmt.Errorf("the modules of %s are in none of the usual folders", path)
	}
	a.Documentation = first("/usr/share/asterisk/documentation", "/var/lib/asterisk/documentation", prefix+"/share/asterisk/documentation")
	if a.Documentation == "" {
		return nil, fmt.Errorf("the documentation of %s (core-en_US.xml), which its modules need to load, is in none of the usual folders", path)
	}
	a.Descriptions = first("/usr/share/asterisk/rest-api", "/var/lib/asterisk/rest-api", prefix+"/share/asterisk/rest-api")
	a.Sounds = first("/usr/share/asterisk/sounds/en", "/usr/share/asterisk/sounds/en_US*", "/var/lib/asterisk/sounds/en")
	return a, nil
}

// first is the first folder that any of the patterns finds.
func first(patterns ...string) string {
	for _, p := range patterns {
		if found, _ := filepath.Glob(p); len(found) > 0 {
			return found[0]
		}
	}
	return ""
}

var versionLine = regexp.MustCompile(`(?m)^Asterisk (\S+)`)

// ask runs asterisk -V and refuses what does not serve.
func (a *Asterisk) ask(ctx context.Context, serves versions) error {
	cmd, err := a.Command(ctx, "-V")
	if err != nil {
		return err
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s -V: %w: %s", cmd.Path, err, strings.TrimSpace(string(out)))
	}
	a.Version, err = parseVersion(string(out), serves)
	return err
}

// versions says which major versions serve.
type versions struct {
	serve func(major int) bool
	words string
}

func since(least int) versions {
	return versions{func(major int) bool { return major >= least }, strconv.Itoa(least) + " or newer"}
}

func exactly(wanted int) versions {
	return versions{func(major int) bool { return major == wanted }, strconv.Itoa(wanted)}
}

func parseVersion(out string, serves versions) (string, error) {
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("this is no Asterisk; asked for its version it said %q", out)
	}
	digits, _, _ := strings.Cut(m[1], ".")
	if major, err := strconv.Atoi(digits); err != nil || !serves.serve(major) {
		return "", fmt.Errorf("version %s of Asterisk does not serve: %s is needed", m[1], serves.words)
	}
	return m[1], nil
}
