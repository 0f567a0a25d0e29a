// Package containers reads the files for containers by the very readers of Docker: Compose's loader with its schema, and BuildKit's parser and
// linter of Dockerfiles. It is a module of its own, since nothing of Earshot needs them. The package deploy holds the files to what is in them.
package containers

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

const top = "../.."

// load is what docker compose does with a file before it does anything else.
func load(t *testing.T, file string) ([]string, error) {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{file}, cli.WithWorkingDirectory(filepath.Dir(file)), cli.WithName("earshot"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := options.LoadProject(t.Context())
	if err != nil {
		return nil, err
	}
	return p.ServiceNames(), nil
}

func TestComposeTakesItsFile(t *testing.T) {
	services, err := load(t, filepath.Join(top, "docker-compose.yml"))
	if err != nil || len(services) != 5 {
		t.Errorf("%v, %v", services, err)
	}
	for name, text := range map[string]string{
		"a key that is none":        "services: {a: {image: x, helthcheck: {}}}",
		"a network that is nowhere": "services: {a: {image: x, networks: [there]}}",
		"a wait for nobody":         "services: {a: {image: x, depends_on: [b]}}",
	} {
		file := filepath.Join(t.TempDir(), "docker-compose.yml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := load(t, file); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// lint is what docker build does with a Dockerfile before it builds, and what its linter finds beside that.
func lint(t *testing.T, file string) (found []string, err error) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	result, err := parser.Parse(f)
	if err != nil {
		return nil, err
	}
	for _, w := range result.Warnings {
		found = append(found, w.Short)
	}
	_, _, err = instructions.Parse(result.AST, linter.New(&linter.Config{Warn: func(rule, description, url, message string, _ []parser.Range) {
		found = append(found, rule+": "+message)
	}}))
	return found, err
}

func TestDockerTakesItsFiles(t *testing.T) {
	for _, file := range []string{"Dockerfile", "deploy/compose/asterisk/Dockerfile"} {
		if found, err := lint(t, filepath.Join(top, file)); err != nil || len(found) > 0 {
			t.Errorf("%s: %v, %v", file, found, err)
		}
	}
	bad := filepath.Join(t.TempDir(), "Dockerfile")
	for name, text := range map[string]string{
		"an instruction that is none": "FROM scratch\nCOPPY a b\n",
		"a style of its own":          "FROM scratch as Build\n",
	} {
		if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if found, err := lint(t, bad); err == nil && len(found) == 0 {
			t.Errorf("%s is taken", name)
		}
	}
}
