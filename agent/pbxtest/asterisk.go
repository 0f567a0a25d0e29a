package pbxtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/earshot-pbx/earshot/agent/pbxtest/debian"
)

// oldest is the oldest major version that Find accepts.
const oldest = 20

// suite is where Debian packages an Asterisk 22.
const suite = "forky"

// EnvAsterisk names an asterisk program to use instead of Debian's.
const EnvAsterisk = "EARSHOT_ASTERISK"

// Asterisk is an installation that instances can be started from. Safe for concurrent use.
type Asterisk struct {
	// Version is what the program says of itself, for example "22.10.1~dfsg+~cs6.17.60671434".
	Version string
	// Modules, Documentation and Sounds are folders of the installation. Sounds, the English prompts, may be empty.
	Modules, Documentation, Sounds string

	root *debian.Root // nil for one that is installed on the machine
	path string
}

// Find gets an Asterisk of version 20 or newer: the program that EARSHOT_ASTERISK names; else Debian's, from the cache or, the
// first time, downloaded (10 to 60 s); else, where the Debian archive cannot be used, the one on the PATH. progress is
// told what takes long; nil prints to standard error.
func Find(ctx context.Context, progress func(string)) (*Asterisk, error) {
	if path := os.Getenv(EnvAsterisk); path != "" {
		return installed(ctx, path)
	}
	root, err := debian.Fetch(ctx, debian.Bundle{
		Name:  "asterisk",
		Suite: suite,
		// No prompts, no DTMF transfer: the feature plays one and gives up without it.
		Packages: []string{"asterisk", "asterisk-core-sounds-en-gsm"},
		Progress: progress,
	})
	if err == nil {
		return unpacked(ctx, root)
	}
	if !errors.Is(err, debian.ErrUnavailable) {
		return nil, fmt.Errorf("get an Asterisk: %w", err)
	}
	path, lookErr := exec.LookPath("asterisk")
	if lookErr != nil {
		return nil, fmt.Errorf("no Asterisk: %w; and there is no asterisk on the PATH (install Asterisk %d or newer, or name one by %s)", err, oldest, EnvAsterisk)
	}
	return installed(ctx, path)
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

func unpacked(ctx context.Context, root *debian.Root) (*Asterisk, error) {
	a := &Asterisk{root: root, path: "usr/sbin/asterisk"}
	modules, err := filepath.Glob(root.Path("usr/lib/*/asterisk/modules"))
	if err != nil || len(modules) == 0 {
		return nil, errors.Join(fmt.Errorf("no Asterisk modules in %s", root.Dir), err, root.Close())
	}
	a.Modules = modules[0]
	a.Documentation = root.Path("usr/share/asterisk/documentation")
	// The package's maintainer script, which has not run, would have made the link sounds/en to one of these.
	for _, pattern := range []string{"usr/share/asterisk/sounds/en", "usr/share/asterisk/sounds/en_US*"} {
		if found, _ := filepath.Glob(root.Path(pattern)); len(found) > 0 {
			a.Sounds = found[0]
			break
		}
	}
	if err := a.ask(ctx); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return a, nil
}

// installed describes an Asterisk that was installed on the machine by other means.
func installed(ctx context.Context, path string) (*Asterisk, error) {
	a := &Asterisk{path: path}
	if err := a.ask(ctx); err != nil {
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

// ask runs asterisk -V and refuses what is too old.
func (a *Asterisk) ask(ctx context.Context) error {
	cmd, err := a.Command(ctx, "-V")
	if err != nil {
		return err
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s -V: %w: %s", cmd.Path, err, strings.TrimSpace(string(out)))
	}
	a.Version, err = parseVersion(string(out))
	return err
}

func parseVersion(out string) (string, error) {
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("this is no Asterisk; asked for its version it said %q", out)
	}
	digits, _, _ := strings.Cut(m[1], ".")
	if major, err := strconv.Atoi(digits); err != nil || major < oldest {
		return "", fmt.Errorf("version %s of Asterisk is not supported: %d or newer is needed", m[1], oldest)
	}
	return m[1], nil
}
