package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/vuln/scan"
)

// vulnerabilities has govulncheck look at what the program and the tools beside it call.
func vulnerabilities(ctx context.Context, db string) error {
	if !strings.Contains(db, "://") {
		made, err := os.MkdirTemp("", "earshot-vulndb")
		if err != nil {
			return fmt.Errorf("make a folder for the database: %w", err)
		}
		defer func() { _ = os.RemoveAll(made) }()
		newest, err := index(db, made)
		if err != nil {
			return err
		}
		fmt.Printf("database: a checkout whose newest entry is %s\n", newest)
		db = "file://" + made
	} else {
		fmt.Printf("database: %s\n", db)
	}
	cmd := scan.Command(ctx, "-db", db, "-show", "verbose", program, "./cmd/demo")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("govulncheck: %w", err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("govulncheck: %w (without the network, name the folder of a checkout of github.com/golang/vulndb: VULNDB=…)", err)
	}
	return nil
}

// An entry is as much of an OSV record as the index of a database has of it: https://go.dev/doc/security/vuln/database.
type entry struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
	Affected []struct {
		Package struct {
			Name string `json:"name"`
		} `json:"package"`
		Ranges []struct {
			Events []struct {
				Fixed string `json:"fixed"`
			} `json:"events"`
		} `json:"ranges"`
	} `json:"affected"`
}

// index makes a database that govulncheck reads from the files of a checkout, and says which entry is its newest: ids have the year, and a number that
// grows; when they were published, those of the checkout do not all say.
func index(checkout, made string) (newest string, err error) {
	files, err := filepath.Glob(filepath.Join(checkout, "data", "osv", "GO-*.json"))
	if err != nil {
		return newest, fmt.Errorf("look for entries: %w", err)
	}
	if len(files) == 0 {
		return newest, fmt.Errorf("%s has no data/osv/GO-*.json: it is no checkout of github.com/golang/vulndb", checkout)
	}
	type vuln struct {
		ID       string    `json:"id"`
		Modified time.Time `json:"modified"`
		Fixed    string    `json:"fixed,omitempty"`
	}
	modules := map[string][]vuln{}
	var vulns []vuln
	for _, d := range []string{"index", "ID"} {
		if err := os.Mkdir(filepath.Join(made, d), 0o700); err != nil {
			return newest, fmt.Errorf("make the database: %w", err)
		}
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return newest, fmt.Errorf("read an entry: %w", err)
		}
		var e entry
		if err := json.Unmarshal(raw, &e); err != nil {
			return newest, fmt.Errorf("%s: %w", file, err)
		}
		if len(e.ID) > len(newest) || len(e.ID) == len(newest) && e.ID > newest {
			newest = e.ID
		}
		if err := os.WriteFile(filepath.Join(made, "ID", e.ID+".json"), raw, 0o600); err != nil {
			return newest, fmt.Errorf("make the database: %w", err)
		}
		vulns = append(vulns, vuln{ID: e.ID, Modified: e.Modified})
		for _, a := range e.Affected {
			v := vuln{ID: e.ID, Modified: e.Modified}
			for _, r := range a.Ranges {
				for _, ev := range r.Events {
					if ev.Fixed != "" {
						v.Fixed = ev.Fixed
					}
				}
			}
			modules[a.Package.Name] = append(modules[a.Package.Name], v)
		}
	}
	type listed struct {
		Path  string `json:"path"`
		Vulns []vuln `json:"vulns"`
	}
	var list []listed
	for path, v := range modules {
		list = append(list, listed{path, v})
	}
	return newest, errors.Join(
		write(made, "db", map[string]time.Time{"modified": time.Now()}),
		write(made, "modules", list),
		write(made, "vulns", vulns))
}

func write(made, name string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	if err := os.WriteFile(filepath.Join(made, "index", name+".json"), raw, 0o600); err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	return nil
}

func goRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
