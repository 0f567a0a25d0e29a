package audit_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// A supervision is recorded before it begins and when it has ended; afterwards the log tells who could hear anna.
func Example() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "audit.log")

	log, err := audit.Open(path, audit.Options{Key: audit.Key("32 random bytes of a secret file")})
	if err != nil {
		fmt.Println(err)
		return
	}
	e := audit.Entry{ID: "s1", Subject: "irina", Action: "spy", Targets: []string{"anna"}, Employees: []string{"anna", "boris"}, Door: "http"}
	for _, phase := range []audit.Phase{audit.Decided, audit.Done, audit.Ended} {
		e.Phase = phase
		e.Outcome, e.Reason = "", ""
		if phase == audit.Decided {
			e.Outcome, e.Reason = audit.Allow, "allowed"
		}
		if err := log.Append(context.Background(), e); err != nil {
			fmt.Println(err) // and nothing may be done
			return
		}
	}
	if err := log.Close(); err != nil {
		fmt.Println(err)
		return
	}

	report, err := audit.VerifyFiles(audit.Key("32 random bytes of a secret file"), path)
	fmt.Println(report.Lines, report.OK(), err)
	hearings, err := audit.Hearings(audit.Read(audit.Key("32 random bytes of a secret file"), path))
	for _, h := range hearings {
		if h.Heard("anna") {
			fmt.Println(h.Subject, h.Action, h.End, err)
		}
	}
	// Output:
	// 3 true <nil>
	// irina spy ended <nil>
}
