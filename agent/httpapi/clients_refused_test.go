package httpapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
)

func TestWhatCannotBeTakenIsNamedByItsPlace(t *testing.T) {
	c := newCRMWorld(t, "")
	c.put(t, `{"clients":[{"number":"2205","name":"Branch"}]}`)
	before := len(c.recorded())
	number := func(list ...string) string { return `{"clients":[` + strings.Join(list, ",") + `]}` }
	const good = `{"number":"+79161234567","name":"Ivanov"}`
	many := strings.TrimSuffix(strings.Repeat(`{"number":"79161234567","name":"N"},`, gate.MaxClients+1), ",")
	for name, tc := range map[string]struct {
		method, body string
		status       int
		code         string
		index        int // -1: no entry is at fault
		detail       string
	}{
		"no list":                   {"PUT", `{}`, 422, "no_list", -1, "clients is required"},
		"null":                      {"PUT", `{"clients":null}`, 422, "no_list", -1, "clients is required"},
		"no list of numbers":        {"DELETE", `{}`, 422, "no_list", -1, "numbers is required"},
		"not a list":                {"PUT", `{"clients":{}}`, 400, "wrong_type", -1, "must be a list"},
		"not JSON":                  {"PUT", `{"clients":[`, 400, "malformed_json", -1, ""},
		"another member":            {"PUT", `{"clients":[],"all":true}`, 400, "unknown_member", -1, "takes clients."},
		"a body of the other":       {"PUT", `{"numbers":["2205"]}`, 400, "unknown_member", -1, ""},
		"not an object":             {"PUT", number(good, `"2205"`), 400, "malformed_json", 1, "one JSON object"},
		"an entry that is null":     {"PUT", number(`null`), 400, "malformed_json", 0, "one JSON object"},
		"an unknown member within":  {"PUT", number(good, `{"number":"101","name":"A","manager":"eve"}`), 400, "unknown_member", 1, "number, name, responsible, access"},
		"a member in another case":  {"PUT", number(`{"Number":"101","name":"A"}`), 400, "unknown_member", 0, ""},
		"a member twice":            {"PUT", number(`{"number":"101","name":"A","number":"102"}`), 400, "duplicate_member", 0, "number twice"},
		"a number as a number":      {"PUT", number(good, `{"number":79161234567,"name":"A"}`), 400, "wrong_type", 1, "number must be a string"},
		"access as a text":          {"PUT", number(`{"number":"101","name":"A","access":"anna"}`), 400, "wrong_type", 0, "access must be"},
		"a number to delete":        {"DELETE", `{"numbers":["2205",79161234567]}`, 400, "wrong_type", 1, "must be a string"},
		"no telephone number":       {"PUT", number(good, `{"number":"+7916FLOWERS","name":"A"}`), 422, "bad_entries", 1, "no possible telephone number"},
		"no number":                 {"PUT", number(`{"name":"A"}`), 422, "bad_entries", 0, "no possible telephone number"},
		"no name":                   {"PUT", number(`{"number":"101"}`), 422, "bad_entries", 0, "a name has 1 to 256 bytes"},
		"a number twice":            {"PUT", number(good, `{"number":"8 916 123 45 67","name":"A"}`), 422, "bad_entries", 1, "clients[0] has the same number"},
		"an unknown employee":       {"PUT", number(good, `{"number":"101","name":"A","responsible":"eve-unknown"}`), 422, "bad_entries", 1, "responsible is no employee's id in the policy; add the employee there first"},
		"access of an unknown one":  {"PUT", number(`{"number":"101","name":"A","access":["anna","eve-unknown"]}`), 422, "bad_entries", 0, "access has an id that is no employee's"},
		"no number to delete":       {"DELETE", `{"numbers":["2205","FLOWERS"]}`, 422, "bad_entries", 1, "no possible telephone number"},
		"too many":                  {"PUT", number(many), 413, "too_many_entries", -1, "at most 10000"},
		"too many to delete":        {"DELETE", `{"numbers":["1"` + strings.Repeat(`,"1"`, gate.MaxClients) + `]}`, 413, "too_many_entries", -1, "at most 10000"},
		"too large":                 {"PUT", number(`{"number":"101","name":"` + strings.Repeat("x", 4<<20) + `"}`), 413, "body_too_large", -1, "4 MiB"},
		"as much as there may be":   {"PUT", number(`{"number":"101","name":"` + strings.Repeat("x", 4<<20-100) + `"}`), 422, "bad_entries", 0, "a name has 1 to 256 bytes"},
		"too large by another door": {"POST", `{"target":"` + strings.Repeat("a", 64<<10) + `"}`, 413, "body_too_large", -1, ""},
	} {
		who, path := "crm", "/v1/clients"
		if tc.method == "POST" {
			who, path = "carl", "/v1/supervisions"
		}
		a := c.ask(who, tc.method, path, tc.body)
		p := a.problem(t)
		told := p.Detail
		if tc.index >= 0 {
			if len(p.Errors) != 1 || p.Errors[0].Index != tc.index {
				t.Errorf("%s: %d %s", name, a.status, a.body)
				continue
			}
			told = p.Errors[0].Text
		} else if len(p.Errors) > 0 {
			t.Errorf("%s: %s", name, a.body)
		}
		if a.status != tc.status || p.Code != tc.code || !strings.Contains(told, tc.detail) {
			t.Errorf("%s: %d %s, want %d %s %q", name, a.status, a.body, tc.status, tc.code, tc.detail)
		}
		for _, secret := range []string{"9161234567", "FLOWERS", "Ivanov", "eve-unknown"} {
			if strings.Contains(string(a.body), secret) {
				t.Errorf("%s: %s", name, a.body)
			}
		}
	}
	a := c.ask("crm", http.MethodPut, "/v1/clients", number(strings.TrimSuffix(strings.Repeat(`{"number":"x","name":"N"},`, 500), ",")))
	if p := a.problem(t); a.status != 422 || len(p.Errors) != 100 || p.Errors[99].Index != 99 {
		t.Errorf("%d errors of 500", len(p.Errors))
	}
	for _, ct := range []string{"text/plain", "application/x-www-form-urlencoded", ""} {
		if a := c.ask("crm", http.MethodPut, "/v1/clients", ivanovsClient, "Content-Type", ct); a.status != 415 {
			t.Errorf("%q: %d", ct, a.status)
		}
	}
	if a := c.ask("crm", http.MethodPut, "/v1/clients?dry=1", ivanovsClient); a.status != 400 || a.problem(t).Code != "unknown_parameter" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if c.sources.Pushed().Len() != 1 || len(c.recorded()) != before {
		t.Errorf("%d clients, %d entries more on record", c.sources.Pushed().Len(), len(c.recorded())-before)
	}
	log := c.log.String()
	for _, secret := range []string{"9161234567", "FLOWERS", "Ivanov", "eve-unknown"} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

func TestAsManyClientsAsThereMayBeArePutAtOnce(t *testing.T) {
	c := newCRMWorld(t, "")
	list := func(from int) string {
		var all []gate.Client
		for i := range gate.MaxClients {
			all = append(all, gate.Client{Number: fmt.Sprintf("+7916%07d", from+i), Name: fmt.Sprintf("Client %d", i), Responsible: "boris"})
		}
		text, err := json.Marshal(map[string]any{"clients": all})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	began := time.Now()
	if n := c.put(t, list(0)); n.Added != gate.MaxClients {
		t.Errorf("%+v", n)
	}
	t.Logf("%d clients in %v", gate.MaxClients, time.Since(began))
	c.put(t, list(gate.MaxClients))
	// There is room for so many.
	a := c.ask("crm", http.MethodPut, "/v1/clients", ivanovsClient)
	if p := a.problem(t); a.status != 409 || p.Code != "clients_full" || p.ID == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	entries := c.recorded()
	if e := entries[len(entries)-1]; e.Phase != audit.Failed || e.Reason != "clients_full" || e.ID != entries[len(entries)-2].ID || e.Outcome != "" {
		t.Errorf("%+v", e)
	}
	if c.sources.Pushed().Len() != 2*gate.MaxClients {
		t.Errorf("%d clients", c.sources.Pushed().Len())
	}
}

func TestNothingIsChangedThatIsNotOnRecordOrOnTheDisk(t *testing.T) {
	c := newCRMWorld(t, "")
	c.put(t, `{"clients":[{"number":"2205","name":"Branch"}]}`)
	c.book.Refuse(errors.New("disk full"))
	for method, body := range map[string]string{http.MethodPut: ivanovsClient, http.MethodDelete: `{"numbers":["2205"]}`} {
		a := c.ask("crm", method, "/v1/clients", body)
		if p := a.problem(t); a.status != 503 || p.Code != "not_recorded" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", method, a.status, a.body)
		}
	}
	if _, a := c.sources.Pushed().Find(ivanov.number); a != clients.Stranger || c.sources.Pushed().Len() != 1 {
		t.Error("it was done, though it could not be recorded")
	}
	c.book.Refuse(nil)
	if err := c.sources.Close(); err != nil { // the disk is away
		t.Fatal(err)
	}
	a := c.ask("crm", http.MethodPut, "/v1/clients", ivanovsClient)
	if p := a.problem(t); a.status != 503 || p.Code != "clients_not_written" || p.ID == "" || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	entries := c.recorded()
	if e := entries[len(entries)-1]; e.Phase != audit.Failed || e.Reason != "clients_not_written" {
		t.Errorf("%+v", e)
	}
	if _, a := c.sources.Pushed().Find(ivanov.number); a != clients.Stranger {
		t.Error("it counts, though it is not on the disk")
	}
}
