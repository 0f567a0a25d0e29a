package policy_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/decisiontest"
)

// The permission screens of three systems can be written in the language: each policy is warned of what its comments say, its tests hold, and
// each of its rules has a say in one of them.
func TestTheScreensOfOtherSystemsAreExpressed(t *testing.T) {
	// A role of which every row says "no access" gives nothing and takes nothing away, so nothing can be heard of it.
	mute := map[string]string{"bitrix24-telephony": "assign[6]"}
	tests, err := filepath.Glob(filepath.Join("..", "testdata", "policies", "systems", "*.test.yaml"))
	if err != nil || len(tests) != 3 {
		t.Fatalf("%d systems: %v", len(tests), err)
	}
	for _, file := range tests {
		name := strings.TrimSuffix(filepath.Base(file), ".test.yaml")
		t.Run(name, func(t *testing.T) {
			data := read(t, strings.TrimSuffix(file, ".test.yaml")+".yaml")
			_, warnings, err := policy.Load(name+".yaml", data, day)
			if got, want := lines(warnings), expected(data, "warning"); err != nil || !slices.Equal(got, want) {
				t.Errorf("%v, and the warnings\n  %s\nwant\n  %s", err, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
			}
			suite, err := decisiontest.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			var cover decisiontest.Cover
			results := suite.Run()
			cover.Add(suite, results)
			for _, r := range results {
				if !r.OK {
					t.Error(r)
				}
			}
			silent := slices.DeleteFunc(cover.Silent(), func(r policy.Rule) bool { return r.Text == mute[name] })
			if len(silent) > 0 || len(results) < 100 {
				t.Errorf("%d decisions, and these rules have a say in none: %v", len(results), silent)
			}
		})
	}
}
