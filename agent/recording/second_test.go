package recording

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var annas = Question{Employee: "anna", Action: "play", Place: Place{"main", "2026/a b&c.wav"}}

// storage is a real server that answers as it is told to.
type storage struct {
	*httptest.Server
	asked  atomic.Int64
	status atomic.Int64
	body   atomic.Value
	hang   atomic.Bool
	last   atomic.Pointer[http.Request]
	sent   atomic.Value
}

func newStorage(t *testing.T) *storage {
	s := &storage{}
	s.body.Store("")
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.last.Store(r)
		var sent any
		_ = json.NewDecoder(r.Body).Decode(&sent)
		text, _ := json.Marshal(sent)
		s.sent.Store(string(text))
		if s.hang.Load() {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(int(s.status.Load()))
		_, _ = w.Write([]byte(s.body.Load().(string)))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *storage) authority(t *testing.T, c SecondConfig) Authority {
	t.Helper()
	a, err := NewSecond(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.(*remembered).of.(*remote).client.CloseIdleConnections() })
	return a
}

func TestTheSecondAuthorityIsAskedOverHTTP(t *testing.T) {
	s := newStorage(t)
	headers := filepath.Join(t.TempDir(), "headers")
	write(t, headers, "Authorization: Bearer s3cret\nX-Other: 1\n")
	for _, tc := range []struct {
		kind, body  string
		status      int64
		yes, silent bool
	}{
		{"http", "", 200, true, false}, {"http", "", 204, true, false}, {"http", "", 403, false, false},
		{"http", "", 401, false, true}, {"http", "", 404, false, true}, {"http", "", 500, false, true}, {"http", "", 302, false, true},
		{"authzen", `{"decision":true}`, 200, true, false}, {"authzen", `{"decision":false}`, 200, false, false}, {"authzen", `{"decision":true,"context":{"id":"1"}}`, 200, true, false},
		{"authzen", `{}`, 200, false, true}, {"authzen", `{"decision":"true"}`, 200, false, true}, {"authzen", ``, 200, false, true}, {"authzen", `{"decision":true}`, 201, false, true},
		{"authzen", `{"decision":true}`, 403, false, true}, {"authzen", `{"decision":true}`, 500, false, true},
	} {
		c := SecondConfig{Kind: tc.kind, URL: s.URL + "/access/v1/evaluation", HeadersFile: headers}
		if tc.kind == "http" {
			c.URL = s.URL + "/may/{employee}/{action}?file={spool}/{file}"
		}
		a := s.authority(t, c)
		s.status.Store(tc.status)
		s.body.Store(tc.body)
		yes, err := a.Allow(t.Context(), annas)
		if yes != tc.yes || (err != nil) != tc.silent || err != nil && !errors.Is(err, ErrSilent) {
			t.Errorf("%s %d %s: %v, %v", tc.kind, tc.status, tc.body, yes, err)
		}
		if err != nil && (strings.Contains(err.Error(), "wav") || strings.Contains(err.Error(), "anna")) {
			t.Errorf("the error tells %v", err)
		}
		r := s.last.Load()
		if r.Header.Get("Authorization") != "Bearer s3cret" || r.Header.Get("X-Other") != "1" {
			t.Errorf("the headers %v", r.Header)
		}
		if tc.kind == "http" && (r.Method != "GET" || r.RequestURI != "/may/anna/play?file=main/2026%2Fa%20b%26c.wav") {
			t.Errorf("asked %s %s", r.Method, r.RequestURI)
		}
		if want := `{"action":{"name":"play"},"resource":{"id":"main/2026/a b\u0026c.wav","type":"recording"},"subject":{"id":"anna","type":"user"}}`; tc.kind == "authzen" && (r.Method != "POST" || s.sent.Load() != want) {
			t.Errorf("sent %s", s.sent.Load())
		}
	}
}

func TestAnAnswerIsRememberedForItsTimeAndSilenceIsNot(t *testing.T) {
	s := newStorage(t)
	a := s.authority(t, SecondConfig{Kind: "http", URL: s.URL + "/{file}", TTL: time.Hour, Timeout: 50 * time.Millisecond, Breaker: Breaker{Failures: 3, Pause: time.Hour}})
	s.status.Store(200)
	for range 3 {
		if yes, err := a.Allow(t.Context(), annas); !yes || err != nil {
			t.Fatal(yes, err)
		}
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	// Another person's is another answer; so is another action's.
	s.status.Store(403)
	for _, q := range []Question{{"boris", "play", annas.Place}, {"anna", "download", annas.Place}} {
		if yes, err := a.Allow(t.Context(), q); yes || err != nil {
			t.Errorf("%+v: %v %v", q, yes, err)
		}
	}
	a.(*remembered).answers[annas] = reply{true, time.Now().Add(-time.Second)}
	s.hang.Store(true)
	for range 5 {
		if yes, err := a.Allow(t.Context(), annas); yes || !errors.Is(err, ErrSilent) {
			t.Errorf("silence: %v %v", yes, err)
		}
	}
	if n := s.asked.Load(); n != 6 { // three before, and three until it is left alone
		t.Errorf("asked %d times", n)
	}
}

func TestTheAnswersAreBounded(t *testing.T) {
	m := newRemembered(nil, SecondConfig{})
	for i := range maxAnswers {
		m.answers[Question{Employee: string(rune(i))}] = reply{true, time.Now().Add(time.Hour)}
	}
	m.makeRoom(time.Now())
	if n := len(m.answers); n != maxAnswers-1 {
		t.Errorf("%d answers", n)
	}
}

func TestTheFileSystemsRights(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "sales/a.wav"), "sound")
	me, group := uint32(os.Getuid()), uint32(os.Getgid())
	s := open(t, SpoolConfig{Name: "main", Path: dir})
	r := newRights([]UnixUser{{"anna", "owner"}, {"boris", "member"}, {"carl", "other"}, {"dora", "root"}, {"egor", "unknown"}}, s)
	r.ids = func(name string) (uint32, []uint32, error) {
		switch name {
		case "owner":
			if me == 0 {
				return 1 << 20, nil, nil // the superuser's own file proves nothing of owners
			}
			return me, nil, nil
		case "member":
			return 1<<20 + 1, []uint32{7, group}, nil
		case "other":
			return 1<<20 + 2, []uint32{7}, nil
		case "root":
			return 0, nil, nil
		}
		return 0, nil, errors.New("there is no such user")
	}
	if me == 0 {
		if err := errors.Join(os.Chown(filepath.Join(dir, "sales/a.wav"), 1<<20, int(group)), os.Chown(filepath.Join(dir, "sales"), 1<<20, int(group))); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		root, folder, file os.FileMode
		play, delete       string // who may
	}{
		{0o755, 0o755, 0o644, "anna boris carl dora", "anna dora"},
		{0o755, 0o750, 0o640, "anna boris dora", "anna dora"},
		{0o755, 0o700, 0o644, "anna dora", "anna dora"},
		{0o755, 0o775, 0o600, "anna dora", "anna boris dora"},
		{0o755, 0o775, 0o604, "anna carl dora", "anna boris dora"}, // the group's bits are the member's, though others' give more
	} {
		if err := errors.Join(os.Chmod(dir, tc.root), os.Chmod(filepath.Join(dir, "sales"), tc.folder), os.Chmod(filepath.Join(dir, "sales/a.wav"), tc.file)); err != nil {
			t.Fatal(err)
		}
		for _, who := range []string{"anna", "boris", "carl", "dora", "egor", "fred"} {
			for action, may := range map[string]string{"play": tc.play, "delete": tc.delete} {
				yes, err := r.Allow(t.Context(), Question{who, action, Place{"main", "sales/a.wav"}})
				if yes != strings.Contains(may, who) || (err != nil) != (who == "egor") {
					t.Errorf("%o %o: %s %s: %v %v", tc.folder, tc.file, who, action, yes, err)
				}
			}
		}
	}
	// Under a sticky folder that all may write into, only who owns the file or the folder may delete.
	if err := os.Chmod(filepath.Join(dir, "sales"), 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"anna", "boris", "carl", "dora"} {
		if yes, err := r.Allow(t.Context(), Question{who, "delete", Place{"main", "sales/a.wav"}}); yes != (who == "anna" || who == "dora") || err != nil {
			t.Errorf("a sticky folder: %s: %v %v", who, yes, err)
		}
	}
	if yes, err := r.Allow(t.Context(), Question{"anna", "delete", Place{"main", "sales/none.wav"}}); yes || !errors.Is(err, ErrNoFile) {
		t.Errorf("to delete what is not there from it: %v %v", yes, err)
	}
	if yes, err := r.Allow(t.Context(), Question{"dora", "play", Place{"main", "sales/none.wav"}}); yes || !errors.Is(err, ErrNoFile) {
		t.Errorf("what is not there: %v %v", yes, err)
	}
}

func TestAMistakeInTheSecondAuthorityIsFound(t *testing.T) {
	for _, c := range []SecondConfig{
		{Kind: "ldap"}, {URL: "https://a.example"}, {Kind: "file"}, {Kind: "http"}, {Kind: "http", URL: "ftp://a.example"}, {Kind: "http", URL: "http://a.example/"},
		{Kind: "http", URL: "https://a.example/{name}"}, {Kind: "authzen", URL: "https://a.example/{file}"}, {Kind: "http", URL: "https://{spool}.example/"},
		{Kind: "http", URL: "https://u:p@a.example/"}, {Kind: "http", URL: "https://a.example/", Users: []UnixUser{{"a", "b"}}}, {Kind: "http", URL: "https://a.example/", TTL: -1},
	} {
		if len(c.Faults()) == 0 {
			t.Errorf("%+v is taken", c)
		}
	}
	for _, c := range []SecondConfig{{}, {Kind: "file", Users: []UnixUser{{"a", "b"}}}, {Kind: "http", URL: "https://a.example/{file}"}, {Kind: "authzen", URL: "http://127.0.0.1:1/"}, {Kind: "http", URL: "http://a.example/", AllowHTTP: true}} {
		if f := c.Faults(); len(f) > 0 {
			t.Errorf("%+v: %v", c, f)
		}
	}
}
