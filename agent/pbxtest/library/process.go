package library

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/child"
)

// Said is one line of a driver.
type Said struct {
	Say    string         // in, refused, out, event, answer, left
	Why    string         // of refused, left and an answer that is none: the library's words
	ID     string         // of an answer: the order's
	OK     bool           // of an answer: whether it is a success, as the library tells its caller, or by the answer's own word where it does not judge
	Fields map[string]any // of an event and an answer
	Rows   []map[string]any
}

// Process is a library that runs and is, or will be, connected. It is safe for concurrent use.
type Process struct {
	Library Library

	child  *child.Process
	orders *os.File
	errors string // the file to which it complains

	mu      sync.Mutex
	asked   int
	said    []Said
	text    strings.Builder // as it came
	changed chan struct{}   // closed when more was said
	over    error
	reading sync.WaitGroup
}

// Start starts a library. It is connected to nothing yet. Whoever starts it closes it.
func (in *Installation) Start(ctx context.Context, l Library) (*Process, error) {
	cmd, err := in.command(context.WithoutCancel(ctx), &l)
	if err != nil {
		return nil, err
	}
	return Run(l, cmd, in.scratch)
}

// Run starts a library by a command that reads and says what the drivers do; dir is where its complaints are kept.
func Run(l Library, cmd *exec.Cmd, dir string) (*Process, error) {
	complaints, err := os.CreateTemp(dir, "errors-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = complaints.Close() }()
	theirs, orders, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }()
	answers, said, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, orders.Close())
	}
	defer func() { _ = said.Close() }()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, said, complaints
	p := &Process{Library: l, orders: orders, errors: complaints.Name(), changed: make(chan struct{})}
	if p.child, err = child.Start(cmd); err != nil {
		return nil, errors.Join(err, orders.Close(), answers.Close())
	}
	p.reading.Go(func() { p.read(answers) })
	return p, nil
}

// read takes in what the driver says until it ends.
func (p *Process) read(from *os.File) {
	defer func() { _ = from.Close() }()
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s Said
		if json.Unmarshal(lines.Bytes(), &s) != nil || s.Say == "" {
			continue // what the library itself prints
		}
		p.mu.Lock()
		p.said = append(p.said, s)
		p.text.Write(lines.Bytes())
		p.text.WriteByte('\n')
		p.tell()
		p.mu.Unlock()
	}
	<-p.child.Done()
	p.mu.Lock()
	p.over = errors.Join(errors.New("the program has ended"), p.child.Err(), lines.Err())
	p.tell()
	p.mu.Unlock()
}

// tell wakes who waits; p.mu is held.
func (p *Process) tell() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// order gives the driver an order.
func (p *Process) order(do string, with map[string]any) error {
	o := map[string]any{"do": do}
	maps.Copy(o, with)
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = p.orders.Write(append(line, '\n'))
	return err
}

// Refused is a log-in that was refused, in the library's words.
type Refused struct{ Why string }

// Error gives the words.
func (r *Refused) Error() string { return "log-in refused: " + r.Why }

// Connect has the library log in; a *Refused is the answer no. It may be called once.
func (p *Process) Connect(ctx context.Context, with map[string]any) error {
	if err := p.order("connect", with); err != nil {
		return err
	}
	s, err := p.Wait(ctx, 0, "it is logged in", func(s *Said) bool { return s.Say == "in" || s.Say == "refused" })
	if err == nil && s.Say == "refused" {
		err = &Refused{s.Why}
	}
	return err
}

// Ask gives an order that is answered, and waits for what the library hands over as its answer; what says in an error what is waited for.
func (p *Process) Ask(ctx context.Context, do, what string, with map[string]any) (Said, error) {
	p.mu.Lock()
	p.asked++
	id, from := "earshot-"+strconv.Itoa(p.asked), Seen(len(p.said))
	p.mu.Unlock()
	o := map[string]any{"id": id}
	maps.Copy(o, with)
	if err := p.order(do, o); err != nil {
		return Said{}, err
	}
	return p.Wait(ctx, from, what+" is answered", func(s *Said) bool { return s.Say == "answer" && s.ID == id })
}

// Leave has the library log off and returns the word by which it was let go.
func (p *Process) Leave(ctx context.Context) (string, error) {
	if err := p.order("leave", nil); err != nil {
		return "", err
	}
	s, err := p.Wait(ctx, 0, "it has logged off", func(s *Said) bool { return s.Say == "left" })
	return s.Why, err
}

// Seen is a place in what the library has handed over.
type Seen int

// Seen is how much there is now.
func (p *Process) Seen() Seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Seen(len(p.said))
}

// Said is what was said since then.
func (p *Process) Said(since Seen) []Said {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.said[since:])
}

// Text is all that the library has handed over, as JSON.
func (p *Process) Text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// Wait waits until something was said that fits, since then.
func (p *Process) Wait(ctx context.Context, since Seen, what string, fits func(*Said) bool) (Said, error) {
	for i := int(since); ; {
		p.mu.Lock()
		for ; i < len(p.said); i++ {
			if s := p.said[i]; fits(&s) {
				p.mu.Unlock()
				return s, nil
			}
		}
		changed, over := p.changed, p.over
		p.mu.Unlock()
		if over != nil {
			return Said{}, p.fault(what, over)
		}
		select {
		case <-ctx.Done():
			return Said{}, p.fault(what, ctx.Err())
		case <-changed:
		}
	}
}

// fault is an error with the end of what the driver complained of.
func (p *Process) fault(what string, err error) error {
	complaints, _ := os.ReadFile(p.errors)
	p.mu.Lock()
	defer p.mu.Unlock()
	end := func(s string) string { return s[max(0, len(s)-3000):] }
	return fmt.Errorf("%s: wait until %s: %w; it said last:\n%s\nand complained:\n%s", p.Library.Name, what, err, end(p.text.String()), end(string(complaints)))
}

// Close ends the program.
func (p *Process) Close() error {
	err := errors.Join(p.orders.Close(), p.child.Stop(3*time.Second))
	p.reading.Wait()
	return err
}
