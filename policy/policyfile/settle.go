package policyfile

import (
	"os"
	"time"
)

// growth is a file that was written in place, as it was last seen, and since when it has been so.
type growth struct {
	info os.FileInfo
	at   time.Time
}

// unsettled returns how much longer the files are to be left alone because one of them may not be written to its end; zero when they need not be: it is
// whole when its writer has closed it, and where the system does not tell that, when it has been left alone for a while. A file that never rests does not put off the
// reading for ever.
func (f *File) unsettled(by *writers) (wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, patience, growing := time.Now(), f.options.InPlace, map[string]growth{}
	for _, e := range walk(f.paths, nil).files {
		before, known := f.looked[e.name]
		if !e.info.Mode().IsRegular() || known && whole(before, e.info, by) || by.finished(e.info) {
			continue
		}
		g := f.growing[e.name]
		if g.info == nil || !os.SameFile(g.info, e.info) || stampOf(g.info) != stampOf(e.info) {
			g = growth{e.info, now}
		}
		if by.written(e.info) { // and where nothing is added he has not come to its end
			g.at = now
		}
		growing[e.name] = g
		wait = max(wait, patience-now.Sub(g.at))
	}
	f.growing = growing
	if wait > 0 && f.since.IsZero() {
		f.since = now
	}
	if wait <= 0 || now.Sub(f.since) > maxWait*patience {
		f.since = time.Time{}
		return 0
	}
	return wait
}

// whole reports whether a file is the one that was there before, or was put in its place in one step: it may have been made there too, when the one before
// was moved away or deleted.
func whole(before, now os.FileInfo, by *writers) bool {
	if os.SameFile(before, now) {
		return stampOf(before) == stampOf(now)
	}
	return !by.written(now)
}
