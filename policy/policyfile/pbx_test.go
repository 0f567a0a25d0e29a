package policyfile_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// onTwo is a policy of two PBXs, on each of which PJSIP/101 is somebody else's.
func onTwo(anna string) string {
	return "version: 1\ntimezone: UTC\nemployees:\n  anna: {phones: [PJSIP/101], pbx: moscow, listen: " + anna + "}\n  boris: {phones: [PJSIP/101], pbx: spb}\n  carl: {phones: [PJSIP/103]}\n"
}

// has returns whose phones 101 and 103 are, "-" for nobody's.
func has(set *policy.Set) string {
	var ids []string
	for _, phone := range []string{"PJSIP/101", "PJSIP/103"} {
		id := "-"
		if r, ok := set.Phone(phone); ok {
			id = set.ID(r)
		}
		ids = append(ids, id)
	}
	return strings.Join(ids, " ")
}

func warned(f *policyfile.File) bool {
	return slices.ContainsFunc(f.Status().Warnings, func(p policy.Problem) bool { return strings.Contains(p.Message, "cluster.pbx") })
}

// besideEach are the names that a PBX may have, with whose phones the two are there.
var besideEach = map[string]struct {
	phones string
	warns  bool
}{
	"moscow": {"anna carl", false}, "spb": {"boris carl", false}, "": {"- carl", true}, "riga": {"- carl", true},
}

func TestEachSetOfFilesIsForThePBXOfTheOptions(t *testing.T) {
	for pbx, want := range besideEach {
		t.Run(pbx, func(t *testing.T) {
			path := policyAt(t, onTwo("{to: any, until: 2026-01-31}"))
			now := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
			f, err := policyfile.Open([]string{path}, policyfile.Options{PBX: pbx, Now: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			hold := func(when string, allowed bool) {
				t.Helper()
				if got := has(f.Current()); got != want.phones || warned(f) != want.warns || allows(f.Current()) != allowed {
					t.Errorf("%s: the phones are of %s, warned: %v, allowed: %v", when, got, warned(f), allows(f.Current()))
				}
			}
			hold("opened", true)
			now = now.AddDate(0, 0, 2)
			if err := f.Reload(); err != nil {
				t.Fatal(err)
			}
			hold("a day on", false)
			put(t, path, onTwo("true"))
			if err := f.Reload(); err != nil {
				t.Fatal(err)
			}
			hold("changed", true)
			put(t, path, strings.ReplaceAll(onTwo("false"), "pbx", "pbxx"))
			if err := f.Reload(); err == nil {
				t.Fatal("a broken policy is taken")
			}
			hold("broken", true)
		})
	}
}

// While it is waited whether files come to rest they are compiled ahead, and that is what comes into force.
func TestASetThatWasCompiledAheadIsForThePBXOfTheOptions(t *testing.T) {
	w := watch(t, policyAt(t, onTwo("true")), policyfile.Options{PBX: "spb"})
	replace(t, w.path, onTwo("false"))
	if c := w.until(func(c change) bool { return c.err == nil && !allows(c.set) }); has(c.set) != "boris carl" || warned(w.File) {
		t.Errorf("the phones are of %s", has(c.set))
	}
}

func TestEachSetThatIsGivenIsForThePBXOfTheOptions(t *testing.T) {
	for pbx, want := range besideEach {
		documents := func(text string) []policyfile.Document {
			return []policyfile.Document{{Name: filepath.FromSlash("/srv/policy.yaml"), Text: text}}
		}
		f, err := policyfile.Give(documents(onTwo("true")), 1, policyfile.Options{PBX: pbx})
		if err != nil {
			t.Fatal(err)
		}
		if got := has(f.Current()); got != want.phones || warned(f) != want.warns {
			t.Errorf("%q: given, the phones are of %s, warned: %v", pbx, got, warned(f))
		}
		if err := f.Replace(documents(onTwo("false")), 2, nil, nil); err != nil {
			t.Fatal(err)
		}
		if got := has(f.Current()); got != want.phones || warned(f) != want.warns || allows(f.Current()) {
			t.Errorf("%q: replaced, the phones are of %s, warned: %v", pbx, got, warned(f))
		}
	}
}

// What reads a policy beside no PBX has nothing to complain of.
func TestAPolicyThatIsOnlyReadIsNotWarnedOfItsPBXs(t *testing.T) {
	path := policyAt(t, onTwo("true"))
	set, warnings, err := policyfile.Load([]string{path}, day)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if got := has(set); got != "- carl" || !slices.Equal(set.PBXs(), []string{"moscow", "spb"}) {
		t.Errorf("the phones are of %s on %v", got, set.PBXs())
	}
	if f, err := policyfile.Open([]string{path}, policyfile.Options{}); err != nil || !warned(f) {
		t.Errorf("%v: it is not warned of beside a PBX either", err)
	}
}
