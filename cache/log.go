package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrNotNext means that the log ends elsewhere than the writer believes. Nothing was written.
var ErrNotNext = errors.New("the log ends elsewhere")

// MaxLogEntries bounds how many entries are appended in one step.
const MaxLogEntries = 1000

// Logs are streams that others read, of entries that the writer numbers: appending the same ones again is found out, so that a writer
// who does not know whether a step was done may try it again.
type Logs interface {
	// LogEnd returns the number of the last entry that was ever appended to a log, 0 when none was, and that entry, which is empty when
	// it was taken out since.
	LogEnd(ctx context.Context, name string) (end uint64, entry string, err error)
	// AppendLog appends entries to a log that ends with end, numbers them from first, which is above end, and keeps about the last keep.
	// It returns where the log ends then. With ErrNotNext it ended elsewhere, and nothing was written.
	AppendLog(ctx context.Context, name string, end, first uint64, entries []string, keep int) (now uint64, err error)
}

// CheckLog reports whether there may be such a log. It is for implementations.
func CheckLog(name string) error { return checkWord("log", name) }

// CheckEntries reports whether the entries may be appended. It is for implementations.
func CheckEntries(name string, end, first uint64, entries []string, keep int) error {
	if err := CheckLog(name); err != nil {
		return err
	}
	if len(entries) > MaxLogEntries || first > MaxVersion {
		return fmt.Errorf("cache: %d log entries from %d: %w", len(entries), first, ErrTooLarge)
	}
	if len(entries) == 0 || first <= end {
		return errors.New("cache: what is appended to a log is one entry or more, numbered above its end")
	}
	if keep <= 0 {
		return errors.New("cache: a log keeps at least one entry")
	}
	for _, e := range entries {
		if err := checkValue("log entry", e); err != nil {
			return err
		}
	}
	return nil
}

// logs is what a Memory holds of them: how they end. Nobody could read the other entries.
type logs struct {
	mu   sync.Mutex
	ends map[string]logEnd
}

type logEnd struct {
	number uint64
	entry  string
}

// LogEnd implements Logs.
func (m *Memory) LogEnd(_ context.Context, name string) (uint64, string, error) {
	if err := CheckLog(name); err != nil {
		return 0, "", err
	}
	m.logs.mu.Lock()
	defer m.logs.mu.Unlock()
	e := m.logs.ends[name]
	return e.number, e.entry, nil
}

// AppendLog implements Logs. The entries are kept for nobody.
func (m *Memory) AppendLog(_ context.Context, name string, end, first uint64, entries []string, keep int) (uint64, error) {
	if err := CheckEntries(name, end, first, entries, keep); err != nil {
		return 0, &WriteError{Op: "log", Err: err}
	}
	m.logs.mu.Lock()
	defer m.logs.mu.Unlock()
	if is := m.logs.ends[name].number; is != end {
		return is, &WriteError{Op: "log", Err: ErrNotNext}
	}
	if m.logs.ends == nil {
		m.logs.ends = make(map[string]logEnd)
	}
	now := first + uint64(len(entries)) - 1
	m.logs.ends[name] = logEnd{now, entries[len(entries)-1]}
	return now, nil
}
