package deploy_test

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// instruction is one of a Dockerfile, with its flags (--chown=…) apart from its arguments.
type instruction struct {
	word  string
	flags []string
	rest  string
}

// list is the arguments in their JSON form, which needs no shell.
func (i instruction) list(t *testing.T) []string {
	t.Helper()
	var args []string
	if err := json.Unmarshal([]byte(strings.TrimPrefix(i.rest, "CMD ")), &args); err != nil {
		t.Fatalf("%s %s: %v", i.word, i.rest, err)
	}
	return args
}

// dockerfile reads a Dockerfile. A word that it does not know is a fault of the file, or of this list.
func dockerfile(t *testing.T, name string) []instruction {
	t.Helper()
	known := []string{"FROM", "WORKDIR", "COPY", "RUN", "ARG", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD"}
	var text strings.Builder
	for line := range strings.Lines(read(t, name)) {
		if !strings.HasPrefix(line, "#") {
			text.WriteString(line)
		}
	}
	var out []instruction
	for line := range strings.Lines(strings.ReplaceAll(text.String(), "\\\n", " ")) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		var i instruction
		i.word, i.rest, _ = strings.Cut(strings.TrimSpace(line), " ")
		if !slices.Contains(known, i.word) {
			t.Fatalf("%s: the instruction %q", name, i.word)
		}
		for i.rest = strings.TrimSpace(i.rest); strings.HasPrefix(i.rest, "--"); i.rest = strings.TrimSpace(i.rest) {
			var flag string
			flag, i.rest, _ = strings.Cut(i.rest, " ")
			i.flags = append(i.flags, flag)
		}
		out = append(out, i)
	}
	return out
}

// last is the last instruction with that word, which is the one that counts.
func last(t *testing.T, file []instruction, word string) instruction {
	t.Helper()
	for _, i := range slices.Backward(file) {
		if i.word == word {
			return i
		}
	}
	t.Fatalf("there is no %s", word)
	return instruction{}
}

// patterns are those of .dockerignore: what is not sent to the builder. The last that matches a path, or a folder above it, decides.
type patterns []string

func ignore(t *testing.T) patterns {
	t.Helper()
	var p patterns
	for line := range strings.Lines(read(t, ".dockerignore")) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			p = append(p, line)
		}
	}
	return p
}

func (p patterns) match(name string) bool {
	ignored := false
	for _, pattern := range p {
		pattern, keep := strings.CutPrefix(pattern, "!")
		anywhere, deep := strings.CutPrefix(pattern, "**/")
		for part := name; part != "."; part = path.Dir(part) {
			candidate := part
			if deep {
				pattern, candidate = anywhere, path.Base(part)
			}
			if ok, err := path.Match(pattern, candidate); ok && err == nil {
				ignored = !keep
				break
			}
		}
	}
	return ignored
}

// send copies what is sent to the builder into a folder.
func send(to string, ignored patterns) error {
	return filepath.WalkDir(top, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(top, file)
		if err != nil || name == "." {
			return err
		}
		if d.IsDir() && name == ".git" {
			return fs.SkipDir // ignored: see the test
		}
		if d.IsDir() || ignored.match(filepath.ToSlash(name)) {
			return nil
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), b, 0o644)
	})
}

const release = "v9.8.7"

// image is what the Dockerfile makes, in a folder that stands for its root: built once, by its own commands, from its own context.
var image struct {
	sync.Mutex
	root  string // TestMain removes it
	built bool
}

// built gives the folder of the image.
func built(t *testing.T) string {
	t.Helper()
	image.Lock()
	defer image.Unlock()
	if image.built {
		return image.root
	}
	if image.root != "" {
		t.Fatal("the image cannot be built: see the test that tried first")
	}
	root, err := os.MkdirTemp("", "earshot-image-")
	if err != nil {
		t.Fatal(err)
	}
	image.root = root
	src := filepath.Join(root, "src")
	// Nobody has to get through.
	if err := errors.Join(os.Chmod(root, 0o755), send(src, ignore(t))); err != nil {
		t.Fatal(err)
	}
	for _, i := range dockerfile(t, "Dockerfile") {
		if i.word != "RUN" {
			continue
		}
		cmd := exec.Command("sh", "-c", strings.ReplaceAll(i.rest, "/out/", root+"/out/"))
		cmd.Dir = src
		cmd.Env = append(os.Environ(), "VERSION="+release, "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", i.rest, err, out)
		}
	}
	image.built = true
	return root
}

// The build needs what is sent and gets no more: no secret, no test, no history.
func TestTheBuilderGetsTheSourceAlone(t *testing.T) {
	p := ignore(t)
	for name, want := range map[string]bool{
		"go.mod": false, "go.sum": false, "cmd/earshot/main.go": false, "agent/agent.go": false, "agent/httpapi/server.go": false, ".ci/supply/main.go": false,
		".git/config": true, ".ci/run": true, ".ci/supply/supply_test.go": true, "README.md": true, "Dockerfile": true, "bin/earshot": true, "docker-compose.yml": true, "testdata/pbx/ari.conf": true,
		"agent/agent_test.go": true, "agent/pbxtest/plan.go": true, "cmd/demo/main.go": true, "policy/testdata/fuzz/x": true, "deploy/compose/secrets/ami": true,
	} {
		if got := p.match(name); got != want {
			t.Errorf("%s is ignored: %v", name, got)
		}
	}
}

// The image is one static program that runs as nobody, built by the Go of go.mod, and knows its version.
func TestTheImageIsOneStaticProgram(t *testing.T) {
	t.Parallel()
	root := built(t)
	file := dockerfile(t, "Dockerfile")
	if v := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "go.mod")); v == nil || !strings.HasPrefix(file[0].rest, "golang:"+v[1]+"-") {
		t.Errorf("%s does not have the Go of go.mod, %v", file[0].rest, v)
	}
	if from := last(t, file, "FROM"); from.rest != "scratch" {
		t.Errorf("the image begins with %s", from.rest)
	}
	if user := last(t, file, "USER"); user.rest != fmt.Sprintf("%d:%d", nobody, nobody) {
		t.Errorf("the image runs as %s", user.rest)
	}
	binary, err := elf.Open(filepath.Join(root, "out/earshot"))
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	for _, p := range binary.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program needs a loader or libraries: %s", p.Type)
		}
	}
	out, err := exec.Command(filepath.Join(root, "out/earshot"), "version").CombinedOutput()
	if err != nil || string(out) != "earshot "+release+"\n" {
		t.Errorf("%v: %s", err, out)
	}
	for name, mode := range map[string]fs.FileMode{"out/lib/earshot": 0o700 | fs.ModeDir, "out/lib/earshot/tokens.yaml": 0o600} {
		if st, err := os.Stat(filepath.Join(root, name)); err != nil || st.Mode() != mode {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
	// Each COPY takes what the builder has made, or what is in its own image, and the program is where it is looked for.
	var copies []string
	for _, i := range file[slices.IndexFunc(file, func(i instruction) bool { return i.rest == "scratch" }):] {
		if i.word == "COPY" {
			copies = append(copies, strings.Join(append(slices.Clone(i.flags), i.rest), " "))
		}
	}
	if want := []string{
		"--from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/",
		"--from=build /out/earshot " + program,
		"--from=build /out/licences.txt /usr/share/earshot/",
		fmt.Sprintf("--from=build --chown=%d:%d /out/lib/ /var/lib/", nobody, nobody),
	}; !slices.Equal(copies, want) {
		t.Errorf("the image takes %q, want %q", copies, want)
	}
	for _, word := range []string{"ENTRYPOINT", "HEALTHCHECK"} {
		if got := last(t, file, word).list(t); got[0] != program {
			t.Errorf("%s is %v", word, got)
		}
	}
	// The zones are in the program: the image has no folder of them.
	if b, err := os.ReadFile(filepath.Join(root, "out/earshot")); err != nil || !bytes.Contains(b, []byte("Europe/Moscow")) {
		t.Errorf("the program has no time zones: %v", err)
	}
}

// program is where the image has Earshot.
const program = "/usr/local/bin/earshot"
