package policyfile_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// Who copies a file to where the old one stands may stop half through it, and what is there then may be a policy: without the exceptions at its end.
// So it is not taken, nor is one that begins to be there; and when it is whole it is.
func TestTheFirstHalfOfAFileIsNoPolicy(t *testing.T) {
	const first, rest = "version: 1\nemployees:\n  anna: {listen: true}\n  boris: {}\n", "protected: {employees: [boris]}\n"
	for name, options := range map[string]policyfile.Options{"heard of": {InPlace: 2 * time.Second}, "found by looking": {InPlace: 2 * time.Second, Poll: 50 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "policy.yaml"), first+rest)
			w := watch(t, dir, options)
			for _, file := range []string{"policy.yaml", "more.yaml"} {
				f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
				if err != nil {
					t.Fatal(err)
				}
				begin, end := "# anew\n"+first, rest
				if file == "more.yaml" { // by itself it gives something, and its end takes that back
					begin, end = "version: 1\nroles: {ear: {spy: any}}\nassign: [{role: ear, to: [vera]}]\n", "employees: {vera: {}}\n"
				}
				if _, err := f.WriteString(begin); err != nil {
					t.Fatal(err)
				}
				time.Sleep(300 * time.Millisecond) // the network stands still, for longer than what is put there in one step is left alone
				if g := w.Status(); g.Generation > 2 || allows(w.Current()) || g.LastError != nil {
					t.Fatalf("half of %s was taken: %+v", file, g)
				}
				if _, err := f.WriteString(end); err != nil {
					t.Fatal(err)
				}
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				before := w.Current().Generation()
				if c := w.until(good); c.set.Generation() != before+1 || allows(c.set) {
					t.Fatalf("%s: %+v", file, w.Status())
				}
			}
			// What is put there in one step does not wait.
			replace(t, filepath.Join(dir, "policy.yaml"), first)
			if c := w.until(good); !allows(c.set) {
				t.Fatal("the other file is not in force")
			}
		})
	}
}
