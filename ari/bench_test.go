package ari_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/ari"
)

// BenchmarkDecode reads what Asterisk sends about calls. Its floor picks six members by hand out of a text that it trusts. The other rows are
// to be read beside it: looking at every quote once and no more, and encoding/json into the same members.
func BenchmarkDecode(b *testing.B) {
	texts := corpus(3000)
	size := 0
	raws := make([][]byte, len(texts))
	for i, text := range texts {
		size += len(text)
		raws[i] = []byte(text)
	}
	run := func(name string, decode func(i int)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(size / len(texts)))
			i := 0
			for b.Loop() {
				decode(i)
				if i++; i == len(texts) {
					i = 0
				}
			}
		})
	}
	fail := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	var e ari.Event
	run("earshot", func(i int) { fail(e.Decode(texts[i])) })
	run("from bytes", func(i int) { fail(e.Decode(string(raws[i]))) })
	run("into a new event", func(i int) { _, err := ari.ParseEvent(raws[i]); fail(err) })
	var quotes int
	run("every quote by IndexByte", func(i int) {
		for s := texts[i]; ; {
			at := strings.IndexByte(s, '"')
			if at < 0 {
				break
			}
			quotes++
			s = s[at+1:]
		}
	})
	var picked [6]string
	run("floor", func(i int) {
		if floor(texts[i], &picked); picked[0] == "" {
			b.Fatal("no type")
		}
	})
	run("json.Valid", func(i int) {
		if !json.Valid(raws[i]) {
			b.Fatal("not valid")
		}
	})
	run("encoding-json", func(i int) { var v jsonEvent; fail(json.Unmarshal(raws[i], &v)) })
}

// floor picks a few members out of a text that it trusts: it steps from quote to quote and looks at nothing else.
func floor(s string, picked *[6]string) {
	depth, key := 0, ""
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			end := i + 1 + strings.IndexByte(s[i+1:], '"')
			word := s[i+1 : end]
			i = end
			if i+1 < len(s) && s[i+1] == ':' {
				key = word
				continue
			}
			switch key {
			case "type":
				picked[0] = word
			case "timestamp":
				picked[1] = word
			case "id":
				picked[2] = word
			case "name":
				picked[3] = word
			case "state":
				picked[4] = word
			case "number":
				picked[5] = word
			}
		}
	}
}

// jsonEvent holds for encoding/json what an Event gets from the corpus. Points in time are left as text.
type jsonEvent struct {
	Type        string       `json:"type"`
	Timestamp   string       `json:"timestamp"`
	Application string       `json:"application"`
	AsteriskID  string       `json:"asterisk_id"`
	Args        []string     `json:"args"`
	Channel     *jsonChannel `json:"channel"`
	Bridge      *jsonBridge  `json:"bridge"`
}

type jsonChannel struct {
	ID         string `json:"id"`
	ProtocolID string `json:"protocol_id"`
	Name       string `json:"name"`
	State      string `json:"state"`
	Caller     struct {
		Name   string `json:"name"`
		Number string `json:"number"`
	} `json:"caller"`
	Connected struct {
		Name   string `json:"name"`
		Number string `json:"number"`
	} `json:"connected"`
	AccountCode string `json:"accountcode"`
	Dialplan    struct {
		Context  string `json:"context"`
		Exten    string `json:"exten"`
		Priority int    `json:"priority"`
		AppName  string `json:"app_name"`
		AppData  string `json:"app_data"`
	} `json:"dialplan"`
	CreationTime string `json:"creationtime"`
	Language     string `json:"language"`
}

type jsonBridge struct {
	ID           string   `json:"id"`
	Technology   string   `json:"technology"`
	Type         string   `json:"bridge_type"`
	Class        string   `json:"bridge_class"`
	Creator      string   `json:"creator"`
	Name         string   `json:"name"`
	Channels     []string `json:"channels"`
	VideoMode    string   `json:"video_mode"`
	CreationTime string   `json:"creationtime"`
}
