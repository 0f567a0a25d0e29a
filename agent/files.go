package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long a changed file is left alone before it is read, so that a writer can finish.
	settle = 50 * time.Millisecond
	// look is how often the files are looked at although nothing was heard of a change: a bind mount or a network file system may tell nothing.
	look = 10 * time.Second
)

// watched is a file that is read anew when it changes. The policy has a watch of its own.
type watched struct {
	path   string
	reload func() error
	seen   os.FileInfo // at the last reading; nil when there was none
	unread bool        // the last reading failed, and not for what is in the file
}

// changed reports whether the file behind the path is another one than at the last reading, and remembers it.
func (w *watched) changed() bool {
	now, err := os.Stat(w.path)
	if err != nil {
		now = nil
	}
	before := w.seen
	w.seen = now
	if now == nil || before == nil {
		return now != before
	}
	return !os.SameFile(now, before) || now.Size() != before.Size() || !now.ModTime().Equal(before.ModTime())
}

// watchFiles reads tokens, clients, keys, certificate and quick replies anew when they change. Folders are watched and not files, because most writers put a new file in the
// place of the old one, and Kubernetes turns a link beside it; what happened there does not matter, only whether the file behind the path is
// another one.
func (a *Agent) watchFiles(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch files: %w", err)
	}
	defer func() { _ = w.Close() }()
	files := []*watched{{path: a.cfg.Tokens, reload: a.reloadTokens}}
	for _, f := range a.clients.Files() {
		files = append(files, &watched{path: f.Path, reload: func() error { return a.reloadClientFile(f) }})
	}
	if a.cfg.Auth.JWT.JWKSFile != "" {
		files = append(files, &watched{path: a.cfg.Auth.JWT.JWKSFile, reload: a.reloadKeys})
	}
	if a.cert != nil {
		files = append(files, &watched{path: a.cert.certFile, reload: a.reloadCertificate}, &watched{path: a.cert.keyFile, reload: a.reloadCertificate})
	}
	if a.cfg.Lines.Replies != "" {
		files = append(files, &watched{path: a.cfg.Lines.Replies, reload: a.reloadReplies})
	}
	for _, f := range files {
		if err := w.Add(filepath.Dir(f.path)); err != nil {
			return fmt.Errorf("watch the folder of %s: %w", f.path, err)
		}
	}
	a.readChanged(files) // one may have changed since New read it
	poll := time.NewTicker(look)
	defer poll.Stop()
	var quiet <-chan time.Time // set from a change until the files are looked at; the audit log, which never rests, may be in the same folder
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, ok := <-w.Events:
			if !ok {
				return errors.New("watch files: the watcher has closed")
			}
			if quiet == nil {
				quiet = time.After(settle)
			}
		case _, ok := <-w.Errors: // events were lost: look for ourselves
			if !ok {
				return errors.New("watch files: the watcher has closed")
			}
			a.readChanged(files)
		case <-poll.C:
			a.readChanged(files)
		case <-quiet:
			quiet = nil
			a.readChanged(files)
		}
	}
}

// readChanged reads the files that have changed, and those that could not be read then.
func (a *Agent) readChanged(files []*watched) {
	for _, f := range files {
		again := f.unread
		if !f.changed() && !again {
			continue
		}
		err := f.reload()
		switch f.unread = passes(err); {
		case err == nil:
			a.log.Info().Str("file", filepath.Base(f.path)).Msg("read a file")
		case f.unread && again: // it has been said
		case f.unread:
			a.log.Error().Err(err).Msg("a file could not be read; it is tried again, and the last good content stays in use")
		default:
			a.log.Error().Err(err).Msg("a broken file was not taken; the last good content stays in use")
		}
	}
}

// passes reports whether an error is none of the file's, but of the machine at that moment: no change of the file would tell that it is over.
func passes(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO, syscall.ESTALE, syscall.ETIMEDOUT} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
