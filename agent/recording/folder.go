package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// ErrDown says that a spool's folder cannot be read now. What is asked for may be there, so this is never [ErrNoFile].
var ErrDown = errors.New("the folder of the recordings cannot be read now")

// CheckFolder reports why a folder cannot be a spool's: it is not there, or may not be read and gone through.
func CheckFolder(path string) error {
	root, _, err := openFolder(path)
	if err != nil {
		return err
	}
	return root.Close()
}

// openFolder opens a folder, and tells which it is.
func openFolder(path string) (*os.Root, os.FileInfo, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, nil, err
	}
	info, err := root.Lstat(".") // which needs the right to go through it
	if err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	return root, info, nil
}

// Turn is what has become of a spool's folder.
type Turn struct {
	Spool    string
	Err      error // why it cannot be read; nil: it can
	Replaced bool  // another folder has come into its place
}

// Look tries the folders that cannot be read again, and sees whether those that can are still the ones at their paths: one may have been mounted
// anew, or replaced. It returns what has changed since the last time; the first time, which cannot be read.
func (s *Spools) Look() (turns []Turn) {
	for _, p := range s.list {
		if t, turned := p.look(); turned {
			turns = append(turns, t)
		}
	}
	return turns
}

// Up tells of each spool, by its name, whether its folder could be read when that was looked at last.
func (s *Spools) Up() map[string]bool {
	up := make(map[string]bool, len(s.list))
	for _, p := range s.list {
		_, err := p.folder()
		up[p.Name] = err == nil
	}
	return up
}

// folder is the spool's folder. ErrDown says that there is none now.
func (p *spool) folder() (*os.Root, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.root == nil {
		return nil, ErrDown
	}
	return p.root, nil
}

func (p *spool) look() (t Turn, turned bool) {
	root, info, err := openFolder(p.Path)
	p.mu.Lock()
	defer p.mu.Unlock()
	t = Turn{Spool: p.Name, Err: err}
	before := p.root
	switch {
	case err != nil:
		p.root = nil
		turned, p.told = !p.told, true
	case before != nil && os.SameFile(info, p.info):
		_ = root.Close() // of a folder that was only read there is nothing to lose
		return t, false
	default:
		p.root, p.info = root, info
		t.Replaced, turned, p.told = before != nil, before != nil || p.told, false
	}
	if before != nil {
		_ = before.Close()
	}
	return t, turned
}

func (p *spool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	root := p.root
	if p.root = nil; root == nil {
		return nil
	}
	return root.Close()
}

// isThere reports whether the folder that is open is still the one at its path. That a file is not in another one tells nothing.
func (p *spool) isThere() bool {
	now, err := os.Stat(p.Path)
	p.mu.Lock()
	defer p.mu.Unlock()
	return err == nil && p.root != nil && os.SameFile(now, p.info)
}

// lacks is an error about a file without its name, since numbers of callers stand in names: ErrNoFile, or ErrDown where the folder is what fails.
func (p *spool) lacks(err error) error {
	err = reason(err)
	switch {
	case errors.Is(err, os.ErrClosed), errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.EIO), !p.isThere():
		return fmt.Errorf("%w: %w", ErrDown, err)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrNoFile):
		return ErrNoFile
	}
	return fmt.Errorf("%w: %w", ErrNoFile, err)
}
