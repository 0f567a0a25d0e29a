// Package doctor looks at an Asterisk and says which ways round Earshot are open on it: accounts that may do what Earshot should decide,
// feature codes that listen to calls or take them, modules that make more of it possible.
//
// Invariant: it reads and changes nothing. No secret that it reads is in what it returns, and no argument of the dialplan either, where
// passwords and numbers stand.
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
)

// Own says which accounts of the PBX are Earshot's. The zero value: none.
type Own struct {
	AMI         string // Earshot's user in manager.conf
	ARI         string // its user in ari.conf
	Application string // its Stasis application
	Doctor      string // the doctor's own user in manager.conf
	// Trusted is software that the watchdog leaves alone, by the names that its configuration takes: "AudioSocket/192.0.2.9:*", "EAGI/transcribe*".
	Trusted []string
	// Emergency are the numbers that its include has to let out without asking, with each way to dial them; nil: not known, and not looked at.
	Emergency []string
	// Settings says that the policy lets somebody set employees' telephones, for which the include has a context.
	Settings bool
	// Queues are those that the policy has lines of, by the lines' ids.
	Queues map[string]string
	// Recordings are looked at beside the PBX.
	Recordings Recordings
}

// Severity says how much is open.
type Severity uint8

// Severities, the worst last. The zero value is none.
const (
	_      Severity = iota
	Low             // it opens nothing by itself, or the doctor cannot see whether it does
	Medium          // it tells who talks with whom, or opens a part, or something together with another fault
	High            // somebody can listen to, take or make calls without asking Earshot
)

// String is the word for it.
func (s Severity) String() string {
	switch s {
	case Low:
		return "low"
	case Medium:
		return "medium"
	case High:
		return "high"
	default:
		return "none"
	}
}

// MarshalText is String.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is one thing that is open.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	File     string   `json:"file,omitempty"`    // where it stands, as Asterisk names the file
	Line     int      `json:"line,omitempty"`    // 0: not known
	Section  string   `json:"section,omitempty"` // the section of the file, or the context of the dialplan
	Subject  string   `json:"subject,omitempty"` // what in that section: an extension with its priority and application, a key, a module
	Meaning  string   `json:"meaning"`           // what it means, in one sentence
	Change   string   `json:"change"`            // the line to change
	Seen     []string `json:"seen"`              // by which of the report's sources
}

// Report is what came of an examination.
type Report struct {
	Sources  []string  `json:"sources"`  // what was read: live, files, spools
	Findings []Finding `json:"findings"` // what is open
	// Accepted are findings that are open no less, and of which somebody has said that they may be; Stale is who said so of nothing.
	Accepted []Accepted `json:"accepted"`
	Stale    []Stale    `json:"stale"`
}

// Open reports whether anything is that nobody has accepted.
func (r *Report) Open() bool { return len(r.Findings) > 0 }

// exam is one PBX being looked at. The context is here because an exam is one call.
type exam struct {
	ctx   context.Context
	pbx   PBX
	own   Own
	found []Finding
}

// Examine looks at a PBX from each of its sides, and joins what they show: a live one knows what runs, its files know the lines. Where both
// know a line, the later side's is told: files belong last, since a running Asterisk tells an included file without its folder.
func Examine(ctx context.Context, own Own, sides ...PBX) (*Report, error) {
	r := &Report{Sources: []string{}, Findings: []Finding{}, Accepted: []Accepted{}, Stale: []Stale{}}
	for _, side := range sides {
		e := &exam{ctx: ctx, pbx: side, own: own}
		for _, c := range checks {
			if err := c.run(e); err != nil {
				return nil, fmt.Errorf("%s, read from %s: %w", c.about, side.Source(), err)
			}
		}
		r.Sources = append(r.Sources, side.Source())
		for _, f := range e.found {
			r.add(f, side.Source())
		}
	}
	if rec := own.Recordings; len(rec.Spools) > 0 || rec.Records {
		e := &exam{ctx: ctx, own: own}
		spoolChecks(e)
		r.Sources = append(r.Sources, spoolSource)
		for _, f := range e.found {
			r.add(f, spoolSource)
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(order(a.Code), order(b.Code)), strings.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line), strings.Compare(a.Section, b.Section), strings.Compare(a.Subject, b.Subject))
	})
	return r, nil
}

// add takes a finding, once however many sides show it.
func (r *Report) add(f Finding, source string) {
	for i := range r.Findings {
		if old := &r.Findings[i]; old.Code == f.Code && old.Section == f.Section && old.Subject == f.Subject {
			if slices.Contains(old.Seen, source) {
				if f.Code == "unread" && f.Line > 0 && (f.Line != old.Line || f.File != old.File) {
					continue // each line brings in something else
				}
				return // twice at one place, or at several of which the first is told
			}
			old.Seen = append(old.Seen, source)
			if f.Line > 0 {
				old.File, old.Line = f.File, f.Line
			}
			old.Severity = max(old.Severity, f.Severity)
			return
		}
	}
	f.Seen = []string{source}
	r.Findings = append(r.Findings, f)
}

// where is the place of a finding.
type where struct {
	Place
	section, subject string
}

// find records a finding of a kind. with are pairs: a word that stands in braces in the kind's sentences, and what to put for it.
func (e *exam) find(code string, at where, with ...string) *Finding {
	k := kinds[order(code)]
	pairs := make([]string, 0, len(with))
	for i := 0; i+1 < len(with); i += 2 {
		pairs = append(pairs, "{"+with[i]+"}", with[i+1])
	}
	fill := strings.NewReplacer(pairs...)
	e.found = append(e.found, Finding{
		Code: code, Severity: k.severity, File: at.File, Line: at.Line, Section: at.section, Subject: at.subject,
		Meaning: fill.Replace(k.means), Change: fill.Replace(k.change),
	})
	return &e.found[len(e.found)-1]
}

// order is the place of a code in the table.
func order(code string) int {
	return slices.IndexFunc(kinds, func(k kind) bool { return k.code == code })
}

// config is a file of the PBX.
func (e *exam) config(name string) (*Config, error) { return e.pbx.Config(e.ctx, name) }
