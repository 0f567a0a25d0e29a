package clients

import (
	_ "embed" // ConfigExample
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Config is a directory of one or several sources. The zero value has none, so that nobody is a client.
type Config struct {
	Region   string         `yaml:"region"`   // how numbers without a country code are read ("RU", ISO 3166); empty: as the first YAML file that says it
	Prefixes []string       `yaml:"prefixes"` // what the PBX takes off a dialled number: see Numbering
	Sources  []SourceConfig `yaml:"sources"`  // the first that has a number says whose it is
}

// SourceConfig is one source: exactly one of File, CSV, HTTP and Pushed.
type SourceConfig struct {
	Name   string       `yaml:"name"` // in metrics, errors and the webhook's path: lower-case letters, digits, hyphens
	File   string       `yaml:"file"` // YAML
	CSV    CSVFile      `yaml:"csv"`
	HTTP   HTTP         `yaml:"http"`
	Pushed PushedConfig `yaml:"pushed"`
}

// CSVFile is a CSV file as a source.
type CSVFile struct {
	File      string    `yaml:"file"`
	Columns   Columns   `yaml:"columns"`
	Employees Employees `yaml:"employees"`
}

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	Key     string // from Config on: "sources[1].http.url"
	Message string
}

// Error tells both.
func (f *Fault) Error() string { return f.Key + ": " + f.Message }

const maxSources = 16

// Faults are everything that is wrong with a configuration, as far as no file has to be read for it.
func (c *Config) Faults() []*Fault {
	var faults []*Fault
	bad := func(key, format string, args ...any) {
		faults = append(faults, &Fault{key, fmt.Sprintf(format, args...)})
	}
	if c.Region != "" && !knownRegion(c.Region) {
		bad("region", "two capital letters as in ISO 3166 belong here, such as RU or DE")
	}
	for i, p := range c.Prefixes {
		key := fmt.Sprintf("prefixes[%d]", i)
		switch {
		case !isPrefix(p):
			bad(key, "a prefix has 1 to %d of the signs 0123456789*#, such as \"9\" or \"*67\"", maxShort)
		case slices.Contains(c.Prefixes[:i], p):
			bad(key, "this prefix stands there already")
		}
	}
	if len(c.Sources) > maxSources {
		bad("sources", "at most %d", maxSources)
	}
	names, pushed := map[string]bool{}, -1
	files := map[string]bool{}
	for i := range c.Sources {
		s, key := &c.Sources[i], fmt.Sprintf("sources[%d]", i)
		s.faults(func(inner, format string, args ...any) { bad(strings.TrimSuffix(key+"."+inner, "."), format, args...) })
		if names[s.Name] {
			bad(key+".name", "another source has this name")
		}
		names[s.Name] = true
		for _, f := range []string{s.File, s.CSV.File, s.Pushed.File} {
			if f != "" && files[f] {
				bad(key, "another source has this file")
			}
			files[f] = true
		}
		if s.Pushed != (PushedConfig{}) {
			if pushed >= 0 {
				bad(key+".pushed", "sources[%d] takes what is pushed already; there can be one", pushed)
			}
			pushed = i
		}
	}
	return faults
}

func (s *SourceConfig) faults(bad func(key, format string, args ...any)) {
	if s.Name == "" || len(s.Name) > 32 || strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		bad("name", "a name of 1 to 32 lower-case letters, digits and hyphens is required, such as crm")
	}
	csv := s.CSV.File != "" || len(s.CSV.Columns.Number) > 0 || s.CSV.Columns.Name+s.CSV.Columns.Responsible+s.CSV.Columns.Access+s.CSV.Employees.Pattern != "" || s.CSV.Employees.IDs != nil
	n := 0
	for _, there := range []bool{s.File != "", csv, s.HTTP.used(), s.Pushed != (PushedConfig{})} {
		if there {
			n++
		}
	}
	if n != 1 {
		bad("", "exactly one of file, csv, http and pushed is required, and http needs url, url_file or recipe")
		return
	}
	within := func(section string) func(key, format string, args ...any) {
		return func(key, format string, args ...any) { bad(section+"."+key, format, args...) }
	}
	switch {
	case csv:
		if s.CSV.File == "" {
			bad("csv.file", "the path of the file is required")
		}
		if slices.Contains(s.CSV.Columns.Number, "") {
			bad("csv.columns.number", "the name of a column belongs here")
		}
		faultsOfEmployees(s.CSV.Employees, within("csv"))
	case s.HTTP.used():
		s.HTTP.faults(within("http"))
	case s.Pushed != (PushedConfig{}):
		if s.Pushed.File == "" {
			bad("pushed.file", "the path of a file is required, which Earshot makes and writes")
		}
		if s.Pushed.TokenFile == "" {
			bad("pushed.token_file", "the path of a file is required that holds the token by which the CRM is known, alone")
		}
		if s.Pushed.Max < 0 || s.Pushed.Max > 10_000_000 {
			bad("pushed.max", "between 1 and 10000000")
		}
	}
}

// Paths are the places of all file names, so that they can be taken from another folder than the working one.
func (c *Config) Paths() []*string {
	var paths []*string
	for i := range c.Sources {
		s := &c.Sources[i]
		h := &s.HTTP
		paths = append(paths, &s.File, &s.CSV.File, &s.Pushed.File, &s.Pushed.TokenFile, &h.URLFile, &h.HeadersFile, &h.CAFile, &h.Webhook.TokenFile)
	}
	return paths
}

// Check reads every file that the configuration names, as New does, makes none and opens no connection. It returns the directories of files, for
// whoever wants to look at those in them, and all errors joined.
func (c *Config) Check() ([]*Directory, error) {
	var errs []error
	for _, f := range c.Faults() {
		errs = append(errs, f)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	var directories []*Directory
	region := c.region()
	for i := range c.Sources {
		s := &c.Sources[i]
		switch {
		case s.HTTP.used():
			_, err1 := s.HTTP.endpoint(nil)
			_, err2 := s.HTTP.Webhook.read()
			if err := errors.Join(err1, err2); err != nil {
				errs = append(errs, fmt.Errorf("clients: %s: %w", s.Name, err))
			}
		case s.Pushed.File != "":
			if _, err := s.Pushed.readToken(); err != nil {
				errs = append(errs, fmt.Errorf("clients: %s: %w", s.Name, err))
			}
			errs = append(errs, checkJournal(s.Pushed, region))
		default:
			d, err := s.open(region)
			if errs = append(errs, err); err == nil {
				directories = append(directories, d)
			}
		}
	}
	return directories, errors.Join(errs...)
}

// region is how the numbers of all sources are read: Region, or what the first file that says one says, so that it need not be said twice. It
// is the same for the sources above that file: one that could not read a number would pass it over, and one below might grant what it denies.
func (c *Config) region() string {
	if c.Region != "" {
		return c.Region
	}
	for i := range c.Sources {
		if s := &c.Sources[i]; s.File != "" {
			if region := regionOf(s.File); region != "" {
				return region
			}
		}
	}
	return ""
}

// open opens the source when it is a file.
func (s *SourceConfig) open(region string) (*Directory, error) {
	if s.File != "" {
		return Open(s.File, Options{Region: region})
	}
	return OpenCSV(s.CSV.File, CSV{Region: region, Columns: s.CSV.Columns, Employees: s.CSV.Employees})
}

// checkJournal reads a file of pushed clients without changing it. That it is not there yet is no fault.
func checkJournal(c PushedConfig, region string) error {
	f, err := os.Open(c.File)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("clients: %w", err)
	}
	defer func() { _ = f.Close() }()
	if c.Max == 0 {
		c.Max = standardMax
	}
	p := &Pushed{region: region, max: c.Max, clients: map[string]Client{}}
	j := &journal{path: c.File, f: f, check: true}
	if err := j.read(p.replay); err != nil {
		return fmt.Errorf("clients: %s:%w", c.File, err)
	}
	return nil
}

// ConfigExample is a Config as administrators write it, with every key explained.
//
//go:embed example.yaml
var ConfigExample string
