package audit_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// told yields entries written as "id phase action [outcome] [employees…]", a second apart.
func told(lines ...string) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for i, line := range lines {
			if line == "fault" {
				if !yield(audit.Entry{}, &audit.Fault{Line: i + 1, Problem: audit.Altered}) {
					return
				}
				continue
			}
			f := strings.Fields(line)
			e := audit.Entry{ID: f[0], Phase: audit.Phase(f[1]), Action: f[2], Mode: f[2], Time: time.Unix(int64(i), 0)}
			for _, word := range f[3:] {
				if o := audit.Outcome(word); o == audit.Allow || o == audit.Deny {
					e.Outcome = o
				} else {
					e.Employees = append(e.Employees, word)
				}
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

func TestOpenActsTellWhatHasNoEnd(t *testing.T) {
	for name, c := range map[string]struct {
		log  []string
		want string // id action when carried out [changing] employees
	}{
		"a refusal":                {[]string{"a decided spy deny"}, ""},
		"one that rings":           {[]string{"a decided spy allow anna"}, "a spy -1 [anna]"},
		"one that runs":            {[]string{"a decided spy allow anna", "a done spy anna"}, "a spy 1 [anna]"},
		"one that ended":           {[]string{"a decided spy allow", "a done spy", "a ended spy"}, ""},
		"one that was revoked":     {[]string{"a decided spy allow", "a done spy", "a revoked spy deny"}, ""},
		"one that failed":          {[]string{"a decided spy allow", "a failed spy"}, ""},
		"a call that was taken":    {[]string{"a decided intercept allow", "a done intercept"}, ""},
		"a call being taken":       {[]string{"a decided intercept allow"}, "a intercept -1 []"},
		"who joined":               {[]string{"a decided spy allow anna", "a done spy anna", "a decided spy allow anna boris"}, "a spy 1 [anna boris]"},
		"another mode":             {[]string{"a decided spy allow", "a done spy", "a decided barge allow", "a done barge"}, "a barge 3 []"},
		"another mode refused":     {[]string{"a decided spy allow", "a done spy", "a decided barge deny"}, "a spy 1 []"},
		"another mode that failed": {[]string{"a decided spy allow", "a done spy", "a decided barge allow", "a failed barge"}, "a spy 1 []"},
		"between two modes":        {[]string{"a decided spy allow", "a done spy", "a decided barge allow"}, "a spy 1 changing []"},
		"several, by age": {[]string{"b decided spy allow", "a decided spy allow", "c decided spy allow", "c failed spy", "b done spy"},
			"b spy 4 []; a spy -1 []"},
	} {
		t.Run(name, func(t *testing.T) {
			acts, err := audit.OpenActs(told(c.log...))
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

func TestOpenActsSayNothingOfADamagedLog(t *testing.T) {
	acts, err := audit.OpenActs(told("a decided spy allow", "fault", "a done spy"))
	if fault := (*audit.Fault)(nil); !errors.As(err, &fault) || acts != nil {
		t.Fatal(acts, err)
	}
}
