package redis

import goredis "github.com/redis/go-redis/v9"

// The scripts of members. What scripts.go says of those of sessions holds of these too, but that beside KEYS, which are meta, members and
// rows:changes for each, they touch keys that begin with the tag and end with a name or an incarnation, of which there are as many as
// members: all are in the slot of the tag, so that a cluster carries them out on one node.

// note appends a change to the stream of changes under the number of the change, and has it forgotten in a minute: who was away
// for longer reads everything. A stream whose last number is higher, which only another hand can have written, is begun anew.
const note = `
local function note(name, inc, key, op, value)
  local id = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'rows', 1)) .. '-0'
  local done = redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', 5000, id, 'm', name, 'i', inc, 'k', key, 'o', op, 'v', value)
  if type(done) == 'table' and done['err'] then
    redis.call('DEL', KEYS[3])
    redis.call('XADD', KEYS[3], id, 'm', name, 'i', inc, 'k', key, 'o', op, 'v', value)
  end
  redis.call('PEXPIRE', KEYS[3], 60000)
end
`

// lease has what a membership holds expire. The stream of commands outlives it, so that senders learn which were taken.
const lease = `
local function lease(tag, name, inc, ms)
  redis.call('PEXPIRE', tag .. 'member:' .. name, ms)
  redis.call('PEXPIRE', tag .. 'rows:' .. name, ms)
  redis.call('PEXPIRE', tag .. 'commands:' .. inc, ms + 60000)
end
`

// joinScript takes a name under a new incarnation. ARGV: epoch, tag, name, incarnation, lease in milliseconds, channel. Returns ok, taken or
// replaced.
var joinScript = goredis.NewScript(note + lease + `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {'replaced'} end
local tag, name, inc = ARGV[2], ARGV[3], ARGV[4]
if not redis.call('SET', tag .. 'member:' .. name, inc, 'NX', 'PX', ARGV[5]) then return {'taken'} end
redis.call('DEL', tag .. 'rows:' .. name)
redis.call('XGROUP', 'CREATE', tag .. 'commands:' .. inc, 'earshot', '0', 'MKSTREAM')
local names = redis.call('HKEYS', KEYS[2])
for _, other in ipairs(names) do
  if redis.call('EXISTS', tag .. 'member:' .. other) == 0 then redis.call('HDEL', KEYS[2], other) end
end
redis.call('HSET', KEYS[2], name, inc)
redis.call('PEXPIRE', KEYS[2], 86400000)
lease(tag, name, inc, tonumber(ARGV[5]))
note(name, inc, '', '*', '')
redis.pcall('PUBLISH', ARGV[6], 'rows')
return {'ok'}
`)

// showScript shows and hides rows, and renews the lease. ARGV: epoch, tag, name, incarnation, lease, channel, then + or -, key and value of
// each row. Returns ok, or lost when the incarnation holds the name no more.
var showScript = goredis.NewScript(note + lease + `
local tag, name, inc = ARGV[2], ARGV[3], ARGV[4]
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] or redis.call('GET', tag .. 'member:' .. name) ~= inc then return 'lost' end
for i = 7, #ARGV, 3 do
  if ARGV[i] == '+' then
    redis.call('HSET', tag .. 'rows:' .. name, ARGV[i + 1], ARGV[i + 2])
  else
    redis.call('HDEL', tag .. 'rows:' .. name, ARGV[i + 1])
  end
  note(name, inc, ARGV[i + 1], ARGV[i], ARGV[i + 2])
end
lease(tag, name, inc, tonumber(ARGV[5]))
redis.pcall('PUBLISH', ARGV[6], 'rows')
return 'ok'
`)

// leaveScript ends a membership. ARGV: tag, name, incarnation, channel.
var leaveScript = goredis.NewScript(`
local tag, name, inc = ARGV[1], ARGV[2], ARGV[3]
if redis.call('GET', tag .. 'member:' .. name) ~= inc then return 0 end
redis.call('DEL', tag .. 'member:' .. name, tag .. 'rows:' .. name)
redis.pcall('PUBLISH', ARGV[4], 'rows')
redis.pcall('PUBLISH', ARGV[4], 'post')
return 1
`)

// rowsScript reads who is a member, and what changed since a version or all rows. ARGV: epoch, tag, version known or -1, most rows, most
// changes, most bytes, most members. Returns replaced; large; or some or all, the version, name and incarnation of each member, and the changes or the rows.
var rowsScript = goredis.NewScript(`
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {'replaced'} end
local tag, since = ARGV[2], tonumber(ARGV[3])
local version = tonumber(redis.call('HGET', KEYS[1], 'rows') or '0')
local members, body = {}, {}
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  if redis.call('GET', tag .. 'member:' .. all[i]) == all[i + 1] then
    members[#members + 1] = all[i]
    members[#members + 1] = all[i + 1]
  end
end
if #members > 2 * tonumber(ARGV[7]) then return {'large'} end
local bytes = 0
local function add(s) bytes = bytes + #s body[#body + 1] = s end
if since >= 0 and version >= since and version - since <= tonumber(ARGV[5]) then
  if version == since then return {'some', version, members, body} end
  local changes = redis.call('XRANGE', KEYS[3], string.format('%.0f', since + 1) .. '-0', '+')
  if #changes > 0 and changes[1][1] == string.format('%.0f', since + 1) .. '-0' and #changes == version - since then
    for _, change in ipairs(changes) do
      for i = 2, 10, 2 do add(change[2][i] or '') end
    end
    if bytes <= tonumber(ARGV[6]) then return {'some', version, members, body} end
    body, bytes = {}, 0
  end
end
local rows = 0
for i = 1, #members, 2 do
  local n = redis.call('HLEN', tag .. 'rows:' .. members[i])
  rows = rows + n
  if rows > tonumber(ARGV[4]) then return {'large'} end
  body[#body + 1] = n
  for _, s in ipairs(redis.call('HGETALL', tag .. 'rows:' .. members[i])) do add(s) end
  if bytes > tonumber(ARGV[6]) then return {'large'} end
end
return {'all', version, members, body}
`)

// sendScript puts a command into the stream of an incarnation. ARGV: epoch, tag, name and incarnation of the receiver, id, incarnation and name
// of the sender, its end by Redis' clock, body, channel, most that wait. Returns ok, replaced, late, full or gone.
var sendScript = goredis.NewScript(clock + `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 'replaced' end
if now >= tonumber(ARGV[8]) then return 'late' end
if redis.call('GET', ARGV[2] .. 'member:' .. ARGV[3]) ~= ARGV[4] then return 'gone' end
local stream = ARGV[2] .. 'commands:' .. ARGV[4]
if redis.call('XLEN', stream) >= tonumber(ARGV[11]) then return 'full' end
redis.call('XADD', stream, '*', 'id', ARGV[5], 'from', ARGV[6], 'name', ARGV[7], 'ends', ARGV[8], 'body', ARGV[9])
redis.pcall('PUBLISH', ARGV[10], 'post')
return 'ok'
`)

// fetchScript renews the lease, takes commands, and fetches answers. That a command was taken is its place in the group's list of pending
// entries, so Redis gives it to nobody else, and its sender learns it. ARGV: tag, name, incarnation, lease, channel, then id, name and
// incarnation of the receiver of each command that waits for an answer. Returns lost; or ok, now, the commands that were taken and
// not answered, the answers, and the ids whose receiver is gone.
var fetchScript = goredis.NewScript(clock + lease + `
local tag, name, inc = ARGV[1], ARGV[2], ARGV[3]
if redis.call('GET', tag .. 'member:' .. name) ~= inc then return {'lost'} end
lease(tag, name, inc, tonumber(ARGV[4]))
local stream, answers = tag .. 'commands:' .. inc, tag .. 'answers:' .. inc
local out, got, lost = {}, {}, {}
for _, from in ipairs({'>', '0'}) do
  local read = redis.call('XREADGROUP', 'GROUP', 'earshot', 'earshot', 'COUNT', 500, 'STREAMS', stream, from)
  for _, entry in ipairs(read and read[1][2] or {}) do
    local f = {}
    for i = 1, entry[2] and #entry[2] or 0, 2 do f[entry[2][i]] = entry[2][i + 1] end
    local ends = tonumber(f['ends'] or '0') or 0
    if ends + (from == '0' and 60000 or 0) <= now then
      redis.call('XACK', stream, 'earshot', entry[1])
      redis.call('XDEL', stream, entry[1])
      if from == '>' and f['id'] and f['from'] then
        redis.call('HSET', tag .. 'answers:' .. f['from'], f['id'], '` + tooLate + `')
        redis.call('PEXPIRE', tag .. 'answers:' .. f['from'], 60000)
        redis.pcall('PUBLISH', ARGV[5], 'post')
      end
    elseif from == '0' then
      for _, s in ipairs({entry[1], f['id'] or '', f['from'] or '', f['name'] or '', f['ends'] or '', f['body'] or ''}) do out[#out + 1] = s end
    end
  end
end
for i = 6, #ARGV, 3 do
  local answer = redis.call('HGET', answers, ARGV[i])
  if answer then
    redis.call('HDEL', answers, ARGV[i])
    got[#got + 1] = ARGV[i]
    got[#got + 1] = answer
  elseif redis.call('GET', tag .. 'member:' .. ARGV[i + 1]) ~= ARGV[i + 2] then
    lost[#lost + 1] = ARGV[i]
  end
end
return {'ok', now, out, got, lost}
`)

// withdrawScript takes a command back. ARGV: tag, incarnation of the receiver, id, incarnation of the sender. Returns answer and the answer;
// withdrawn when nobody took it and nobody will; or unknown.
var withdrawScript = goredis.NewScript(`
local answers, stream = ARGV[1] .. 'answers:' .. ARGV[4], ARGV[1] .. 'commands:' .. ARGV[2]
local answer = redis.call('HGET', answers, ARGV[3])
if answer then
  redis.call('HDEL', answers, ARGV[3])
  return {'answer', answer}
end
for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+')) do
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'id' and entry[2][i + 1] == ARGV[3] then
      if #redis.call('XPENDING', stream, 'earshot', entry[1], entry[1], 1) > 0 then return {'unknown'} end
      redis.call('XDEL', stream, entry[1])
      return {'withdrawn'}
    end
  end
end
return {'unknown'}
`)

// answerScript answers a command that was taken. ARGV: tag, incarnation of the receiver, entry, id, incarnation of the sender, answer,
// channel. Returns ok, or late when it counts as unanswered already.
var answerScript = goredis.NewScript(`
local stream, answers = ARGV[1] .. 'commands:' .. ARGV[2], ARGV[1] .. 'answers:' .. ARGV[5]
if redis.call('EXISTS', stream) == 0 or redis.call('XACK', stream, 'earshot', ARGV[3]) == 0 then return 'late' end
redis.call('XDEL', stream, ARGV[3])
redis.call('HSET', answers, ARGV[4], ARGV[6])
redis.call('PEXPIRE', answers, 60000)
redis.pcall('PUBLISH', ARGV[7], 'post')
return 'ok'
`)

// takeBackScript takes an answer back, and has it that one which is still under way is late. ARGV: tag, incarnation of the receiver, entry, id,
// incarnation of the sender. Returns back when the sender has not had it, or had.
var takeBackScript = goredis.NewScript(`
local stream, answers = ARGV[1] .. 'commands:' .. ARGV[2], ARGV[1] .. 'answers:' .. ARGV[5]
local back = redis.call('HDEL', answers, ARGV[4])
if redis.call('EXISTS', stream) == 1 and redis.call('XACK', stream, 'earshot', ARGV[3]) == 1 then
  redis.call('XDEL', stream, ARGV[3])
  back = 1
end
return back == 1 and 'back' or 'had'
`)
