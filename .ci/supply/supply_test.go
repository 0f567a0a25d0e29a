package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestALicenceIsKnownByItsText(t *testing.T) {
	r, err := newReader()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	apache, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	write("LICENSE", string(apache))
	write("NOTICE", "This is by us.")
	write("part/deep/x.go", "package deep")
	write("part/COPYING.txt", "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that the above "+
		"copyright notice and this permission notice appear in all copies.\n\nTHE SOFTWARE IS PROVIDED \"AS IS\" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS "+
		"SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL "+
		"DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF "+
		"OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.\n")
	m := module{path: "example.com/x", root: root}
	if err := m.look(filepath.Join(root, "part", "deep")); err != nil {
		t.Fatal(err)
	}
	names, err := r.of(m, true)
	if err != nil || strings.Join(names, " ") != "Apache-2.0 ISC" {
		t.Errorf("it is under %q, %v", names, err)
	}

	m.files = append(m.files, write("part/LICENSE", "You may use this on Sundays."))
	if names, err := r.of(m, false); err != nil || strings.Join(names, " ") != "Apache-2.0 ISC others" {
		t.Errorf("of what is not linked it is %q, %v", names, err)
	}
	if _, err := r.of(m, true); err == nil || !strings.Contains(err.Error(), "read it") {
		t.Errorf("a text that nobody knows: %v", err)
	}
	if _, err := r.of(module{path: "example.com/y", version: "v1.0.0"}, false); err == nil {
		t.Error("a module without a licence has one")
	}
}

func TestATableIsPutBetweenItsMarks(t *testing.T) {
	page := "a\n<!-- linked -->\nold\n<!-- /linked -->\nb\n"
	if got, err := place(page, "linked", "new\n"); err != nil || got != strings.Replace(page, "old", "new", 1) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := place(page, "others", "new\n"); err == nil {
		t.Error("a page without the marks is taken")
	}
}

func TestACheckoutIsMadeADatabase(t *testing.T) {
	checkout, made := t.TempDir(), t.TempDir()
	if _, err := index(checkout, made); err == nil {
		t.Error("an empty folder is taken for a checkout")
	}
	osv := filepath.Join(checkout, "data", "osv")
	if err := os.MkdirAll(osv, 0o700); err != nil {
		t.Fatal(err)
	}
	text := `{"id": "GO-2026-0001", "published": "2026-05-04T03:02:01Z", "affected": [{"package": {"name": "example.com/x"}, "ranges": [{"events": [{"introduced": "0"}, {"fixed": "1.2.3"}]}]}]}`
	if err := os.WriteFile(filepath.Join(osv, "GO-2026-0001.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	newest, err := index(checkout, made)
	if err != nil || newest != "GO-2026-0001" {
		t.Fatalf("%v, %v", newest, err)
	}
	raw, err := os.ReadFile(filepath.Join(made, "index", "modules.json"))
	if err != nil || string(raw) != `[{"path":"example.com/x","vulns":[{"id":"GO-2026-0001","modified":"0001-01-01T00:00:00Z","fixed":"1.2.3"}]}]` {
		t.Errorf("%s, %v", raw, err)
	}
	if raw, err := os.ReadFile(filepath.Join(made, "ID", "GO-2026-0001.json")); err != nil || string(raw) != text {
		t.Errorf("%s, %v", raw, err)
	}
}

// The program itself is looked at, with a database in which something that it calls is bad, and with one in which something is that it has not.
func TestAKnownVulnerabilityIsFound(t *testing.T) {
	t.Chdir("../..")
	for bad, module := range map[bool]string{true: "github.com/rs/zerolog", false: "example.com/elsewhere"} {
		checkout := t.TempDir()
		osv := filepath.Join(checkout, "data", "osv")
		if err := os.MkdirAll(osv, 0o700); err != nil {
			t.Fatal(err)
		}
		text := `{"schema_version": "1.3.1", "id": "GO-2026-0001", "published": "2026-05-04T03:02:01Z", "modified": "2026-05-04T03:02:01Z", "summary": "made up", "database_specific": {"url": "https://example.com/GO-2026-0001"}, "affected": [{"package":
			{"name": "` + module + `", "ecosystem": "Go"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}], "ecosystem_specific": {"imports": [{"path": "` + module + `"}]}}]}`
		if err := os.WriteFile(filepath.Join(osv, "GO-2026-0001.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := vulnerabilities(t.Context(), checkout); (err != nil) != bad {
			t.Errorf("%s is bad: %v", module, err)
		}
	}
}
