package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// folder is a new folder with files in it.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What glob(3) makes of a pattern, tried with glibc's, flags GLOB_BRACE|GLOB_NOMAGIC.
func TestAPatternMeansWhatItMeansToAsterisk(t *testing.T) {
	all := map[string]string{}
	for _, name := range []string{"d/a.conf", "d/b.conf", "d/c.conf", "d/.#b.conf", "d/-.conf", "d/].conf", "d/1.conf", "e/a.conf", ".h/a.conf", "d/{x}.conf", "d/x*.conf"} {
		all[name] = ""
	}
	files := &Files{dir: folder(t, all), etc: "/etc/asterisk"}
	for pattern, want := range map[string]string{
		"d/{b,a}.conf":                          "d/b.conf d/a.conf",
		"{d/b,e/a}.conf":                        "d/b.conf e/a.conf",
		"d/{a,{b,c}}.conf":                      "d/a.conf d/b.conf d/c.conf",
		"d/{a,nothing}.conf":                    "d/a.conf",
		"{d,e}/a*":                              "d/a.conf e/a.conf",
		"{e,/etc/asterisk/d}/a.conf":            "e/a.conf d/a.conf",
		"/etc/asterisk/{d,e}/a.conf":            "d/a.conf e/a.conf",
		"d/[ab].conf":                           "d/a.conf d/b.conf",
		"d/[!a].conf":                           "d/-.conf d/1.conf d/].conf d/b.conf d/c.conf",
		"d/[^a].conf":                           "d/-.conf d/1.conf d/].conf d/b.conf d/c.conf",
		"d/[]].conf":                            "d/].conf",
		"d/[[:digit:]].conf":                    "d/1.conf",
		"d/[a-b].conf":                          "d/a.conf d/b.conf",
		"d/*b.conf":                             "d/b.conf",
		"d/.*b.conf":                            "d/.#b.conf",
		"*/a.conf":                              "d/a.conf e/a.conf",
		"d/x\\*.conf":                           "d/x*.conf",
		"d/?.con[f]":                            "d/-.conf d/1.conf d/].conf d/a.conf d/b.conf d/c.conf",
		"d/[z-a].conf":                          "",
		strings.Repeat("{a,b}", 40) + "/*.conf": "",
	} {
		if got := strings.Join(files.find(pattern), " "); got != want {
			t.Errorf("%.40s: got %q, want %q", pattern, got, want)
		}
	}
}

// A file that is brought in by braces counts, and the others of the configuration with it.
func TestWhatBracesIncludeIsRead(t *testing.T) {
	files, err := OpenFiles(folder(t, map[string]string{
		"manager.conf":    "",
		"extensions.conf": "[x]\nexten => 1,1,NoOp\n#include \"conf.d/{a,b}.conf\"\n",
		"conf.d/b.conf":   "[y]\nexten => 1,1,ChanSpy(${X},uE)\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "braces", placed(examine(t, Own{}, files)), []string{"conf.d/b.conf:2 dialplan-spy"})
}

// Each line that brings in what is not seen is told, by its name.
func TestEachLineThatCannotBeReadIsTold(t *testing.T) {
	files, err := OpenFiles(folder(t, map[string]string{
		"manager.conf":    "",
		"extensions.conf": "[x]\n#exec /bin/one\n#exec /bin/two\n#include /elsewhere/x.conf\n",
		"sorcery.conf":    "[res_pjsip]\nendpoint=config,pjsip.conf,criteria=type=endpoint\nendpoint/cache=memory_cache,object_lifetime_stale=600\nendpoint=config,other.conf,criteria=type=endpoint\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	r := examine(t, Own{}, files)
	var got []string
	for _, f := range r.Findings {
		got = append(got, f.place())
	}
	same(t, "unread", got, []string{
		"extensions.conf:2 extensions.conf,#exec", "extensions.conf:3 extensions.conf,#exec", "extensions.conf:4 extensions.conf,#include",
		"sorcery.conf:4 [res_pjsip] endpoint",
	})
	for _, f := range r.Findings {
		if program := strings.Contains(f.Meaning, "what a program prints"); program != strings.HasSuffix(f.Subject, "#exec") {
			t.Errorf("%s: %s", f.Subject, f.Meaning)
		}
	}
}

func TestAFolderThatIsNotThePBXsIsNoCleanBill(t *testing.T) {
	files, err := OpenFiles(folder(t, map[string]string{"foo.conf": "[x]\n"}))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "another folder", placed(examine(t, Own{}, files)), []string{"extensions.conf:0 unread", "manager.conf:0 unread"})
}
