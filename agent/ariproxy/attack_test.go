package ariproxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
)

// attack is one case of testdata/attacks.yaml, which says what the keys mean.
type attack struct {
	ID, As, Kind, Body, Twin, Order string
	Headers, Send                   []string
	Unrecorded                      []string
	Twinless                        bool
}

// fill puts in what stands between braces.
func (w *world) fill(who, text string) string {
	for _, phone := range []string{"210", "200", "100"} {
		if strings.Contains(text, "{{U"+phone+"}}") {
			text = strings.ReplaceAll(text, "{{U"+phone+"}}", w.channel(who, "PJSIP/"+phone))
		}
	}
	return stage.Filled(w.t, text)
}

func attacks(t testing.TB) []attack {
	t.Helper()
	return stage.Attacks[attack](t, 15, "testdata", "attacks.yaml")
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
