package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrOlder means that the store has the document in this version or in a higher one. Nothing was written.
var ErrOlder = errors.New("the store has this version or a higher one")

// Bounds of documents.
const (
	MaxDocument = 8 << 20         // bytes of one
	MaxVersion  = uint64(1) << 53 // so high a version is exact in every language; higher ones are refused
)

// Documents are texts that are written as a whole and followed by all, each under a version that only rises: the policy.
type Documents interface {
	// Document returns a followed document as the store had it when it was last read, and how long ago that was: 0 when nothing is
	// shared, Never when it was not read yet. The zero Document with an age says that the store has none that can be read.
	// It does not wait, and it does not say who wrote it: whoever can write into the store can.
	Document(name string) (Document, time.Duration)
	// FollowDocument has a document kept fresh from then on. It does not wait.
	FollowDocument(name string)
	// PutDocument puts a document if its version is higher than the one in the store. ErrOlder: it is not.
	PutDocument(ctx context.Context, name string, d Document) error
}

// Document is one version of a document. The zero value is none.
type Document struct {
	Version uint64 // from 1 to MaxVersion
	Data    string
}

// String tells the version, not what is in it.
func (d Document) String() string { return fmt.Sprintf("[document: version %d]", d.Version) }

// GoString hides what is in it.
func (d Document) GoString() string { return d.String() }

// Validate reports whether the document may be put under a name.
func (d Document) Validate(name string) error {
	if err := checkWord("document", name); err != nil {
		return err
	}
	if d.Version == 0 || d.Version > MaxVersion {
		return fmt.Errorf("cache: version %d of a document", d.Version)
	}
	if len(d.Data) > MaxDocument {
		return fmt.Errorf("cache: document of %d bytes: %w", len(d.Data), ErrTooLarge)
	}
	return nil
}

// documents is what a Memory holds of them.
type documents struct {
	mu     sync.RWMutex
	byName map[string]Document
}

// Document implements Documents.
func (m *Memory) Document(name string) (Document, time.Duration) {
	m.documents.mu.RLock()
	defer m.documents.mu.RUnlock()
	return m.documents.byName[name], 0
}

// FollowDocument implements Documents.
func (m *Memory) FollowDocument(string) {}

// PutDocument implements Documents.
func (m *Memory) PutDocument(_ context.Context, name string, d Document) error {
	return m.putDocument(name, d, func(Document) error { return nil })
}

// putDocument puts a document after something that has to be there before anybody can read it, and that may refuse it.
func (m *Memory) putDocument(name string, d Document, before func(was Document) error) error {
	if err := d.Validate(name); err != nil {
		return &WriteError{Op: "document", Err: err}
	}
	m.documents.mu.Lock()
	if m.documents.byName[name].Version >= d.Version {
		m.documents.mu.Unlock()
		return &WriteError{Op: "document", Err: ErrOlder}
	}
	if err := before(m.documents.byName[name]); err != nil {
		m.documents.mu.Unlock()
		return &WriteError{Op: "document", Err: err}
	}
	if m.documents.byName == nil {
		m.documents.byName = make(map[string]Document)
	}
	m.documents.byName[name] = d
	m.documents.mu.Unlock()
	m.hub.tell(Change{Kind: ChangeDocument, ID: name})
	return nil
}
