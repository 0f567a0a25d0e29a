package clients

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Errors of a Pushed.
var (
	// ErrFull: there would be more clients than the configuration allows. Nothing was changed.
	ErrFull = errors.New("clients: there is no room for so many clients; delete some, or raise max")
	// ErrDisk: the file could not be written. Nothing was changed.
	ErrDisk = errors.New("clients: the clients could not be written to their file")
)

// EntryError is what is wrong with one client of a Put or one number of a Delete. All of them come joined; nothing was changed.
type EntryError struct {
	Index   int // from 0
	Message string
}

// Error tells both, and nothing of the client.
func (e *EntryError) Error() string { return fmt.Sprintf("clients[%d]: %s", e.Index, e.Message) }

// maxTold is how many numbers are told of one by one.
const maxTold = 16

// MaxBatch is how many clients one Put may have, and how many numbers one Delete.
const MaxBatch = 10_000

// PushedConfig is a source that a CRM fills itself.
type PushedConfig struct {
	File      string `yaml:"file"`       // where the clients are kept; made when it is not there. Nobody else writes it
	TokenFile string `yaml:"token_file"` // a file that holds the token by which the CRM is known, alone; none: nobody is believed
	Max       int    `yaml:"max"`        // how many there may be; 100000
}

// Pushed is a Source that a CRM fills by Put and Delete. What it says is written to a file before it counts, and there again after a
// restart. Of what was not pushed it says Stranger. It is safe for concurrent use. Make it with OpenPushed and close it.
type Pushed struct {
	name   string
	region string
	config PushedConfig
	token  atomic.Pointer[string] // nil: nobody has one
	max    int
	env    Environment
	met    sourceMetrics
	lately *recent[string]
	turn   chan struct{} // who holds it writes
	file   *journal      // of whoever writes

	mu      sync.RWMutex // guards what follows, and is never held while something waits
	clients map[string]Client
}

var _ Source = (*Pushed)(nil)

// OpenPushed reads the token, and the file, or makes it. A line that was not written to its end, as a crash leaves it, was never confirmed to anybody
// and is taken away; another fault of the file is an error with its line.
func OpenPushed(name, region string, c PushedConfig, env Environment) (*Pushed, error) {
	if c.Max == 0 {
		c.Max = standardMax
	}
	p := &Pushed{
		name: name, region: region, config: c, max: c.Max, env: env.complete(), lately: newRecent[string](), turn: make(chan struct{}, 1),
		clients: map[string]Client{},
	}
	p.met = p.env.Metrics.of(name)
	err := p.Reload()
	if err != nil {
		return nil, err
	}
	if p.file, err = openJournal(c.File, p.replay); err != nil {
		return nil, fmt.Errorf("clients: %w", err)
	}
	p.met.holds(len(p.clients))
	return p, nil
}

const standardMax = 100_000

// Find implements [Source]. It waits for no writing.
func (p *Pushed) Find(number string) (Client, Answer) {
	var buf [maxNumber]byte
	clean, ok := squeeze(buf[:0], number)
	if !ok {
		return Client{}, p.met.told(Stranger)
	}
	p.mu.RLock()
	c, ok := p.clients[string(clean)]
	p.mu.RUnlock()
	if !ok && (clean[0] == '+' || len(clean) > maxShort) {
		normal := p.lately.get(clean, p.normal)
		p.mu.RLock()
		c, ok = p.clients[normal]
		p.mu.RUnlock()
	}
	if !ok {
		return Client{}, p.met.told(Stranger)
	}
	return c, p.met.told(Found)
}

func (p *Pushed) normal(clean string) string {
	normal, _ := normalise(clean, p.region)
	return normal
}

// Len returns the number of clients.
func (p *Pushed) Len() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.clients)
}

// Put puts clients, each in the place of the one that has his number, all or none. When it returns nil they are on the disk, and Find
// answers by them. A number may have any form; to put the same again changes and writes nothing. The error joins an *[EntryError] for
// each client that cannot be taken, or is ErrFull, ErrDisk or that of ctx.
func (p *Pushed) Put(ctx context.Context, list []Client) error {
	c, err := p.Putting(list)
	if err == nil {
		_, err = c.Do(ctx)
	}
	return err
}

// Delete deletes the clients with these numbers, all or none; one that is not there is no error. For the rest it is as Put.
func (p *Pushed) Delete(ctx context.Context, numbers []string) error {
	c, err := p.Deleting(numbers)
	if err == nil {
		_, err = c.Do(ctx)
	}
	return err
}

// Change is a Put or Delete that has been checked and not been done.
type Change struct {
	of *Pushed
	batch
}

// Counts are what a Change has changed.
type Counts struct {
	Added, Changed int // clients that were put
	Deleted        int
	Unchanged      int // clients that were put and there already as they are, numbers to delete that were not there
	Total          int // clients that are there now
}

// Putting checks clients that are to be put, and changes nothing. The error joins an *[EntryError] for each that cannot be taken.
func (p *Pushed) Putting(list []Client) (Change, error) {
	list, err := p.check(list)
	return Change{p, batch{put: list}}, err
}

// Deleting checks numbers whose clients are to be deleted, as Putting does. A number that is there twice counts once.
func (p *Pushed) Deleting(numbers []string) (Change, error) {
	if len(numbers) > MaxBatch {
		return Change{}, &EntryError{MaxBatch, fmt.Sprintf("at most %d at a time", MaxBatch)}
	}
	b := batch{remove: make([]string, 0, len(numbers))}
	var errs []error
	for i, told := range numbers {
		number, ok := Normalise(told, p.region)
		if !ok {
			errs = append(errs, &EntryError{i, p.noNumber(told)})
			continue
		}
		b.remove = append(b.remove, number)
	}
	slices.Sort(b.remove)
	b.remove = slices.Compact(b.remove)
	return Change{p, b}, errors.Join(errs...)
}

// Do does it, all or nothing. When it returns nil it is on the disk, and Find answers by it. The error is ErrFull, ErrDisk or that of ctx.
// Call it once.
func (c Change) Do(ctx context.Context) (Counts, error) { return c.of.write(ctx, c.batch) }

func (p *Pushed) noNumber(told string) string {
	if p.region == "" && !strings.HasPrefix(told, "+") {
		return "the number has no country code and no region is given; send it with +"
	}
	return "this is no possible telephone number"
}

// check returns the clients in the form in which they are held.
func (p *Pushed) check(list []Client) ([]Client, error) {
	if len(list) > MaxBatch {
		return nil, &EntryError{MaxBatch, fmt.Sprintf("at most %d at a time", MaxBatch)}
	}
	checked := make([]Client, len(list))
	first := make(map[string]int, len(list))
	var errs []error
	for i, c := range list {
		message := ""
		number, ok := Normalise(c.Number, p.region)
		before, twice := first[number]
		switch {
		case !ok:
			message = p.noNumber(c.Number)
		case twice:
			message = fmt.Sprintf("clients[%d] has the same number", before)
		case c.Name == "" || !printable(c.Name):
			message = fmt.Sprintf("a name has 1 to %d bytes, all printable", maxText)
		case len(c.Access) > maxAccess:
			message = fmt.Sprintf("at most %d have access", maxAccess)
		case c.Responsible != "" && !p.employee(c.Responsible):
			message = "responsible is no employee's id in the policy; add the employee there first, or leave it empty"
		case slices.ContainsFunc(c.Access, func(id string) bool { return !p.employee(id) }):
			message = "access has an id that is no employee's in the policy; add the employee there first, or leave the id out"
		}
		if message != "" {
			errs = append(errs, &EntryError{i, message})
			continue
		}
		first[number] = i
		checked[i] = Client{Number: number, Name: c.Name, Responsible: c.Responsible}
		for _, id := range c.Access {
			checked[i].Access = addAccess(checked[i].Access, id, c.Responsible)
		}
	}
	return checked, errors.Join(errs...)
}

func (p *Pushed) employee(id string) bool { return id != "" && printable(id) && p.env.Known(id) }

// write writes what of a batch changes anything, and then has it counted.
func (p *Pushed) write(ctx context.Context, b batch) (Counts, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return Counts{}, context.Cause(ctx)
	}
	if err := ctx.Err(); err != nil {
		return Counts{}, err
	}
	// Nobody else writes the map, so it can be read without the lock.
	asked, n := len(b.put)+len(b.remove), Counts{}
	b.put = slices.DeleteFunc(b.put, func(c Client) bool {
		old, there := p.clients[c.Number]
		switch {
		case !there:
			n.Added++
		case same(old, c):
			return true
		default:
			n.Changed++
		}
		return false
	})
	b.remove = slices.DeleteFunc(b.remove, func(number string) bool { _, there := p.clients[number]; return !there })
	n.Deleted = len(b.remove)
	n.Unchanged = asked - len(b.put) - len(b.remove)
	n.Total = len(p.clients) + n.Added - n.Deleted
	if n.Unchanged == asked {
		return n, nil
	}
	if len(p.clients)+n.Added > p.max {
		return Counts{}, ErrFull
	}
	if err := p.file.append(b); err != nil {
		return Counts{}, fmt.Errorf("%w: %w", ErrDisk, err)
	}
	p.mu.Lock()
	p.apply(b)
	p.mu.Unlock()
	p.met.holds(len(p.clients))
	p.file.compact(p.clients) // what it cannot do now it does after another batch
	p.tell(b)
	return n, nil
}

// tell tells of a batch: of a large one at once, since whoever is told looks at all calls again.
func (p *Pushed) tell(b batch) {
	if len(b.put)+len(b.remove) > maxTold {
		p.env.OnChange("")
		return
	}
	for _, c := range b.put {
		p.env.OnChange(c.Number)
	}
	for _, number := range b.remove {
		p.env.OnChange(number)
	}
}

func same(a, b Client) bool {
	return a.Number == b.Number && a.Name == b.Name && a.Responsible == b.Responsible && slices.Equal(a.Access, b.Access)
}

func (p *Pushed) apply(b batch) {
	for _, number := range b.remove {
		delete(p.clients, number)
	}
	for _, c := range b.put {
		p.clients[c.Number] = c
	}
}

// replay takes a batch of the file, which was checked when it was written; employees may have left since.
func (p *Pushed) replay(b batch) error {
	for _, c := range b.put {
		if normal, ok := Normalise(c.Number, ""); !ok || normal != c.Number || c.Name == "" || !printable(c.Name) || !printable(c.Responsible) ||
			len(c.Access) > maxAccess || slices.ContainsFunc(c.Access, func(id string) bool { return !printable(id) }) {
			return errors.New("this is no client as Earshot writes him")
		}
	}
	p.apply(b)
	if len(p.clients) > p.max {
		return fmt.Errorf("there are more than %d clients; raise max", p.max)
	}
	return nil
}

// Close closes the file; a Put or Delete after it fails.
func (p *Pushed) Close() error {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	return p.file.close()
}
