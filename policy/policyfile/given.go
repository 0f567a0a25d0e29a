package policyfile

import (
	"context"
	"crypto/sha256"
	"errors"
	"reflect"
	"slices"

	"github.com/earshot-pbx/earshot/policy"
)

// Document is a file of a policy: its name, which messages and grounds have, and what it holds.
type Document struct{ Name, Text string }

// edition is a policy that came into force.
type edition struct {
	documents  []Document
	generation uint64 // with which it did; the present one may be higher, when something that holds at times only has begun or ended since
}

// Documents reads the files that the paths lead to (see [Open]), as documents to give to others. The policy in them is good, or there is an
// error, as of Load.
func Documents(paths []string, options Options) ([]Document, error) {
	f, err := Open(paths, options)
	if err != nil {
		return nil, err
	}
	documents, _ := f.InForce()
	return documents, nil
}

// Give puts a policy in force that does not come from files of this machine. What it returns never looks at files, and cannot be edited:
// Replace changes it. The generation is at least the one given.
func Give(documents []Document, generation uint64, options Options) (*File, error) {
	f := options.file()
	f.given, f.hand = true, slices.Clone(documents)
	if len(documents) == 0 {
		return nil, errNoPath
	}
	if err := f.first(f.read(), generation); err != nil {
		return nil, err
	}
	return f, nil
}

// Replace puts other documents in force, as a whole and in one step with the overlay over them (see Lay), under a generation that is at least the
// one given and higher than the one in force, unless both are the same. What is wrong with them is returned and told as what is wrong with files
// is, and then the policy stays as it was; policy.ErrOverlay is returned only.
// When they have been found good, and before they are in force, keep is called, if it is not nil. Of a File that Give has made only.
func (f *File) Replace(documents []Document, generation uint64, overlay *policy.Overlay, keep func()) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.given {
		return errors.New("replace the policy: it comes from files")
	}
	before := f.hand
	f.hand = slices.Clone(documents)
	if len(documents) == 0 {
		f.hand = before
		return f.failed(errNoPath)
	}
	r := f.read()
	sum, now := r.sum(), f.options.Now()
	set, warnings, err := f.beside(r.compile(now))
	if err != nil {
		f.hand, f.lastSeen = before, sum
		return f.failed(err)
	}
	was := f.overlay
	f.overlay = overlay
	if _, err := f.over(set); err != nil {
		f.hand, f.overlay = before, was
		return err
	}
	if keep != nil {
		keep()
	}
	f.ahead = compiled{sum, set, warnings}
	if sum == f.inForce && !reflect.DeepEqual(overlay, was) { // the same documents are another policy under another overlay
		f.inForce = [sha256.Size]byte{}
	}
	return f.load(true, generation)
}

// InForce returns the documents of the policy in force, in a slice of the caller's own, and the generation with which they came into force.
func (f *File) InForce() (documents []Document, generation uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.loaded.documents), f.loaded.generation
}

// watchMoments is Watch where there is nothing to watch but the clock.
func (f *File) watchMoments(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.options.After(f.untilNext()):
			f.expire()
		}
	}
}
