package redis

import (
	"context"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"github.com/earshot-pbx/earshot/cache"
)

// LogEnd implements cache.Logs.
func (c *Cache) LogEnd(ctx context.Context, name string) (uint64, string, error) {
	if err := cache.CheckLog(name); err != nil {
		return 0, "", err
	}
	out, err := call(ctx, c, func(ctx context.Context) ([]any, error) {
		return endScript.Run(ctx, c.client, []string{c.logKey(name)}, cache.MaxValue+1).Slice()
	})
	if err != nil {
		var failed *cache.WriteError
		if errors.As(writeError("log", err), &failed) {
			err = fmt.Errorf("cache: read log: %w", failed.Err)
		}
		return 0, "", err
	}
	return uint64(max(0, num(out, 0))), str(out, 1), nil
}

// AppendLog implements cache.Logs. The log is the stream log:NAME with the numbers as ids (5-0) and the field entry.
func (c *Cache) AppendLog(ctx context.Context, name string, end, first uint64, entries []string, keep int) (uint64, error) {
	if err := cache.CheckEntries(name, end, first, entries, keep); err != nil {
		return 0, &cache.WriteError{Op: "log", Err: err}
	}
	args := []any{end, first, keep}
	for _, e := range entries {
		args = append(args, e)
	}
	out, err := call(ctx, c, func(ctx context.Context) ([]any, error) {
		return appendScript.Run(ctx, c.client, []string{c.logKey(name)}, args...).Slice()
	})
	if err != nil {
		return 0, writeError("log", err)
	}
	now := uint64(max(0, num(out, 1)))
	if str(out, 0) != "ok" {
		return now, &cache.WriteError{Op: "log", Err: cache.ErrNotNext}
	}
	return now, nil
}

func (c *Cache) logKey(name string) string { return c.tag + "log:" + name }

// ends has the function that says where a log ends: with its last number ever given, whether or not the entry is still there.
const ends = `
local function ends(key)
  if redis.call('EXISTS', key) == 0 then return 0 end
  local info = redis.call('XINFO', 'STREAM', key)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return tonumber(string.match(info[i + 1], '^(%d+)-')) end
  end
end
`

// endScript reads the end of a log. KEYS: the log. ARGV: how much of an entry is read at most. Returns its last number and the entry of that
// number, empty when it is gone.
var endScript = goredis.NewScript(ends + `
local last, entry = ends(KEYS[1]), ''
local id = string.format('%.0f-0', last)
local found = last == 0 and {} or redis.call('XRANGE', KEYS[1], id, id)
if #found == 1 and found[1][2][1] == 'entry' then entry = string.sub(found[1][2][2], 1, ARGV[1]) end
return {last, entry}
`)

// appendScript appends to a log. KEYS: the log. ARGV: the number with which it ends, that of the first entry, how many to keep, entries. Returns
// ok or other, and where the log ends.
var appendScript = goredis.NewScript(ends + `
local last = ends(KEYS[1])
if last ~= tonumber(ARGV[1]) then return {'other', last} end
local n = tonumber(ARGV[2]) - 1
for i = 4, #ARGV do
  n = n + 1
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], string.format('%.0f-0', n), 'entry', ARGV[i])
end
return {'ok', n}
`)
