package main

import (
	"encoding/json"
	"io"

	"github.com/earshot-pbx/earshot/policy"
)

// The JSON of an explanation. What is not there is left out, but for the lists of it, which are empty then.
type explanationJSON struct {
	Allowed    bool            `json:"allowed"`
	Reason     string          `json:"reason"`
	Rule       *ruleJSON       `json:"rule,omitempty"`
	Statements []statementJSON `json:"statements"`
	Needs      []needJSON      `json:"needs"` // what the other answer needs, all of it
}

type ruleJSON struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Text   string `json:"text"`
}

type statementJSON struct {
	Effect string    `json:"effect"`
	Reason string    `json:"reason"`
	Rule   *ruleJSON `json:"rule,omitempty"`
	Via    *ruleJSON `json:"via,omitempty"`
	About  string    `json:"about,omitempty"`
	Text   string    `json:"text"`
}

type needJSON struct {
	Reason string    `json:"reason"`
	Text   string    `json:"text,omitempty"`
	Ways   []wayJSON `json:"ways"` // any one of them
}

type wayJSON struct {
	Edits []editJSON `json:"edits"` // all of them
}

type editJSON struct {
	Kind    string    `json:"kind"`
	Rule    *ruleJSON `json:"rule,omitempty"`
	Path    []string  `json:"path"`
	Names   []string  `json:"names,omitempty"`
	Through []string  `json:"through,omitempty"`
	Value   string    `json:"value,omitempty"`
	Text    string    `json:"text"`
}

func writeJSON(w io.Writer, set *policy.Set, e policy.Explanation) error {
	out := explanationJSON{Allowed: e.Decision.Allowed, Reason: e.Decision.Reason.String(), Rule: ruleOf(e.Rule), Statements: []statementJSON{}, Needs: []needJSON{}}
	for _, st := range e.Statements {
		out.Statements = append(out.Statements, statementJSON{
			Effect: st.Effect.String(), Reason: st.Reason.String(), Rule: ruleOf(st.Rule), Via: ruleOf(st.Via), About: set.ID(st.About), Text: st.Text,
		})
	}
	for _, n := range e.Needs {
		j := needJSON{Reason: n.Reason.String(), Text: n.Text, Ways: []wayJSON{}}
		for _, w := range n.Ways {
			edits := make([]editJSON, len(w.Edits))
			for i, d := range w.Edits {
				edits[i] = editJSON{Kind: d.Kind.String(), Rule: ruleOf(d.Rule), Path: d.Path, Names: d.Names, Through: d.Through, Value: d.Value, Text: d.Text}
			}
			j.Ways = append(j.Ways, wayJSON{Edits: edits})
		}
		out.Needs = append(out.Needs, j)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(out)
}

func ruleOf(r policy.Rule) *ruleJSON {
	if r.Line == 0 {
		return nil
	}
	return &ruleJSON{r.File, r.Line, r.Column, r.Text}
}
