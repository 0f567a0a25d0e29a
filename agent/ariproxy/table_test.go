package ariproxy_test

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/ariproxy"
)

// testdata/operations-22.tsv has what Asterisk 22 has: method, path, name and parameters.
func asterisks(t *testing.T) (all [][]string) {
	t.Helper()
	text, err := os.ReadFile("testdata/operations-22.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Split(strings.TrimSpace(line), "\t"); len(fields) >= 3 {
			all = append(all, fields)
		}
	}
	if len(all) < 100 {
		t.Fatalf("there are %d operations only", len(all))
	}
	return all
}

func TestTheTableHasEveryOperationOfAsterisk(t *testing.T) {
	var want, got []string
	names := map[string]string{}
	for _, o := range asterisks(t) {
		want = append(want, o[0]+" "+o[1])
		names[o[0]+" "+o[1]] = o[2]
	}
	for _, o := range ariproxy.Operations() {
		got = append(got, o.Label)
		if o.Name != "" && o.Name != names[o.Label] {
			t.Errorf("%s is called %s, and %s in Asterisk", o.Label, o.Name, names[o.Label])
		}
		if o.Offered == (o.Name == "") || o.Refused == (o.Why == "") {
			t.Errorf("%+v has a row that is not whole", o)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the table has\n%s\nand Asterisk\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// What is offered knows each parameter that Asterisk's has, if only to refuse it by its name, and no other.
func TestWhatIsOfferedKnowsEveryParameterOfAsterisk(t *testing.T) {
	want := map[string][]string{}
	for _, o := range asterisks(t) {
		if len(o) > 3 {
			want[o[0]+" "+o[1]] = strings.Split(o[3], ",")
		}
	}
	if len(want) < 80 {
		t.Fatalf("there are parameters of %d operations only", len(want))
	}
	for _, o := range ariproxy.Operations() {
		asterisk := want[o.Label]
		slices.Sort(o.Takes)
		if slices.Sort(asterisk); o.Offered && !slices.Equal(o.Takes, asterisk) {
			t.Errorf("%s knows %v, and has %v in Asterisk", o.Label, o.Takes, asterisk)
		}
	}
}

// Every operation is answered as its row says, whatever stands in the places of parameters.
func TestEveryOperationIsAnsweredAsItsRowSays(t *testing.T) {
	w := newWorld(t, func(c *ariproxy.Config) { c.Burst = 10_000 })
	for _, o := range ariproxy.Operations() {
		method, path, _ := strings.Cut(o.Label, " ")
		got := w.as("olga", method+" "+strings.NewReplacer("{", "", "}", "").Replace(path))
		switch {
		case o.Refused:
			if got.status != http.StatusForbidden || got.message() != "Access denied: "+o.Why {
				t.Errorf("%s: %d %s", o.Label, got.status, got.body)
			}
		case got.status == http.StatusForbidden || got.status == http.StatusNotImplemented || got.status >= 500:
			t.Errorf("%s: %d %s", o.Label, got.status, got.body)
		}
	}
}

// swagger is what a client reads of the description.
type swagger struct {
	SwaggerVersion, BasePath, ResourcePath string
	APIs                                   []struct {
		Path       string
		Operations []struct {
			HTTPMethod, Nickname, ResponseClass string
			Parameters                          []struct{ Name, ParamType, DataType string }
		}
	}
	Models map[string]struct {
		ID         string
		Properties map[string]struct{ Type string }
	}
}

// The description has what is offered and nothing else, and every model that an answer or an event has.
func TestTheDescriptionHasWhatIsOffered(t *testing.T) {
	w := newWorld(t)
	read := func(file string) (s swagger) {
		w.as("alice", "GET /api-docs/"+file).into(t, &s)
		if s.SwaggerVersion != "1.1" || s.BasePath != "http://"+w.addr+"/ari" {
			t.Errorf("%s is of version %s at %s", file, s.SwaggerVersion, s.BasePath)
		}
		return s
	}
	var got, want, types []string
	models := map[string]bool{"string": true, "int": true, "long": true, "boolean": true, "Date": true, "object": true, "void": true, "binary": true}
	for _, a := range read("resources.json").APIs {
		file := strings.TrimPrefix(strings.Replace(a.Path, "{format}", "json", 1), "/api-docs/")
		s := read(file)
		if s.ResourcePath != a.Path {
			t.Errorf("%s says that it is %s", a.Path, s.ResourcePath)
		}
		for name, m := range s.Models {
			if models[name] = true; m.ID != name || m.Properties == nil {
				t.Errorf("the model %s is %+v", name, m)
			}
			for _, p := range m.Properties {
				types = append(types, p.Type)
			}
		}
		for _, p := range s.APIs {
			for _, o := range p.Operations {
				got = append(got, o.HTTPMethod+" "+p.Path)
				types = append(types, o.ResponseClass)
				for _, q := range o.Parameters {
					if q.ParamType == "path" && !strings.Contains(p.Path, "{"+q.Name+"}") {
						t.Errorf("%s takes %s", p.Path, q.Name)
					}
				}
			}
		}
	}
	for _, o := range ariproxy.Operations() {
		if o.Offered {
			want = append(want, o.Label)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("it has %v, and %v are offered", got, want)
	}
	for _, name := range types {
		if name = strings.TrimSuffix(strings.TrimPrefix(name, "List["), "]"); !models[name] {
			t.Errorf("there is no model %s", name)
		}
	}
	for _, file := range []string{"mailboxes.json", "resources", "", "x/y.json"} {
		if got := w.as("alice", "GET /api-docs/"+file); got.status < 400 {
			t.Errorf("%q is answered by %d", file, got.status)
		}
	}
}

// What is told has the members that the description gives its type, those that Asterisk requires all.
func TestEventsAndAnswersHaveTheMembersOfTheirModels(t *testing.T) {
	w := newWorld(t)
	models := map[string]map[string]struct {
		Type     string
		Required bool
	}{}
	for _, file := range []string{"events", "channels", "bridges", "deviceStates", "endpoints", "applications", "asterisk", "playbacks", "recordings", "sounds"} {
		var s struct {
			Models map[string]struct {
				Properties map[string]struct {
					Type     string
					Required bool
				}
			}
		}
		w.as("alice", "GET /api-docs/"+file+".json").into(t, &s)
		for name, m := range s.Models {
			models[name] = m.Properties
		}
	}
	seen := map[string]bool{}
	var check func(kind string, v any, also ...string)
	check = func(kind string, v any, also ...string) {
		if inner, ok := strings.CutPrefix(kind, "List["); ok {
			for _, one := range v.([]any) {
				check(strings.TrimSuffix(inner, "]"), one)
			}
			return
		}
		if models[kind] == nil {
			return
		}
		seen[kind] = true
		o := v.(map[string]any)
		known := map[string]string{}
		for _, k := range append(also, kind) {
			for name, p := range models[k] {
				if _, ok := o[name]; !ok && p.Required {
					t.Errorf("a %s has no %s", kind, name)
				}
				known[name] = p.Type
			}
		}
		for name, value := range o {
			if known[name] == "" {
				t.Errorf("a %s has %s", kind, name)
			}
			check(known[name], value)
		}
	}
	d := newDesk(t)
	d.must("alice", "POST /channels/"+d.ids["ordinary"]+"/record?name=r&format=wav", http.StatusCreated)
	for path, kind := range map[string]string{"/recordings/stored": "List[StoredRecording]", "/recordings/live/r": "LiveRecording", "/playbacks/" + d.ids["song"]: "Playback"} {
		var v any
		d.as("alice", "GET "+path).into(t, &v)
		check(kind, v)
	}
	events := slices.Concat(ofACall(t, "olga", "Ivanov", "+4915550001"), ofTransfers(t), ofSteering(t))
	for _, e := range events {
		var v map[string]any
		if err := json.Unmarshal([]byte(e.text), &v); err != nil {
			t.Fatal(err)
		}
		if models[e.Type] == nil {
			t.Errorf("there is no model of %s", e.Type)
		}
		check(e.Type, v, "Event", "Message")
	}
	w.talks("1", "Ivanov", "+4915550001", "PJSIP/210")
	w.listen("olga", subscribe)
	for path, kind := range map[string]string{
		"/channels": "List[Channel]", "/bridges": "List[Bridge]", "/endpoints": "List[Endpoint]", "/applications": "List[Application]", "/asterisk/info": "AsteriskInfo",
		"/asterisk/ping": "AsteriskPing", "/deviceStates/PJSIP%2F210": "DeviceState", "/sounds": "List[Sound]",
		"/channels/" + w.channel("olga", "PJSIP/210") + "/variable?variable=CHANNEL": "Variable",
	} {
		var v any
		w.as("olga", "GET "+path).into(t, &v)
		check(kind, v)
	}
	for name := range models {
		if !seen[name] && name != "Event" && name != "Message" && name != "ApplicationReplaced" && name != "FormatLangPair" {
			t.Errorf("no %s was told", name)
		}
	}
}
