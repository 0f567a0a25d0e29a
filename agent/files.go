package agent

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long a changed file is left alone before it is read, so that a writer can finish.
const settle = 50 * time.Millisecond

// watchFiles reads tokens and clients anew when they change. Folders are watched and not files, because most writers put a new file in the
// place of the old one. The policy has a watch of its own.
func (a *Agent) watchFiles(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch files: %w", err)
	}
	defer func() { _ = w.Close() }()
	reload := map[string]func() error{filepath.Clean(a.cfg.Tokens): a.reloadTokens}
	if a.cfg.Clients != "" {
		reload[filepath.Clean(a.cfg.Clients)] = a.reloadClients
	}
	for path := range reload {
		if err := w.Add(filepath.Dir(path)); err != nil {
			return fmt.Errorf("watch the folder of %s: %w", path, err)
		}
	}
	changed := map[string]bool{}
	timer := time.NewTimer(settle)
	timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-w.Events:
			if path := filepath.Clean(e.Name); reload[path] != nil && !e.Has(fsnotify.Chmod) {
				changed[path] = true
				timer.Reset(settle)
			}
		case err := <-w.Errors:
			a.log.Warn().Err(err).Msg("a change of a file may have been missed; POST /-/reload reads them all")
		case <-timer.C:
			for path := range changed {
				if err := reload[path](); err != nil {
					a.log.Error().Err(err).Msg("a broken file was not taken; the last good content stays in use")
				} else {
					a.log.Info().Str("file", filepath.Base(path)).Msg("read a changed file")
				}
			}
			clear(changed)
		}
	}
}
