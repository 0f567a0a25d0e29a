package recording

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Whatever a recording is called, what is opened under that name lies in the spool's folder: nothing beside it, above it or behind a link is.
func FuzzName(f *testing.F) {
	outside := f.TempDir()
	inside := filepath.Join(outside, "spool")
	must := func(err error) {
		if err != nil {
			f.Helper()
			f.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(inside, "2026", "10"), 0o700))
	must(os.WriteFile(filepath.Join(inside, "a.wav"), []byte("inside"), 0o600))
	must(os.WriteFile(filepath.Join(inside, "2026", "10", "b.wav"), []byte("inside"), 0o600))
	must(os.WriteFile(filepath.Join(inside, "c.txt"), []byte("inside"), 0o600))
	must(os.WriteFile(filepath.Join(outside, "out.wav"), []byte("outside"), 0o600))
	must(os.Symlink(filepath.Join(outside, "out.wav"), filepath.Join(inside, "link.wav")))
	must(os.Symlink("..", filepath.Join(inside, "up")))
	must(os.Symlink("2026", filepath.Join(inside, "year")))
	for _, name := range []string{"a.wav", "2026/10/b.wav", "c.txt", "link.wav", "up/out.wav", "year/10/b.wav", "../out.wav", "./a.wav", "2026//10/b.wav", "/a.wav", "a.wav/", "2026\\10", "a.wav\x00", "..", "", "A.WAV", "\xff.wav"} {
		f.Add(name)
	}
	s, err := OpenSpools([]SpoolConfig{{Name: "one", Path: inside}})
	must(err)
	f.Cleanup(func() { _ = s.Close() })
	f.Fuzz(func(t *testing.T, name string) {
		file, err := s.Open("one", name)
		if err != nil {
			if file != nil {
				t.Fatal("a file beside an error")
			}
			if strings.Trim(name, "./") != "" && len(name) > 3 && strings.Contains(err.Error(), name) {
				t.Fatalf("the error has the name %q: %v", name, err)
			}
			return
		}
		defer func() { _ = file.Close() }()
		if !fs.ValidPath(name) || MediaType(name) == "" {
			t.Fatalf("%q is opened", name)
		}
		text, err := io.ReadAll(file)
		if err != nil || string(text) != "inside" || !file.Info.Mode().IsRegular() {
			t.Fatalf("%q holds %q: %v", name, text, err)
		}
	})
}

var exactID = regexp.MustCompile(`\A([A-Za-z0-9_]{1,64}-)?[0-9]{9,11}\.[0-9]{1,10}\z`)

// What is found of a call in a file's name stands in it, has the form of a unique id, and is the last one there. What a pattern is made of is no expression.
func FuzzPattern(f *testing.F) {
	for _, p := range []string{"", "{uniqueid}", "*-{uniqueid}*", "rec-{uniqueid}.wav", "[a-z]+{uniqueid}(", "{uniqueid}{uniqueid}", "*", "."} {
		f.Add(p, "rec-1700000000.1.wav")
		f.Add(p, "out-+79161234567-pbx-1700000000.12-1600000000.3.wav")
	}
	f.Fuzz(func(t *testing.T, text, base string) {
		p, err := parsePattern(text)
		if (CheckPattern(text) == nil) != (err == nil) || (err == nil) != (p != nil) {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil {
			return
		}
		if len(base) > 1000 || strings.Count(text, "*") > 20 {
			return
		}
		ids := p.ids(base)
		if len(ids) > 2 {
			t.Fatalf("%q are %d ids", ids, len(ids))
		}
		for _, id := range ids {
			if !exactID.MatchString(id) || !strings.Contains(base, id) {
				t.Fatalf("%q is found in %q", id, base)
			}
		}
		if len(ids) == 0 {
			return
		}
		bare := ids[len(ids)-1]
		if text == "" {
			if rest := base[strings.LastIndex(base, bare)+len(bare):]; anywhere.MatchString(rest) {
				t.Fatalf("%q is found in %q, and another one follows", bare, base)
			}
			return
		}
		head, tail, _ := strings.Cut(text, uniqueIDPlace)
		if !strings.Contains(text, "*") && base != head+bare+tail {
			t.Fatalf("%q fits %q", base, text)
		}
	})
}

// answering is what an authority on the other side of the network says.
type answering struct {
	status int
	body   string
}

// RoundTrip implements [http.RoundTripper].
func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// Whatever a second authority answers, it is a yes only where it says decision: true under exactly that name, once, with status 200; and by its status alone
// where that is what was agreed on. The question says who, what and which file, and nothing of these can become a part of the address.
func FuzzAuthority(f *testing.F) {
	for _, body := range []string{`{"decision":true}`, `{"decision":false}`, `{"decision":"true"}`, `{"decision":null}`, `{"Decision":true}`, `{"decision":false,"DECISION":true}`, `{"decision":false,"decision":true}`, `{"decision":true}x`, `[]`, ``, `{"context":{"decision":true}}`} {
		f.Add(200, body, "anna", "a/b.wav")
		f.Add(403, body, "an na&x=1", "?#%2f.wav")
		f.Add(204, body, "../x", "{action}.wav")
	}
	f.Fuzz(func(t *testing.T, status int, body, employee, file string) {
		q := Question{Employee: employee, Action: "play", Place: Place{Spool: "one", File: file}}
		by := answering{status, body}
		yes, err := (&remote{authzen: true, url: "http://127.0.0.1/x", client: &http.Client{Transport: by}}).Allow(context.Background(), q)
		if want := status == http.StatusOK && decides(body); yes != want || yes && err != nil {
			t.Fatalf("status %d %q is taken for %v, %v", status, body, yes, err)
		}
		r := &remote{url: "http://127.0.0.1/x/{employee}/{action}?f={file}&s={spool}", client: &http.Client{Transport: by}}
		yes, err = r.Allow(context.Background(), q)
		if want := status >= 200 && status < 300; yes != want || yes && err != nil {
			t.Fatalf("status %d is taken for %v, %v", status, yes, err)
		}
		req, err := r.request(context.Background(), &q)
		if err != nil {
			return
		}
		if u := req.URL; u.Host != "127.0.0.1" || u.Path != "/x/"+employee+"/play" || u.Fragment != "" || u.Query().Get("f") != file || u.Query().Get("s") != "one" || len(u.Query()) != 2 {
			t.Fatalf("the question about %q and %q has the address %v", employee, file, u)
		}
	})
}

// decides reads an answer plainly: one object, its members by their exact names, none of them twice.
func decides(body string) bool {
	if len(body) > maxAnswer || !json.Valid([]byte(body)) {
		return false
	}
	d := json.NewDecoder(strings.NewReader(body))
	if first, err := d.Token(); err != nil || first != json.Delim('{') {
		return false
	}
	var said []string
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return false
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return false
		}
		if name == "decision" {
			said = append(said, string(value))
		}
	}
	return slices.Equal(said, []string{"true"})
}
