package policyfile_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// edits are single edits of anna's entry, as text before and after.
var edits = map[string]struct {
	before  string
	changes map[string]any
	after   string
}{
	"a value in a line": {
		"  anna:   # seller\n    name: Anna\n    listen: true   # since May\n    # last word\n",
		map[string]any{"listen": map[string]any{"allow": []any{"spy"}, "to": "any", "except": []any{"boris", "group:board"}}},
		"  anna:   # seller\n    name: Anna\n    listen: {to: any, allow: [spy], except: [boris, group:board]}   # since May\n    # last word\n",
	},
	"a value over lines, with comments": {
		"  anna:\n    listen:  # whom\n      to: any # all\n      except:\n        - boris # not him\n        - carl  # nor him\n    observe: true\n",
		map[string]any{"listen": false},
		"  anna:\n    # whom\n    # all\n    # not him\n    listen: false  # nor him\n    observe: true\n",
	},
	"a key that goes": {
		"  anna:\n    listen: true\n    observe: true\n",
		map[string]any{"listen": nil},
		"  anna:\n    observe: true\n",
	},
	"a key that goes and leaves its comment": {
		"  anna:\n    # why\n    listen: true # \"since\" '#1'\n    observe: true\n",
		map[string]any{"listen": nil},
		"  anna:\n    # why\n    # \"since\" '#1'\n    observe: true\n",
	},
	"all keys": {
		"  anna: # a\n    listen: true # b\n    observe: true\n",
		map[string]any{"listen": nil, "observe": nil},
		"  anna: {} # a\n    # b\n",
	},
	"all keys for another": {
		"  anna:\n    listen: true\n",
		map[string]any{"listen": nil, "journal": "own"},
		"  anna:\n    journal: own\n",
	},
	"new keys": {
		"  anna:\n    name: Anna  # she\n\n",
		map[string]any{"journal": "own", "observe": true, "dial": []any{"+7495*"}},
		"  anna:\n    name: Anna  # she\n    observe: true\n    dial: [\"+7495*\"]\n    journal: own\n\n",
	},
	"Windows": {
		"  anna:\r\n    listen: true # x\r\n",
		map[string]any{"listen": nil, "observe": true},
		"  anna:\r\n    # x\r\n    observe: true\r\n",
	},
	"braces": {
		"  anna: {name: Анна, listen: true, observe: false} # c\n",
		map[string]any{"listen": []any{"boris"}, "observe": nil, "journal": "any"},
		"  anna: {name: Анна, listen: [boris], journal: any} # c\n",
	},
	"braces, the first goes": {
		"  anna: {listen: true, observe: false}\n", map[string]any{"listen": nil}, "  anna: {observe: false}\n",
	},
	"braces, all go": {
		"  anna: {listen: true, observe: false,}\n", map[string]any{"listen": nil, "observe": nil}, "  anna: {}\n",
	},
	"empty braces": {
		"  anna: {}\n", map[string]any{"listen": true}, "  anna: {listen: true}\n",
	},
	"braces over lines": {
		"  anna: {\n    name: Anna, # her\n    listen: true, # may\n    observe: true # sees\n  }\n",
		map[string]any{"listen": nil, "observe": nil, "journal": "own"},
		"  anna: {\n    name: Anna, journal: own, # her\n     # may\n     # sees\n  }\n",
	},
	"keys and values in quotes": {
		"  anna:\n    \"name\": 'O''Anna # 1'\n    'listen': \"true\" # not a tick\n",
		map[string]any{"listen": true},
		"", // the old value is no policy: a mistake of the sample's
	},
	"a quoted key": {
		"  anna:\n    \"name\": 'O''Anna # 1'\n    'listen': [\"boris\"] # him\n",
		map[string]any{"listen": true},
		"  anna:\n    \"name\": 'O''Anna # 1'\n    'listen': true # him\n",
	},
	"beside the PBX": {
		"  anna:\n    phones: [PJSIP/1]\n    pbx: moscow # since May\n    listen: true\n",
		map[string]any{"phones": []any{"PJSIP/2", "PJSIP/3"}, "listen": nil, "observe": true},
		"  anna:\n    phones: [\"PJSIP/2\", \"PJSIP/3\"]\n    pbx: moscow # since May\n    observe: true\n",
	},
	"in braces with the PBX": {
		"  anna: {pbx: moscow, phones: [PJSIP/1]}\n",
		map[string]any{"phones": nil, "observe": true},
		"  anna: {pbx: moscow, observe: true}\n",
	},
	"words that YAML takes for others": {
		"  anna: {listen: true}\n",
		map[string]any{"observe": []any{"group:board"}, "name": "no"},
		"  anna: {listen: true, name: \"no\", observe: [group:board]}\n",
	},
}

const (
	head = "# head\nversion: 1\ngroups: {board: [boris]} # g\nemployees:\n"
	tail = "  # next\n  boris: {name: \"Boris # B\"}\n  carl: {}\ntrunks: [PJSIP/trunk] # end\n"
)

func opened(t *testing.T, path string) *policyfile.File {
	t.Helper()
	f, err := policyfile.Open([]string{path}, policyfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.Impatient(time.Nanosecond)
	return f
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAnEditChangesNothingElse(t *testing.T) {
	for name, c := range edits {
		t.Run(name, func(t *testing.T) {
			for where, text := range map[string][2]string{
				"in the middle": {head + c.before + tail, head + c.after + tail},
				"at the end":    {head + tail[:strings.Index(tail, "trunks")] + c.before, head + tail[:strings.Index(tail, "trunks")] + c.after},
			} {
				path := filepath.Join(t.TempDir(), "policy.yaml")
				put(t, path, text[0])
				if c.after == "" {
					if _, err := policyfile.Open([]string{path}, policyfile.Options{}); err == nil {
						t.Fatal("this was to be no policy")
					}
					continue
				}
				f := opened(t, path)
				e, err := f.Employee("anna")
				if err != nil {
					t.Fatal(err)
				}
				edited, err := f.Edit(t.Context(), "anna", e.Tag, c.changes)
				if err != nil {
					t.Fatalf("%s: %v", where, err)
				}
				if got := content(t, path); got != text[1] {
					t.Errorf("%s:\n%s\nwant\n%s", where, got, text[1])
				}
				if err := f.Reload(); err != nil {
					t.Error(err)
				}
				if again, err := f.Employee("anna"); err != nil || again.Tag != edited.Tag || again.Tag == e.Tag {
					t.Errorf("%s: the tag is %v, %v", where, again, err)
				}
			}
		})
	}
}

func TestAFileWithAByteOrderMarkIsEdited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	put(t, path, "\ufeff{version: 1, employees: {anna: {name: Anna}}}\n")
	f := opened(t, path)
	e, _ := f.Employee("anna")
	if _, err := f.Edit(t.Context(), "anna", e.Tag, map[string]any{"lock": true}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, path); got != "\ufeff{version: 1, employees: {anna: {name: Anna, lock: true}}}\n" {
		t.Error(got)
	}
}

func TestTheFileWithoutALineEndAtItsEndIsEdited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	put(t, path, "version: 1\nemployees:\n  anna:\n    name: Anna # a")
	f := opened(t, path)
	e, _ := f.Employee("anna")
	if _, err := f.Edit(t.Context(), "anna", e.Tag, map[string]any{"lock": true}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, path); got != "version: 1\nemployees:\n  anna:\n    name: Anna # a\n    lock: true" {
		t.Error(got)
	}
}

// What is refused leaves every byte as it was, and says what to do.
func TestWhatCannotBeEditedIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		entry   string
		changes map[string]any
		is      error
		says    string
	}{
		"a comment between braces": {"  anna: {listen: [boris, # him\n    carl]}\n", map[string]any{"listen": true}, nil, "change it in the file"},
		"text over lines":          {"  anna:\n    name: >-\n      Anna\n    listen: true\n", map[string]any{"name": "A"}, nil, "write the values plainly"},
		"an explicit key":          {"  ? anna\n  : listen: true\n", map[string]any{"listen": nil, "lock": true}, nil, "write the values plainly"},
		"a name that there is not": {"  anna: {}\n", map[string]any{"listen": []any{"bors"}}, nil, `did you mean "boris"?`},
		"a key that there is not":  {"  anna:\n    name: A\n", map[string]any{"lisen": true}, nil, `policy.yaml:7:5: employees.anna: unknown key "lisen" (did you mean "listen"?)`},
		"a number":                 {"  anna: {}\n", map[string]any{"listen": 1.5}, nil, "numbers and dates are text"},
		"a key with a line end":    {"  anna: {}\n", map[string]any{"listen: true}\n  dora: {x": true}, nil, "control character"},
		"a value with braces":      {"  anna: {}\n", map[string]any{"listen": "true}, dora: {listen: true"}, nil, "unknown scope"},
		"an odd line end":          {"  anna:\n    listen: true # \u2028# x\n", map[string]any{"listen": nil}, nil, "save it as UTF-8"},
		"an employee who is not":   {"  dora: {}\n", map[string]any{"listen": true}, policyfile.ErrNoEmployee, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "policy.yaml")
			text := head + c.entry + tail
			put(t, path, text)
			f := opened(t, path)
			e, _ := f.Employee("boris")
			_, err := f.Edit(t.Context(), "anna", e.Tag, c.changes)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
			if got := content(t, path); got != text {
				t.Errorf("it was changed:\n%s", got)
			}
			only(t, path)
		})
	}
}

// only checks that nothing is left beside the file.
func only(t *testing.T, path string) {
	t.Helper()
	items, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(items) != 1 {
		t.Errorf("beside the file: %v %v", items, err)
	}
}

// A file that is not the policy's alone, or is broken, is refused whatever is wrong with it, with its mistakes.
func TestABrokenPolicyIsNotEdited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	put(t, path, allowing)
	f := opened(t, path)
	e, _ := f.Employee("anna")
	for _, text := range []string{broken, strings.Replace(allowing, "anna: {", "anna: &a {", 1), strings.Replace(allowing, "boris: {}", "boris: {<<: {}}", 1), allowing + "---\n" + allowing} {
		put(t, path, text)
		var problems policy.Problems
		if _, err := f.Edit(t.Context(), "anna", e.Tag, map[string]any{"lock": true}); !errors.Is(err, policyfile.ErrBroken) || !errors.As(err, &problems) || len(problems) == 0 {
			t.Errorf("%v", err)
		}
		if _, err := f.Employee("anna"); !errors.Is(err, policyfile.ErrBroken) {
			t.Errorf("%v", err)
		}
		if content(t, path) != text {
			t.Error("it was changed")
		}
	}
}

func TestAnEditFindsTheFileOfManyAndSeesAllOfThem(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": "version: 1\nemployees:\n  boris: {}\n", "sub/b.yaml": "version: 1\nemployees:\n  anna: {listen: [boris]}\ngroups: {g: [anna]}\n",
		"c.yaml": "version: 1\ngroups: {h: [boris, anna]}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, name), text)
	}
	f := opened(t, dir)
	e, err := f.Employee("anna")
	if err != nil || e.File != filepath.Join(dir, "sub/b.yaml") || e.Line != 3 || strings.Join(e.Groups, " ") != "h g" {
		t.Fatalf("%+v %v", e, err)
	}
	put(t, filepath.Join(dir, "c.yaml"), "version: 1\n")
	if _, err := f.Edit(t.Context(), "anna", e.Tag, map[string]any{"lock": true}); !errors.Is(err, policyfile.ErrChanged) {
		t.Errorf("another file has changed: %v", err)
	}
	e, _ = f.Employee("anna")
	if _, err := f.Edit(t.Context(), "anna", e.Tag, map[string]any{"lock": true}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, e.File); got != "version: 1\nemployees:\n  anna: {listen: [boris], lock: true}\ngroups: {g: [anna]}\n" {
		t.Error(got)
	}
}

func TestAnEditKeepsModeOwnerAndLink(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real.txt"), filepath.Join(dir, "policy.yaml")
	put(t, path, allowing)
	if err := errors.Join(os.Chmod(path, 0o664), os.Symlink("real.txt", link)); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(path, 12345, 54321); err != nil {
			t.Fatal(err)
		}
	}
	before, _ := os.Stat(path)
	f := opened(t, link)
	e, _ := f.Employee("anna")
	if _, err := f.Edit(t.Context(), "anna", e.Tag, map[string]any{"listen": false}); err != nil {
		t.Fatal(err)
	}
	after, err := os.Lstat(path)
	if err != nil || after.Mode() != before.Mode() || os.SameFile(before, after) {
		t.Errorf("%v %v", after, err)
	}
	if a, b := before.Sys().(*syscall.Stat_t), after.Sys().(*syscall.Stat_t); a.Uid != b.Uid || a.Gid != b.Gid {
		t.Errorf("owner %d:%d, was %d:%d", b.Uid, b.Gid, a.Uid, a.Gid)
	}
	if to, err := os.Readlink(link); err != nil || to != "real.txt" {
		t.Errorf("the link: %q %v", to, err)
	}
	if content(t, path) != denying {
		t.Error(content(t, path))
	}
}

func TestAReadOnlyFileIsNotReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	put(t, path, allowing)
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	f := opened(t, path)
	e, _ := f.Employee("anna")
	if _, err := f.Edit(t.Context(), "anna", e.Tag, map[string]any{"listen": false}); !errors.Is(err, policyfile.ErrReadOnly) {
		t.Errorf("%v", err)
	}
	if content(t, path) != allowing {
		t.Error("it was changed")
	}
	only(t, path)
}

func TestAFullDiskLeavesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	put(t, path, allowing)
	f := opened(t, path)
	f.Putting(func(file *os.File, data []byte) error {
		_, _ = file.Write(data[:10])
		return syscall.ENOSPC
	})
	e, _ := f.Employee("anna")
	if _, err := f.Edit(t.Context(), "anna", e.Tag, map[string]any{"listen": false}); !errors.Is(err, policyfile.ErrUnwritten) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	if content(t, path) != allowing {
		t.Error("it was changed")
	}
	only(t, path)
	f.Putting(policyfile.Put) // there is room again
	if _, err := f.Edit(t.Context(), "anna", e.Tag, map[string]any{"listen": false}); err != nil || content(t, path) != denying {
		t.Errorf("%v", err)
	}
}

func TestWhatSomebodySavesMeanwhileStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	put(t, path, allowing)
	f := opened(t, path)
	f.Putting(func(file *os.File, data []byte) error {
		put(t, path, denying)
		return policyfile.Put(file, data)
	})
	e, _ := f.Employee("anna")
	if _, err := f.Edit(t.Context(), "anna", e.Tag, map[string]any{"lock": true}); !errors.Is(err, policyfile.ErrChanged) {
		t.Errorf("%v", err)
	}
	if content(t, path) != denying {
		t.Error(content(t, path))
	}
	only(t, path)
}

func TestOfTwoEditsAtOnceOneIsRefused(t *testing.T) {
	w := watch(t, filepath.Join(dirOf(t, allowing), "policy.yaml"), policyfile.Options{})
	e, err := w.Employee("boris")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = w.Edit(t.Context(), "boris", e.Tag, map[string]any{"lock": true, "name": strings.Repeat("B", i+1)})
		})
	}
	wg.Wait()
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
		} else if !errors.Is(err, policyfile.ErrChanged) {
			t.Error(err)
		}
	}
	if done != 1 {
		t.Errorf("%d were done", done)
	}
}

func dirOf(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "policy.yaml"), text)
	return dir
}

func TestAnEditIsInForceWhenItIsAnswered(t *testing.T) {
	w := watch(t, filepath.Join(dirOf(t, allowing), "policy.yaml"), policyfile.Options{})
	e, _ := w.Employee("anna")
	edited, err := w.Edit(t.Context(), "anna", e.Tag, map[string]any{"listen": false})
	if err != nil || !edited.InForce || w.Current().Generation() != 2 || allows(w.Current()) {
		t.Errorf("%+v %v", edited, err)
	}
	if _, err := w.Edit(t.Context(), "anna", e.Tag, map[string]any{"listen": false}); !errors.Is(err, policyfile.ErrChanged) {
		t.Errorf("by a tag that is old: %v", err)
	}
	// What is there already is in force too, and nothing is written.
	w.Putting(func(*os.File, []byte) error { t.Error("it was written"); return nil })
	if edited, err := w.Edit(t.Context(), "anna", edited.Tag, map[string]any{"listen": false}); err != nil || !edited.InForce || w.Current().Generation() != 2 {
		t.Errorf("%+v %v", edited, err)
	}
}

// Nobody follows the files here: it is written, and said that it is not in force.
func TestAnEditThatIsNotInForceSaysSo(t *testing.T) {
	path := filepath.Join(dirOf(t, allowing), "policy.yaml")
	f := opened(t, path)
	e, _ := f.Employee("anna")
	edited, err := f.Edit(t.Context(), "anna", e.Tag, map[string]any{"listen": false})
	if err != nil || edited.InForce || content(t, path) != denying || !allows(f.Current()) {
		t.Errorf("%+v %v", edited, err)
	}
	if e, err := f.Employee("anna"); err != nil || e.InForce {
		t.Errorf("%+v %v", e, err)
	}
	if err := f.Reload(); err != nil {
		t.Fatal(err)
	}
	if e, err := f.Employee("anna"); err != nil || !e.InForce {
		t.Errorf("%+v %v", e, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Edit(ctx, "anna", edited.Tag, map[string]any{"listen": true}); !errors.Is(err, context.Canceled) || content(t, path) != denying {
		t.Errorf("called off: %v", err)
	}
}
