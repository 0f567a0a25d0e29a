package decisiontest

import (
	"slices"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/internal/schema"
)

// Schema returns a JSON Schema (draft 2020-12) of files of tests, for editors. It is made from the parser's own tables, and takes what Parse
// takes, save for what no schema can tell: whether a name exists, whether the file's name tells the policy, and how YAML is written.
func Schema() ([]byte, error) {
	one := schema.Object(testKeys, testSchemas(), "who")
	one = one.And(schema.Schema{"oneOf": []schema.Schema{schema.Required("may"), schema.Required("may_not")}})
	one = one.And(fitSchemas()...)
	return schema.Object(fileKeys, map[string]schema.Schema{
		"version": schema.Schema{"const": 1}.About("The version of the language. Always 1."),
		"policy":  schema.Ref("texts").About("The files and folders of the policy, relative to this file. Left out, the file of the same name without .test."),
		"at":      schema.Ref("moment").About("The clock of all tests, as in 2026-06-01T12:00:00+03:00."),
		"tests":   schema.List(one, 1).About("Who may do what to whom, or may not."),
	}, "version", "at", "tests").Document("Earshot decision tests", map[string]schema.Schema{
		"text":    schema.Text(),
		"texts":   oneOrMore(schema.Text()),
		"actions": oneOrMore(schema.Words(names(func(policy.Action) bool { return true })...)),
		"moment":  schema.Matching(momentPattern),
	})
}

func testSchemas() map[string]schema.Schema {
	text, texts, actions, truth := schema.Ref("text"), schema.Ref("texts"), schema.Ref("actions"), schema.Truth()
	return map[string]schema.Schema{
		"name":             text.About("What the test is about; it is shown when it fails."),
		"who":              texts.About("Who asks: an employee, or a list of them."),
		"may":              actions.About("What each of them may do."),
		"may_not":          actions.About("What none of them may do."),
		"to":               texts.About("To whom: an employee, or a list of them; for dial numbers, in quotes."),
		"line":             texts.About("On which line, for the actions that begin with line."),
		"with":             texts.About("Who else is within earshot of the call, or was on it."),
		"client_of":        text.About("The employee who is responsible for the client on the other side."),
		"client":           truth.About("The number is a client's for whom nobody is responsible."),
		"access":           texts.About("Who has access to the client beside him."),
		"party":            truth.About("Who asks is himself on the call."),
		"locked":           truth.About("The call is locked against supervision."),
		"unknown_phone":    truth.About("A phone that is not in the policy is on the call."),
		"protected_number": truth.About("A protected number is on the call."),
		"reason":           text.About("The reason that is given."),
		"at":               schema.Ref("moment").About("The clock of this test, as in 2026-06-01T12:00:00+03:00."),
		"because":          schema.Words(codes()...).About("The code of the reason of the decision."),
		"by":               text.About("The rule on which the decision rests, as in roles.head.listen."),
	}
}

// fitSchemas say which keys go with which actions.
func fitSchemas() []schema.Schema {
	var all []schema.Schema
	for _, key := range testKeys {
		if f, some := fits[key]; some {
			all = append(all, when(schema.Required(key), asks(oneOrMore(schema.Words(names(f.has)...)))))
		}
	}
	for _, key := range testKeys {
		needed := func(a policy.Action) bool { return slices.Contains(needs(a), key) }
		if some := names(needed); len(some) > 0 {
			all = append(all, when(schema.Any(askedFor("may", some), askedFor("may_not", some)), schema.Required(key)))
		}
	}
	dial := []string{policy.Dial.String()}
	all = append(all, when(schema.Any(askedFor("may", dial), askedFor("may_not", dial)), asks(schema.Schema{"maxItems": 1})))
	all = append(all, schema.Not(schema.Required("client", "client_of")))
	for _, key := range wholeLine {
		all = append(all, when(schema.Required(key, "line"), schema.Required("to")))
	}
	for _, allowed := range []bool{true, false} {
		key, some := verb(allowed), []string(nil)
		for _, r := range reasons() {
			if allows(r) == allowed {
				some = append(some, r.String())
			}
		}
		all = append(all, when(schema.Required(key, "because"), schema.Schema{"properties": schema.Schema{"because": schema.Words(some...)}}))
	}
	return all
}

func when(this, then schema.Schema) schema.Schema { return schema.Schema{"if": this, "then": then} }

// asks holds what a test asks to the schema.
func asks(s schema.Schema) schema.Schema {
	return schema.Schema{"properties": schema.Schema{"may": s, "may_not": s}}
}

// askedFor is a test with one of the actions under the key.
func askedFor(key string, actions []string) schema.Schema {
	words := schema.Words(actions...)
	one := schema.Any(words, schema.Schema{"type": "array", "contains": words})
	return schema.Schema{"required": []string{key}, "properties": schema.Schema{key: one}}
}

// oneOrMore is one, or a list of them with none twice.
func oneOrMore(one schema.Schema) schema.Schema {
	list := schema.List(one, 1)
	list["uniqueItems"] = true
	return schema.Any(one, list)
}
