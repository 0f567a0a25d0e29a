package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// That the policy names no emergency number is open where calls out go through the include, and nowhere else.
func TestAnIncludeWithoutEmergencyNumbersIsTold(t *testing.T) {
	const dial = "[earshot-dial]\nexten => _XXXXX,1,Goto(earshot,dial${EXTEN},1)\n"
	for name, c := range map[string]struct {
		plan  string
		known []string
		want  []string
	}{
		"none":                        {dial, []string{}, []string{"include-no-emergency"}},
		"one that is there":           {dial + "exten => 112,1,Goto(outside,${EXTEN},1)\n", []string{"112"}, nil},
		"one that is not there":       {dial, []string{"112"}, []string{"include-emergency"}},
		"calls go out unasked":        {"[phones]\nexten => 101,1,Dial(PJSIP/101)\n", []string{}, nil},
		"the policy is not looked at": {dial, nil, nil},
	} {
		etc := t.TempDir()
		for file, text := range map[string]string{"modules.conf": "[modules]\nautoload = no\n", "extensions.conf": c.plan} {
			if err := os.WriteFile(filepath.Join(etc, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		files, err := OpenFiles(etc)
		if err != nil {
			t.Fatal(err)
		}
		own := earshots
		own.Emergency = c.known
		var got []string
		for _, f := range examine(t, own, files).Findings {
			if f.Code == "include-emergency" || f.Code == "include-no-emergency" || f.Code == "include-unasked" {
				got = append(got, f.Code)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
