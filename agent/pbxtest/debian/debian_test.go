package debian

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheMirrorIsTheMainArchiveOfDebian(t *testing.T) {
	for name, c := range map[string]struct{ out, uri, release string }{
		"lists are there": {
			"Packages|main|bookworm-security|Debian-Security|http://mirror.example/debian-security/\n" +
				"DEP-11|main|bookworm|Debian|http://mirror.example/debian/\n" +
				"Packages|main|nodistro|. nodistro|https://vendor.example/node/\n" +
				"Packages|contrib|bookworm|Debian|http://mirror.example/debian/\n" +
				"Packages|main|bookworm-updates|Debian|http://mirror.example/debian/\n" +
				"Packages|main|bookworm|Debian|http://mirror.example/debian/\n",
			"http://mirror.example/debian/", "bookworm"},
		"a fresh image without lists": {
			"Packages|main|bookworm-security||http://mirror.example/debian-security/\n" +
				"Packages|main|nodistro||https://vendor.example/node/\n" +
				"Packages|main|bookworm||http://mirror.example/debian\n",
			"http://mirror.example/debian", "bookworm"},
		"another distribution": {"Packages|main|noble|Ubuntu|http://mirror.example/ubuntu/\n", "", ""},
		"a disc":               {"Packages|main|bookworm|Debian|cdrom:[Debian 12]/\n", "", ""},
		"nothing":              {"", "", ""},
		"not what was asked":   {"Packages|main\n\n||||\n", "", ""},
	} {
		got, ok := pickMirror(c.out)
		if got.uri != c.uri || got.release != c.release || ok != (c.uri != "") {
			t.Errorf("%s: %+v %v", name, got, ok)
		}
	}
}

func TestThePlanOfAptTellsTheFiles(t *testing.T) {
	files, err := parsePlan("Reading package lists...\nInst gcc-16-base (16.1.0-1 Debian:testing [amd64])\n" +
		"Inst libc6:amd64 (2.42-5 Debian:testing [amd64]) []\nInst asterisk (1:22.10.1+dfsg-1 Debian:testing [all])\nConf asterisk (1:22 Debian:testing [all])\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"gcc-16-base_16.1.0-1_amd64.deb", "libc6_2.42-5_amd64.deb", "asterisk_1%3a22.10.1+dfsg-1_all.deb"}
	if len(files) != len(want) {
		t.Fatalf("%v", files)
	}
	for i, f := range files {
		if f.file() != want[i] {
			t.Errorf("%s, want %s", f.file(), want[i])
		}
	}
	if _, err := parsePlan("0 upgraded"); err == nil {
		t.Error("an empty plan was taken")
	}
}

// archive puts an apt-get and a dpkg-deb on the PATH that serve a package "tool" and write down what they were asked.
func archive(t *testing.T) (calls func(word string) int) {
	t.Helper()
	bin, log := t.TempDir(), filepath.Join(t.TempDir(), "calls")
	for name, script := range map[string]string{
		"apt-get": `#!/bin/sh
echo "apt-get $*" >>"` + log + `"
case "$*" in
*indextargets*) echo "Packages|main|bookworm|Debian|http://mirror.example/debian/";;
*fail*) echo "E: Unable to locate package" >&2; exit 100;;
*" -s "*) echo "Inst tool (1:2.0 Debian:testing [all])";;
*--download-only*) : >"$(dirname "$3")/cache/archives/tool_1%3a2.0_all.deb";;
esac
`,
		"dpkg-deb": `#!/bin/sh
echo "dpkg-deb $*" >>"` + log + `"
[ -e "$2" ] || { echo "no $2" >&2; exit 1; }
mkdir -p "$3/usr/bin" && echo hello >"$3/usr/bin/tool" && chmod 555 "$3/usr/bin"
`,
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	cache := t.TempDir()
	t.Setenv(EnvCache, cache)
	t.Cleanup(func() {
		if err := makeRemovable(cache); err != nil {
			t.Error(err)
		}
	})
	t.Setenv(EnvRefresh, "")
	t.Setenv(EnvMirror, "")
	return func(word string) int {
		raw, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(raw), word)
	}
}

func tool(progress func(string)) Bundle {
	return Bundle{Name: "tool", Suite: "forky", Packages: []string{"tool"}, Progress: progress}
}

func quiet(string) {}

func TestManyFetchOnce(t *testing.T) {
	calls := archive(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r, err := Fetch(t.Context(), tool(quiet))
			if err != nil {
				t.Error(err)
				return
			}
			if raw, err := os.ReadFile(r.Path("usr/bin/tool")); err != nil || string(raw) != "hello\n" {
				t.Errorf("%q %v", raw, err)
			}
			if v, err := r.Version("tool"); err != nil || v != "1:2.0" {
				t.Errorf("%q %v", v, err)
			}
			if v, err := r.Version("too"); err != nil || v != "" {
				t.Errorf("%q %v", v, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := calls(" update"); n != 1 {
		t.Errorf("the list was fetched %d times", n)
	}
}

func TestAFetchThatFailsLeavesNothingThatLooksComplete(t *testing.T) {
	archive(t)
	b := tool(quiet)
	b.Packages = append(b.Packages, "fail")
	_, err := Fetch(t.Context(), b)
	if err == nil {
		t.Fatal("it did not fail")
	}
	for _, want := range []string{"Unable to locate package", "Debian's forky at http://mirror.example/debian/", EnvMirror} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if errors.Is(err, ErrUnavailable) {
		t.Error("a package that is not there is no reason to look elsewhere in silence")
	}
	home, err := b.home()
	if err != nil {
		t.Fatal(err)
	}
	if r, err := openRoot(home); err == nil {
		t.Errorf("%s is open", r.Dir)
	}
	left, err := filepath.Glob(filepath.Join(home, "unpack-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestARefreshReplacesWhatIsOldAndKeepsWhatIsInUse(t *testing.T) {
	calls := archive(t)
	first, err := Fetch(t.Context(), tool(quiet))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvRefresh, "1")
	same, err := Fetch(t.Context(), tool(quiet))
	if err != nil {
		t.Fatal(err)
	}
	if same.Dir != first.Dir || calls(" update") != 1 {
		t.Error("what was fetched a moment ago was fetched again")
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(first.Path(packageList), old, old); err != nil {
		t.Fatal(err)
	}
	next, err := Fetch(t.Context(), tool(quiet))
	if err != nil {
		t.Fatal(err)
	}
	if next.Dir == first.Dir || calls(" update") != 2 {
		t.Error("it was not refreshed")
	}
	if _, err := os.Stat(first.Path("usr/bin/tool")); err != nil {
		t.Errorf("a root was removed in use: %v", err)
	}
	for _, r := range []*Root{first, same} {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(next.Path(packageList), old, old); err != nil {
		t.Fatal(err)
	}
	home := filepath.Dir(next.Dir)
	dead := filepath.Join(home, unpackPrefix+"1")
	if err := os.Mkdir(dead, 0o755); err != nil {
		t.Fatal(err)
	}
	last, err := Fetch(t.Context(), tool(quiet))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(first.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old root is left: %v", err)
	}
	if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a killed fetch left is left: %v", err)
	}
	if err := errors.Join(next.Close(), last.Close()); err != nil {
		t.Error(err)
	}
}

func TestWhoWaitsIsToldAndMayGiveUp(t *testing.T) {
	archive(t)
	told := make(chan string, 1)
	b := tool(func(s string) { told <- s })
	home, err := b.home()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(t.Context(), filepath.Join(home, "lock"), func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := Fetch(ctx, b)
		done <- err
	}()
	if s := <-told; !strings.Contains(s, "waiting") {
		t.Error(s)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	archive(t)
	for name, c := range map[string]struct {
		prepare func(t *testing.T)
		want    string
	}{
		"no apt-get": {func(t *testing.T) { t.Setenv("PATH", t.TempDir()) }, "apt-get is missing"},
		"no dpkg-deb": {func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "apt-get"), []byte("#!/bin/sh\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", dir)
		}, "dpkg-deb is missing"},
		"no Debian archive": {func(t *testing.T) {
			dir := t.TempDir()
			for _, n := range []string{"apt-get", "dpkg-deb"} {
				if err := os.WriteFile(filepath.Join(dir, n), []byte("#!/bin/sh\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("PATH", dir+":/usr/bin:/bin")
		}, "set " + EnvMirror},
		"no keyring": {func(t *testing.T) {
			before := keyrings
			keyrings = []string{"/nowhere/debian-archive-keyring.gpg"}
			t.Cleanup(func() { keyrings = before })
		}, "install the package debian-archive-keyring"},
	} {
		t.Run(name, func(t *testing.T) {
			c.prepare(t)
			_, err := Fetch(t.Context(), tool(quiet))
			if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestACacheThatCannotBeWrittenIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvCache, file)
	if _, err := Fetch(t.Context(), tool(quiet)); err == nil || !strings.Contains(err.Error(), EnvCache) {
		t.Errorf("%v", err)
	}
	if _, err := Fetch(t.Context(), Bundle{Name: "../x", Packages: []string{"x"}}); err == nil {
		t.Error("a path was taken as a name")
	}
}
