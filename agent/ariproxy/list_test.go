package ariproxy_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
)

// channel is what tests look at of one.
type channel struct {
	ID, Name, State   string
	Caller, Connected struct{ Name, Number string }
	Dialplan          struct {
		Context, Exten string
		AppName        string `json:"app_name"`
	}
	CreationTime string
}

func TestChannelsAreToldInFullToWhoSeesThem(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	var all []channel
	w.as("olga", "GET /channels").into(t, &all)
	if len(all) != 2 {
		t.Fatalf("there are %v", all)
	}
	phone, trunk := all[0], all[1]
	if phone.Name != "PJSIP/210-"+phone.ID || phone.State != "Up" || phone.Connected.Number != "+4915550001" || phone.Connected.Name != "Ivanov" || phone.Caller.Number != "210" ||
		phone.Dialplan.Context != "from-internal" || phone.Dialplan.AppName != "AppDial" || phone.CreationTime != "2026-10-01T09:00:00.000+0000" {
		t.Errorf("the phone is %+v", phone)
	}
	if trunk.Name != "PJSIP/trunk-"+trunk.ID || trunk.Caller.Number != "+4915550001" || trunk.Connected.Number != "210" {
		t.Errorf("the trunk is %+v", trunk)
	}
	var one channel
	w.as("olga", "GET /channels/"+trunk.ID).into(t, &one)
	if one != trunk {
		t.Errorf("by itself it is %+v, not %+v", one, trunk)
	}
	var bridges []struct {
		ID         string
		Technology string
		Type       string `json:"bridge_type"`
		Class      string `json:"bridge_class"`
		Channels   []string
	}
	w.as("olga", "GET /bridges").into(t, &bridges)
	if len(bridges) != 1 || bridges[0].Type != "mixing" || bridges[0].Technology != "simple_bridge" || bridges[0].Class != "basic" || !slices.Equal(bridges[0].Channels, []string{phone.ID, trunk.ID}) {
		t.Errorf("the bridges are %+v", bridges)
	}
	if got := w.as("olga", "GET /bridges/"+bridges[0].ID); got.status != http.StatusOK || "["+got.body+"]" != w.as("olga", "GET /bridges").body {
		t.Errorf("by itself the bridge is %d %s", got.status, got.body)
	}
}

// Two worlds that differ in who calls alone answer who may not see that alike, byte by byte, whatever he asks.
func TestAnswersOfTwoWorldsAreTheSameWithoutTheRight(t *testing.T) {
	all := func(who, name, number string) string {
		w := newWorld(t)
		w.talks("1", name, number, "PJSIP/210")
		w.rings("2", name, number, "PJSIP/200")
		var b strings.Builder
		for _, path := range []string{"/channels", "/bridges", "/endpoints", "/endpoints/PJSIP", "/endpoints/PJSIP/210", "/endpoints/PJSIP/trunk", "/deviceStates/PJSIP%2F210", "/deviceStates/PJSIP%2Ftrunk", "/deviceStates", "/asterisk/info", "/applications"} {
			got := w.as(who, "GET "+path)
			b.WriteString(path + " " + got.body + "\n")
		}
		for _, c := range handles.FindAllString(w.as(who, "GET /channels").body, -1) {
			b.WriteString(w.as(who, "GET /channels/"+c).body + w.as(who, "GET /bridges/"+c).body + "\n")
		}
		return plain(b.String())
	}
	one, two := all("alice", "Ivanov", "+4915550001"), all("alice", "A. Very-Long Name Indeed", "+79161234567")
	if one != two {
		t.Errorf("alice can tell them apart:\n%s\n---\n%s", one, two)
	}
	if strings.Contains(one, "Ivanov") || strings.Contains(one, "4915550001") || strings.Contains(one, "trunk-") || !strings.Contains(one, `"name":"PJSIP/210-<1>"`) || !strings.Contains(one, `"state":"INUSE"`) {
		t.Errorf("alice is told\n%s", one)
	}
	if seen := all("olga", "Ivanov", "+4915550001"); !strings.Contains(seen, `"connected":{"name":"Ivanov","number":"+4915550001"}`) {
		t.Errorf("olga is told\n%s", seen)
	}
}

// What is not shown and what is not there have one answer.
func TestWhatIsNotShownIsNotThere(t *testing.T) {
	w := newWorld(t)
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	theirs := w.channel("olga", "PJSIP/trunk")
	for _, path := range []string{"/channels/%s", "/bridges/%s"} {
		ghost, hidden := w.as("alice", "GET "+strings.ReplaceAll(path, "%s", "c23456789abcdefghijkm")), w.as("alice", "GET "+strings.ReplaceAll(path, "%s", theirs))
		if ghost.status != http.StatusNotFound || ghost.body != hidden.body || ghost.status != hidden.status {
			t.Errorf("%s: %v and %v", path, ghost, hidden)
		}
	}
	for _, id := range []string{"1.p", "1.t", "1.b", "PJSIP/210-1.p", strings.ToUpper(theirs), theirs[:20], "PJSIP%2Ftrunk-" + theirs} {
		if got := w.as("olga", "GET /channels/"+id); got.status == http.StatusOK {
			t.Errorf("%s is found: %s", id, got.body)
		}
	}
	if got := w.as("alice", "GET /channels/"+w.channel("alice", "PJSIP/210")); got.status != http.StatusOK {
		t.Errorf("what is shown is answered by %d %s", got.status, got.body)
	}
}

func TestPhonesAndWhatTheyDo(t *testing.T) {
	w := newWorld(t)
	w.rings("1", "", "+4915550001", "PJSIP/210")
	id := w.channel("alice", "PJSIP/210")
	for path, want := range map[string]string{
		"/endpoints/PJSIP/210":       `{"technology":"PJSIP","resource":"210","state":"unknown","channel_ids":["` + id + `"]}`,
		"/endpoints/PJSIP/100":       `{"technology":"PJSIP","resource":"100","state":"unknown","channel_ids":[]}`,
		"/endpoints/sip":             `[{"technology":"SIP","resource":"212","state":"unknown","channel_ids":[]}]`,
		"/deviceStates/PJSIP%2F210":  `{"name":"PJSIP/210","state":"RINGING"}`,
		"/deviceStates/PJSIP%2F100":  `{"name":"PJSIP/100","state":"NOT_INUSE"}`,
		"/deviceStates/PJSIP%2F9999": `{"name":"PJSIP/9999","state":"UNKNOWN"}`,
		"/deviceStates":              `[]`,
		"/asterisk/info?only=system": `{"system":{"version":"22.0.0 (Earshot 1.2.3)","entity_id":"02:00:00:00:00:00"}}`,
		"/asterisk/ping":             `{"ping":"pong","asterisk_id":"02:00:00:00:00:00","timestamp":"2026-10-01T09:01:15.000+0000"}`,
	} {
		if got := w.as("alice", "GET "+path); got.status != http.StatusOK || got.body != want {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	for path, want := range map[string]string{
		"/endpoints/IAX2": "No Endpoints found - invalid tech", "/endpoints/PJSIP/trunk": "Endpoint not found", "/endpoints/PJSIP/9999": "Endpoint not found",
		"/sounds?lang=ru": "No sounds found that matched the query", "/sounds/hello": "Sound not found", "/applications/x": "Application not found",
	} {
		if got := w.as("alice", "GET "+path); got.status != http.StatusNotFound || got.message() != want {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

// While the PBX is out of reach there are no lists, which would say that there are no calls.
func TestOfAPBXThatIsAwayThereAreNoLists(t *testing.T) {
	w := newWorld(t)
	if got := w.as("alice", "GET /channels"); got.status != http.StatusOK || got.body != "[]" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	w.ingest(call.Event{Kind: call.LinkLost, At: at(50)})
	for _, path := range []string{"/channels", "/bridges", "/endpoints", "/deviceStates/PJSIP%2F210"} {
		if got := w.as("alice", "GET "+path); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}
