package agent_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
)

// clerkRules let olga change the policy and nina everybody's settings, and anna, who may call her clients, her own.
const clerkRules = `roles:
  seller: {intercept: true, dial: {clients: own, employees: true}}
  clerk:  {settings.permissions: true}
  desk:   {settings.user: any}
  own:    {settings.user: own}
lines:
  shop: {queue: sales, members: [anna, boris]}
assign:
  - {role: seller, to: [department:sales, sergei]}
  - {role: clerk, to: [olga]}
  - {role: desk, to: [nina]}
  - {role: own, to: [everyone]}
`

// puts sends a request with a body and a condition as an employee; without a body it only looks.
func (o *office) puts(employee, path, body, match string) answer {
	o.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPut
	}
	req, err := http.NewRequestWithContext(o.ctx, method, "http://"+o.HTTP+path, strings.NewReader(body))
	o.must(err)
	req.Header.Set("Authorization", "Bearer "+o.tokens[employee])
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("If-Match", match)
	}
	resp, err := http.DefaultClient.Do(req)
	o.must(err)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	o.must(err)
	return answer{resp.StatusCode, resp.Header, b}
}

func TestRightsAndSettingsAreChangedByWhoMay(t *testing.T) {
	o := enter(t)
	o.must(o.Edit("policy.yaml", `roles:
  seller: {intercept: true}
assign:
  - {role: seller, to: [department:sales, sergei]}
`, clerkRules))
	openOn(o)

	o.scene("a right that is taken away ends what runs by it", func(o *office) {
		const path = "/v1/policy/employees/irina"
		w := o.watch("irina")
		outside, _ := o.talk(vera, "anna")
		s, sup := o.supervises(w, "irina", "anna", "spy")
		look := o.puts("olga", path, "", "")
		before, err := os.ReadFile(o.Path("policy.yaml"))
		o.must(err)
		a := o.puts("olga", path, `{"rights":{"observe":true,"listen":{"to":["boris"]}}}`, look.header.Get("ETag"))
		if a.status != 200 || !strings.Contains(string(a.body), `"in_force":true`) {
			o.Fatalf("%d %s", a.status, a.body)
		}
		o.over(w, s.ID, sup, "no_right")
		after, err := os.ReadFile(o.Path("policy.yaml"))
		o.must(err)
		if want := strings.Replace(string(before), "listen: {to: any, except: [pavel]}", "listen: {to: [boris]}", 1); string(after) != want {
			o.Errorf("%s", after)
		}
		if a := o.puts("olga", path, `{"rights":{}}`, look.header.Get("ETag")); a.status != http.StatusPreconditionFailed {
			o.Errorf("by an old tag: %d %s", a.status, a.body)
		}
		if a := o.puts("irina", path, `{"rights":{}}`, a.header.Get("ETag")); a.status != http.StatusForbidden {
			o.Errorf("by who may not: %d %s", a.status, a.body)
		}
		o.must(outside.Hangup(o.ctx))
	})
	o.scene("settings are where the dialplan looks", func(o *office) {
		const path = "/v1/employees/anna/settings"
		for _, c := range []struct {
			who, body string
			status    int
		}{
			{"nina", fmt.Sprintf(`{"forward":%q,"do_not_disturb":true,"paused":{"shop":true}}`, vera.number), 200},
			{"anna", fmt.Sprintf(`{"forward":%q}`, stranger.number), 403},
			{"boris", `{"do_not_disturb":false}`, 403},
		} {
			if a := o.puts(c.who, path, c.body, ""); a.status != c.status {
				o.Fatalf("%s: %d %s", c.who, a.status, a.body)
			}
		}
		for command, want := range map[string]string{"database show CF": vera.number, "database show DND": "YES", "queue show sales": "(paused"} {
			if text, err := o.PBX.Command(o.ctx, command); err != nil || !strings.Contains(text, want) {
				o.Errorf("%s: %s %v", command, text, err)
			}
		}
		var v gate.UserSettings
		o.must(json.Unmarshal(o.puts("anna", path, `{"forward":null,"do_not_disturb":false,"paused":{"shop":false}}`, "").body, &v))
		if v.Forward != nil || v.DoNotDisturb || v.Paused["shop"] || len(v.Paused) != 1 {
			o.Errorf("%+v", v)
		}
		for command, not := range map[string]string{"database show CF": "101", "database show DND": "101", "queue show sales": "(paused"} {
			if text, err := o.PBX.Command(o.ctx, command); err != nil || strings.Contains(text, not) {
				o.Errorf("%s: %s %v", command, text, err)
			}
		}
	})
	o.scene("a forwarding ends with the right to call there", func(o *office) {
		if a := o.puts("nina", "/v1/employees/anna/settings", fmt.Sprintf(`{"forward":%q}`, vera.number), ""); a.status != 200 {
			o.Fatalf("%d %s", a.status, a.body)
		}
		shows := func(family string) string {
			text, err := o.PBX.Command(o.ctx, "database show "+family)
			o.must(err)
			return text
		}
		if !strings.Contains(shows("CF"), vera.number) || !strings.Contains(shows("CF-earshot"), vera.number) {
			o.Errorf("%s\n%s", shows("CF"), shows("CF-earshot"))
		}
		o.must(o.Edit("policy.yaml", "dial: {clients: own, employees: true}", "dial: {employees: true}"))
		o.until("the AstDB has neither", func() error {
			if text := shows("CF") + shows("CF-earshot"); strings.Contains(text, vera.number) {
				return fmt.Errorf("it has %s", text)
			}
			return nil
		})
		o.until("it is on record", func() error {
			e := o.entries()
			if got := o.lastOf(e[len(e)-1].ID); got != "revoked no_right" {
				return fmt.Errorf("on record is %s", got)
			}
			return nil
		})
	})
	var details []string
	for _, e := range o.entries() {
		if strings.HasPrefix(e.Action, "settings.") {
			details = append(details, e.Subject+" "+string(e.Outcome)+" "+e.Detail)
		}
	}
	if want := []string{
		"olga allow keys:listen", "olga deny ", "irina deny ", "nina allow keys:forward+do_not_disturb+paused", "anna deny keys:forward", "boris deny ", "anna allow keys:forward+do_not_disturb+paused",
		"nina allow keys:forward",
	}; !slices.Equal(details, want) {
		t.Errorf("%q", details)
	}
}
