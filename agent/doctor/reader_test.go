package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
)

// texts are files in memory.
type texts map[string]string

func (t texts) read(name string) ([]byte, error) {
	s, ok := t[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(s), nil
}

func (texts) foreign(name string) bool { return path.IsAbs(name) }

func (t texts) find(name string) []string {
	var found []string
	for _, f := range slices.Sorted(maps.Keys(t)) {
		if ok, err := path.Match(name, f); err == nil && ok {
			found = append(found, f)
		}
	}
	return found
}

// written is a configuration as AMI's GetConfig gives it.
func (c *Config) written() string {
	switch {
	case c.Absent:
		return "absent\n"
	case c.Broken != "":
		return "broken\n"
	}
	var b strings.Builder
	for _, s := range c.Sections {
		fmt.Fprintf(&b, "[%s]\n", s.Name)
		for _, v := range s.Settings {
			fmt.Fprintf(&b, "%s=%s\n", v.Key, v.Value)
		}
	}
	return b.String()
}

// confs are texts whose reading is not obvious, with what Asterisk makes of them. The included files are inc.conf, sub/one.conf and
// sub/two.conf, and loop.conf includes itself.
var confs = []struct{ name, text, want string }{
	{"plain", "[a]\nx=1\n y => 2 ; comment\nz=\n", "[a]\nx=1\ny=2\nz=\n"},
	{"no line feed at the end", "[a]\nx=1", "[a]\nx=1\n"},
	{"CRLF and a byte order mark", "\xef\xbb\xbf[a]\r\nx=1\r\n", "[a]\nx=1\n"},
	{"blanks are any byte below 0x21", "[a]\n\tx\t=\x01 1 \x02\n", "[a]\nx=1\n"},
	{"the name of a section keeps its blanks", "[ a ] (!)\nx=1\n", "[ a ]\nx=1\n"},
	{"block comments", "[a]\n;-- b\nx=1\n--; y=1\nz=1;--c--;2\nv=;--c--;6\n", "[a]\ny=1\nz=12\nv=6\n"},
	{"block comments in one another", "[a]\n;-- 1 ;-- 2 --;\nx=1\n--;\ny=1\n", "[a]\ny=1\n"},
	{"more hyphens begin no block", "[a]\nx=1 ;--- c\ny=1\n;----;\nz=1\n", "[a]\nx=1\ny=1\nz=1\n"},
	{"a block that ends as it begins does not end", "[a]\nx=1\n;--;\ny=1\n", "[a]\nx=1\n"},
	{"an end without a beginning hides what follows", "[a]\nx=1\n--; y=2\nz=3\n;-- c\nh=1\n--; v=1\n", "[a]\nx=1\n--; y=2\nh=1\n--; v=1\n"},
	{"escaped semicolons", "[a]\nx=a\\;b\n\\;y=1\n\\k\\=1=2\n", "[a]\nx=a;b\n;y=1\nk\\=1=2\n"},
	{"lines that say nothing", "[a]\nnothing\n=5\n#\n#what\n#include\nx=1\n", "[a]\nx=1\n"},
	{"templates", "[t](!)\nk=1\n[u](!)\nm=1\n[x](t,u)\nn=1\n[y](t,!)\nq=1\n[z](y)\n", "[x]\nk=1\nm=1\nn=1\n[z]\nk=1\nq=1\n"},
	{"a template of a plain section", "[a]\nx=1\n[b](A)\n", "[a]\nx=1\n[b]\nx=1\n"},
	{"after the first parentheses nothing counts", "[t](!)\na=1\n[q](t) (!)\n[w](!)(t)\n[v](t)x\n[s]x\n", "[q]\na=1\n[v]\na=1\n[s]\n"},
	{"an empty template is the first section", "[t](!)\na=1\n[b](,t)\n", "[b]\na=1\na=1\n"},
	{"adding", "[x]\na=1\n[x]\nb=1\n[X](+)\nc=1\n", "[x]\na=1\nc=1\n[x]\nb=1\n"},
	{"adding by a filter", "[x]\na=1\n[x]\nb=22\n[x](+b=^2)\nc=1\n", "[x]\na=1\n[x]\nb=22\nc=1\n"},
	{"adding to a template", "[t](!)\na=1\n[t](+TEMPLATES=include)\nb=1\n[q](T)\n", "[q]\na=1\nb=1\n"},
	{"appending to a value", "[t](!)\nk=v\n[z](t)\nk+=w\nz+=1\n[y](t)\n", "[z]\nk=vw\nz=1\n[y]\nk=v\n"},
	{"no template of that name", "[a](none)\nx=1\n", "broken\n"},
	{"a blank before a template's name", "[t](!)\n[u](!)\n[a](t, u)\nx=1\n", "broken\n"},
	{"nothing to add to", "[t](!)\n[t](+)\nx=1\n", "broken\n"},
	{"no closing bracket", "[a\nx=1\n", "broken\n"},
	{"no closing parenthesis", "[a](\nx=1\n", "broken\n"},
	{"no section", "x=1\n[a]\n", "broken\n"},
	{"including within a section", "[a]\nx=1\n#include inc.conf\ny=2\n#tryinclude \"none.conf\"\nw=1\n", "[a]\nx=1\ni=1\ny=2\nw=1\n[b]\nz=3\n"},
	{"an included file goes on where the last one ended", "[a]\n#include <inc.conf>\nx=1\n#include sub/one.conf ; c\ny=1\n", "[a]\ni=1\nx=1\ny=1\n[b]\nz=3\nsubv=1\n"},
	{"including by a pattern", "[a]\n#include \"./sub/*.conf\"\nx=1\n", "[a]\nsubv=1\nsubw=1\nx=1\n[subc]\nd=1\n"},
	{"including nothing", "[a]\n#include none.conf\nx=1\n", "broken\n"},
	{"including nothing by a pattern", "[a]\n#include none*.conf\nx=1\n", "broken\n"},
	{"trying to include nothing", "[a]\n#tryinclude none*.conf\nx=1\n", "[a]\nx=1\n"},
	{"programs are not run", "[a]\n#exec /bin/echo x=1\ny=1\n", "[a]\ny=1\n"},
	{"an included file that is broken", "[a]\n#include broken.conf\nx=1\n", "[a]\nok=1\nx=1\n"},
	{"including itself", "#include loop.conf\n", strings.Repeat("[l]\nx=1\ny=1\n", 9) + "[l]\nx=1\n"},
	{"long lines", "[a]\nx=" + strings.Repeat("y", 8189) + "\nz=1\nw=" + strings.Repeat("y", 8188) + "\n", "[a]\nz=1\nw=" + strings.Repeat("y", 8188) + "\n"},
}

var included = texts{
	"inc.conf":     "i=1\n[b]\nz=3\n",
	"sub/one.conf": "subv=1\n",
	"sub/two.conf": "subw=1\n[subc]\nd=1",
	"loop.conf":    "[l]\nx=1\n#include loop.conf\ny=1\n",
	"broken.conf":  "ok=1\n[c](none)\nx=1\n",
}

func TestConfigurationIsReadAsAsteriskReadsIt(t *testing.T) {
	p, err := pbxtest.Start(t.Context(), pbxtest.Options{Plan: pbxtest.Plan{Extra: map[string]string{"manager.conf": doctorAccount}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}()
	etc := filepath.Join(p.Dir(), "etc")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(etc, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(etc, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range included {
		write(name, text)
	}
	live, err := Dial(t.Context(), p.AMI(), "doctor", secret)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	files, err := OpenFiles(etc)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range confs {
		name := fmt.Sprintf("case-%d.conf", i)
		write(name, c.text)
		for _, side := range []PBX{live, files} {
			cfg, err := side.Config(t.Context(), name)
			if err != nil {
				t.Fatalf("%s, %s: %v", c.name, side.Source(), err)
			}
			if got := cfg.written(); got != c.want {
				t.Errorf("%s, %s: got\n%.400s\nwant\n%.400s", c.name, side.Source(), got, c.want)
			}
		}
	}
	if cfg, err := live.Config(t.Context(), "none.conf"); err != nil || !cfg.Absent {
		t.Errorf("a file that is not there: %+v, %v", cfg, err)
	}
	t.Run("classes", func(t *testing.T) { lists(t, p, live, write) })
}

// lists holds granted against what Asterisk makes of class lists.
func lists(t *testing.T, p *pbxtest.PBX, live *Live, write func(name, text string)) {
	all := []string{"", "call", "call,originate", "call, originate", "a,call", "all", ",", ",call", "call,", "c,x", "call,,x", "none", "n,x", "cal", "CALL", "originate,c", "r,w"}
	before, err := os.ReadFile(filepath.Join(p.Dir(), "etc", "manager.conf"))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i, list := range all {
		fmt.Fprintf(&b, "[user-%d]\nsecret=x\nwrite=%s\n", i, list)
	}
	write("manager.conf", string(before)+b.String())
	if _, err := p.Command(t.Context(), "manager reload"); err != nil {
		t.Fatal(err)
	}
	for i, list := range all {
		out, err := live.command(t.Context(), fmt.Sprintf("manager show user user-%d", i))
		if err != nil {
			t.Fatal(err)
		}
		want := "nothing"
		for _, l := range out {
			if name, value, _ := strings.Cut(l, ":"); strings.TrimSpace(name) == "write perm" {
				want = strings.TrimPrefix(strings.TrimSpace(value), "<none>")
			}
		}
		got, _ := granted(list)
		if strings.Join(got, ",") != want {
			t.Errorf("write = %s: granted %v, Asterisk says %s", list, got, want)
		}
	}
}

func TestPlacesAreTheLinesOfTheFile(t *testing.T) {
	cfg, err := read(texts{
		"a.conf":   "; one\n[t](!)\n\nk=1\n;-- three\nlines\n--; z=1\n[s](t)\n#include b.conf\nx=1\n[s](+)\nk+=2\n",
		"b.conf":   "\ny=1\n[u]\nv=1\n",
		"none.txt": "",
	}, "a.conf")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range cfg.Sections {
		got = append(got, fmt.Sprintf("%s:%d [%s]", s.Place.File, s.Place.Line, s.Name))
		for _, v := range s.Settings {
			got = append(got, fmt.Sprintf("%s:%d %s", v.Place.File, v.Place.Line, v.Key))
		}
	}
	want := []string{"a.conf:8 [s]", "a.conf:12 k", "a.conf:7 z", "b.conf:2 y", "a.conf:10 x", "b.conf:3 [u]", "b.conf:4 v"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestACopyOfTheFolderIsReadInItsOwnPlace(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"asterisk.conf":   "[directories]\nastetcdir => /opt/pbx/etc\n",
		"extensions.conf": "#include /opt/pbx/etc/more.d/*.conf\n#include \"/opt/pbx/etc/one.conf\"\n",
		"more.d/x.conf":   "[x]\nexten => 1,1,ChanSpy(all,E)\n",
		"one.conf":        "[y]\nexten => 1,1,ChanSpy(all,E)\n",
		"manager.conf":    "",
		"extensions.lua":  "-- a dialplan\n",
		"extensions.ael":  "context x {}\n",
		"modules.conf":    "[modules]\nload = pbx_lua\nnoload = pbx_ael.so\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := OpenFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := placed(examine(t, Own{}, files))
	want := []string{"extensions.lua:0 dialplan-elsewhere", "more.d/x.conf:2 dialplan-spy", "more.d/x.conf:2 spy-prefix", "/opt/pbx/etc/one.conf:2 dialplan-spy", "/opt/pbx/etc/one.conf:2 spy-prefix"}
	same(t, "the copy", got, want)

	if _, err := OpenFiles(t.TempDir()); err == nil {
		t.Error("an empty folder is taken for a configuration")
	}
	if _, err := OpenFiles(filepath.Join(dir, "one.conf")); err == nil {
		t.Error("a file is taken for a folder")
	}
}

// folded is s as strings.EqualFold compares it.
func folded(s string) string { return strings.ToLower(strings.ToUpper(s)) }

// FuzzConfig reads any text as a configuration and as a dialplan.
func FuzzConfig(f *testing.F) {
	for _, c := range confs {
		f.Add(c.text, included["inc.conf"])
	}
	f.Add("[a]\nk=1\nK+=2\n", "")
	for _, folder := range []string{"testdata/faulty", "testdata/clean"} {
		found, err := filepath.Glob(folder + "/*.conf")
		if err != nil || len(found) == 0 {
			f.Fatal("no seeds", err)
		}
		for _, name := range found {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text), "")
		}
	}
	f.Fuzz(func(t *testing.T, text, other string) {
		from := texts{"main.conf": text, "inc.conf": other}
		cfg, err := read(from, "main.conf")
		if err != nil {
			return // too much of it
		}
		lines := map[string][]string{}
		for name, s := range from {
			lines[name] = slices.Collect(strings.Lines(strings.TrimPrefix(s, "\xef\xbb\xbf")))
		}
		// What is told stands in the line that is told.
		holds := func(at Place, word string) {
			if at.Line < 1 || at.Line > len(lines[at.File]) {
				t.Fatalf("%s has no line %d", at.File, at.Line)
			}
			line, word := folded(lines[at.File][at.Line-1]), folded(word) // "K += x" goes on with what "k = y" began
			plain := strings.NewReplacer("\\", "")
			for _, part := range strings.FieldsFunc(word, func(r rune) bool { return r == ';' || r == '\\' }) {
				if !strings.Contains(line, part) && !pieced(line) && !strings.Contains(plain.Replace(line), part) {
					t.Fatalf("line %d is %q and does not hold %q", at.Line, line, part)
				}
			}
		}
		settings := 0
		for _, s := range cfg.Sections {
			holds(s.Place, s.Name)
			for _, v := range s.Settings {
				holds(v.Place, v.Key)
				settings++
				if strings.ContainsAny(v.Key+v.Value, "\n") {
					t.Fatalf("a setting goes over a line: %q=%q", v.Key, v.Value)
				}
			}
		}
		if settings > maxSettings {
			t.Fatalf("%d settings", settings)
		}
		plan := dialplan(cfg)
		if len(plan.Steps) > settings {
			t.Fatalf("%d steps of %d settings", len(plan.Steps), settings)
		}
		for _, s := range plan.Steps {
			if n := len(s.calls()); n > len(s.App)+len(s.Data)+1 {
				t.Fatalf("%d calls in %q", n, s.Data)
			}
		}
		e := &exam{ctx: context.Background(), pbx: memory{cfg, plan}}
		for _, c := range checks {
			if err := c.run(e); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// pieced reports whether a comment stands within the line, so that what Asterisk reads of it does not stand together.
func pieced(line string) bool { return strings.Contains(line, "--;") }

// memory is a PBX all of whose files are the same.
type memory struct {
	cfg  *Config
	plan *Dialplan
}

func (memory) Source() string                                      { return "memory" }
func (m memory) Config(context.Context, string) (*Config, error)   { return m.cfg, nil }
func (m memory) Dialplan(context.Context) (*Dialplan, error)       { return m.plan, nil }
func (memory) Applications(context.Context) ([]Application, error) { return nil, nil }
func (memory) Modules(context.Context) ([]Module, error) {
	var all []Module
	for _, name := range known() {
		all = append(all, Module{Name: name})
	}
	return all, nil
}

func TestAutoloadTakesWhatIsInstalled(t *testing.T) {
	dir, modules := t.TempDir(), t.TempDir()
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(modules, "app_disa.so"), "")
	write(filepath.Join(modules, "app_jack.so"), "")
	write(filepath.Join(dir, "modules.conf"), "[modules]\nautoload = yes\nnoload = app_jack\npreload = func_shell.so\n")
	for where, want := range map[string][]string{
		modules:                    {"app_disa.so 2 false", "func_shell.so 4 false"},
		filepath.Join(dir, "none"): {"app_disa.so 2 true", "func_shell.so 4 false", "chan_rtp.so 2 true"},
	} {
		write(filepath.Join(dir, "asterisk.conf"), "[directories]\nastmoddir => "+where+"\n")
		files, err := OpenFiles(dir)
		if err != nil {
			t.Fatal(err)
		}
		loaded, err := files.Modules(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range loaded {
			got = append(got, fmt.Sprint(m.Name, " ", m.Place.Line, " ", m.Maybe))
		}
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("not found: %s", w)
			}
		}
		if slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "app_jack") }) || where == modules && len(got) != len(want) {
			t.Errorf("got %v", got)
		}
	}
}
