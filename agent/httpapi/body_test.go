package httpapi

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzDecode holds the strict reader against encoding/json read into a map: what is taken has the members of the struct and no other, each as
// the map has it; and written again it is taken again.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"target":"anna","mode":"spy"}`, `{"target":"anna","mode":"spy","call":"c2","phone":"PJSIP/101"}`, ` {"target" : null } `,
		`{}`, `[]`, `{"target":"a","target":"b"}`, `{"Target":"a"}`, `{"target":{"target":"a"}}`, `{"target":"\u0061\ud800"}`, `{"target":"a"}x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got Supervise
		p := decode(data, &got)
		var all map[string]*string
		err := json.Unmarshal(data, &all)
		if p != nil {
			if p.Status != 400 || p.Code == "" || p.Detail == "" {
				t.Fatalf("%+v", p)
			}
			return
		}
		if err != nil {
			t.Fatalf("taken, though %v", err)
		}
		want := map[string]string{"target": got.Target, "mode": got.Mode, "call": got.Call, "phone": got.Phone}
		for name, v := range all {
			s, known := want[name]
			if !known {
				t.Fatal("a member was taken that is not known")
			}
			if v == nil && s != "" || v != nil && *v != s {
				t.Fatal("a member was taken for another value")
			}
			delete(want, name)
		}
		for name, s := range want {
			if s != "" {
				t.Fatalf("%s came from nowhere", name)
			}
		}
		again, err := json.Marshal(&got)
		if err != nil {
			t.Fatal(err)
		}
		var twice Supervise
		if p := decode(again, &twice); p != nil || twice != got {
			t.Fatalf("%s is not taken again: %v", again, p)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	data := []byte(`{"target":"anna","mode":"spy","call":"cabcdefghijkmnpqrstuv"}`)
	b.ReportAllocs()
	for b.Loop() {
		var v Supervise
		if p := decode(data, &v); p != nil {
			b.Fatal(p)
		}
	}
}

// A problem is written even where it came from nowhere.
func TestEveryStatusHasAProblem(t *testing.T) {
	for status := 400; status < 600; status++ {
		p := ofStatus(status)
		if p.Status != status || p.Code == "" || p.Detail == "" {
			t.Fatalf("%d: %+v", status, p)
		}
		out, err := json.Marshal(p)
		if err != nil || !bytes.Contains(out, []byte(`"type":"urn:earshot:problem:`)) {
			t.Fatalf("%s %v", out, err)
		}
	}
}

// The reasons have to fit into a close frame (RFC 6455, section 5.5), or the WebSocket says something else.
func TestEveryEndFitsIntoACloseFrame(t *testing.T) {
	words := map[string]bool{}
	for _, e := range ends {
		if len(e.Reason) > 123 || (e.Code == 0) != (e.Reason == "") || words[e.Word] {
			t.Errorf("%+v", e)
		}
		words[e.Word] = true
	}
}
