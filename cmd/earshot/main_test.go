package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"earshot": main})
}

// The scripts are the reference of the command line: what each command prints where, and its exit code.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"auditlog": auditlog,
			"edit":     edit,
			"mode":     mode,
		},
	})
}

// exits runs earshot and wants an exit code: exits 2 token --config earshot.yaml nobody.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil {
		ts.Fatalf("usage: exits CODE ARGUMENT...")
	}
	got := 0
	var code interface{ ExitCode() int }
	switch err := ts.Exec("earshot", args[1:]...); {
	case errors.As(err, &code):
		got = code.ExitCode()
	case err != nil:
		ts.Fatalf("earshot: %v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	// Exec does not hand on what was printed, so that it can be looked at by stdout and stderr.
}

// auditlog makes a log of a supervision that was decided, carried out and ended, and of one in which Earshot was killed: auditlog FILE [KEY [again|rotated]]. With again
// the next one has come, with rotated the log was put away before the second.
func auditlog(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: auditlog FILE [KEY [again|rotated]]")
	}
	o := audit.Options{}
	if len(args) > 1 && args[1] != "" {
		o.Key = audit.Key(args[1])
	}
	log, err := audit.Open(ts.MkAbs(args[0]), o)
	ts.Check(err)
	for i, phase := range []audit.Phase{audit.Decided, audit.Done, audit.Ended, audit.Decided} {
		e := audit.Entry{ID: fmt.Sprint("s", i/3), Subject: "irina", Action: "spy", Targets: []string{"anna"}, Phase: phase}
		if i == 3 && len(args) > 2 && args[2] == "rotated" {
			_, err := log.Rotate()
			ts.Check(err)
		}
		if phase == audit.Decided {
			e.Outcome, e.Reason = audit.Allow, "allowed"
		}
		ts.Check(log.Append(context.Background(), e))
	}
	if len(args) > 2 && args[2] == "again" {
		ts.Check(log.Append(context.Background(), audit.Entry{ID: "audit", Phase: audit.Recovered, Action: "audit", Detail: audit.DetailUnclosed}))
		ts.Check(log.Append(context.Background(), audit.Entry{ID: "s1", Phase: audit.Failed, Subject: "irina", Action: "spy", Targets: []string{"anna"}, Reason: audit.ReasonUnknown}))
	}
	ts.Check(log.Close())
}

// edit changes the lines of a file: edit FILE replace LINE OLD NEW, edit FILE remove LINE, edit FILE swap LINE LINE, edit FILE keep COUNT.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: edit FILE WHAT LINE...")
	}
	lines := slices.Collect(strings.Lines(ts.ReadFile(args[0])))
	number := func(i int) int {
		n, err := strconv.Atoi(args[i])
		if err != nil || n < 1 || n > len(lines) {
			ts.Fatalf("no line %s", args[i])
		}
		return n - 1
	}
	switch n := number(2); args[1] {
	case "replace":
		if !strings.Contains(lines[n], args[3]) {
			ts.Fatalf("line %d has no %q", n+1, args[3])
		}
		lines[n] = strings.Replace(lines[n], args[3], args[4], 1)
	case "remove":
		lines = slices.Delete(lines, n, n+1)
	case "swap":
		m := number(3)
		lines[n], lines[m] = lines[m], lines[n]
	case "keep":
		lines = lines[:n+1]
	default:
		ts.Fatalf("edit knows no %q", args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(lines, "")), 0o600))
}

// mode wants the permissions of a file: mode 600 FILE.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	st, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", st.Mode().Perm()); (got == args[0]) == neg {
		ts.Fatalf("%s has mode %s", args[1], got)
	}
}
