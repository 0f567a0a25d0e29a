package debian

import (
	"bufio"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	currentLink  = "current"                // in the bundle's folder: leads to the root in use
	rootPrefix   = "root-"                  // unpacked and complete
	unpackPrefix = "unpack-"                // being unpacked, or left by a fetch that was killed
	packageList  = ".earshot-packages.list" // in a root: name and version of each package
)

// Root is an unpacked bundle. Safe for concurrent use.
type Root struct {
	// Dir is the folder that stands for "/".
	Dir string
	use *os.File // holds a shared lock: no refresh of any process removes the root meanwhile
}

func openRoot(home string) (*Root, error) {
	dir, err := filepath.EvalSymlinks(filepath.Join(home, currentLink))
	if err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r := &Root{Dir: dir, use: f}
	// A refresh may have removed the folder between the look and the lock.
	if _, err := os.Stat(r.Path(packageList)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

// Close says that no program of the root runs any more on behalf of this value.
func (r *Root) Close() error { return r.use.Close() }

// Path is a path inside the root: Path("usr/sbin/asterisk").
func (r *Root) Path(name string) string { return filepath.Join(r.Dir, name) }

// age is the time since the root was fetched.
func (r *Root) age() time.Duration {
	i, err := os.Stat(r.Path(packageList))
	if err != nil {
		return 0
	}
	return time.Since(i.ModTime())
}

// Version is the version of a package of the root, empty when it is not part of it.
func (r *Root) Version(name string) (string, error) {
	f, err := os.Open(r.Path(packageList))
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); ; {
		if !s.Scan() {
			return "", s.Err()
		}
		if n, v, ok := strings.Cut(s.Text(), " "); ok && n == name {
			return v, nil
		}
	}
}

// Command is the command that runs a program of the root, given by its path inside the root ("usr/bin/redis-server") or
// its plain name, through the root's own dynamic loader and libraries. The caller sets everything else and starts it.
func (r *Root) Command(ctx context.Context, program string, args ...string) (*exec.Cmd, error) {
	path, err := r.find(program)
	if err != nil {
		return nil, err
	}
	loader, err := r.loader(path)
	if err != nil {
		return nil, err
	}
	if loader == "" { // statically linked
		return exec.CommandContext(ctx, path, args...), nil
	}
	libs, err := r.libraries()
	if err != nil {
		return nil, err
	}
	// --inhibit-cache keeps the machine's /etc/ld.so.cache, which names the machine's libraries, out of it.
	return exec.CommandContext(ctx, loader, append([]string{
		"--inhibit-cache", "--library-path", strings.Join(libs, ":"), path,
	}, args...)...), nil
}

func (r *Root) find(program string) (string, error) {
	places := []string{program}
	if !strings.Contains(program, "/") {
		places = []string{"usr/sbin/" + program, "usr/bin/" + program, "sbin/" + program, "bin/" + program}
	}
	for _, p := range places {
		if i, err := os.Stat(r.Path(p)); err == nil && i.Mode().IsRegular() {
			return r.Path(p), nil
		}
	}
	return "", fmt.Errorf("no program %s in %s: %w", program, r.Dir, os.ErrNotExist)
}

// loader finds the dynamic loader that the program asks for inside the root. Its name, which differs from
// architecture to architecture, is taken from the program itself.
func (r *Root) loader(path string) (string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	defer func() { _ = f.Close() }()
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		raw, err := io.ReadAll(p.Open())
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		name := filepath.Base(strings.TrimRight(string(raw), "\x00"))
		for _, pattern := range []string{"usr/lib/*/", "lib/*/", "usr/lib*/", "lib*/"} {
			if found, _ := filepath.Glob(r.Path(pattern + name)); len(found) > 0 {
				return found[0], nil
			}
		}
		return "", fmt.Errorf("the loader %s is not in %s: %w", name, r.Dir, os.ErrNotExist)
	}
	return "", nil
}

// libraries are the folders of the root that hold shared libraries: the multiarch folders, and theirs that
// packages put into ld.so.conf.d.
func (r *Root) libraries() ([]string, error) {
	var dirs []string
	for _, pattern := range []string{"usr/lib/*/libc.so.6", "lib/*/libc.so.6"} {
		found, err := filepath.Glob(r.Path(pattern))
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			triple := filepath.Base(filepath.Dir(f))
			for _, d := range []string{"usr/lib/" + triple, "lib/" + triple, "usr/lib", "lib"} {
				if i, err := os.Stat(r.Path(d)); err == nil && i.IsDir() {
					dirs = append(dirs, r.Path(d))
				}
			}
		}
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("no C library in %s: %w", r.Dir, os.ErrNotExist)
	}
	return dirs, nil
}
