package clients

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Sources are several sources in an order of precedence: the first that has a number says whose it is. One that does not know, because it
// did not answer, is not passed over: then nothing is known of the number, since what a later source says could be what the earlier
// one takes away. So a source that is down never makes another grant more than the whole directory would; what must work without the
// CRM stands before it. It is safe for concurrent use. The zero value has no sources: everybody is a stranger.
type Sources struct {
	list      []Source
	numbering Numbering
	env       Environment
	pushed    *Pushed
	remotes   map[string]*Remote
	files     []File
}

// File is a file that Sources read, and what reads it anew. When it cannot be used, what was read before stays in use and the error says
// why.
type File struct {
	Path   string
	Reload func() error
}

var _ Source = (*Sources)(nil)

// ErrNoSource means that there is no source of that name or sort.
var ErrNoSource = errors.New("clients: no such source")

// New opens the sources of a configuration. It opens no connection. What is wrong is told all at once.
func New(c Config, env Environment) (*Sources, error) {
	s := &Sources{numbering: Numbering{Prefixes: c.Prefixes}, env: env.complete(), remotes: map[string]*Remote{}}
	var errs []error
	for _, f := range c.Faults() {
		errs = append(errs, f)
	}
	if len(errs) == 0 {
		s.numbering.Region = c.region()
		for i := range c.Sources {
			errs = append(errs, s.open(&c.Sources[i]))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Sources) open(c *SourceConfig) error {
	region := s.numbering.Region
	switch {
	case c.HTTP.used():
		r, err := NewRemote(c.Name, region, c.HTTP, s.env)
		if err != nil {
			return err
		}
		s.list = append(s.list, r)
		s.remotes[c.Name] = r
		for _, path := range []string{c.HTTP.URLFile, c.HTTP.HeadersFile, c.HTTP.CAFile, c.HTTP.Webhook.TokenFile} {
			if path != "" {
				s.files = append(s.files, File{path, r.Reload})
			}
		}
	case c.Pushed.File != "":
		p, err := OpenPushed(c.Name, region, c.Pushed, s.env)
		if err != nil {
			return err
		}
		s.list = append(s.list, p)
		s.pushed = p
		if c.Pushed.TokenFile != "" {
			s.files = append(s.files, File{c.Pushed.TokenFile, p.Reload})
		}
	default:
		d, err := c.open(region)
		if err != nil {
			return err
		}
		met := s.env.Metrics.of(c.Name)
		met.holds(d.Len())
		s.list = append(s.list, &counted{d, met})
		s.files = append(s.files, File{d.path, func() error {
			if err := d.Reload(); err != nil {
				return err
			}
			met.holds(d.Len())
			s.env.OnChange("")
			return nil
		}})
	}
	return nil
}

// counted is a Directory whose answers are counted.
type counted struct {
	*Directory
	met sourceMetrics
}

func (c *counted) Find(number string) (Client, Answer) {
	client, a := c.Directory.Find(number)
	return client, c.met.told(a)
}

// Find implements [Source]: Stranger is said of a number when every source says so.
func (s *Sources) Find(number string) (Client, Answer) {
	for _, source := range s.list {
		if c, a := source.Find(number); a != Stranger {
			return c, a
		}
	}
	return Client{}, Stranger
}

// Lookup is Find for those to whom it is all one why there is no client.
func (s *Sources) Lookup(number string) (Client, bool) {
	c, a := s.Find(number)
	return c, a == Found
}

// Numbering is how the company dials.
func (s *Sources) Numbering() Numbering { return s.numbering }

// Pushed is the source that takes what a CRM pushes; nil when there is none.
func (s *Sources) Pushed() *Pushed { return s.pushed }

// Hook gives a webhook's body to the source of that name: see [Remote.Hook]. The error is ErrNoSource when there is none.
func (s *Sources) Hook(ctx context.Context, source, contentType string, body []byte) error {
	r := s.remotes[source]
	if r == nil {
		return ErrNoSource
	}
	return r.Hook(ctx, contentType, body)
}

// Files are the files to watch.
func (s *Sources) Files() []File { return s.files }

// Reload reads every file anew. Of those that cannot be used, what was read before stays in use.
func (s *Sources) Reload() error {
	var errs []error
	for _, f := range s.files {
		if err := f.Reload(); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Run asks foreign systems until ctx ends, and returns nil. Call it once.
func (s *Sources) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make(chan error, len(s.remotes))
	for _, r := range s.remotes {
		wg.Go(func() { errs <- r.Run(ctx) })
	}
	<-ctx.Done()
	wg.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// Close closes the file of pushed clients, once Run has returned and nobody puts any more.
func (s *Sources) Close() error {
	if s.pushed == nil {
		return nil
	}
	if err := s.pushed.Close(); err != nil {
		return fmt.Errorf("clients: %w", err)
	}
	return nil
}
