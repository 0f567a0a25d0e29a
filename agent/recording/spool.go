// Package recording keeps the files that hold what was said: where they are, which call each belongs to, and whether a second authority lets
// somebody have one.
//
// Its invariant: a file is named by a spool and a name below that spool's folder, both out of the journal and never out of a request, and nothing
// outside the folder is opened or removed, whatever the name says and whatever links lie there. Who may have a file is not decided here, but for
// the second authority's part of it.
package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
)

// SpoolConfig is one folder of recordings.
type SpoolConfig struct {
	Name    string `yaml:"name"`     // lower-case letters, digits and hyphens: how journal and second authority call it
	Path    string `yaml:"path"`     // the folder
	PBXPath string `yaml:"pbx_path"` // the same folder by the path that Asterisk has for it, where that is another; path
	// Where the channel's unique id stands in a file's name: text, * for any, and {uniqueid} once; left out, it is the last one in the name.
	Pattern string `yaml:"pattern"`
	ARI     bool   `yaml:"ari"` // ARI's recordings go there: the folder recording of Asterisk's spool
}

// Errors about files.
var (
	ErrNoSpool = errors.New("there is no such spool")
	ErrNoFile  = errors.New("there is no such recording's file")
)

// formats are the endings that a recording may have, with the media type of each. Asterisk writes GSM in a WAV file with the ending WAV.
var formats = map[string]string{
	".wav": "audio/wav", ".WAV": "audio/wav", ".wav49": "audio/wav", ".wav16": "audio/wav", ".gsm": "audio/gsm", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".opus": "audio/ogg",
	".g722": "audio/G722", ".ulaw": "audio/basic", ".ul": "audio/basic", ".alaw": "audio/x-alaw-basic", ".al": "audio/x-alaw-basic",
}

// MediaType returns the media type of a recording by its name's ending; empty for what is no recording.
func MediaType(name string) string { return formats[path.Ext(name)] }

// Spools are folders of recordings. They are safe for concurrent use.
type Spools struct {
	list []*spool
}

type spool struct {
	SpoolConfig
	pattern *pattern

	mu   sync.Mutex
	root *os.Root    // nil: the folder cannot be read
	info os.FileInfo // which folder it is
	told bool        // whether Look has told that it cannot be read
}

// OpenSpools opens the folders. One that cannot be read is no error: Look tells of it, and tries it again.
func OpenSpools(configs []SpoolConfig) (*Spools, error) {
	s := &Spools{}
	var errs []error
	for _, c := range configs {
		p, err := parsePattern(c.Pattern)
		if err != nil {
			errs = append(errs, fmt.Errorf("recordings: the spool %s: %w", c.Name, err))
			continue
		}
		if c.PBXPath == "" {
			c.PBXPath = c.Path
		}
		one := &spool{SpoolConfig: c, pattern: p}
		if one.root, one.info, err = openFolder(c.Path); err != nil {
			one.root = nil // the first Look tells why
		}
		s.list = append(s.list, one)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close closes the folders.
func (s *Spools) Close() error {
	var errs []error
	for _, p := range s.list {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

func (s *Spools) named(name string) (*spool, error) {
	for _, p := range s.list {
		if p.Name == name {
			return p, nil
		}
	}
	return nil, ErrNoSpool
}

// isName reports whether a name can be that of a recording below a folder: a path in its plain form, downwards only, of an ending that is known.
func isName(name string) bool {
	return fs.ValidPath(name) && filepath.IsLocal(name) && MediaType(name) != "" && !strings.ContainsRune(name, '\\') &&
		strings.IndexFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) < 0
}

// File is a recording's open file.
type File struct {
	*os.File
	Info os.FileInfo // as it was opened
}

// Open opens a recording: a regular file, neither a link itself nor behind one that leads out of the folder. What is not that is ErrNoFile,
// whatever it is; ErrDown where the spool cannot be read.
func (s *Spools) Open(spool, name string) (*File, error) {
	p, err := s.named(spool)
	if err != nil {
		return nil, err
	}
	return p.open(name)
}

func (p *spool) open(name string) (*File, error) {
	if _, err := p.stat(name); err != nil {
		return nil, err
	}
	root, err := p.folder()
	if err != nil {
		return nil, err
	}
	// Not to wait for a writer if a pipe has come into the place of the file meanwhile.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, p.lacks(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNoFile
	}
	if err != nil {
		return nil, errors.Join(p.lacks(err), f.Close())
	}
	return &File{File: f, Info: info}, nil
}

func (p *spool) stat(name string) (os.FileInfo, error) {
	if !isName(name) {
		return nil, ErrNoFile
	}
	root, err := p.folder()
	if err != nil {
		return nil, err
	}
	info, err := root.Lstat(name)
	if err != nil {
		return nil, p.lacks(err)
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNoFile
	}
	return info, nil
}

// Place is where a recording's file is.
type Place struct{ Spool, File string }

// Copies lists where a recording's file lies besides: under the same name in another spool, and in any of them under that name with another
// ending, as what turns recordings into MP3 leaves them. ErrDown says that one of the spools cannot be read, where there may be more.
func (s *Spools) Copies(spool, name string) (found []Place, err error) {
	if !isName(name) {
		return nil, nil
	}
	stem := strings.TrimSuffix(name, path.Ext(name))
	for _, p := range s.list {
		for _, end := range endings {
			other := stem + end
			if p.Name == spool && other == name {
				continue
			}
			switch _, err := p.stat(other); {
			case err == nil:
				found = append(found, Place{p.Name, other})
			case errors.Is(err, ErrDown):
				return nil, fmt.Errorf("spool %s: %w", p.Name, err)
			}
		}
	}
	return found, nil
}

var endings = func() (all []string) {
	for end := range formats {
		all = append(all, end)
	}
	slices.Sort(all)
	return all
}()

// Has reports whether there is a recording's file; ErrNoSpool where there is not even its spool, ErrDown where that cannot be read.
func (s *Spools) Has(at Place) (bool, error) {
	_, _, err := s.stat(at)
	if errors.Is(err, ErrNoFile) {
		return false, nil
	}
	return err == nil, err
}

// Remove removes a recording's file for good. ErrNoFile says that there is none.
func (s *Spools) Remove(spool, name string) error {
	p, err := s.named(spool)
	if err != nil {
		return err
	}
	if _, err := p.stat(name); err != nil {
		return err
	}
	root, err := p.folder()
	if err != nil {
		return err
	}
	if err := reason(root.Remove(name)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return p.lacks(err)
		}
		return fmt.Errorf("remove a recording's file: %w", err)
	}
	return nil
}

// placeOf is the place of a file by the path that Asterisk has for it.
func (s *Spools) placeOf(pbxPath string) (Place, bool) {
	if !filepath.IsAbs(pbxPath) {
		return Place{}, false
	}
	best, at := -1, Place{}
	for _, p := range s.list {
		rel, err := filepath.Rel(p.PBXPath, pbxPath)
		if err != nil || !isName(rel) || len(p.PBXPath) <= best {
			continue
		}
		best, at = len(p.PBXPath), Place{p.Name, rel}
	}
	return at, best >= 0
}

// TakesARI reports whether there is a spool for ARI's recordings.
func (s *Spools) TakesARI() bool {
	return slices.ContainsFunc(s.list, func(p *spool) bool { return p.ARI })
}

// ofARI is the place of one of ARI's recordings.
func (s *Spools) ofARI(name, format string) (Place, bool) {
	file := name + "." + format
	for _, p := range s.list {
		if p.ARI && isName(file) {
			return Place{p.Name, file}, true
		}
	}
	return Place{}, false
}

// tells reports whether a file's name says whose it may be.
func (s *Spools) tells(at Place) bool {
	p, err := s.named(at.Spool)
	return err == nil && len(p.pattern.ids(path.Base(at.File))) > 0
}

// stat tells how large a file is and when it was written last.
func (s *Spools) stat(at Place) (size int64, modified time.Time, err error) {
	p, err := s.named(at.Spool)
	if err != nil {
		return 0, time.Time{}, err
	}
	info, err := p.stat(at.File)
	if err != nil {
		return 0, time.Time{}, err
	}
	return info.Size(), info.ModTime(), nil
}
