package stage

import (
	"strings"
	"sync"
	"testing"
	"time"
)

// Log keeps what is logged. Its zero value is ready.
type Log struct {
	mu    sync.Mutex
	b     strings.Builder
	wrote chan struct{} // closed by the next line; nil: nobody waits
}

// Write takes a line.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrote != nil {
		close(l.wrote)
		l.wrote = nil
	}
	return l.b.Write(p)
}

// String is what was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Until waits until a text was logged.
func (l *Log) Until(t testing.TB, text string) {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		l.mu.Lock()
		all := l.b.String()
		if l.wrote == nil {
			l.wrote = make(chan struct{})
		}
		wrote := l.wrote
		l.mu.Unlock()
		if strings.Contains(all, text) {
			return
		}
		select {
		case <-wrote:
		case <-late:
			t.Fatalf("the log has no %q:\n%s", text, all)
		}
	}
}
