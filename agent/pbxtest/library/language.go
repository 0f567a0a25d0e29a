package library

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// command is a library's driver.
func (in *Installation) command(ctx context.Context, l *Library) (*exec.Cmd, error) {
	driver := filepath.Join(in.dir, l.Driver)
	switch l.Language {
	case Node:
		return in.node(ctx, driver)
	case Python:
		return in.python(ctx, driver)
	case Perl:
		return in.perl(ctx, driver)
	case Go:
		return exec.CommandContext(ctx, in.program(l)), nil
	default:
		return nil, fmt.Errorf("library: %s has no language", l.Name)
	}
}

// node is Node.js with a script.
func (in *Installation) node(ctx context.Context, script string) (*exec.Cmd, error) {
	cmd, err := in.root.Command(ctx, "node", script)
	if err != nil {
		return nil, err
	}
	libraries := slices.Index(cmd.Args, "--library-path") + 1
	cmd.Args[libraries] = in.scratch + ":" + cmd.Args[libraries]
	cmd.ExtraFiles = []*os.File{in.system} // file 3
	cmd.Env = append(os.Environ(), "NODE_PATH="+in.modules+":"+in.root.Path(nodeModules))
	return cmd, nil
}

// python is Python with a script.
func (in *Installation) python(ctx context.Context, script string) (*exec.Cmd, error) {
	cmd, err := in.root.Command(ctx, "python3", script)
	if err != nil {
		return nil, err
	}
	cmd.Env = append(os.Environ(), "PYTHONHOME="+in.root.Path("usr"), "PYTHONPATH="+in.root.Path("usr/lib/python3/dist-packages"), "PYTHONDONTWRITEBYTECODE=1", "PYTHONSAFEPATH=1") // the script may be called as the library is
	return cmd, nil
}

// perl is Perl with a script.
func (in *Installation) perl(ctx context.Context, script string) (*exec.Cmd, error) {
	cmd, err := in.root.Command(ctx, "perl", script)
	if err != nil {
		return nil, err
	}
	var places []string
	for _, pattern := range []string{"usr/share/perl5", "usr/lib/*/perl/5.*", "usr/share/perl/5.*", "usr/lib/*/perl-base"} {
		found, err := filepath.Glob(in.root.Path(pattern))
		if err != nil {
			return nil, err
		}
		places = append(places, found...)
	}
	cmd.Env = append(os.Environ(), "PERL5LIB="+strings.Join(places, ":"))
	return cmd, nil
}
