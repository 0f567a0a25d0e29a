package agent_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sometimes is a fuzz target that fails as its body says. In it worker is true where inputs are looked for, and times counts how often one that is none of
// the seeds has been tried so far, in all processes.
const sometimes = `package x

import (
	"flag"
	"os"
	"testing"
)

func times(file string) int {
	log, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer log.Close()
	if _, err := log.Write([]byte("x")); err != nil {
		panic(err)
	}
	info, err := log.Stat()
	if err != nil {
		panic(err)
	}
	return int(info.Size())
}

func TARGET(f *testing.F) {
	f.Add("the seed")
	_, worker := times, flag.Lookup("test.fuzzworker").Value.String() == "true"
	f.Fuzz(func(t *testing.T, s string) {
		if s == "the seed" {
			return
		}
		if fails := BODY; fails || worker && !worker {
			t.Errorf("it fails")
		}
	})
}
`

// A target that fails is a failure when its input fails alone, even seldom; when it does not, the target is tried again, and three such are a failure. Only
// an input that fails is left in the tree, and each that was found is printed.
func TestAFailureThatDoesNotComeAgainIsSaid(t *testing.T) {
	script, err := filepath.Abs("../.ci/fuzz")
	if err != nil {
		t.Fatal(err)
	}
	const unsure, fault = "FuzzX has failed on an input that has not failed once in 20 times alone", "it fails alone too"
	for name, tc := range map[string]struct {
		body          string
		ok            bool
		unsure, fault int
		kept          bool
	}{
		"always":              {body: "true", fault: 1, kept: true},
		"once in 20 alone":    {body: `worker || times("alone") == 15`, fault: 1, kept: true},
		"never alone":         {body: "worker", unsure: 3},
		"once, never alone":   {body: `worker && times("looked") == 1`, ok: true, unsure: 1},
		"never, as a control": {body: "false", ok: true},
	} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "go.mod"), "module example.com/x\n\ngo 1.26\n")
		put(t, filepath.Join(dir, "x_test.go"), strings.NewReplacer("TARGET", "FuzzX", "BODY", tc.body, `OpenFile(file`, `OpenFile("`+t.TempDir()+`/"+file`).Replace(sometimes))
		out, err := exec.CommandContext(t.Context(), script, "1s", dir).CombinedOutput()
		said := string(out)
		if (err == nil) != tc.ok || strings.Count(said, unsure) != tc.unsure || strings.Count(said, fault) != tc.fault {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
		if found := tc.unsure + tc.fault; strings.Count(said, "go test fuzz v1\nstring(") != found || strings.Count(said, "Failing input written") != found {
			t.Errorf("%s: not each input is printed, or not what go said of it:\n%s", name, said)
		}
		left, err := filepath.Glob(filepath.Join(dir, "testdata/fuzz/FuzzX/*"))
		if err != nil || (len(left) > 0) != tc.kept {
			t.Errorf("%s: left in the tree is %v, %v", name, left, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "testdata")); err == nil != tc.kept {
			t.Errorf("%s: an empty folder is left", name)
		}
	}
}
