package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Files is a PBX of which there are the configuration files alone.
type Files struct {
	dir     string
	etc     string // what the files themselves call dir, when that is another name
	configs map[string]*Config
}

// OpenFiles reads the folder of Asterisk's configuration, usually /etc/asterisk, or a copy of it. It may be left after use.
func OpenFiles(dir string) (*Files, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("the configuration of Asterisk: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("the configuration of Asterisk: %s is no folder", dir)
	}
	f := &Files{dir: dir, etc: "/etc/asterisk", configs: map[string]*Config{}}
	options, err := f.Config(context.Background(), "asterisk.conf")
	if err != nil {
		return nil, err
	}
	if found, err := filepath.Glob(filepath.Join(dir, "*.conf")); err != nil || len(found) == 0 {
		return nil, fmt.Errorf("the configuration of Asterisk: %s has no file *.conf", dir)
	}
	if etc, ok := options.option("directories", "astetcdir"); ok {
		f.etc = filepath.Clean(etc.Value)
	}
	return f, nil
}

// sourceFiles is what files are called as a source.
const sourceFiles = "files"

// Source is "files".
func (f *Files) Source() string { return sourceFiles }

// Config reads a file with what it includes. Nothing is executed.
func (f *Files) Config(_ context.Context, name string) (*Config, error) {
	if c := f.configs[name]; c != nil {
		return c, nil
	}
	c, err := read(f, name)
	if err != nil {
		return nil, fmt.Errorf("the configuration of Asterisk: %w", err)
	}
	f.configs[name] = c
	return c, nil
}

// path is where a file is that an #include names. The folder may be a copy of what the names say.
func (f *Files) path(name string) string {
	if !filepath.IsAbs(name) {
		return filepath.Join(f.dir, name)
	}
	if rest, ok := strings.CutPrefix(filepath.Clean(name), f.etc+"/"); ok {
		return filepath.Join(f.dir, rest)
	}
	return name
}

// foreign reports whether a name lies outside of the folder: this may be another machine than the PBX's.
func (f *Files) foreign(name string) bool {
	return filepath.IsAbs(name) && !strings.HasPrefix(filepath.Clean(name), f.etc+"/")
}

// find lists the files that a name or a glob pattern means.
func (f *Files) find(name string) []string {
	if !strings.ContainsAny(name, "*?[{") {
		return []string{filepath.Clean(name)}
	}
	var found []string
	for _, one := range braces([]string{name}) { // one of them may name another folder than the others
		found = append(found, glob(f.path(one))...)
	}
	for i, path := range found {
		if rest, ok := strings.CutPrefix(path, filepath.Clean(f.dir)+"/"); ok {
			found[i] = rest
		}
	}
	return found
}

// read is a file's text.
func (f *Files) read(name string) ([]byte, error) {
	path := f.path(name)
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fs.ErrNotExist // reading a pipe would wait for ever
	} else if info.Size() > maxFile {
		return nil, errTooMuch
	}
	return os.ReadFile(path)
}

// Dialplan reads extensions.conf.
func (f *Files) Dialplan(ctx context.Context) (*Dialplan, error) {
	cfg, err := f.Config(ctx, "extensions.conf")
	if err != nil {
		return nil, err
	}
	plan := dialplan(cfg)
	modules, err := f.Modules(ctx)
	if err != nil {
		return nil, err
	}
	for _, other := range []struct{ file, module string }{{"extensions.ael", "pbx_ael.so"}, {"extensions.lua", "pbx_lua.so"}} {
		if !slices.ContainsFunc(modules, func(m Module) bool { return m.Name == other.module }) {
			continue
		}
		if info, err := os.Stat(f.path(other.file)); err == nil && info.Size() > 0 {
			plan.Elsewhere = append(plan.Elsewhere, Elsewhere{What: other.file, Place: Place{File: other.file}})
		}
	}
	return plan, nil
}

// Modules reads modules.conf. Where it has everything loaded that is installed, and the folder with that is at hand, what is there counts;
// without the folder, everything that is not taken out may be loaded.
func (f *Files) Modules(ctx context.Context) ([]Module, error) {
	cfg, err := f.Config(ctx, "modules.conf")
	if err != nil {
		return nil, err
	}
	var loaded []Module
	var barred []string
	auto, isAuto := cfg.option("modules", "autoload")
	for _, s := range cfg.named("modules") {
		for _, v := range s.Settings {
			switch strings.ToLower(v.Key) {
			case "load", "preload", "require", "preload-require":
				loaded = append(loaded, Module{Name: object(v.Value), Place: v.Place})
			case "noload":
				barred = append(barred, object(v.Value))
			}
		}
	}
	if isAuto && isTrue(auto.Value) {
		installed, sure, err := f.installed(ctx)
		if err != nil {
			return nil, err
		}
		for _, name := range installed {
			if !slices.ContainsFunc(loaded, func(m Module) bool { return m.Name == name }) {
				loaded = append(loaded, Module{name, auto.Place, !sure})
			}
		}
	}
	return slices.DeleteFunc(loaded, func(m Module) bool { return slices.Contains(barred, m.Name) }), nil
}

// object is the file of a module, which may be named with or without its ending.
func object(name string) string {
	if strings.HasSuffix(name, ".so") {
		return name
	}
	return name + ".so"
}

// installed are the modules in Asterisk's folder, which is sure, or, without it, all that the doctor knows.
func (f *Files) installed(ctx context.Context) (names []string, sure bool, err error) {
	cfg, err := f.Config(ctx, "asterisk.conf")
	if err != nil {
		return nil, false, err
	}
	if dir, ok := cfg.option("directories", "astmoddir"); ok {
		entries, err := os.ReadDir(dir.Value)
		if err == nil {
			for _, e := range entries {
				if strings.HasSuffix(e.Name(), ".so") {
					names = append(names, e.Name())
				}
			}
			return names, true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, false, fmt.Errorf("the modules of Asterisk: %w", err)
		}
	}
	return known(), false, nil
}

// Applications are none: they are known to a running Asterisk alone.
func (f *Files) Applications(context.Context) ([]Application, error) { return nil, nil }
