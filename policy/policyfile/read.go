package policyfile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/policy"
)

// maxTries bounds how often files are read again because they changed meanwhile.
const maxTries = 5

var (
	errNoPath   = unreadable(errors.New("no file or folder is named"))
	errUnstable = unreadable(errors.New("its files change while they are read"))
)

func unreadable(err error) error { return fmt.Errorf("read the policy: %w", err) }

// Read reads and parses the policy files that the paths lead to, each a file or a folder (see [Open]). Every file is read once, however
// often it is reached. The error joins what cannot be read; mistakes in a file are in the [policy.File], for Compile to report.
func Read(paths []string) ([]*policy.File, error) {
	r := read(paths)
	if len(r.errs) > 0 {
		return nil, errors.Join(r.errs...)
	}
	files, _ := r.parse()
	return files, nil
}

// Load is Read and [policy.Compile], as of the moment at. The error has every mistake in every file that can be read, as
// [policy.Problem], beside what cannot be read. What the files say about each other is judged only when all can be read.
func Load(paths []string, at time.Time) (*policy.Set, policy.Problems, error) {
	return read(paths).compile(at)
}

// reading is what the files held at one moment.
type reading struct {
	files []document
	errs  []error
	infos map[string]os.FileInfo // of each file, by name; none of what was given
}

type document struct {
	name string
	data []byte
}

// read reads the files, or what was given in their place. The caller holds mu when it was given.
func (f *File) read() *reading {
	if !f.given {
		return read(f.paths)
	}
	r := new(reading)
	for _, d := range f.hand {
		r.files = append(r.files, document{d.Name, []byte(d.Text)})
	}
	return r
}

// look is read for who does not hold mu.
func (f *File) look() *reading {
	if f.given {
		f.mu.Lock()
		defer f.mu.Unlock()
	}
	return f.read()
}

// edition is the sum over the texts, by whatever names the files go.
func (r *reading) edition() string {
	h := sha256.New()
	for _, f := range r.files {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(f.data))))
		_, _ = h.Write(f.data)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func (r *reading) documents() []Document {
	all := make([]Document, len(r.files))
	for i, f := range r.files {
		all[i] = Document{f.name, string(f.data)}
	}
	return all
}

// read reads the files of one moment. Kubernetes replaces all files at once, by turning one link; read while it does, some would be
// of the old policy and some of the new one. So it is taken only when they are the same before and after.
func read(paths []string) *reading {
	if len(paths) == 0 {
		return &reading{errs: []error{errNoPath}}
	}
	before := walk(paths, nil)
	for range maxTries {
		r := before.read()
		after := walk(paths, nil)
		if before.same(after) {
			return r
		}
		before = after
	}
	return &reading{errs: []error{errUnstable}}
}

func (t *tree) read() *reading {
	r := &reading{files: make([]document, 0, len(t.files)), errs: slices.Clone(t.errs), infos: make(map[string]os.FileInfo, len(t.files))}
	for _, f := range t.files {
		r.infos[f.name] = f.info
		data, err := os.ReadFile(f.name)
		if err != nil {
			r.errs = append(r.errs, unreadable(err))
			continue
		}
		r.files = append(r.files, document{f.name, data})
	}
	return r
}

// sum is the same for two readings that have the same names and contents, and the same errors.
func (r *reading) sum() [sha256.Size]byte {
	h := sha256.New()
	add := func(data []byte) { // with its length, so that nothing can pass from one to the next
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(data))))
		_, _ = h.Write(data)
	}
	for _, f := range r.files {
		add([]byte(f.name))
		add(f.data)
	}
	for _, err := range r.errs {
		add([]byte(err.Error()))
	}
	// What was written is pairs and then errors, so the number of pairs tells them apart.
	_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(r.files))))
	return [sha256.Size]byte(h.Sum(nil))
}

// sums are of each file by its name.
func (r *reading) sums() map[string][sha256.Size]byte {
	all := make(map[string][sha256.Size]byte, len(r.files))
	for _, f := range r.files {
		all[f.name] = sha256.Sum256(f.data)
	}
	return all
}

// parse returns the files with the mistakes of each by itself.
func (r *reading) parse() (files []*policy.File, mistakes []error) {
	for _, f := range r.files {
		file, err := policy.Parse(f.name, f.data)
		files = append(files, file)
		if err != nil {
			mistakes = append(mistakes, err)
		}
	}
	return files, mistakes
}

func (r *reading) compile(at time.Time) (*policy.Set, policy.Problems, error) {
	files, mistakes := r.parse()
	if len(r.errs) > 0 { // what refers to the files that are missing is no mistake
		return nil, nil, errors.Join(slices.Concat(r.errs, mistakes)...)
	}
	return policy.Compile(at, files...)
}
