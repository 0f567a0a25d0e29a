package pbxtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// scratch is the folder that an instance's directories all point into.
type scratch struct {
	dir string
	use *os.File // holds a lock on dir while the instance lives
}

const scratchPrefix = "earshot-pbx-"

// newScratch makes the folder. Its name is short on purpose: the control socket's path has 107 bytes at most.
func newScratch() (*scratch, error) {
	parent := os.TempDir()
	if len(parent) > 60 {
		parent = "/tmp"
	}
	sweep(parent)
	dir, err := os.MkdirTemp(parent, scratchPrefix)
	if err != nil {
		return nil, fmt.Errorf("scratch folder for Asterisk: %w", err)
	}
	use, err := lockDir(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("scratch folder for Asterisk: %w", err), os.RemoveAll(dir))
	}
	return &scratch{dir: dir, use: use}, nil
}

// lockDir takes the lock that marks a scratch folder as in use; the system gives it back when the process is gone.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweep removes the scratch folders of processes that were killed. Younger ones than a minute are left: their owner may
// be about to lock them.
func sweep(parent string) {
	left, err := filepath.Glob(filepath.Join(parent, scratchPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range left {
		if i, err := os.Stat(dir); err != nil || time.Since(i.ModTime()) < time.Minute {
			continue
		}
		if f, err := lockDir(dir); err == nil {
			_ = os.RemoveAll(dir)
			_ = f.Close()
		}
	}
}

func (s *scratch) path(name string) string { return filepath.Join(s.dir, name) }

func (s *scratch) remove() error { return errors.Join(os.RemoveAll(s.dir), s.use.Close()) }

// fill lays out the directories, the links into the installation, the music, a sound and the configuration.
func (s *scratch) fill(a *Asterisk, files map[string]string) error {
	for _, d := range []string{"etc", "var", "db", "keys/keys", "agi", "spool/monitor", "spool/recording", "spool/tmp", "run", "log", "cache", "data/sounds", "data/moh"} {
		if err := os.MkdirAll(s.path(d), 0o755); err != nil {
			return err
		}
	}
	for name, to := range map[string]string{"data/documentation": a.Documentation, "data/rest-api": a.Descriptions, "data/sounds/en": a.Sounds} {
		if to == "" {
			continue
		}
		if err := os.Symlink(to, s.path(name)); err != nil {
			return err
		}
	}
	if err := s.configure(a, files); err != nil {
		return err
	}
	if err := os.WriteFile(s.path("data/sounds/"+Melody+".sln"), tone(MusicTone, 2), 0o644); err != nil {
		return err
	}
	return os.WriteFile(s.path("data/moh/tone.sln"), tone(MusicTone, 10), 0o644)
}

// configure writes the configuration.
func (s *scratch) configure(a *Asterisk, files map[string]string) error {
	files["asterisk.conf"] = s.asteriskConf(a)
	files["musiconhold.conf"] = strings.ReplaceAll(files["musiconhold.conf"], "directory=moh", "directory="+s.path("data/moh"))
	for name, text := range files {
		if name == "modules.conf" {
			text = onlyPresent(text, a.Modules)
		}
		if filepath.Base(name) != name {
			return errors.New("a configuration file is named by its plain name, not " + name)
		}
		if err := os.WriteFile(s.path("etc/"+name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (s *scratch) asteriskConf(a *Asterisk) string {
	var b strings.Builder
	section(&b, "directories",
		"astetcdir => "+s.path("etc"), "astmoddir => "+a.Modules, "astvarlibdir => "+s.path("var"), "astdbdir => "+s.path("db"),
		"astkeydir => "+s.path("keys"), "astdatadir => "+s.path("data"), "astagidir => "+s.path("agi"), "astspooldir => "+s.path("spool"),
		"astrundir => "+s.path("run"), "astlogdir => "+s.path("log"), "astcachedir => "+s.path("cache"))
	b.WriteString(options)
	return b.String()
}

// options is what asterisk.conf says beside directories.
const options = `[options]
verbose=3
debug=0
nocolor=yes
live_dangerously=no
defaultlanguage=en
documentation_language=en_US
hideconnect=yes
lockconfdir=no

`

// tone is a sine of seconds whole seconds in Asterisk's .sln format: 8 kHz, 16 bit, little endian. A whole number of
// periods, so that it goes on without a click when it is repeated.
func tone(hertz float64, seconds int) []byte {
	out := make([]byte, 0, seconds*8000*2)
	for i := range seconds * 8000 {
		v := math.Sin(2*math.Pi*hertz*float64(i)/8000) * 8000
		out = binary.LittleEndian.AppendUint16(out, uint16(int16(v)))
	}
	return out
}

// beginLog puts the log of the run before aside, so that what is looked for in the log belongs to this run.
func (s *scratch) beginLog() error {
	err := os.Rename(s.path("log/messages"), s.path("log/messages.before"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// errorTail is the end of what Asterisk logged and printed.
func (s *scratch) errorTail() string {
	var b strings.Builder
	for _, name := range []string{"log/messages", "output"} {
		raw, err := os.ReadFile(s.path(name))
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
		if len(lines) > 25 {
			lines = lines[len(lines)-25:]
		}
		fmt.Fprintf(&b, "%s:\n%s\n", name, strings.Join(lines, "\n"))
	}
	return b.String()
}
