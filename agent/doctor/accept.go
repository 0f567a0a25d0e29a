package doctor

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Acceptance is a finding that an administrator knows of and lives with.
type Acceptance struct {
	Code  string    // the kind of finding
	Where string    // its place as the report prints it, to its end or to the end of the file or the section; the line does not count
	Why   string    // for whoever reads the report
	Until time.Time // from then on it does not hold; zero: it holds for good
}

// Accepted is a finding that is accepted.
type Accepted struct {
	Finding
	Why   string     `json:"why"`
	Until *time.Time `json:"until,omitempty"`
}

// Stale is an acceptance that accepts nothing.
type Stale struct {
	Code   string `json:"code"`
	Where  string `json:"where"`
	Reason string `json:"reason"`
}

// Accept takes out of the findings what is accepted, and notes which acceptances are good for nothing. It is called once, after Examine.
func (r *Report) Accept(all []Acceptance, now time.Time) {
	used := make([]bool, len(all))
	r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool {
		accepted := false
		for i, a := range all {
			if !a.fits(&f) {
				continue
			}
			used[i] = true
			if accepted || a.over(now) {
				continue
			}
			accepted = true
			as := Accepted{Finding: f, Why: a.Why}
			if !a.Until.IsZero() {
				as.Until = &a.Until
			}
			r.Accepted = append(r.Accepted, as)
		}
		return accepted
	})
	for i, a := range all {
		switch s := (Stale{Code: a.Code, Where: a.Where}); {
		case order(a.Code) < 0:
			s.Reason = "there is no such kind of finding"
			r.Stale = append(r.Stale, s)
		case !used[i]:
			s.Reason = "nothing of the kind is found there"
			r.Stale = append(r.Stale, s)
		case a.over(now):
			s.Reason = "its time is over"
			r.Stale = append(r.Stale, s)
		}
	}
}

func (a *Acceptance) over(now time.Time) bool { return !a.Until.IsZero() && !now.Before(a.Until) }

// lineOf is the number behind a file's name.
var lineOf = regexp.MustCompile(`:[0-9]+$`)

// fits reports whether a finding is the one that is accepted, or one of those at that place. A running Asterisk tells an included file without
// its folder, so that folders do not count.
func (a *Acceptance) fits(f *Finding) bool {
	file, rest, more := strings.Cut(a.Where, " ")
	if strings.HasPrefix(a.Where, "[") { // what stands in no file
		file, rest, more = "", a.Where, true
	}
	file = lineOf.ReplaceAllString(file, "")
	if a.Code != f.Code || a.Where == "" || base(file) != base(f.File) {
		return false
	}
	within := strings.Join(f.within(), " ")
	return !more || rest == within || strings.HasPrefix(within, rest+" ")
}

func base(file string) string {
	if file == "" {
		return ""
	}
	return path.Base(file)
}
