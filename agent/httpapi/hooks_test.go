package httpapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/clients"
)

const formType = "application/x-www-form-urlencoded"

func bitrixEvent(token string) string {
	return url.Values{"event": {"ONCRMCONTACTUPDATE"}, "data[FIELDS][ID]": {"82"}, "ts": {"1724697689"}, "auth[application_token]": {token}}.Encode()
}

func TestAWebhookIsTakenAtTheDoor(t *testing.T) {
	c := newCRMWorld(t, "")
	for name, tc := range map[string]struct{ contentType, body string }{
		"an event of Bitrix24's": {formType, bitrixEvent(hookToken)},
		"numbers":                {"application/json", `{"token":"` + hookToken + `","numbers":["8 916 123-45-67"]}`},
		"all":                    {"application/json; charset=utf-8", `{"token":"` + hookToken + `","all":true}`},
	} {
		// Each has what was known forgotten, so that the system is asked anew.
		if _, a := c.sources.Find(ivanov.number); a != clients.Unknown {
			t.Fatalf("%s: %v", name, a)
		}
		if n := recv(t, c.asked); n != ivanov.number[1:] {
			t.Fatalf("%s: asked about %s", name, n)
		}
		a := c.ask("", http.MethodPost, "/v1/clients/hooks/office", tc.body, "Content-Type", tc.contentType)
		if a.status != 204 || len(a.body) > 0 {
			t.Fatalf("%s: %d %s", name, a.status, a.body)
		}
		checkHeaders(t, a)
	}
	c.logged(t, `"route":"/v1/clients/hooks/{source}"`)
	if log := c.log.String(); strings.Contains(log, "office") || strings.Contains(log, hookToken) || strings.Contains(log, "9161234567") {
		t.Errorf("the log:\n%s", log)
	}
	if len(c.recorded()) > 0 {
		t.Error("what grants nothing is on record")
	}
}

// Who does not have the token is told one thing, whether the source is there or not, has a token or not, and however he writes.
func TestAWebhookThatProvesNothingLearnsNothing(t *testing.T) {
	c := newCRMWorld(t, "")
	good := `{"token":"` + hookToken + `","all":true}`
	first := ""
	for name, tc := range map[string]struct{ source, contentType, body string }{
		"another token":         {"office", "application/json", `{"token":"h00k-t0keN","all":true}`},
		"another event's":       {"office", formType, bitrixEvent("h00k-t0keN")},
		"no token":              {"office", "application/json", `{"all":true}`},
		"an empty token":        {"deaf", "application/json", `{"token":"","all":true}`},
		"a source without one":  {"deaf", "application/json", good},
		"no such source":        {"nowhere", "application/json", good},
		"no such source either": {"nowhere", formType, bitrixEvent("x")},
		"a source that is none": {"pushed", "application/json", good},
		"the CRM's token":       {"pushed", "application/json", `{"token":"` + crmToken + `","all":true}`},
		"malformed":             {"office", "application/json", `{"token":`},
		"malformed elsewhere":   {"nowhere", "application/json", `{"token":`},
		"clients as data":       {"office", "application/json", `{"token":"` + hookToken + `","all":true,"responsible":"eve"}`},
		"another type":          {"office", "text/plain", good},
		"no type":               {"office", "", good},
		"nothing":               {"office", "application/json", ""},
	} {
		a := c.ask("", http.MethodPost, "/v1/clients/hooks/"+tc.source, tc.body, "Content-Type", tc.contentType)
		if first == "" {
			first = string(a.body)
		}
		if a.status != 401 || string(a.body) != first || a.problem(t).Code != "unauthenticated" || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	for name, tc := range map[string]struct {
		path, body string
		status     int
	}{
		"too large":              {"/v1/clients/hooks/office", strings.Repeat(" ", 64<<10) + good, 413},
		"too large for no one":   {"/v1/clients/hooks/nowhere", strings.Repeat(" ", 64<<10) + good, 413},
		"a token in the address": {"/v1/clients/hooks/office?token=" + hookToken, good, 400},
		"no source":              {"/v1/clients/hooks/", good, 404},
		"a source within":        {"/v1/clients/hooks/office/x", good, 404},
		"the control":            {"/v1/clients/hooks/office", good, 204},
	} {
		if a := c.ask("", http.MethodPost, tc.path, tc.body); a.status != tc.status {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.body, tc.status)
		}
	}
	if a := c.ask("crm", http.MethodPut, "/v1/clients/hooks/office", good); a.status != 405 {
		t.Errorf("PUT: %d", a.status)
	}
}
