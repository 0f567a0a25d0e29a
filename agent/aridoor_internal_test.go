package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
)

func TestTheARIDoorSpeaksTLSAndEndsWithTheTokensOfItsClients(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("run", func(t *testing.T) {
		a, dir, token, roots := overTLS(t, "ari")
		addr, err := a.ARIAddress(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		over := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
		defer over.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+addr+"/ari/api-docs/resources.json", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("anna", token)
		resp, err := over.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text := make([]byte, 1<<16)
		n, _ := resp.Body.Read(text)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(text[:n]), `"basePath":"https://`+addr+`/ari"`) {
			t.Errorf("%d %s", resp.StatusCode, text[:n])
		}
		c, _, err := websocket.Dial(t.Context(), "wss://"+addr+"/ari/events?app=panel&api_key="+url.QueryEscape("anna:"+token), &websocket.DialOptions{HTTPClient: over})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.CloseNow() }()
		write(t, filepath.Join(dir, "tokens.yaml"), "[]\n")
		if err := a.Reload(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("the stream ended with %v", err)
		}
	})
}

func TestWithoutAnAddressThereIsNoARIDoor(t *testing.T) {
	a, _, _ := house(t)
	start(t, a)
	if addr, err := a.ARIAddress(t.Context()); !errors.Is(err, errNoARIDoor) || addr != "" {
		t.Errorf("it is at %q: %v", addr, err)
	}
}

func TestAnARIDoorOffLoopbackWithoutTLSIsWarnedOf(t *testing.T) {
	for listen, warned := range map[string]bool{"": false, "127.0.0.1:8089": false, ":8089": true} {
		c := defaults()
		c.ARI.Listen = listen
		if got := len(c.warnings()) == 1 && strings.Contains(c.warnings()[0], "ari.tls"); got != warned {
			t.Errorf("%q: %v", listen, c.warnings())
		}
		if c.ARI.TLS = true; len(c.warnings()) != 0 {
			t.Errorf("%q with TLS: %v", listen, c.warnings())
		}
	}
}

// What can match no page's host, however right it looks, is told when the configuration is read.
func TestAnOriginThatNoPageCanHaveIsRefused(t *testing.T) {
	for origin, good := range map[string]bool{
		"panel.example.com": true, "*.example.com:8443": true, "localhost:*": true, "*": true, "panel-?.example.com:80[0-9][0-9]": true, `\[::1\]`: true, `\[2001:db8::*\]:8443`: true,
		"": false, "https://panel.example.com": false, "panel.example.com/": false, "panel.example.com:": false, "panel.example.com:https": false, " panel.example.com": false,
		"panel.example.com\t": false, "a b": false, ":8443": false, "[::1]:8443": false, "[": false,
	} {
		c, told := defaults(), false
		c.ARI.Origins = []string{origin}
		c.ARI.validate(&c, func(key, _ string, _ ...any) { told = told || key == "ari.origins" })
		if told == good {
			t.Errorf("of %q it is told: %v", origin, told)
		}
	}
}
