package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/recording"
)

// Ten thousand requests with guessed ids, foreign ids and links, dots, encodings and ranges get nothing. Beside them, all along, one with a right is served.
func TestTenThousandGuessesDiscloseNothing(t *testing.T) {
	s := newShelf(t, nil)
	secret := append([]byte("SECRETSECRET"), tune(4000)...)
	c := s.keep(t, "a-1763790000.12.wav", secret, nil, annas, ivans)
	if err := os.Symlink(s.secret, filepath.Join(s.main, "out.wav")); err != nil {
		t.Fatal(err)
	}
	mine, foreign := s.id("anna", c), s.id("dora", c)
	annasLink := s.link("anna", "/v1/recordings/"+mine)
	r := guesses{rand.New(rand.NewPCG(7, 7))}
	paths := []string{
		"a-1763790000.12.wav", "main/a-1763790000.12.wav", c.Recordings[0].ID, c.ID, "../a-1763790000.12.wav", "..%2fa-1763790000.12.wav", "%2e%2e%2fsecret.wav", "..%5csecret.wav",
		"%252e%252e%252fsecret.wav", "....//secret.wav", "%c0%ae%c0%ae/secret.wav", "out.wav", "%00", mine + "%00", mine + "%2f", mine + "/", mine + "/..", mine + "%20", mine + ".wav", strings.ToUpper(mine),
		"%2fetc%2fpasswd", url.PathEscape(s.secret), "file:" + url.PathEscape(s.secret), "1", "0", "-1", "*", mine[:len(mine)-1], mine + "a", "%e2%80%ae" + mine,
	}
	guess := func() (who, path string) {
		switch r.IntN(9) {
		case 0:
			return "anna", "/v1/recordings/" + r.word(len(mine))
		case 1:
			return "anna", "/v1/recordings/" + r.flip(mine)
		case 2:
			return "anna", "/v1/recordings/" + foreign
		case 3:
			return []string{"boris", "carl", "dora", "egor"}[r.IntN(4)], "/v1/recordings/" + mine
		case 4:
			return "", annasLink[:len(gate.LinkPath)] + r.flip(annasLink[len(gate.LinkPath):])
		case 5:
			return "", "/v1/recordings/" + mine
		case 6:
			return "boris", gate.LinkPath + r.word(len(annasLink)-len(gate.LinkPath))
		case 7:
			return "boris", gate.LinkPath + paths[r.IntN(len(paths))]
		}
		return "anna", "/v1/recordings/" + paths[r.IntN(len(paths))]
	}
	methods := []string{"GET", "GET", "GET", "HEAD", "DELETE", "POST"}
	ranges := []string{"", "bytes=0-9", "bytes=-1", "bytes=0-", "bytes=0-0,2-3,5-", "bytes=18446744073709551616-", "bytes=--1", "bytes=abc"}
	before := len(s.phases("play"))
	statuses := map[int]int{}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	for i := range 10_000 {
		who, path := guess()
		method := methods[r.IntN(len(methods))]
		if i%500 == 0 {
			if a := s.ask("anna", "GET", "/v1/recordings/"+mine, "", "Range", "bytes=0-11"); a.status != 206 || string(a.body) != "SECRETSECRET" {
				t.Fatalf("the control: %d", a.status)
			}
		}
		var body io.Reader
		if method == "POST" {
			path, body = path+"/links", strings.NewReader("{}")
		}
		req, err := http.NewRequestWithContext(t.Context(), method, s.web.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		req.URL.Opaque = "//" + req.URL.Host + path // as it is written, so that no client of Go's tidies it
		if body != nil {
			req.Header.Set("Content-Type", "application/json")
		}
		if who != "" {
			req.Header.Set("Authorization", "Bearer "+s.token[who])
		}
		if x := ranges[r.IntN(len(ranges))]; x != "" {
			req.Header.Set("Range", x)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		statuses[resp.StatusCode]++
		if resp.StatusCode < 400 || resp.Header.Get("Etag") != "" || resp.Header.Get("Content-Range") != "" || bytes.Contains(got, []byte("SECRET")) || bytes.Contains(got, []byte("beside the spools")) {
			t.Fatalf("%s %s as %q: %d %q", method, path, who, resp.StatusCode, got)
		}
		if method == "GET" && resp.StatusCode == 404 && strings.HasPrefix(path, "/v1/recordings/") && !strings.Contains(strings.TrimPrefix(path, "/v1/recordings/"), "/") {
			var p struct{ Code string }
			if json.Unmarshal(got, &p) != nil || p.Code != "no_such_recording" && p.Code != "no_such_path" {
				t.Fatalf("%s: not as every other: %s", path, got)
			}
		}
	}
	t.Logf("statuses: %v", statuses)
	if n := len(s.phases("play")) - before; n != 2 {
		t.Errorf("%d entries were made of it, want those of the control", n)
	}
	if _, err := os.Stat(filepath.Join(s.main, "a-1763790000.12.wav")); err != nil {
		t.Error("the recording is gone")
	}
}

// authority answers what it is told to.
type authority struct {
	mu   sync.Mutex
	yes  bool
	deny string // of which file it says no all the same
	err  error
	was  []recording.Question
}

func (a *authority) Allow(_ context.Context, q recording.Question) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.was = append(a.was, q)
	return a.yes && (a.deny == "" || q.File != a.deny), a.err
}

func TestTheSecondAuthorityHasToSayYesToo(t *testing.T) {
	second := &authority{}
	s := newShelf(t, func(r *gate.Recordings) { r.Second = second })
	c := s.keep(t, "a.wav", tune(100), nil, annas, ivans)
	path := "/v1/recordings/" + s.id("anna", c)
	try := func(yes bool, err error) answer {
		second.mu.Lock()
		second.yes, second.err = yes, err
		second.mu.Unlock()
		return s.ask("anna", "GET", path, "")
	}
	if p := try(false, nil).problem(t); p.Status != 403 || p.Code != "second_authority" {
		t.Errorf("no: %+v", p)
	}
	if p := try(true, os.ErrDeadlineExceeded).problem(t); p.Status != 503 || p.Code != "second_authority_silent" {
		t.Errorf("silence: %+v", p)
	}
	if a := try(true, nil); a.status != 200 {
		t.Errorf("yes: %d", a.status)
	}
	if q := second.was[0]; q != (recording.Question{Employee: "anna", Action: "play", Place: recording.Place{Spool: "main", File: "a.wav"}}) {
		t.Errorf("it was asked %+v", q)
	}
	// Whom the policy refuses it is not asked about.
	n := len(second.was)
	s.gate.SetPolicy(s.policy(strings.Replace(recordingPolicy, "recordings: own", "recordings: none", 1)))
	if a := try(true, nil); a.status != 403 || len(second.was) != n {
		t.Errorf("refused by the policy: %d", a.status)
	}
}

// guesses makes up what looks like an id.
type guesses struct{ *rand.Rand }

const idAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"

func (r guesses) word(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = idAlphabet[r.IntN(len(idAlphabet))]
	}
	return string(b)
}

// flip is an id with one letter of it changed.
func (r guesses) flip(id string) string {
	b := []byte(id)
	for i := r.IntN(len(b)); ; i = r.IntN(len(b)) {
		if x := idAlphabet[r.IntN(len(idAlphabet))]; x != b[i] {
			b[i] = x
			return string(b)
		}
	}
}
