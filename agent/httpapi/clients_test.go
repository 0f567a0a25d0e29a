package httpapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/cache"
)

const ivanovsClient = `{"clients":[{"number":"8 (916) 123-45-67","name":"Ivanov Ltd","responsible":"boris","access":["anna"]}]}`

func TestACRMPutsAndDeletesClients(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pushed.jsonl")
	c := newCRMWorld(t, path)
	if n := c.put(t, ivanovsClient); n != (gate.ClientsPut{Added: 1, Total: 1}) {
		t.Fatalf("%+v", n)
	}
	if n := c.put(t, ivanovsClient); n != (gate.ClientsPut{Unchanged: 1, Total: 1}) { // a second time
		t.Fatalf("%+v", n)
	}
	if n := c.put(t, `{"clients":[{"number":"+79161234567","name":"Ivanov & Sons","responsible":"boris"},{"number":"2205","name":"Branch"}]}`); n != (gate.ClientsPut{Added: 1, Changed: 1, Total: 2}) {
		t.Fatalf("%+v", n)
	}
	if n := c.put(t, `{"clients":[]}`); n != (gate.ClientsPut{Total: 2}) {
		t.Fatalf("%+v", n)
	}
	if client, a := c.sources.Find(ivanov.number); a != clients.Found || client.Name != "Ivanov & Sons" || client.Responsible != "boris" || len(client.Access) != 0 {
		t.Fatalf("%v %q", a, client.Name)
	}
	a := c.ask("crm", http.MethodDelete, "/v1/clients", `{"numbers":["22-05","+79269999999"]}`)
	var n gate.ClientsDeleted
	if a.decode(t, &n); a.status != 200 || n != (gate.ClientsDeleted{Deleted: 1, Absent: 1, Total: 1}) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	// Each is on record before and after, under one id, by the CRM, and nobody's number or name is.
	var want []string
	for _, e := range []string{"clients.put n:1", "clients.put n:1", "clients.put n:2", "clients.put n:0", "clients.delete n:2"} {
		want = append(want, "decided allow crm_token "+e, "done   "+e)
	}
	var got []string
	entries := c.recorded()
	for i, e := range entries {
		got = append(got, fmt.Sprintf("%s %s %s %s %s", e.Phase, e.Outcome, e.Reason, e.Action, e.Detail))
		if e.Subject != "" || e.Credential != "crm:pushed" || e.Door != "http" || e.ID == "" || e.ID != entries[i&^1].ID || len(e.Targets)+len(e.Employees) > 0 {
			t.Errorf("%+v", e)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("on record:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	c.logged(t, `"route":"/v1/clients","method":"DELETE"`)
	if log := c.log.String(); strings.Contains(log, "9161234567") || strings.Contains(log, "Ivanov") || strings.Contains(log, crmToken) || !strings.Contains(log, `"crm":"pushed"`) {
		t.Errorf("the log:\n%s", log)
	}
	// What was pushed is there after a restart.
	if err := c.sources.Close(); err != nil {
		t.Fatal(err)
	}
	again := newCRMWorld(t, path)
	if client, a := again.sources.Find("89161234567"); a != clients.Found || client.Responsible != "boris" {
		t.Errorf("%v", a)
	}
	if n := again.put(t, `{"clients":[{"number":"+79161234567","name":"Ivanov & Sons","responsible":"boris"}]}`); n != (gate.ClientsPut{Unchanged: 1, Total: 1}) {
		t.Errorf("%+v", n)
	}
}

// A call that rings is a call of a client from the moment at which the CRM says so, until it says otherwise.
func TestWhatIsPushedTakesEffectOnLiveCalls(t *testing.T) {
	c := newCRMWorld(t, "")
	s := c.watch("boris")
	s.next() // the snapshot
	c.ingest(ivanov.rings("1", "PJSIP/101", "101", 10)...)
	// shown waits until her call is shown so; before that there may be news of what is the same to him.
	shown := func(offered bool) mask.Row {
		for {
			var row mask.Row
			switch m := s.next(); {
			case m.Employee != nil:
				row = *m.Employee
			case m.Board != nil: // whose client a number is changes what everybody is shown
				row = m.Board.Employees[0]
			}
			if row.ID == "anna" && row.State == "ringing" && len(row.Calls) == 1 && slices.Contains(row.Can, "intercept") == offered && row.Calls[0].Hidden != offered {
				return row
			}
		}
	}
	shown(false)
	take := func() answer { return c.ask("boris", http.MethodPost, "/v1/intercepts", `{"target":"anna"}`) }
	if a := take(); a.status != 403 || a.problem(t).Code != "not_client" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	c.put(t, ivanovsClient)
	if row := shown(true); row.Calls[0].Peer == nil || row.Calls[0].Peer.Name != "Ivanov Ltd" {
		t.Fatalf("after: %+v", row)
	}
	if a := c.ask("crm", http.MethodDelete, "/v1/clients", `{"numbers":["+79161234567"]}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	shown(false)
	if a := take(); a.status != 403 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	c.put(t, ivanovsClient)
	if a := take(); a.status != 201 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if o := recv(t, c.pbx.taken); o.Ringing != "1.p" {
		t.Errorf("%+v", o)
	}
}

// The CRM's token opens its own routes alone, and nothing else opens them.
func TestTheCRMsTokenOpensItsRoutesAndNoOther(t *testing.T) {
	w := newCRMWorld(t, "", func(c *httpapi.Config) {
		tokens := c.Auth.(*auth.Tokens)
		c.Sessions = auth.NewSessions(auth.SessionOptions{Store: cache.NewMemory(cache.Options{}), Tokens: tokens, MaxTTL: time.Hour})
		c.Auth = auth.Chain{tokens, c.Sessions}
	})
	w.token["panel"] = panelToken(t, w.world)
	w.session("session", "carl", `{}`)
	uniform := string(w.ask("", http.MethodGet, "/v1/me", "").body)
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		for name, header := range map[string][]string{
			"nobody": {}, "an employee": {"Authorization", "Bearer " + w.token["carl"]}, "a session": {"Authorization", "Bearer " + w.token["session"]},
			"a panel": {"Authorization", "Bearer " + w.token["panel"], "X-Earshot-Employee", "anna"}, "a panel alone": {"Authorization", "Bearer " + w.token["panel"]},
			"a webhook": {"Authorization", "Bearer " + hookToken}, "the CRM as an employee": {"Authorization", "Bearer " + crmToken, "X-Earshot-Employee", "anna"},
			"almost": {"Authorization", "Bearer " + crmToken[1:]}, "another scheme": {"Authorization", "Basic " + crmToken}, "in a cookie": {"Cookie", "token=" + crmToken},
			"as a subprotocol": {"Sec-WebSocket-Protocol", "earshot.v1, bearer." + crmToken}, "nothing": {"Authorization", "Bearer "},
		} {
			// A stranger learns nothing of what he sends either.
			for _, body := range []string{ivanovsClient, `{"clients":`, `{"numbers":["+79161234567"]}`} {
				a := w.ask("", method, "/v1/clients", body, header...)
				if a.status != 401 || string(a.body) != uniform || a.header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s %s: %d %s", name, method, a.status, a.body)
				}
			}
		}
	}
	if a := w.ask("", http.MethodPut, "/v1/clients?token="+crmToken, ivanovsClient); a.status != 401 {
		t.Errorf("in the address: %d", a.status)
	}
	if w.sources.Pushed().Len() != 0 || len(w.recorded()) != 0 {
		t.Error("something was done")
	}
	for _, path := range []string{"/v1/me", "/v1/employees", "/v1/supervisions", "/v1/events"} {
		for _, named := range []string{"", "anna", "pushed", "crm"} {
			if a := w.ask("crm", http.MethodGet, path, "", "X-Earshot-Employee", named); a.status != 401 {
				t.Errorf("the CRM at %s as %q: %d", path, named, a.status)
			}
		}
	}
	for _, path := range []string{"/v1/supervisions", "/v1/intercepts", "/v1/calls", "/v1/sessions"} {
		if a := w.ask("crm", http.MethodPost, path, `{"target":"anna"}`); a.status != 401 {
			t.Errorf("the CRM at %s: %d", path, a.status)
		}
	}
	if a := w.ask("crm", http.MethodPost, "/v1/clients/hooks/office", `{"token":"`+crmToken+`","all":true}`); a.status != 401 {
		t.Errorf("the CRM as a webhook: %d", a.status)
	}
	// The controls: each is good for its own.
	if n := w.put(t, ivanovsClient); n.Added != 1 {
		t.Errorf("%+v", n)
	}
	for _, who := range []string{"carl", "session"} {
		if a := w.ask(who, http.MethodGet, "/v1/me", ""); a.status != 200 {
			t.Errorf("%s: %d", who, a.status)
		}
	}
	if a := w.ask("panel", http.MethodGet, "/v1/me", "", "X-Earshot-Employee", "anna"); a.status != 200 {
		t.Errorf("the panel: %d", a.status)
	}
	// Another token is taken up without a restart, and then the old one is none.
	const second = "an0ther-t0ken-of-the-crm"
	if err := os.WriteFile(w.secret, []byte(second+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.sources.Reload(); err != nil {
		t.Fatal(err)
	}
	if a := w.ask("crm", http.MethodPut, "/v1/clients", ivanovsClient); a.status != 401 {
		t.Errorf("the old token: %d", a.status)
	}
	w.token["crm"] = second
	w.put(t, ivanovsClient)
}

func TestGuessingTheCRMsTokensIsSlow(t *testing.T) {
	limits := generous
	limits.Failures = httpapi.Rate{PerMinute: 6, Burst: 4}
	h := &hand{}
	c := newCRMWorld(t, "", func(cfg *httpapi.Config) { cfg.Limits, cfg.Clock = limits, h.now })
	hook := func(source, token string) answer {
		return c.ask("", http.MethodPost, "/v1/clients/hooks/"+source, `{"token":"`+token+`","all":true}`)
	}
	guess := func(n int) answer {
		return c.ask("", http.MethodPut, "/v1/clients", ivanovsClient, "Authorization", fmt.Sprintf("Bearer %s%d", crmToken, n))
	}
	c.put(t, ivanovsClient)
	if a := hook("office", hookToken); a.status != 204 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := c.ask("carl", http.MethodGet, "/v1/me", ""); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	// What presents no credential guesses nothing.
	for range 5 {
		c.ask("", http.MethodPut, "/v1/clients", ivanovsClient)
		c.ask("", http.MethodPost, "/v1/clients/hooks/office", `{}`)
	}
	for i := range 2 {
		if a := guess(i); a.status != 401 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a := hook("office", fmt.Sprint(hookToken, i)); a.status != 401 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	wantLimited(t, guess(9), "too_many_failures", "10")
	wantLimited(t, hook("office", "x"), "too_many_failures", "10")
	wantLimited(t, hook("nowhere", hookToken), "too_many_failures", "10") // good elsewhere is not good here
	wantLimited(t, c.ask("carl", http.MethodPut, "/v1/clients", ivanovsClient), "too_many_failures", "10")
	wantLimited(t, c.ask("dora", http.MethodGet, "/v1/me", ""), "too_many_failures", "10")
	// Those who have proven themselves go on.
	c.put(t, ivanovsClient)
	if a := hook("office", hookToken); a.status != 204 {
		t.Errorf("%d %s", a.status, a.body)
	}
	h.forward(10 * time.Second)
	if a := hook("nowhere", hookToken); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
	wantLimited(t, guess(9), "too_many_failures", "10")
}

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
	c.book.refuse(errors.New("disk full"))
	for method, body := range map[string]string{http.MethodPut: ivanovsClient, http.MethodDelete: `{"numbers":["2205"]}`} {
		a := c.ask("crm", method, "/v1/clients", body)
		if p := a.problem(t); a.status != 503 || p.Code != "not_recorded" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", method, a.status, a.body)
		}
	}
	if _, a := c.sources.Pushed().Find(ivanov.number); a != clients.Stranger || c.sources.Pushed().Len() != 1 {
		t.Error("it was done, though it could not be recorded")
	}
	c.book.refuse(nil)
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

func TestWithoutASourceForItThereIsNoPath(t *testing.T) {
	w := newWorld(t)
	w.token["crm"] = crmToken
	for _, who := range []string{"", "crm", "carl"} {
		for _, method := range []string{http.MethodPut, http.MethodDelete} {
			if a := w.ask(who, method, "/v1/clients", ivanovsClient); a.status != 404 || a.problem(t).Code != "no_such_path" {
				t.Errorf("%q %s: %d %s", who, method, a.status, a.body)
			}
		}
	}
	if a := w.ask("", http.MethodPost, "/v1/clients/hooks/office", `{"token":"`+hookToken+`","all":true}`); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if doc := string(w.door.OpenAPI()); strings.Contains(doc, "put-clients") || strings.Contains(doc, `"crm"`) {
		t.Error("what is not there is described")
	}
}

func TestTheCRMsRoutesAreDescribed(t *testing.T) {
	c := newCRMWorld(t, "")
	var doc struct {
		Paths map[string]map[string]struct {
			Security    []map[string][]string
			Parameters  []any
			RequestBody struct{ Content map[string]any }
			Responses   map[string]any
		}
		Components struct {
			SecuritySchemes map[string]struct{ Type, Scheme string }
			Schemas         map[string]struct{ AdditionalProperties any }
		}
	}
	if err := json.Unmarshal(c.door.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"put", "delete"} {
		o := doc.Paths["/v1/clients"][method]
		if len(o.Security) != 1 || o.Security[0]["crm"] == nil || len(o.Parameters) > 0 || o.Responses["200"] == nil || o.Responses["default"] == nil || o.RequestBody.Content["application/json"] == nil {
			t.Errorf("%s: %+v", method, o)
		}
	}
	hook := doc.Paths["/v1/clients/hooks/{source}"]["post"]
	if hook.Security == nil || len(hook.Security) > 0 || len(hook.RequestBody.Content) != 2 || hook.Responses["204"] == nil {
		t.Errorf("%+v", hook)
	}
	if s := doc.Components.SecuritySchemes["crm"]; s.Type != "http" || s.Scheme != "bearer" {
		t.Errorf("%+v", s)
	}
	for _, name := range []string{"PutClients", "DeleteClients", "Client"} {
		if s, ok := doc.Components.Schemas[name]; !ok || s.AdditionalProperties != false {
			t.Errorf("%s: %+v", name, s)
		}
	}
	for _, name := range []string{"ClientsPut", "ClientsDeleted"} {
		if s, ok := doc.Components.Schemas[name]; !ok || s.AdditionalProperties != nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// panelToken adds a token of a panel that asks for everybody.
func panelToken(t *testing.T, w *world) string {
	t.Helper()
	token, hash := auth.NewToken()
	if err := auth.AddToken(w.file, auth.Entry{Panel: "crm", ActsFor: []string{auth.Everyone}, Hash: hash}); err != nil {
		t.Fatal(err)
	}
	if err := w.tokens.Reload(); err != nil {
		t.Fatal(err)
	}
	return token
}
