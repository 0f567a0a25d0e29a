package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// told writes a log of entries given as "id phase action [outcome] [employees…]", a second apart, and returns its path.
func told(t *testing.T, lines ...string) string {
	t.Helper()
	path, second := filepath.Join(t.TempDir(), "audit.jsonl"), int64(0)
	l, err := audit.Open(path, audit.Options{Clock: func() time.Time { return time.Unix(second, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range lines {
		second = int64(i)
		f := strings.Fields(line)
		action, mode, changed := strings.Cut(f[2], ":")
		if !changed {
			mode = action
		}
		e := audit.Entry{ID: f[0], Phase: audit.Phase(f[1]), Action: action, Mode: mode}
		for _, word := range f[3:] {
			if o := audit.Outcome(word); o == audit.Allow || o == audit.Deny {
				e.Outcome = o
			} else {
				e.Employees = append(e.Employees, word)
			}
		}
		if err := l.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenActsTellWhatHasNoEnd(t *testing.T) {
	for name, c := range map[string]struct {
		log  []string
		want string // id action when carried out [changing] employees
	}{
		"a refusal":                  {[]string{"a decided spy deny"}, ""},
		"one that rings":             {[]string{"a decided spy allow anna"}, "a spy -1 [anna]"},
		"one that runs":              {[]string{"a decided spy allow anna", "a done spy anna"}, "a spy 1 [anna]"},
		"one that ended":             {[]string{"a decided spy allow", "a done spy", "a ended spy"}, ""},
		"one that was revoked":       {[]string{"a decided spy allow", "a done spy", "a revoked spy deny"}, ""},
		"one that failed":            {[]string{"a decided spy allow", "a failed spy"}, ""},
		"a call that was taken":      {[]string{"a decided intercept allow", "a done intercept"}, ""},
		"a recording that runs":      {[]string{"a decided record allow anna", "a done record anna", "a decided record allow anna", "a failed record"}, "a record 1 [anna]"},
		"a recording that ended":     {[]string{"a decided record allow", "a done record", "a ended record"}, ""},
		"a call being taken":         {[]string{"a decided intercept allow"}, "a intercept -1 []"},
		"who joined":                 {[]string{"a decided spy allow anna", "a done spy anna", "a decided spy allow anna boris"}, "a spy 1 [anna boris]"},
		"another mode":               {[]string{"a decided spy allow", "a done spy", "a decided barge allow", "a done barge"}, "a barge 3 []"},
		"another mode refused":       {[]string{"a decided spy allow", "a done spy", "a decided barge deny"}, "a spy 1 []"},
		"another mode that failed":   {[]string{"a decided spy allow", "a done spy", "a decided barge allow", "a failed barge"}, "a spy 1 []"},
		"between two modes":          {[]string{"a decided spy allow", "a done spy", "a decided barge allow"}, "a spy 1 changing []"},
		"a recording that was heard": {[]string{"a decided play allow anna", "a disclosed play anna"}, ""},
		"one that was about to be":   {[]string{"a decided play allow anna"}, "a play -1 [anna]"},
		"one that is to be paused":   {[]string{"a decided record allow", "a done record", "a decided record:paused allow"}, "a record 1 changing []"},
		"one that was paused":        {[]string{"a decided record allow", "a done record", "a decided record:paused allow", "a done record:paused"}, "a record 3 []"},
		"several, by age": {[]string{"b decided spy allow", "a decided spy allow", "c decided spy allow", "c failed spy", "b done spy"},
			"b spy 4 []; a spy -1 []"},
	} {
		t.Run(name, func(t *testing.T) {
			acts, err := audit.OpenActs(nil, told(t, c.log...))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range acts {
				carried, changing := int64(-1), ""
				if !a.Carried.IsZero() {
					carried = a.Carried.Unix()
				}
				if a.Changing {
					changing = "changing "
				}
				got = append(got, fmt.Sprintf("%s %s %d %s%v", a.ID, a.Action, carried, changing, a.Employees))
			}
			if s := strings.Join(got, "; "); s != c.want {
				t.Errorf("%q, want %q", s, c.want)
			}
		})
	}
}

// The reason is the one that was given for the mode in force.
func TestOpenActsTellTheReasonInForce(t *testing.T) {
	for name, c := range map[string]struct {
		last audit.Phase
		want string
	}{"changed": {audit.Done, "new"}, "failed": {audit.Failed, "old"}} {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		l := mustOpen(t, path, audit.Options{})
		write := func(p audit.Phase, action, given string) {
			mustAppend(t, l, audit.Entry{ID: "a", Phase: p, Action: action, Outcome: audit.Allow, Given: given})
		}
		write(audit.Decided, "spy", "old")
		write(audit.Done, "spy", "old")
		write(audit.Decided, "barge", "new")
		write(c.last, "barge", "new")
		if acts, err := audit.OpenActs(nil, path); err != nil || len(acts) != 1 || acts[0].Given != c.want {
			t.Errorf("%s: %+v %v", name, acts, err)
		}
	}
}

func TestOpenActsReadsAnArchiveAndTheLogAfterIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := audit.Open(path, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	write := func(id string, p audit.Phase) {
		if err := l.Append(t.Context(), audit.Entry{ID: id, Phase: p, Action: "spy", Outcome: audit.Allow}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		write("old", audit.Decided)
		write("new", audit.Decided)
		if _, err := l.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	write("old", audit.Ended)
	write("new", audit.Done)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := audit.Files(path)
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, some := range [][]string{files, files[1:]} {
		acts, err := audit.OpenActs(nil, some...)
		if err != nil || len(acts) != 1 || acts[0].ID != "new" || acts[0].Carried.IsZero() {
			t.Errorf("%d files: %+v %v", len(some), acts, err)
		}
	}
}

func TestOpenActsSayNothingOfADamagedLog(t *testing.T) {
	path := told(t, "a decided spy allow", "b decided spy deny", "b decided spy deny", "a done spy")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(b, []byte("deny"), []byte("allow"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	acts, err := audit.OpenActs(nil, path)
	if fault := (*audit.Fault)(nil); !errors.As(err, &fault) || fault.Line != 2 || acts != nil {
		t.Fatal(acts, err)
	}
}

func BenchmarkOpenActs(b *testing.B) {
	path := filepath.Join(b.TempDir(), "audit.jsonl")
	l, err := audit.Open(path, audit.Options{})
	if err != nil {
		b.Fatal(err)
	}
	const acts = 500
	for i := range acts {
		for _, p := range []audit.Phase{audit.Decided, audit.Done, audit.Ended} {
			err := l.Append(b.Context(), audit.Entry{
				ID: fmt.Sprintf("act%d", i), Phase: p, Action: "spy", Mode: "spy", Outcome: audit.Allow, Subject: "irina", Credential: "token:123456789012",
				Targets: []string{"anna"}, Employees: []string{"anna", "boris"}, Reason: "allowed", Door: "http", Rule: audit.Rule{File: "/etc/earshot/policy.yaml", Line: 12},
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if open, err := audit.OpenActs(nil, path); err != nil || len(open) > 0 {
			b.Fatal(open, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*acts*3), "ns/line")
}

// What was said last of an open act holds: a private lock names the legs by which its call is found again, and these change.
func TestOpenActsTellTheLastDetail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := audit.Open(path, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, detail := range []string{"legs:1.1", "legs:1.2", ""} {
		if err := l.Append(t.Context(), audit.Entry{ID: "a", Phase: audit.Decided, Outcome: audit.Allow, Subject: "anna", Action: "lock", Detail: detail}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	acts, err := audit.OpenActs(nil, path)
	if err != nil || len(acts) != 1 || acts[0].Detail != "legs:1.2" || !acts[0].Carried.IsZero() {
		t.Fatalf("%+v %v", acts, err)
	}
}
