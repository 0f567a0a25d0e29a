package agent_test

import (
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/ami"
)

// A contrast is what of the events of two streams is in one of them alone: events, fields of the events that both have, and fields that are the same in
// one of them always and different in the other.
type contrast struct {
	theirs, ours map[string]map[string]map[string]bool
}

func contrastOf(theirs, ours []*ami.Message) contrast {
	return contrast{theirs: census(theirs), ours: census(ours)}
}

const (
	asteriskAlone, earshotAlone, constant = "Asterisk alone", "Earshot alone", "Earshot, always the same"
	// atTimes begins what is told of a difference that depends on how the threads of Asterisk's come.
	atTimes = "at times "
)

// constants are what Earshot writes for what it does not know or does not tell; anything else that was seen once only is a call's own. Numbers are not
// among them: a second in a queue that Asterisk counts and Earshot has rounded away is no difference.
var constants = []string{"", "<unknown>", "phones"}

// census is of each event each field with its values.
func census(all []*ami.Message) map[string]map[string]map[string]bool {
	events := map[string]map[string]map[string]bool{}
	for _, m := range all {
		event := string(m.Event())
		if events[event] == nil {
			events[event] = map[string]map[string]bool{}
		}
		for i := range m.Len() {
			name, value := m.Field(i)
			if events[event][string(name)] == nil {
				events[event][string(name)] = map[string]bool{}
			}
			events[event][string(name)][string(value)] = true
		}
	}
	return events
}

// differences are what a reader of one stream meets and one of the other does not, by what it is about.
func (c contrast) differences() map[string]string {
	all := map[string]string{}
	for event, fields := range c.theirs {
		other := c.ours[event]
		if other == nil {
			all[event] = asteriskAlone
			continue
		}
		for field, values := range fields {
			name := event + "." + field
			switch has := other[field]; {
			case has == nil:
				all[name] = asteriskAlone
			case len(has) == 1 && !maps.Equal(has, values):
				for value := range has {
					if slices.Contains(constants, value) {
						all[name] = constant
					}
				}
			}
		}
	}
	for event, fields := range c.ours {
		if c.theirs[event] == nil {
			all[event] = earshotAlone
			continue
		}
		for field := range fields {
			if c.theirs[event][field] == nil {
				all[event+"."+field] = earshotAlone
			}
		}
	}
	return all
}

var contrastRow = regexp.MustCompile("(?m)^\\| ((?:`[A-Za-z.*]+`(?:, )?)+) \\| ([^|]+) \\| ([^|]+) \\|$")

// explained holds the differences against the table of the door's page, which has a reason for each.
func (c contrast) explained(t *testing.T) {
	t.Helper()
	page, err := os.ReadFile("amiproxy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "### Beside Asterisk's own stream\n")
	section, _, _ = strings.Cut(section, "\n## ")
	listed := map[string]string{}
	for _, row := range contrastRow.FindAllStringSubmatch(section, -1) {
		for name := range strings.SplitSeq(row[1], ", ") {
			listed[strings.Trim(name, "`")] = row[2]
		}
	}
	found, met := c.differences(), map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		known := false
		for pattern, by := range listed {
			if ok, _ := path.Match(pattern, name); ok && strings.TrimPrefix(by, atTimes) == found[name] {
				known, met[pattern] = true, true
			}
		}
		if !known {
			t.Errorf("%s is told by %s, and the page does not say so", name, found[name])
		}
	}
	for _, pattern := range slices.Sorted(maps.Keys(listed)) {
		if !met[pattern] && !strings.HasPrefix(listed[pattern], atTimes) {
			t.Errorf("the page says that %s is told by %s, and it is told alike", pattern, listed[pattern])
		}
	}
}
