package policyfile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// editPatience is how long an edit waits for the watch to put it in force.
const editPatience = 3 * time.Second

// Why an employee's entry is not edited. Nothing was changed then. Beside them an edit fails with policy.Problems, which say what is wrong with the
// policy as it would be, or is.
var (
	ErrNoEmployee = errors.New("the policy's files have no such employee")
	ErrChanged    = errors.New("the policy's files have changed since they were looked at")
	ErrBroken     = errors.New("the policy's files are broken as they stand")
	ErrReadOnly   = errors.New("the policy file may not be written")
	ErrUnwritten  = errors.New("the policy file could not be written")
)

// An UnsafeError says why an entry, as it is written, cannot be edited without the danger of spoiling it, and what to do about that.
type UnsafeError struct{ Reason string }

// Error says why.
func (e *UnsafeError) Error() string { return "edit the policy: " + e.Reason }

func unsafe(reason string) error { return &UnsafeError{reason} }

// A BadValueError is told of a value that the language has no form for: a number, or nothing.
type BadValueError struct{}

func (*BadValueError) Error() string {
	return "edit the policy: a value is true, false, text, a list or a map; numbers and dates are text"
}

// An Entry is an employee as the files have him.
type Entry struct {
	ID   string
	File string // that holds his entry, and the line where it begins
	Line int
	// Values are what stands under each key, in the form of JSON: true, false, text, []any or map[string]any; a date is text. They are the caller's own.
	Values map[string]any
	Groups []string // that name him, in the order of the files
	// Tag is of all files of the policy, and another one as soon as a byte of them changes.
	Tag string
	// InForce reports whether the policy in force has that file as it is. Otherwise it will as soon as the files are read again, if they are good then.
	InForce bool
}

// Employee looks an employee up in the files as they are now, be they in force or not. The error is ErrNoEmployee, or ErrBroken with what is wrong.
func (f *File) Employee(id string) (*Entry, error) {
	r := f.look()
	if _, _, err := r.compile(f.options.Now()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	at, err := r.find(id)
	if err != nil {
		return nil, err
	}
	e := at.entry(r)
	e.InForce, _ = f.has(e.File, sha256.Sum256([]byte(at.data)))
	return e, nil
}

// Edit changes an employee's entry in its file: under each key what it is to be, in the form that Entry has, and nil for a key that is to go. It
// changes nothing else, no comment is lost, and the file is replaced in one step by one of the same mode and owner, once the policy is found good
// as it will be then. The tag has to be that of the files as they are, or it is ErrChanged: whoever writes them between that last look and the
// replacing of the one, which is microseconds later, is overwritten. One edit is done after the other.
//
// It returns when the watch has put the policy in force, or has not for three seconds, or ctx is over; what is written stays.
func (f *File) Edit(ctx context.Context, id, tag string, changes map[string]any) (*Entry, error) {
	if f.given {
		return nil, unsafe("the policy is given by another Earshot: change it there")
	}
	f.editing.Lock()
	defer f.editing.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := f.read()
	if _, _, err := r.compile(f.options.Now()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if r.tag() != tag {
		return nil, ErrChanged
	}
	at, err := r.find(id)
	if err != nil {
		return nil, err
	}
	data, err := at.edit(changes)
	if err != nil {
		return nil, err
	}
	next := &reading{files: slices.Clone(r.files)}
	next.files[at.file].data = data
	if _, _, err := next.compile(f.options.Now()); err != nil {
		return nil, err
	}
	now, err := next.find(id)
	if err == nil {
		err = at.check(now, changes)
	}
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(data, r.files[at.file].data) {
		unchanged := func() error {
			if f.read().tag() != tag {
				return ErrChanged
			}
			return nil
		}
		if err := f.replace(r.files[at.file].name, data, unchanged); err != nil {
			return nil, err
		}
	}
	out := now.entry(next)
	out.InForce = f.await(ctx, out.File, sha256.Sum256(data))
	return out, nil
}

// has reports whether the policy in force has a file with these bytes, and returns what is closed when another may have.
func (f *File) has(name string, sum [sha256.Size]byte) (bool, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.holds[name] == sum, f.told
}

// await waits until the policy in force has a file with these bytes.
func (f *File) await(ctx context.Context, name string, sum [sha256.Size]byte) bool {
	timer := time.NewTimer(f.patience)
	defer timer.Stop()
	for {
		has, told := f.has(name, sum)
		if has {
			return true
		}
		select {
		case <-told:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (r *reading) tag() string {
	sum := r.sum()
	return hex.EncodeToString(sum[:16])
}

// found is where an employee's entry stands.
type found struct {
	id          string
	file        int // its place in the reading
	name, data  string
	root        *yaml.Node
	section     *yaml.Node // the mapping of employees
	key, values *yaml.Node
}

// find finds an employee's entry in files that are good, so that there is one at most.
func (r *reading) find(id string) (*found, error) {
	for i, file := range r.files {
		var doc yaml.Node
		if err := yaml.Unmarshal(file.data, &doc); err != nil || len(doc.Content) == 0 {
			continue // it has been found good, so this cannot be
		}
		employees := under(doc.Content[0], "employees")
		if employees == nil {
			continue
		}
		for j := 0; j+1 < len(employees.Content); j += 2 {
			if employees.Content[j].Value == id {
				return &found{id, i, file.name, string(file.data), doc.Content[0], employees, employees.Content[j], employees.Content[j+1]}, nil
			}
		}
	}
	return nil, ErrNoEmployee
}

// under is the value of a key in a mapping, or nil.
func under(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

func (at *found) entry(r *reading) *Entry {
	e := &Entry{ID: at.id, File: at.name, Line: at.key.Line, Tag: r.tag(), Groups: []string{}}
	e.Values, _ = valueOf(at.values).(map[string]any)
	for _, file := range r.files {
		var doc yaml.Node
		if yaml.Unmarshal(file.data, &doc) != nil || len(doc.Content) == 0 {
			continue
		}
		groups := under(doc.Content[0], "groups")
		for i := 0; groups != nil && i+1 < len(groups.Content); i += 2 {
			if slices.ContainsFunc(groups.Content[i+1].Content, func(n *yaml.Node) bool { return n.Value == at.id }) {
				e.Groups = append(e.Groups, groups.Content[i].Value)
			}
		}
	}
	return e
}

// edit is the file with the changes.
func (at *found) edit(changes map[string]any) ([]byte, error) {
	t, err := newText([]byte(at.data))
	if err != nil {
		return nil, err
	}
	if len(changes) == 0 {
		return t.data, nil
	}
	splices, err := t.splices(at.key, at.values, changes)
	if err != nil {
		return nil, err
	}
	return t.apply(splices)
}

// check holds the file as it will be against what it was: nothing outside the entry differs by a byte, nothing in the entry but what was to be
// changed, and no comment is gone. That the text was cut at the right places is believed by this alone.
func (at *found) check(now *found, changes map[string]any) error {
	spoilt := unsafe("the change would alter something else too; change it in the file")
	was, err1 := newText([]byte(at.data))
	is, err2 := newText([]byte(now.data))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	begin, err1 := was.at(at.key)
	then, err2 := is.at(now.key)
	if errors.Join(err1, err2) != nil || begin != then || at.data[:begin] != now.data[:begin] {
		return spoilt
	}
	// What comes after is the same from the next employee on, or from the next section, or to the end of the file.
	after, now2 := at.after(was), now.after(is)
	if after < 0 || now2 < 0 || at.data[after:] != now.data[now2:] {
		return spoilt
	}
	if !at.wanted(now, changes) {
		return spoilt
	}
	before, err1 := was.comments(begin, after, at.key, at.values)
	since, err2 := is.comments(begin, now2, now.key, now.values)
	slices.Sort(before)
	slices.Sort(since)
	if errors.Join(err1, err2) != nil || !slices.Equal(before, since) {
		return spoilt
	}
	return nil
}

// after is where the node begins that follows the entry in the file, or the end of the file; -1 when it cannot be told.
func (at *found) after(t *text) int {
	next := func(mapping, value *yaml.Node) *yaml.Node {
		if i := slices.Index(mapping.Content, value); i+1 < len(mapping.Content) {
			return mapping.Content[i+1]
		}
		return nil
	}
	n := next(at.section, at.values)
	if n == nil {
		n = next(at.root, at.section)
	}
	if n == nil {
		return len(t.data)
	}
	i, err := t.at(n)
	if err != nil {
		return -1
	}
	return i
}

// wanted reports whether the entry is what it was with the changes, those keys that stay being in their order.
func (at *found) wanted(now *found, changes map[string]any) bool {
	values, _ := valueOf(at.values).(map[string]any)
	var keys []string
	for i := 0; i+1 < len(at.values.Content); i += 2 {
		key := at.values.Content[i].Value
		if v, changed := changes[key]; changed && v == nil {
			delete(values, key)
			continue
		} else if changed {
			values[key] = v
		}
		keys = append(keys, key)
	}
	for key, v := range changes {
		if _, there := values[key]; !there && v != nil {
			values[key] = v
		}
	}
	is, _ := valueOf(now.values).(map[string]any)
	i := 0
	for j := 0; j+1 < len(now.values.Content); j += 2 {
		if i < len(keys) && now.values.Content[j].Value == keys[i] {
			i++
		}
	}
	return i == len(keys) && reflect.DeepEqual(values, is)
}
