package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// A client who waits is taken by the id of his offer, and by nothing else: another's offer, one that is over and one that never was have one answer.
func TestAWaitingClientIsTakenByTheIDOfHisOffer(t *testing.T) {
	w := newWorldOver(t, func(c *gate.Config) { c.WaitsAfter = time.Nanosecond })
	w.people[ivanov.number], w.people[smith.number] = clientOf("boris"), clientOf("egor")
	boris, egor := w.watch("boris"), w.watch("egor")
	boris.next()
	egor.next()
	waits := func(id string, o outside, told *watcher) mask.Incoming {
		t.Helper()
		trunk := phone(id, "PJSIP/trunk", call.StateUp, call.Identity{Name: o.name, Number: call.Number(o.number)}, call.Identity{})
		trunk.Exten, trunk.App = "100", "Queue"
		w.ingest(call.Event{Kind: call.LegSeen, Channel: trunk, At: at(10)})
		m := told.next()
		if m.Type != gate.MessageIncoming || m.Incoming.State != "waiting" {
			t.Fatalf("%+v", m)
		}
		return *m.Incoming
	}
	his, anothers := waits("1", ivanov, boris), waits("2", smith, egor)
	if !his.CanAccept || his.Target != "" || his.Call == "" || anothers.CanAccept {
		t.Fatalf("%+v %+v", his, anothers)
	}
	take := func(who, call string) answer {
		return w.ask(who, http.MethodPost, "/v1/intercepts", fmt.Sprintf(`{"call":%q}`, call))
	}
	none := func(what, id string) {
		t.Helper()
		if a := take("boris", id); a.status != 404 || a.problem(t).Code != "no_such_call" || alike([]string{string(a.body)}) != alike([]string{string(take("boris", strings.Repeat("a", len(id))).body)}) {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	// Who asks beforehand is told the same.
	may := func(who, action, call string) string {
		return strings.TrimSpace(string(w.ask(who, http.MethodPost, evaluation, fmt.Sprintf(`{"subject":{"type":"employee","id":%q},"action":{"name":%q},"resource":{"type":"call","id":%q}}`, who, action, call)).body))
	}
	for _, c := range []struct{ who, action, call, want string }{
		{"boris", "intercept", his.Call, `{"decision":true}`},
		{"boris", "spy", his.Call, `{"decision":false,"context":{"reason":"no_such_call"}}`},
		{"boris", "intercept", anothers.ID, `{"decision":false,"context":{"reason":"no_such_call"}}`},
		{"egor", "intercept", anothers.ID, `{"decision":false,"context":{"reason":"no_right"}}`},
	} {
		if got := may(c.who, c.action, c.call); got != c.want {
			t.Errorf("%s, %s: %s", c.who, c.action, got)
		}
	}
	none("another's", anothers.ID)
	none("no handle", "c")
	if a := take("egor", anothers.ID); a.status != 403 || a.problem(t).Code != "no_right" {
		t.Errorf("%d %s", a.status, a.body)
	}
	a := take("boris", his.Call)
	var v mask.Intercept
	a.decode(t, &v)
	if a.status != 201 || v.State != "ringing" || v.Phone != "PJSIP/102" || v.Target != "" || v.Call != his.Call {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if o := recv(t, w.pbx.fetched); o.Caller != "1" || o.Endpoint != "PJSIP/102" {
		t.Errorf("%+v", o)
	}
	w.ingest(call.Event{Kind: call.LegGone, Channel: call.Channel{ID: "1"}, At: at(20)})
	none("over", his.Call)
	if got := may("boris", "intercept", his.Call); got != `{"decision":false,"context":{"reason":"no_such_call"}}` {
		t.Error(got)
	}
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Required   []string
				Properties map[string]any
			}
		}
	}
	if err := json.Unmarshal(w.door.OpenAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	if s := doc.Components.Schemas["Take"]; len(s.Required) > 0 || s.Properties["target"] == nil || s.Properties["call"] == nil {
		t.Errorf("%+v", s)
	}
}
