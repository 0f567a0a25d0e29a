package gate

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// What another PBX answers is a thing done, a problem with its code, or an outcome that is not known: never something done beside a problem, and never that
// nothing was done when the answer cannot be read.
func FuzzReply(f *testing.F) {
	for _, s := range []string{
		`{"v":1,"done":{"id":"1","target":"anna","mode":"spy"}}`, `{"v":1,"problem":{"kind":1,"code":"no_right","text":"t","rule":"p:1","id":"a"}}`, `{"v":1,"problem":{"kind":99,"code":"x"}}`, `{"v":1,"problem":{"kind":-1,"code":"x"}}`,
		`{"v":1,"done":{},"problem":{"kind":1,"code":"x"}}`, `{"v":1}`, `{"v":2,"done":{}}`, `{"v":1,"done":{}}x`, `{"v":1,"done":[]}`, `{"v":1,"done":null}`, `{"v":1,"done":{},"done":{"id":7}}`, `{"V":1,"Done":{"ID":"1"}}`, "", "null", `{"v":1,"problem":{"kind":0,"code":""}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		var v UserSettings
		p := readReply(answer, &v)
		var said map[string]json.RawMessage
		readable, done, problem := json.Unmarshal(answer, &said) == nil, "", ""
		for name, raw := range said {
			if strings.EqualFold(name, "done") {
				done += string(raw)
			}
			if strings.EqualFold(name, "problem") && string(raw) != "null" {
				problem += string(raw)
			}
		}
		switch {
		case p == nil:
			if !readable || done == "" || problem != "" {
				t.Fatalf("%q is taken for done", answer)
			}
			raw, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(reply{Version: crossVersion, Done: raw})
			if err != nil {
				t.Fatal(err)
			}
			var again UserSettings
			if p := readReply(text, &again); p != nil || !reflect.DeepEqual(again, v) {
				t.Fatalf("%+v reads back as %+v, %v", v, again, p)
			}
		case p.Kind > Unconditional || p.Code == "":
			t.Fatalf("%q is the problem %+v", answer, p)
		case p.Code == outcomeUnknown(nil).Code: // nobody can tell
		case problem == "" || done != "":
			t.Fatalf("%q is the problem %+v", answer, p)
		default:
			text, err := json.Marshal(reply{Version: crossVersion, Problem: &problemForm{p.Kind, p.Code, p.Text, p.Rule, p.ID}})
			if err != nil {
				t.Fatal(err)
			}
			if again := readReply(text, &v); !reflect.DeepEqual(again, p) {
				t.Fatalf("%+v reads back as %+v", p, again)
			}
		}
	})
}
