package httpapi_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// board is a switchboard in memory.
type board struct {
	mu      sync.Mutex
	kept    map[string]string
	members []pbx.Member
	fail    error
	refuses string        // the key of what is not written
	doubts  string        // the key of what is written, and the answer is an error
	cause   error         // why; nil: it has none
	empties func()        // called when a value has been taken out that was there, with mu held
	used    chan struct{} // poked by each use
	listed  chan struct{} // poked by each reading of a family
}

func (b *board) Lookup(_ context.Context, family, key string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	poke(b.used)
	return b.kept[family+"/"+key], b.fail
}

func (b *board) Family(_ context.Context, family string) (map[string]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	poke(b.used)
	poke(b.listed)
	all := map[string]string{}
	for key, value := range b.kept {
		if key, ok := strings.CutPrefix(key, family+"/"); ok && value != "" {
			all[key] = value
		}
	}
	return all, b.fail
}

func (b *board) Keep(_ context.Context, _ call.LegID, family, key, value string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	poke(b.used)
	switch {
	case b.fail != nil:
		return b.fail
	case b.refuses == family+"/"+key:
		return cmp.Or(b.cause, errors.New("not written"))
	}
	was := b.kept[family+"/"+key]
	b.kept[family+"/"+key] = value
	if was != "" && value == "" && b.empties != nil {
		b.empties()
	}
	if b.doubts == family+"/"+key {
		return errors.New("written, and the answer is lost")
	}
	return nil
}

func (b *board) Memberships(_ context.Context, endpoints []string) (found []pbx.Member, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.members {
		if strings.HasSuffix(strings.Join(endpoints, " "), m.Interface) {
			found = append(found, m)
		}
	}
	return found, b.fail
}

func (b *board) Pause(_ context.Context, m pbx.Member) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.members {
		if b.members[i].Queue == m.Queue && b.members[i].Interface == m.Interface {
			b.members[i].Paused = m.Paused
		}
	}
	return b.fail
}

// settingsText lets anna set her own, boris his department's, carl anybody's, egor nobody's; anna may call colleagues but fred and Moscow.
const settingsText = `
version: 1
departments:
  sales: {name: Sales, head: boris}
employees:
  anna:  {phones: [PJSIP/101], numbers: ["+79160000101", "101"], department: sales, settings.user: own, dial: {employees: true, numbers: ["+7495*"], except: {employees: [fred]}}}
  boris: {phones: [PJSIP/102], numbers: ["102"], department: sales, settings.user: department, dial: any}
  carl:  {phones: [PJSIP/103], numbers: ["103"], settings.user: any}
  dora:  {phones: [PJSIP/104], numbers: ["+79160000104"]}
  egor:  {phones: [PJSIP/105], numbers: ["105"]}
  fred:  {phones: [PJSIP/106], numbers: ["106"]}
lines:
  shop:  {queue: shop-q, members: [anna]}
  night: {queue: night-q, members: [boris]}
emergency: ["112"]
trunks: [PJSIP/trunk]
`

func switched(t *testing.T) (*world, *board) {
	t.Helper()
	b := &board{used: make(chan struct{}, 1), listed: make(chan struct{}, 1), kept: map[string]string{}, members: []pbx.Member{{Queue: "shop-q", Interface: "PJSIP/101"}, {Queue: "other-q", Interface: "PJSIP/101"}, {Queue: "night-q", Interface: "PJSIP/102"}}}
	w := newWorldOver(t, func(c *gate.Config) {
		c.Settings = gate.Settings{Switchboard: b, Forward: "CF", DoNotDisturb: "DND"}
		c.Dialling = gate.Dialling{Context: "phones", Numbering: clients.Numbering{Region: "RU"}}
	})
	w.gate.SetPolicy(w.policy(settingsText))
	return w, b
}

func TestSettingsAreChangedOnThePBX(t *testing.T) {
	w, b := switched(t)
	const path = "/v1/employees/anna/settings"
	const none = `{"forward":null,"do_not_disturb":false,"paused":{"shop":false}}`
	for _, who := range []string{"anna", "boris", "carl"} {
		if a := w.ask(who, http.MethodGet, path, ""); a.status != 200 || strings.TrimSpace(string(a.body)) != none {
			t.Errorf("%s: %d %s", who, a.status, a.body)
		}
	}
	const all = `{"forward":"84951234567","do_not_disturb":true,"paused":{"shop":true}}`
	if a := w.ask("boris", http.MethodPut, path, all); a.status != 200 || strings.TrimSpace(string(a.body)) != all {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if b.kept["CF/101"] != "84951234567" || b.kept["DND/101"] != "YES" || !b.members[0].Paused || b.members[1].Paused || b.members[2].Paused {
		t.Errorf("%+v", b)
	}
	e := w.book.All()
	if len(e) != 2 || e[0].Phase != audit.Decided || e[0].Outcome != audit.Allow || e[1].Phase != audit.Done || e[0].ID != e[1].ID || e[0].Action != "settings.user" || e[0].Subject != "boris" ||
		strings.Join(e[0].Targets, "") != "anna" || e[0].Detail != "keys:forward+do_not_disturb+paused" || e[0].Rule.Line == 0 {
		t.Errorf("%+v", e)
	}
	// What is left out stays.
	if a := w.ask("anna", http.MethodPut, path, `{"forward":null}`); a.status != 200 || strings.TrimSpace(string(a.body)) != `{"forward":null,"do_not_disturb":true,"paused":{"shop":true}}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.ask("anna", http.MethodPut, path, `{"do_not_disturb":false,"paused":{"shop":false},"forward":"102"}`); a.status != 200 || strings.TrimSpace(string(a.body)) != `{"forward":"102","do_not_disturb":false,"paused":{"shop":false}}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	if b.kept["DND/101"] != "" {
		t.Error("it is still there")
	}
}

func TestSettingsAreRefusedAlike(t *testing.T) {
	w, b := switched(t)
	for name, c := range map[string]struct {
		who, of, body string
		status        int
		code          string
	}{
		"another's":                    {"anna", "boris", `{"do_not_disturb":true}`, 403, "no_right"},
		"without a right, one's own":   {"egor", "egor", `{"do_not_disturb":true}`, 403, "no_right"},
		"another department's":         {"boris", "carl", `{"do_not_disturb":true}`, 403, "no_right"},
		"an employee who is not":       {"carl", "nobody", `{}`, 404, "no_such_employee"},
		"no extension":                 {"carl", "dora", `{"do_not_disturb":true}`, 409, "no_extension"},
		"where she may not call":       {"anna", "anna", `{"forward":"+79161234567"}`, 403, "forward_refused"},
		"whom she may not call":        {"carl", "anna", `{"forward":"106"}`, 403, "forward_refused"},
		"as much as the setter may":    {"boris", "anna", `{"forward":"+79161234567"}`, 403, "forward_refused"},
		"herself":                      {"anna", "anna", `{"forward":"101"}`, 422, "bad_number"},
		"a feature code":               {"anna", "anna", `{"forward":"*43"}`, 422, "bad_number"},
		"an emergency number":          {"anna", "anna", `{"forward":"112"}`, 422, "bad_number"},
		"more than a number":           {"anna", "anna", `{"forward":"102,1)=x"}`, 422, "bad_number"},
		"a function":                   {"anna", "anna", `{"forward":"${SHELL(id)}"}`, 422, "bad_number"},
		"two numbers":                  {"anna", "anna", `{"forward":"102&103"}`, 422, "bad_number"},
		"a line that is not":           {"anna", "anna", `{"paused":{"nothing":true}}`, 409, "not_a_member"},
		"a line that is another's":     {"anna", "anna", `{"paused":{"night":true}}`, 409, "not_a_member"},
		"a queue that is no line":      {"anna", "anna", `{"paused":{"other-q":true}}`, 409, "not_a_member"},
		"a number that is none":        {"anna", "anna", `{"forward":102}`, 400, "wrong_type"},
		"no number":                    {"anna", "anna", `{"forward":""}`, 400, "wrong_type"},
		"a line twice":                 {"anna", "anna", `{"paused":{"shop":true,"shop":false}}`, 400, "duplicate_member"},
		"a line neither so nor so":     {"anna", "anna", `{"paused":{"shop":null}}`, 400, "wrong_type"},
		"a member that nobody knows":   {"anna", "anna", `{"dnd":true}`, 400, "unknown_member"},
		"a body for who may not do it": {"egor", "anna", `{"forward":"112"}`, 403, "no_right"},
	} {
		if a := w.ask(c.who, http.MethodPut, "/v1/employees/"+c.of+"/settings", c.body); a.status != c.status || a.problem(t).Code != c.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if len(b.kept) > 0 || b.members[0].Paused || b.members[1].Paused {
		t.Errorf("something was done: %+v", b)
	}
	for _, e := range w.book.All() {
		if e.Phase != audit.Decided || e.Outcome != audit.Deny {
			t.Errorf("%+v", e)
		}
	}
	// A line that is not there and one on which she does not work are one to her, and so are two numbers that she may not call.
	for _, pair := range [][2]string{{`{"paused":{"nothing":true}}`, `{"paused":{"night":true}}`}, {`{"forward":"+79161234567"}`, `{"forward":"106"}`}} {
		one, two := w.ask("anna", http.MethodPut, "/v1/employees/anna/settings", pair[0]), w.ask("anna", http.MethodPut, "/v1/employees/anna/settings", pair[1])
		if alike([]string{string(one.body)}) != alike([]string{string(two.body)}) {
			t.Errorf("%s\n%s", one.body, two.body)
		}
	}
	for _, who := range []string{"egor", "boris"} {
		if a := w.ask(who, http.MethodGet, "/v1/employees/carl/settings", ""); a.status != 403 {
			t.Errorf("%s looks: %d %s", who, a.status, a.body)
		}
	}
}

// Settings are on record before they are made, and it is on record when they could not be.
func TestSettingsThatThePBXDoesNotTakeFail(t *testing.T) {
	w, b := switched(t)
	const path = "/v1/employees/anna/settings"
	w.book.Refuse(errors.New("disk full"))
	if a := w.ask("anna", http.MethodPut, path, `{"do_not_disturb":true}`); a.status != 503 || a.problem(t).Code != "not_recorded" || len(b.kept) > 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.book.Refuse(nil)
	b.fail = errors.New("gone")
	if a := w.ask("anna", http.MethodPut, path, `{"do_not_disturb":true}`); a.status != 503 || a.problem(t).Code != "pbx_failed" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if e := w.book.Last(); e.Phase != audit.Failed || e.Reason != "pbx_failed" || e.Detail != "keys:do_not_disturb" {
		t.Errorf("%+v", e)
	}
	if a := w.ask("anna", http.MethodGet, path, ""); a.status != 503 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Who changes several settings is told which of them hold, and what is missing on the PBX.
func TestItIsToldWhichSettingsWereApplied(t *testing.T) {
	const path = "/v1/employees/anna/settings"
	for name, tc := range map[string]struct {
		refuses, body string
		cause         error
		status        int
		code, ends    string
	}{
		"the second of two":   {"DND/101", `{"forward":"102","do_not_disturb":true}`, errors.New("not written"), 503, "pbx_failed", "Applied: forward. Not applied: do_not_disturb."},
		"without the include": {"DND/101", `{"do_not_disturb":true,"paused":{"shop":true}}`, pbx.ErrNoInclude, 409, "no_include", "prints. Applied: nothing. Not applied: do_not_disturb, paused."},
		"of one alone":        {"DND/101", `{"do_not_disturb":true}`, pbx.ErrNoInclude, 409, "no_include", "`earshot setup asterisk` prints."},
	} {
		w, b := switched(t)
		b.refuses, b.cause = tc.refuses, tc.cause
		a := w.ask("anna", http.MethodPut, path, tc.body)
		if p := a.problem(t); a.status != tc.status || p.Code != tc.code || !strings.HasSuffix(p.Detail, tc.ends) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}
