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
}

// closing is a file as its writer left it.
type closing struct {
	path string
	info os.FileInfo
}

// remembered is how many of them are kept: other files may be in the same folders.
const remembered = 64

// wrote is told that somebody writes a file.
func (w *writers) wrote(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = slices.DeleteFunc(w.closed, func(c closing) bool { return c.path == path })
}

// left is told that somebody has closed a file that he wrote.
func (w *writers) left(path string) {
	w.wrote(path)
	info, err := os.Stat(path)
	if err != nil {
		return
	}
	w.mu.Lock()
	if len(w.closed) == remembered {
		w.closed = slices.Delete(w.closed, 0, 1)
	}
	w.closed = append(w.closed, closing{path, info})
	w.mu.Unlock()
	select {
	case w.over <- struct{}{}:
	default:
	}
}

// forget is told that something was not heard.
func (w *writers) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = nil
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

// ended gets a tick when a file may be finished that was not.
func (w *writers) ended() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.over
}
