// Package cache keeps what may be lost and what several sidecars share: look-ups in foreign systems with their misses, sessions, the overlay of
// per-employee flags and exclusion lists that another system may set, documents that one writes and all follow, what each sidecar shows to the
// others and the commands that they send each other, and logs that others read. [Memory] is the default and serves one sidecar
// alone; package redis keeps a Memory over a Redis that several share. Both pass one suite (package cachetest).
//
// Invariant: reading never waits and absence never grants. What is read comes from memory; what is not there, has expired, was
// deleted, could not be read or belongs to another generation reads as "no", and [Cache.Age] tells how old the answer may be, so
// that a caller refuses what it cannot verify.
//
// Earshot keeps in it the sessions that package auth makes, the policy that package publication gives to all, and look-ups: what the HTTP sources of package clients answered, with names of
// clients and ids of employees in the clear; and, only where publication.overlay is true in its configuration, the overlay that another system
// sets: otherwise what stands there has no effect.
// The sidecars of a cluster (cluster.pbx) are members, each under the name of its PBX, who gives the policy is one under policy.giver, and audit.stream has a log.
//
// # Keys in Redis
//
// {earshot} is the prefix, which the configuration may change. The braces are part of the name: they keep the keys on which one
// step depends on one node of a Redis cluster. Times are milliseconds by the clock of the Redis, so the sidecars' clocks need not
// agree.
//
//	key                            type     meaning                                                            TTL
//	{earshot}:meta                 hash     layout: 1; epoch: random, made once for an empty Redis (another     none
//	                                        one means that the Redis was emptied or replaced); sessions:
//	                                        number of the last change of a session
//	{earshot}:sessions             hash     session id to EXPIRES "\n" OWNER "\n" VALUE                         EXPIRES, pruned by later writes
//	{earshot}:sessions:expiry      zset     session id by EXPIRES, deleted ones too                             as above
//	{earshot}:sessions:changes     zset     session id by the number of its last change, deleted ones too       as above
//	{earshot}:overlay:GENERATION   hash     generation: GENERATION (required; without it the overlay counts     none; a day, once the
//	                                        as lost); flag:EMPLOYEE:FLAG: 1 or 0; except:EMPLOYEE:TARGET: 1     next one is put
//	{earshot}:document:NAME        hash     version, data                                                       none
//	{earshot}:members              hash     member's name to its incarnation, which is random and another at    a day
//	                                        each joining; a member while {earshot}:member:NAME says the same
//	{earshot}:member:NAME          string   the incarnation that holds the name: presence, and the lock of      2 s, or 4 polls
//	                                        the name
//	{earshot}:rows:NAME            hash     what the member shows                                               as the member
//	{earshot}:rows:changes         stream   m member, i incarnation, k key, o + (shown), - (hidden), * (joined) a minute
//	                                        v value; the ids are N-0, where N is rows in meta, without a gap
//	{earshot}:commands:INC         stream   commands to an incarnation: id, from (incarnation), name, ends,     a minute more
//	                                        body; the group earshot has those that were taken as pending
//	{earshot}:answers:INC          hash     id of a command that the incarnation sent to + and the answer, or   a minute
//	                                        late
//	{earshot}:log:NAME             stream   entry; the ids are N-0, the numbers that the writer gave: of the    none
//	                                        audit log, its lines
//	{earshot}:beat                 string   written by each sidecar at each poll, to learn that writes work     10 s
//	{earshot}:changes              channel  sessions, overlay, documents, rows, post, or forget SENDER TABLE KEY: a hint to look,      —
//	                                        never believed by itself; SENDER is any word
//	earshot:look:TABLE:HASH        string   a look-up: "+" VALUE, or "-" for a miss; HASH is the SHA-256 of     the look-up's own
//	                                        the key in base64url, so that no number stands in a key (it hides
//	                                        them from a glance, not from a search)
//
// Another system begins an overlay of generation 7, the version of {earshot}:document:policy, with all that it says,
//
//	HSET {earshot}:overlay:7 generation 7 flag:anna:spy 0 except:anna:boris 1
//	PUBLISH {earshot}:changes overlay
//
// and changes it by HSET and HDEL of single fields, without generation: so that in a Redis that was emptied meanwhile they do not pass for the
// whole. It does so in one transaction when they belong together, and reads the version again afterwards: when that is another one by then, it
// does the same there. What stood there before a new version was put has been carried over. Without the PUBLISH it is seen at the next poll. An
// overlay is read in one step and
// is taken whole or not at all: one field that is not understood leaves the last good one in force, unverified. To empty an overlay,
// remove its fields and leave generation; a hash that is gone is not an empty overlay but a lost one.
//
// EMPLOYEE is the id of an employee of the policy. FLAG is a right about calls: observe, listen, spy, whisper, barge, intercept, recordings, play,
// download, delete, record, journal, grade, statistics, unnoticed, line.statistics, line.history, line.join or line.grade. 1 gives what true
// means in his own entry, and 0 takes the right whatever his entry and his roles say, for his own calls too; a 0 of listen is also one of spy.
// TARGET is an employee, group:ID or department:ID, whom he may not supervise, see the other side of, intercept, record, play, download or delete,
// whatever grants it. What is protected or excepted in the policy stays so. What the policy does not know, or another FLAG, makes the whole
// overlay unfit, and the last good one of that generation stays in force.
//
// A session of package auth has the SHA-256 of its credential in hexadecimal as its id, and as its VALUE
//
//	token NAME UNTIL PROOF       made with the token called NAME in the record; PROOF is an HMAC by the token's hash, which is not in Redis
//	jwt NAME UNTIL KEY ENDS      made with a JSON web token, which the key of id KEY signed and which ENDS
//
// where UNTIL and ENDS are Unix seconds. To end a session from outside, ask Earshot: that a field was removed by
// hand is seen at the next full reading only.
//
// What members show and send each other is sealed by package agent/cluster with keys made of publication.key_file. A row stands under 24 letters
// and digits that are another in each run and tell nothing, and under hello, by which members know each other; its value, like a command and an answer, is
//
//	a byte 1 (the form), 16 of the incarnation that seals, 8 of a revision that only rises, and the rest by AES-256-GCM
//
// Whoever can write into the Redis can take rows out, hold changes back so that a call which has ended stays on the boards, have commands fail,
// arrive some seconds late or count as unanswered, and end memberships. He cannot read whose calls there are, make one up, show what was shown
// in an earlier run or put an older value in place of a newer one that has been seen, nor make a command or have one carried out twice. How many rows a member
// shows, how long they are and when they change he sees, and so about how many calls there are.
//
// An account for Earshot in Redis needs
//
//	~{earshot}:* ~earshot:look:* &{earshot}:changes +@read +@write +@pubsub +@connection +@scripting +time
//
// The Redis should not evict (maxmemory-policy noeviction): what it evicts counts as lost.
package cache
