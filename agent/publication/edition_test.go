package publication_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/publication"
	"github.com/earshot-pbx/earshot/cache"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

var key = bytes.Repeat([]byte("k"), publication.MinKey)

func edition(generation uint64, texts ...string) publication.Edition {
	e := publication.Edition{Generation: generation}
	for i, text := range texts {
		e.Documents = append(e.Documents, policyfile.Document{Name: "/srv/" + string(rune('a'+i)) + ".yaml", Text: text})
	}
	return e
}

func sealed(t testing.TB, e publication.Edition) string {
	t.Helper()
	text, err := publication.Seal(key, e)
	must(t, err)
	return text
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOnlyWhatWasSealedWithTheKeyIsOpened(t *testing.T) {
	e := edition(1790000000, "version: 1\n", "<&>\u2028\x00\"")
	text := sealed(t, e)
	got, err := publication.Open(key, text)
	if err != nil || got.Generation != e.Generation || !slices.Equal(got.Documents, e.Documents) || got.Hash() != e.Hash() || e.Hash() == "" {
		t.Fatalf("%v %+v", err, got)
	}
	for i := range text { // one byte cut, or another
		if _, err := publication.Open(key, text[:i]); err == nil {
			t.Errorf("cut at %d", i)
		}
		if _, err := publication.Open(key, text[:i]+string(text[i]^1)+text[i+1:]); err == nil {
			t.Errorf("changed at %d", i)
		}
	}
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":            {"", publication.ErrMalformed},
		"another form":       {strings.Replace(text, "policy 1", "policy 2", 1), publication.ErrMalformed},
		"another generation": {strings.Replace(text, "1790000000", "1790000001", 1), publication.ErrForged},
		"a zero in front":    {strings.Replace(text, "1790000000", "01790000000", 1), publication.ErrMalformed},
		"no generation":      {strings.Replace(text, "1790000000", "0", 1), publication.ErrMalformed},
		"more at the end":    {text + "\n", publication.ErrForged},
		"too large":          {text + strings.Repeat(" ", cache.MaxDocument), publication.ErrMalformed},
	} {
		if _, err := publication.Open(key, c.text); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := publication.Open(bytes.Repeat([]byte("K"), 32), text); !errors.Is(err, publication.ErrForged) {
		t.Errorf("another key: %v", err)
	}
	for _, short := range [][]byte{nil, key[1:]} {
		if _, err := publication.Open(short, text); !errors.Is(err, publication.ErrKey) {
			t.Errorf("%v", err)
		}
		if _, err := publication.Seal(short, e); !errors.Is(err, publication.ErrKey) {
			t.Errorf("%v", err)
		}
	}
	if _, err := publication.Seal(key, edition(1, "\xff")); err == nil {
		t.Error("what is not UTF-8 would be changed on the way")
	}
	if _, err := publication.Seal(key, edition(1, strings.Repeat("x", cache.MaxDocument))); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

// FuzzOpen: whatever stands in Redis, only what was sealed is opened: what opens is what was sealed, byte by byte, under its generation.
func FuzzOpen(f *testing.F) {
	whole := sealed(f, edition(7, "version: 1\n"))
	other, err := publication.Seal(bytes.Repeat([]byte("x"), 32), edition(8, "version: 1\n"))
	must(f, err)
	for _, s := range []string{whole, other, whole[:len(whole)-1], whole + " ", "", "earshot-policy 1 7 x y\n[]", strings.Replace(whole, " 7 ", " 8 ", 1)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := publication.Open(key, text)
		if err != nil {
			if len(e.Documents) != 0 || e.Generation != 0 {
				t.Error("an error, and something of it all the same")
			}
			return
		}
		again, err := publication.Seal(key, e)
		if err != nil || again != text {
			t.Errorf("%q was opened and never sealed: %v", text, err)
		}
	})
}
