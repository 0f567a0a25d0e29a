package policyfile

import (
	"os"
	"slices"
	"sync"
)

// writers knows of files that are written where they stand that whoever wrote them has closed them since: what is there is whole. A nil one, and one where
// the system does not tell, knows of none.
type writers struct {
	source *source       // of what the system tells; nil: it does not
	over   chan struct{} // gets a tick when somebody has closed a file that he wrote

	mu     sync.Mutex // guards what follows
	closed []closing  // oldest first
	begun  []closing  // made or written and not closed since; oldest first
}

// closing is a file as its writer left it, or as it was found when he began.
type closing struct {
	path string
	info os.FileInfo
}

// remembered is how many of them are kept: other files may be in the same folders.
const remembered = 64

// wrote is told that somebody makes a file, or writes it.
func (w *writers) wrote(path string) {
	info, err := os.Lstat(path)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed, w.begun = without(w.closed, path), without(w.begun, path)
	if err == nil && info.Mode().IsRegular() {
		w.begun = with(w.begun, closing{path, info})
	}
}

// left is told that somebody has closed a file that he wrote, or has put it there in one step.
func (w *writers) left(path string) {
	w.wrote(path)
	w.gone(path)
	info, err := os.Stat(path)
	if err != nil {
		return
	}
	w.mu.Lock()
	w.closed = with(w.closed, closing{path, info})
	w.mu.Unlock()
	select {
	case w.over <- struct{}{}:
	default:
	}
}

// gone is told that a path leads to what it led to no more. What was closed under it is whole under its next name too.
func (w *writers) gone(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = without(w.begun, path)
}

// forget is told that something was not heard.
func (w *writers) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed, w.begun = nil, nil
}

func without(list []closing, path string) []closing {
	return slices.DeleteFunc(list, func(c closing) bool { return c.path == path })
}

func with(list []closing, c closing) []closing {
	if len(list) == remembered {
		list = slices.Delete(list, 0, 1)
	}
	return append(list, c)
}

// finished reports whether a file is as its writer left it.
func (w *writers) finished(info os.FileInfo) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.closed, func(c closing) bool { return os.SameFile(c.info, info) && stampOf(c.info) == stampOf(info) })
}

// written reports whether a file was made or written where it stands, and its writer has not closed it.
func (w *writers) written(info os.FileInfo) bool {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.begun, func(c closing) bool { return os.SameFile(c.info, info) })
}

// ended gets a tick when a file may be finished that was not.
func (w *writers) ended() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.over
}
