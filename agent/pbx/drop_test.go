package pbx

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// The supervisor's leg goes first, and nothing else waits for it longer than its head start.
func TestWhatASupervisorHearsByGoesFirst(t *testing.T) {
	for name, stuck := range map[string]bool{"an Asterisk that answers": false, "one that is stuck over the first": true} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var asked []string
			snoop := make(chan struct{})
			pbx := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				leg := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
				mu.Lock()
				asked = append(asked, leg)
				mu.Unlock()
				switch {
				case leg == "snoop":
					close(snoop)
				case leg == "own" && stuck:
					<-snoop // for ever, if the snoop's waits for this one
				}
				w.WriteHeader(http.StatusNoContent)
			}))
			defer pbx.Close()
			l, err := New(Config{ARI: ari.Config{BaseURL: pbx.URL + "/ari", Username: "earshot", Password: "x"}, Log: zerolog.Nop()})
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Drop(t.Context(), "bridge", call.LegID("own"), call.LegID("snoop")); err != nil {
				t.Fatal(err)
			}
			if want := []string{"own", "snoop", "bridge"}; !slices.Equal(asked, want) {
				t.Errorf("asked for %v, want %v", asked, want)
			}
		})
	}
}
