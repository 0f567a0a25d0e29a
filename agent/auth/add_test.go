package auth_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
)

func TestAddingATokenKeepsWhatStandsInTheFile(t *testing.T) {
	_, first := auth.NewToken()
	_, hash := auth.NewToken()
	e := auth.Entry{
		Employee: "anna", Hash: hash, Label: `the "desk": <1>`,
		Created: time.Date(2026, 10, 1, 12, 0, 0, 5, time.FixedZone("", 3*3600)), Expires: time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC),
	}
	added := "- employee: \"anna\"\n  hash: \"" + hash + "\"\n  label: \"the \\\"desk\\\": \\u003c1\\u003e\"\n  created: \"2026-10-01T09:00:00Z\"\n  expires: \"2027-02-01T00:00:00Z\"\n"
	indented := "  " + strings.TrimSuffix(strings.ReplaceAll(added, "\n", "\n  "), "  ")
	for name, tc := range map[string]struct{ before, after string }{
		"no file":            {"", added},
		"only comments":      {"# tokens\n", "# tokens\n" + added},
		"an empty list":      {"[]\n", "\n" + added},
		"a list":             {"# ours\n" + line("boris", first) + "# end", "# ours\n" + line("boris", first) + "# end\n" + added},
		"an indented list":   {"  " + line("boris", first), "  " + line("boris", first) + indented},
		"no end of the line": {strings.TrimSpace(line("boris", first)), line("boris", first) + added},
	} {
		path := filepath.Join(t.TempDir(), "tokens.yaml")
		if name != "no file" {
			if err := os.WriteFile(path, []byte(tc.before), 0o640); err != nil {
				t.Fatal(err)
			}
		}
		if err := auth.AddToken(path, e); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := mustRead(t, path); got != tc.after {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, tc.after)
		}
		all := mustOpen(t, path, auth.Options{}).Entries()
		if got := all[len(all)-1]; got.Label != e.Label || !got.Created.Equal(e.Created.Truncate(time.Second)) || !got.Expires.Equal(e.Expires) {
			t.Errorf("%s: read back %+v", name, got)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, st.Mode(), err)
		}
	}
}

func TestAPanelsTokenIsWrittenAsItIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	_, first := auth.NewToken()
	_, second := auth.NewToken()
	for _, e := range []auth.Entry{
		{Panel: "crm", ActsFor: []string{auth.Everyone}, Hash: first},
		{Panel: "wall.2", ActsFor: []string{"anna", "boris"}, Hash: second, Label: "x"},
	} {
		if err := auth.AddToken(path, e); err != nil {
			t.Fatal(err)
		}
		all := mustOpen(t, path, auth.Options{}).Entries()
		if got := all[len(all)-1]; !reflect.DeepEqual(got, e) {
			t.Errorf("read back %+v, written %+v", got, e)
		}
	}
	want := fmt.Sprintf("- panel: \"crm\"\n  acts_for: \"everyone\"\n  hash: %q\n- panel: \"wall.2\"\n  acts_for: [\"anna\",\"boris\"]\n  hash: %q\n  label: \"x\"\n", first, second)
	if got := mustRead(t, path); got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
}

func TestATokenThatCannotBeAddedLeavesTheFileAlone(t *testing.T) {
	_, first := auth.NewToken()
	_, hash := auth.NewToken()
	good := auth.Entry{Employee: "anna", Hash: hash}
	flow := fmt.Sprintf("[{employee: boris, hash: %q}]\n", first)
	for name, tc := range map[string]struct {
		before string
		entry  auth.Entry
		want   string
	}{
		"a list in brackets": {flow, good, "add this one by hand"},
		"a closed document":  {line("boris", first) + "...\n", good, "add this one by hand"},
		"a broken file":      {"- oops\n", good, "1:3"},
		"the hash is there":  {line("boris", hash), good, "has this hash already"},
		"no employee":        {line("boris", first), auth.Entry{Hash: hash}, "employee is not an id"},
		"no hash":            {line("boris", first), auth.Entry{Employee: "anna"}, "hash is not"},
		"a bad label":        {line("boris", first), auth.Entry{Employee: "anna", Hash: hash, Label: "\n"}, "label"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "tokens.yaml")
		mustPut(t, path, tc.before)
		if err := auth.AddToken(path, tc.entry); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if got := mustRead(t, path); got != tc.before {
			t.Errorf("%s: the file is now\n%s", name, got)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("%s: left behind %v, %v", name, left, err)
		}
	}
}

func TestTokensAddedAtTheSameTimeAllStand(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "tokens.yaml"), filepath.Join(dir, "link.yaml")
	mustPut(t, path, "")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, hash := auth.NewToken()
			if err := auth.AddToken([]string{path, link}[i%2], auth.Entry{Employee: fmt.Sprint("e", i), Hash: hash}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	entries := mustOpen(t, path, auth.Options{}).Entries()
	for i := range 20 {
		if !slices.ContainsFunc(entries, func(e auth.Entry) bool { return e.Employee == fmt.Sprint("e", i) }) {
			t.Errorf("e%d is lost", i)
		}
	}
	if st, err := os.Lstat(link); err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", st.Mode(), err)
	}
}
