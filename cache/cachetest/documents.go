package cachetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/cache"
)

func documents(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	c.FollowDocument("policy")
	waitFor(t, "the first reading", func() bool { _, age := c.Document("policy"); return age != cache.Never })
	if d, _ := c.Document("policy"); d != (cache.Document{}) {
		t.Errorf("%v where none was put", d)
	}
	w := c.Watch()
	defer w.Close()
	put := func(version uint64, data string, want error) {
		t.Helper()
		err := c.PutDocument(t.Context(), "policy", cache.Document{Version: version, Data: data})
		if !errors.Is(err, want) {
			t.Errorf("%d: %v", version, err)
		}
	}
	is := func(version uint64, data string) {
		t.Helper()
		waitFor(t, data, func() bool {
			d, age := c.Document("policy")
			return d == cache.Document{Version: version, Data: data} && age != cache.Never
		})
	}
	put(7, "seven\n", nil)
	is(7, "seven\n")
	if got := next(t, w); got != (cache.Change{Kind: cache.ChangeDocument, ID: "policy"}) {
		t.Errorf("%+v", got)
	}
	put(7, "another seven", cache.ErrOlder)
	put(6, "six", cache.ErrOlder)
	put(cache.MaxVersion, strings.Repeat("x", cache.MaxDocument), nil)
	is(cache.MaxVersion, strings.Repeat("x", cache.MaxDocument))
	if err := c.PutDocument(t.Context(), "another", cache.Document{Version: 1, Data: "secret"}); err != nil {
		t.Error(err)
	}
	if printed := fmt.Sprintf("%v %+v %#v", cache.Document{Version: 1, Data: "secret"}, cache.Document{Data: "secret"}, cache.Document{Data: "secret"}); strings.Contains(printed, "secret") {
		t.Error(printed)
	}
}

func badDocuments(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	for name, d := range map[string]cache.Document{
		"":                      {Version: 1},
		"a b":                   {Version: 1},
		"a}b":                   {Version: 1},
		strings.Repeat("x", 65): {Version: 1},
		"none":                  {},
		"high":                  {Version: cache.MaxVersion + 1},
		"large":                 {Version: 1, Data: strings.Repeat("x", cache.MaxDocument+1)},
	} {
		err := c.PutDocument(t.Context(), name, d)
		var failed *cache.WriteError
		if !errors.As(err, &failed) || failed.MayBeDone || (name == "large") != errors.Is(err, cache.ErrTooLarge) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func logs(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	add := func(end, first uint64, entries int, now uint64, want error) {
		t.Helper()
		texts := make([]string, entries)
		texts[entries-1] = fmt.Sprint(now)
		got, err := c.AppendLog(t.Context(), "audit.a", end, first, texts, 100)
		if got != now || !errors.Is(err, want) {
			t.Errorf("it ends with %d, not %d: %v", got, now, err)
		}
	}
	ends := func(want uint64, text string) {
		t.Helper()
		if end, entry, err := c.LogEnd(t.Context(), "audit.a"); end != want || entry != text || err != nil {
			t.Errorf("it ends with %d %q, not %d: %v", end, entry, want, err)
		}
	}
	ends(0, "")
	add(41, 42, 1, 0, cache.ErrNotNext) // it is empty
	add(0, 42, 2, 43, nil)              // and begins anywhere
	add(43, 44, 1, 44, nil)
	ends(44, "44")
	add(43, 44, 1, 44, cache.ErrNotNext) // a second time
	add(0, 45, 1, 44, cache.ErrNotNext)
	add(45, 46, 1, 44, cache.ErrNotNext) // one is missing
	ends(44, "44")
	add(44, 48, 2, 49, nil) // some are left out
	ends(49, "49")
	add(49, 50, cache.MaxLogEntries, 49+cache.MaxLogEntries, nil)
	if end, err := c.AppendLog(t.Context(), "audit.b", 0, 1, []string{"x"}, 100); end != 1 || err != nil {
		t.Errorf("another log: %d %v", end, err)
	}
}

func badLogs(t *testing.T, open Open) {
	c := open(t, cache.Options{})
	x := []string{"x"}
	for name, add := range map[string]func() (uint64, error){
		"a name": func() (uint64, error) { return c.AppendLog(t.Context(), "a b", 0, 1, x, 1) },
		"many": func() (uint64, error) {
			return c.AppendLog(t.Context(), "a", 0, 1, make([]string, cache.MaxLogEntries+1), 1)
		},
		"large": func() (uint64, error) {
			return c.AppendLog(t.Context(), "a", 0, 1, []string{strings.Repeat("x", cache.MaxValue+1)}, 1)
		},
		"no place":    func() (uint64, error) { return c.AppendLog(t.Context(), "a", 0, 1, x, 0) },
		"high":        func() (uint64, error) { return c.AppendLog(t.Context(), "a", 0, cache.MaxVersion+1, x, 1) },
		"none":        func() (uint64, error) { return c.AppendLog(t.Context(), "a", 0, 1, nil, 1) },
		"its own end": func() (uint64, error) { return c.AppendLog(t.Context(), "a", 0, 0, x, 1) },
	} {
		_, err := add()
		var failed *cache.WriteError
		if !errors.As(err, &failed) || failed.MayBeDone {
			t.Errorf("%s: %v", name, err)
		}
	}
	if end, entry, err := c.LogEnd(t.Context(), "a"); end != 0 || entry != "" || err != nil {
		t.Errorf("something was written: %d %q %v", end, entry, err)
	}
	if _, _, err := c.LogEnd(t.Context(), "a b"); err == nil {
		t.Error("a bad name is read")
	}
}
