package policyfile_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
	"go.yaml.in/yaml/v3"
)

// said is what a whole file says, by the YAML library alone.
func said(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var out map[string]any
	if err := yaml.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// remarks are the ends of lines from a comment's beginning on, wherever one may be: a comment that is lost is missing among them. A '#' within
// quotes makes one too, so they are held against each other as far as they stand outside the entry or are comments for certain.
func remarks(data []byte) (all []string) {
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\r\n")
		if i := strings.Index(line, " # "); i >= 0 {
			all = append(all, strings.TrimSpace(line[i:]))
		} else if strings.HasPrefix(strings.TrimSpace(line), "#") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	slices.Sort(all)
	return all
}

// day is a moment at which the samples are good.
var day = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// asFuzzed are values that somebody may send for a right.
var asFuzzed = []string{
	`true`, `false`, `null`, `"any"`, `"own"`, `"department"`, `[]`, `{}`, `["anna"]`, `{"to":"any","except":["anna"]}`, `{"to":"department","allow":["spy","barge"]}`, `"none"`, `"kind"`,
	`{"only":["department:sales"],"until":"2027-01-31"}`, `{"clients":"own","numbers":["+7495*"]}`, `"clients+employees"`, `"# no comment"`, `"a: b"`, `1`, `"true"`, `{"# x":[{"y":"\"'"}]}`, `"\u2028"`, `"\n"`,
}

// Whatever of a good policy is edited, in however it is written: it is refused and every byte is as it was, or the file says the same as before but
// for that one right of that one employee, with every comment still there, and is a good policy.
func FuzzAnEditChangesOneThingOrNothing(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "policies", "*", "*.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(name string) bool {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		_, _, err = policy.Load(name, text, day)
		return err != nil
	})
	if len(files) < 10 {
		f.Fatalf("there are %d samples only", len(files))
	}
	rights := policy.Rights()
	for i := range files {
		for j, v := range asFuzzed {
			f.Add(uint8(i), uint8(j), uint8(i+j), v)
			f.Add(uint8(i), uint8(i+j), uint8(0), v)
		}
	}
	f.Fuzz(func(t *testing.T, sample, who, right uint8, value string) {
		var v any
		if json.Unmarshal([]byte(value), &v) != nil {
			return
		}
		data, err := os.ReadFile(files[int(sample)%len(files)])
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "policy.yaml")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		file := opened(t, path)
		before := said(t, data)
		employees, _ := before["employees"].(map[string]any)
		var ids []string
		for id := range employees {
			ids = append(ids, id)
		}
		if len(ids) == 0 {
			return
		}
		slices.Sort(ids)
		id, key := ids[int(who)%len(ids)], rights[int(right)%len(rights)]
		e, err := file.Employee(id)
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.Edit(t.Context(), id, e.Tag, map[string]any{key: v})
		after, readErr := os.ReadFile(path)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if err != nil {
			var unsafe *policyfile.UnsafeError
			var bad *policyfile.BadValueError
			var problems policy.Problems
			if !errors.As(err, &unsafe) && !errors.As(err, &bad) && !errors.As(err, &problems) {
				t.Errorf("refused for no reason of its own: %v", err)
			}
			if string(after) != string(data) {
				t.Errorf("refused with %v and changed:\n%s", err, after)
			}
			return
		}
		if _, _, err := policy.Load(path, after, day); err != nil {
			t.Errorf("it is no policy any more: %v", err)
		}
		entry, _ := employees[id].(map[string]any)
		if entry == nil {
			entry = map[string]any{}
		}
		if employees[id] = entry; v == nil {
			delete(entry, key)
		} else {
			entry[key] = v
		}
		if got := said(t, after); !reflect.DeepEqual(got, before) {
			t.Errorf("%s.%s = %s:\n%s\nmade\n%s", id, key, value, data, after)
		}
		was := remarks(data)
		for _, c := range remarks(after) {
			if i := slices.Index(was, c); i >= 0 {
				was = slices.Delete(was, i, i+1)
			}
		}
		for _, c := range was { // what stood behind it on its line may have come before it, or another way round
			if !strings.Contains(string(after), c[strings.LastIndex(c, "#"):]) {
				t.Errorf("%s.%s = %s: the comment %q is gone from\n%s", id, key, value, c, after)
			}
		}
	})
}

// Nothing in the samples, which are written in every way that the guide has, is too strange to be edited.
func TestEverySampleCanBeEdited(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "policies", "*", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	edited := 0
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		set, _, err := policy.Load(name, data, day)
		if err != nil {
			continue // it is to be bad
		}
		path := filepath.Join(t.TempDir(), "policy.yaml")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		f := opened(t, path)
		for ref := range set.Employees() {
			e, err := f.Employee(set.ID(ref))
			if err != nil {
				t.Fatal(err)
			}
			for _, changes := range []map[string]any{{"lock": true, "journal": "own"}, {"lock": nil, "journal": "any"}, {"journal": nil, "listen": nil, "observe": nil, "all": nil}} {
				done, err := f.Edit(t.Context(), set.ID(ref), e.Tag, changes)
				if err != nil {
					t.Fatalf("%s, %s, %v: %v", name, e.ID, changes, err)
				}
				e.Tag = done.Tag
				edited++
			}
		}
	}
	if edited < 200 {
		t.Errorf("%d edits", edited)
	}
}
