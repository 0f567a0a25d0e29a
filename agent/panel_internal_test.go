package agent

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestThePageIsServedUnlessItIsSwitchedOff holds the key http.panel and what stands for it when it is left out.
func TestThePageIsServedUnlessItIsSwitchedOff(t *testing.T) {
	for more, want := range map[string]int{
		"http: {listen: \"127.0.0.1:0\"}\n":               http.StatusOK,
		"http: {listen: \"127.0.0.1:0\", panel: true}\n":  http.StatusOK,
		"http: {listen: \"127.0.0.1:0\", panel: false}\n": http.StatusNotFound,
	} {
		_, dir, _ := house(t)
		a, _ := reopen(t, elsewhere(t, dir), more)
		t.Cleanup(a.closeFiles)
		for _, path := range []string{"/", "/panel/main.js"} {
			w := httptest.NewRecorder()
			a.door.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
			if w.Code != want {
				t.Errorf("%s with %q: %d", path, more, w.Code)
			}
		}
	}
}
