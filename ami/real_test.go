package ami_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/ami"
)

const (
	panelSecret = "panel secret"
	// The panel reads user events alone, which a test makes when it wants some.
	panelAccount = "[panel]\nsecret=" + panelSecret + "\nread=user\nwrite=system,user\n"
	panelLogin   = "Action: Login\r\nUsername: panel\r\nSecret: " + panelSecret + "\r\n"
)

// beside is a real Asterisk and a server, which know the same user.
type beside struct {
	t         testing.TB
	pbx, ours string // addresses
	sessions  chan *ami.Session
}

func standBeside(t *testing.T) *beside {
	t.Helper()
	p, err := pbxtest.Start(t.Context(), pbxtest.Options{Plan: pbxtest.Plan{Extra: map[string]string{"manager.conf": panelAccount}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	b := &beside{t: t, pbx: p.AMI(), sessions: make(chan *ami.Session, 1)}
	server, err := ami.NewServer(ami.ServerConfig{
		Authenticator: ami.AuthenticatorFunc(func(_ context.Context, c *ami.Credentials) (any, error) {
			if known := c.Prove(panelSecret); !known || !strings.EqualFold(c.Username, "panel") {
				return nil, errors.New("refused")
			}
			return c.Username, nil
		}),
		OnLogin: func(_ context.Context, s *ami.Session) {
			select {
			case b.sessions <- s:
			default: // nobody asked
			}
		},
		MaxPerAddr: 50,
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.ours = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

// vary are the parts of answers that are never the same twice.
var vary = regexp.MustCompile(`(Timestamp: |Challenge: )[0-9.]+`)

// say sends text and returns all that is answered until the other end closes.
func say(addr, text string) (string, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(conn)
	return vary.ReplaceAllString(string(answer), "$1#"), err
}

// TestTheServerAnswersAsAsteriskDoes says the same to both and compares every byte.
func TestTheServerAnswersAsAsteriskDoes(t *testing.T) {
	b := standBeside(t)
	const logoff = "Action: Logoff\r\n\r\n"
	in := func(actions ...string) string {
		return panelLogin + "Events: off\r\n\r\n" + strings.Join(actions, "\r\n\r\n") + "\r\n\r\n" + logoff
	}
	cases := map[string]string{
		"logoff at once":            logoff,
		"logoff with an id":         "Action: Logoff\r\nActionID: x y\r\n\r\n",
		"before: an action":         "Action: CoreStatus\r\nActionID: 1\r\n\r\n" + logoff,
		"before: no such action":    "Action: Dance\r\n\r\n" + logoff,
		"before: ping":              "Action: Ping\r\n\r\n" + logoff,
		"before: no action":         "ActionID: 1\r\n\r\n" + logoff,
		"before: an empty action":   "Action:\r\nActionID: 1\r\n\r\n" + logoff,
		"before: empty lines":       "\r\n\n\r\n" + logoff,
		"challenge":                 "Action: Challenge\r\nActionID: 1\r\nAuthType: MD5\r\n\r\n" + logoff,
		"challenge in small":        "action: challenge\r\nauthtype: md5\r\n\r\n" + logoff,
		"challenge without type":    "Action: Challenge\r\nActionID: 1\r\n\r\n" + logoff,
		"challenge of another type": "Action: Challenge\r\nAuthType: SHA256\r\n\r\n" + logoff,
		"log-in: wrong secret":      "Action: Login\r\nActionID: 1\r\nUsername: panel\r\nSecret: wrong\r\n\r\n",
		"log-in: nobody":            "Action: Login\r\nActionID: 1\r\nUsername: nobody\r\nSecret: wrong\r\n\r\n",
		"log-in: nothing":           "Action: Login\r\n\r\n",
		"log-in: wrong key":         "Action: Challenge\r\nAuthType: MD5\r\n\r\nAction: Login\r\nUsername: panel\r\nAuthType: MD5\r\nKey: 0123\r\n\r\n",
		"log-in: no challenge":      "Action: Login\r\nUsername: panel\r\nAuthType: MD5\r\nKey: 0123\r\n\r\n",
		"log-in: then more":         "Action: Login\r\nUsername: nobody\r\n\r\nAction: Ping\r\n\r\n" + logoff,
		"log-in with LF":            strings.ReplaceAll(panelLogin+"Events: off\r\n\r\n"+logoff, "\r", ""),
		"log-in with an id":         strings.Replace(panelLogin, "\r\n", "\r\nActionID: a b: c\r\n", 1) + "\r\n" + logoff,
		"log-in in capitals":        "ACTION: LOGIN\r\nUSERNAME: PANEL\r\nSECRET: " + panelSecret + "\r\n\r\n" + logoff,
		"log-in without blanks":     "Action:Login\r\nUsername:panel\r\nSecret:    " + panelSecret + "\r\n\r\n" + logoff,
		"a blank behind the name":   "Action: Login \r\nUsername: panel\r\nSecret: " + panelSecret + "\r\n\r\n" + logoff,
		"a blank behind the secret": "Action: Login\r\nUsername: panel\r\nSecret: " + panelSecret + " \r\n\r\n",
		"again":                     in("Action: Login\r\nActionID: 1\r\nUsername: nobody"),
		"challenge afterwards":      in("Action: Challenge\r\nAuthType: MD5"),
		"ping":                      in("Action: Ping", "Action: Ping\r\nActionID: 1", "action: PING\r\nactionid: <2>"),
		"an empty ActionID":         in("Action: Ping\r\nActionID:", "Action: Ping\r\nActionID:   "),
		"a long ActionID":           in("Action: Ping\r\nActionID: " + strings.Repeat("i", 900)),
		"no action":                 in("ActionID: 1", "X: y"),
		"empty lines between":       in("Action: Ping\r\n\r\n", "Action: Ping"),
		"no such action":            in("Action: Dance", "Action: Dance\r\nActionID: 1", "Action: Ping ", "Action: Dance: ü"),
		"a long name":               in("Action: " + strings.Repeat("x", 1000)),
		"a line too long":           in("Action: Ping\r\nActionID: 1\r\nX: "+strings.Repeat("x", 1100), "Action: Ping\r\nActionID: 2"),
		"the longest line":          in("Action: Ping\r\nX: " + strings.Repeat("x", 1019)),
		"too many lines":            in("Action: Ping"+strings.Repeat("\r\nVariable: y", 128), "Action: Ping\r\nActionID: 2"),
	}
	for _, mask := range []string{"", "on", "ON", "off", "yes", "no", "true", "false", "0", "1", "64", "2147483647", "2147483648", "4294967296", "4294967298",
		"99999999999999999999", "-1", "call", "Call", "none", "all", "call,agent", "call, agent", "a,call", ",", ",call", "call,", "nothing", "user,nothing", "u,", "y", "n", "t", "f"} {
		cases["events "+mask] = in("Action: Events\r\nActionID: 1\r\nEventMask: " + mask)
	}
	for i, f := range [][2]string{
		{"", "Event: Hangup"}, {"", "!Event: Hangup"}, {"", ""}, {"", "!"}, {"", "XX[X"}, {"", "a{2,1}"}, {"", "(a"}, {"", "a|b"}, {"", "[[:digit:]]+"},
		{"name(UserEvent)", ""}, {"name(UserEvent)", "x"}, {"name(UserEvent),method(regex)", ""}, {"name(UserEvent),method(regex)", "("},
		{"action(include)", ""}, {"action(include)", "x"}, {"action(include),method(contains)", "x"}, {"action(inlude)", "x"}, {"nnn(x)", "x"}, {"method(yyy)", "x"},
		{"header(Channel),method(exact)", "x"}, {"header(Channel:),method(ends_with)", "x"}, {"header(Channel", ""}, {"header(A)header(B)", ""},
		{"action(exclude) name(x)", ""}, {"name()", "x"}, {"name(a b)", ""}, {"(name(x))", ""}, {"actions(include),name(x)", ""}, {"method(none),name(x)", ""}, {",", "x"},
	} {
		fields := "Action: Filter\r\nActionID: 1\r\nOperation: Add\r\nFilter: " + f[1]
		if f[0] != "" {
			fields += "\r\nMatchCriteria: " + f[0]
		}
		cases[fmt.Sprintf("filter %d: %s %s", i, f[0], f[1])] = in(fields)
	}
	cases["filter: no operation"] = in("Action: Filter\r\nFilter: x")
	cases["filter: another"] = in("Action: Filter\r\nOperation: Remove\r\nFilter: x")
	cases["filter: none"] = in("Action: Filter\r\nOperation: add")

	var all sync.WaitGroup
	room := make(chan struct{}, 8)
	for name, text := range cases {
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			want, err := say(b.pbx, text)
			if err != nil || !strings.HasPrefix(want, "Asterisk Call Manager/") {
				t.Errorf("%s: Asterisk says %q, %v", name, want, err)
				return
			}
			got, err := say(b.ours, text)
			if err != nil || got != want {
				t.Errorf("%s:\nAsterisk %q\nwe       %q, %v", name, want, got, err)
			}
		})
	}
	all.Wait()
}

// session is a client's end that reads messages.
type session struct {
	t    testing.TB
	conn net.Conn
	r    *ami.Reader
}

func enter(t testing.TB, addr string, actions ...string) *session {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s := &session{t: t, conn: conn, r: ami.NewReader(conn, ami.Limits{})}
	if _, err := s.r.Greeting(); err != nil {
		t.Fatal(err)
	}
	s.do(panelLogin + "Events: on")
	for _, a := range actions {
		s.do(a)
	}
	return s
}

// do sends an action and reads until its answer; the events before it are returned.
func (s *session) do(action string) (events []string) {
	s.t.Helper()
	if err := s.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(s.conn, strings.TrimSuffix(action, "\r\n")+"\r\n\r\n"); err != nil {
		s.t.Fatal(err)
	}
	for {
		m, err := s.r.Read()
		if err != nil {
			s.t.Fatal(err)
		}
		if m.Response() == nil {
			events = append(events, string(m.Raw()))
			continue
		}
		if string(m.Response()) != "Success" {
			s.t.Fatalf("%q: %v: %s", action, m, m.Get("Message"))
		}
		return events
	}
}

// TestMaskAndFiltersLetThroughWhatAsteriskLetsThrough: a real Asterisk sends events to sessions with masks and filters, and the server
// sends the very same events to sessions with the same ones.
func TestMaskAndFiltersLetThroughWhatAsteriskLetsThrough(t *testing.T) {
	b := standBeside(t)
	filter := func(criteria, pattern string) string {
		if criteria != "" {
			criteria = "MatchCriteria: " + criteria + "\r\n"
		}
		return "Action: Filter\r\nOperation: Add\r\n" + criteria + "Filter: " + pattern
	}
	mask := func(m string) string { return "Action: Events\r\nEventMask: " + m }
	kinds := map[string][]string{
		"all":                     nil,
		"mask off":                {mask("off")},
		"mask user":               {mask("user")},
		"mask call":               {mask("call")},
		"mask u,":                 {mask("u,")},
		"mask 64":                 {mask("64")},
		"mask 63":                 {mask("63")},
		"mask call,user":          {mask("call,user")},
		"mask user with a blank":  {mask("call, user")},
		"regex":                   {filter("", "UserEvent: A")},
		"regex, not":              {filter("", "!UserEvent: A")},
		"regex, from the start":   {filter("", "^UserEvent")},
		"regex, start":            {filter("", "^Event: UserEvent")},
		"regex over lines":        {filter("", "UserEvent: A.*Text: one")},
		"regex, class over lines": {filter("", "UserEvent: A[^x]*Text: one")},
		"regex, end":              {filter("", "one$")},
		"regex, end with ends":    {filter("", "one....$")},
		"regex, alternatives":     {filter("", "Text: (one|two)")},
		"regex, case":             {filter("", "text: ONE")},
		"regex, classes":          {filter("", "Text: [[:digit:]]{2,3}[[:cntrl:]]")},
		"regex, dots":             {filter("", `Text: 1\.2`)},
		"two":                     {filter("", "UserEvent: A"), filter("", "UserEvent: B")},
		"two, not":                {filter("", "!UserEvent: A"), filter("", "!UserEvent: B")},
		"one and one not":         {filter("", "UserEvent"), filter("", "!Text: one")},
		"name":                    {filter("name(UserEvent)", "")},
		"another name":            {filter("name(userevent)", "")},
		"name, not":               {filter("name(UserEvent),action(exclude)", "")},
		"header exact":            {filter("header(UserEvent),method(exact)", "A")},
		"header starts":           {filter("header(Text),method(starts_with)", "o")},
		"header ends":             {filter("header(Text),method(ends_with)", "o")},
		"header contains":         {filter("header(Text),method(contains)", "n")},
		"header regex":            {filter("header(Text),method(regex)", "^[a-z]+$")},
		"header, empty value":     {filter("header(Empty),method(regex)", "^$")},
		"header, there":           {filter("header(Empty)", "")},
		"header, not there":       {filter("header(Nothing)", "")},
		"header, twice":           {filter("header(Twice),method(exact)", "second")},
		"header in small":         {filter("header(text),method(exact)", "one")},
		"contains":                {filter("method(contains)", "UserEvent: B")},
		"contains, not":           {filter("method(contains)", "!UserEvent: B")},
		"not, and yet":            {filter("action(include),method(contains)", "!UserEvent: B")},
	}
	theirs := map[string]*session{}
	for name, actions := range kinds {
		theirs[name] = enter(t, b.pbx, actions...)
	}
	source := enter(t, b.pbx)
	for _, fields := range []string{
		"A\r\nText: one", "A\r\nText: two", "B\r\nText: one", "B\r\nText: two", "C\r\nText: 12", "C\r\nText: 1.2", "C\r\nText: 1x2",
		"D\r\nEmpty: \r\nTwice: first\r\nTwice: second", "E", "End",
	} {
		source.do("Action: UserEvent\r\nUserEvent: " + fields)
	}
	// All is there for everybody when one who gets everything has the last: the others' is written before the answer to a ping.
	var seen []string
	for len(seen) == 0 || !strings.Contains(seen[len(seen)-1], "UserEvent: End") {
		seen = append(seen, theirs["all"].do("Action: Ping")...)
	}
	if len(seen) != 10 {
		t.Fatalf("%d events: %q", len(seen), seen)
	}
	events := make([]*ami.Prepared, len(seen))
	for i, raw := range seen {
		m, err := ami.NewReader(bytes.NewReader([]byte(raw+"\r\n")), ami.Limits{}).Read()
		if err != nil {
			t.Fatal(err)
		}
		if events[i], err = ami.Prepare(m); err != nil {
			t.Fatal(err)
		}
	}
	some, none := 0, 0
	for name, actions := range kinds {
		want := seen
		if name != "all" {
			want = theirs[name].do("Action: Ping")
		}
		client := enter(t, b.ours, actions...)
		ours := <-b.sessions
		for _, p := range events {
			ours.Send(p)
		}
		got := client.do("Action: Ping")
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: Asterisk sends\n%q\nwe send\n%q", name, want, got)
		}
		if len(want) == 0 {
			none++
		} else if len(want) < len(seen) {
			some++
		}
	}
	if some < 10 || none < 5 {
		t.Errorf("%d of the kinds tell something apart and %d let nothing through: the test is about little", some, none)
	}
}
