package policyfile_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// Whatever comes into the place of a good policy, or beside it, is in force as a whole, or it is told as bad and the very policy that was in force stays,
// with its generation: a broken file never gives anybody a right, nor takes one.
func FuzzABrokenFileChangesNoDecision(f *testing.F) {
	for _, s := range []string{allowing, denying, broken, "", "version: 1\nemployees: {anna: {listen: true}, boris: {}, anna: {}}\n", "version: 1\nemployees: {zed: {}}\n", allowing + "---\n" + denying, "\xff\xfe", "&a [*a]"} {
		f.Add([]byte(s))
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "policies", "*", "*.yaml"))
	if err != nil || len(files) < 10 {
		f.Fatal(len(files), err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if len(text) < 2000 {
			f.Add(text)
		}
	}
	now := func() time.Time { return day }
	dir := f.TempDir()
	alone, beside := filepath.Join(dir, "alone.yaml"), filepath.Join(dir, "folder")
	if err := os.Mkdir(beside, 0o700); err != nil {
		f.Fatal(err)
	}
	put := func(t testing.TB, path string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(f, filepath.Join(beside, "first.yaml"), []byte(denying))
	second := filepath.Join(beside, "second.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		// Alone in the place of a good one.
		put(t, alone, []byte(denying))
		file, err := policyfile.Open([]string{alone}, policyfile.Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		put(t, alone, data)
		want, _, wrong := policy.Load(alone, data, day)
		held(t, file, want, wrong)
		// And what is broken behind a good one.
		if wrong == nil {
			put(t, alone, append(data[:len(data):len(data)], "\nunheard_of: 1\n"...))
			held(t, file, nil, os.ErrInvalid)
		}
		// Beside one that is good for itself.
		put(t, second, []byte("# nothing yet\nversion: 1\nemployees: {nobody: {}}\n"))
		folder, err := policyfile.Open([]string{beside}, policyfile.Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		put(t, second, data)
		before, status := folder.Current(), folder.Status()
		if err := folder.Reload(); err != nil && (folder.Current() != before || folder.Status().Generation != status.Generation) {
			t.Fatalf("%v, and another policy is in force", err)
		} else if (folder.Status().LastError == nil) != (err == nil) {
			t.Fatalf("%v is told as %v", err, folder.Status().LastError)
		}
	})
}

// held reads the file anew, and fails unless exactly what is wanted is in force: want, or what was before where there is something wrong.
func held(t *testing.T, file *policyfile.File, want *policy.Set, wrong error) {
	t.Helper()
	before, status := file.Current(), file.Status()
	err := file.Reload()
	if (err == nil) != (wrong == nil) {
		t.Fatalf("the loader says %v, and policy.Load %v", err, wrong)
	}
	if err != nil {
		if file.Current() != before || file.Status().Generation != status.Generation || file.Status().LastError == nil {
			t.Fatalf("%v, and another policy is in force, or nobody is told", err)
		}
		return
	}
	got := file.Current()
	if got.Len() != want.Len() || file.Status().LastError != nil {
		t.Fatalf("%d employees of %d, %v", got.Len(), want.Len(), file.Status().LastError)
	}
	if want.Len() > 6 {
		return
	}
	for s := range want.Employees() {
		for o := range want.Employees() {
			for _, a := range policy.Actions() {
				req := policy.Request{Subject: s, Action: a, Target: o, Responsible: s}
				if got.Decide(&req).Allowed != want.Decide(&req).Allowed {
					t.Fatalf("%s %s %s is decided otherwise than by the file alone", want.ID(s), a, want.ID(o))
				}
			}
		}
	}
}
