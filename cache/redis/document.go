package redis

import (
	"context"
	"crypto/sha1" //nolint:gosec // what Redis has for a digest in a script
	"encoding/hex"
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/earshot-pbx/earshot/cache"
)

// texts are the documents that are followed.
type texts struct {
	mu     sync.RWMutex // protects what follows
	byName map[string]*text
}

type text struct {
	verified atomic.Int64 // as Cache.verified
	document atomic.Pointer[cache.Document]
}

func (c *Cache) documentKey(name string) string { return c.tag + "document:" + name }

func (c *Cache) text(name string) *text {
	c.texts.mu.RLock()
	defer c.texts.mu.RUnlock()
	return c.texts.byName[name]
}

// Document implements cache.Documents.
func (c *Cache) Document(name string) (cache.Document, time.Duration) {
	t := c.text(name)
	if t == nil {
		return cache.Document{}, cache.Never
	}
	verified := t.verified.Load() // first, as in Overlay
	return *t.document.Load(), c.ageOf(verified)
}

// FollowDocument implements cache.Documents.
func (c *Cache) FollowDocument(name string) {
	c.texts.mu.Lock()
	defer c.texts.mu.Unlock()
	if c.texts.byName[name] != nil {
		return
	}
	t := new(text)
	t.verified.Store(-1)
	t.document.Store(new(cache.Document))
	if c.texts.byName == nil {
		c.texts.byName = make(map[string]*text)
	}
	c.texts.byName[name] = t
	c.lookAt(lookDocuments)
}

// PutDocument implements cache.Documents.
func (c *Cache) PutDocument(ctx context.Context, name string, d cache.Document) error {
	return c.putDocument(ctx, name, d, nil)
}

// PutEdition implements cache.Overlays.
func (c *Cache) PutEdition(ctx context.Context, name string, before uint64, d cache.Document, carry *cache.Overlay) error {
	keys, args := []string{c.overlayKey(d.Version), c.overlayKey(before)}, []any{before, ""}
	if carry != nil {
		known, current := c.digestOf(carry)
		if !current && carry.Generation() != d.Version {
			return &cache.WriteError{Op: "document", Err: cache.ErrMoved}
		}
		keys[1], args[1] = c.overlayKey(carry.Generation()), known
		for field, value := range carry.In(d.Version).Fields() {
			args = append(args, field, value)
		}
	}
	return c.putDocument(ctx, name, d, keys, args...)
}

// putDocument puts a document; with the keys of two overlays and what they need, as an edition.
func (c *Cache) putDocument(ctx context.Context, name string, d cache.Document, overlays []string, edition ...any) error {
	if err := d.Validate(name); err != nil {
		return &cache.WriteError{Op: "document", Err: err}
	}
	keys, args := append([]string{c.documentKey(name)}, overlays...), append([]any{d.Version, d.Data, c.channel}, edition...)
	word, err := call(ctx, c, func(ctx context.Context) (string, error) {
		return putDocumentScript.Run(ctx, c.client, keys, args...).Text()
	})
	if err != nil {
		c.look()
		return writeError("document", err)
	}
	c.lookAt(lookDocuments)
	switch word {
	case "ok":
		return nil
	case "moved":
		c.look()
		return &cache.WriteError{Op: "document", Err: cache.ErrMoved}
	}
	return &cache.WriteError{Op: "document", Err: cache.ErrOlder}
}

// readTexts brings the copies of documents up to date; the caller has the turn.
func (c *Cache) readTexts(ctx context.Context) error {
	c.texts.mu.RLock()
	all := maps.Clone(c.texts.byName)
	c.texts.mu.RUnlock()
	for name, t := range all {
		sentAt, known := c.moment(), t.document.Load()
		out, err := call(ctx, c, func(ctx context.Context) ([]any, error) {
			return documentScript.Run(ctx, c.client, []string{c.documentKey(name)}, known.Version, digest(known.Data), cache.MaxDocument).Slice()
		})
		if err != nil {
			return err
		}
		if str(out, 0) == "same" {
			t.verified.Store(sentAt)
			continue
		}
		next := parseDocument(name, str(out, 1), str(out, 2)) // none, if it is none
		first := t.verified.Load() < 0
		t.document.Store(&next)
		t.verified.Store(sentAt)
		if first || next != *known {
			c.local.Tell(cache.Change{Kind: cache.ChangeDocument, ID: name})
		}
	}
	return nil
}

// digest is as Redis makes it of a text, to say which one is known. It protects nothing.
func digest(s string) string {
	sum := sha1.Sum([]byte(s)) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}

// parseDocument reads the fields of a document's hash. What is no document is none.
func parseDocument(name, version, data string) cache.Document {
	v, err := strconv.ParseUint(version, 10, 64)
	d := cache.Document{Version: v, Data: data}
	if err != nil || strconv.FormatUint(v, 10) != version || d.Validate(name) != nil {
		return cache.Document{}
	}
	return d
}

// putDocumentScript puts a document of a higher version, and as an edition with its overlay. KEYS: the document; of an edition, the overlay of this
// version and the one to carry over, which may be the same. ARGV: version, data, channel; of an edition, the version before, the digest of the
// overlay as it was read, empty for none, and its fields and values. What is there and is no document has no version. Returns ok, older, or moved.
var putDocumentScript = goredis.NewScript(`
local kind = redis.call('TYPE', KEYS[1])['ok']
local has = kind == 'hash' and tonumber(redis.call('HGET', KEYS[1], 'version') or '') or 0
if has ~= has or has < 0 or has > 9007199254740992 then has = 0 end
if has >= tonumber(ARGV[1]) then return 'older' end
if KEYS[2] and has ~= tonumber(ARGV[4]) then return 'moved' end
if KEYS[2] and KEYS[2] ~= KEYS[3] and redis.call('TYPE', KEYS[3])['ok'] == 'hash' and redis.call('HEXISTS', KEYS[3], 'generation') == 1
  and redis.sha1hex(redis.call('DUMP', KEYS[3])) ~= ARGV[5] then return 'moved' end
if ARGV[6] then
  local over = redis.call('TYPE', KEYS[2])['ok']
  if over ~= 'hash' and over ~= 'none' then redis.call('DEL', KEYS[2]) end
  if redis.call('HEXISTS', KEYS[2], 'generation') == 0 then
    for i = 6, #ARGV, 2 do redis.call('HSETNX', KEYS[2], ARGV[i], ARGV[i + 1]) end
  end
end
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'data', ARGV[2])
if KEYS[2] and KEYS[2] ~= KEYS[3] then redis.call('PEXPIRE', KEYS[3], 86400000) end
redis.pcall('PUBLISH', ARGV[3], 'documents')
if KEYS[2] then redis.pcall('PUBLISH', ARGV[3], 'overlay') end
return 'ok'
`)

// documentScript reads a document if it is another than the one known. KEYS: the document. ARGV: version and digest known, most bytes. Returns
// same, none, or new with version and data.
var documentScript = goredis.NewScript(`
if redis.call('TYPE', KEYS[1])['ok'] ~= 'hash' then return {'none'} end
if redis.call('HSTRLEN', KEYS[1], 'data') > tonumber(ARGV[3]) or redis.call('HSTRLEN', KEYS[1], 'version') > 32 then return {'none'} end
local version, data = redis.call('HGET', KEYS[1], 'version') or '', redis.call('HGET', KEYS[1], 'data')
if not data then return {'none'} end
if version == ARGV[1] and redis.sha1hex(data) == ARGV[2] then return {'same'} end
return {'new', version, data}
`)
