package agent

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// The audit log is put away while Earshot writes it, and the chain runs on. When it cannot be, that is said, and nothing is lost.
func TestTheAuditLogIsPutAwayOnDemand(t *testing.T) {
	a, dir, _ := house(t)
	path := filepath.Join(dir, "audit.jsonl")
	rotate := func(method string) (int, string) {
		w := httptest.NewRecorder()
		a.adminServer().Handler.ServeHTTP(w, httptest.NewRequest(method, "/-/rotate", nil))
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	record := func(id string) {
		t.Helper()
		if err := a.audit.Append(t.Context(), audit.Entry{ID: id, Phase: audit.Done, Action: "spy"}); err != nil {
			t.Fatal(err)
		}
	}
	if code, text := rotate(http.MethodPost); code != http.StatusOK || text != "there is nothing to put away" {
		t.Errorf("an empty log: %d, %s", code, text)
	}
	record("one")
	if code, text := rotate(http.MethodPost); code != http.StatusOK || text != path+".000000000001" {
		t.Errorf("%d, %s", code, text)
	}
	record("two")
	if code, _ := rotate(http.MethodGet); code != http.StatusMethodNotAllowed {
		t.Errorf("whoever looks puts it away: %d", code)
	}
	write(t, path+".000000000002", "of an older chain")
	if code, text := rotate(http.MethodPost); code != http.StatusInternalServerError || !strings.Contains(text, "file already exists") {
		t.Errorf("over another: %d, %s", code, text)
	}
	record("three")
	if r, err := audit.VerifyFiles(nil, path+".000000000001", path); err != nil || !r.OK() || r.Lines != 3 {
		t.Errorf("%+v, %v", r, err)
	}
}
