package auth_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/cache"
)

// written is a store that somebody else may have written to: it has one session, whatever is asked for.
type written struct {
	auth.SessionStore // what puts and deletes
	is                cache.Session
	any               bool
}

func (w *written) Session(id string) (cache.Session, bool) { return w.is, w.any || w.is.ID == id }

// Whatever somebody has written into a store that is shared, it lets in nobody but whom a token's holder has made a session for, as that one, by that very
// session, and until that very end.
func FuzzSession(f *testing.F) {
	clock := newClock()
	anna, annas := auth.NewToken()
	crm, crms := auth.NewToken()
	tokens, err := auth.NewTokens(auth.Options{Clock: clock.now}, auth.Entry{Employee: "anna", Hash: annas}, auth.Entry{Panel: "crm", ActsFor: []string{"anna", "boris"}, Hash: crms})
	if err != nil {
		f.Fatal(err)
	}
	store := cache.NewMemory(cache.Options{Now: clock.now})
	holder := auth.NewSessions(auth.SessionOptions{Store: store, Tokens: tokens, Clock: clock.now})
	type session struct {
		cache.Session
		token string
		by    auth.Subject
	}
	var good []session
	for _, by := range []auth.Credential{{Token: anna}, {Token: crm, Employee: "boris"}, {Token: crm, Employee: "anna"}} {
		who, err := tokens.Authenticate(f.Context(), by)
		if err != nil {
			f.Fatal(err)
		}
		made, err := holder.Make(f.Context(), who, time.Minute)
		if err != nil {
			f.Fatal(err)
		}
		kept, ok := store.Session(strings.TrimPrefix(auth.Hash(made.Token), "sha256:"))
		if !ok {
			f.Fatal("it is not in the store")
		}
		good = append(good, session{kept, made.Token, who})
	}
	for i, s := range good {
		f.Add(i, s.ID, s.Owner, s.Value)
		f.Add(i, s.ID, "carl", s.Value)
		f.Add(i+1, s.ID, s.Owner, s.Value)
		f.Add(i, s.ID, s.Owner, strings.Replace(s.Value, "token ", "jwt ", 1)+" 9999999999")
		f.Add(i, s.ID, s.Owner, s.Value+" ")
		f.Add(i, s.ID, "anna", s.Value) // a panel's, of another whom it may act for
		words := strings.Split(s.Value, " ")
		words[2] = strconv.FormatInt(clock.now().Add(time.Hour).Unix(), 10)
		f.Add(i, s.ID, s.Owner, strings.Join(words, " "))
		f.Add(i, strings.ToUpper(s.ID), s.Owner, strings.ToUpper(s.Value))
	}
	f.Add(0, "", "", "")
	f.Fuzz(func(t *testing.T, i int, id, owner, value string) {
		asked := good[uint(i)%uint(len(good))]
		w := &written{SessionStore: store, is: cache.Session{ID: id, Owner: owner, Value: value}, any: true}
		s := auth.NewSessions(auth.SessionOptions{Store: w, Tokens: tokens, Clock: clock.now})
		who, err := s.Authenticate(t.Context(), auth.Credential{Token: asked.token})
		var is *session
		for k := range good {
			if id == good[k].ID && owner == good[k].Owner && value == good[k].Value {
				is = &good[k]
			}
		}
		if is == nil {
			if err == nil || who.Known() || s.Holds(asked.by) {
				t.Fatalf("%q of %q lets in %v", value, owner, who)
			}
			return
		}
		if err != nil || who.Employee() != is.by.Employee() || who.Panel() != is.by.Panel() || !who.Expires().Equal(clock.now().Add(time.Minute).Truncate(time.Second)) || !s.Holds(who) {
			t.Fatalf("%v, %v, of %v", who, err, is.by)
		}
		// What a store answers that has only this one: with another's credential there is nothing.
		if w.any = false; is.token != asked.token {
			if who, err := s.Authenticate(t.Context(), auth.Credential{Token: asked.token}); err == nil {
				t.Fatalf("another's credential is %v", who)
			}
		}
	})
}
