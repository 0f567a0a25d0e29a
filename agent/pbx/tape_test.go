package pbx

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
	"github.com/rs/zerolog"
)

// streams is where the recorded streams are: one file for each scenario, one JSON object on a line.
const streams = "../../testdata/streams"

// jsonText is JSON as it arrived.
type jsonText = json.RawMessage

// An entry is one line of a stream: something that arrived from the PBX, or a mark.
type entry struct {
	At time.Time `json:"at"` // when it arrived
	// Mark says what has just happened, Board what a person would then say of everybody who is on a call:
	// "101 talking in with trunk". At a mark nothing else goes on: Snapshot is the whole state of the PBX.
	Mark  string   `json:"mark,omitempty"`
	Board []string `json:"board,omitempty"`
	// Meanwhile is what a person would have said at some moment since the last mark, too short to stop at.
	Meanwhile []string            `json:"meanwhile,omitempty"`
	Snapshot  map[string]jsonText `json:"snapshot,omitempty"` // ARI's answers by path; null where it said 404
	ARI       jsonText            `json:"ari,omitempty"`      // an event of ARI
	AMI       []string            `json:"ami,omitempty"`      // the lines of an event of AMI that the link witnesses
	Linked    map[string]string   `json:"linked,omitempty"`   // a channel's linked id has changed; ARI does not tell
}

func writeTape(path string, tape []entry) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	for i := range tape {
		if err := enc.Encode(&tape[i]); err != nil {
			return err
		}
	}
	return os.WriteFile(path, buf.Bytes(), 0o644)
}

func readTape(t testing.TB, path string) []entry {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var tape []entry
	dec := json.NewDecoder(bufio.NewReader(f))
	dec.DisallowUnknownFields()
	for {
		var e entry
		err := dec.Decode(&e)
		if err == io.EOF {
			return tape
		}
		if err != nil {
			t.Fatalf("%s, line %d: %v", path, len(tape)+1, err)
		}
		tape = append(tape, e)
	}
}

// tapes are all recorded streams by name.
func tapes(t testing.TB) map[string][]entry {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(streams, "*.jsonl"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no recorded streams: %v", err)
	}
	all := map[string][]entry{}
	for _, p := range paths {
		all[strings.TrimSuffix(filepath.Base(p), ".jsonl")] = readTape(t, p)
	}
	return all
}

// A canned PBX answers the requests of a snapshot from what was recorded.
type canned map[string]jsonText

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	body, ok := c[r.URL.RequestURI()]
	if r.Method != http.MethodGet || !ok {
		return nil, fmt.Errorf("%s %s is not in the recorded snapshot", r.Method, r.URL.RequestURI())
	}
	res := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: r}
	if string(body) == "null" {
		res.StatusCode, body = http.StatusNotFound, []byte(`{"message":"not found"}`)
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return res, nil
}

// read makes of a recorded snapshot what the link makes of ARI's answers.
func (c canned) read(t testing.TB) *call.Snapshot {
	t.Helper()
	l, err := New(Config{ARI: ari.Config{BaseURL: "http://pbx/ari", Username: "earshot", HTTPClient: &http.Client{Transport: c}}, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	l.begun.Store(true)
	s, err := l.snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keeper keeps what ARI answers to the requests of a snapshot.
type keeper struct {
	http.RoundTripper
	mu   sync.Mutex
	kept map[string]jsonText
}

func (k *keeper) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := k.RoundTripper.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet || res.StatusCode == http.StatusSwitchingProtocols {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	if err := res.Body.Close(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if res.StatusCode != http.StatusOK {
		body = []byte("null")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept[r.URL.RequestURI()] = body
	return res, nil
}
