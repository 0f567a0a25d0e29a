package ariread

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"

	"github.com/bytedance/sonic"

	"github.com/earshot-pbx/earshot/ari"
	"github.com/earshot-pbx/earshot/testdata/peers/contest"
)

// Names of the decoders that figures are asked of.
const (
	Earshot = "Earshot"
	JSON    = "encoding/json"
	Sonic   = "sonic"
	ByHand  = "decoder by hand"
)

// Captured are the events of all streams in a folder, as Asterisk has sent them.
func Captured(folder string) (texts []string, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	for _, name := range files {
		if texts, err = read(texts, name); err != nil {
			return nil, err
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("no event of ARI in %s", folder)
	}
	return texts, nil
}

func read(texts []string, name string) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			ARI json.RawMessage `json:"ari"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(line.ARI) > 0 {
			texts = append(texts, string(line.ARI))
		}
	}
	return texts, lines.Err()
}

// compiled tells whether sonic is what it promises here: on machines and Go versions that it does not know it hands everything to encoding/json.
func compiled() error {
	if sonic.APIKind != sonic.UseSonicJSON {
		return errors.New("sonic falls back to encoding/json with this version of Go, or on this machine")
	}
	return nil
}

// Check has all decoders read the captured events, and n that are made of them with other words in any order. Each must be what the reference makes of it.
func Check(captured []string, n int) (checked int, err error) {
	if err := compiled(); err != nil {
		return 0, err
	}
	texts, err := varied(captured, n)
	if err != nil {
		return 0, err
	}
	texts = append(texts, captured...)
	var (
		mine ari.Event
		hand Hand
	)
	for _, text := range texts {
		want, err := reference(text)
		if err != nil {
			return 0, err
		}
		if err := mine.Decode(text); err != nil {
			return 0, err
		}
		var std, fast Event
		if err := json.Unmarshal([]byte(text), &std); err != nil {
			return 0, err
		}
		if err := sonic.UnmarshalString(text, &fast); err != nil {
			return 0, err
		}
		for who, got := range map[string]*Event{Earshot: ours(&mine), JSON: &std, Sonic: &fast, ByHand: hand.Decode(text)} {
			if !same(got, want) {
				return 0, fmt.Errorf("%s reads\n%+v of\n%s", who, got, text)
			}
		}
	}
	return len(texts), nil
}

// same compares two events; a list without elements is one that is not there.
func same(a, b *Event) bool { return reflect.DeepEqual(withoutEmpty(*a), withoutEmpty(*b)) }

func withoutEmpty(e Event) Event {
	if len(e.Args) == 0 {
		e.Args = nil
	}
	for _, b := range []**Bridge{&e.Bridge, &e.BridgeFrom, &e.FirstLegBridge, &e.SecondLegBridge, &e.ThreewayBridge} {
		if *b != nil && len((*b).Channels) == 0 {
			other := **b
			other.Channels, *b = nil, &other
		}
	}
	return e
}

// reference reads a text into maps, and takes out of these one member after the other by its name.
func reference(text string) (*Event, error) {
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, err
	}
	e := new(Event)
	fill(reflect.ValueOf(e).Elem(), m)
	return e, nil
}

func fill(v reflect.Value, m map[string]any) {
	for i := range v.NumField() {
		field := v.Field(i)
		switch value := m[v.Type().Field(i).Tag.Get("json")].(type) {
		case string:
			field.SetString(value)
		case float64:
			field.SetInt(int64(value))
		case bool:
			field.SetBool(value)
		case []any:
			for _, e := range value {
				field.Set(reflect.Append(field, reflect.ValueOf(e)))
			}
		case map[string]any:
			if field.Kind() == reflect.Pointer {
				field.Set(reflect.New(field.Type().Elem()))
				field = field.Elem()
			}
			fill(field, value)
		}
	}
}

// words are what the texts of varied events are made of.
var words = []string{"", "101", "+79161234567", "Анна Петрова", `a "quoted" name`, `back\slash`, "<sip:101@host>", "tab\tand\nline", "\u2028", "日本", "🙂", "}", "]", ",", `":{`}

// varied makes n events of those captured, by other texts, numbers and orders of their members.
func varied(captured []string, n int) ([]string, error) {
	r := rand.New(rand.NewPCG(7, 7))
	texts := make([]string, n)
	for i := range texts {
		var m map[string]any
		if err := json.Unmarshal([]byte(captured[r.IntN(len(captured))]), &m); err != nil {
			return nil, err
		}
		vary(r, m)
		text, err := json.Marshal(m) // in the order of their names
		if err != nil {
			return nil, err
		}
		texts[i] = string(text)
	}
	return texts, nil
}

func vary(r *rand.Rand, m map[string]any) {
	for key, v := range m {
		switch v := v.(type) {
		case string:
			if key != "type" && key != "timestamp" && key != "creationtime" && r.IntN(3) == 0 {
				m[key] = words[r.IntN(len(words))] + words[r.IntN(len(words))]
			}
		case float64:
			m[key] = r.IntN(2000) - 1000
		case bool:
			m[key] = r.IntN(2) == 0
		case map[string]any:
			vary(r, v)
		}
	}
}

// Contenders decode the captured events, one after the other. One that uses its memory again does so here too.
func Contenders(captured []string) []contest.Contender {
	raws := make([][]byte, len(captured))
	for i, text := range captured {
		raws[i] = []byte(text)
	}
	each := func(name string, decode func(i int) string) contest.Contender {
		return contest.Contender{Name: name, AtLeast: len(captured), Do: func(n int) {
			for range n / len(captured) {
				for i := range captured {
					if decode(i) == "" {
						panic(name + " reads an event without a type")
					}
				}
			}
		}}
	}
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var (
		mine      ari.Event
		hand      Hand
		std, fast Event
	)
	return []contest.Contender{
		each(Earshot, func(i int) string { must(mine.Decode(captured[i])); return mine.Type }),
		each(ByHand, func(i int) string { return hand.Decode(captured[i]).Type }),
		each(JSON, func(i int) string { std = Event{}; must(json.Unmarshal(raws[i], &std)); return std.Type }),
		each(Sonic, func(i int) string { fast = Event{}; must(sonic.UnmarshalString(captured[i], &fast)); return fast.Type }),
	}
}
