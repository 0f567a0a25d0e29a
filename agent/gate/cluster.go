package gate

import (
	"context"
	"errors"
)

// Cluster is the way to the sidecars beside the company's other PBXs. Nothing of it waits but Send, and all may be called under the gate's lock
// but that. It is safe for concurrent use.
type Cluster interface {
	// PBX is the name of the PBX that this Earshot is beside.
	PBX() string
	// Secret is the same in the whole cluster and known to nobody else; another for each purpose.
	Secret(purpose string) [32]byte
	// Show shows a value to the others, in place of what was shown under the key. What they get is a copy that nobody outside can read or make.
	Show(key string, value []byte)
	// Hide takes back what was shown.
	Hide(key string)
	// Send has the Gate beside another PBX perform a request and returns its answer. An error means that nothing was done and nothing will be, unless it
	// is ErrMayBeDone.
	Send(ctx context.Context, pbx string, request []byte) (answer []byte, err error)
}

// ErrMayBeDone says of a request to another PBX that nobody knows whether it was carried out.
var ErrMayBeDone = errors.New("it may have been carried out")

// News is what the sidecar beside another PBX shows now.
type News struct {
	PBX   string
	Known bool // false: it has gone, or is out of reach: nothing that it showed counts any more
	Whole bool // Shown is all that it shows; what else it showed is gone
	// Partial says that it has more than it can show, as of this News: what it has not shown may be there all the same. Shown may be empty where this alone is news.
	Partial bool
	Shown   []Shown
}

// Shown is one value under its key; nil: it was taken back. The value is not to be changed.
type Shown struct {
	Key   string
	Value []byte
}
