package agent

import (
	"fmt"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/strict"
	"github.com/earshot-pbx/earshot/policy"
)

// Doctor is what `earshot doctor` is to know of this PBX.
type Doctor struct {
	Accept []Acceptance `yaml:"accept"` // findings that are known, and may be; none
}

// MayAnybody reports whether a policy lets anybody do an action to anybody, when nobody else has a part in it and a reason is given.
func MayAnybody(set *policy.Set, action policy.Action) bool {
	for subject := range set.Employees() {
		for target := range set.Employees() {
			if set.Decide(&policy.Request{Subject: subject, Action: action, Target: target, ReasonGiven: true}).Allowed {
				return true
			}
		}
	}
	return false
}

// Acceptance is a finding of the doctor's that is known, and may be.
type Acceptance struct {
	Finding string `yaml:"finding"` // its kind; required
	Where   string `yaml:"where"`   // its place as the doctor prints it, or the beginning: the file, or the file and the section; required
	Why     string `yaml:"why"`     // required
	Until   string `yaml:"until"`   // the last day on which it holds, "2027-01-31", by the clock of the machine; for good
}

// Ends is when it does not hold any more; zero: never. It is of use when the configuration is valid.
func (a *Acceptance) Ends() time.Time {
	day, err := time.ParseInLocation(time.DateOnly, a.Until, time.Local)
	if err != nil {
		return time.Time{}
	}
	return day.AddDate(0, 0, 1)
}

// unknown are the faults of acceptances that are of no kind of finding.
func (d *Doctor) unknown(kinds []string, doc *strict.Document) (errs []error) {
	for i, a := range d.Accept {
		if a.Finding == "" || len(kinds) == 0 || slices.Contains(kinds, a.Finding) {
			continue
		}
		hint := ""
		if guess := policy.DidYouMean(a.Finding, kinds); guess != "" {
			hint = "; " + guess
		}
		key := fmt.Sprintf("doctor.accept[%d].finding", i)
		errs = append(errs, doc.Errorf(key, "%s: %q is no kind of finding%s", key, a.Finding, hint))
	}
	return errs
}

func (d *Doctor) validate(bad func(key, format string, args ...any)) {
	for i, a := range d.Accept {
		key := fmt.Sprintf("doctor.accept[%d]", i)
		for _, k := range []struct{ name, value, what string }{
			{"finding", a.Finding, "the kind of finding, such as dialplan-conference"},
			{"where", a.Where, "its place as `earshot doctor` prints it"},
			{"why", a.Why, "whoever reads the report wants to know"},
		} {
			if k.value == "" {
				bad(key+"."+k.name, "%s.%s is required: %s", key, k.name, k.what)
			}
		}
		if a.Until != "" && a.Ends().IsZero() {
			bad(key+".until", "%s.until: a day belongs here, such as \"2027-01-31\"", key)
		}
	}
}
