package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// An include that an older Earshot has printed has no place by which a waiting caller is taken.
func TestAnOldIncludeIsTold(t *testing.T) {
	const back = "[earshot-back]\nexten => returned,1,Dial(${SHARED(EARSHOT_BACK)})\n"
	for name, c := range map[string]struct {
		plan string
		want []string
	}{
		"old":     {back, []string{"include-old"}},
		"this":    {back + "exten => asks,1,Hangup()\n", nil},
		"another": {back + "[phones]\nexten => asks,1,Hangup()\n", []string{"include-old"}},
		"none":    {"[phones]\nexten => 101,1,Dial(PJSIP/101)\n", nil},
	} {
		if got := aboutTheInclude(t, c.plan, nil); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// aboutTheInclude are the findings about the include of a dialplan, where the policy has these emergency numbers.
func aboutTheInclude(t *testing.T, plan string, emergency []string) (codes []string) {
	t.Helper()
	etc := t.TempDir()
	for file, text := range map[string]string{"modules.conf": "[modules]\nautoload = no\n", "extensions.conf": plan} {
		if err := os.WriteFile(filepath.Join(etc, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := OpenFiles(etc)
	if err != nil {
		t.Fatal(err)
	}
	own := earshots
	own.Emergency = emergency
	for _, f := range examine(t, own, files).Findings {
		if strings.HasPrefix(f.Code, "include-") {
			codes = append(codes, f.Code)
		}
	}
	return codes
}

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
		if got := aboutTheInclude(t, c.plan, c.known); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// What the policy counts on and the PBX does not have is told: the context by which settings are kept, and the queues of lines.
func TestWhatThePolicyCountsOnIsLookedFor(t *testing.T) {
	const keeps = "[earshot-settings]\nexten => keep,1,NoOp()\n"
	const queues = "[general]\npersistentmembers = yes\n[q-sales]\nstrategy = ringall\n"
	for name, c := range map[string]struct {
		plan, queues, external string
		own                    Own
		want                   []string
	}{
		"all there":              {keeps, queues, "", Own{Settings: true, Queues: map[string]string{"sales": "q-sales"}}, nil},
		"an include that is old": {"[earshot]\nexten => away,1,Hangup()\n", queues, "", Own{Settings: true}, []string{"include-settings earshot-settings"}},
		"nobody sets anything":   {"[phones]\nexten => 101,1,Dial(PJSIP/101)\n", queues, "", Own{}, nil},
		"queues that are not":    {keeps, queues, "", Own{Queues: map[string]string{"sales": "sales", "a": "general", "z": "q-sales"}}, []string{"line-queue general", "line-queue sales"}},
		"no queues.conf":         {keeps, "", "", Own{Queues: map[string]string{"sales": "sales"}}, []string{"line-queue sales"}},
		"queues of a database":   {keeps, "", "[settings]\nqueues => odbc,asterisk\n", Own{Queues: map[string]string{"sales": "sales"}}, nil},
		"all of them from there": {keeps, "", "[settings]\nqueues.conf => odbc,asterisk\n", Own{Queues: map[string]string{"sales": "sales"}}, nil},
	} {
		etc := t.TempDir()
		for file, text := range map[string]string{"modules.conf": "[modules]\nautoload = no\n", "extensions.conf": c.plan, "queues.conf": c.queues, "extconfig.conf": c.external} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(etc, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		files, err := OpenFiles(etc)
		if err != nil {
			t.Fatal(err)
		}
		own := earshots
		own.Settings, own.Queues = c.own.Settings, c.own.Queues
		var got []string
		for _, f := range examine(t, own, files).Findings {
			if f.Code == "include-settings" || f.Code == "line-queue" {
				got = append(got, f.Code+" "+f.Section)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
