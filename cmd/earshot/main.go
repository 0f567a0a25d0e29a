// Command earshot decides who may be within earshot of a call. See the README.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // a policy's time zone must be known on a machine that has no zone files

	"github.com/alecthomas/kong"
	"github.com/earshot-pbx/earshot/agent"
)

// Exit codes.
const (
	exitOK    = 0
	exitNo    = 1 // the answer is no: a refusal, a broken file, a broken chain
	exitError = 2 // no answer: wrong usage, a file that cannot be read, a fault

	exitReplaced = 3 // another Earshot is in the place of this one: do not start it again (RestartPreventExitStatus in deploy/systemd)
)

// cli is every command with its flags; its help is the reference.
type cli struct {
	Run     runCmd     `cmd:"" help:"Run Earshot beside a PBX."`
	Check   checkCmd   `cmd:"" help:"Check a configuration with all the files it names, or a policy alone; the Redis is not tried. Prints every error as file:line:column: message; exit 1 if there is one."`
	Explain explainCmd `cmd:"" help:"Say whether SUBJECT may do ACTION to TARGET, why, and what would have to change for the other answer. The first word is allow or deny; exit 0, 1, or 2 for an error."`
	Test    testCmd    `cmd:"" help:"Run decision tests. Prints every decision that did not come as expected, with its explanation; exit 0, 1 if there is one, or 2 for an error."`
	Matrix  matrixCmd  `cmd:"" help:"Print who may do what to whom: for each pair alone, whoever else is on a call."`
	Diff    diffCmd    `cmd:"" help:"Print which rights a policy gives and takes compared with another, person by person and by rule; what differs at another moment of the week after, with the moment. Exit 0 if nothing differs, 1 if something does."`
	Publish publishCmd `cmd:"" help:"Publish a policy for the Earshots that follow it, over the Redis that the configuration names. Prints its generation; exit 2 if it was not published, or nobody can tell."`
	Schema  schemaCmd  `cmd:"" help:"Print a JSON Schema of policy files, or of files of tests, by which editors complete and check."`
	Token   tokenCmd   `cmd:"" help:"Make a token for an employee, or for a panel, and print it, once. The tokens file gets its hash."`
	Doctor  doctorCmd  `cmd:"" help:"Look at a PBX, running or its files, for ways round Earshot that are open, and print each with the line to change. Exit 1 if there is one, 0 if not, 2 for an error."`
	Audit   auditCmd   `cmd:"" help:"Verify an audit log, ask it who heard whom, and have it put away."`
	Setup   setupCmd   `cmd:"" help:"Print the configuration of other programs for this Earshot."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// streams are where a command reads and writes; tests give others.
type streams struct {
	out, err io.Writer
}

// refusal is an answer of no that has been printed already.
type refusal struct{}

func (refusal) Error() string { return "no" }

func main() { os.Exit(run(os.Args[1:], streams{os.Stdout, os.Stderr})) }

// run carries out a command line and returns the exit code.
func run(args []string, s streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // so that a second signal ends the program at once
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("earshot"), kong.Description("Decides who may listen to, speak into or take whose calls on an Asterisk PBX."),
		kong.Writers(s.out, s.err), kong.Exit(func(code int) { exited = code }), kong.UsageOnError(), kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(s), kong.Vars{"actions": actions()})
	if err != nil {
		_, _ = fmt.Fprintln(s.err, "earshot:", err)
		return exitError
	}
	k, err := parser.Parse(args)
	if exited >= 0 {
		return exited // help was asked for
	}
	if err != nil {
		_, _ = fmt.Fprintf(s.err, "earshot: %v; see earshot --help\n", err)
		return exitError
	}
	err = k.Run()
	code := exitCode(err)
	if code != exitOK && code != exitNo {
		_, _ = fmt.Fprintln(s.err, "earshot:", err)
	}
	return code
}

// exitCode says what came of a command.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &refusal{}):
		return exitNo
	case errors.Is(err, agent.ErrReplaced), errors.Is(err, agent.ErrTaken):
		return exitReplaced
	}
	return exitError
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(s streams) error {
	_, err := fmt.Fprintln(s.out, "earshot", version())
	return err
}

// release is set by the linker where a build has no repository to take its version from: -ldflags "-X main.release=v1.2.3".
var release string

// version is the release, or that of the module, or the commit that it was built from.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
