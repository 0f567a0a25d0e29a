package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestTLSIsLookedAtWhereItListensBeyondLoopback(t *testing.T) {
	const account = "[panel]\nsecret = x\n"
	for name, c := range map[string]struct {
		general string
		want    []string
	}{
		"none":                        {"bindaddr = 127.0.0.1", nil},
		"on loopback, as AMI":         {"bindaddr = 127.0.0.1\ntlsenable = yes", nil},
		"on loopback, of its own":     {"bindaddr = 0.0.0.0\ntlsenable = yes\ntlsbindaddr = 127.0.0.1:5039", []string{"ami-acl", "ami-open"}},
		"where AMI is":                {"tlsenable = yes", []string{"ami-acl", "ami-open", "tls-old"}},
		"beyond it, alone":            {"bindaddr = 127.0.0.1\ntlsenable = yes\ntlsbindaddr = 0.0.0.0:5039", []string{"ami-acl", "tls-old"}},
		"with one old version":        {"bindaddr = 127.0.0.1\ntlsenable = yes\ntlsbindaddr = 0.0.0.0\ntlsdisablev1 = yes", []string{"ami-acl", "tls-old"}},
		"without old versions":        {"bindaddr = 127.0.0.1\ntlsenable = yes\ntlsbindaddr = 0.0.0.0\ntlsdisablev1 = yes\ntlsdisablev11 = yes", []string{"ami-acl"}},
		"where it is not switched on": {"bindaddr = 127.0.0.1\ntlsbindaddr = 0.0.0.0", nil},
	} {
		etc := t.TempDir()
		for file, text := range map[string]string{"extensions.conf": "", "modules.conf": "[modules]\nautoload = no\n", "manager.conf": "[general]\nenabled = yes\n" + c.general + "\n" + account} {
			if err := os.WriteFile(filepath.Join(etc, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		files, err := OpenFiles(etc)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range examine(t, earshots, files).Findings {
			if f.Code != "ami-account" {
				got = append(got, f.Code)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
