package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A module is one that something of ours is made of.
type module struct {
	path, version string
	files         []string // its licences' files, of the root and of the folders that are used
	root          string
}

// uses lists the modules of the packages that those of a folder's module import, itself and what it takes from this repository left out, in order.
func uses(ctx context.Context, folder string, args ...string) ([]module, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-deps", "-json=Dir,Standard,Module"}, args...)...)
	cmd.Dir = folder
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go list in %s: %w: %s", folder, err, problem.String())
	}
	found := map[string]*module{}
	for d := json.NewDecoder(&out); ; {
		var p struct {
			Dir      string
			Standard bool
			Module   *struct {
				Path, Version, Dir string
				Main               bool
				Replace            *struct{ Path, Version, Dir string }
			}
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list in %s: %w", folder, err)
		}
		if p.Standard || p.Module == nil || p.Module.Main || p.Module.Replace != nil && p.Module.Replace.Version == "" {
			continue
		}
		m := found[p.Module.Path]
		if m == nil {
			m = &module{path: p.Module.Path, version: p.Module.Version, root: p.Module.Dir}
			found[m.path] = m
		}
		if err := m.look(p.Dir); err != nil {
			return nil, err
		}
	}
	all := make([]module, 0, len(found))
	for _, m := range found {
		slices.Sort(m.files)
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b module) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense|notice)([-._].*)?$`)

// look notes the licences' files of a folder of the module and of those above it, since a part may have another licence than the whole.
func (m *module) look(folder string) error {
	for {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return fmt.Errorf("look for licences: %w", err)
		}
		for _, e := range entries {
			file := filepath.Join(folder, e.Name())
			if e.Type().IsRegular() && licenceFile.MatchString(e.Name()) && filepath.Ext(e.Name()) != ".go" && !slices.Contains(m.files, file) {
				m.files = append(m.files, file)
			}
		}
		if folder == m.root || len(folder) <= len(m.root) {
			return nil
		}
		folder = filepath.Dir(folder)
	}
}
