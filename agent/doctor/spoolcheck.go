package doctor

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Spool is a folder of recordings that Earshot serves.
type Spool struct{ Name, Path string }

// Recordings says what Earshot does with recordings. The zero value: nothing.
type Recordings struct {
	Spools  []Spool
	Deletes bool // the policy lets somebody delete recordings
	Records bool // it lets somebody record calls from here
	ARI     bool // one of the spools is ARI's

	access func(path string, mode uint32) error // access(2); nil: the system's
}

// spoolSource is what the report calls the folders of recordings.
const spoolSource = "spools"

// most is how many files of a spool are looked at: the last of a million is like the first.
const most = 2000

// spoolChecks look at the folders of recordings, on the machine on which the doctor runs and as the user that runs it.
func spoolChecks(e *exam) {
	r := &e.own.Recordings
	if r.access == nil {
		r.access = syscall.Access
	}
	if r.Records && !r.ARI {
		e.find("spool-ari", where{section: "recordings.spools"})
	}
	for _, s := range r.Spools {
		at := where{section: "spool " + s.Name}
		info, err := os.Stat(s.Path)
		if err != nil || !info.IsDir() {
			e.find("spool-unread", at, "what", "the folder of the spool", "why", cause(err))
			continue
		}
		e.walkSpool(s, at, info)
		if r.Deletes && r.access(s.Path, accessWrite|accessEnter) != nil {
			e.find("spool-undeleted", at)
		}
	}
}

// What access(2) is asked for.
const (
	accessRead  = 4
	accessWrite = 2
	accessEnter = 1
)

// walkSpool looks at the files of a spool, each fault once: the first is told, by what it is and not by its name, in which callers' numbers stand.
func (e *exam) walkSpool(s Spool, at where, top fs.FileInfo) {
	entered, seen := entered(s.Path), 0
	told := map[string]bool{}
	find := func(code string, with ...string) {
		if !told[code] {
			told[code] = true
			e.find(code, at, with...)
		}
	}
	err := filepath.WalkDir(s.Path, func(path string, d fs.DirEntry, err error) error {
		if seen++; seen > most || e.ctx.Err() != nil {
			return fs.SkipAll
		}
		if err != nil {
			find("spool-unread", "what", "a folder in the spool", "why", cause(err))
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil // gone meanwhile
		}
		switch mode := info.Mode(); {
		case d.IsDir():
			if device(info) != device(top) {
				find("spool-parts", "what", "a folder of another file system is mounted in the spool")
			}
			if mode.Perm()&1 == 0 && path != s.Path {
				return e.inside(path, find) // nobody else comes in here
			}
		case mode&fs.ModeSymlink != 0:
			find("spool-parts", "what", "there is a link in the spool")
		case mode.IsRegular():
			if e.own.Recordings.access(path, accessRead) != nil {
				find("spool-unread", "what", "a file in the spool", "why", "permission denied")
			}
			if entered && mode.Perm()&4 != 0 {
				find("spool-open")
			}
		}
		return nil
	})
	if err != nil {
		find("spool-unread", "what", "the folder of the spool", "why", cause(err))
	}
}

// inside looks at a folder that others cannot come into, for whether it can be read, and has the walk go by it.
func (e *exam) inside(path string, find func(code string, with ...string)) error {
	if _, err := os.ReadDir(path); err != nil {
		find("spool-unread", "what", "a folder in the spool", "why", cause(err))
	}
	return fs.SkipDir
}

// entered reports whether everybody on the machine may come into a folder, through all that lead to it.
func entered(path string) bool {
	path, err := filepath.Abs(path)
	if err != nil {
		return true
	}
	for {
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm()&1 == 0 {
			return false
		}
		up := filepath.Dir(path)
		if up == path {
			return true
		}
		path = up
	}
}

func device(info fs.FileInfo) string {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprint(st.Dev)
	}
	return ""
}

// cause is why something cannot be read, without its name.
func cause(err error) string {
	if err == nil {
		return "it is no folder"
	}
	if pe, ok := err.(*fs.PathError); ok { //nolint:errorlint // what package os returns itself
		err = pe.Err
	}
	return err.Error()
}
