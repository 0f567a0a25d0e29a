package pbx

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/ari"
)

// A wire notes what is asked of the channels and the bridge of a swap, in order.
type wire struct {
	http.RoundTripper
	mu    sync.Mutex
	notes []string
	asked func(note string) // called before the request is sent
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	note := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/ari/")
	if r.GetBody != nil && strings.Contains(r.URL.Path, "/bridges/") {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(body)
		if err != nil {
			return nil, err
		}
		note += " " + string(text)
	}
	w.mu.Lock()
	w.notes = append(w.notes, note)
	w.mu.Unlock()
	w.asked(note)
	return w.RoundTripper.RoundTrip(r)
}

// An error of Swap means that the old snoop is what is heard, as the gate believes then, and none that the new one is.
func TestASwapIsMadeOrUndoneWhateverBecomesOfTheOldSnoop(t *testing.T) {
	const (
		before, after = Prefix + "old", Prefix + "new"
		hangUp        = "DELETE channels/" + before
	)
	made := []string{
		"POST channels/1.1/snoop", "POST channels/" + after + "/variable",
		`POST bridges/b/addChannel {"channel":["` + after + `"],"mute":true,"absorbDTMF":true}`,
		`POST bridges/b/removeChannel {"channel":["` + before + `"]}`,
		`POST bridges/b/addChannel {"channel":["` + after + `"],"absorbDTMF":true}`,
		hangUp,
	}
	undone := append(slices.Clone(made), "DELETE channels/"+after, `POST bridges/b/addChannel {"channel":["`+before+`"],"absorbDTMF":true}`)
	for name, tc := range map[string]struct {
		arrange func(f *fake)
		late    bool // the context ends when the old one is to be hung up
		status  int  // of the error; 0: none
		want    []string
	}{
		"it is hung up":                  {want: made},
		"it is gone":                     {arrange: func(f *fake) { f.gone["DELETE /ari/channels/"+before] = 1 }, want: made},
		"time is over":                   {late: true, want: made},
		"it stays":                       {arrange: func(f *fake) { f.fail["DELETE /ari/channels/"+before] = 1 }, status: 500, want: undone},
		"it stays, and the time is over": {arrange: func(f *fake) { f.fail["DELETE /ari/channels/"+before] = 1 }, late: true, status: 500, want: undone},
		"it stays, and the new one is not seen to go": {arrange: func(f *fake) { // what was there is heard all the same
			f.fail["DELETE /ari/channels/"+before], f.stuck["DELETE /ari/channels/"+after] = 1, 1
		}, status: 500, want: undone},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			if tc.arrange != nil {
				tc.arrange(f)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := &wire{asked: func(note string) {
				if tc.late && note == hangUp {
					cancel()
				}
			}}
			r := f.link(t, func(c *Config) {
				w.RoundTripper = c.ARI.HTTPClient.Transport
				c.ARI.HTTPClient = &http.Client{Transport: w}
			})
			r.known()
			err := r.link.Swap(ctx, Swap{Old: before, New: after, Target: "1.1", Bridge: "b", Voice: VoiceTarget, Lease: time.Minute})
			var refused *ari.StatusError
			switch {
			case tc.status == 0 && err != nil:
				t.Error(err)
			case tc.status != 0 && (!errors.As(err, &refused) || refused.Status != tc.status):
				t.Errorf("%v; want status %d", err, tc.status)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			notes := slices.DeleteFunc(slices.Clone(w.notes), func(note string) bool { // the link has requests of its own
				return !strings.HasSuffix(note, "/snoop") && !strings.Contains(note, before) && !strings.Contains(note, after)
			})
			if !slices.Equal(notes, tc.want) {
				t.Errorf("asked\n%s\nwant\n%s", strings.Join(notes, "\n"), strings.Join(tc.want, "\n"))
			}
		})
	}
}
