package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/httpapi"
)

const (
	evaluation   = "/access/v1/evaluation"
	evaluations  = "/access/v1/evaluations"
	searchAction = "/access/v1/search/action"
)

// panel gives a panel a token by which it asks for these employees.
func (w *world) panel(name string, actsFor ...string) {
	w.t.Helper()
	token, hash := auth.NewToken()
	w.token[name] = token
	if err := auth.AddToken(w.file, auth.Entry{Panel: name, ActsFor: actsFor, Hash: hash}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.tokens.Reload(); err != nil {
		w.t.Fatal(err)
	}
}

// tuple is the body of one evaluation.
func tuple(subject, action, resource string) string {
	return fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":%q},"resource":%s}`, subject, action, resource)
}

const (
	anna = `{"type":"employee","id":"anna"}`
	egor = `{"type":"employee","id":"egor"}`
)

func (a answer) is(t *testing.T, what string, status int, body string) {
	t.Helper()
	if got := strings.TrimSpace(string(a.body)); a.status != status || got != body || status == 200 && a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: %d %s, want %d %s", what, a.status, got, status, body)
	}
}

// The forms are those of the specification's examples (sections 6 to 8).
func TestQuestionsAreAnsweredInTheFormOfAuthZEN(t *testing.T) {
	w := newWorld(t)
	w.panel("few", "carl")
	w.talking(ivanov, "1", "PJSIP/101", "101")
	for name, c := range map[string]struct{ who, path, body, want string }{
		"permit": {"dora", evaluation, tuple("dora", "spy", anna), `{"decision":true}`},
		"deny": {"dora", evaluation, tuple("dora", "barge", anna),
			`{"decision":false,"context":{"reason":"no_right"}}`},
		"deny by a rule": {"dora", evaluation, tuple("dora", "spy", egor),
			`{"decision":false,"context":{"reason":"excluded","rule":"policy.yaml:10:117: employees.dora.listen.except"}}`},
		"an unknown resource": {"dora", evaluation, tuple("dora", "can_read", `{"type":"document","id":"boxcarring.md"}`),
			`{"decision":false,"context":{"reason":"unknown_action"}}`},
		"a context and properties": {"dora", evaluation, `{"subject":{"type":"employee","id":"dora","properties":{"department":"Sales","ip_address":null}},
			"action":{"name":"spy","properties":{"method":"GET"}},"resource":{"id":"anna","type":"employee","properties":{"status":"active"}},
			"context":{"time":"1985-10-26T01:22-07:00","reason":"complaint"},"foo":"bar","futureField":{"nested":[1,{}]}}`, `{"decision":true}`},
		"names in another case are others": {"dora", evaluation, `{"Subject":{"type":"employee","id":"egor"},"subject":{"type":"user","id":"dora","ID":"egor"},"action":{"name":"spy","Name":"barge"},"resource":` + anna + `}`,
			`{"decision":true}`},
		"a recording": {"few", evaluation, tuple("carl", "play", `{"type":"recording","id":"r1","properties":{"employees":["anna","boris"],"numbers":["+74957654321"]}}`),
			`{"decision":false,"context":{"reason":"not_for_this_call"}}`},

		"several": {"dora", evaluations, `{"evaluations":[` + tuple("dora", "spy", anna) + `,` + tuple("dora", "barge", anna) + `]}`,
			`{"evaluations":[{"decision":true},{"decision":false,"context":{"reason":"no_right"}}]}`},
		"with what is common to all": {"dora", evaluations, `{"subject":{"type":"user","id":"dora"},"context":{"time":"2024-05-31T15:22-07:00"},"action":{"name":"spy"},
			"evaluations":[{"resource":` + anna + `},{"resource":{"type":"employee","id":"boris"}},{"action":{"name":"whisper"},"resource":` + anna + `}]}`,
			`{"evaluations":[{"decision":true},{"decision":false,"context":{"reason":"not_talking"}},{"decision":false,"context":{"reason":"no_right"}}]}`},
		"with a type that is common to all": {"dora", evaluations, `{"subject":{"type":"user","id":"dora"},"action":{"name":"spy"},"resource":{"type":"employee"},"evaluations":[{"resource":{"id":"anna"}},{}]}`,
			`{"evaluations":[{"decision":true},{"decision":false,"context":{"error":{"status":400,"code":"missing_member","message":"resource.id is required."}}}]}`},
		"properties are not common to all": {"few", evaluations, `{"subject":{"type":"user","id":"carl"},"action":{"name":"play"},"resource":{"type":"recording","id":"1","properties":{"employees":["anna"]}},"evaluations":[{"resource":{"id":"2"}},{}]}`,
			`{"evaluations":[{"decision":false,"context":{"reason":"unknown_target"}},{"decision":false,"context":{"reason":"no_right"}}]}`},
		"one of several cannot be read": {"dora", evaluations, `{"subject":{"type":"user","id":"dora"},"action":{"name":"spy"},"evaluations":[{"resource":7},5,null,{"resource":` + anna + `}]}`,
			`{"evaluations":[{"decision":false,"context":{"error":{"status":400,"code":"wrong_type","message":"evaluations[0].resource must be an object."}}},` +
				`{"decision":false,"context":{"error":{"status":400,"code":"wrong_type","message":"evaluations[1] must be an object."}}},` +
				`{"decision":false,"context":{"error":{"status":400,"code":"missing_member","message":"resource is required."}}},{"decision":true}]}`},
		"execute_all":            {"dora", evaluations, three("execute_all"), `{"evaluations":[{"decision":true},{"decision":false,"context":{"reason":"not_talking"}},{"decision":true}]}`},
		"deny_on_first_deny":     {"dora", evaluations, three("deny_on_first_deny"), `{"evaluations":[{"decision":true},{"decision":false,"context":{"reason":"not_talking"}}]}`},
		"permit_on_first_permit": {"dora", evaluations, three("permit_on_first_permit"), `{"evaluations":[{"decision":true}]}`},
		"none of several":        {"dora", evaluations, tuple("dora", "spy", anna), `{"decision":true}`},
		"an empty list of them":  {"dora", evaluations, strings.TrimSuffix(tuple("dora", "barge", anna), "}") + `,"evaluations":[]}`, `{"decision":false,"context":{"reason":"no_right"}}`},

		"search":          {"carl", searchAction, `{"subject":{"type":"user","id":"carl"},"resource":` + anna + `,"context":{"time":"2024-10-26T01:22-07:00"},"page":{"limit":2}}`, `{"page":{"next_token":"","count":5,"total":5},"results":[{"name":"observe"},{"name":"observe.kind"},{"name":"spy"},{"name":"whisper"},{"name":"barge"}]}`},
		"search for none": {"egor", searchAction, `{"subject":{"type":"user","id":"egor"},"resource":` + anna + `,"action":{"name":"spy"}}`, `{"page":{"next_token":"","count":0,"total":0},"results":[]}`},
	} {
		a := w.ask(c.who, http.MethodPost, c.path, c.body)
		a.is(t, name, 200, c.want)
		checkHeaders(t, a)
	}
	if len(w.book.All()) != 0 {
		t.Errorf("questions are on record: %+v", w.book.All())
	}
}

func three(semantic string) string {
	return `{"subject":{"type":"user","id":"dora"},"action":{"name":"spy"},"options":{"evaluations_semantic":"` + semantic + `","another_option":"value"},` +
		`"evaluations":[{"resource":` + anna + `},{"resource":{"type":"employee","id":"boris"}},{"resource":` + anna + `}]}`
}

func TestAQuestionThatIsNoneIsABadRequest(t *testing.T) {
	w := newWorld(t)
	good := tuple("dora", "spy", anna)
	many := `{"evaluations":[` + strings.Repeat("{},", 100) + `{}]}`
	for name, c := range map[string]struct {
		path, body string
		header     []string
		status     int
		code       string
	}{
		"no subject":            {body: `{"action":{"name":"spy"},"resource":` + anna + `}`, code: "missing_member"},
		"no action":             {body: `{"subject":{"type":"user","id":"dora"},"resource":` + anna + `}`, code: "missing_member"},
		"no resource":           {body: `{"subject":{"type":"user","id":"dora"},"action":{"name":"spy"}}`, code: "missing_member"},
		"a null resource":       {body: `{"subject":{"type":"user","id":"dora"},"action":{"name":"spy"},"resource":null}`, code: "missing_member"},
		"no type of subject":    {body: `{"subject":{"id":"dora"},"action":{"name":"spy"},"resource":` + anna + `}`, code: "missing_member"},
		"no id of subject":      {body: `{"subject":{"type":"user"},"action":{"name":"spy"},"resource":` + anna + `}`, code: "missing_member"},
		"no name of action":     {body: `{"subject":{"type":"user","id":"dora"},"action":{},"resource":` + anna + `}`, code: "missing_member"},
		"no type of resource":   {body: tuple("dora", "spy", `{"id":"anna"}`), code: "missing_member"},
		"no id of resource":     {body: tuple("dora", "spy", `{"type":"employee"}`), code: "missing_member"},
		"a text for a subject":  {body: `{"subject":"dora","action":{"name":"spy"},"resource":` + anna + `}`, code: "wrong_type"},
		"a number for a name":   {body: `{"subject":{"type":"user","id":"dora"},"action":{"name":123},"resource":` + anna + `}`, code: "wrong_type"},
		"a text for properties": {body: tuple("dora", "spy", `{"type":"employee","id":"anna","properties":"x"}`), code: "wrong_type"},
		"properties of subject": {body: strings.Replace(good, `"id":"dora"`, `"id":"dora","properties":[]`, 1), code: "wrong_type"},
		"one for a list":        {body: tuple("dora", "spy", `{"type":"employee","id":"anna","properties":{"employees":"anna"}}`), code: "wrong_type"},
		"a number in a list":    {body: tuple("dora", "spy", `{"type":"employee","id":"anna","properties":{"employees":["a",1]}}`), code: "wrong_type"},
		"a number for a reason": {body: strings.TrimSuffix(good, "}") + `,"context":{"reason":1}}`, code: "wrong_type"},
		"a member twice":        {body: strings.TrimSuffix(good, "}") + `,"subject":{"type":"user","id":"egor"}}`, code: "duplicate_member"},
		"an id twice":           {body: strings.Replace(good, `"id":"dora"`, `"id":"dora","id":"dora"`, 1), code: "duplicate_member"},
		"a strange one twice":   {body: strings.Replace(good, `{"subject"`, `{"x":1,"\u0078":2,"subject"`, 1), code: "duplicate_member"},
		"a list":                {body: `[` + good + `]`, code: "wrong_type"},
		"null":                  {body: `null`, code: "wrong_type"},
		"broken":                {body: good[:20], code: "malformed_json"},
		"two":                   {body: good + good, code: "malformed_json"},
		"not UTF-8":             {body: tuple("dora", "spy", "{\"type\":\"employee\",\"id\":\"\xff\"}"), code: "malformed_json"},
		"no body":               {header: []string{"Content-Type", "application/json"}, code: "no_body"},
		"a form":                {body: good, header: []string{"Content-Type", "application/x-www-form-urlencoded"}, code: "unsupported_media_type"},
		"no media type":         {body: good, header: []string{"Content-Type", ""}, code: "unsupported_media_type"},
		"a parameter":           {path: evaluation + "?subject=dora", body: good, code: "unknown_parameter"},
		"too large":             {body: tuple("dora", "spy", `{"type":"employee","id":"`+strings.Repeat("a", 64<<10)+`"}`), status: 413, code: "body_too_large"},
		"too many":              {path: evaluations, body: many, code: "too_many_evaluations"},
		"no list":               {path: evaluations, body: `{"evaluations":{}}`, code: "wrong_type"},
		"no such semantic":      {path: evaluations, body: `{"options":{"evaluations_semantic":"any"},"evaluations":[` + good + `]}`, code: "unknown_semantic"},
		"a page":                {path: searchAction, body: `{"subject":{"type":"user","id":"dora"},"resource":` + anna + `,"page":{"token":"x"}}`, code: "unknown_page"},
		"a search of nothing":   {path: searchAction, body: `{"subject":{"type":"user","id":"dora"}}`, code: "missing_member"},
		"another's subject":     {body: tuple("carl", "spy", anna), status: 403, code: "not_your_subject"},
		"a subject of no kind":  {body: strings.Replace(good, `"user"`, `"robot"`, 1), status: 403, code: "not_your_subject"},
		"a search for another":  {path: searchAction, body: `{"subject":{"type":"user","id":"carl"},"resource":` + anna + `}`, status: 403, code: "not_your_subject"},
	} {
		if c.path == "" {
			c.path = evaluation
		}
		if c.status == 0 {
			c.status = 400
		}
		a := w.ask("dora", http.MethodPost, c.path, c.body, append(c.header, "X-Request-ID", "r-1")...)
		if a.status != c.status || a.header.Get("X-Request-ID") != "r-1" {
			t.Errorf("%s: %d %s %v", name, a.status, a.body, a.header)
			continue
		}
		if p := a.problem(t); p.Code != c.code || p.Detail == "" {
			t.Errorf("%s: %s", name, a.body)
		}
		checkHeaders(t, a)
	}
	if a := w.ask("dora", http.MethodGet, evaluation, ""); a.status != 405 {
		t.Errorf("GET: %d", a.status)
	}
	if a := w.ask("dora", http.MethodPost, "/access/v1/search/subject", good); a.status != 404 {
		t.Errorf("a search that is not there: %d", a.status)
	}
}

func TestWhoMayAskAboutWhom(t *testing.T) {
	w, _ := sessionWorld(t)
	w.panel("few", "anna", "dora")
	w.panel("all", auth.Everyone)
	w.talking(ivanov, "1", "PJSIP/101", "101")
	yes := `{"decision":true}`
	spy := tuple("dora", "spy", anna)
	const named = "X-Earshot-Employee"

	w.ask("dora", http.MethodPost, evaluation, spy).is(t, "himself", 200, yes)
	w.ask("few", http.MethodPost, evaluation, spy).is(t, "a panel", 200, yes)
	w.logged(t, `"subject":"dora","panel":"few"`)
	w.ask("few", http.MethodPost, evaluation, spy, named, "anna").is(t, "a panel that names another of its own", 200, yes)
	w.ask("all", http.MethodPost, evaluation, spy).is(t, "a panel for everyone", 200, yes)
	w.ask("few", http.MethodPost, evaluations, `{"action":{"name":"spy"},"resource":`+anna+`,"evaluations":[{"subject":{"type":"user","id":"dora"}},{"subject":{"type":"user","id":"carl"}},{"subject":{"type":"user","id":"anna"}}]}`).
		is(t, "a panel about several", 200, `{"evaluations":[{"decision":true},{"decision":false,"context":{"error":{"status":403,"code":"not_your_subject","message":"subject is an employee (type employee): oneself, or with a panel's token one for whom it may ask."}}},{"decision":false,"context":{"reason":"self"}}]}`)

	var s httpapi.Session
	w.ask("few", http.MethodPost, "/v1/sessions", `{}`, named, "dora").decode(t, &s)
	w.token["session"] = s.Token
	w.ask("session", http.MethodPost, evaluation, spy).is(t, "a session", 200, yes)

	denied := w.ask("dora", http.MethodPost, evaluation, tuple("carl", "spy", anna))
	for name, a := range map[string]answer{
		"an employee about one who is not there": w.ask("dora", http.MethodPost, evaluation, tuple("nobody", "spy", anna)),
		"an employee about another, himself too": w.ask("dora", http.MethodPost, evaluation, tuple("Dora", "spy", anna)),
		"a session about another":                w.ask("session", http.MethodPost, evaluation, tuple("anna", "spy", anna)),
		"a panel about another":                  w.ask("few", http.MethodPost, evaluation, tuple("carl", "spy", anna)),
		"a panel's search":                       w.ask("few", http.MethodPost, searchAction, `{"subject":{"type":"user","id":"carl"},"resource":`+anna+`}`),
	} {
		a.is(t, name, 403, strings.TrimSpace(string(denied.body)))
		if p := a.problem(t); p.Code != "not_your_subject" {
			t.Errorf("%s: %s", name, p.Code)
		}
	}
	stranger := w.ask("", http.MethodGet, "/v1/me", "")
	for name, a := range map[string]answer{
		"nobody":                                 w.ask("", http.MethodPost, evaluation, spy),
		"a stranger":                             w.ask("", http.MethodPost, evaluation, spy, "Authorization", "Bearer ear_x"),
		"one whose token is over":                w.ask("expired", http.MethodPost, evaluation, tuple("carl", "spy", anna)),
		"an employee who names himself":          w.ask("dora", http.MethodPost, evaluation, spy, named, "dora"),
		"a panel that names one it acts not for": w.ask("few", http.MethodPost, evaluation, spy, named, "carl"),
		"a stranger's search":                    w.ask("", http.MethodPost, searchAction, spy),
		"a stranger's evaluations":               w.ask("", http.MethodPost, evaluations, "not even JSON"),
		"a panel that names nobody elsewhere":    w.ask("few", http.MethodGet, "/v1/me", ""),
	} {
		a.is(t, name, 401, strings.TrimSpace(string(stranger.body)))
	}
	// Whom the policy does not know may nothing, and asks all the same.
	w.ask("ghost", http.MethodPost, evaluation, tuple("ghost", "spy", anna)).is(t, "ghost", 200, `{"decision":false,"context":{"reason":"unknown_subject"}}`)
}

// Who was on a call is for a panel's back end to say: an employee who made it up would be told which numbers are protected.
func TestAnEmployeeDoesNotSayWhoWasOnACall(t *testing.T) {
	w, _ := sessionWorld(t)
	p := w.policy(strings.Replace(policyText, "numbers: [\"101\"], ", "numbers: [\"101\"], recordings: own, line.history: true, ", 1) + "lines: {vip: {name: VIP, members: [anna]}}\n")
	w.gate.SetPolicy(p)
	var s httpapi.Session
	w.ask("crm", http.MethodPost, "/v1/sessions", `{}`, "X-Earshot-Employee", "anna").decode(t, &s)
	w.token["session"] = s.Token
	said := func(kind, properties string) string {
		return fmt.Sprintf(`{"type":%q,"id":"vip","properties":{%s}}`, kind, properties)
	}
	const ordinary, protected = `"employees":["anna"],"numbers":["+79161234567"]`, `"employees":["anna"],"numbers":["+7 495 765-43-21"]`
	w.ask("crm", http.MethodPost, evaluation, tuple("anna", "play", said("recording", ordinary))).is(t, "a panel", 200, `{"decision":true}`)
	w.ask("crm", http.MethodPost, evaluation, tuple("anna", "play", said("recording", protected))).is(t, "a panel, a protected number", 200, `{"decision":false,"context":{"reason":"not_for_this_call"}}`)
	refused := strings.TrimSpace(string(w.ask("anna", http.MethodPost, evaluation, tuple("anna", "play", said("recording", ordinary))).body))
	if !strings.Contains(refused, `"code":"not_yours_to_say"`) {
		t.Fatal(refused)
	}
	for _, who := range []string{"anna", "session"} {
		for _, properties := range []string{ordinary, protected, `"employees":["nobody"]`, `"numbers":["+7 495 765-43-21"]`} {
			for _, kind := range []string{"recording", "past_call", "line", "system", "number"} {
				for _, action := range []string{"play", "line.history", "settings.user"} {
					w.ask(who, http.MethodPost, evaluation, tuple("anna", action, said(kind, properties))).is(t, who+" "+action+" "+kind, 403, refused)
				}
				w.ask(who, http.MethodPost, searchAction, `{"subject":{"type":"user","id":"anna"},"resource":`+said(kind, properties)+`}`).is(t, who+" searches "+kind, 403, refused)
			}
		}
		w.ask(who, http.MethodPost, evaluation, tuple("anna", "play", said("recording", `"employees":[]`))).is(t, "without them", 200, `{"decision":false,"context":{"reason":"unknown_target"}}`)
		w.ask(who, http.MethodPost, evaluation, tuple("anna", "line.history", `{"type":"line","id":"vip"}`)).is(t, "a whole line", 200, `{"decision":true}`)
	}
}

func TestTheNameOfARequestComesBack(t *testing.T) {
	w := newWorld(t)
	const id = "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"
	for _, path := range []string{evaluation, evaluations, searchAction} {
		if a := w.ask("dora", http.MethodPost, path, tuple("dora", "spy", anna), "X-Request-ID", id); a.status != 200 || a.header.Get("X-Request-ID") != id {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
		if a := w.ask("", http.MethodPost, path, tuple("dora", "spy", anna), "X-Request-ID", id); a.status != 401 || a.header.Get("X-Request-ID") != id {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
		if a := w.ask("dora", http.MethodPost, path, tuple("dora", "spy", anna)); a.status != 200 || a.header.Values("X-Request-ID") != nil {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
	if strings.Contains(w.log.String(), id) {
		t.Error("what the client made up is in the log")
	}
}

func TestTheConfigurationTellsWhereToAsk(t *testing.T) {
	const form = `{"policy_decision_point":"B","access_evaluation_endpoint":"B/access/v1/evaluation","access_evaluations_endpoint":"B/access/v1/evaluations","search_action_endpoint":"B/access/v1/search/action"}`
	w := newWorld(t, func(c *httpapi.Config) { c.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	a := w.ask("", http.MethodGet, "/.well-known/authzen-configuration", "")
	a.is(t, "anybody", 200, strings.ReplaceAll(form, "B", w.web.URL))
	checkHeaders(t, a)
	if a := w.ask("", http.MethodGet, "/.well-known/authzen-configuration?x=1", ""); a.status != 400 || a.problem(t).Code != "unknown_parameter" {
		t.Errorf("%d %s", a.status, a.body)
	}
	forwarded := http.Header{"X-Forwarded-Proto": {"http, https"}, "X-Forwarded-Host": {"evil.example, earshot.example.com"}}
	for name, c := range map[string]struct {
		remote, host string
		tls          bool
		header       http.Header
		base         string
	}{
		"with a certificate":       {remote: "192.0.2.1:5", host: "pbx.example.com", tls: true, base: "https://pbx.example.com"},
		"a port":                   {remote: "192.0.2.1:5", host: "pbx.example.com:8088", base: "http://pbx.example.com:8088"},
		"an address":               {remote: "192.0.2.1:5", host: "[2001:db8::1]:8088", base: "http://[2001:db8::1]:8088"},
		"a proxy":                  {remote: "10.1.2.3:5", host: "127.0.0.1:8088", header: forwarded, base: "https://earshot.example.com"},
		"a proxy that says less":   {remote: "10.1.2.3:5", host: "pbx.example.com", header: http.Header{"X-Forwarded-Proto": {"https"}}, base: "https://pbx.example.com"},
		"somebody who is no proxy": {remote: "192.0.2.1:5", host: "pbx.example.com", header: forwarded, base: "http://pbx.example.com"},
		"no host":                  {remote: "192.0.2.1:5"},
		"a host with a path":       {remote: "192.0.2.1:5", host: "pbx.example.com/x"},
		"a host with a user":       {remote: "192.0.2.1:5", host: "a@pbx.example.com"},
		"a host with a query":      {remote: "192.0.2.1:5", host: "pbx.example.com?x"},
		"another scheme":           {remote: "10.1.2.3:5", host: "pbx.example.com", header: http.Header{"X-Forwarded-Proto": {"ftp"}}},
	} {
		target := "http://x/.well-known/authzen-configuration"
		if c.tls {
			target = "https://x/.well-known/authzen-configuration"
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		r.RemoteAddr, r.Host = c.remote, c.host
		for k, v := range c.header {
			r.Header[k] = v
		}
		rec := httptest.NewRecorder()
		w.door.ServeHTTP(rec, r)
		got := answer{rec.Code, rec.Header(), rec.Body.Bytes()}
		if c.base == "" {
			if got.status != 400 || got.problem(t).Code != "malformed_request" {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			}
			continue
		}
		got.is(t, name, 200, strings.ReplaceAll(form, "B", c.base))
	}
}

func TestQuestionsAreLimitedAsReadsAre(t *testing.T) {
	limits := func(c *httpapi.Config) {
		c.Clock = func() time.Time { return start }
		c.Limits = httpapi.Limits{Commands: httpapi.Rate{PerMinute: 1, Burst: 1}, Reads: httpapi.Rate{PerMinute: 60, Burst: 4}, Failures: generous.Failures}
	}
	codes := func(w *world, who, path, body string, n int) (got []int) {
		for range n {
			got = append(got, w.ask(who, http.MethodPost, path, body).status)
		}
		return got
	}
	w := newWorld(t, limits)
	if got := codes(w, "dora", evaluation, tuple("dora", "spy", anna), 5); !slices.Equal(got, []int{200, 200, 200, 200, 429}) {
		t.Errorf("%v", got)
	}
	if a := w.ask("dora", http.MethodPost, searchAction, tuple("dora", "spy", anna)); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	// Each of several counts, a panel's for the employee whom it is about.
	w = newWorld(t, limits)
	w.panel("few", "anna", "dora")
	if got := codes(w, "dora", evaluations, three("execute_all"), 3); !slices.Equal(got, []int{200, 200, 429}) {
		t.Errorf("three at a time: %v", got)
	}
	w.ask("few", http.MethodPost, evaluations, `{"action":{"name":"observe"},"resource":`+anna+`,"evaluations":[{"subject":{"type":"user","id":"dora"}},{"subject":{"type":"user","id":"anna"}}]}`).
		is(t, "one has asked too often", 200, `{"evaluations":[{"decision":false,"context":{"error":{"status":429,"code":"too_many_requests","message":"You have asked too often; try again after the time that Retry-After says."}}},{"decision":true}]}`)
	w.metric(t, `earshot_http_limited_total{limit="commands"}`, 0)
}

// What is about nobody for whom it could count, counts for who asks.
func TestQuestionsThatAreRefusedAreLimitedToo(t *testing.T) {
	l := generous
	l.Reads = httpapi.Rate{PerMinute: 60, Burst: 4}
	spy := tuple("dora", "spy", anna)
	list := func(of string, n int) string {
		return `{"action":{"name":"spy"},"resource":` + anna + `,"evaluations":[` + strings.TrimSuffix(strings.Repeat(of+",", n), ",") + `]}`
	}
	carl := `{"subject":{"type":"user","id":"carl"}}`
	for name, c := range map[string]struct {
		path, body string
		status     int // of what is refused by itself
		cost       int
	}{
		"one":                {evaluation, tuple("carl", "spy", anna), 403, 1},
		"a search":           {searchAction, `{"subject":{"type":"user","id":"carl"},"resource":` + anna + `}`, 403, 1},
		"a robot":            {evaluation, `{"subject":{"type":"robot","id":"anna"},"action":{"name":"spy"},"resource":` + anna + `}`, 403, 1},
		"two about one":      {evaluations, list(carl, 2), 200, 2},
		"two without":        {evaluations, list(`{}`, 2), 200, 2},
		"two of no form":     {evaluations, list(`7`, 2), 200, 2},
		"what is no form":    {evaluation, `7`, 400, 1},
		"a page":             {searchAction, `{"subject":{"type":"user","id":"dora"},"resource":` + anna + `,"page":{"token":"x"}}`, 400, 1},
		"a semantic":         {evaluations, `{"options":{"evaluations_semantic":"x"},"evaluations":[]}`, 400, 1},
		"too many":           {evaluations, list(`{}`, 101), 400, 1},
		"a search of nobody": {searchAction, `{"resource":` + anna + `}`, 400, 1},
	} {
		w, clock := limited(t, l)
		w.panel("few", "dora")
		w.panel("other", "dora")
		for range 4 / c.cost {
			if a := w.ask("few", http.MethodPost, c.path, c.body); a.status != c.status {
				t.Fatalf("%s: %d %s", name, a.status, a.body)
			}
		}
		wantLimited(t, w.ask("few", http.MethodPost, c.path, c.body), "too_many_requests", "1")
		// What may be asked is, and another panel goes on.
		w.ask("few", http.MethodPost, evaluation, spy).is(t, name+": what may be asked", 200, `{"decision":false,"context":{"reason":"not_talking"}}`)
		if a := w.ask("other", http.MethodPost, c.path, c.body); a.status != c.status {
			t.Errorf("%s, another: %d %s", name, a.status, a.body)
		}
		clock.forward(4 * time.Second)
		if a := w.ask("few", http.MethodPost, c.path, c.body); a.status != c.status {
			t.Errorf("%s, later: %d %s", name, a.status, a.body)
		}
	}
	// An employee pays for them himself.
	w, _ := limited(t, l)
	if a := w.ask("dora", http.MethodPost, evaluations, list(carl, 4)); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	wantLimited(t, w.ask("dora", http.MethodPost, evaluation, spy), "too_many_requests", "1")
	w.metric(t, `earshot_http_limited_total{limit="reads"}`, 1)
}

// A question about a number may have the directory asked, as a call has, so it counts as one.
func TestQuestionsAboutNumbersAreLimitedAsCallsAre(t *testing.T) {
	l := generous
	l.Commands = httpapi.Rate{PerMinute: 6, Burst: 3}
	w, clock := limited(t, l)
	number := `{"type":"number","id":"+79161234567"}`
	no, late := `{"decision":false,"context":{"reason":"no_right"}}`, `{"decision":false,"context":{"error":{"status":429,"code":"too_many_requests","message":"You have asked too often; try again after the time that Retry-After says."}}}`
	w.ask("dora", http.MethodPost, evaluation, tuple("dora", "dial", number)).is(t, "a question", 200, no)
	w.ask("dora", http.MethodPost, searchAction, `{"subject":{"type":"user","id":"dora"},"resource":`+number+`}`).is(t, "a search", 200, `{"page":{"next_token":"","count":0,"total":0},"results":[]}`)
	several := `{"subject":{"type":"user","id":"dora"},"action":{"name":"dial"},"resource":` + number + `,"evaluations":[{},{},{"resource":{"type":"employee","id":"anna"}}]}`
	w.ask("dora", http.MethodPost, evaluations, several).is(t, "several", 200, `{"evaluations":[`+no+`,`+late+`,`+no+`]}`)
	wantLimited(t, w.ask("dora", http.MethodPost, evaluation, tuple("dora", "dial", number)), "too_many_requests", "10")
	wantLimited(t, w.ask("dora", http.MethodPost, searchAction, `{"subject":{"type":"user","id":"dora"},"resource":`+number+`}`), "too_many_requests", "10")
	wantLimited(t, w.ask("dora", http.MethodPost, "/v1/calls", `{"number":"+79161234567"}`), "too_many_requests", "10")
	w.ask("dora", http.MethodPost, evaluation, tuple("dora", "dial", anna)).is(t, "a colleague's", 200, no)
	w.ask("carl", http.MethodPost, evaluation, tuple("carl", "dial", number)).is(t, "another's", 200, no)
	clock.forward(10 * time.Second)
	w.ask("dora", http.MethodPost, evaluation, tuple("dora", "dial", number)).is(t, "later", 200, no)
}

func TestWhereNobodyCanSayWhoAsksNothingIsAnswered(t *testing.T) {
	w := newWorld(t, func(c *httpapi.Config) { c.Auth = faulty{err: fmt.Errorf("the key server is away")} })
	if a := w.ask("carl", http.MethodPost, evaluation, tuple("carl", "spy", anna)); a.status != 503 || a.problem(t).Code != "auth_unavailable" {
		t.Errorf("%d %s", a.status, a.body)
	}
	w = newWorld(t, func(c *httpapi.Config) { c.Auth = faulty{err: auth.ErrUnnamed} }) // and who is named is unnamed too
	if a := w.ask("carl", http.MethodPost, evaluation, tuple("carl", "spy", anna)); a.status != 403 {
		t.Errorf("%d %s", a.status, a.body)
	}
	w = newWorld(t, func(c *httpapi.Config) { c.Auth = faulty{} })
	if a := w.ask("carl", http.MethodPost, evaluation, tuple("carl", "spy", anna)); a.status != 401 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// What the two worlds are held to hide is there for who may see: the client's own employee is answered otherwise when it is his.
func TestWhoMaySeeIsAnsweredByWhatThereIs(t *testing.T) {
	got := map[bool]string{}
	for _, client := range []bool{true, false} {
		w := newWorld(t)
		if client {
			w.people[ivanov.number] = clientOf("boris")
		}
		w.ingest(ivanov.rings("1", "PJSIP/101", "101", 10)...)
		var b gate.Board
		w.ask("boris", http.MethodGet, "/v1/employees", "").decode(t, &b)
		body := `{"subject":{"type":"user","id":"boris"},"evaluations":[`
		for _, of := range []string{anna, fmt.Sprintf(`{"type":"call","id":%q}`, b.Employees[0].Calls[0].ID)} {
			for _, action := range []string{"observe", "intercept", "spy"} {
				body += fmt.Sprintf(`{"action":{"name":%q},"resource":%s},`, action, of)
			}
		}
		got[client] = strings.TrimSpace(string(w.ask("boris", http.MethodPost, evaluations, strings.TrimSuffix(body, ",")+"]}").body))
	}
	no := func(reason string) string { return `{"decision":false,"context":{"reason":"` + reason + `"}}` }
	const yes = `{"decision":true}`
	for client, want := range map[bool][]string{
		true:  {no("no_right"), yes, no("no_right"), yes, yes, no("no_right")},
		false: {no("no_right"), no("not_client"), no("no_right"), no("no_right"), no("not_client"), no("no_right")},
	} {
		if want := `{"evaluations":[` + strings.Join(want, ",") + `]}`; got[client] != want {
			t.Errorf("a client of his own: %v: %s, want %s", client, got[client], want)
		}
	}
}
