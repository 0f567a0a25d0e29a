package policy_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/internal/schema/schematest"
)

// beyondSchemas are the mistakes that no schema can tell, by their messages. A new kind of mistake that the schema does not tell either has
// to be put here, with the reason why it cannot.
var beyondSchemas = regexp.MustCompile(strings.Join([]string{
	// What depends on other parts of the file, or on other files.
	`there is no (employee|department|group|role|line|time) "`,
	`is here twice`, `is .*'s already, at `, `is in another file too$`, `another time zone than at `,
	`is a panel and no employee`, `cannot be below itself`, `need(s)? (the|a) timezone`, `it ends before it begins`,
	// What depends on the data base of time zones.
	`unknown time zone "`,
	// How YAML is written.
	`not YAML: `, `is one YAML document`, `anchors and aliases are not`, `tags are not part`, `merge keys are not`, `a number must be in quotes`,
	`a key must be text, not `, `must be text, not a date`,
}, "|"))

func schemaOf(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := policy.Schema()
	if err != nil {
		t.Fatal(err)
	}
	return schematest.Compile(t, text)
}

// agree holds the schema to the parser over one file.
func agree(t interface{ Errorf(string, ...any) }, s *jsonschema.Schema, data []byte) (parsed, taken bool) {
	_, _, err := policy.Load("p.yaml", data, day)
	v, notYAML := schematest.Value(data)
	refused := notYAML
	if notYAML == nil {
		refused = s.Validate(v)
	}
	switch {
	case err == nil && refused != nil:
		t.Errorf("the parser takes it, the schema does not: %v\n%s", refused, data)
	case err != nil && refused == nil:
		var all policy.Problems
		if !errors.As(err, &all) {
			t.Errorf("error of type %T", err)
		}
		for _, p := range all {
			if !beyondSchemas.MatchString(p.Message) {
				t.Errorf("the schema takes what the parser refuses: %s\n%s", p, data)
			}
		}
	}
	return err == nil, refused == nil
}

func TestTheSchemaTakesEveryGoodSample(t *testing.T) {
	s := schemaOf(t)
	for _, file := range accepted(t) {
		if parsed, taken := agree(t, s, read(t, file)); !parsed || !taken {
			t.Errorf("%s: parsed %v, taken %v", file, parsed, taken)
		}
	}
}

// accepted are the samples of all folders but the bad ones, without their tests.
func accepted(t testing.TB) []string {
	return slices.DeleteFunc(samples(t, "*"), func(file string) bool {
		return strings.HasSuffix(file, ".test.yaml") || filepath.Base(filepath.Dir(file)) == "bad"
	})
}

func TestTheSchemaRefusesEveryBadSampleThatASchemaCan(t *testing.T) {
	s, refused := schemaOf(t), 0
	for _, file := range samples(t, "bad") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if parsed, taken := agree(t, s, read(t, file)); parsed {
				t.Error("the parser takes it")
			} else if !taken {
				refused++
			}
		})
	}
	if refused < 40 {
		t.Errorf("the schema refuses %d samples only", refused)
	}
}

// Each line breaks or keeps one pattern at its edge.
func TestTheSchemaAndTheParserDrawTheSameLines(t *testing.T) {
	s := schemaOf(t)
	long := strings.Repeat("1", 127)
	for text, values := range map[string][]string{
		"employees: {a: {numbers: [%]}}": {`"1"`, `"+1"`, `"+"`, `""`, `" "`, `"1+1"`, `" ( 1 ) - . 2"`, `"*#"`, `"a"`, `"` + long + `1"`, `"` + long + `11"`, `"+` + long + `"`, `"+` + long + `1"`, "101", "\"1\u00a02\""},
		"employees: {a: {dial: [%]}}": {
			`"1"`, `"123456"`, `"1234567"`, `"1*"`, `"123456*"`, `"1234567*"`, `"+"`, `"+*"`, `"*"`, `"**"`, `"#"`, `"##"`, `"*1"`, `"*1*"`, `"*1*2"`, `"1*2"`, `"1**"`, `"+1"`, `"+123456"`, `"+1234567"`,
			`"+0*"`, `"+1*"`, `"+123456789012345"`, `"+1234567890123456"`, `"+123456789012345*"`, `"+1234567890123456*"`, `"*12345678901234567890"`, `"*123456789012345678901"`, `" + 7 (495) *  "`, `"#1"`, `"*********************"`,
			`"**********************"`, `"+*1"`, `"#*"`, `"*#"`, `"1#"`,
		},
		"trunks: [%]":            {"PJSIP/a", "PJSIP/", "/a", "PJSIP", "PJ SIP/a", "pjsip/a", "Local/a", "LOCAL/a", "localx/a", "PJSIP/a/b", "PJSIP/a b", "PJSIP/a@b", "PJSIP/a,b", "PJSIP/'", `'PJSIP/a\'`, "PJSIP/é", "IAX2/a", "P_J/a", "PJSIP/" + long, "PJSIP/" + long[:122], "PJSIP/" + long[:123], "\"PJSIP/a\u00a0b\"", "\"PJSIP/a\u0085\""},
		"lines: {a: {queue: %}}": {"a", "a b", "a-b", "a[b", `"a]"`, "a/b", "a;b", "a&b", "a|b", "$a", "é", "\"a\u00a0b\"", "\"a\u3000b\"", "''"},
		"timezone: UTC\nassign: [{role: r, to: [a], until: %}]\nroles: {r: {}}\nemployees: {a: {}}": {"2027-01-31", `"2027-01-31"`, "2027-02-29", "2028-02-29", "2100-02-29", "2000-02-29", "2027-04-31", "2027-13-01", "2027-1-1", "27-01-01", "2027-12-31", "0000-02-29", "2027-00-10", "2027-10-00", "tomorrow", "[]", "12"},
		"timezone: UTC\ntimes: {t: {hours: %}}":                                                     {"09:00-18:00", "00:00-24:00", "24:00-01:00", "09:00-09:00", "23:59-00:00", "9:00-18:00", "09:00-18:60", "09:00", "09:00-24:01", "19:00-09:00", "12:34-12:34", "12:34-12:35", "12:34-11:34", "[]", "['09:00-10:00']", "['09:00-10:00', x]"},
		"timezone: UTC\ntimes: {t: {days: %}}":                                                      {"mon", "mon-fri", "fri-mon", "mon-", "monday", "Mon", "mon-fri-sat", "[mon, sat-sun]", "[]", "7"},
		"timezone: UTC\ntimes: {t: %}":                                                              {"{}", "{timezone: UTC}", "{days: mon}", "{hours: '09:00-10:00', timezone: UTC}", "[]", "mon"},
		"timezone: %":                                                                               {"UTC", "Europe/Moscow", "Etc/GMT+3", "America/Port-au-Prince", "Local", "''", "../x", "America/Argentina/Buenos_Aires", "Europe/Moskow"},
		"employees: {a: {%}}":                                                                       {"panel: true", "panel: true, pbx: x", "pbx: x, phones: [PJSIP/1]"},
		"employees: {%: {}}":                                                                        {"a", "é", "ж1", "a.b_c-d", "-a", ".a", "_a", "a b", "'a:b'", "own", "everyone", "heads", "ownx", "'true'", "١", "'101'", "'²'"},
		"employees: {a: {pbx: %}}":                                                                  {"a", "A-1_b", "1", "'1'", "-a", "_a", "a.b", "a b", "é", "''", "true", "[a]", "\"a\\n\"", strings.Repeat("a", 64), strings.Repeat("a", 65)},
		"groups: {%: []}":                                                                           {"a", "own", "a b"},
		"groups: {a: [%]}":                                                                          {"b", "'b:c'", "''", "' '", "\"\u00a0\"", "\"a\\nb\"", "\"a\\x9f\"", "null", "1", "own"},
		"employees: {a: {observe: %}}":                                                              {"true", "kind", "any", "kinds", "[b]", "[]", "[own]", "[any]", "['group:x']", "['group:']", "['line:x']", "['goup:x']", "[everyone]", "[':x']", "['group:x:y']", "{}", "{to: kind}", "{to: true}", "{show: kind}", "{show: peer, to: own}", "{show: any}", "{only: []}", "{only: [b]}", "{only: [b], to: own}", "{except: []}", "{except: x}", "{allow: [spy]}", "{reason: true}", "null", "1", "yes"},
		"employees: {a: {listen: %}}":                                                               {"kind", "{allow: []}", "{allow: [spy]}", "{allow: [spy, spy]}", "{allow: spy}", "{allow: [observe]}", "{reason: true}", "{reason: false}", "{reason: []}", "{reason: [b]}", "{reason: own}", "{reason: ['line:x']}", "{show: kind}", "{during: x}", "{from: x}"},
		"employees: {a: {spy: %}}":                                                                  {"{allow: [spy]}", "{reason: true}", "own", "{to: []}"},
		"employees: {a: {lock: %}}":                                                                 {"true", "any", "none", "own", "[b]", "{}", "{to: any}", "{except: [b]}", "{during: t}", "{only: [b]}"},
		"employees: {a: {all: %}}":                                                                  {"true", "any", "none", "own", "[b]", "{}", "{to: any}", "{except: [b, 'line:x']}", "{reason: ['line:x']}", "{only: [b]}"},
		"employees: {a: {recordings: %}}":                                                           {"{allow: [play, delete]}", "{allow: [record]}", "{reason: true}", "['line:x']"},
		"employees: {a: {line.view: %}}":                                                            {"['line:x']", "{to: ['line:x']}", "{reason: true}", "own"},
		"employees: {a: {dial: %}}":                                                                 {"true", "none", "clients", "clients+employees", "employees+clients", "own", "{}", "{to: clients}", "{to: true}", "{to: ['1*']}", "{to: [], except: {}}", "{clients: own}", "{clients: true}", "{clients: [b]}", "{clients: []}", "{employees: ['line:x']}", "{employees: kind}", "{to: any, clients: own}", "{to: any, numbers: ['1']}", "{numbers: []}", "{except: []}", "{except: {numbers: []}}", "{except: {clients: []}}", "{any: true}", "{during: t}", "[]"},
		"assign: [%]":                                                                               {"{}", "{role: r}", "{role: r, to: []}", "{role: r, to: [everyone]}", "{role: r, to: [heads, a]}", "{role: r, to: [own]}", "{role: '', to: [everyone]}", "[]", "x"},
		"protected: {numbers: [%]}":                                                                 {`"1"`, `"*"`, `"+*1"`, `"#"`},
		"unknown_phones: %":                                                                         {"outside", "inside", "true", "[outside]"},
		"departments: {a: %}":                                                                       {"{}", "{name: x}", "{head: 1}", "{parent: x}", "null", "{names: x}"},
	} {
		outcomes := map[bool]int{}
		for _, v := range values {
			parsed, _ := agree(t, s, []byte("version: 1\n"+strings.Replace(text, "%", v, 1)+"\n"))
			outcomes[parsed]++
		}
		if outcomes[false] == 0 {
			t.Errorf("%s: nothing is refused", text)
		}
	}
	for _, text := range []string{"", "version: 1", "version: 2", "version: '1'", "version: 1.5", "{}", "[]", "version: 1\nemployes: {}", "version: 1\nnotify: {}", "version: 1\nemployees: {anna: {notify: panel}}", "version: [1]"} {
		agree(t, s, []byte(text))
	}
}

// Whatever is moved, removed, renamed or put in somewhere else, the two agree.
func TestTheSchemaAndTheParserAgreeOnMutatedSamples(t *testing.T) {
	s := schemaOf(t)
	var seeds []*yaml.Node
	for _, file := range accepted(t) {
		var n yaml.Node
		if err := yaml.Unmarshal(read(t, file), &n); err != nil {
			t.Fatal(err)
		}
		uncomment(&n)
		seeds = append(seeds, &n)
	}
	// One with every section and every right in all forms, which the samples need not have.
	var whole yaml.Node
	if err := yaml.Unmarshal([]byte(everything), &whole); err != nil {
		t.Fatal(err)
	}
	seeds = append(seeds, &whole)
	outcomes := map[[2]bool]int{}
	rapid.Check(t, func(rt *rapid.T) {
		root := copied(rapid.SampledFrom(seeds).Draw(rt, "sample"))
		for range rapid.IntRange(1, 3).Draw(rt, "mutations") {
			mutate(rt, root)
		}
		allQuoted(root.Content[0], false)
		var out bytes.Buffer
		if err := yaml.NewEncoder(&out).Encode(root); err != nil {
			rt.Skip("not to be written")
		}
		parsed, taken := agree(rt, s, out.Bytes())
		outcomes[[2]bool{parsed, taken}]++
	})
	if outcomes[[2]bool{true, true}] == 0 || outcomes[[2]bool{false, false}] == 0 {
		t.Errorf("the mutations show nothing: %v", outcomes)
	}
}

const everything = `version: 1
timezone: Europe/Moscow
times:
  office: {days: [mon-fri], hours: ["09:00-13:00", "14:00-18:00"]}
  night:  {hours: "22:00-06:00", timezone: Asia/Vladivostok}
departments:
  sales: {name: Sales, head: irina}
  north: {parent: sales}
groups:
  board: [irina]
employees:
  anna:
    name: Anna
    phones: [PJSIP/101]
    numbers: ["101"]
    department: sales
    observe: {to: subtree, show: kind, except: [group:board], during: office}
    listen: {only: [boris], allow: [spy], except: [irina], reason: [department:sales], from: 2026-01-01, until: 2026-12-31}
    recordings: {to: own, allow: [play, delete], reason: true}
    lock: {during: office}
    settings.numbers: any
    dial: {clients: own, employees: [subtree:sales], numbers: ["+7 495*"], except: {employees: [group:board], numbers: ["2*"]}, during: night}
    line.view: {to: [line:support]}
    line.connect: [line:support, boris]
    statistics: department
  boris: {dial: {to: clients+employees, except: {}}, all: {except: [irina, line:support]}}
  irina: {dial: ["*98"], observe: kind, intercept: true, all: true}
lines:
  support: {name: Support, queue: support-ru, members: [department:sales, anna]}
roles:
  head: {spy: department, journal: any, play: [anna], line.history: own}
assign:
  - {role: head, to: [heads, everyone, group:board], during: office, from: 2026-01-01, until: 2026-12-31}
protected: {employees: [group:board], numbers: ["+7 495 765-43-21"]}
trunks: [PJSIP/trunk]
emergency: ["112"]
unknown_phones: outside
`

func copied(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = nil
	for _, inner := range n.Content {
		c.Content = append(c.Content, copied(inner))
	}
	return &c
}

// allQuoted puts every text in quotes, so that only what stands in the file counts and not how it is written.
func allQuoted(n *yaml.Node, key bool) {
	if n.Kind == yaml.ScalarNode && (n.Tag == "!!str" || key) {
		n.Tag, n.Style = "!!str", yaml.DoubleQuotedStyle
	}
	for i, inner := range n.Content {
		allQuoted(inner, n.Kind == yaml.MappingNode && i%2 == 0)
	}
}

var strangers = []string{
	"true", "false", "null", "1", "x", "any", "none", "own", "department", "kind", "everyone", "[]", "{}", "[x]", "[anna]", "['group:board']", "['line:support']", "[everyone]",
	"{to: any}", "{only: [anna]}", "{except: [anna]}", "{except: {numbers: ['1*']}}", "'2027-01-31'", "'09:00-18:00'", "mon-fri", "PJSIP/1", "'+7 495*'", "'101'", "[['x']]", "{during: x}",
}

// mutate changes one place.
func mutate(t *rapid.T, root *yaml.Node) {
	var places, keys []*yaml.Node
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if len(n.Content) > 0 {
			places = append(places, n)
		}
		for i, inner := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 {
				keys = append(keys, inner)
				continue
			}
			walk(inner)
		}
	}
	walk(root)
	if len(keys) == 0 || len(places) < 2 {
		return
	}
	p := rapid.SampledFrom(places[1:]).Draw(t, "place")
	step := 1
	if p.Kind == yaml.MappingNode {
		step = 2
	}
	i := rapid.IntRange(0, len(p.Content)/step-1).Draw(t, "child")*step + step - 1
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0: // is gone
		p.Content = slices.Delete(p.Content, i-step+1, i+1)
	case 1: // is something else
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(rapid.SampledFrom(strangers).Draw(t, "stranger")), &n); err != nil {
			t.Fatal(err)
		}
		p.Content[i] = n.Content[0]
	case 2: // is what stands elsewhere
		from := rapid.SampledFrom(places[1:]).Draw(t, "other")
		p.Content[i] = copied(rapid.SampledFrom(from.Content).Draw(t, "inner"))
	case 3: // has another key
		if key := rapid.SampledFrom(keys).Draw(t, "key"); step == 2 && !hasKey(p, key.Value) {
			p.Content[i-1] = copied(key)
		}
	case 4: // is in a list
		p.Content[i] = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{p.Content[i]}}
	case 5: // has one more beside it
		if step == 1 {
			p.Content = append(p.Content, copied(p.Content[i]))
		} else if key := rapid.SampledFrom(keys).Draw(t, "key"); !hasKey(p, key.Value) {
			p.Content = append(p.Content, copied(key), copied(p.Content[i]))
		}
	}
}

// hasKey reports whether the mapping has the key: of one that comes twice an editor sees the last only.
func hasKey(n *yaml.Node, key string) bool {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return true
		}
	}
	return false
}

func TestTheSchemaSaysSomethingOfEveryKey(t *testing.T) {
	text, err := policy.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if silent := schematest.Described(t, text); len(silent) > 0 {
		t.Errorf("nothing is said of %q", silent)
	}
	if !bytes.Contains(text, []byte(`"observe"`)) {
		t.Error("observe is no key")
	}
}
