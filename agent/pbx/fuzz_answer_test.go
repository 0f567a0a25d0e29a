package pbx

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/allocation"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/earshot-pbx/earshot/ari"
	"github.com/rs/zerolog"
)

// asterisk answers ARI's requests with what it was given, and keeps what was asked of it but to read.
type asterisk struct {
	channels, bridges, variable string

	mu    sync.Mutex
	asked []string
}

func (a *asterisk) RoundTrip(r *http.Request) (*http.Response, error) {
	body, status := "", http.StatusOK
	switch path := strings.TrimPrefix(r.URL.EscapedPath(), "/ari"); {
	case r.Method != http.MethodGet:
		a.mu.Lock()
		a.asked = append(a.asked, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/ari"))
		a.mu.Unlock()
		status = http.StatusNoContent
	case path == "/channels":
		body = a.channels
	case path == "/bridges":
		body = a.bridges
	default:
		body = a.variable
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Length": {strconv.Itoa(len(body))}},
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

// ids are those of a list of objects, the plain way: of each the last that is a text, in the list's order.
func ids(text string) (list []string) {
	var elements []map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &elements) != nil {
		return nil
	}
	for _, element := range elements {
		id := ""
		_ = json.Unmarshal(element["id"], &id)
		list = append(list, id)
	}
	return list
}

// A snapshot is all that Asterisk's lists have, or an error and nothing. The table that is made of it has the legs of the list of channels and no others, whatever
// the lists and the variables say; only empty bridges of Earshot's own are taken away meanwhile, and nothing else is done to the PBX.
func FuzzSnapshot(f *testing.F) {
	const one = `{"id":"1.1","name":"PJSIP/101-1","state":"Up","caller":{"name":"A","number":"101"},"connected":{"name":"","number":"102"},"dialplan":{"context":"c","exten":"102","priority":1},"creationtime":"2026-11-22T00:05:09.123+0000"}`
	const two = `{"id":"1.2","name":"PJSIP/102-2","state":"Ringing","dialplan":{"app_name":"AppDial"}}`
	const both = `{"id":"b","technology":"simple_bridge","bridge_type":"mixing","channels":["1.1","1.2"]}`
	f.Add("["+one+","+two+"]", "["+both+"]", `{"value":"1.1"}`)
	f.Add("["+one+"]", `[{"id":"`+markers+`1","channels":[]},{"id":"`+Prefix+`x","channels":[]},{"id":"`+Prefix+`y","channels":["1.1"]},{"id":"z","channels":[]}]`, `{"value":"1700000000.5"}`)
	f.Add("["+one+","+one+"]", "["+both+","+both+"]", `{"value":"NaN"}`)
	f.Add(`[{"id":"1.1","name":"Local/1@x-1;1","state":"Up"},{"id":"1.2","name":"Local/1@x-1;2","state":"Up"}]`, `[{"id":"b","channels":["1.1","9.9",""]},{"id":"c","channels":["1.1"]}]`, `{"value":7}`)
	f.Add(`[{"id":"","name":"x"}]`, "[]", "")
	f.Add(`[{"id":"1"}]`, "[]", "[]")
	f.Add("[]", `[{"channels":["1.1"]}]`, "{}")
	f.Add("{}", "[]", "{}")
	f.Add("[", "", "{}")
	f.Fuzz(func(t *testing.T, channels, bridges, variable string) {
		if len(channels)+len(bridges) > 16<<10 {
			return
		}
		a := &asterisk{channels: channels, bridges: bridges, variable: variable}
		l, err := New(Config{ARI: ari.Config{BaseURL: "http://pbx/ari", Username: "earshot", HTTPClient: &http.Client{Transport: a}}, Sink: &sink{}, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		var s *call.Snapshot
		limit := 4<<20 + uint64(len(channels)+len(bridges)+len(variable))*8<<10
		if n := allocation.Least(limit, func() { s, err = l.snapshot(t.Context()) }); n > limit {
			t.Errorf("%d and %d bytes have taken %d", len(channels), len(bridges), n)
		}
		mayGo := map[string]bool{}
		var all []map[string]json.RawMessage
		_ = json.Unmarshal([]byte(bridges), &all)
		for i, id := range ids(bridges) {
			var in []json.RawMessage
			_ = json.Unmarshal(all[i]["channels"], &in)
			names := false
			for _, raw := range in {
				names = names || strings.HasPrefix(string(raw), `"`)
			}
			mayGo["DELETE /bridges/"+id] = strings.HasPrefix(id, markers) || strings.HasPrefix(id, Prefix) && !names || mayGo["DELETE /bridges/"+id]
		}
		for _, asked := range a.asked {
			if !mayGo[asked] {
				t.Fatalf("%q was asked of the PBX", asked)
			}
		}
		if err != nil {
			return
		}
		named := map[string]bool{}
		for _, id := range ids(channels) {
			named[id] = true
		}
		table := call.NewTable()
		table.Apply(&call.Event{Kind: call.Resynced, Snapshot: s})
		legs := table.All(nil)
		if named[""] || len(legs) != len(named) || len(s.Channels) != len(ids(channels)) {
			t.Fatalf("%d legs of %d channels", len(legs), len(named))
		}
		for _, leg := range legs {
			if !named[string(leg.ID())] {
				t.Fatalf("the leg %q came from nowhere", string(leg.ID()))
			}
		}
		for _, at := range s.AnsweredAt {
			if _, err := at.MarshalText(); err != nil || at.Year() < 1970 {
				t.Fatalf("answered at %v: %v", at, err)
			}
		}
	})
}

// What the AstDB has of an extension is what stands in its own row, and of the others what stands in theirs, whatever key and value some other software has
// written between them. A line's end in them cannot be told from Asterisk's own; even so there is no key that Earshot could not have written.
func FuzzKept(f *testing.F) {
	for _, s := range [][2]string{
		{"102", "103"}, {"102", ""}, {"1-2", "103"}, {"", "1"}, {"102/x", "1"}, {"101", "9"}, {"102", "1:act:616e6e"}, {"102", " 1 "}, {"102", "1\r\nVal: 2"}, {"102", "1\nKey: /CF/9"}, {"102", ": "}, {"102: x", "y"},
		{"102", "1\r\n\r\nEvent: DBGetTreeResponse\r\nKey: /CF/9*\r\nVal: 1"}, {"\u0661", "1"}, {"102", "\x00\xff"}, {"102", "\x12"}, {"104", "5"}, {"102\rx", "1"},
	} {
		f.Add(s[0], s[1])
	}
	control := regexp.MustCompile(`[\x00-\x08\x0a-\x1f\x7f]`) // such a row is not one that Earshot's values could be in
	f.Fuzz(func(t *testing.T, key, value string) {
		row := func(event, key, value string) string {
			return "Event: " + event + "\r\nActionID: 1\r\nKey: /CF/" + key + "\r\nVal: " + value + "\r\n\r\n"
		}
		const tree = "DBGetTreeResponse"
		read := func(text string) (rows []*ami.Message) {
			r := ami.NewReader(strings.NewReader(text), ami.Limits{})
			for m, err := r.Read(); err == nil; m, err = r.Read() {
				rows = append(rows, m.Clone())
			}
			return rows
		}
		values := familyIn(read(row(tree, "100", "1")+row(tree, key, value)+strings.Replace(row(tree, "103", "3"), "/CF/", "/CFB/", 1)+row(tree, "104", "4")), "CF")
		for key := range values {
			if key == "" || strings.Trim(key, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
				t.Fatalf("the key %q", key)
			}
		}
		is, err := keptIn(read(row("DBGetResponse", key, value) + "Event: DBGetComplete\r\n\r\n"))
		if len(key)+len(value) > 1000 || strings.ContainsAny(key+value, "\r\n\x00") {
			return
		}
		want := map[string]string{"100": "1", "104": "4"}
		if name := regexp.MustCompile(`^[0-9A-Za-z]+$`); name.MatchString(key) && key != "104" && !control.MatchString(value) {
			want[key] = value
		}
		if !maps.Equal(values, want) || err != nil || is != value {
			t.Fatalf("%q and %q are read as %q, and alone as %q, %v", key, value, values, is, err)
		}
	})
}
