// Package policyfile keeps the policy that is written in files and folders in force: it loads it, follows its changes and hands out the
// compiled Set.
//
// The one invariant: a broken, missing or half-written set of files never changes a decision. The last good policy stays in force until a
// good one takes its place in one step, and Open fails when there is none to begin with.
package policyfile

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-pbx/earshot/policy"
)

const (
	// DefaultDebounce is how long the files must be left alone before they are read again, so that a save of several is one change.
	DefaultDebounce = 20 * time.Millisecond
	// DefaultInPlace is how long a file must be left alone that is written where it stands, or is new, where the system has not told that its writer has
	// closed it. Its beginning may be a policy too, without the exceptions behind it, and who copies it here over a network pauses. What is put in the
	// place of a file in one step is whole.
	DefaultInPlace = 500 * time.Millisecond
	// DefaultPoll is how often the files are looked at although nothing was heard of a change: a bind mount or a network
	// file system may tell nothing, and the clock may have been set.
	DefaultPoll = 10 * time.Second
)

// Options of a File. The zero value is good.
type Options struct {
	Debounce time.Duration // DefaultDebounce if zero
	InPlace  time.Duration // DefaultInPlace if zero
	Poll     time.Duration // DefaultPoll if zero

	// OnChange is told of each attempt to load after Open: the Set now in force, and what was wrong with the files, in which case
	// the Set is the one in force before. It is called in the order of the attempts and holds up the next one, so it
	// must be quick and must not call Reload. May be nil.
	OnChange func(*policy.Set, error)

	// Overlay says that an overlay is laid over the policy, see Lay. Until one is, it is not known, which is as policy.Set.Over has it.
	Overlay bool

	// Number, if not nil, is the least generation that the next policy from files may have: by it the generations of several Earshots,
	// and of one that was started again, may be compared. That goes for the number with which a policy comes into force only: each overlay that is laid
	// over it, and each right that begins or ends by the clock, adds one where that happens, so a number above it is of this Earshot alone. Whether two
	// have the same texts in force policy.Set.Edition tells.
	Number func() uint64

	// PBX is the name of the PBX beside which the policy decides, "" for one that has none: each Set is for it, as Set.Beside makes it, and what
	// Set.PBXWarnings says of that is among the warnings of the Status.
	PBX string

	// Now and After are the clock by which assignments end; those of package time if nil.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// A File is a policy in its files, with the Set in force. Safe for concurrent use.
type File struct {
	paths   []string // absolute; none when given
	given   bool     // see Give
	options Options

	set    atomic.Pointer[policy.Set] // never nil
	status atomic.Pointer[Status]     // never nil

	mu       sync.Mutex // held for a load or a change of the moment, so that they come one after the other
	inForce  [sha256.Size]byte
	lastSeen [sha256.Size]byte            // of the last attempt, good or not, and with what could not be read
	ahead    compiled                     // of files that are still being waited for
	holds    map[string][sha256.Size]byte // of each file of the policy in force, by name
	loaded   edition                      // what is in force
	hand     []Document                   // what was given last
	overlay  *policy.Overlay              // nil: not known, or none is wanted
	told     chan struct{}                // closed at the next load, when its outcome has been told

	looked  map[string]os.FileInfo // the files of the last attempt, by name
	growing map[string]growth      // those that were written in place since, by name
	since   time.Time              // that they are waited for

	editing  sync.Mutex                   // held for an edit, so that they come one after the other; taken before mu
	patience time.Duration                // how long an edit waits until it is in force
	put      func(*os.File, []byte) error // writes a file's bytes; for tests of a disk that is full
}

// Status tells how the files fare. It is a copy.
type Status struct {
	Generation uint64    // of the Set in force, from 1; it rises when another policy comes into force
	LoadedAt   time.Time // when the Set in force was loaded
	CheckedAt  time.Time // when the files were last found good or bad
	LastError  error     // what is wrong with the files now, nil when they are the policy in force
	Warnings   policy.Problems
}

// Open loads the policy from the paths, each a file or a folder. A folder means every *.yaml and *.yml in it and below it, through links
// too, without those whose name, or whose folder's name, begins with a dot, and without decision tests (*.test.yaml, *.test.yml); when there
// is none it is an error, and so is a link in it that leads nowhere. A file that is reached twice is read once. Messages name a file by the
// absolute path that led to it. Without a good policy there is no File.
func Open(paths []string, options Options) (*File, error) {
	f := options.file()
	for _, path := range paths {
		path, err := filepath.Abs(path) // a later change of the working directory must not change the policy
		if err != nil {
			return nil, unreadable(err)
		}
		f.paths = append(f.paths, path)
	}
	if err := f.first(f.read(), 0); err != nil {
		return nil, err
	}
	return f, nil
}

// first puts the first policy in force, under a generation of at least least.
func (f *File) first(r *reading, least uint64) error {
	now := f.options.Now()
	set, warnings, err := f.beside(r.compile(now))
	if err != nil {
		return err
	}
	if set, err = f.over(set); err != nil {
		return err
	}
	generation := max(1, least, f.number())
	f.looked = r.infos
	f.inForce = r.sum()
	f.lastSeen, f.holds, f.loaded = f.inForce, r.sums(), edition{r.documents(), generation}
	f.set.Store(set.WithGeneration(generation).WithEdition(r.edition()))
	f.status.Store(&Status{Generation: generation, LoadedAt: now, CheckedAt: now, Warnings: warnings})
	return nil
}

func (f *File) number() uint64 {
	if f.options.Number == nil {
		return 0
	}
	return f.options.Number()
}

// file makes a File that has no policy yet.
func (o Options) file() *File {
	if o.Debounce <= 0 {
		o.Debounce = DefaultDebounce
	}
	if o.InPlace <= 0 {
		o.InPlace = DefaultInPlace
	}
	if o.Poll <= 0 {
		o.Poll = DefaultPoll
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.After == nil {
		o.After = time.After
	}
	return &File{options: o, told: make(chan struct{}), patience: editPatience, put: put}
}

// Paths returns the absolute paths of the files and folders, in a slice of the caller's own.
func (f *File) Paths() []string { return slices.Clone(f.paths) }

// Current returns the policy in force. It takes no lock and is never nil.
func (f *File) Current() *policy.Set { return f.set.Load() }

// Status returns how the files fare.
func (f *File) Status() Status { return *f.status.Load() }

// Reload reads the files now, whether or not they seem to have changed, and returns what is wrong with them. The same files with
// the same bytes as the policy in force keep the generation.
func (f *File) Reload() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expireLocked()
	return f.load(true, 0)
}

// load reads the files and puts them in force, under a generation of at least least. Unless forced it does nothing when they are as at the last
// attempt. The caller holds mu.
func (f *File) load(forced bool, least uint64) error {
	r := f.read()
	f.looked = r.infos
	sum := r.sum()
	if sum == f.lastSeen && !forced {
		return nil
	}
	f.lastSeen = sum
	defer f.tell()
	now := f.options.Now()
	status := f.Status()
	status.CheckedAt, status.LastError = now, nil
	set := f.Current()
	if sum != f.inForce {
		next, warnings, err := f.compile(r, sum, now)
		if err == nil {
			next, err = f.over(next)
		}
		if err != nil {
			return f.failed(err)
		}
		status.Generation = max(status.Generation+1, least, f.number())
		status.LoadedAt, status.Warnings = now, warnings
		f.inForce, f.holds, set = sum, r.sums(), next.WithGeneration(status.Generation).WithEdition(r.edition())
		f.loaded = edition{r.documents(), status.Generation}
	}
	f.publish(set, &status)
	return nil
}

// tell wakes who waits for a load. The caller holds mu.
func (f *File) tell() {
	close(f.told)
	f.told = make(chan struct{})
}

// failed keeps the policy in force and says what is wrong with the files.
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

// expire puts the policy of the present moment in force when something that holds at times only has begun or ended since, or would have: the
// clock may have been set back.
func (f *File) expire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expireLocked()
}

func (f *File) expireLocked() {
	now, set := f.options.Now(), f.Current()
	next, ends := set.NextChange()
	if !now.Before(set.Moment()) && (!ends || now.Before(next)) {
		return
	}
	if set.Holds(now) {
		f.set.Store(set.At(now)) // which knows when it may change next
		return
	}
	status := f.Status()
	status.Generation++
	f.set.Store(set.At(now).WithGeneration(status.Generation))
	f.status.Store(&status)
	if f.options.OnChange != nil {
		f.options.OnChange(f.Current(), status.LastError)
	}
}
