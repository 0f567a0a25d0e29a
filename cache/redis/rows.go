package redis

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/earshot-pbx/earshot/cache"
)

// peers is the copy of the members and their rows.
type peers struct {
	verified atomic.Int64 // as Cache.verified

	mu     sync.RWMutex // protects what follows; written by who has the turn
	byName map[string]*peer

	epoch   string // of the Redis that was read; only who has the turn
	version int64
}

type peer struct {
	incarnation string
	rows        map[string]string
	bytes       int // of rows, keys and values
}

// put takes a row, unless a bound is reached.
func (p *peer) put(key, value string) bool {
	old, had := p.rows[key]
	count, bytes := len(p.rows), p.bytes
	if had {
		count, bytes = count-1, bytes-len(key)-len(old)
	}
	if cache.CheckRow(key, value, count, bytes) != nil {
		return false
	}
	p.rows[key], p.bytes = value, bytes+len(key)+len(value)
	return true
}

func (p *peer) remove(key string) {
	if old, had := p.rows[key]; had {
		delete(p.rows, key)
		p.bytes -= len(key) + len(old)
	}
}

// large reports whether there is more than the bounds of all members allow.
func (p *peers) large() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	rows, bytes := 0, 0
	for _, at := range p.byName {
		rows, bytes = rows+len(at.rows), bytes+at.bytes
	}
	return rows > maxReadRows || bytes > maxReadBytes || len(p.byName) > cache.MaxMembers
}

// AppendMembers implements cache.Members.
func (c *Cache) AppendMembers(dst []string) []string {
	from := len(dst)
	c.peers.mu.RLock()
	dst = slices.AppendSeq(dst, maps.Keys(c.peers.byName))
	c.peers.mu.RUnlock()
	slices.Sort(dst[from:])
	return dst
}

// Row implements cache.Members.
func (c *Cache) Row(member, key string) (string, bool) {
	c.peers.mu.RLock()
	defer c.peers.mu.RUnlock()
	p := c.peers.byName[member]
	if p == nil {
		return "", false
	}
	value, ok := p.rows[key]
	return value, ok
}

// AppendRows implements cache.Members.
func (c *Cache) AppendRows(dst []cache.Row, member string) []cache.Row {
	from := len(dst)
	c.peers.mu.RLock()
	if p := c.peers.byName[member]; p != nil {
		for key, value := range p.rows {
			dst = append(dst, cache.Row{Key: key, Value: value})
		}
	}
	c.peers.mu.RUnlock()
	slices.SortFunc(dst[from:], func(a, b cache.Row) int { return cmp.Compare(a.Key, b.Key) })
	return dst
}

// RowsAge implements cache.Members.
func (c *Cache) RowsAge() time.Duration { return c.ageOf(c.peers.verified.Load()) }

// incarnationOf is empty when the copy has no such member.
func (c *Cache) incarnationOf(name string) string {
	c.peers.mu.RLock()
	defer c.peers.mu.RUnlock()
	if p := c.peers.byName[name]; p != nil {
		return p.incarnation
	}
	return ""
}

// maxReadRows bounds what is read at once of all members' rows, maxReadBytes their size, and maxReadChanges how many changes are
// read one by one.
const (
	maxReadRows    = 5 * cache.MaxRows
	maxReadBytes   = 4 * cache.MaxRowBytes
	maxReadChanges = 2000
)

// readRows brings the copy of members and rows up to date; the caller has the turn.
func (c *Cache) readRows(ctx context.Context) error {
	sentAt, since := c.moment(), c.peers.version
	epoch := c.known()
	if c.peers.epoch != epoch || epoch == "" {
		since = -1
	}
	out, err := call(ctx, c, func(ctx context.Context) ([]any, error) {
		return rowsScript.Run(ctx, c.client, c.memberKeys(), epoch, c.tag, since, maxReadRows, maxReadChanges, maxReadBytes, cache.MaxMembers).Slice()
	})
	if err != nil {
		return err
	}
	if str(out, 0) == "replaced" {
		c.peers.epoch = "" // read whole when the sessions have told of the new one
		c.look()
		return nil
	}
	if str(out, 0) == "large" {
		c.peers.epoch = ""
		return errLarge
	}
	for _, told := range c.peers.take(str(out, 0) == "all", list(out, 2), list(out, 3)) {
		c.local.Tell(told)
	}
	if c.peers.large() {
		c.peers.epoch = "" // as a whole it is refused
		c.look()
		return errLarge
	}
	c.peers.epoch, c.peers.version = epoch, num(out, 1)
	c.peers.verified.Store(sentAt)
	return nil
}

var errLarge = &stateError{cache.Away, "holds more members or rows than the bounds allow"}

// changeFields is how many members of an answer are one change: member, its incarnation, key, + or - or * (it has joined), value.
const changeFields = 5

// take takes an answer of rowsScript and returns what is to be told.
func (p *peers) take(all bool, members, body []any) (told []cache.Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byName == nil || all {
		p.byName, told = p.whole(members, body)
		return told
	}
	now := make(map[string]string, len(members)/2)
	for i := 0; i+1 < len(members); i += 2 {
		now[str(members, i)] = str(members, i+1)
	}
	for i := 0; i+changeFields <= len(body); i += changeFields {
		name, incarnation, key, op, value := str(body, i), str(body, i+1), str(body, i+2), str(body, i+3), str(body, i+4)
		if incarnation == "" || now[name] != incarnation || cache.CheckMember(name) != nil {
			continue // of one that has gone since
		}
		at := p.byName[name]
		if at == nil || at.incarnation != incarnation {
			at = &peer{incarnation: incarnation, rows: make(map[string]string)}
			p.byName[name] = at
			told = append(told, cache.Change{Kind: cache.ChangeMember, Owner: name})
		}
		switch op {
		case "+":
			if !at.put(key, value) {
				continue
			}
		case "-":
			at.remove(key)
		default:
			continue
		}
		told = append(told, cache.Change{Kind: cache.ChangeRow, Owner: name, ID: key})
	}
	for name, at := range p.byName {
		if now[name] != at.incarnation {
			delete(p.byName, name)
			told = append(told, cache.Change{Kind: cache.ChangeMember, Owner: name})
		}
	}
	return told
}

// whole makes a copy of an answer that holds everything: for each member the number of its rows, and they. The caller holds the lock.
func (p *peers) whole(members, body []any) (map[string]*peer, []cache.Change) {
	next := make(map[string]*peer, len(members)/2)
	var told []cache.Change
	at := 0
	for i := 0; i+1 < len(members); i += 2 {
		name, n := str(members, i), num(body, at)
		at++
		n = max(0, min(n, int64(len(body)-at)/2)) // no more than there are
		v := &peer{incarnation: str(members, i+1), rows: make(map[string]string, n)}
		for range n {
			key, value := str(body, at), str(body, at+1)
			_ = v.put(key, value)
			at += 2
		}
		if v.incarnation != "" && cache.CheckMember(name) == nil {
			next[name] = v
		}
	}
	for name := range p.byName {
		if next[name] == nil {
			told = append(told, cache.Change{Kind: cache.ChangeMember, Owner: name})
		}
	}
	for name, v := range next {
		old := p.byName[name]
		if old == nil || old.incarnation != v.incarnation {
			told = append(told, cache.Change{Kind: cache.ChangeMember, Owner: name})
			continue
		}
		for key, value := range v.rows {
			if was, had := old.rows[key]; !had || was != value {
				told = append(told, cache.Change{Kind: cache.ChangeRow, Owner: name, ID: key})
			}
		}
		for key := range old.rows {
			if _, has := v.rows[key]; !has {
				told = append(told, cache.Change{Kind: cache.ChangeRow, Owner: name, ID: key})
			}
		}
	}
	return next, told
}

// list reads a member of a script's answer that is a list itself.
func list(out []any, i int) []any {
	if i < len(out) {
		l, _ := out[i].([]any)
		return l
	}
	return nil
}

// milliseconds reads a time by Redis.
func milliseconds(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0 && n <= 1<<52
}
