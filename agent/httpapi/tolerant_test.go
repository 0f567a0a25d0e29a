package httpapi

import (
	"encoding/json"
	"reflect"
	"testing"
)

// FuzzTolerant holds the tolerant reader against encoding/json read into maps: what is taken is there under exactly that name, what is there and
// means something is taken, and written again it is taken again.
func FuzzTolerant(f *testing.F) {
	for _, seed := range []string{
		`{"subject":{"type":"user","id":"dora"},"action":{"name":"spy"},"resource":{"type":"employee","id":"anna"}}`,
		`{"evaluations":[{"resource":{"id":"1","properties":{"employees":["a","b"],"numbers":[]}}},5,null,{}],"options":{"evaluations_semantic":"execute_all"}}`,
		`{"Subject":{"type":"a"},"subject":{"TYPE":"a","type":null,"id":"\ud800"},"foo":[{"a":1,"a":2}]}`, `{"subject":{"type":"a","type":"b"}}`,
		`{"context":{"reason":"x","time":1e400}}`, `{"action":{"name":7}}`, `null`, `[]`, `{}x`, ` {"resource" : null } `, `{"evaluations":"\u0065"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got tolerant[AccessEvaluations]
		got.read(data)
		var all map[string]json.RawMessage
		err := json.Unmarshal(data, &all)
		if p := got.problem; p != nil {
			if p.Status != 400 || p.Code == "" || p.Detail == "" {
				t.Fatalf("%+v", p)
			}
			return
		}
		if err != nil {
			t.Fatalf("taken, though %v", err)
		}
		there := func(name string) bool { v, ok := all[name]; return ok && string(v) != "null" }
		v := got.value
		for name, taken := range map[string]bool{
			"subject": v.Subject != nil, "action": v.Action != nil, "resource": v.Resource != nil, "context": v.Context != nil, "options": v.Options != nil, "evaluations": v.Evaluations != nil,
		} {
			if taken != there(name) {
				t.Fatalf("%s: taken %v, there %v", name, taken, there(name))
			}
		}
		if v.Subject != nil {
			var s map[string]any
			if err := json.Unmarshal(all["subject"], &s); err == nil {
				for name, text := range map[string]string{"type": v.Subject.Type, "id": v.Subject.ID} {
					if want, _ := s[name].(string); want != text {
						t.Fatalf("subject.%s is %q, want %q", name, text, want)
					}
				}
			}
		}
		var list []json.RawMessage
		if there("evaluations") && (json.Unmarshal(all["evaluations"], &list) != nil || len(list) != len(v.Evaluations)) {
			t.Fatalf("%d evaluations of %d", len(v.Evaluations), len(list))
		}
		again, err := json.Marshal(map[string]any{"subject": v.Subject, "action": v.Action, "resource": v.Resource, "context": v.Context, "options": v.Options})
		if err != nil {
			t.Fatal(err)
		}
		var twice tolerant[AccessEvaluations]
		v.Evaluations = nil
		if twice.read(again); twice.problem != nil || !reflect.DeepEqual(twice.value, trimmed(v)) {
			t.Fatalf("%s is not taken again: %+v %v", again, twice.value, twice.problem)
		}
	})
}

// trimmed is v without the lists that are there and empty, which encoding/json leaves out.
func trimmed(v AccessEvaluations) AccessEvaluations {
	if v.Resource == nil || v.Resource.Properties == nil {
		return v
	}
	r, p := *v.Resource, *v.Resource.Properties
	if len(p.Employees) == 0 {
		p.Employees = nil
	}
	if len(p.Numbers) == 0 {
		p.Numbers = nil
	}
	r.Properties, v.Resource = &p, &r
	return v
}
