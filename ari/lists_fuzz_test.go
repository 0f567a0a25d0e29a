package ari_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest/allocation"
	"github.com/earshot-pbx/earshot/ari"
)

// says answers every request with the same.
type says struct {
	status int
	body   string
}

func (s says) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: s.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Length": {strconv.Itoa(len(s.body))}},
		ContentLength: int64(len(s.body)), Body: io.NopCloser(strings.NewReader(s.body)), Request: r,
	}, nil
}

// A list of channels or bridges is read as encoding/json reads it into maps, all of it or nothing; of a refusal no more is told than its message.
func FuzzLists(f *testing.F) {
	const channel = `{"id":"1.2","name":"PJSIP/101-1","state":"Up","caller":{"name":"A","number":"1"},"dialplan":{"exten":"2","priority":3},"creationtime":"2026-11-22T00:05:09.123+0000"}`
	const bridge = `{"id":"b","technology":"simple_bridge","bridge_type":"mixing","channels":["1.2","3"],"creationtime":"2026-11-22T00:05:09.123+0000"}`
	for _, text := range []string{
		"[" + channel + "]", "[" + bridge + " , " + channel + "]", "[]", "[ {} ,{}]", "[{}", "[{}]]", "[null]", `[{"id":1}]`, `[[{"id":"1"}]]`, "{}", "", `[{"id":"a","id":"b"}]`,
		`{"message":"Channel not found"}`, `{"message":7}`, `{"Message":"x"}`, "[" + strings.Repeat(`{"a":[`, 40) + strings.Repeat("]}", 40) + "]", `[{"channels":["a",{},"b"]}]`,
		`{"message":"` + strings.Repeat("\xab", 4000) + `"}`,
	} {
		f.Add(text)
	}
	ask := func(t *testing.T, s says) *ari.Client {
		c, err := ari.New(ari.Config{BaseURL: "http://pbx/ari", Username: "u", Password: "p", HTTPClient: &http.Client{Transport: s}})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := ask(t, says{200, text})
		var channels []ari.Channel
		var err error
		limit := 256<<10 + uint64(len(text))*400
		if n := allocation.Least(limit, func() { channels, err = c.ListChannels(t.Context()) }); n > limit {
			t.Errorf("%d bytes have taken %d", len(text), n)
		}
		bridges, err2 := c.ListBridges(t.Context())
		elements, ok := listed(text)
		if ok != (err == nil) || ok != (err2 == nil) {
			t.Fatalf("%v, %v; to be accepted: %v", err, err2, ok)
		}
		if err != nil && (channels != nil || bridges != nil) {
			t.Fatal("something of a list that is refused")
		}
		if len(channels) != len(elements) || len(bridges) != len(elements) {
			t.Fatalf("%d channels and %d bridges of %d", len(channels), len(bridges), len(elements))
		}
		for i, element := range elements {
			of := members{"is": element}
			if got, want := dump(&ari.Event{Channel: &channels[i], Bridge: &bridges[i]}), dump(&ari.Event{Channel: of.channel("is"), Bridge: of.bridge("is")}); normal(got) != normal(want) {
				t.Fatalf("got %s\nwant %s", got, want)
			}
		}
		_, err = ask(t, says{404, text}).GetChannel(t.Context(), "1")
		refused := (*ari.StatusError)(nil)
		if !errors.As(err, &refused) || !errors.Is(err, ari.ErrNotFound) || refused.Status != 404 {
			t.Fatalf("a refusal is %v", err)
		}
		// No more than 4,096 bytes of a refusal are read, each of which may be no UTF-8 and be shown as U+FFFD.
		if refused.Message != "" && (!json.Valid([]byte(text)) || len(refused.Message) > 4096*len("\ufffd")) {
			t.Fatalf("%.200q says %d bytes", text, len(refused.Message))
		}
	})
}

// listed are the elements of a list of objects, the plain way.
func listed(text string) ([]json.RawMessage, bool) {
	var list []json.RawMessage
	if json.Unmarshal([]byte(text), &list) != nil || list == nil || depth([]byte(text)) > 64 {
		return nil, false
	}
	for _, element := range list {
		if !strings.HasPrefix(string(element), "{") {
			return nil, false
		}
	}
	return list, true
}
