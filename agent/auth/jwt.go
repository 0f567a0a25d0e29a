package auth

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// maxJWT is how many bytes a JSON web token may have. It fits into the headers that servers take.
const maxJWT = 8 << 10

// Algorithms returns the names of all signature algorithms that a JSON web token may have (RFC 7518, section 3.1; RFC 8037). Each needs a
// secret that the issuer alone has: with one that is shared (HS256), Earshot could sign too, and so could whoever reads its configuration.
func Algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// JWTConfig says which JSON web tokens are believed.
type JWTConfig struct {
	Issuer   string // the claim iss, exactly; required
	Audience string // is, or is in, the claim aud: the token was made for Earshot and not for somebody else; required
	URL      string // where the issuer publishes its keys; https, or http on loopback
	File     string // the same as a file; one of the two is required

	Algorithms    []string      // that are taken; empty: all of [Algorithms]
	EmployeeClaim string        // the claim that has the employee's id; "sub"
	Leeway        time.Duration // by how much the issuer's clock may be off; none
	Refresh       time.Duration // how old the keys from URL get before they are fetched anew; 1 h
	Pause         time.Duration // between two fetches, at least; also after one that failed; 30 s
	Timeout       time.Duration // of a fetch; 5 s

	// Known reports whether there is an employee of this id; a token for another is denied, and holds no more. It is called from several goroutines and
	// must not block. nil means that everybody is known.
	Known func(employee string) bool
	// OnKeys is told of each attempt to load keys after the first one from a file: nil when others may be in force now, or why those
	// before stay. It is called by whoever loads, outside all locks.
	OnKeys func(error)

	Transport http.RoundTripper // fetches; nil: one that checks certificates and keeps no connection
	Clock     func() time.Time  // nil means time.Now
}

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	Field   string // of JWTConfig
	Message string
}

// Error tells both.
func (f *Fault) Error() string { return "auth: " + f.Field + ": " + f.Message }

// Faults are everything that is wrong with a configuration.
func (c *JWTConfig) Faults() []*Fault {
	var faults []*Fault
	bad := func(field, format string, args ...any) {
		faults = append(faults, &Fault{field, fmt.Sprintf(format, args...)})
	}
	if c.Issuer == "" {
		bad("Issuer", "it is required: who makes the tokens, as they say it in iss")
	}
	if c.Audience == "" {
		bad("Audience", "it is required: what the tokens say in aud when they are meant for Earshot")
	}
	switch {
	case c.URL == "" && c.File == "":
		bad("URL", "the issuer's keys are required, from an address or from a file")
	case c.URL != "" && c.File != "":
		bad("File", "the keys come from an address or from a file, not from both")
	case c.URL != "":
		if err := keyURL(c.URL); err != nil {
			bad("URL", "%v", err)
		}
	}
	for _, a := range c.Algorithms {
		if !slices.Contains(Algorithms(), a) {
			bad("Algorithms", "only those for which nobody but the issuer has the secret: %s", strings.Join(Algorithms(), ", "))
			break
		}
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"Leeway", c.Leeway}, {"Refresh", c.Refresh}, {"Pause", c.Pause}, {"Timeout", c.Timeout}} {
		if d.value < 0 {
			bad(d.field, "it must not be negative")
		}
	}
	return faults
}

// JWT authenticates JSON web tokens by the keys of their issuer. It is safe for concurrent use. Its sessions end with the token's own
// end, and when the issuer no longer stands by the key that signed it.
type JWT struct {
	cfg      JWTConfig
	parser   *jwt.Parser
	provider *provider
}

var _ Authenticator = (*JWT)(nil)

// OpenJWT makes a JWT. It reads the file, if there is one; it fetches nothing: Run does, and until then the first who asks.
func OpenJWT(c JWTConfig) (*JWT, error) {
	var errs []error
	for _, f := range c.Faults() {
		errs = append(errs, f)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if len(c.Algorithms) == 0 {
		c.Algorithms = Algorithms()
	}
	if c.EmployeeClaim == "" {
		c.EmployeeClaim = "sub"
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&c.Refresh, time.Hour}, {&c.Pause, 30 * time.Second}, {&c.Timeout, 5 * time.Second}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	if c.Known == nil {
		c.Known = func(string) bool { return true }
	}
	if c.OnKeys == nil {
		c.OnKeys = func(error) {}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	j := &JWT{cfg: c, parser: jwt.NewParser(
		jwt.WithValidMethods(c.Algorithms), jwt.WithIssuer(c.Issuer), jwt.WithAudience(c.Audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithLeeway(c.Leeway), jwt.WithTimeFunc(c.Clock), jwt.WithStrictDecoding(),
	)}
	j.provider = &provider{salt: c.Issuer, timeout: c.Timeout, pause: c.Pause, clock: c.Clock, told: c.OnKeys}
	if c.URL != "" {
		j.provider.load = fetcher(c.URL, c.Transport)
		return j, nil
	}
	j.provider.load = func(context.Context) ([]byte, error) { return readFile(c.File, maxKeySet) }
	if err := j.provider.reload(context.Background()); err != nil {
		return nil, fmt.Errorf("auth: %s: %w", c.File, err)
	}
	return j, nil
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
	}
}

// Run fetches the keys, and again when they get old, until ctx ends. With a file there is nothing to do but wait.
func (j *JWT) Run(ctx context.Context) error {
	for j.cfg.URL != "" && ctx.Err() == nil {
		j.provider.refresh(ctx, ctx)
		wait := j.cfg.Refresh
		if j.Err() != nil {
			wait = min(wait, j.cfg.Pause)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
	<-ctx.Done()
	return nil
}

// Reload loads the keys now. When that fails, those that were loaded before stay in force, and the error is returned.
func (j *JWT) Reload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, j.cfg.Timeout)
	defer cancel()
	err := j.provider.reload(ctx)
	j.cfg.OnKeys(err)
	return err
}

// Err returns why the keys could not be loaded the last time; nil when those in force are the issuer's.
func (j *JWT) Err() error {
	j.provider.mu.Lock()
	defer j.provider.mu.Unlock()
	return j.provider.err
}

// errForeign is why a token with a header that is not understood is not looked at any further.
var errForeign = errors.New("a header that is not understood")

// Authenticate implements [Authenticator]. It waits for the issuer only when the token names a key that is not known yet, and then for the
// time of one fetch at most.
func (j *JWT) Authenticate(ctx context.Context, c Credential) (Subject, error) {
	// Nobody is named beside a token that says itself whose it is.
	if c.Employee != "" || !isJWT(c.Token) {
		return Subject{}, ErrDenied
	}
	var signer publicKey
	var away error // the keys are not to be had, so nothing is known of the token
	claims := jwt.MapClaims{}
	_, err := j.parser.ParseWithClaims(c.Token, claims, func(t *jwt.Token) (any, error) {
		kid, ok := header(t)
		if !ok {
			return nil, errForeign
		}
		var err error
		if signer, err = j.provider.key(ctx, kid, t.Method.Alg()); err != nil && !errors.Is(err, ErrDenied) {
			away = err
		}
		return signer.key, err
	})
	switch {
	case err == nil:
		return j.subject(c.Token, signer, claims)
	case away != nil:
		return Subject{}, away
	case errors.Is(err, jwt.ErrTokenExpired):
		return Subject{}, ErrExpired // its signature is good, or nobody would have looked
	}
	return Subject{}, ErrDenied
}

// isJWT reports whether s has a token's form (RFC 7515, section 7.1). The base64 decoder by itself would pass over line ends.
func isJWT(s string) bool {
	return len(s) <= maxJWT && strings.Count(s, ".") == 2 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

// header returns the id of the key that a token names. It reports whether the header can be understood: a token of another type (RFC 9068;
// RFC 8725, section 3.11) is not meant as a proof of who somebody is, and what is critical in it must be understood (RFC 7515, section
// 4.1.11). Keys and addresses of keys that a header brings along are never looked at.
func header(t *jwt.Token) (kid string, ok bool) {
	if _, critical := t.Header["crit"]; critical {
		return "", false
	}
	if typ, has := t.Header["typ"]; has {
		s, _ := typ.(string)
		switch strings.TrimPrefix(strings.ToLower(s), "application/") {
		case "jwt", "at+jwt":
		default:
			return "", false
		}
	}
	if id, has := t.Header["kid"]; has {
		if kid, ok = id.(string); !ok || kid == "" {
			return "", false
		}
	}
	return kid, true
}

// subject is whom a token proves whose signature and claims are good.
func (j *JWT) subject(token string, signer publicKey, claims jwt.MapClaims) (Subject, error) {
	employee, _ := claims[j.cfg.EmployeeClaim].(string)
	exp, err := claims.GetExpirationTime()
	if err != nil || exp == nil || !isEmployee(employee) || !j.cfg.Known(employee) {
		return Subject{}, ErrDenied
	}
	sum := sha256.Sum256([]byte(token))
	end := exp.Add(j.cfg.Leeway)
	if end.Nanosecond() > 0 {
		end = end.Add(time.Second)
	}
	return Subject{employee: employee, credential: "jwt:" + hex.EncodeToString(sum[:6]), expires: max(1, end.Unix()), key: signer.id}, nil
}

// Holds implements [Authenticator].
func (j *JWT) Holds(s Subject) bool {
	set := j.provider.set.Load()
	return set != nil && s.Known() && !s.session && set.ids[s.key] && j.cfg.Clock().Unix() < s.expires && j.cfg.Known(s.employee)
}
