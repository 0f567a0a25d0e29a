package clients

import (
	"fmt"
	"iter"
	"os"
	"sync"
	"sync/atomic"

	"github.com/earshot-pbx/earshot/agent/strict"
)

// Options are what Open needs beside the path. The zero value is ready for use.
type Options struct {
	// Region is how numbers without a country code are read when the file does not say it ("RU", ISO 3166). When neither does,
	// only numbers with a plus and short ones can stand in the file.
	Region string
}

// Directory is a Source from a file: of what it does not hold it says Stranger. It is safe for concurrent use. The zero Directory is empty and ready for use.
type Directory struct {
	path    string
	parse   func(name string, data []byte) (*book, error)
	mu      sync.Mutex // one Reload at a time
	book    atomic.Pointer[book]
	failure atomic.Pointer[error]
}

var _ Source = (*Directory)(nil)

// Open reads the directory's file.
func Open(path string, o Options) (*Directory, error) {
	return open(path, func(name string, data []byte) (*book, error) { return parse(name, data, o) })
}

func open(path string, parse func(name string, data []byte) (*book, error)) (*Directory, error) {
	d := &Directory{path: path, parse: parse}
	b, err := d.load()
	if err != nil {
		return nil, err
	}
	d.book.Store(b)
	return d, nil
}

// Parse makes a directory of a file's text. Name stands in the errors, which are all reported at once, each a *[FileError]. Reload
// leaves such a directory as it is.
//
//	region: RU                     # optional; how numbers without a country code are read
//	clients:
//	  - number: "+7 916 123-45-67" # in quotes
//	    name: Acme
//	    responsible: anna          # optional; an employee's id as in the policy
//	    access: [boris, vera]      # optional; who else has access to him
//
// The list may also stand alone, without region and clients.
func Parse(name string, data []byte, o Options) (*Directory, error) {
	b, err := parse(name, data, o)
	if err != nil {
		return nil, err
	}
	d := new(Directory)
	d.book.Store(b)
	return d, nil
}

// Lookup returns the client with that number, in whatever form the PBX tells it. It takes no lock; for a number that is in E.164 or
// was asked for lately it allocates nothing.
func (d *Directory) Lookup(number string) (Client, bool) {
	b := d.book.Load()
	if b == nil {
		return Client{}, false
	}
	return b.lookup(number)
}

// Find implements [Source]. It costs what Lookup costs.
func (d *Directory) Find(number string) (Client, Answer) {
	if c, ok := d.Lookup(number); ok {
		return c, Found
	}
	return Client{}, Stranger
}

// Reload reads the file again. When it cannot be used, what was loaded before stays in force and the error is returned, and by Err
// until a Reload succeeds.
func (d *Directory) Reload() error {
	if d.path == "" {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	b, err := d.load()
	if err != nil {
		d.failure.Store(&err)
		return err
	}
	d.book.Store(b)
	d.failure.Store(nil)
	return nil
}

// Err returns why the last Reload failed; nil when what is in force is what the file says.
func (d *Directory) Err() error {
	if err := d.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Path is the file that it was opened from; empty when there is none.
func (d *Directory) Path() string { return d.path }

// Len returns the number of clients.
func (d *Directory) Len() int {
	if b := d.book.Load(); b != nil {
		return len(b.clients)
	}
	return 0
}

// All yields the clients in the file's order.
func (d *Directory) All() iter.Seq[Client] {
	b := d.book.Load()
	return func(yield func(Client) bool) {
		if b == nil {
			return
		}
		for _, c := range b.clients {
			if !yield(c) {
				return
			}
		}
	}
}

// Region returns the region by which the directory reads numbers; empty when none was given.
func (d *Directory) Region() string {
	if b := d.book.Load(); b != nil {
		return b.region
	}
	return ""
}

const maxFile = 256 << 20

func (d *Directory) load() (*book, error) {
	f, err := os.Open(d.path)
	if err != nil {
		return nil, fmt.Errorf("clients: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := strict.ReadAll(f, maxFile)
	if err != nil {
		return nil, fmt.Errorf("clients: %s: %w", d.path, err)
	}
	return d.parse(d.path, data)
}
