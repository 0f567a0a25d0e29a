package clients

import (
	"errors"
	"regexp"
	"strings"
)

// Employees turns the ids by which a foreign system names its people into employees' ids of the policy. Whom it cannot turn is nobody.
type Employees struct {
	// IDs are employees' ids by the foreign ones.
	IDs map[string]string `yaml:"ids"`
	// Pattern is a regular expression (RE2) that fits a whole foreign id and whose one group is the employee's id. It is for those whom
	// IDs does not have.
	Pattern string `yaml:"pattern"`
}

// mapping is Employees, compiled. The zero value takes foreign ids as they are.
type mapping struct {
	ids     map[string]string
	pattern *regexp.Regexp
}

var errPattern = errors.New("a regular expression with one group, which is the employee's id, belongs here, such as 'OFFICE\\\\(\\w+)'")

func (e Employees) compile() (mapping, error) {
	m := mapping{ids: e.IDs}
	if e.Pattern == "" {
		return m, nil
	}
	re, err := regexp.Compile(`\A(?:` + e.Pattern + `)\z`)
	if err != nil || re.NumSubexp() != 1 {
		return mapping{}, errPattern
	}
	m.pattern = re
	return m, nil
}

// employee returns the employee's id; empty when there is none.
func (m mapping) employee(foreign string) string {
	foreign = strings.TrimSpace(foreign)
	id := foreign
	if m.ids != nil || m.pattern != nil {
		var ok bool
		if id, ok = m.ids[foreign]; !ok && m.pattern != nil {
			if found := m.pattern.FindStringSubmatch(foreign); found != nil {
				id = found[1]
			}
		}
	}
	if id == "" || !printable(id) {
		return ""
	}
	return id
}
