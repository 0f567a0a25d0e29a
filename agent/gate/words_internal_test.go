package gate

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/journal"
)

// Only a word that was made with the key, in that very spelling and for that very one, opens, and it says what was put into it; the handle of a place in
// the journal is the one spelling of that place for its subject.
func FuzzSealed(f *testing.F) {
	s := newSealing([]byte("the key of a test"), "words")
	g := &Gate{secret: newSecret()}
	g.private = g.secret
	type word struct{ whose, word string }
	good := map[word]string{}
	for _, whose := range []string{"", "anna", "boris"} {
		for _, plain := range []string{"", "p", `{"r":"1","e":"anna"}`} {
			w := s.seal(whose, []byte(plain))
			good[word{whose, w}] = plain
			f.Add(whose, w, plain)
			f.Add("annab", w, plain)
			f.Add(whose, w+"a", w)
		}
	}
	f.Add("anna", g.closeHandle(tagCursor, "anna", journal.CursorAt(1, 2)), "")
	f.Fuzz(func(t *testing.T, whose, text, plain string) {
		got, ok := s.open(whose, text)
		if want, is := good[word{whose, text}]; is != ok || is && string(got) != want {
			t.Fatalf("%q of %q opens as %q, %v", text, whose, got, ok)
		}
		made := s.seal(whose, []byte(plain))
		if got, ok := s.open(whose, made); !ok || string(got) != plain {
			t.Fatalf("%q of %q opens as %q, %v", plain, whose, got, ok)
		}
		for _, other := range []string{whose + "x", "x" + whose} {
			if _, ok := s.open(other, made); ok {
				t.Fatalf("what is of %q opens for %q", whose, other)
			}
		}
		for _, kind := range []byte{tagCursor, tagPast, tagRecording} {
			if began, n, ok := g.openHandle(kind, whose, text); ok && g.closeHandle(kind, whose, journal.CursorAt(began, n)) != text {
				t.Fatalf("%q is a second word for %d, %d", text, began, n)
			}
		}
	})
}

// A link to a recording is good for whom it was made, with the credential he made it by, until it ends, and nothing else is one: no word that was not sealed,
// and of what could be sealed none that names another.
func FuzzRecordingLink(f *testing.F) {
	now := time.Now()
	token, hash := auth.NewToken()
	tokens, err := auth.NewTokens(auth.Options{}, auth.Entry{Employee: "anna", Hash: hash})
	if err != nil {
		f.Fatal(err)
	}
	anna, err := tokens.Authenticate(f.Context(), auth.Credential{Token: token})
	if err != nil {
		f.Fatal(err)
	}
	a := newArchive(&Recordings{})
	a.links, a.linkers = newSealing([]byte("the key of a test"), "links"), map[linker]linking{{anna.Credential(), "anna"}: {anna, now.Add(time.Hour)}}
	var good []string
	for _, l := range []link{
		{"r", 1, 2, "anna", anna.Credential(), "why", now.Add(time.Hour).Unix()}, {"r", 1, 2, "boris", anna.Credential(), "", now.Add(time.Hour).Unix()},
		{"r", 1, 2, "anna", "token:1a2b3c4d5e6f", "", now.Add(time.Hour).Unix()}, {"r", 1, 2, "anna", anna.Credential(), "", now.Unix() - 1}, {Expires: 1 << 62},
	} {
		text, err := json.Marshal(l)
		if err != nil {
			f.Fatal(err)
		}
		good = append(good, a.links.seal("", text))
		f.Add(good[len(good)-1], text)
		f.Add(a.links.seal("anna", text), append(text, text...))
	}
	f.Add("", []byte(`{"E":"anna"}`))
	f.Fuzz(func(t *testing.T, word string, plain []byte) {
		if _, _, ok := a.linked(word); ok && !slices.Contains(good[:1], word) {
			t.Fatalf("%q is a link", word)
		}
		s, l, ok := a.linked(a.links.seal("", plain))
		if s.Employee() != "" && (s.Employee() != l.Employee || s.Credential() != l.Credential) {
			t.Fatalf("%s has the link of %q", s.Employee(), plain)
		}
		if !ok {
			return
		}
		var said map[string]any
		if err := json.Unmarshal(plain, &said); err != nil || s.Employee() != "anna" || l.Expires <= now.Unix() {
			t.Fatalf("%q is a link: %v", plain, err)
		}
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		if _, again, ok := a.linked(a.links.seal("", text)); !ok || again != l {
			t.Fatalf("%+v reads back as %+v", l, again)
		}
	})
}
