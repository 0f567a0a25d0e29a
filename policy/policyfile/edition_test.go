package policyfile_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

func TestTheSameTextsAreOneEditionWhereverTheyComeFrom(t *testing.T) {
	documents := given("any")
	f, err := policyfile.Give(documents, 70, policyfile.Options{Overlay: true})
	if err != nil {
		t.Fatal(err)
	}
	edition := f.Current().Edition()
	if edition == "" {
		t.Fatal("there is none")
	}
	folder := t.TempDir()
	put := func(documents []policyfile.Document) {
		for i, d := range documents {
			write(t, filepath.Join(folder, fmt.Sprint(i)+".yaml"), d.Text)
		}
	}
	put(documents)
	read, err := policyfile.Open([]string{folder}, policyfile.Options{PBX: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if got := read.Current(); got.Edition() != edition || got.Generation() == f.Current().Generation() {
		t.Errorf("%q of generation %d, and not %q", got.Edition(), got.Generation(), edition)
	}
	if err := f.Lay(new(policy.Overlay)); err != nil || f.Current().Edition() != edition || f.Current().At(f.Current().Moment().AddDate(1, 0, 0)).Beside("b").Edition() != edition {
		t.Errorf("%q: %v", f.Current().Edition(), err)
	}
	if err := f.Replace(given("none"), 80, nil, nil); err != nil || f.Current().Edition() == edition || f.Current().Edition() == "" {
		t.Errorf("%q of another: %v", f.Current().Edition(), err)
	}
	put(given("none"))
	if err := read.Reload(); err != nil || read.Current().Edition() != f.Current().Edition() {
		t.Errorf("%q: %v", read.Current().Edition(), err)
	}
}
