package pbxtest

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

//go:generate go test -run InstalledFiles -update

var update = flag.Bool("update", false, "write testdata/pbx anew")

// The files with which a container runs the demo's Asterisk are the ones that the Plan makes, no more and no fewer.
func TestInstalledFilesAreThoseOfTheDemo(t *testing.T) {
	const dir = "../../testdata/pbx"
	plan := Demo()
	want, err := plan.InstalledFiles(Container)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name())
		got, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want[f.Name()] {
			t.Errorf("%s is not what the plan makes: run go generate ./agent/pbxtest", f.Name())
		}
	}
	if should := slices.Sorted(maps.Keys(want)); !slices.Equal(names, should) {
		t.Errorf("%s has %v, the plan makes %v: run go generate ./agent/pbxtest", dir, names, should)
	}
}

// On a PBX that people use nobody but Earshot may originate, and what it may is reached from loopback alone.
func TestInstalledFilesHaveNoAccountButEarshots(t *testing.T) {
	plan := Demo()
	files, err := plan.InstalledFiles(Container)
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][]string{"manager.conf": {"[general]", "[earshot]"}, "ari.conf": {"[general]", "[earshot]"}} {
		var sections []string
		for line := range strings.Lines(files[file]) {
			if strings.HasPrefix(line, "[") {
				sections = append(sections, strings.TrimSpace(line))
			}
		}
		if !slices.Equal(sections, want) {
			t.Errorf("%s has the sections %v", file, sections)
		}
	}
	for _, file := range []string{"manager.conf", "http.conf"} {
		if !strings.Contains(files[file], "bindaddr=127.0.0.1\n") {
			t.Errorf("%s does not bind loopback:\n%s", file, files[file])
		}
	}
}
