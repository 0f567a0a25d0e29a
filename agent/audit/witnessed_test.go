package audit_test

import (
	"errors"
	"math"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// What Earshot has not begun is nothing that an Earshot after it could take up, and its end says how long it lasted.
func TestWhatWasOnlyWitnessedIsNoOpenActAndVerifies(t *testing.T) {
	path := t.TempDir() + "/audit.jsonl"
	log, err := audit.Open(path, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []audit.Entry{
		{ID: "a", Phase: audit.Witnessed, Action: "spy", Outcome: audit.Deny, Reason: "unknown_phone", Door: "watchdog", Credential: "phone:PJSIP/304"},
		{ID: "b", Phase: audit.Witnessed, Action: "spy", Outcome: audit.Allow, Subject: "carl", Employees: []string{"anna"}},
		{ID: "c", Phase: audit.Decided, Action: "spy", Outcome: audit.Allow, Subject: "carl", Employees: []string{"anna"}},
		{ID: "a", Phase: audit.Revoked, Action: "spy", Seconds: 0.012},
	} {
		if err := log.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	for _, seconds := range []float64{-1, math.NaN(), math.Inf(1)} {
		if err := log.Append(t.Context(), audit.Entry{ID: "d", Phase: audit.Ended, Action: "spy", Seconds: seconds}); !errors.Is(err, audit.ErrInvalid) {
			t.Errorf("%g seconds: %v", seconds, err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	report, err := audit.VerifyFiles(nil, path)
	if err != nil || !report.OK() {
		t.Fatalf("%v %v", err, report.Fault)
	}
	acts, err := audit.OpenActs(nil, path)
	if err != nil || len(acts) != 1 || acts[0].ID != "c" {
		t.Fatalf("%+v %v", acts, err)
	}
}
