package policyfile

import (
	"crypto/sha256"
	"time"

	"github.com/earshot-pbx/earshot/policy"
)

// compiled is a policy that has been compiled and is not in force.
type compiled struct {
	sum      [sha256.Size]byte
	set      *policy.Set // nil: there is none
	warnings policy.Problems
}

// prepare compiles the files as they are, while it is waited whether they stay so: a large policy takes as long as the wait, and is in force that
// much sooner. What they are when the wait is over is read again, so nothing half-written comes into force by this.
func (f *File) prepare() {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.read()
	sum := r.sum()
	if sum == f.lastSeen || sum == f.ahead.sum {
		return
	}
	f.ahead = compiled{sum: sum}
	if set, warnings, err := f.beside(r.compile(f.options.Now())); err == nil {
		f.ahead.set, f.ahead.warnings = set, warnings
	}
}

// compile compiles what has been read, unless that has been done ahead. The caller holds mu.
func (f *File) compile(r *reading, sum [sha256.Size]byte, now time.Time) (*policy.Set, policy.Problems, error) {
	ahead := f.ahead
	f.ahead = compiled{}
	if ahead.set != nil && ahead.sum == sum {
		return ahead.set.At(now), ahead.warnings, nil
	}
	return f.beside(r.compile(now))
}

// beside makes what was compiled a policy for the PBX of the options.
func (f *File) beside(set *policy.Set, warnings policy.Problems, err error) (*policy.Set, policy.Problems, error) {
	if err != nil {
		return nil, warnings, err
	}
	set = set.Beside(f.options.PBX)
	return set, append(warnings, set.PBXWarnings()...), nil
}
