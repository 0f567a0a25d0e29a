// Package panel is the page that Earshot serves to people: files that are sent as they lie here, without a build step.
//
// Its invariant: the page is a client of the public API like any other, and has no other way in. Nothing here knows who looks at it; all
// get the same bytes, and what they then see is what the API answers to their token.
package panel

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// static is the page: index.html, what it loads, and lang with a file for each language.
//
//go:embed static
var static embed.FS

// Prefix is below which everything is but the page itself, which is at /.
const Prefix = "/panel/"

// csp lets the page load what lies here and speak to the server that it came from, and nothing else: no inline script or style, no other host, no
// frame, no form that is sent. Text cannot become markup or script, whatever a caller has put into his name (trusted types).
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self' blob:; img-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".json": "application/json", ".svg": "image/svg+xml",
}

// file is one that is served.
type file struct {
	body []byte
	tag  string
	kind string
}

// files are all, by their address.
var files = read()

func read() map[string]file {
	all, languages := map[string]file{}, map[string]string{}
	add := func(address string, body []byte) {
		sum := sha256.Sum256(body)
		all[address] = file{body, `"` + hex.EncodeToString(sum[:8]) + `"`, mediaTypes[path.Ext(address)]}
	}
	err := fs.WalkDir(static, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		address := Prefix + strings.TrimPrefix(name, "static/")
		if address == Prefix+"index.html" {
			add("/index.html", body)
			return nil
		}
		add(address, body)
		if path.Base(path.Dir(name)) == "lang" {
			var words map[string]string
			if err := json.Unmarshal(body, &words); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			languages[strings.TrimSuffix(path.Base(name), ".json")] = words["language.name"]
		}
		return nil
	})
	if err != nil {
		panic(err) // cannot be: the files are part of the program, and the tests read them
	}
	list, err := json.Marshal(languages)
	if err != nil {
		panic(err) // cannot be: it is text
	}
	add(Prefix+"languages.json", list)
	return all
}

// Serve answers a request for the page or one of its files, and reports false where there is no such file; then it has written nothing.
// A browser keeps what it has, and asks each time whether it is still so: a new Earshot has its new page at once.
func Serve(w http.ResponseWriter, r *http.Request) bool {
	address := r.URL.Path
	if address == "/" {
		address = "/index.html"
	} else if !strings.HasPrefix(address, Prefix) {
		return false
	}
	f, ok := files[address]
	if !ok {
		return false
	}
	h := w.Header()
	h.Set("Content-Security-Policy", csp)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-cache")
	h.Set("Etag", f.tag)
	for tag := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); tag == f.tag || tag == "*" {
			w.WriteHeader(http.StatusNotModified)
			return true
		}
	}
	h.Set("Content-Type", f.kind)
	h.Set("Content-Length", strconv.Itoa(len(f.body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(f.body) // who has gone away needs no answer
	} else {
		w.WriteHeader(http.StatusOK)
	}
	return true
}
