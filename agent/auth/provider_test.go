package auth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/golang-jwt/jwt/v5"
)

func TestAnUnknownKeyIsAskedForButNotTooOften(t *testing.T) {
	i := newIssuer(t, jwkOf("r", rsaKey()))
	c := newClock()
	j := mustJWT(t, i.settings(c))
	old := auth.Credential{Token: sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims())}
	fresh := auth.Credential{Token: sign(t, jwt.SigningMethodRS256, otherRSA(), "r2", claims())}
	if _, err := j.Authenticate(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	i.publish(setOf(jwkOf("r", rsaKey()), jwkOf("r2", otherRSA())))
	for range 100 {
		if _, err := j.Authenticate(t.Context(), fresh); !errors.Is(err, auth.ErrDenied) {
			t.Fatalf("within the pause: %v", err)
		}
	}
	c.forward(29 * time.Second)
	if _, err := j.Authenticate(t.Context(), fresh); !errors.Is(err, auth.ErrDenied) || i.hits.Load() != 1 {
		t.Fatalf("at the end of the pause: %v, %d fetches", err, i.hits.Load())
	}
	c.forward(time.Second)
	if s, err := j.Authenticate(t.Context(), fresh); err != nil || s.Employee() != "anna" || i.hits.Load() != 2 {
		t.Fatalf("after the pause: %v, %v, %d fetches", s, err, i.hits.Load())
	}
	if _, err := j.Authenticate(t.Context(), old); err != nil {
		t.Fatalf("the old key: %v", err)
	}
	// Strangers who make up names of keys fetch once in a pause, and slow nobody whose key is known.
	for n := range 200 {
		if n%50 == 0 {
			c.forward(time.Second)
		}
		stranger := auth.Credential{Token: sign(t, jwt.SigningMethodES256, p256Key(), fmt.Sprint("k", n), claims())}
		if _, err := j.Authenticate(t.Context(), stranger); !errors.Is(err, auth.ErrDenied) {
			t.Fatal(err)
		}
	}
	if n := i.hits.Load(); n != 2 {
		t.Errorf("strangers had the keys fetched %d times", n-2)
	}
}

func TestKeysStayWhateverTheProviderDoes(t *testing.T) {
	i := newIssuer(t, jwkOf("r", rsaKey()))
	c := newClock()
	cfg := i.settings(c)
	cfg.Timeout = time.Second
	var last error
	cfg.OnKeys = func(err error) { last = err }
	j := mustJWT(t, cfg)
	known := auth.Credential{Token: sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims())}
	unknown := auth.Credential{Token: sign(t, jwt.SigningMethodRS256, otherRSA(), "r2", claims())}
	s, err := j.Authenticate(t.Context(), known)
	if err != nil || last != nil {
		t.Fatal(err, last)
	}
	elsewhere := newIssuer(t, jwkOf("r2", otherRSA()))
	stop := make(chan struct{})
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
	}
	many := make([]map[string]any, 300)
	for n := range many {
		many[n] = jwkOf(fmt.Sprint(n), edKey())
	}
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"an error":        {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, setOf(jwkOf("r2", otherRSA())), 500) }, "status 500"},
		"not found":       {http.NotFound, "status 404"},
		"another success": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "status 204"},
		"never an answer": {func(_ http.ResponseWriter, r *http.Request) { <-stop }, "deadline exceeded"},
		"never an end":    {slowly(stop), "deadline exceeded"},
		"half an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "999")
			_, _ = io.WriteString(w, "{")
		}, "unexpected EOF"},
		"no answer":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"a redirect":         {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, "redirect"},
		"huge":               {func(w http.ResponseWriter, _ *http.Request) { huge(w) }, "too large"},
		"too many":           {text(setOf(many...)), "more than 256 keys"},
		"a web page":         {text("<!DOCTYPE html>"), "no JWK Set"},
		"nothing":            {text(""), "no JWK Set"},
		"an error in JSON":   {text(`{"error": "try later"}`), "no JWK Set"},
		"keys of null":       {text(`{"keys": null}`), "no JWK Set"},
		"keys in a map":      {text(`{"keys": {"r2": {}}}`), "no JWK Set"},
		"keys that are none": {text(`{"keys": [5, "x", null, [], {"kty": 5}, {"kty": "RSA", "kid": ["r2"]}]}`), "none of the 6 keys"},
		"two values":         {text(setOf(jwkOf("r2", otherRSA())) + "{}"), "no JWK Set"},
	} {
		i.does(tc.answer)
		c.forward(time.Minute)
		if s, err := j.Authenticate(t.Context(), unknown); !errors.Is(err, auth.ErrDenied) || s.Known() {
			t.Errorf("%s: an unknown key: %v, %v", name, s, err)
		}
		if last == nil || !strings.Contains(last.Error(), tc.want) || j.Err() == nil {
			t.Errorf("%s: told of %v, want %q; Err %v", name, last, tc.want, j.Err())
		}
		if s, err := j.Authenticate(t.Context(), known); err != nil || s.Employee() != "anna" {
			t.Errorf("%s: the known key: %v, %v", name, s, err)
		}
		if !j.Holds(s) {
			t.Errorf("%s: the session has ended", name)
		}
	}
	close(stop)
	i.publish(setOf(jwkOf("r2", otherRSA())))
	c.forward(time.Minute)
	if s, err := j.Authenticate(t.Context(), unknown); err != nil || s.Employee() != "anna" || last != nil || j.Err() != nil {
		t.Errorf("when all is well: %v, %v; told of %v", s, err, last)
	}
}

// slowly sends a sign now and then, for ever.
func slowly(stop chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := io.WriteString(w, " "); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			case <-stop:
				return
			}
		}
	}
}

// huge sends a set that is good and never ends.
func huge(w io.Writer) {
	_, _ = io.WriteString(w, strings.TrimSuffix(setOf(jwkOf("r2", otherRSA())), "}")+`, "more": "`)
	more := strings.Repeat("x", 1<<16)
	for range 100 {
		if _, err := io.WriteString(w, more); err != nil {
			return
		}
	}
}

func TestWithoutAnyKeyNobodyCanBeAsked(t *testing.T) {
	i := newIssuer(t)
	i.does(http.NotFound)
	c := newClock()
	j := mustJWT(t, i.settings(c))
	cred := auth.Credential{Token: sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims())}
	for range 3 {
		if s, err := j.Authenticate(t.Context(), cred); err == nil || errors.Is(err, auth.ErrDenied) || !strings.Contains(err.Error(), "status 404") || s.Known() {
			t.Fatalf("%v, %v", s, err)
		}
	}
	for name, token := range map[string]string{
		"no token of this kind": "ear_x", "alg none": sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "r", claims()),
		"an alg that is none": raw(map[string]any{"alg": "XS256"}, claims(), nil), "another type": sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims(), map[string]any{"typ": "x"}),
	} {
		if _, err := j.Authenticate(t.Context(), auth.Credential{Token: token}); !errors.Is(err, auth.ErrDenied) {
			t.Errorf("%s is denied without asking anybody: %v", name, err)
		}
	}
	if n := i.hits.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
	i.publish(setOf(jwkOf("r", rsaKey())))
	c.forward(30 * time.Second)
	if s, err := j.Authenticate(t.Context(), cred); err != nil || s.Employee() != "anna" {
		t.Fatalf("when it has come: %v, %v", s, err)
	}
}

func TestAProviderWhoseCertificateIsNotTrustedIsNotBelieved(t *testing.T) {
	i := newIssuer(t, jwkOf("r", rsaKey()))
	cfg := i.settings(newClock())
	cfg.Transport = nil // knows nothing of the test's own authority
	j := mustJWT(t, cfg)
	if s, err := j.Authenticate(t.Context(), auth.Credential{Token: sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims())}); err == nil || !strings.Contains(err.Error(), "certificate") || s.Known() {
		t.Fatalf("%v, %v", s, err)
	}
	if n := i.hits.Load(); n != 0 {
		t.Errorf("it was asked %d times", n)
	}
}

func TestManyWhoWaitForAKeyFetchItOnce(t *testing.T) {
	i := newIssuer(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	i.does(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived) // a second fetch would panic
		<-release
		_, _ = io.WriteString(w, setOf(jwkOf("r", rsaKey())))
	})
	j := mustJWT(t, i.settings(newClock()))
	cred := auth.Credential{Token: sign(t, jwt.SigningMethodRS256, rsaKey(), "r", claims())}
	gone, leave := context.WithCancel(t.Context())
	var first, others sync.WaitGroup
	first.Go(func() {
		if s, err := j.Authenticate(gone, cred); err != nil || !s.Known() {
			t.Errorf("who began the fetch: %v, %v", s, err)
		}
	})
	<-arrived
	leave() // he goes away, and the others have their key all the same
	for range 20 {
		others.Go(func() {
			if s, err := j.Authenticate(t.Context(), cred); err != nil || !s.Known() {
				t.Errorf("who waited: %v, %v", s, err)
			}
		})
	}
	if _, err := j.Authenticate(gone, cred); err == nil || errors.Is(err, auth.ErrDenied) {
		t.Errorf("who does not wait: %v", err)
	}
	close(release)
	first.Wait()
	others.Wait()
}

func TestReloadWhileManyAskForKeys(t *testing.T) {
	i := newIssuer(t, jwkOf("e", edKey()))
	j := mustJWT(t, i.settings(newClock()))
	cred := auth.Credential{Token: sign(t, jwt.SigningMethodEdDSA, edKey(), "e", claims())}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if s, err := j.Authenticate(t.Context(), cred); err != nil || !j.Holds(s) {
					t.Error(err)
				}
			}
		})
	}
	for n := range 20 {
		i.publish(setOf(jwkOf("e", edKey()), jwkOf(fmt.Sprint(n), p256Key())))
		if err := j.Reload(t.Context()); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestKeysAreFetchedAnewWhenTheyGetOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var fetched []time.Duration
		var away atomic.Bool
		j := mustJWT(t, auth.JWTConfig{Issuer: iss, Audience: aud, URL: "https://login.example.com/jwks", Transport: transport(func(*http.Request) (*http.Response, error) {
			fetched = append(fetched, time.Since(began))
			if away.Load() {
				return nil, errors.New("away")
			}
			w := httptest.NewRecorder()
			_, _ = w.WriteString(`{"keys": []}`)
			return w.Result(), nil
		})})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- j.Run(ctx) }()
		time.Sleep(2*time.Hour + 10*time.Second)
		away.Store(true)
		time.Sleep(time.Hour + time.Minute)
		away.Store(false)
		time.Sleep(90 * time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		// Each hour; while it is away twice a minute, until it is back.
		want := []time.Duration{0, time.Hour, 2 * time.Hour, 3 * time.Hour, 3*time.Hour + 30*time.Second, 3*time.Hour + time.Minute, 3*time.Hour + 90*time.Second, 4*time.Hour + 90*time.Second}
		if !slices.Equal(fetched, want) {
			t.Errorf("fetched after %v, want %v", fetched, want)
		}
	})
}

func TestRunEndsWhileTheProviderKeepsItWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := mustJWT(t, auth.JWTConfig{Issuer: iss, Audience: aud, URL: "https://login.example.com/jwks", Transport: transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		began := time.Now()
		go func() { ended <- j.Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
