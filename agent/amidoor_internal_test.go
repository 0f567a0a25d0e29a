package agent

import (
	"crypto/tls"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/ami"
	"go.uber.org/goleak"
)

func TestTheAMIDoorSpeaksTLSAndEndsWithTheTokensOfItsClients(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("run", func(t *testing.T) {
		a, dir, token, roots := overTLS(t, "ami")
		addr, err := a.AMIAddress(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c, err := ami.Dial(t.Context(), ami.Config{
			Addr: addr, Username: "anna", Secret: ami.Secret(token), PlainLogin: true, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Do(t.Context(), ami.NewAction("ListCommands")); err != nil {
			t.Error(err)
		}
		write(t, filepath.Join(dir, "tokens.yaml"), "[]\n")
		if err := a.Reload(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-c.Done():
			if !errors.Is(c.Err(), io.EOF) {
				t.Errorf("it ended with %v", c.Err())
			}
		case <-time.After(10 * time.Second):
			t.Error("the session goes on without its token")
		}
	})
}

func TestWithoutAnAddressThereIsNoAMIDoor(t *testing.T) {
	a, _, _ := house(t)
	start(t, a)
	if addr, err := a.AMIAddress(t.Context()); !errors.Is(err, errNoAMIDoor) || addr != "" {
		t.Errorf("it is at %q: %v", addr, err)
	}
}

func TestAnAMIDoorOffLoopbackWithoutTLSIsWarnedOf(t *testing.T) {
	for listen, warned := range map[string]bool{"": false, "127.0.0.1:5039": false, "localhost:5039": false, ":5039": true, "192.0.2.1:5039": true} {
		c := defaults()
		c.AMI.Listen = listen
		if got := len(c.warnings()) == 1 && strings.Contains(c.warnings()[0], "ami.tls"); got != warned {
			t.Errorf("%q: %v", listen, c.warnings())
		}
		if c.AMI.TLS = true; len(c.warnings()) != 0 {
			t.Errorf("%q with TLS: %v", listen, c.warnings())
		}
	}
}
