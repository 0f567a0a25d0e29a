package ariproxy_test

import (
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// attack is one case of testdata/attacks.yaml, which says what the keys mean.
type attack struct {
	ID, As, Kind, Body, Twin, Order string
	Headers, Send                   []string
	Unrecorded                      []string
	Twinless                        bool
}

var repeated = regexp.MustCompile(`\{\{([^}]+?)\*([0-9]+)\}\}`)

// fill puts in what stands between braces.
func (w *world) fill(who, text string) string {
	for _, phone := range []string{"210", "200", "100"} {
		if strings.Contains(text, "{{U"+phone+"}}") {
			text = strings.ReplaceAll(text, "{{U"+phone+"}}", w.channel(who, "PJSIP/"+phone))
		}
	}
	text = repeated.ReplaceAllStringFunc(text, func(s string) string {
		m := repeated.FindStringSubmatch(s)
		n, _ := strconv.Atoi(m[2])
		return strings.Repeat(m[1], n)
	})
	if strings.Contains(text, "{{") {
		w.t.Fatalf("not all is filled in: %q", text)
	}
	return text
}

// attacks are the cases.
func attacks(t *testing.T) (cases []attack) {
	t.Helper()
	text, err := os.ReadFile("testdata/attacks.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 15 {
		t.Fatalf("there are %d cases", len(cases))
	}
	return cases
}

func TestAttacksAreRefusedAndTheirTwinsAnswered(t *testing.T) {
	cases := attacks(t)
	for _, tc := range cases {
		t.Run(tc.ID, func(t *testing.T) {
			w := newWorld(t)
			w.talks("1", "", "+4915550001", "PJSIP/210")
			w.talks("2", "", "+4915550002", "PJSIP/200")
			w.talks("3", "", "+4915550003", "PJSIP/100")
			beside := w.listen("olga", subscribe)
			w.listen(tc.As, "app=x")
			plain := []string{w.by(tc.As)}
			with := append(plain[:1:1], tc.Headers...)
			if tc.Kind != "" {
				with = append(with, "Content-Type: "+tc.Kind)
			}
			for i, send := range tc.Send {
				got := w.ask(w.fill(tc.As, send), with, w.fill(tc.As, tc.Body))
				if got.status < 400 || got.status == http.StatusUnauthorized || got.message() == "" && !strings.HasPrefix(send, "HEAD ") {
					t.Errorf("%q is answered by %d %s", send, got.status, got.body)
				}
				if strings.Contains(got.body, "PJSIP/") || strings.Contains(got.body, "4915550") || strings.Contains(got.body, "passwd") {
					t.Errorf("%q is told %s", send, got.body)
				}
				if all := w.book.Denied(); len(all) != min(i+1, 30) || all[len(all)-1].Subject != tc.As || all[len(all)-1].Door != "ari" {
					t.Fatalf("behind %q the record has %v", send, all)
				}
			}
			for _, send := range tc.Unrecorded {
				if got := w.ask(w.fill(tc.As, send), with, w.fill(tc.As, tc.Body)); got.status != http.StatusBadRequest {
					t.Errorf("%q is answered by %d %s", send, got.status, got.body)
				}
				if all := w.book.Denied(); len(all) != min(len(tc.Send), 30) {
					t.Fatalf("behind %q the record has %v", send, all)
				}
			}
			if all := w.pbx.taken(); len(all) > 0 {
				t.Errorf("the PBX is asked for %v", all)
			}
			if len(beside.events) > 0 {
				t.Errorf("another stream is told %s", (<-beside.events).text)
			}
			body := w.fill(tc.As, tc.Body)
			if tc.Twinless {
				with, body = plain, ""
			}
			if got := w.ask(w.fill(tc.As, tc.Twin), with, body); got.status != http.StatusOK && got.status != http.StatusNoContent {
				t.Errorf("the twin is answered by %d %s", got.status, got.body)
			}
		})
	}
}
