package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/cache"
)

// FuzzParseSession: what is read as a session says what Redis holds and is one that may be put.
func FuzzParseSession(f *testing.F) {
	for _, raw := range []string{"1\nanna\nv", "1\nanna\n", "", "\n\n", "-1\na\nb", "1\na", "01\na\nb\nc", "9007199254740993\na\n"} {
		f.Add("id", raw)
	}
	f.Fuzz(func(t *testing.T, id, raw string) {
		s, ends, err := parseSession(id, raw)
		if err != nil {
			return
		}
		if s.Validate() != nil || ends < 0 {
			t.Errorf("%q: %q of %q until %d", raw, s.Value, s.Owner, ends)
		}
		if again := fmt.Sprintf("%d\n%s\n%s", ends, s.Owner, s.Value); again != strings.TrimLeft(raw, "0+") && ends != 0 {
			t.Errorf("%q is read as %q", raw, again)
		}
	})
}

func TestAnErrorOfAWriteRepeatsNothing(t *testing.T) {
	for _, cause := range []error{
		errors.New("dial tcp 10.1.2.3:6379: secret"), context.DeadlineExceeded, context.Canceled, io.EOF,
		fmt.Errorf("secret: %w", errSecret),
	} {
		err := writeError("session", cause)
		var w *cache.WriteError
		if !errors.As(err, &w) || !errors.Is(err, cache.ErrAway) || strings.Contains(err.Error(), "secret:") || strings.Contains(err.Error(), "10.1.2.3") {
			t.Errorf("%v: %v", cause, err)
		}
		for _, ctx := range []error{context.Canceled, context.DeadlineExceeded} {
			if errors.Is(err, ctx) != errors.Is(cause, ctx) {
				t.Errorf("%v: %v", cause, err)
			}
		}
	}
}
