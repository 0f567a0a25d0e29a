// Package call models the live calls of a PBX: legs, the ties between them, and who is on the other side.
//
// A [Table] is built from facts ([Event]), one after the other, and from nothing else: it reads no clock, does no
// input or output and starts nothing. Each fact yields the changes it made, typed and in order ([Change]). From the
// table one reads who is tied to whom: the call of a leg ([Table.Call]), the party on the other side ([Table.Peers]) and
// everybody whose voice somebody on the call may hear ([Table.Earshot]).
//
// The invariant: a tie is there because a fact made it. The table guesses no peer; where it cannot know one, there is none.
// (After a resync a linked id of Asterisk counts as such a fact: see [Snapshot].)
//
// The facts come from Asterisk's ARI event stream and, for what ARI does not tell, from AMI. In the comments "Asterisk
// does X" is what Asterisk 20 to 22 does, read in its source (main/bridge.c, main/bridge_channel.c, main/channel.c,
// main/pickup.c, apps/app_dial.c) or seen on 22.10.
package call
