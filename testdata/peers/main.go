// Command peers measures Earshot beside what a user would take in its place, on the same work in one run, after all of them have given the answers of a
// naive reference. It prints each ratio with the least and the most of all rounds, against the target.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/testdata/peers/contest"
	"github.com/earshot-pbx/earshot/testdata/peers/report"
)

// part is one kind of work: what checks the answers, and what measures.
type part struct {
	name    string
	check   func() (said string, err error)
	measure func(contest.Plan) ([]report.Row, error)
}

var parts = []part{
	{"decisions", checkDecisions, measureDecisions},
	{"ari", checkARI, measureARI},
	{"ami", checkAMI, measureAMI},
	{"fan-out", checkFanOut, measureFanOut},
}

func main() {
	strict := flag.Bool("strict", false, "fail when a target is missed")
	markdown := flag.String("markdown", "", "write the table as markdown to this file too")
	only := flag.String("only", "", "measure this part alone")
	rounds := flag.Int("rounds", 11, "rounds")
	each := flag.Duration("each", 50*time.Millisecond, "about what each takes of a round")
	flag.Parse()
	if err := run(contest.Plan{Rounds: *rounds, Each: *each}, *only, *markdown, *strict); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(p contest.Plan, only, markdown string, strict bool) error {
	head := machine()
	fmt.Println(head)
	for _, part := range parts {
		if only != "" && only != part.name {
			continue
		}
		said, err := part.check()
		if err != nil {
			return fmt.Errorf("check %s: %w", part.name, err)
		}
		fmt.Printf("checked %s: %s\n", part.name, said)
	}
	var rows []report.Row
	for _, part := range parts {
		if only != "" && only != part.name {
			continue
		}
		more, err := part.measure(p)
		if err != nil {
			return fmt.Errorf("measure %s: %w", part.name, err)
		}
		rows = append(rows, more...)
	}
	fmt.Println()
	if err := report.Terminal(os.Stdout, rows); err != nil {
		return err
	}
	if markdown != "" {
		if err := write(markdown, head, rows); err != nil {
			return err
		}
	}
	missed := report.Missed(rows)
	fmt.Printf("\n%d rows, %d targets missed, in %d rounds\n", len(rows), len(missed), p.Rounds)
	if strict && len(missed) > 0 {
		return fmt.Errorf("%d targets are missed", len(missed))
	}
	return nil
}

func write(path, head string, rows []report.Row) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err = fmt.Fprintf(f, "%s\n\n", head); err == nil {
		err = report.Markdown(f, rows)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

// machine says on what, when and by which command the figures were taken, and beside which versions of the others.
func machine() string {
	cpu := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d cores, %s, %s, make bench-peers\n%s",
		cpu, runtime.NumCPU(), runtime.Version(), time.Now().UTC().Format("2 January 2006 15:04 UTC"), strings.Join(versions(), ", "))
}

func versions() (all []string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, m := range info.Deps {
		for _, peer := range []string{"casbin/casbin", "cedar-policy/cedar-go", "open-policy-agent/opa", "bytedance/sonic", "coder/websocket"} {
			if strings.HasPrefix(m.Path, "github.com/"+peer) && !strings.HasSuffix(m.Path, "/loader") {
				all = append(all, peer[strings.Index(peer, "/")+1:]+" "+m.Version)
			}
		}
	}
	return all
}
