package recording

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"regexp"
	"strings"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct{ Key, Message string }

var placeholder = regexp.MustCompile(`\{[^}]*\}`)

// Faults are what is wrong with the configuration of a second authority, by the keys as they stand in the file. It reads no file.
func (c *SecondConfig) Faults() (faults []Fault) {
	bad := func(key, message string) { faults = append(faults, Fault{key, message}) }
	switch c.Kind {
	case "":
		if c.URL != "" || c.HeadersFile != "" || len(c.Users) > 0 {
			bad("kind", "kind is one of file, authzen, http; left out, nobody is asked")
		}
		return faults
	case "file":
		if len(c.Users) == 0 {
			bad("users", "with kind: file, users says which Unix user each employee is; who is not there may have nothing")
		}
		if c.URL != "" || c.HeadersFile != "" {
			bad("url", "kind: file asks the file system, and no address")
		}
	case "authzen", "http":
		if len(c.Users) > 0 {
			bad("users", "users is for kind: file")
		}
		for _, p := range placeholder.FindAllString(c.URL, -1) {
			if _, known := places[p]; !known || c.Kind == "authzen" {
				bad("url", "the address may have {employee}, {action}, {spool} and {file} in it with kind: http, and nothing with kind: authzen")
				break
			}
		}
		u, err := url.Parse(placeholder.ReplaceAllString(c.URL, "x"))
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "":
			bad("url", "the address of the second authority is http or https, without credentials, such as https://drive.example.com/access/v1/evaluation")
		case strings.Contains(hostOf(c.URL), "{"):
			bad("url", "the host of the second authority is fixed")
		case u.Scheme == "http" && !c.AllowHTTP && !loopback(u.Hostname()):
			bad("url", "plain HTTP off loopback tells everybody on the way who asks for what; use https, or say allow_http: true")
		}
	default:
		bad("kind", "kind is one of file, authzen, http; left out, nobody is asked")
	}
	if c.Timeout < 0 || c.TTL < 0 || c.Breaker.Pause < 0 || c.Breaker.Failures < 0 {
		bad("timeout", "timeout, ttl and breaker are not negative")
	}
	return faults
}

var places = map[string]func(q *Question) string{
	"{employee}": func(q *Question) string { return q.Employee },
	"{action}":   func(q *Question) string { return q.Action },
	"{spool}":    func(q *Question) string { return q.Spool },
	"{file}":     func(q *Question) string { return q.File },
}

// hostOf is the part of an address that says where it is, as it is written.
func hostOf(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	return rest[:strings.IndexAny(rest+"/", "/?#")]
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// remote is an authority that is asked over HTTP.
type remote struct {
	authzen bool
	url     string
	headers http.Header
	client  *http.Client
}

func newRemote(c SecondConfig) (*remote, error) {
	r := &remote{authzen: c.Kind == "authzen", url: c.URL, headers: http.Header{}, client: &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 4, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // another place has not been trusted
	}}
	if c.HeadersFile == "" {
		return r, nil
	}
	data, err := os.ReadFile(c.HeadersFile)
	if err != nil {
		return nil, fmt.Errorf("recordings.second: read the headers: %w", err)
	}
	h, err := textproto.NewReader(bufio.NewReader(io.MultiReader(bytes.NewReader(bytes.TrimSpace(data)), strings.NewReader("\r\n\r\n")))).ReadMIMEHeader()
	if err != nil || len(h) == 0 {
		return nil, fmt.Errorf("recordings.second: %s must hold header lines, such as Authorization: Bearer …", c.HeadersFile)
	}
	r.headers = http.Header(h)
	return r, nil
}

// maxAnswer is how many bytes of an answer are read.
const maxAnswer = 64 << 10

// Allow implements [Authority].
func (r *remote) Allow(ctx context.Context, q Question) (bool, error) {
	req, err := r.request(ctx, &q)
	if err != nil {
		return false, errors.New("the request cannot be made") // its error would have the address, with a file's name in it
	}
	resp, err := r.client.Do(req)
	if err != nil {
		if ue := (*url.Error)(nil); errors.As(err, &ue) {
			err = ue.Err
		}
		return false, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return false, err
	}
	ok := resp.StatusCode >= 200 && resp.StatusCode < 300
	switch {
	case !r.authzen && ok:
		return true, nil
	case !r.authzen && resp.StatusCode == http.StatusForbidden:
		return false, nil
	case !r.authzen || resp.StatusCode != http.StatusOK:
		return false, fmt.Errorf("it answered with status %d", resp.StatusCode)
	}
	yes, ok := decision(body)
	if !ok {
		return false, errors.New("its answer is no AuthZEN decision")
	}
	return yes, nil
}

// decision reads an AuthZEN answer: an object with the member decision, under exactly that name and once. encoding/json alone would take "DECISION" for it
// and of two the last, so that an answer which says no to everybody else could be a yes here.
func decision(body []byte) (yes, ok bool) {
	if !json.Valid(body) {
		return false, false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return false, false
	}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return false, false
		}
		if name != "decision" {
			continue
		}
		if ok || string(value) != "true" && string(value) != "false" {
			return false, false
		}
		yes, ok = string(value) == "true", true
	}
	return yes, ok
}

func (r *remote) request(ctx context.Context, q *Question) (req *http.Request, err error) {
	if r.authzen {
		type entity struct {
			Type string `json:"type"`
			ID   string `json:"id"`
		}
		body, err := json.Marshal(struct {
			Subject  entity            `json:"subject"`
			Action   map[string]string `json:"action"`
			Resource entity            `json:"resource"`
		}{entity{"user", q.Employee}, map[string]string{"name": q.Action}, entity{"recording", q.Spool + "/" + q.File}})
		if err != nil {
			return nil, err
		}
		if req, err = http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body)); err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
	} else {
		address := placeholder.ReplaceAllStringFunc(r.url, func(p string) string {
			return strings.ReplaceAll(url.QueryEscape(places[p](q)), "+", "%20")
		})
		if req, err = http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody); err != nil {
			return nil, err
		}
	}
	req.Header.Set("Accept", "application/json")
	for name, values := range r.headers {
		req.Header[name] = values
	}
	return req, nil
}
