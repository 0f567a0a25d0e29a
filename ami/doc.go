// Package ami speaks the Asterisk Manager Interface: messages, a reader, a writer, a client and a server.
//
// The one invariant: what arrived is what the caller sees. Fields keep their order and their repeats, messages their
// order; nothing is dropped because somebody was slow, and a stream gives the same messages and the same error
// however the network cut it into pieces. What cannot be kept within the limits ends the stream with an error.
//
// # Reading
//
// A [Reader] needs no allocation for a message: the [Message] that [Reader.Read] returns is a view of its buffer, good
// until the next Read. Methods that return []byte return such views; methods that return string return copies;
// [Message.Clone] keeps a whole message.
//
// Asterisk does not escape line breaks in everything that it puts into an event (caller id numbers, extensions, user
// events), so whoever chooses those can write lines and whole blocks into the stream. Lookups return the first field of
// a name, never a later one; [Message.Field] gives the fields in the order they came, and [Message.Irregular] says what
// about a block Asterisk itself would not have written, so that a caller can hold each event against what it should
// look like.
//
// # Talking
//
// [Dial] connects, reads the greeting and logs in, by MD5 challenge unless asked otherwise. [Client.Do] sends an action
// and waits for its answer, [Client.List] for all rows of a list action. Each action carries an id of the client's own
// with a random part, so no text in an event can pass for an answer. Events go to [Config.OnEvent] one by one, in
// order, on the client's reading goroutine. Pings find a peer that is gone without a word.
//
// [Run] does the same and connects again, with growing pauses, until its context ends.
//
// # Being talked to
//
// A [Server] is the other end, for clients that are made for Asterisk: it greets, lets in whom an [Authenticator] knows,
// by secret or by challenge, answers what concerns the session alone (Ping, Events, Filter, Logoff) in Asterisk's words
// and gives every other action to a [Handler]. What a client sends is read in one strict way; what it is sent is made of
// messages, never of its own bytes. Each [Session] has its own event mask, filters and bounded queue: events are encoded
// once ([Prepare]) and sent to any number of sessions, joined to few writes, and a client that does not read is cut off
// alone.
package ami
