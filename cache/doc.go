// Package cache keeps what may be lost and what several sidecars share: look-ups in foreign systems with their misses, sessions, and
// the overlay of per-employee flags and exclusion lists that another system may set. [Memory] is the default and serves one sidecar
// alone; package redis keeps a Memory over a Redis that several share. Both pass one suite (package cachetest).
//
// Invariant: reading never waits and absence never grants. What is read comes from memory; what is not there, has expired, was
// deleted, could not be read or belongs to another generation reads as "no", and [Cache.Age] tells how old the answer may be, so
// that a caller refuses what it cannot verify.
//
// Earshot keeps in it the sessions that package auth makes, and look-ups: what the HTTP sources of package clients answered, with names of
// clients and ids of employees in the clear. The overlay is not asked in any decision yet: that needs numbers of generations that outlast a
// restart, so what is set there has no effect.
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
//	{earshot}:beat                 string   written by each sidecar at each poll, to learn that writes work     10 s
//	{earshot}:changes              channel  sessions, overlay, or forget SENDER TABLE KEY: a hint to look,      —
//	                                        never believed by itself; SENDER is any word
//	earshot:look:TABLE:HASH        string   a look-up: "+" VALUE, or "-" for a miss; HASH is the SHA-256 of     the look-up's own
//	                                        the key in base64url, so that no number stands in a key (it hides
//	                                        them from a glance, not from a search)
//
// Another system sets flags and excluded targets of generation 7 with
//
//	HSET {earshot}:overlay:7 generation 7 flag:anna:spy 0 except:anna:boris 1
//	PUBLISH {earshot}:changes overlay
//
// in one transaction when they belong together. Without the PUBLISH it is seen at the next poll. An overlay is read in one step and
// is taken whole or not at all: one field that is not understood leaves the last good one in force, unverified. To empty an overlay,
// remove its fields and leave generation; a hash that is gone is not an empty overlay but a lost one.
//
// A session of package auth has the SHA-256 of its credential in hexadecimal as its id, and as its VALUE
//
//	token NAME UNTIL PROOF       made with the token called NAME in the record; PROOF is an HMAC by the token's hash, which is not in Redis
//	jwt NAME UNTIL KEY ENDS      made with a JSON web token, which the key of id KEY signed and which ENDS
//
// where UNTIL and ENDS are Unix seconds. To end a session from outside, ask Earshot: that a field was removed by
// hand is seen at the next full reading only.
//
// An account for Earshot in Redis needs
//
//	~{earshot}:* ~earshot:look:* &{earshot}:changes +@read +@write +@pubsub +@connection +@scripting +time
//
// The Redis should not evict (maxmemory-policy noeviction): what it evicts counts as lost.
package cache
