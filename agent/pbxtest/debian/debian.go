// Package debian gets programs out of the Debian archive without root, without a chroot and
// without touching what is installed: the machine's own apt-get works in directories of ours, the
// packages are unpacked into a cache folder, and the programs run through the dynamic loader that
// came with them.
//
// Invariant: a Root is complete. It is unpacked beside its final place and becomes visible by one
// rename, and it is never removed while a process has it open.
package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// ErrUnavailable marks errors that mean "not on this machine": no apt-get, no dpkg-deb, no Debian
// archive in the apt configuration. The caller may look elsewhere for the program.
var ErrUnavailable = errors.New("the Debian archive cannot be used here")

// Environment variables that Fetch reads.
const (
	EnvCache   = "EARSHOT_CACHE"         // cache folder, instead of earshot in the user's cache folder
	EnvRefresh = "EARSHOT_REFRESH"       // "1": fetch anew although the cache holds the bundle
	EnvMirror  = "EARSHOT_DEBIAN_MIRROR" // URI of a Debian archive, instead of the one in apt's configuration
)

// freshFor is how long a fetched bundle counts as refreshed: several test packages that run with
// EARSHOT_REFRESH=1 at the same time fetch once.
const freshFor = 10 * time.Minute

// Bundle says what to fetch.
type Bundle struct {
	// Name is used for the cache folder and in messages, for example "asterisk".
	Name string
	// Suite is the Debian suite, for example "forky". Empty means the suite that the machine runs.
	Suite string
	// Packages are fetched with all that they depend on (not what they recommend).
	Packages []string
	// Progress is told, in whole sentences, what takes long. Nil prints to standard error.
	Progress func(string)
}

// Fetch returns the unpacked bundle, from the cache when it is there, else from the Debian archive.
// Processes that ask for the same bundle at the same time fetch it once; the others wait. It blocks
// until ctx ends. Close the Root when its programs have ended.
func Fetch(ctx context.Context, b Bundle) (*Root, error) {
	if b.Progress == nil {
		b.Progress = func(s string) { fmt.Fprintln(os.Stderr, "earshot:", s) }
	}
	home, err := b.home()
	if err != nil {
		return nil, err
	}
	refresh := os.Getenv(EnvRefresh) == "1"
	if !refresh {
		// Without the lock, so that a cache which this user may only read serves as well.
		if r, err := openRoot(home); err == nil {
			return r, nil
		}
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return nil, fmt.Errorf("cache folder for %s: %w (set %s to a folder that can be written)", b.Name, err, EnvCache)
	}
	unlock, err := lock(ctx, filepath.Join(home, "lock"), func() {
		b.Progress("another process is fetching " + b.Name + "; waiting for it")
	})
	if err != nil {
		return nil, fmt.Errorf("lock the cache of %s: %w", b.Name, err)
	}
	defer unlock()
	if r, err := openRoot(home); err == nil {
		if !refresh || r.age() < freshFor {
			return r, nil
		}
		if err := r.Close(); err != nil {
			return nil, err
		}
	}
	if err := b.fetch(ctx, home); err != nil {
		return nil, fmt.Errorf("fetch %s from Debian: %w", b.Name, err)
	}
	removeOld(home)
	return openRoot(home)
}

// home is the folder of this bundle in the cache; another list of packages is another folder.
func (b *Bundle) home() (string, error) {
	if b.Name == "" || strings.ContainsAny(b.Name, `/\`) || len(b.Packages) == 0 {
		return "", errors.New("debian: a bundle needs a plain name and at least one package")
	}
	cache := os.Getenv(EnvCache)
	if cache == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no cache folder for %s: %w (set HOME or %s)", b.Name, err, EnvCache)
		}
		cache = filepath.Join(dir, "earshot")
	}
	cache, err := filepath.Abs(cache)
	if err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	sum := sha256.Sum256([]byte(strings.Join(b.Packages, " ")))
	suite := b.Suite
	if suite == "" {
		suite = "own"
	}
	return filepath.Join(cache, "debian", fmt.Sprintf("%s-%s-%s-%s", b.Name, suite, runtime.GOARCH, hex.EncodeToString(sum[:4]))), nil
}

// lock takes an exclusive lock on path, waiting until ctx ends; waiting is called once when it has to wait.
func lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for told := false; ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil // closing gives the lock back
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(err, f.Close())
		}
		if !told {
			waiting()
			told = true
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), f.Close())
		case <-tick.C:
		}
	}
}

// removeOld removes what a killed fetch left, and unpacked roots that are neither current nor open in any process. The
// caller holds the lock. What cannot be removed now is removed after a later refresh.
func removeOld(home string) {
	if dead, err := filepath.Glob(filepath.Join(home, unpackPrefix+"*")); err == nil {
		for _, dir := range dead {
			_ = makeRemovable(dir)
			_ = os.RemoveAll(dir)
		}
	}
	current, err := os.Readlink(filepath.Join(home, currentLink))
	if err != nil {
		return
	}
	old, err := filepath.Glob(filepath.Join(home, rootPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range old {
		if filepath.Base(dir) == current {
			continue
		}
		f, err := os.Open(dir)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = makeRemovable(dir)
			_ = os.RemoveAll(dir)
		}
		_ = f.Close()
	}
}

// makeRemovable gives the owner write access to every folder: packages may ship read-only ones.
func makeRemovable(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o755) //nolint:gosec // nobody else writes in this folder, so nothing comes between
	})
}
