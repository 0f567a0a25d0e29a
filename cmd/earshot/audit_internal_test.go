package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVerifyIsNotContentWithNothingAndThinksOfTheKey(t *testing.T) {
	for text, want := range map[string]string{"": "empty:", "{}\n": "--key-file"} {
		path := filepath.Join(t.TempDir(), "collected")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		c := verifyCmd{Files: []string{path}, Part: true}
		if err := c.Run(streams{out: &out}); err == nil || !strings.Contains(out.String(), want) {
			t.Errorf("%q: %v %s", text, err, out.String())
		}
	}
}
