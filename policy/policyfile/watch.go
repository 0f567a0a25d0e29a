package policyfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// maxWait is how many debounces long files that never rest are waited for.
const maxWait = 10

// Watch keeps the policy in force up to date until the context ends, and returns nil then. It returns an error only when
// a folder cannot be watched. One call at a time.
//
// It watches folders and not files: an editor writes a new file and renames it over the old one, after which a watch of
// the file would watch what nobody can see any more, and Kubernetes turns a symbolic link beside it. What happened there
// does not matter, only whether the paths lead to other files or other bytes.
func (f *File) Watch(ctx context.Context) error {
	if f.given {
		return f.watchMoments(ctx)
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the policy: %w", err)
	}
	defer func() { _ = w.Close() }()
	by := newWriters()
	defer by.close()
	in := &folders{watcher: w, writers: by, paths: f.paths}
	if err := in.follow(); err != nil {
		return fmt.Errorf("watch the policy: %w", err)
	}
	var quiet <-chan time.Time // set while changes are coming in
	var since time.Time        // of the first change that was not acted on yet
	leaving := false           // what is being waited for is that a file rests which is written in place
	look := func() {
		wait := f.unsettled(by)
		if leaving = wait > 0; leaving {
			quiet = time.After(wait)
			return
		}
		quiet = nil
		f.check(in)
	}
	look() // between Open and the watch the files may have changed unheard
	for {
		var open, ended bool
		var event fsnotify.Event
		select {
		case <-ctx.Done():
			return nil
		case event, open = <-w.Events:
		case _, open = <-w.Errors: // events were lost: look for ourselves
		case <-by.ended():
			if leaving { // that file perhaps
				look()
			}
			continue
		case <-quiet:
			more := false
			if !leaving && time.Since(since) < maxWait*f.options.Debounce {
				select {
				case event, open = <-w.Events: // it has come while a policy was being compiled
					more = true
				default:
				}
			}
			if !more {
				look()
				continue
			}
			ended = true // this wait is, so without another one nothing would be looked at any more
		case <-f.options.After(f.untilNext()):
			f.expire()
			if quiet == nil { // or somebody is still writing
				look()
			}
			continue
		}
		if !open {
			return errors.New("watch the policy: the watcher has closed")
		}
		if quiet == nil || leaving { // the wait for that file is begun anew when it is looked at
			quiet, leaving, since = nil, false, time.Now()
		}
		// One file that is written all the time in the same folder must not put off the reading for ever.
		if quiet == nil || ended || time.Since(since) < maxWait*f.options.Debounce {
			quiet = time.After(f.options.Debounce)
			if isPolicy(filepath.Base(event.Name)) { // what else is written there is looked at when it has come to rest
				f.prepare()
			}
		}
	}
}

// check reads the files again if they have changed. Its error has been told by OnChange and Status.
func (f *File) check(in *folders) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = in.follow() // before reading, so that what happens in a new folder after it was read is heard; polling makes up for one that cannot be watched
	_ = f.load(false, 0)
}

// untilNext is the time until an assignment ends, at most the poll interval: a timer does not notice that the clock was set.
func (f *File) untilNext() time.Duration {
	wait := f.options.Poll
	if next, ends := f.Current().NextChange(); ends {
		if d := next.Sub(f.options.Now()); d < wait {
			wait = max(d, 0)
		}
	}
	return wait
}

// folders keeps the watcher on every folder in which something can change what the paths lead to. The kernel gives one watch to one
// folder, whatever the name, and two names for it would take each other's away: so each goes by its real name.
type folders struct {
	watcher *fsnotify.Watcher
	writers *writers
	paths   []string
	watched map[string]bool
}

// follow watches the folders of now, new ones too, and those of before no more. While something is missing it keeps them as well: they
// still tell of its return. The error joins why folders cannot be watched.
func (d *folders) follow() error {
	for {
		now, errs := map[string]bool{}, []error(nil)
		t := walk(d.paths, func(folder string) {
			folder, err := filepath.EvalSymlinks(folder)
			if err != nil || now[folder] {
				return // what cannot be found is load's to report
			}
			now[folder] = true
			d.writers.add(folder)
			// Adding again is harmless, and right when the folder was made anew. One that is gone already was in another, which tells of
			// it; and in one that may be passed and not read nothing can be heard, so there it is polling that sees a change.
			if err := d.watcher.Add(folder); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
				errs = append(errs, &fs.PathError{Op: "watch", Path: folder, Err: err})
			}
		})
		before := d.watched
		d.watched = now
		if len(t.errs) > 0 {
			maps.Copy(d.watched, before)
			return errors.Join(errs...)
		}
		left := false
		for folder := range before {
			if !now[folder] {
				left = true
				_ = d.watcher.Remove(folder) // gone already when the folder was deleted
				d.writers.remove(folder)
			}
		}
		if !left {
			return errors.Join(errs...)
		}
		// A folder that was renamed had one watch under both names, and has none now: watch it again.
	}
}
