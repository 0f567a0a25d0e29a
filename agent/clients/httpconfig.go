package clients

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// HTTP is a foreign system that is asked about one number at a time. What is zero has the default.
type HTTP struct {
	Recipe      string `yaml:"recipe"`       // bitrix24, 1c: what is left out of url's end, method, body and fields follows from it
	URL         string `yaml:"url"`          // the address; {e164}, {digits}, {national}, {trunk} in its path or query are the number
	URLFile     string `yaml:"url_file"`     // a file that holds it, alone, when it is a secret itself
	Method      string `yaml:"method"`       // GET, POST; GET, and POST with a body
	Body        string `yaml:"body"`         // JSON, with the number as in url
	HeadersFile string `yaml:"headers_file"` // a file of secret header lines, such as "Authorization: Bearer …"
	CAFile      string `yaml:"ca_file"`      // PEM: the authorities that are trusted; the system's
	AllowHTTP   bool   `yaml:"allow_http"`   // plain HTTP off loopback
	Redirects   int    `yaml:"redirects"`    // how many are followed, to the same host only; 0

	AbsentStatus int       `yaml:"absent_status"` // a status that says that there is no such client, such as 404; none
	Fields       Fields    `yaml:"fields"`
	Employees    Employees `yaml:"employees"` // who is who; left out, the system tells employees' ids

	Timeout     time.Duration `yaml:"timeout"`     // of one request; 3s
	MaxBytes    int           `yaml:"max_bytes"`   // of an answer; 262144
	Concurrency int           `yaml:"concurrency"` // requests at a time; 4
	Queue       int           `yaml:"queue"`       // numbers that wait to be asked about; 256
	TTL         time.Duration `yaml:"ttl"`         // how long an answer is good; 10m
	MissTTL     time.Duration `yaml:"miss_ttl"`    // how long it is good that there is no such client; 2m
	Breaker     Breaker       `yaml:"breaker"`
	Webhook     Webhook       `yaml:"webhook"`
}

// Breaker leaves a system alone that fails.
type Breaker struct {
	Failures int           `yaml:"failures"` // in a row; 5
	Pause    time.Duration `yaml:"pause"`    // before it is tried again with one request; 30s
}

// Webhook is how a system tells that a client has changed.
type Webhook struct {
	TokenFile string `yaml:"token_file"` // a file that holds the token by which it is known, alone; none: nobody is believed
}

// used reports whether anything stands there.
func (h *HTTP) used() bool { return h.Recipe != "" || h.URL != "" || h.URLFile != "" }

// complete is the configuration with recipe and defaults in it.
func (h HTTP) complete() HTTP {
	r := recipes[h.Recipe]
	set := func(s *string, standard string) {
		if *s == "" {
			*s = standard
		}
	}
	set(&h.Body, r.body)
	set(&h.Method, r.method)
	set(&h.Fields.Found, r.fields.Found)
	set(&h.Fields.Name, r.fields.Name)
	set(&h.Fields.Responsible, r.fields.Responsible)
	set(&h.Fields.Access, r.fields.Access)
	if h.Body != "" {
		set(&h.Method, http.MethodPost)
	}
	set(&h.Method, http.MethodGet)
	if h.URL != "" {
		h.URL = h.completeURL(h.URL)
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&h.Timeout, 3 * time.Second}, {&h.TTL, 10 * time.Minute}, {&h.MissTTL, 2 * time.Minute}, {&h.Breaker.Pause, 30 * time.Second}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	for _, n := range []struct {
		value    *int
		standard int
	}{{&h.MaxBytes, 256 << 10}, {&h.Concurrency, 4}, {&h.Queue, 256}, {&h.Breaker.Failures, 5}} {
		if *n.value == 0 {
			*n.value = n.standard
		}
	}
	return h
}

// completeURL is an address with what the recipe puts at its end, unless the number stands in it.
func (h *HTTP) completeURL(address string) string {
	end := recipes[h.Recipe].path
	if placeholder.MatchString(address) || end == "" {
		return address
	}
	if !strings.HasPrefix(end, "?") {
		if strings.HasSuffix(address, end) {
			return address
		}
		address = strings.TrimSuffix(address, "/") + "/"
	}
	return address + end
}

// faults says what is wrong, by the keys as they stand in the file. It reads no file.
func (h *HTTP) faults(bad func(key, format string, args ...any)) {
	if _, known := recipes[h.Recipe]; h.Recipe != "" && !known {
		bad("recipe", "the recipes are 1c and bitrix24; leave the key out for another system")
		return
	}
	c := h.complete()
	inBody, err := false, error(nil)
	if c.Body != "" {
		if inBody, err = checkBody(template(c.Body)); err != nil {
			bad("body", "%v", err)
		}
	}
	switch {
	case h.URL == "" && h.URLFile == "":
		bad("url", "an address is required, here or in url_file")
	case h.URL != "" && h.URLFile != "":
		bad("url_file", "the address stands in url or in url_file, not in both")
	case h.URL != "":
		if inURL, err := checkAddress(template(c.URL), h.AllowHTTP); err != nil {
			bad("url", "%v", err)
		} else if !inURL && !inBody {
			bad("url", "%v, in url or in body", errPlaceholder)
		}
	}
	switch {
	case c.Method != http.MethodGet && c.Method != http.MethodPost:
		bad("method", "GET or POST")
	case c.Method == http.MethodGet && c.Body != "":
		bad("body", "a GET has no body")
	}
	if h.AbsentStatus != 0 && (h.AbsentStatus < 400 || h.AbsentStatus > 499) {
		bad("absent_status", "a status from 400 to 499 belongs here, such as 404")
	}
	h.faultsOfFields(&c, bad)
	h.faultsOfBounds(&c, bad)
}

func (h *HTTP) faultsOfFields(c *HTTP, bad func(key, format string, args ...any)) {
	if c.Fields.Found == "" {
		bad("fields", "fields.found is required: where the answer says whether there is such a client")
	}
	if c.Fields.Name == "" && c.Fields.Responsible == "" {
		bad("fields", "fields.name or fields.responsible is required, or nothing is learnt")
	}
	for _, f := range []struct{ key, path string }{
		{"found", c.Fields.Found}, {"name", c.Fields.Name}, {"responsible", c.Fields.Responsible}, {"access", c.Fields.Access},
	} {
		if f.path == "" {
			continue
		}
		if err := checkPath(f.path); err != nil {
			bad("fields."+f.key, "%v", err)
		}
	}
	faultsOfEmployees(h.Employees, bad)
}

// faultsOfEmployees is for every source that has them.
func faultsOfEmployees(e Employees, bad func(key, format string, args ...any)) {
	if _, err := e.compile(); err != nil {
		bad("employees.pattern", "%v", err)
	}
	for _, foreign := range slices.Sorted(maps.Keys(e.IDs)) {
		if id := e.IDs[foreign]; id == "" || !printable(id) {
			bad("employees.ids", "an employee's id belongs beside each")
			break
		}
	}
}

func (h *HTTP) faultsOfBounds(c *HTTP, bad func(key, format string, args ...any)) {
	for _, d := range []struct {
		key              string
		value, low, high time.Duration
	}{
		{"timeout", c.Timeout, 100 * time.Millisecond, time.Minute}, {"ttl", c.TTL, time.Second, 7 * 24 * time.Hour},
		{"miss_ttl", c.MissTTL, time.Second, 7 * 24 * time.Hour}, {"breaker.pause", c.Breaker.Pause, 100 * time.Millisecond, time.Hour},
	} {
		if d.value < d.low || d.value > d.high {
			bad(d.key, "between %v and %v", d.low, d.high)
		}
	}
	for _, n := range []struct {
		key              string
		value, low, high int
	}{
		{"max_bytes", c.MaxBytes, 1024, 16 << 20}, {"concurrency", c.Concurrency, 1, 100}, {"queue", c.Queue, 1, 100_000},
		{"breaker.failures", c.Breaker.Failures, 1, 1000}, {"redirects", c.Redirects, 0, 10},
	} {
		if n.value < n.low || n.value > n.high {
			bad(n.key, "between %d and %d", n.low, n.high)
		}
	}
}

// endpoint reads the files and makes the endpoint. The configuration is one that has no faults.
func (h *HTTP) endpoint(transport http.RoundTripper) (*endpoint, error) {
	c := h.complete()
	if h.URLFile != "" {
		address, err := readSecret(h.URLFile)
		if err != nil {
			return nil, fmt.Errorf("url_file: %w", err)
		}
		c.URL = c.completeURL(address)
		used, err := checkAddress(template(c.URL), c.AllowHTTP)
		if err == nil && !used && !placeholder.MatchString(c.Body) {
			err = fmt.Errorf("%w, in url or in body", errPlaceholder)
		}
		if err != nil {
			return nil, fmt.Errorf("url_file: %s: %w", h.URLFile, err)
		}
	}
	headers, err := readHeaders(c.HeadersFile)
	if err != nil {
		return nil, fmt.Errorf("headers_file: %w", err)
	}
	headers.Set("Accept", "application/json")
	headers.Set("User-Agent", "earshot")
	if c.Body != "" {
		headers.Set("Content-Type", "application/json")
	}
	if transport == nil {
		roots, err := readRoots(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		transport = newTransport(roots, c.Concurrency)
	}
	people, err := c.Employees.compile()
	if err != nil {
		return nil, fmt.Errorf("employees: %w", err)
	}
	return &endpoint{
		client: newClient(transport, c.Redirects), method: c.Method, address: template(c.URL), body: template(c.Body), headers: headers,
		timeout: c.Timeout, limit: int64(c.MaxBytes), absent: c.AbsentStatus, fields: c.Fields, people: people,
	}, nil
}

// meaning is all of the configuration on which it depends what an answer means.
func (h *HTTP) meaning() []byte {
	c := h.complete()
	text, err := json.Marshal([]any{c.URL, c.URLFile, c.Method, c.Body, c.Fields, c.Employees, c.AbsentStatus})
	if err != nil {
		panic(err) // texts and numbers
	}
	return text
}
