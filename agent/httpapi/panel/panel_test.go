package panel

import (
	"encoding/json"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
)

// most is how much the whole page may weigh, in bytes as they are sent.
const most = 110_000

func source(t *testing.T, pattern string) map[string]string {
	t.Helper()
	names, err := fs.Glob(static, pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s finds %v, %v", pattern, names, err)
	}
	all := map[string]string{}
	for _, name := range names {
		data, err := static.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[path.Base(name)] = string(data)
	}
	return all
}

func TestThePageIsSmall(t *testing.T) {
	sum := 0
	for address, f := range files {
		sum += len(f.body)
		if f.kind == "" || len(f.body) == 0 {
			t.Errorf("%s is of type %q and has %d bytes", address, f.kind, len(f.body))
		}
	}
	t.Logf("%d files, %d bytes", len(files), sum)
	if sum > most || len(files) < 10 {
		t.Errorf("%d files have %d bytes, of %d", len(files), sum, most)
	}
}

// forbidden is what could turn text into markup or script, bring in what lies elsewhere, or needs a policy that is weaker.
var forbidden = map[string]*regexp.Regexp{
	"markup from text":    regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc|setHTML`),
	"script from text":    regexp.MustCompile(`\beval\b|new Function|setTimeout\(\s*['"` + "`" + `]|javascript:`),
	"inline handlers":     regexp.MustCompile(`(?i)<[a-z][^>]*\son[a-z]+\s*=`),
	"inline style":        regexp.MustCompile(`(?i)<style|<[a-z][^>]*\sstyle\s*=|\.style\b|cssText|setAttribute\('style'`),
	"inline script":       regexp.MustCompile(`(?i)<script(?:[^>]*)>\s*[^<\s]|<script(?:(?:[^>])*)type="(?:importmap|speculationrules)"`),
	"another host":        regexp.MustCompile(`(?:src|href|action)=["'](?:https?:)?//|@import|url\(["']?(?:https?:)?//|fetch\(['"]http|from ['"](?:https?:)?//`),
	"the token elsewhere": regexp.MustCompile(`localStorage\.setItem\([^)]*token|document\.cookie|[?&]token=|location\.(?:hash|search)`),
}

func faults(text string) (found []string) {
	for what, pattern := range forbidden {
		if at := pattern.FindString(text); at != "" {
			found = append(found, what+": "+at)
		}
	}
	return found
}

func TestNothingInThePageTurnsTextIntoMarkupOrScript(t *testing.T) {
	for _, pattern := range []string{"static/*.html", "static/*.js", "static/*.css"} {
		for name, text := range source(t, pattern) {
			for _, fault := range faults(text) {
				t.Errorf("%s has %s", name, fault)
			}
		}
	}
	// What would be a fault is found.
	for _, text := range []string{
		`el.innerHTML = name`, `eval(x)`, `<p onclick="x()">`, `<p style="color: red">`, `<script>alert(1)</script>`, `<script src="//cdn.example/x.js">`, `@import "x.css"`,
		`setTimeout('x()', 1)`, `fetch('https://example.com')`, `localStorage.setItem('token', token)`, `import x from 'https://example.com/x.js'`, `el.style.color = 'red'`,
	} {
		if len(faults(text)) == 0 {
			t.Errorf("%s is no fault", text)
		}
	}
}

func languages(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	for name, text := range source(t, "static/lang/*.json") {
		var words map[string]string
		if err := json.Unmarshal([]byte(text), &words); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[strings.TrimSuffix(name, ".json")] = words
	}
	return all
}

var hole = regexp.MustCompile(`\{\w+\}`)

// TestEveryLanguageHasTheSameTexts compares each with English: the same keys, and the same values within.
func TestEveryLanguageHasTheSameTexts(t *testing.T) {
	all := languages(t)
	english := all["en"]
	if len(all) < 2 || len(english) < 100 {
		t.Fatalf("%d languages with %d texts", len(all), len(english))
	}
	for id, words := range all {
		for key, text := range english {
			other, ok := words[key]
			if !ok || other == "" && text != "" {
				t.Errorf("%s has no %s", id, key)
			}
			holes := func(s string) string {
				list := hole.FindAllString(s, -1)
				slices.Sort(list)
				return strings.Join(list, " ")
			}
			if holes(other) != holes(text) {
				t.Errorf("%s has in %s the values %q, and English %q", id, key, holes(other), holes(text))
			}
		}
		for key := range words {
			if _, ok := english[key]; !ok && (id == "en" || !strings.HasPrefix(key, refusal)) {
				t.Errorf("%s has %s, and English has not", id, key)
			}
		}
	}
	var listed map[string]string
	if err := json.Unmarshal(files[Prefix+"languages.json"].body, &listed); err != nil || len(listed) != len(all) || listed["ru"] != "Русский" {
		t.Errorf("%v %v", listed, err)
	}
}

var (
	wholeKey = regexp.MustCompile(`\bt\('([a-z][\w.-]*)'|data-t(?:-[a-z]+)?="([^"]+)"|'(flag\.\w+|signin\.\w+)'`)
	partKey  = regexp.MustCompile("\\bt\\(`([a-z]+\\.)\\$\\{")
	ofTwo    = regexp.MustCompile(`\bt\([^'"` + "`" + `]*\? '([\w.]+)' : '([\w.]+)'`)
)

// TestEveryTextThatIsUsedIsThereAndNoOther goes by what the page's own code names.
func TestEveryTextThatIsUsedIsThereAndNoOther(t *testing.T) {
	english, used, parts := languages(t)["en"], map[string]bool{"language.name": true}, map[string]bool{}
	sources := source(t, "static/*.js")
	maps.Copy(sources, source(t, "static/*.html"))
	for name, text := range sources {
		for _, pattern := range []*regexp.Regexp{wholeKey, ofTwo} {
			for _, m := range pattern.FindAllStringSubmatch(text, -1) {
				for _, key := range m[1:] {
					if key == "" {
						continue
					}
					if used[key] = true; english[key] == "" {
						t.Errorf("%s uses %s, which is not there", name, key)
					}
				}
			}
		}
		for _, m := range partKey.FindAllStringSubmatch(text, -1) {
			parts[m[1]] = true
		}
	}
	// What mine.js chooses of two.
	for _, part := range []string{"run.", "intercept.", "waiting.", "told."} {
		parts[part] = true
	}
	for key := range english {
		if head, _, _ := strings.Cut(key, "."); !used[key] && !parts[head+"."] {
			t.Errorf("nothing uses %s", key)
		}
	}
	if len(used) < 50 || len(parts) < 8 {
		t.Errorf("%d and %d were found", len(used), len(parts))
	}
}

// TestEveryActionOfThePolicyHasAName looks in each language for what the matrix calls them.
func TestEveryActionOfThePolicyHasAName(t *testing.T) {
	for id, words := range languages(t) {
		for _, action := range policy.Actions() {
			if words["action."+action.String()] == "" {
				t.Errorf("%s has no name for %s", id, action)
			}
		}
	}
}
