package cache

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors of commands.
var (
	// ErrNoMember: there is no member of that name, or it has gone. Nobody carries the command out.
	ErrNoMember = errors.New("no such member")
	// ErrLate: the time for it was over before anybody began with it. Nobody carries the command out.
	ErrLate = errors.New("nobody began with it in time")
	// ErrUnanswered: it was taken and not answered. It may have been carried out.
	ErrUnanswered = errors.New("it was not answered")
	// ErrNotJoined: the membership does not hold. Nothing was done.
	ErrNotJoined = errors.New("not a member")
)

// Bounds of members.
const (
	MaxMembers  = 200      // of which one store holds no more, so that each can name all others
	MaxRows     = 20_000   // that one member shows
	MaxRowBytes = 16 << 20 // of one member's rows, keys and values
	MaxCommands = 1000     // that wait for one member
	// MaxCommandTime is how long a command may wait for its answer when the sender's context gives it longer, or for ever.
	MaxCommandTime = 30 * time.Second
)

// Members are the sidecars that share a store, each under a name of its own: who is there, what each shows to the others (its
// supervisions, its calls), and the way by which one asks another to do something.
type Members interface {
	// Join makes this sidecar a member. It does not wait: Member.Standing tells whether it is one. A name that another holds is waited for,
	// since who held it may have died. An error: the name is malformed, or held by another member of this very Cache.
	Join(name string) (Member, error)
	// AppendMembers appends who is a member, by name, this one too.
	AppendMembers(dst []string) []string
	// Row returns what a member shows under a key. It does not wait or allocate.
	Row(member, key string) (value string, ok bool)
	// AppendRows appends what a member shows, by key.
	AppendRows(dst []Row, member string) []Row
	// RowsAge is how long ago members and rows were last known to be what the store holds: 0 when nothing is shared, Never before the
	// first contact. While the store is away they stay as they were known. It does not wait, lock or allocate.
	RowsAge() time.Duration
}

// Row is something that a member shows to the others.
type Row struct{ Key, Value string }

// String hides it: it tells about people.
func (r Row) String() string { return "[row]" }

// GoString hides it.
func (r Row) GoString() string { return r.String() }

// Member is one's own membership. Safe for concurrent use.
//
// It is a lease: a member that the store has not heard of for two seconds is none any more for the others, what it showed is gone, and
// commands that it has taken count as unanswered. When it is back it joins anew and shows all its rows again.
type Member interface {
	// Standing tells whether the membership holds. It does not wait.
	Standing() Standing
	// Lease counts how often the store has given the name to this membership: 0 before the first time. Between one and the next another may
	// have had it, however short that was. It does not wait.
	Lease() uint64
	// Show shows a row to all, in place of the one under this key. It does not wait: the others see it as soon as the store has
	// it. An error: a bound is reached.
	Show(key, value string) error
	// Hide takes a row back. It does not wait.
	Hide(key string)
	// Send has another member carry out a command, and waits for its answer, for MaxCommandTime at most. An error is a *WriteError,
	// and unless its MayBeDone is set, the command has not been carried out and never will be, as far as the store can say: for whoever else
	// writes there, only Unsent is proof. It is delivered at most once.
	Send(ctx context.Context, to, body string) (answer string, err error)
	// Next waits for the next command that another member sent to this one. Nobody else gets it, and it comes once. Whoever carries it
	// out must not begin after its Deadline, and answers.
	Next(ctx context.Context) (Command, error)
	// Answer tells the sender what came of a command, once. An error is a *WriteError: he was not told and never will be, and takes it for
	// unanswered. Where its MayBeDone is set, he may have been told, or may be later: TakeBack finds out.
	Answer(ctx context.Context, id, answer string) error
	// TakeBack takes an answer back that may have been given. It reports whether that was in time: then the sender has not had it
	// and never will. Otherwise he has had it, as far as anybody can say. After an error nobody knows, and it may be tried again.
	TakeBack(ctx context.Context, id string) (inTime bool, err error)
	// Leave ends the membership at once, for the others too unless it returns an error: then they see it when the lease is over.
	Leave(ctx context.Context) error
}

// Standing says whether a membership holds. The zero value is Waiting.
type Standing uint8

const (
	// Waiting means that the store was not reached yet, or not for so long that the lease is over.
	Waiting Standing = iota
	// Taken means that another sidecar holds the name.
	Taken
	// Joined means that it holds.
	Joined
	// Left means that it was left, or the cache is closed.
	Left
)

var standingNames = [...]string{Waiting: "waiting", Taken: "taken", Joined: "joined", Left: "left"}

// String returns the standing in lower case.
func (s Standing) String() string {
	if int(s) < len(standingNames) {
		return standingNames[s]
	}
	return fmt.Sprintf("standing %d", s)
}

// Command is what one member asks of another.
type Command struct {
	ID       string // of this command alone
	From     string // the member that sent it, as it says
	Body     string
	Deadline time.Time // by the local clock: nobody may begin with it afterwards
}

// String hides what it asks.
func (c Command) String() string { return "[command]" }

// GoString hides what it asks.
func (c Command) GoString() string { return c.String() }

// CheckMember reports whether a member may have the name. It is for implementations.
func CheckMember(name string) error { return checkWord("member", name) }

// CheckRow reports whether a row may be shown beside others of so many bytes. It is for implementations.
func CheckRow(key, value string, rows, bytes int) error {
	if err := errors.Join(checkName("row's key", key), checkValue("row", value)); err != nil {
		return err
	}
	if rows >= MaxRows || bytes+len(key)+len(value) > MaxRowBytes {
		return ErrFull
	}
	return nil
}

// CheckBody reports whether a command or an answer may be sent. It is for implementations.
func CheckBody(body string) error { return checkValue("command", body) }
