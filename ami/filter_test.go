package ami

import (
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// The filters of Asterisk's own tests (main/manager.c, parsing_filter_tests), and some more.
func TestFilters(t *testing.T) {
	newchannel := event(t, "Newchannel", "Channel", "XXX", "Someheader", "YYY")
	varset := event(t, "VarSet", "Channel", "ABC", "Someheader", "XXX")
	for _, c := range []struct {
		criteria, pattern string
		event             *Prepared
		pass              bool
	}{
		{"", "XXX", newchannel, true},
		{"", "!XXX", varset, false},
		{"name(VarSet),method(none)", "", varset, true},
		{"name(VarSet)", "", newchannel, false},
		{"name(Newchannel),method(regex)", "X[XYZ]X", newchannel, true},
		{"name(Newchannel),method(regex)", "X[abc]X", newchannel, false},
		{"action(exclude),name(Newchannel),method(regex)", "X[XYZ]X", newchannel, false},
		{"action(exclude),name(Newchannel),method(regex)", "X[abc]X", newchannel, true},
		{"action(include),name(VarSet),header(Channel),method(starts_with)", "AB", varset, true},
		{"action(include),name(VarSet),header(Channel),method(ends_with)", "BC", varset, true},
		{"action(include),name(VarSet),header(Channel),method(contains)", "B", varset, true},
		{"action(include),name(VarSet),header(Channel),method(exact)", "ABC", varset, true},
		{"action(include),name(VarSet),header(Channel:),method(exact)", "XXX", varset, false},
		{"name(VarSet),header(Channel),method(exact)", "!ZZZ", varset, true},
		{"action(exclude),name(VarSet),header(Channel),method(exact)", "ZZZ", varset, true},
		{"action(include),name(VarSet),header(Someheader),method(exact)", "!XXX", varset, true},
		{"header(Someheader)", "", varset, true},
		{"header(Nothere)", "", varset, false},
		{"header(channel)", "", varset, false}, // names as they are written
		{"header(Channel", "", varset, true},   // Asterisk does not mind
		{"name(varset)", "", varset, false},
		{"method(contains)", "Someheader: X", varset, true},

		{"", "^Event: VarSet", varset, true},
		{"", "^Channel", varset, false}, // "^" is where the event begins
		{"", "VarSet.*Some", varset, true},
		{"", "VarSet[^x]*Some", varset, true},
		{"", "A(B|Q)C|nothing", varset, true},
		{"", "AB{1,3}C", varset, true},
		{"", "AB{2}C", varset, false},
		{"", "Channel: ABC.$", varset, false},
		{"", "XXX....$", varset, true},
		{"", "[[:upper:]]{3}..Some", varset, true},
		{"", "(?i)abc", nil, false},
		{"", `\d`, nil, false},
		{"", "XX[X", nil, false},
		{"method(regex)", "XX[X", nil, false},
		{"", "(" + strings.Repeat("a", 600) + ")", nil, false},
		{"", "((a{30}){30}){2}", nil, false},
		{"", "((a{1000}){1000}){1000}", nil, false},
		{"", strings.Repeat(".{100}", 20), nil, false},
		{"name(x),method(contains)", strings.Repeat("a", 600), nil, false},
	} {
		f, err := newFilter(c.criteria, c.pattern)
		if c.event == nil {
			if !errors.Is(err, errFilterPattern) {
				t.Errorf("%q %q: %v", c.criteria, c.pattern, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q %q: %v", c.criteria, c.pattern, err)
			continue
		}
		if pass := (*filterSet)(nil).with(f).pass(c.event.wire); pass != c.pass {
			t.Errorf("%q %q: %q passes %v", c.criteria, c.pattern, c.event.wire, pass)
		}
	}
	for _, c := range [][2]string{
		{"action(include)", ""},
		{"action(inlude)", ""},
		{"nnnn(yyy)", "XXX"},
		{"eader(VarSet)", "XXX"},
		{"ethod(contains)", "XXX"},
		{"nnnn(yyy),header(VarSet),method(contains)", "XXX"},
		{"name(yyy),heder(VarSet),method(contains)", "XXX"},
		{"name(yyy),header(VarSet),mehod(contains)", "XXX"},
		{"name(yyy),header(VarSet),method(coains)", "XXX"},
		{"method(yyy)", "XXX"},
		{"name", "XXX"},
		{"name()", "XXX"},
		{"name(x)", "XXX"},
		{"name(x y)", ""},
		{"name(x),method(regex)", ""},
		{"", ""},
		{"", "!"},
		{" ", "XXX"},
	} {
		if _, err := newFilter(c[0], c[1]); !errors.Is(err, errFilterFormat) {
			t.Errorf("%q %q: %v", c[0], c[1], err)
		}
	}
}

// Asterisk's own test of several filters at a time (main/manager.c, filters_for_matching).
func TestFiltersTogether(t *testing.T) {
	var set *filterSet
	for _, c := range [][2]string{
		{"name(VarSet),method(none)", ""},
		{"name(Newchannel),method(regex)", "X[XYZ]X"},
		{"name(Newchannel),method(regex)", "X[abc]X"},
		{"name(Newchannel),header(Someheader),method(regex)", "ZZZ"},
		{"action(exclude),name(Newchannel),method(regex)", "X[a]X"},
		{"action(exclude),name(Newchannel),method(regex)", "X[Z]X"},
		{"action(exclude),name(VarSet),header(Channel),method(regex)", "YYY"},
	} {
		f, err := newFilter(c[0], c[1])
		if err != nil {
			t.Fatal(c, err)
		}
		set = set.with(f)
	}
	for _, c := range []struct {
		name, channel, other string
		pass                 bool
	}{
		{"Newchannel", "XXX", "YYY", true},
		{"Newchannel", "XZX", "YYY", false},
		{"Newchannel", "XaX", "YYY", false},
		{"Newchannel", "XbX", "YYY", true},
		{"Newchannel", "XcX", "YYY", true},
		{"Newchannel", "YYY", "YYY", false},
		{"Newchannel", "YYY", "ZZZ", true},
		{"VarSet", "XXX", "YYY", true},
		{"VarSet", "YYY", "YYY", false},
	} {
		p := event(t, c.name, "Channel", c.channel, "Someheader", c.other)
		if pass := set.pass(p.wire); pass != c.pass {
			t.Errorf("%v passes %v", c, pass)
		}
	}
}

func TestFiltersAreTheSessionsOwnAndBounded(t *testing.T) {
	s := serve(t, ServerConfig{})
	filtered, session := s.login("")
	plain, other := s.login("")
	send := func(name string) {
		session.Send(event(t, name))
		other.Send(event(t, name))
	}
	send("Hangup") // before the filter: it is through
	filtered.send("Action: Filter\r\nOperation: Add\r\nMatchCriteria: name(Hangup),action(exclude)\r\n\r\n")
	filtered.expect("Event: Hangup\r\nPrivilege: call,all\r\n\r\nResponse: Success\r\nMessage: Success\r\n\r\n")
	send("Hangup")
	send("Newstate")
	filtered.expect("Event: Newstate\r\nPrivilege: call,all\r\n\r\n")
	plain.expect("Event: Hangup\r\nPrivilege: call,all\r\n\r\nEvent: Hangup\r\nPrivilege: call,all\r\n\r\nEvent: Newstate\r\nPrivilege: call,all\r\n\r\n")

	for range maxFilters - 1 {
		filtered.send("Action: Filter\r\nOperation: Add\r\nFilter: !nothing\r\n\r\n")
		filtered.expect("Response: Success\r\nMessage: Success\r\n\r\n")
	}
	filtered.send("Action: Filter\r\nOperation: Add\r\nFilter: !nothing\r\n\r\n")
	filtered.expect("Response: Error\r\nMessage: Internal Error. Failed adding filter.\r\n\r\n")
}

// Whatever the expressions are, together they are no more than one may be.
func TestFiltersOfASessionAreBoundedTogether(t *testing.T) {
	r, _ := serve(t, ServerConfig{}).login("")
	add := func(pattern, want string) {
		t.Helper()
		r.send("Action: Filter\r\nOperation: Add\r\nFilter: " + pattern + "\r\n\r\n")
		r.expect(want + "\r\n\r\n")
	}
	const taken, full = "Response: Success\r\nMessage: Success", "Response: Error\r\nMessage: Internal Error. Failed adding filter."
	add(`!(.?){240}\|x`, taken)
	add(`!(.?){240}\|x`, full)
	add("!Hangup", taken)
	for range 3 {
		add("!(.?){240}", full)
	}
}

// Filters that take more than a part of the time end their session, which says so.
func TestFiltersThatTakeTooLongEndTheSession(t *testing.T) {
	s := serve(t, ServerConfig{MaxQueue: 64 << 20})
	r, session := s.login("")
	r.send("Action: Filter\r\nOperation: Add\r\nFilter: !(.?){240}\\|x\r\n\r\n")
	r.expect("Response: Success\r\nMessage: Success\r\n\r\n")
	long := event(t, "Newchannel", "Text", strings.Repeat("a", 100<<10))
	for range 100 {
		session.Send(long)
	}
	if cause := <-s.ended; !errors.Is(cause, ErrFilters) {
		t.Errorf("ended by %v", cause)
	}
}

func TestTheTimeOfFiltersComesBack(t *testing.T) {
	now, clock := time.Unix(1000, 0), filterClock{}
	if !clock.spend(now, now.Add(filterTime)) {
		t.Error("the whole of it at once is too much")
	}
	now = now.Add(filterTime)
	if later := now.Add(filterTime); !clock.spend(later, later.Add(filterTime/filterShare)) {
		t.Error("what has come back is too much")
	}
	now = now.Add(filterTime + filterTime/filterShare)
	if clock.spend(now, now.Add(filterTime/100)) {
		t.Error("more than has come back is not too much")
	}
}

// The end of a server does not wait for what a client has its filters look at.
func TestTheEndDoesNotWaitForFilters(t *testing.T) {
	server, err := NewServer(ServerConfig{Authenticator: users, MaxQueue: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	client, conn := net.Pipe()
	defer client.Close()
	session := newSession(t.Context(), server, conn)
	one, err := newFilter("", `!(.?){240}\|x`)
	if err != nil {
		t.Fatal(err)
	}
	items := make([]item, 1000)
	for i := range items {
		items[i] = item{mask: ClassAll, events: event(t, "Newchannel", "Text", strings.Repeat("a", 10_000)), filters: (*filterSet)(nil).with(one)}
	}
	session.end(io.EOF, false)
	if err := session.writeItems(items); err != nil || session.looked.spent != 0 {
		t.Errorf("%v, and filters have taken %v", err, session.looked.spent)
	}
}

// FuzzFilter holds that what is taken stays small, and that "contains" and a quoted expression say the same.
func FuzzFilter(f *testing.F) {
	f.Add("name(VarSet),method(contains)", "a.b")
	f.Add("", "!(a|b){3}")
	f.Fuzz(func(t *testing.T, criteria, pattern string) {
		p := event(t, "VarSet", "Channel", "ABC")
		one, err := newFilter(criteria, pattern)
		if err != nil {
			return
		}
		if len(one.text) > maxPattern {
			t.Fatalf("a pattern of %d bytes", len(one.text))
		}
		matched := one.match(p.wire)
		if one.method == "contains" && len(one.text) < 50 {
			same, err := newFilter(strings.Replace(criteria, "contains", "regex", 1), regexp.QuoteMeta(string(one.text)))
			if err == nil && utf8.Valid(one.text) && same.match(p.wire) != matched {
				t.Fatalf("contains %q: %v, as an expression %v", one.text, matched, !matched)
			}
		}
		if pass := (*filterSet)(nil).with(one).pass(p.wire); pass != (matched != one.exclude) {
			t.Fatalf("match %v, exclude %v, pass %v", matched, one.exclude, pass)
		}
	})
}
