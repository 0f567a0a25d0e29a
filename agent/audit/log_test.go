package audit_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/earshot-pbx/earshot/agent/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustOpen(t testing.TB, path string, o audit.Options) *audit.Log {
	t.Helper()
	l, err := audit.Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestALogThatIsOpenedAgainContinuesTheChain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	for range 3 {
		l := mustOpen(t, path, audit.Options{})
		for range 2 {
			if err := l.Append(t.Context(), audit.Entry{ID: "a1", Phase: audit.Decided, Outcome: audit.Deny, Action: "spy", Subject: "anna"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	rep, err := audit.VerifyFiles(nil, path)
	if err != nil {
		t.Fatal(err)
	}
	if !rep.OK() || rep.Lines != 6 || rep.First != 1 || rep.Last.Seq != 6 {
		t.Fatalf("report %+v, want 6 good lines", rep)
	}
}
