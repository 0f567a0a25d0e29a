package redis

import goredis "github.com/redis/go-redis/v9"

// Each step on the keys of the sessions is one script, because it reads and writes several keys that must agree. Times are by the
// clock of the Redis. They run on every Redis from 5 on, in a cluster too: all their keys are in one slot and given in KEYS.
//
// A write that may be refused for want of memory is the first write of its script: Redis refuses no later one, so that a script is
// never half done. Deleting begins with HDEL, which is always allowed. PUBLISH may fail (for want of a right): the others poll.

const clock = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
`

// foundScript gives an empty Redis its epoch. KEYS: meta. ARGV: a random epoch, the layout.
var foundScript = goredis.NewScript(`
redis.call('HSETNX', KEYS[1], 'epoch', ARGV[1])
redis.call('HSETNX', KEYS[1], 'layout', ARGV[2])
return 1
`)

// readScript reads what changed since a version, or everything. KEYS: meta, sessions, changes. ARGV: epoch known, version known or
// -1, most sessions, most bytes. Returns epoch, layout, version, now, mode (some, all, large), then id and value of each session,
// an empty value for a deleted one.
var readScript = goredis.NewScript(clock + `
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then return {'', '', 0, now, 'all'} end
local layout = redis.call('HGET', KEYS[1], 'layout') or ''
local version = tonumber(redis.call('HGET', KEYS[1], 'sessions') or '0')
local out = {epoch, layout, version, now, 'all'}
local since, most = tonumber(ARGV[2]), tonumber(ARGV[3])
if since >= 0 and epoch == ARGV[1] and version >= since and redis.call('ZCOUNT', KEYS[3], '(' .. ARGV[2], '+inf') <= most then
  out[5] = 'some'
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[2], '+inf')) do
    out[#out + 1] = id
    out[#out + 1] = redis.call('HGET', KEYS[2], id) or ''
  end
else
  if redis.call('HLEN', KEYS[2]) > most then out[5] = 'large' return out end
  for _, s in ipairs(redis.call('HGETALL', KEYS[2])) do out[#out + 1] = s end
end
local bytes = 0
for i = 6, #out do bytes = bytes + #out[i] end
if bytes > tonumber(ARGV[4]) then return {epoch, layout, version, now, 'large'} end
return out
`)

// putScript puts a session. KEYS: meta, sessions, expiry, changes. ARGV: epoch, id, owner, value, ttl in milliseconds, most sessions,
// channel. Returns a word, and after ok the version and the time it expires and now.
var putScript = goredis.NewScript(clock + prune + `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {'replaced'} end
local most = tonumber(ARGV[6])
local isnew = redis.call('HEXISTS', KEYS[2], ARGV[2]) == 0
if isnew and redis.call('HLEN', KEYS[2]) >= most then
  prune()
  if redis.call('HLEN', KEYS[2]) >= most then return {'full'} end
end
local ends = now + tonumber(ARGV[5])
redis.call('HSET', KEYS[2], ARGV[2], string.format('%.0f', ends) .. '\n' .. ARGV[3] .. '\n' .. ARGV[4])
redis.call('ZADD', KEYS[3], ends, ARGV[2])
prune()
local version = redis.call('HINCRBY', KEYS[1], 'sessions', 1)
redis.call('ZADD', KEYS[4], version, ARGV[2])
redis.pcall('PUBLISH', ARGV[7], 'sessions')
return {'ok', version, ends, now}
`)

// expireScript moves a session's end. KEYS as putScript. ARGV: epoch, id, ttl, channel. Returns as putScript, then the session.
var expireScript = goredis.NewScript(clock + `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {'replaced'} end
local old = redis.call('HGET', KEYS[2], ARGV[2])
if not old then return {'none'} end
local cut = string.find(old, '\n', 1, true)
local was = cut and tonumber(string.sub(old, 1, cut - 1))
if not was or was <= now then return {'none'} end
local ends = now + tonumber(ARGV[3])
local new = string.format('%.0f', ends) .. string.sub(old, cut)
redis.call('HSET', KEYS[2], ARGV[2], new)
redis.call('ZADD', KEYS[3], ends, ARGV[2])
local version = redis.call('HINCRBY', KEYS[1], 'sessions', 1)
redis.call('ZADD', KEYS[4], version, ARGV[2])
redis.pcall('PUBLISH', ARGV[4], 'sessions')
return {'ok', version, ends, now, new}
`)

// deleteScript deletes sessions. KEYS as putScript. ARGV: epoch, channel, ids. A deleted id stays in expiry and changes until the
// session would have expired, so that who was away meanwhile learns of it.
var deleteScript = goredis.NewScript(`
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {'replaced'} end
local gone = false
for i = 3, #ARGV do
  if redis.call('HDEL', KEYS[2], ARGV[i]) == 1 then
    gone = true
    redis.call('ZADD', KEYS[4], redis.call('HINCRBY', KEYS[1], 'sessions', 1), ARGV[i])
  end
end
if gone then redis.pcall('PUBLISH', ARGV[2], 'sessions') end
return {'ok', tonumber(redis.call('HGET', KEYS[1], 'sessions') or '0')}
`)

// prune removes some of what has expired, for each write a little.
const prune = `
local function prune()
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 64)) do
    redis.call('HDEL', KEYS[2], id)
    redis.call('ZREM', KEYS[3], id)
    redis.call('ZREM', KEYS[4], id)
  end
end
`

// overlayScript reads an overlay if it is another than the one known, which its digest tells: other systems write the hash as they
// like, and Redis numbers no changes. KEYS: the overlay. ARGV: digest known, most fields, most bytes. Returns none, same, wrong (not
// a hash), large, or new with the digest, then the fields and values.
var overlayScript = goredis.NewScript(`
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind == 'none' then return {'none'} end
if kind ~= 'hash' then return {'wrong'} end
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[2]) then return {'large'} end
local digest = redis.sha1hex(redis.call('DUMP', KEYS[1]))
if digest == ARGV[1] then return {'same'} end
local out = {'new', digest}
local bytes = 0
for _, s in ipairs(redis.call('HGETALL', KEYS[1])) do
  bytes = bytes + #s
  out[#out + 1] = s
end
if bytes > tonumber(ARGV[3]) then return {'large'} end
return out
`)

// putOverlayScript puts an overlay in place of the one before. KEYS: the overlay, a name beside it, the overlay of the generation
// before. ARGV: channel, then the fields and values.
var putOverlayScript = goredis.NewScript(`
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
redis.call('RENAME', KEYS[2], KEYS[1])
redis.call('PEXPIRE', KEYS[3], 86400000)
redis.pcall('PUBLISH', ARGV[1], 'overlay')
return 1
`)
