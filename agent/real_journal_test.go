package agent_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/mask"
)

// readers are the rules of the house with a journal for three who see different things: irina sees everybody's calls, olga everybody's and with whom
// nobody's, anna her own.
var readers = strings.NewReplacer(
	`numbers: ["101"], department: sales}`, `numbers: ["101"], department: sales, journal: own}`,
	"    observe: true\n", "    observe: true\n    journal: true\n    statistics: true\n",
	"department: support\n    listen: {to: any, allow: [spy, whisper]}\n", "department: support\n    journal: true\n    listen: {to: any, allow: [spy, whisper]}\n",
).Replace(houseRules) + "lines: {first: {queue: sales, members: [anna, boris]}}\n"

// past reads an employee's journal, a line for each row.
func (o *office) past(who string) (lines []string, gaps int, rows []mask.JournalRow) {
	o.Helper()
	var page mask.JournalPage
	o.must(o.as(who).Do(o.ctx, http.MethodGet, "/v1/journal", nil, &page))
	for _, r := range page.Rows {
		line := fmt.Sprintf("%s %s %s", r.Employee, r.Direction, r.Outcome)
		if r.Hidden {
			line += " hidden"
		}
		if r.Peer != nil {
			line += " " + r.Peer.Name + r.Peer.Employee
		}
		if r.Line != "" {
			line += " by " + r.Line
		}
		for _, t := range r.Transfers {
			line += " transferred by " + t.By
		}
		if r.Gap {
			line += " gap"
		}
		if (r.Ended == nil) != (r.Outcome == mask.OutcomeRunning) || r.Answered != nil && r.Answered.Before(r.Began) {
			o.Errorf("the times of %s: %+v", line, r)
		}
		lines = append(lines, line)
	}
	return lines, len(page.Gaps), page.Rows
}

// reads waits until an employee's journal has these rows, whatever their order.
func (o *office) reads(who string, want ...string) {
	o.Helper()
	slices.Sort(want)
	o.until(who+" reads it", func() error {
		got, _, _ := o.past(who)
		if slices.Sort(got); !slices.Equal(got, want) {
			return fmt.Errorf("%s reads\n%s\nand not\n%s", who, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		return nil
	})
}

// Real calls, one by a line and transferred, one over which Earshot is killed, are read by three people, each as he may see them; and what has been
// written is there after the kill and after a stop.
func TestTheJournalOfRealCallsIsReadAsEachMaySeeThem(t *testing.T) {
	o := enter(t)
	plain, err := os.ReadFile(o.Path("earshot.yaml"))
	o.must(err)
	file := filepath.Join(t.TempDir(), "journal.db")
	o.must(o.Write("earshot.yaml", string(plain)+fmt.Sprintf("\njournal: {file: %q}\n", file)))
	o.Cleanup(func() {
		if err := o.Write("earshot.yaml", string(plain)); err != nil {
			o.Error(err)
		}
	})
	o.must(o.Write("policy.yaml", readers))
	start := o.start // which lasts to the end of the test, and not of a scene
	p := start()

	o.scene("a call from outside", func(o *office) {
		outside, inside := o.talk(vera, "anna")
		o.reads("irina", "anna in running Vera Client")
		o.reads("olga", "anna in running hidden")
		o.must(outside.Hangup(o.ctx))
		o.must(inside.WaitEnded(o.ctx))
		o.reads("anna", "anna in answered Vera Client")
	})
	o.scene("by a line, and on to a colleague", func(o *office) {
		outside := o.calls(stranger, "100")
		ringing, inside := o.rings("anna"), o.rings("boris")
		o.must(inside.Answer(o.ctx))
		o.together(outside, inside)
		o.must(ringing.WaitEnded(o.ctx))
		o.must(inside.Transfer(o.ctx, "201"))
		next := o.answers("sergei")
		o.together(outside, next)
		o.must(outside.Hangup(o.ctx))
		o.must(next.WaitEnded(o.ctx))
		o.reads("anna", "anna in answered Vera Client", "anna in elsewhere STRANGER by first")
		o.reads("irina", "anna in answered Vera Client", "anna in elsewhere STRANGER by first",
			"boris in answered STRANGER by first transferred by employee", "sergei in answered STRANGER")
		o.reads("olga", "anna in answered hidden", "anna in missed hidden", "boris in answered hidden", "sergei in answered hidden")
	})
	o.scene("over which Earshot is killed", func(o *office) {
		outside, inside := o.talk(oleg, "boris")
		o.until("it is written down", func() error {
			if got, _, _ := o.past("irina"); got[0] != "boris in running Oleg Customer" {
				return fmt.Errorf("irina reads %s first", got[0])
			}
			return nil
		})
		p.Kill()
		p = start()
		o.until("the call goes on", func() error {
			got, gaps, rows := o.past("irina")
			if got[0] != "boris in running Oleg Customer gap" || gaps != 1 || rows[0].Answered == nil {
				return fmt.Errorf("irina reads %s first, and of %d gaps", got[0], gaps)
			}
			return nil
		})
		o.must(outside.Hangup(o.ctx))
		o.must(inside.WaitEnded(o.ctx))
		o.reads("irina", "anna in answered Vera Client", "anna in elsewhere STRANGER by first",
			"boris in answered STRANGER by first transferred by employee", "sergei in answered STRANGER", "boris in answered Oleg Customer gap")
		o.reads("anna", "anna in answered Vera Client", "anna in elsewhere STRANGER by first")
	})
	o.scene("and stopped", func(o *office) {
		_, inside := o.talk(vera, "anna")
		p.Stop()
		p = start()
		o.until("the call goes on", func() error {
			if got, _, _ := o.past("anna"); got[0] != "anna in running Vera Client gap" {
				return fmt.Errorf("anna reads %s first", got[0])
			}
			return nil
		})
		o.must(inside.Hangup(o.ctx))
		o.reads("anna", "anna in answered Vera Client gap", "anna in answered Vera Client", "anna in elsewhere STRANGER by first")
		if status, body := o.get(http.MethodGet, "/metrics"); status != 200 || !strings.Contains(body, "\nearshot_journal_write_errors_total 0\n") || !strings.Contains(body, "\nearshot_journal_gaps 2\n") {
			o.Errorf("the metrics of the journal: %d %s", status, body)
		}
	})
	p.Stop()
	o.discreetOnDisk()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		o.Errorf("the journal's file: %v, %v", info, err)
	}
	if o.Failed() {
		o.Logf("Earshot's log:\n%s", o.log.unusual())
	}
}
