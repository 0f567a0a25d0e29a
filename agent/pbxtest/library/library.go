// Package library runs client libraries that others wrote, unmodified, each in a program of its own language: what it takes comes from Debian, from
// npm and from the Go module proxy, is cached outside the tree, and needs no root.
//
// Invariant: a library is as it was published. Those of npm and of Go are the ones whose hashes a lock file has; a small script or program drives each
// and says what the library hands to its caller (testdata/clients).
package library

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/pbxtest/debian"
)

// Library is one that can be started.
type Library struct {
	Name     string // what the package or module is called where it comes from
	Version  string // of an installed one
	Driver   string // what drives it: a script's file, or of Go a module's folder
	Language Language
	Debian   string // its package there, where it comes from Debian
}

// Language is in what a library is written, and so how its driver runs.
type Language uint8

// The languages.
const (
	Node Language = iota + 1
	Python
	Perl
	Go
)

// bundle is the languages but Go, which runs the tests, npm's own client, and the libraries that Debian has. Node.js comes with npm.
var bundle = debian.Bundle{Name: "clients", Suite: "bookworm", Packages: []string{"npm", "python3-panoramisk", "libtelephony-asterisk-ami-perl"}, Progress: progress}

func progress(what string) { fmt.Fprintln(os.Stderr, "earshot:", what) }

// Installation is libraries on this machine. It is safe for concurrent use; Close it when what it has started has ended.
type Installation struct {
	Libraries []Library

	dir     string // of the drivers
	root    *debian.Root
	modules string // the folder node_modules that npm filled
	scratch string
	system  *os.File // Node.js's own folder of modules
}

// Install gets everything that these libraries take, or takes it from the cache; dir is the folder with the drivers and the lock files. What cannot be
// had is an error that says what is missing.
func Install(ctx context.Context, dir string, libraries []Library) (*Installation, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	in := &Installation{dir: dir, Libraries: slices.Clone(libraries)}
	if in.root, err = debian.Fetch(ctx, bundle); err != nil {
		return nil, err
	}
	if err := in.complete(ctx); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return in, nil
}

func (in *Installation) complete(ctx context.Context) (err error) {
	if in.scratch, err = os.MkdirTemp("", "earshot-clients-"); err != nil {
		return err
	}
	if in.system, err = os.Open(in.root.Path(nodeModules)); err != nil {
		return err
	}
	if err := in.relocate(); err != nil {
		return err
	}
	if err := in.fill(ctx); err != nil {
		return err
	}
	for i := range in.Libraries {
		l := &in.Libraries[i]
		if l.Language == Go {
			if err := in.build(ctx, l); err != nil {
				return err
			}
		}
		if l.Version, err = in.version(l); err != nil {
			return err
		}
	}
	return nil
}

// Close gives back what the installation holds; the cache stays.
func (in *Installation) Close() error {
	errs := []error{in.root.Close()}
	if in.system != nil {
		errs = append(errs, in.system.Close())
	}
	if in.scratch != "" {
		errs = append(errs, os.RemoveAll(in.scratch))
	}
	return errors.Join(errs...)
}

// nodeModules is where Debian has Node.js's modules.
const nodeModules = "usr/share/nodejs"

// relocate makes a copy of the library that is Node.js. Debian's reads some of its JavaScript from /usr/share/nodejs, an absolute path which
// is not there when the packages are merely unpacked, and ends without it. In the copy the path, which is as long, leads to the folder that each process
// has open as its file 3.
func (in *Installation) relocate() error {
	found, err := filepath.Glob(in.root.Path("usr/lib/*/libnode.so.*"))
	if err != nil || len(found) == 0 {
		return fmt.Errorf("library: Debian's %s has no libnode.so (%w)", bundle.Packages[0], errors.Join(err, os.ErrNotExist))
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		return err
	}
	// The zero before it keeps to whole strings.
	old, inherited := []byte("\x00/"+nodeModules+"/"), []byte("\x00/proc/self/fd/3///")
	if len(old) != len(inherited) {
		return fmt.Errorf("library: %q and %q are not of one length", old, inherited)
	}
	return os.WriteFile(filepath.Join(in.scratch, filepath.Base(found[0])), bytes.ReplaceAll(text, old, inherited), 0o644)
}

// fill has npm install what the lock file names, once for each lock file, beside what Debian's packages were unpacked to.
func (in *Installation) fill(ctx context.Context) error {
	hash := sha256.New()
	files := []string{"package.json", "package-lock.json"}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(in.dir, name))
		if err != nil {
			return err
		}
		hash.Write(text)
	}
	home := filepath.Dir(in.root.Dir)
	done := filepath.Join(home, "npm-"+hex.EncodeToString(hash.Sum(nil)[:4]))
	in.modules = filepath.Join(done, "node_modules")
	if _, err := os.Stat(in.modules); err == nil {
		return nil
	}
	progress("asking npm for the client libraries (once; the cache is " + done + ")")
	tmp, err := os.MkdirTemp(home, "npm-new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(in.dir, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(tmp, name), text, 0o644); err != nil {
			return err
		}
	}
	cmd, err := in.node(ctx, in.root.Path(nodeModules+"/npm/bin/npm-cli.js"))
	if err != nil {
		return err
	}
	cmd.Args = append(cmd.Args, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
	cmd.Dir = tmp
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci for %s: %w (can the npm registry be reached? npm's own configuration names it): %s", filepath.Join(in.dir, files[1]), err, strings.TrimSpace(string(out)))
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := os.Rename(tmp, done); err != nil && !errors.Is(err, os.ErrExist) { // another process may have been as fast
		return err
	}
	return nil
}

// program is what a driver in Go is built to.
func (in *Installation) program(l *Library) string { return filepath.Join(in.scratch, l.Driver) }

// build builds a driver in Go, with the modules that its go.sum has the hashes of.
func (in *Installation) build(ctx context.Context, l *Library) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", in.program(l), ".")
	cmd.Dir = filepath.Join(in.dir, l.Driver)
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build in %s: %w (can the Go module proxy be reached?): %s", cmd.Dir, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// version reads which version of a library is there.
func (in *Installation) version(l *Library) (string, error) {
	switch {
	case l.Debian != "":
		v, err := in.root.Version(l.Debian)
		if err == nil && v == "" {
			err = fmt.Errorf("library: %s is not among Debian's packages", l.Debian)
		}
		return v, err
	case l.Language == Go:
		info, err := buildinfo.ReadFile(in.program(l))
		if err != nil {
			return "", err
		}
		for _, m := range info.Deps {
			if m.Path == l.Name && m.Replace == nil {
				return m.Version, nil
			}
		}
		return "", fmt.Errorf("library: %s is not in what drives it", l.Name)
	}
	text, err := os.ReadFile(filepath.Join(in.modules, l.Name, "package.json"))
	if err != nil {
		return "", err
	}
	var is struct{ Version string }
	if err := json.Unmarshal(text, &is); err != nil {
		return "", fmt.Errorf("library: package.json of %s: %w", l.Name, err)
	}
	return is.Version, nil
}
