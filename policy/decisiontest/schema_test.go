package decisiontest_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/decisiontest"
	"github.com/earshot-pbx/earshot/policy/internal/schema/schematest"
)

// beyondSchemas are the mistakes that no schema can tell, by their messages.
var beyondSchemas = regexp.MustCompile(strings.Join([]string{
	`there is no (employee|line) "`, `the policy has no rule "`, `the policy is missing`,
	// How YAML is written.
	`not YAML: `, `is one YAML document`, `anchors and aliases are not`, `tags are not part`, `merge keys are not`, `a number must be in quotes`, `key ".*" is here twice`,
	`a key must be text, not `, `must be text, not a date`,
}, "|"))

func agree(t *testing.T, s *jsonschema.Schema, text string) (parsed, taken bool) {
	t.Helper()
	_, err := decisiontest.Parse("office.test.yaml", []byte(text))
	v, refused := schematest.Value([]byte(text))
	if refused == nil {
		refused = s.Validate(v)
	}
	switch {
	case err == nil && refused != nil:
		t.Errorf("the parser takes it, the schema does not: %v\n%s", refused, text)
	case err != nil && refused == nil:
		var all policy.Problems
		if !errors.As(err, &all) {
			t.Fatalf("error of type %T", err)
		}
		for _, p := range all {
			if !beyondSchemas.MatchString(p.Message) {
				t.Errorf("the schema takes what the parser refuses: %s\n%s", p, text)
			}
		}
	}
	return err == nil, refused == nil
}

func schemaOf(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := decisiontest.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if silent := schematest.Described(t, text); len(silent) > 0 {
		t.Errorf("nothing is said of %q", silent)
	}
	return schematest.Compile(t, text)
}

func TestTheSchemaRefusesWhatTheParserRefuses(t *testing.T) {
	s, refused := schemaOf(t), 0
	for text := range mistakes {
		if _, taken := agree(t, s, text); !taken {
			refused++
		}
	}
	if refused < 30 {
		t.Errorf("the schema refuses %d only", refused)
	}
}

// Whatever keys a test has and whatever it asks, schema and parser agree.
func TestTheSchemaAndTheParserAgreeOnWhichKeysFitWhichActions(t *testing.T) {
	s, taken := schemaOf(t), 0
	keys := []string{
		"to: boris", `to: ["112"]`, "line: support", "with: carl", "client_of: anna", "client: true", "access: [anna, carl]", "party: true", "locked: false", "unknown_phone: true",
		"protected_number: true", "reason: x", "at: 2026-06-06T12:00:00.5+03:00", "because: no_right", "because: allowed", "by: employees.anna.lock", "name: x", "nome: x", "who: x",
	}
	for _, a := range policy.Actions() {
		for _, asked := range []string{"may: " + a.String(), "may_not: [" + a.String() + "]", "may: [spy, " + a.String() + "]"} {
			for i, first := range keys {
				for _, second := range append(keys[i+1:], "") {
					if first[:3] == second[:min(3, len(second))] || strings.HasPrefix(first, "who") || strings.HasPrefix(second, "who") {
						continue
					}
					if _, ok := agree(t, s, one("{who: anna, "+asked+", "+strings.TrimSuffix(first+", "+second, ", ")+"}")); ok {
						taken++
					}
				}
			}
		}
	}
	if taken < 100 {
		t.Errorf("%d are taken only", taken)
	}
}

func TestTheSchemaAndTheParserReadTheSameMoments(t *testing.T) {
	s, outcomes := schemaOf(t), map[bool]int{}
	for _, moment := range []string{
		"2026-06-01T12:00:00Z", "2026-06-01T12:00:00+03:00", "2026-06-01T12:00:00.123-11:30", "'2026-06-01T12:00:00Z'", "2026-06-01T9:00:00Z", "2026-06-01 12:00:00Z", "2026-06-01T12:00Z",
		"2026-06-01T24:00:00Z", "2026-06-01T12:00:00,5Z", "2026-06-01T12:00:00+24:00", "2026-02-29T12:00:00Z", "2028-02-29T12:00:00Z", "2026-06-01T12:00:60Z", "2026-06-01t12:00:00z", "[]", "null",
	} {
		parsed, _ := agree(t, s, "version: 1\nat: "+moment+"\ntests: [{who: anna, may: lock}]\n")
		outcomes[parsed]++
	}
	if outcomes[true] != 5 {
		t.Errorf("%v", outcomes)
	}
}

func TestTheSamplesPassTheirTestsAndTheSchema(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "policies", "*", "*.test.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	s := schemaOf(t)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if parsed, taken := agree(t, s, string(text)); !parsed || !taken {
			t.Errorf("%s: parsed %v, taken %v", file, parsed, taken)
		}
		s, err := decisiontest.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range s.Run() {
			if !r.OK {
				t.Error(r)
			}
		}
	}
}
