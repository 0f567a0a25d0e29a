package panel

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
)

// refusal begins the keys of the texts for the API's codes. English has none: it is what the API speaks.
const refusal = "refusal."

// notOnThePage are codes that a request of the page cannot be answered with, or whose sentence says what a fixed one could not.
var notOnThePage = strings.Fields(`
	bad_query
	no_such_line not_on_line not_away no_such_member fixed_member bad_penalty line_unknown no_queue no_such_join not_a_member colleague_back
	unknown_mode unknown_action wrong_target no_recordings given_elsewhere
	own_rights policy_broken policy_changed policy_not_written policy_read_only no_policy_files not_editable if_match_required bad_policy
	no_settings forward_refused forward_circle needs_number no_extension called_off
	unknown_crm clients_full clients_not_written bad_entries
	bad_side bad_direction bad_digits not_on_such_call not_two_calls no_transfer transferring no_ami_right number_leads_nowhere
	no_channels no_such_channel no_such_bridge no_such_playback not_answered supervises supervision_alone is_snoop in_bridge not_in_bridge too_many
	bad_operation bad_seconds not_playing not_playable
	allowed emergency
	excluded_other protected_other protected_number unknown_phone unknown_party reason_required_other locked
	unknown_target unknown_line
`)

// TestEveryLanguageHasWhatThePageMayBeRefusedFor reads in the gate's own source what it can answer: the codes of its problems and of why something has
// ended with a text, and takes the policy's reasons from that.
func TestEveryLanguageHasWhatThePageMayBeRefusedFor(t *testing.T) {
	codes := gateCodes(t)
	for r, last := policy.ReasonNoPolicy, policy.Reason(255); r < last && r.String() != "unknown"; r++ {
		codes[r.String()] = true
	}
	for _, code := range []string{"no_right", "phone_unreachable", "not_your_phone", "no_answer", "gap", "not_talking"} {
		if !codes[code] {
			t.Errorf("%s was not found: not all are looked at", code)
		}
	}
	for _, code := range notOnThePage {
		if !codes[code] {
			t.Errorf("%s is no code any more", code)
		}
		delete(codes, code)
	}
	if len(codes) < 50 {
		t.Fatalf("%d codes: %v", len(codes), slices.Sorted(maps.Keys(codes)))
	}
	codes["unauthenticated"] = true // the door's own
	for id, words := range languages(t) {
		for key := range words {
			if code, ok := strings.CutPrefix(key, refusal); ok && !codes[code] {
				t.Errorf("%s has a text for %s, which the page is never told", id, code)
			}
		}
		if id == "en" {
			continue
		}
		for code := range codes {
			if words[refusal+code] == "" {
				t.Errorf("%s has no text for %s", id, code)
			}
		}
	}
}

// gateCodes are the codes of every Problem that the gate's source makes, and the keys of reasonTexts.
func gateCodes(t *testing.T) map[string]bool {
	t.Helper()
	names, err := filepath.Glob("../../gate/*.go")
	if err != nil || len(names) < 50 {
		t.Fatalf("%d files: %v", len(names), err)
	}
	names = append(names, "../../mask/journal.go", "../../audit/entry.go") // have the codes gap and outcome_unknown
	values, others, found := map[string]string{}, map[string]string{}, []ast.Expr{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, v := range n.Values {
					if text, ok := v.(*ast.BasicLit); ok && text.Kind == token.STRING {
						values[n.Names[i].Name], _ = strconv.Unquote(text.Value)
					} else if of, ok := v.(*ast.SelectorExpr); ok {
						others[n.Names[i].Name] = of.Sel.Name
					} else if n.Names[i].Name == "reasonTexts" {
						for _, e := range v.(*ast.CompositeLit).Elts {
							found = append(found, e.(*ast.KeyValueExpr).Key)
						}
					}
				}
			case *ast.CompositeLit:
				if of, ok := n.Type.(*ast.Ident); !ok || of.Name != "Problem" {
					return true
				}
				for _, e := range n.Elts {
					if pair, ok := e.(*ast.KeyValueExpr); ok && pair.Key.(*ast.Ident).Name == "Code" {
						found = append(found, pair.Value)
					}
				}
			}
			return true
		})
	}
	for name, of := range others {
		if values[name] == "" {
			values[name] = values[of]
		}
	}
	codes := map[string]bool{}
	for _, e := range found {
		switch e := e.(type) {
		case *ast.BasicLit:
			code, err := strconv.Unquote(e.Value)
			if err != nil {
				t.Fatal(err)
			}
			codes[code] = true
		case *ast.Ident:
			codes[values[e.Name]] = true
		case *ast.SelectorExpr:
			codes[values[e.Sel.Name]] = true
		case *ast.CallExpr, *ast.IndexExpr: // a reason of the policy's, or the code of another problem
		default:
			t.Errorf("a code is written as %T, which nobody can read here", e)
		}
	}
	delete(codes, "")
	return codes
}
