package agent

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/earshot-pbx/earshot/agent/journal"
	"github.com/earshot-pbx/earshot/agent/recording"
	"github.com/rs/zerolog"
)

// kept gives a configuration of house more lines, in a folder of its own.
func kept(t *testing.T, add string) (dir string) {
	t.Helper()
	_, dir, _ = house(t)
	dir = elsewhere(t, dir)
	text, err := os.ReadFile(filepath.Join(dir, "earshot.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "earshot.yaml"), string(text)+add)
	return dir
}

// newer makes a journal of a version that is not known yet.
func newer(t *testing.T, path string) {
	t.Helper()
	st, err := journal.Open(t.Context(), journal.Config{Path: path})
	if err == nil {
		err = st.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[62] = 9 // the version has four bytes, from the sixtieth on
	write(t, path, string(text))
}

// What Earshot would not start with, or would do without, is told by the check, where it stands; and the error of the start names the key.
func TestWhatTheStartRefusesTheCheckRefuses(t *testing.T) {
	const where = "journal: {file: journal.db}\nrecordings: {spools: [{name: main, path: spool}]}\n"
	for name, tc := range map[string]struct {
		add     string
		prepare func(dir string) error
		check   string // what the check says
		start   string // what the start says; empty: it starts
	}{
		"all is well":        {where, nil, "", ""},
		"a spool is missing": {where, func(dir string) error { return os.Remove(filepath.Join(dir, "spool")) }, "earshot.yaml:11:42: recordings.spools[0].path: open ", ""},
		"a spool is a file": {where, func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "spool")), os.WriteFile(filepath.Join(dir, "spool"), nil, 0o600))
		}, "earshot.yaml:11:42: recordings.spools[0].path: open ", ""},
		"a newer journal": {where, func(dir string) error { newer(t, filepath.Join(dir, "journal.db")); return nil }, "earshot.yaml:10:17: journal.file: the journal's file was written by a newer version", "journal.file: open the journal: the journal's file was written by a newer version"},
		"no journal": {where, func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "journal.db"), []byte(strings.Repeat("text ", 99)), 0o600)
		}, "earshot.yaml:10:17: journal.file: the journal's file is no SQLite database", "journal.file: open the journal: "},
		"a folder for journal": {where, func(dir string) error { return os.Mkdir(filepath.Join(dir, "journal.db"), 0o700) }, "earshot.yaml:10:17: journal.file: a file belongs here", "journal.file: open the journal: "},
		"a folder for audit":   {where, func(dir string) error { return os.Mkdir(filepath.Join(dir, "audit.jsonl"), 0o700) }, "earshot.yaml:4:15: audit.file: a file belongs here", "audit.file: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := kept(t, tc.add)
			if err := os.Mkdir(filepath.Join(dir, "spool"), 0o700); err != nil {
				t.Fatal(err)
			}
			if tc.prepare != nil {
				if err := tc.prepare(dir); err != nil {
					t.Fatal(err)
				}
			}
			before := names(t, dir)
			_, err := Check(filepath.Join(dir, "earshot.yaml"))
			if (err == nil) != (tc.check == "") || err != nil && !strings.Contains(err.Error(), tc.check) {
				t.Errorf("the check: %v", err)
			}
			if after := names(t, dir); !slices.Equal(before, after) {
				t.Errorf("the check has made files: %v, %v", before, after)
			}
			cfg, err := LoadConfig(filepath.Join(dir, "earshot.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			a, err := New(cfg, zerolog.Nop(), "test")
			if err == nil {
				a.closeFiles()
			}
			if (err == nil) != (tc.start == "") || err != nil && !strings.Contains(err.Error(), tc.start) {
				t.Errorf("the start: %v", err)
			}
		})
	}
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestARIsRecordingsGoToOneFolder(t *testing.T) {
	dir := kept(t, "journal: {file: journal.db}\nrecordings: {spools: [{name: a, path: a, ari: true}, {name: b, path: b, ari: true}]}\n")
	_, err := LoadConfig(filepath.Join(dir, "earshot.yaml"))
	if want := "earshot.yaml:11:78: recordings.spools.ari is true of another spool already"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v", err)
	}
}

// Rights are looked at for who runs the check, and nothing is made to find out.
func TestTheCheckLooksAtRights(t *testing.T) {
	dir := t.TempDir()
	may, mayNot, file := filepath.Join(dir, "may"), filepath.Join(dir, "may-not"), filepath.Join(dir, "may", "read-only")
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Mkdir(may, 0o700), os.Chmod(may, 0o777), os.Mkdir(mayNot, 0o700), os.Chmod(mayNot, 0o444),
		os.WriteFile(file, nil, 0o400), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // who is root may everything: this thread becomes somebody else for a while
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		const nobody = 65534
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, 0); errno != 0 {
			t.Fatal(errno)
		}
		defer func() {
			if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, 0, 0, 0); errno != 0 {
				panic(errno)
			}
		}()
	}
	for path, want := range map[string]bool{filepath.Join(may, "new"): true, filepath.Join(mayNot, "new"): false, file: false} {
		if err := writable(path); (err == nil) != want || err != nil && !errors.Is(err, syscall.EACCES) {
			t.Errorf("write %s: %v", filepath.Base(path), err)
		}
	}
	for path, want := range map[string]bool{may: true, mayNot: false} {
		if err := recording.CheckFolder(path); (err == nil) != want || err != nil && !errors.Is(err, syscall.EACCES) {
			t.Errorf("read %s: %v", filepath.Base(path), err)
		}
	}
}

// Earshot starts without a folder of recordings, and says so.
func TestEarshotStartsWithoutAFolderOfRecordings(t *testing.T) {
	dir := kept(t, "")
	a, log := reopen(t, dir, "journal: {file: journal.db}\nrecordings: {spools: [{name: main, path: spool}]}\n")
	t.Cleanup(a.closeFiles)
	end := a.runRecordings(t.Context())
	defer end()
	for line := range log {
		if strings.Contains(line, "a folder of recordings cannot be read") {
			if !strings.Contains(line, `"level":"warn"`) || !strings.Contains(line, `"spool":"main"`) {
				t.Error(line)
			}
			break
		}
	}
	families, err := a.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "earshot_recordings_spool_up" {
			if m := f.GetMetric(); len(m) != 1 || m[0].GetLabel()[0].GetValue() != "main" || m[0].GetGauge().GetValue() != 0 {
				t.Errorf("%v", m)
			}
			return
		}
	}
	t.Error("there is no such gauge")
}
