package httpapi_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/httpapi"
)

func TestThePageIsServedWithWhatKeepsItSafe(t *testing.T) {
	w := newWorld(t, func(c *httpapi.Config) { c.Panel = true })
	page := w.ask("", http.MethodGet, "/", "")
	if page.status != 200 || page.header.Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(string(page.body), "<title>Earshot</title>") {
		t.Fatalf("%d %v", page.status, page.header)
	}
	seen := 0
	for _, m := range regexp.MustCompile(`(?:src|href)="(panel/[^"]+)"`).FindAllStringSubmatch(string(page.body), -1) {
		seen++
		if a := w.ask("", http.MethodGet, "/"+m[1], ""); a.status != 200 {
			t.Errorf("%s: %d", m[1], a.status)
		}
	}
	if seen < 4 {
		t.Errorf("the page names %d files", seen)
	}
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/panel/main.js": "text/javascript; charset=utf-8", "/panel/panel.css": "text/css; charset=utf-8",
		"/panel/lang/ru.json": "application/json", "/panel/languages.json": "application/json", "/panel/icon.svg": "image/svg+xml",
	} {
		a := w.ask("", http.MethodGet, path, "")
		csp := a.header.Get("Content-Security-Policy")
		for _, want := range []string{
			"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "media-src 'self' blob:", "img-src 'self'",
			"frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'",
		} {
			if !strings.Contains(csp+";", want+";") {
				t.Errorf("%s: the policy %q has no %s", path, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") || strings.Contains(csp, "data:") {
			t.Errorf("%s: %s", path, csp)
		}
		for name, want := range map[string]string{
			"Content-Type": kind, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache", "X-Frame-Options": "DENY",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		tag := a.header.Get("Etag")
		for given, status := range map[string]int{tag: 304, `"x", W/` + tag: 304, "*": 304, `"x"`: 200} {
			if again := w.ask("", http.MethodGet, path, "", "If-None-Match", given); again.status != status || status == 304 && (len(again.body) > 0 || again.header.Get("Etag") != tag) {
				t.Errorf("%s with %s: %d, %d bytes", path, given, again.status, len(again.body))
			}
		}
		if head := w.ask("", http.MethodHead, path, ""); head.status != 200 || len(head.body) != 0 || head.header.Get("Etag") != tag {
			t.Errorf("HEAD %s: %d", path, head.status)
		}
	}
	for path, status := range map[string]int{
		"/panel/": 404, "/panel/index.html": 404, "/index.html": 404, "/panel/main.js/": 404, "/panel/lang/": 404, "/panel/../v1/me": 404, "/panel/%2e%2e/panel.go": 404, "/panel/main.js?token=x": 400, "/?token=x": 400,
	} {
		if a := w.ask("", http.MethodGet, path, ""); a.status != status || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
	if a := w.ask("", http.MethodPost, "/", ""); a.status != 405 {
		t.Errorf("POST: %d", a.status)
	}
}

func TestWithoutThePanelThereIsNoPage(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/panel/main.js", "/panel/languages.json"} {
		if a := w.ask("", http.MethodGet, path, ""); a.status != 404 || a.problem(t).Code != "no_such_path" {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := w.ask("carl", http.MethodGet, "/v1/me", ""); a.status != 200 {
		t.Errorf("the API: %d", a.status)
	}
}
