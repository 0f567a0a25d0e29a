package recording

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// beat is how often files that wait are looked at.
const beat = 500 * time.Millisecond

// Run finds recordings until ctx ends, and returns ctx's error, or what keeps it from watching. It looks through the folders first.
func (k *Keeper) Run(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch recordings: %w", err)
	}
	defer func() { _ = w.Close() }()
	k.scan(ctx, w)
	again, try, tick := time.NewTicker(k.cfg.Scan), time.NewTicker(k.cfg.Try), time.NewTicker(beat)
	defer again.Stop()
	defer try.Stop()
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-k.facts:
			k.take(ctx, c)
		case e, ok := <-w.Events:
			if !ok {
				return errors.New("watch recordings: the watcher has closed")
			}
			if e.Has(fsnotify.Create) || e.Has(fsnotify.Write) {
				k.seen(ctx, w, e)
			}
		case _, ok := <-w.Errors: // events were lost: look for ourselves
			if !ok {
				return errors.New("watch recordings: the watcher has closed")
			}
			k.scan(ctx, w)
		case <-again.C:
			k.scan(ctx, w)
		case <-try.C:
			if k.turn(w) {
				k.scan(ctx, w)
			}
		case <-tick.C:
			k.work(ctx)
		}
	}
}

// seen takes in what has happened at a path of this machine's.
func (k *Keeper) seen(ctx context.Context, w *fsnotify.Watcher, e fsnotify.Event) {
	for _, p := range k.cfg.Spools.list {
		rel, err := filepath.Rel(p.Path, e.Name)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		if !e.Has(fsnotify.Create) {
			k.notice(Place{p.Name, rel})
			continue
		}
		root, err := p.folder()
		if err != nil {
			continue
		}
		if info, err := root.Lstat(rel); err == nil && info.IsDir() {
			k.walk(ctx, w, p, rel)
		} else if err == nil {
			k.notice(Place{p.Name, rel})
		}
	}
}

// turn looks whether the spools' folders can be read, and are still the same, tells of what has changed, and reports whether anything has. What lies in
// a folder that was given up is not watched any more: it would be told by the same paths as what lies in the new one.
func (k *Keeper) turn(w *fsnotify.Watcher) bool {
	turns := k.cfg.Spools.Look()
	for _, t := range turns {
		k.cfg.OnTurn(t)
		p, err := k.cfg.Spools.named(t.Spool)
		if err != nil {
			continue
		}
		for _, at := range w.WatchList() {
			if rel, err := filepath.Rel(p.Path, at); err == nil && filepath.IsLocal(rel) {
				_ = w.Remove(at) // the kernel may have done so already
			}
		}
	}
	return len(turns) > 0
}

// scan looks through all folders that can be read.
func (k *Keeper) scan(ctx context.Context, w *fsnotify.Watcher) {
	k.turn(w)
	for _, p := range k.cfg.Spools.list {
		k.walk(ctx, w, p, ".")
	}
	if ctx.Err() == nil {
		k.swept()
	}
	k.work(ctx)
}

// walk looks through a folder and what is below it, and has all that are in it watched. Links are not followed.
func (k *Keeper) walk(ctx context.Context, w *fsnotify.Watcher, p *spool, from string) {
	root, err := p.folder()
	if err != nil {
		return // turn has told
	}
	err = fs.WalkDir(root.FS(), from, func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			k.cfg.OnError(fmt.Errorf("look through the spool %s: %w", p.Name, reason(err)))
			return nil
		case d.IsDir():
			if err := w.Add(filepath.Join(p.Path, name)); err != nil {
				k.cfg.OnError(fmt.Errorf("watch a folder of the spool %s: %w", p.Name, reason(err)))
			}
		case d.Type().IsRegular():
			if k.notice(Place{p.Name, path.Clean(name)}); k.crowded() {
				k.work(ctx) // so that as many as there are fit
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		k.cfg.OnError(fmt.Errorf("look through the spool %s: %w", p.Name, reason(err)))
	}
}

func (k *Keeper) crowded() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.waiting) >= maxWaiting/2
}

// reason is an error about a file without its name.
func reason(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
