package doctor

import (
	"regexp"
	"strings"
)

// writes says what is found where a function is written: by Set and MSet in the dialplan, and by what an endpoint sets on each of its channels.
// Text around a name does not count, so that what EXPORT writes on another channel is found too.
var writes = []struct {
	what *regexp.Regexp
	code string
	name string // as the report says it
}{
	{regexp.MustCompile(`(?i)\bCHANNEL\((?:named)?pickupgroup\)`), "pickup-set", "CHANNEL(pickupgroup)"},
	{regexp.MustCompile(`(?i)\bFEATURE\(pickupexten\)`), "pickup-set", "FEATURE(pickupexten)"},
	{regexp.MustCompile(`(?i)\bFEATUREMAP\(auto(?:mix)?mon\)`), "one-touch", "FEATUREMAP(automixmon)"},
	{regexp.MustCompile(`(?i)\bJACK_HOOK\(`), "dialplan-audio", "JACK_HOOK"},
	{regexp.MustCompile(`(?i)\bCONFBRIDGE\(bridge,record_conference\)`), "setting-record", "CONFBRIDGE(bridge,record_conference)"},
}

// profiled is a step that gives a channel a conference profile of its own, in the place of the one that is named.
var profiled = regexp.MustCompile(`(?i)\bCONFBRIDGE\(user,`)

// assignments are the names that a step of Set or MSet writes, with what it writes.
func assignments(c call) []string {
	switch strings.ToLower(c.app) {
	case "set":
		return []string{c.data}
	case "mset":
		return split(c.data, ',')
	}
	return nil
}

// assigned finds what writing a variable or function means.
func (e *exam) assigned(text string, at where) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || strip(value) == "" {
		return // to write nothing takes back what was written
	}
	for _, w := range writes {
		if w.what.MatchString(name) {
			at := at
			at.subject += " " + w.name
			e.find(w.code, at, "app", w.name, "key", w.name, "clear", accepting)
		}
	}
}
