package policyfile

import (
	"errors"
	"reflect"

	"github.com/earshot-pbx/earshot/policy"
)

// Lay lays an overlay over the policy in force, and over each that comes into force from then on, in place of the one before. Nil is one that is not
// known. The error is policy.ErrOverlay when it does not fit, and then all stays as it was; and a policy that later comes from files and that it does
// not fit is as a broken one. Needs Options.Overlay.
func (f *File) Lay(o *policy.Overlay) error {
	if !f.options.Overlay {
		return errors.New("lay an overlay over the policy: it is to have none")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if reflect.DeepEqual(o, f.overlay) {
		return nil
	}
	set, err := f.Current().At(f.options.Now()).Over(o)
	if err != nil {
		return err
	}
	f.overlay = o
	status := f.Status()
	status.Generation++
	f.set.Store(set.WithGeneration(status.Generation))
	f.status.Store(&status)
	if f.options.OnChange != nil {
		f.options.OnChange(f.Current(), status.LastError)
	}
	if errors.Is(status.LastError, policy.ErrOverlay) {
		_ = f.load(true, 0) // perhaps it fits the files now, and else that is told
	}
	return nil
}

// over is the policy with the overlay over it, where it is to have one. The caller holds mu, or is the only one who knows f.
func (f *File) over(set *policy.Set) (*policy.Set, error) {
	if !f.options.Overlay {
		return set, nil
	}
	return set.Over(f.overlay)
}
