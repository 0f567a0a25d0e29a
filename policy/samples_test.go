package policy_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy"
)

// day is the moment for which the samples are compiled.
var day = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// samples returns the policies of a folder under testdata/policies, with the expectations in their comments.
func samples(t testing.TB, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "testdata", "policies", folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples in %s: %v", folder, err)
	}
	return files
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// expected returns what follows the word in the comments of a sample.
func expected(data []byte, word string) []string {
	var out []string
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "# "+word+" "); ok {
			out = append(out, strings.TrimSpace(rest))
		}
	}
	return out
}

func lines(ps policy.Problems) []string {
	var out []string
	for _, p := range ps {
		out = append(out, strings.ReplaceAll(p.Error(), p.File+":", ""))
	}
	return out
}

// Each bad sample breaks one rule and ends with the messages that it must give, all of them and no others.
func TestEachMistakeIsToldWithItsPlaceAndAHint(t *testing.T) {
	for _, file := range samples(t, "bad") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data := read(t, file)
			want := expected(data, "error")
			if len(want) == 0 {
				t.Fatal("the sample expects no error")
			}
			set, _, err := policy.Load("bad.yaml", data, day)
			if err == nil || set != nil {
				t.Fatalf("a broken file was accepted: %v", set)
			}
			problems, ok := err.(policy.Problems) //nolint:errorlint // the type is the contract
			if !ok {
				t.Fatalf("error of type %T", err)
			}
			if got := lines(problems); !slices.Equal(got, want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
			}
		})
	}
}

// Each good sample ends with its warnings and with decisions: allow or deny, the reason, subject, action, target, and the
// other employees on the call; "client" marks a client of the subject, "access" one whom he has access to, "party" that he is on the
// call, "locked" that it is locked, "reason" that he gives one. A line is line:ID, and it is about the whole line when nobody follows.
// After dial stands a number instead of the target, and then of whom it is a client's: "client" alone, or who is responsible, and who
// has access. A moment is at:2026-06-01T12:00:00Z, and is left out for noon of that day.
func TestGoodSamplesDecideAsTheySay(t *testing.T) {
	for _, file := range samples(t, "good") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data := read(t, file)
			set, warnings, err := policy.Load("good.yaml", data, day)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := lines(warnings), expected(data, "warning"); !slices.Equal(got, want) {
				t.Errorf("warnings\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
			}
			decisions := append(prefixed("allow", expected(data, "allow")), prefixed("deny", expected(data, "deny"))...)
			if len(decisions) == 0 {
				t.Fatal("the sample expects no decision")
			}
			for _, text := range decisions {
				words, then := moment(t, strings.Fields(text))
				at := set.At(then)
				var x policy.Explanation
				if words[3] == policy.Dial.String() {
					x = at.ExplainDial(dialled(t, at, words[2:]))
				} else {
					x = at.Explain(request(t, at, words[2:]))
				}
				if !agrees(x) {
					t.Errorf("%s\nthe explanation contradicts the decision: %s", text, x)
				}
				if !strings.HasPrefix(x.String(), words[0]+" "+words[1]) {
					t.Errorf("%s\ngot %s", text, x)
				}
			}
		})
	}
}

// moment returns the words without the one that says when, and when.
func moment(t testing.TB, words []string) ([]string, time.Time) {
	t.Helper()
	for i, w := range words {
		if text, ok := strings.CutPrefix(w, "at:"); ok {
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				t.Fatal(err)
			}
			return slices.Delete(words, i, i+1), at
		}
	}
	return words, day
}

func prefixed(word string, all []string) []string {
	for i := range all {
		all[i] = word + " " + all[i]
	}
	return all
}

func dialled(t testing.TB, set *policy.Set, words []string) (policy.Ref, policy.Destination) {
	t.Helper()
	to := set.Destination(words[2])
	for i, w := range words[3:] {
		switch to.Client = true; {
		case w == "client":
		case i == 0:
			to.Responsible = employee(t, set, w)
		default:
			to.Access = append(to.Access, employee(t, set, w))
		}
	}
	return employee(t, set, words[0]), to
}

func request(t testing.TB, set *policy.Set, words []string) policy.Request {
	t.Helper()
	who := func(id string) policy.Ref { return employee(t, set, id) }
	action, ok := policy.ParseAction(words[1])
	if !ok {
		t.Fatalf("no action %s", words[1])
	}
	req := policy.Request{Subject: who(words[0]), Action: action}
	for _, w := range words[2:] {
		if id, ok := strings.CutPrefix(w, "line:"); ok {
			if req.Line, ok = set.Line(id); !ok {
				t.Fatalf("no line %s", id)
			}
			continue
		}
		switch w {
		case "client":
			req.Responsible = req.Subject
		case "access":
			req.Access = append(req.Access, req.Subject)
		case "locked":
			req.Locked = true
		case "reason":
			req.ReasonGiven = true
		case "party":
			req.Party = true
		case "protected-number":
			req.ProtectedNumber = true
		case "unknown-phone":
			req.UnknownPhone = true
		default:
			if req.Target.IsZero() {
				req.Target = who(w)
			} else {
				req.With = append(req.With, who(w))
			}
		}
	}
	return req
}
