package ari_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/ari"
)

// Asterisk turns the 101st session away, whoever asks for it.
func TestABurstOfRequestsSharesItsConnections(t *testing.T) {
	const burst, sessions = 200, 100
	var mu sync.Mutex
	opened := 0
	pbx := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	pbx.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			mu.Lock()
			opened++
			mu.Unlock()
		}
	}
	pbx.Start()
	defer pbx.Close()
	c, err := ari.New(ari.Config{BaseURL: pbx.URL + "/ari", Username: "earshot", Password: "x"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		var wg sync.WaitGroup
		for range burst {
			wg.Go(func() {
				if err := c.Hangup(t.Context(), "1.2", ""); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if opened == 0 || opened >= sessions {
		t.Errorf("%d connections for two bursts of %d requests", opened, burst)
	}
}
