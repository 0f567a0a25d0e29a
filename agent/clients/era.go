package clients

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync/atomic"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// eras are the tables of the cache in which a system's answers stand, one after the other. Which is in use stands in the cache itself,
// as an entry of its own: to forget it is to forget all answers, those under way too, at every sidecar, and none of them can come back. The
// name of a table tells the source, what its configuration makes of an answer, and the era; so answers to another configuration, from
// before or from a sidecar that has it still, are never taken.
type eras struct {
	cache   cache.Lookups
	source  string // name and configuration
	pattern cache.Table
	current atomic.Pointer[era]
}

type era struct {
	id    string
	table cache.Table
}

// eraTable is where the eras' ids stand. They do not end by themselves.
var eraTable = cache.Table{Name: "clients-era", TTL: 10 * 365 * 24 * time.Hour, MissTTL: time.Second}

// idLen is how many letters of five bits an era's id has: enough that no two of one source are alike, and few to hash at each look-up.
const idLen = 13

// jitter is by how much of its time an answer may be forgotten sooner, so that not all is asked again at once.
const jitter = 0.1

func newEras(c cache.Lookups, name string, h *HTTP) *eras {
	sum := sha256.Sum256(h.meaning())
	return &eras{cache: c, source: name + "-" + hex.EncodeToString(sum[:6]), pattern: cache.Table{TTL: h.TTL, MissTTL: h.MissTTL, Jitter: jitter}}
}

// table returns the table in use; false when it is not known which.
func (e *eras) table() (cache.Table, bool) {
	id, known := e.cache.Lookup(eraTable, e.source)
	if !known || !id.Found {
		return cache.Table{}, false
	}
	return e.of(id.Value), true
}

func (e *eras) of(id string) cache.Table {
	now := e.current.Load()
	if now == nil || now.id != id {
		now = &era{id: id, table: e.pattern}
		now.table.Name = "clients-" + e.source + "-" + id
		e.current.Store(now)
	}
	return now.table
}

// learn returns the table in use, or begins an era.
func (e *eras) learn(ctx context.Context) (cache.Table, error) {
	id, err := e.cache.Fill(ctx, eraTable, e.source, func(context.Context) (cache.Entry, error) {
		return cache.Entry{Value: strings.ToLower(rand.Text()[:idLen]), Found: true}, nil
	})
	if err != nil {
		return cache.Table{}, err
	}
	return e.of(id.Value), nil
}

// end ends the era. An error means that other sidecars were not told.
func (e *eras) end(ctx context.Context) error { return e.cache.Forget(ctx, eraTable, e.source) }

// encode makes a cache's value of a client; the number is the key. No text in it has a NUL.
func encode(c Client) string {
	return strings.Join(append([]string{c.Name, c.Responsible}, c.Access...), "\x00")
}

func decode(number, value string) Client {
	c := Client{Number: number}
	name, rest, _ := strings.Cut(value, "\x00")
	responsible, access, more := strings.Cut(rest, "\x00")
	c.Name, c.Responsible = name, responsible
	if more {
		c.Access = strings.Split(access, "\x00")
	}
	return c
}
