package ariproxy

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// param is a parameter of an operation. One whose text is empty counts as left out, as Asterisk has it.
type param struct {
	name, in string // "path", "query" or "body"; all but those in the path may come in either of the two others
	kind     string // as the description calls it
	required bool
	several  bool    // with commas between
	fits     *domain // nil: every text
	refused  bool    // it is Asterisk's, and nothing is done by it here: whoever gives it is told so
}

// domain is what a parameter may be. Its words stand behind "give", in what is said to who gives something else.
type domain struct {
	has   func(string) bool
	words string
}

// since is the same domain with the reason why it is no larger.
func (d *domain) since(why string) *domain { return &domain{d.has, d.words + ", since " + why} }

func inPath(name string) param { return param{name: name, in: "path", kind: "string", required: true} }

func inQuery(name string, fits *domain) param {
	return param{name: name, in: "query", kind: "string", fits: fits}
}

// needed is a parameter that has to be there.
func needed(p param) param {
	p.required = true
	return p
}

// severally is one that may be several with commas between.
func severally(p param) param {
	p.several = true
	return p
}

// notTaken is one that is Asterisk's and is refused, since what it asks for would not happen.
func notTaken(name string) param {
	return param{name: name, in: "query", kind: "string", refused: true}
}

// number is a whole number within bounds.
func number(least, most int) *domain {
	words := strconv.Itoa(least)
	if least < most {
		words = "a whole number from " + words + " to " + strconv.Itoa(most)
	}
	return &domain{func(s string) bool {
		n, err := strconv.Atoi(s)
		return err == nil && least <= n && n <= most && (s[0] == '-' || '0' <= s[0] && s[0] <= '9')
	}, words}
}

// numeric is a parameter that is a whole number.
func numeric(name string, fits *domain) param {
	return param{name: name, in: "query", kind: "int", fits: fits}
}

// untrue is a truth that may be given, and is false for a reason.
func untrue(name, why string) param {
	return param{name: name, in: "query", kind: "boolean", fits: (&domain{func(s string) bool {
		on, ok := truths[strings.ToLower(s)]
		return ok && !on
	}, "false"}).since(why)}
}

// oneOf is one of some words.
func oneOf(words ...string) *domain {
	last := len(words) - 1
	said := words[last]
	if last > 0 {
		said = strings.Join(words[:last], ", ") + " or " + said
	}
	return &domain{func(s string) bool { return slices.Contains(words, s) }, said}
}

// madeOf is a text of some characters, so many at most; the characters are also said in words.
func madeOf(chars, words string, most int) *domain {
	return &domain{func(s string) bool { return len(s) <= most && strings.Trim(s, chars) == "" }, words + ", " + strconv.Itoa(most) + " at most"}
}

const (
	digits  = "0123456789"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// shortText is what is shown and nothing else: a caller's name, what a bridge is called.
var shortText = &domain{func(s string) bool { return len(s) <= 128 }, "128 bytes at most"}

// variables is the member of a body with what is to be set on a channel. None is: a name is a function of the dialplan's, or one that it reads, and whoever
// gives some asks for something that would not happen. Clients that always send the member send an empty one.
var variables = param{name: "variables", in: "body", kind: "containers", fits: &domain{noVariables, "an empty object, since Earshot sets no variables"}}

func noVariables(text string) bool {
	var all map[string]json.RawMessage
	return json.Unmarshal([]byte(text), &all) == nil && len(all) == 0
}

// check looks at all that a request has beside its path: what acts takes what its row has and nothing else, where Asterisk passes over what it does not
// know. Who gives more than is known wants something that would not be done. What the path says may be said once more, as clients in Go do of a new
// bridge's id.
func (o *operation) check(q *request, vars []string) *fault {
	for name := range q.params {
		if !slices.ContainsFunc(o.takes, func(p param) bool { return p.name == name }) {
			return &fault{http.StatusBadRequest, "There is a parameter that this operation does not have. It has " + o.names(), "parameter_unknown"}
		}
	}
	for i := range o.takes {
		p := &o.takes[i]
		value, given := q.params[p.name]
		switch {
		case p.in == "path":
			if given && value != o.inPath(p.name, vars) {
				return &fault{http.StatusBadRequest, "The parameter " + p.name + " is in the path, and is not the same there: leave it out", "parameter_twice"}
			}
		case value == "":
			if p.required {
				return &fault{http.StatusBadRequest, "Missing parameter " + p.name + p.hint(), "parameter_missing"}
			}
		case p.refused:
			return &fault{http.StatusBadRequest, "The parameter " + p.name + " is not taken here: leave it out", "parameter_not_taken"}
		case p.fits != nil && !p.fits.has(value):
			return &fault{http.StatusBadRequest, "Invalid value for " + p.name + p.hint(), "parameter_not_readable"}
		}
	}
	return nil
}

// hint says what a parameter may be, where that is not every text.
func (p *param) hint() string {
	if p.fits == nil {
		return ""
	}
	return ": give " + p.fits.words
}

// names are the parameters that may stand beside the path, for who gives another.
func (o *operation) names() string {
	var all []string
	for i := range o.takes {
		if p := &o.takes[i]; p.in != "path" && !p.refused {
			all = append(all, p.name)
		}
	}
	if all == nil {
		return "none"
	}
	return strings.Join(all, ", ")
}

// inPath is what a path has in the place of a parameter.
func (o *operation) inPath(name string, vars []string) string {
	for _, s := range o.segments {
		if s[0] != '{' {
			continue
		}
		if s == "{"+name+"}" {
			return vars[0]
		}
		vars = vars[1:]
	}
	return ""
}
