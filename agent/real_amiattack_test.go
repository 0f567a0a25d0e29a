package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/recording"
	"github.com/earshot-pbx/earshot/ami"
	"go.yaml.in/yaml/v3"
)

// attackRules are the people of the AMI door's attack cases, at the telephones of this company.
const attackRules = `version: 1
employees:
  alice: {name: Alice, phones: [PJSIP/101], numbers: ["101"], dial: employees}
  carol: {name: Carol, phones: [PJSIP/103], numbers: ["103"], listen: {to: [bob, boss], allow: [spy]}}
  dave:  {name: Dave, phones: [PJSIP/303], numbers: ["303"], intercept: {to: [bob]}}
  boss:  {name: Boss, phones: [PJSIP/301], numbers: ["301"]}
  bob:   {name: Bob, phones: [PJSIP/201], numbers: ["201"]}
  olga:  {name: Olga, phones: [PJSIP/202], numbers: ["202"], observe: true, listen: true, intercept: true, dial: employees, line.view: any, line.connect: any, line.change: any, record: true}
lines:
  sales: {name: Sales line, queue: support, members: [bob]}
protected: {employees: [boss]}
trunks: [PJSIP/trunk]
emergency: ["112"]
`

// attackPhones are those telephones by the numbers that the cases have for them.
var attackPhones = map[string]string{"100": "101", "120": "103", "130": "303", "200": "301", "210": "201", "300": "202"}

var (
	attackNumber = regexp.MustCompile(`\b(100|120|130|200|210|300)\b`)
	attackRepeat = regexp.MustCompile(`(?s)\{\{([^}]+?)\*([0-9]+)\}\}`)
	attackFill   = regexp.MustCompile(`\{\{(CH|U|R)(\d+)(\|lower|\|upper)?\}\}`)
)

// here rewrites what a case sends for this company.
func here(text string) string {
	text = strings.NewReplacer("PJSIP/21\r", "PJSIP/20\r", "PJSIP/21,", "PJSIP/20,", "q-sales", "support").Replace(text)
	return attackNumber.ReplaceAllStringFunc(text, func(n string) string { return attackPhones[n] })
}

// wiretap stands between Earshot and Asterisk and notes what Earshot asks for: all but signs of life.
type wiretap struct {
	t        *testing.T
	upstream string
	l        net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	asked []string // the first line of each, or a frame
	conns []net.Conn
}

// tap begins to listen in front of an address.
func tap(t *testing.T, upstream string, read func(stream []byte) (asked []string, rest []byte)) *wiretap {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wiretap{t: t, upstream: upstream, l: l}
	w.running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := new(net.Dialer).DialContext(context.Background(), "tcp", upstream)
			if err != nil {
				_ = in.Close()
				continue
			}
			w.mu.Lock()
			w.conns = append(w.conns, in, out)
			w.mu.Unlock()
			w.running.Go(func() { w.carry(out, in, read) })
			w.running.Go(func() { w.carry(in, out, nil) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.mu.Lock()
		for _, c := range w.conns {
			_ = c.Close()
		}
		w.mu.Unlock()
		w.running.Wait()
	})
	return w
}

func (w *wiretap) carry(to, from net.Conn, read func([]byte) ([]string, []byte)) {
	defer func() { _, _ = to.Close(), from.Close() }()
	var stream []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if read != nil && n > 0 {
			var asked []string
			asked, stream = read(append(stream, buf[:n]...))
			w.mu.Lock()
			w.asked = append(w.asked, asked...)
			w.mu.Unlock()
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (w *wiretap) all() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked)
}

// readAMI takes whole actions off a stream.
func readAMI(stream []byte) (asked []string, rest []byte) {
	for {
		i := bytes.Index(stream, []byte("\r\n\r\n"))
		if i < 0 {
			return asked, stream
		}
		if m := string(stream[:i]); !strings.HasPrefix(m, "Action: Ping") {
			first, _, _ := strings.Cut(m, "\r\n")
			asked = append(asked, first)
		}
		stream = stream[i+4:]
	}
}

// upgraded stands before the frames of a stream that has become a WebSocket.
const upgraded = "\x00ws"

// readARI takes requests off a stream, or frames that are more than a sign of life. Of a request every byte counts, so its body counts as one more.
func readARI(stream []byte) (asked []string, rest []byte) {
	if !bytes.HasPrefix(stream, []byte(upgraded)) {
		head, body, ok := bytes.Cut(stream, []byte("\r\n\r\n"))
		if !ok {
			return nil, stream
		}
		first, _, _ := strings.Cut(string(head), "?")
		first, _, _ = strings.Cut(first, "\r\n")
		if !bytes.Contains(bytes.ToLower(head), []byte("upgrade: websocket")) {
			if len(body) > 0 {
				asked, body = append(asked, "a body"), nil
			}
			if first == "GET /ari/applications/earshot HTTP/1.1" { // a sign of life, by which it is seen whether the application is there
				return asked, body
			}
			return append(asked, first), body
		}
		asked, stream = append(asked, first), append([]byte(upgraded), body...)
	}
	for frames := stream[len(upgraded):]; ; {
		if len(frames) < 2 {
			return asked, append([]byte(upgraded), frames...)
		}
		size, head := int(frames[1]&0x7f), 6
		switch {
		case size == 126 && len(frames) >= 4:
			size, head = int(frames[2])<<8|int(frames[3]), 8
		case size >= 126:
			return append(asked, "a long frame"), []byte(upgraded)
		}
		if len(frames) < head+size {
			return asked, append([]byte(upgraded), frames...)
		}
		if op := frames[0] & 0x0f; op != 9 && op != 10 { // ping and pong
			asked = append(asked, fmt.Sprintf("a frame of kind %d", op))
		}
		frames = frames[head+size:]
	}
}

// attacked is a company whose AMI door is attacked.
type attacked struct {
	*office
	taps [2]*wiretap
	door string
}

func (a *attacked) asked() (all []string) {
	for _, w := range a.taps {
		all = append(all, w.all()...)
	}
	return all
}

// settled waits until nothing has been asked for a while, and returns how much it was up to then.
func (a *attacked) settled() int {
	a.Helper()
	for n := len(a.asked()); ; {
		select {
		case <-a.ctx.Done():
			a.Fatalf("Earshot does not stop asking: %q", a.asked()[n:])
		case <-time.After(400 * time.Millisecond):
		}
		if m := len(a.asked()); m == n {
			return n
		} else {
			n = m
		}
	}
}

// goesOn sets up what a case wants.
func (a *attacked) goesOn(setup string) {
	a.Helper()
	switch setup {
	case "talking", "own":
		a.talk(stranger, "sergei")
		a.talk(oleg, "maria")
		if setup == "own" {
			a.talk(vera, "anna")
		}
	case "ringing":
		a.calls(stranger, "201")
		a.rings("sergei")
	case "meeting":
		a.chat("sergei", "maria")
	default:
		a.Fatalf("there is no setup %q", setup)
	}
}

// session is one at the door, as bytes.
type session struct {
	*attacked
	who  string
	conn net.Conn
	in   *ami.Reader
	mark int
}

func (a *attacked) session(who string) *session {
	a.Helper()
	conn, err := new(net.Dialer).DialContext(a.ctx, "tcp", a.door)
	a.must(err)
	a.Cleanup(func() { _ = conn.Close() })
	deadline, _ := a.ctx.Deadline()
	a.must(conn.SetDeadline(deadline))
	s := &session{attacked: a, who: who, conn: conn, in: ami.NewReader(conn, ami.Limits{})}
	_, err = s.in.Greeting()
	a.must(err)
	if got := s.say("Action: Login\r\nUsername: " + who + "\r\nSecret: " + a.tokens[who] + "\r\nEvents: off\r\n\r\n"); len(got) != 1 || got[0].Get("Response") != "Success" {
		a.Fatalf("%s logs in: %v", who, got)
	}
	return s
}

// say sends bytes, and returns what comes before the answer to a Ping that is sent behind.
func (s *session) say(text string) (answers []*ami.Message) {
	s.Helper()
	s.mark++
	id := "mark-" + strconv.Itoa(s.mark)
	_, err := s.conn.Write([]byte(text + "Action: Ping\r\nActionID: " + id + "\r\n\r\n"))
	s.must(err)
	for {
		m, err := s.in.Read()
		s.must(err)
		if m.Get("ActionID") == id {
			return answers
		}
		answers = append(answers, m.Clone())
	}
}

// fill puts in what stands between braces: channels as the sender is shown them, and as they are called on the PBX.
func (s *session) fill(text string) string {
	s.Helper()
	shown := map[string]*ami.Message{}
	if attackFill.MatchString(text) {
		for _, m := range s.say("Action: CoreShowChannels\r\n\r\n") {
			if phone, _, ok := strings.Cut(m.Get("Channel"), "-"); ok {
				shown[phone] = m
			}
		}
	}
	text = attackFill.ReplaceAllStringFunc(text, func(v string) string {
		m := attackFill.FindStringSubmatch(v)
		phone := "PJSIP/" + attackPhones[m[2]]
		row := shown[phone]
		if row == nil {
			s.Fatalf("%s is shown no channel of %s", s.who, phone)
		}
		out := row.Get("Channel")
		switch m[1] {
		case "U":
			out = row.Get("Uniqueid")
		case "R":
			all, err := s.admin.ListChannels(s.ctx)
			s.must(err)
			for _, c := range all {
				if strings.HasPrefix(c.Name, phone+"-") {
					out = c.Name
				}
			}
		}
		switch m[3] {
		case "|lower":
			return strings.ToLower(out)
		case "|upper":
			return strings.ToUpper(out)
		}
		return out
	})
	return attackRepeat.ReplaceAllStringFunc(text, func(v string) string {
		m := attackRepeat.FindStringSubmatch(v)
		n, _ := strconv.Atoi(m[2])
		return strings.Repeat(m[1], n)
	})
}

// No attack case at the AMI door has Earshot send Asterisk a byte, and its permitted twin does, where it asks for something.
func TestNothingThatTheAMIDoorRefusesReachesAsterisk(t *testing.T) {
	o := enter(t)
	dir := t.TempDir()
	put(t, filepath.Join(dir, "policy.yaml"), attackRules)
	tokens := map[string]string{}
	for _, who := range []string{"alice", "carol", "dave", "boss", "bob", "olga"} {
		token, hash := auth.NewToken()
		o.must(auth.AddToken(filepath.Join(dir, "tokens.yaml"), auth.Entry{Employee: who, Hash: hash}))
		tokens[who] = token
	}
	o.company = &company{Site: o.Site, tokens: tokens, unknown: o.unknown, admin: o.admin, sink: o.sink}
	a := &attacked{}
	openOn(o, func(c *agent.Config) {
		to, err := url.Parse(c.PBX.ARI.URL)
		o.must(err)
		a.taps = [2]*wiretap{tap(t, c.PBX.AMI.Address, readAMI), tap(t, to.Host, readARI)}
		to.Host = a.taps[1].l.Addr().String()
		c.PBX.AMI.Address, c.PBX.ARI.URL = a.taps[0].l.Addr().String(), to.String()
		c.Policy, c.Tokens, c.AMI.Listen = []string{filepath.Join(dir, "policy.yaml")}, filepath.Join(dir, "tokens.yaml"), "127.0.0.1:0"
		c.HTTP.Limits.Commands = agent.Rate{PerMinute: 6000, Burst: 1000} // so that none is refused for being one too many
		c.Journal.File = filepath.Join(dir, "journal.db")
		c.Recordings.Spools = []recording.SpoolConfig{{Name: "ari", Path: filepath.Join(o.PBX.Dir(), "spool", "recording"), ARI: true}}
	})
	var err error
	a.door, err = o.agent.AMIAddress(t.Context())
	o.must(err)
	text, err := os.ReadFile(filepath.Join("amiproxy", "testdata", "attacks.yaml"))
	o.must(err)
	var cases []struct {
		ID, As, Setup string
		Send          []string
		Twin          struct{ As, Send, Order string }
	}
	o.must(yaml.Unmarshal(text, &cases))
	for _, c := range cases {
		o.scene(c.ID, func(o *office) {
			a := &attacked{office: o, taps: a.taps, door: a.door}
			a.goesOn(c.Setup)
			s, twin := a.session(c.As), (*session)(nil)
			if twin = s; c.Twin.As != "" {
				twin = a.session(c.Twin.As)
			}
			before := a.settled()
			for _, send := range c.Send {
				got := s.say(s.fill(here(send)))
				if len(got) != 1 || got[0].Get("Response") != "Error" {
					o.Errorf("%q is answered by %v", send, got)
				}
			}
			if after := a.settled(); after != before {
				o.Errorf("Asterisk was asked for %q", a.asked()[before:])
			}
			before = len(a.asked())
			if got := twin.say(twin.fill(here(c.Twin.Send))); len(got) == 0 || got[0].Get("Response") != "Success" {
				o.Errorf("the twin is answered by %v: %s", got, got[0].Get("Message"))
			}
			if after := a.settled(); (after != before) != (c.Twin.Order != "") {
				o.Errorf("for the twin, %q, Asterisk was asked for %q", c.Twin.Order, a.asked()[before:])
			}
			if strings.HasPrefix(c.Twin.Order, "queue") { // the queues are all tests'
				twin.say(here("Action: QueuePause\r\nInterface: PJSIP/210\r\nPaused: false\r\n\r\nAction: QueueRemove\r\nQueue: q-sales\r\nInterface: PJSIP/100\r\n\r\n"))
			}
		})
	}
}
