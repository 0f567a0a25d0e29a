package agent

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/cache/redistest"
)

// The stream has what is recorded, up to the last line that is written while Earshot stops.
func TestWhatIsRecordedIsInTheStreamAndThatItIsNotIsSaid(t *testing.T) {
	s := redistest.Start(t)
	_, dir, _ := house(t)
	dir = elsewhere(t, dir)
	path := filepath.Join(dir, "earshot.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(text), "{file: audit.jsonl}", "{file: audit.jsonl, stream: {keep: 1000, name: audit.moscow}}", 1)+overRedis(s))
	n, end := shares(t, dir)
	record := func(id string) {
		t.Helper()
		if err := n.audit.Append(t.Context(), audit.Entry{ID: id, Phase: audit.Decided, Outcome: audit.Deny, Action: "spy", Reason: "not_granted"}); err != nil {
			t.Fatal(err)
		}
	}
	metric := func(line string) func() bool {
		return func() bool {
			_, body := ask(t, n.Agent, http.MethodGet, "/metrics")
			return strings.Contains(body, "\n"+line+"\n")
		}
	}
	record("a")
	n.comes("the first is sent", metric("earshot_audit_stream_sent_total 2")) // behind the one that says that Earshot was started
	if status, body := ask(t, n.Agent, http.MethodPost, "/-/rotate"); status != http.StatusOK {
		t.Fatal(status, body)
	}
	s.Do("CONFIG", "SET", "maxmemory", "1")
	record("b")
	n.comes("a full Redis shows", metric(`earshot_audit_stream_trouble{trouble="full"} 1`))
	if _, body := ask(t, n.Agent, http.MethodGet, "/readyz"); !strings.Contains(body, "\naudit: the stream waits, since the Redis takes no writes") {
		t.Errorf("readyz says %s", body)
	}
	if !metric("earshot_audit_stream_behind_entries 1")() {
		t.Error("that it is behind does not show")
	}
	s.Do("CONFIG", "SET", "maxmemory", "0")
	n.comes("it goes on", metric("earshot_audit_stream_sent_total 3"))
	record("c")
	end()
	got, err := s.Admin.XRange(t.Context(), "{earshot}:log:audit.moscow", "-", "+").Result()
	if err != nil || len(got) != 4 {
		t.Fatalf("the stream has %d entries: %v", len(got), err)
	}
	var lines strings.Builder
	for _, m := range got {
		line, _ := m.Values["entry"].(string)
		_, _ = lines.WriteString(line + "\n")
	}
	collected := filepath.Join(t.TempDir(), "collected.jsonl")
	write(t, collected, lines.String())
	if rep, err := audit.VerifyPart(nil, collected); err != nil || !rep.OK() || rep.Lines != 4 || rep.First != 1 {
		t.Errorf("what was collected: %+v %v", rep, err)
	}
}

func TestAStreamIsNamedAfterItsPBX(t *testing.T) {
	for want, c := range map[string]Config{
		"audit":        {},
		"audit.moscow": {Cluster: Cluster{PBX: "moscow"}},
		"own":          {Cluster: Cluster{PBX: "moscow"}, Audit: Audit{Stream: AuditStream{Name: "own"}}},
	} {
		if got := c.Audit.Stream.name(&c.Cluster); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
