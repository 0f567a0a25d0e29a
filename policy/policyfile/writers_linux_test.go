package policyfile_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// What its writer has closed is whole, and nobody waits for longer.
func TestAFileThatItsWriterHasClosedIsTakenAtOnce(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "text")
	path := filepath.Join(dir, "policy.yaml")
	write(t, path, people+"# 0\n")
	write(t, elsewhere, "version: 1\n")
	if err := os.Symlink(elsewhere, filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	w := watch(t, dir, policyfile.Options{InPlace: time.Hour})
	write(t, path, people+"# 1\n")
	w.until(good)
	write(t, filepath.Join(dir, "more.yaml"), listens)
	if c := w.until(good); !allows(c.set) {
		t.Fatal("a new file is not in force")
	}
	if err := os.Remove(filepath.Join(dir, "more.yaml")); err != nil {
		t.Fatal(err)
	}
	w.until(good)
	write(t, elsewhere, listens)
	if c := w.until(good); !allows(c.set) {
		t.Fatal("what a link leads to is not in force")
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for range 3 {
		if _, err := f.WriteString("# more\n"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // whoever would take it would have
	}
	if c := w.Current().Generation(); c != 5 {
		t.Fatalf("generation %d while somebody writes", c)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if c := w.until(good); c.set.Generation() != 6 {
		t.Fatalf("generation %d", c.set.Generation())
	}
}

// Nor is the first half of a file taken that is made where another was: vim moves the old one away and tar deletes it, and then both write. And as long as its
// writer has it open it is not whole, however long he pauses.
func TestTheFirstHalfOfAFileThatIsMadeAnewIsNoPolicy(t *testing.T) {
	const first, rest = "version: 1\nemployees:\n  anna: {listen: true}\n  boris: {}\n", "protected: {employees: [boris]}\n"
	for name, clear := range map[string]func(string) error{
		"deleted": os.Remove, "moved away": func(path string) error { return os.Rename(path, path+"~") }, "left": func(string) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "policy.yaml")
			write(t, path, first+rest)
			w := watch(t, filepath.Dir(path), policyfile.Options{InPlace: 200 * time.Millisecond})
			if err := clear(path); err != nil {
				t.Fatal(err)
			}
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = f.Close() }()
			if _, err := f.WriteString("# anew\n" + first); err != nil {
				t.Fatal(err)
			}
			time.Sleep(600 * time.Millisecond)
			if s := w.Status(); s.Generation != 1 || s.LastError != nil || allows(w.Current()) {
				t.Fatalf("half of it was taken: %+v", s)
			}
			if _, err := f.WriteString(rest); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if c := w.until(good); c.set.Generation() != 2 || allows(c.set) {
				t.Fatalf("%+v", w.Status())
			}
		})
	}
}
