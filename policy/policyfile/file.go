// Package policyfile keeps the policy of a file in force: it loads it, follows its changes and hands out the compiled Set.
//
// The one invariant: a broken or missing file never changes a decision. The last good policy stays in force until a good
// one takes its place in one step, and Open fails when there is none to begin with.
package policyfile

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-pbx/earshot/policy"
)

const (
	// DefaultDebounce is how long the file must be left alone before it is read again.
	DefaultDebounce = 20 * time.Millisecond
	// DefaultPoll is how often the file is looked at although nothing was heard of a change: a bind mount or a network
	// file system may tell nothing, and the clock may have been set.
	DefaultPoll = 10 * time.Second
)

// Options of a File. The zero value is good.
type Options struct {
	Debounce time.Duration // DefaultDebounce if zero
	Poll     time.Duration // DefaultPoll if zero

	// OnChange is told of each attempt to load after Open: the Set now in force, and what was wrong with the file, in which case
	// the Set is the one in force before. It is called in the order of the attempts and holds up the next one, so it
	// must be quick and must not call Reload. May be nil.
	OnChange func(*policy.Set, error)

	// Now and After are the clock by which assignments end; those of package time if nil.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// A File is a policy file with the policy in force. Safe for concurrent use.
type File struct {
	path    string
	options Options

	set    atomic.Pointer[policy.Set] // never nil
	status atomic.Pointer[Status]     // never nil

	mu       sync.Mutex // held for a load or a change of the moment, so that they come one after the other
	inForce  [sha256.Size]byte
	lastSeen [sha256.Size]byte // of the last attempt, good or not
	missing  bool              // the last attempt could not read the file
}

// Status tells how the file fares. It is a copy.
type Status struct {
	Generation uint64    // of the Set in force, from 1; it rises when another policy comes into force
	LoadedAt   time.Time // when the Set in force was loaded
	CheckedAt  time.Time // when the file was last found good or bad
	LastError  error     // what is wrong with the file now, nil when it is the policy in force
	Warnings   policy.Problems
}

// Open loads the policy. Without a good one there is no File.
func Open(path string, options Options) (*File, error) {
	if options.Debounce <= 0 {
		options.Debounce = DefaultDebounce
	}
	if options.Poll <= 0 {
		options.Poll = DefaultPoll
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.After == nil {
		options.After = time.After
	}
	path, err := filepath.Abs(path) // a later change of the working directory must not change the policy
	if err != nil {
		return nil, fmt.Errorf("policy file: %w", err)
	}
	f := &File{path: path, options: options}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("policy file: %w", err)
	}
	now := options.Now()
	set, warnings, err := policy.Load(path, data, now)
	if err != nil {
		return nil, err
	}
	f.inForce = sha256.Sum256(data)
	f.lastSeen = f.inForce
	f.set.Store(set.WithGeneration(1))
	f.status.Store(&Status{Generation: 1, LoadedAt: now, CheckedAt: now, Warnings: warnings})
	return f, nil
}

// Path returns the absolute path of the file.
func (f *File) Path() string { return f.path }

// Current returns the policy in force. It takes no lock and is never nil.
func (f *File) Current() *policy.Set { return f.set.Load() }

// Status returns how the file fares.
func (f *File) Status() Status { return *f.status.Load() }

// Reload reads the file now, whether or not it seems to have changed, and returns what is wrong with it. A file with the
// same bytes as the policy in force keeps the generation.
func (f *File) Reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.load(true)
}

// load reads the file and puts it in force. Unless forced it does nothing when the bytes are those of the last attempt.
// The caller holds mu.
func (f *File) load(forced bool) error {
	data, err := os.ReadFile(f.path)
	if err != nil {
		if f.missing && !forced {
			return nil
		}
		f.missing = true
		return f.failed(fmt.Errorf("policy file: %w", err))
	}
	sum := sha256.Sum256(data)
	if sum == f.lastSeen && !f.missing && !forced {
		return nil
	}
	f.lastSeen, f.missing = sum, false
	now := f.options.Now()
	status := f.Status()
	status.CheckedAt, status.LastError = now, nil
	set := f.Current()
	if sum != f.inForce {
		next, warnings, err := policy.Load(f.path, data, now)
		if err != nil {
			return f.failed(err)
		}
		status.Generation++
		status.LoadedAt, status.Warnings = now, warnings
		f.inForce, set = sum, next.WithGeneration(status.Generation)
	}
	f.publish(set, &status)
	return nil
}

// failed keeps the policy in force and says what is wrong with the file.
func (f *File) failed(err error) error {
	status := f.Status()
	status.CheckedAt, status.LastError = f.options.Now(), err
	f.status.Store(&status)
	if f.options.OnChange != nil {
		f.options.OnChange(f.Current(), err)
	}
	return err
}

// publish puts the Set in force before the status says so: who has read a generation finds its policy.
func (f *File) publish(set *policy.Set, status *Status) {
	f.set.Store(set)
	f.status.Store(status)
	if f.options.OnChange != nil {
		f.options.OnChange(set, nil)
	}
}

// expire puts the policy of the present moment in force when an assignment has ended since.
func (f *File) expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.options.Now()
	next, ends := f.Current().NextChange()
	if !ends || now.Before(next) {
		return
	}
	status := f.Status()
	status.Generation++
	f.set.Store(f.Current().At(now).WithGeneration(status.Generation))
	f.status.Store(&status)
	if f.options.OnChange != nil {
		f.options.OnChange(f.Current(), status.LastError)
	}
}
