//go:build attacks

package agent_test

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/pbxtest/mutation"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
	"github.com/earshot-pbx/earshot/ami"
)

// session is one at the AMI door, as bytes.
type session struct {
	*office
	who  string
	conn net.Conn
	in   *ami.Reader
	mark int
}

func (o *office) session(who string) *session {
	o.Helper()
	addr, err := o.agent.AMIAddress(o.ctx)
	o.must(err)
	conn, err := new(net.Dialer).DialContext(o.ctx, "tcp", addr)
	o.must(err)
	o.Cleanup(func() { _ = conn.Close() })
	if deadline, ok := o.ctx.Deadline(); ok {
		o.must(conn.SetDeadline(deadline))
	}
	s := &session{office: o, who: who, conn: conn, in: ami.NewReader(conn, ami.Limits{})}
	_, err = s.in.Greeting()
	o.must(err)
	if got := s.say("Action: Login\r\nUsername: " + who + "\r\nSecret: " + o.tokens[who] + "\r\nEvents: off\r\n\r\n"); len(got) != 1 || got[0].Get("Response") != "Success" {
		o.Fatalf("%s logs in: %v", who, got)
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
	return stage.Repeated(attackFill.ReplaceAllStringFunc(here(text), func(v string) string {
		m := attackFill.FindStringSubmatch(v)
		phone := "PJSIP/" + attackPhone(m[2])
		row := shown[phone]
		if row == nil {
			s.Fatalf("%s is shown no channel of %s", s.who, phone)
		}
		out := row.Get("Channel")
		switch m[1] {
		case "U":
			out = row.Get("Uniqueid")
		case "R":
			out = s.nameOf(phone)
		}
		switch m[3] {
		case "|lower":
			return strings.ToLower(out)
		case "|upper":
			return strings.ToUpper(out)
		}
		return out
	}))
}

type amiCase struct {
	ID, As, Setup string
	Send          []string
	Twin          struct{ As, Send, Order string }
}

// Nothing that the AMI door refuses comes to Asterisk, however it is spelled; its twin does, as what it is, and Asterisk does it.
func TestTheAMIDoorUnderAttack(t *testing.T) {
	s := besiege(t)
	for _, tc := range stage.Attacks[amiCase](t, 25, "amiproxy", "testdata", "attacks.yaml") {
		s.scene(tc.ID, func(s *siege) {
			s.goesOn(tc.Setup)
			who := tc.As
			if tc.Twin.As != "" {
				who = tc.Twin.As
			}
			c, twin := s.session(tc.As), s.session(who)
			for _, send := range tc.Send {
				text := c.fill(send)
				s.nothing(text, func() {
					if got := c.say(text); len(got) != 1 || got[0].Get("Response") != "Error" {
						s.Errorf("%q is answered by %v", text, got)
					}
				})
				i := 1 + s.r.IntN(len(text)-1)
				s.nothing(text[:i]+"|"+text[i:], func() { s.inTwo(c, text, i) })
			}
			s.mutantsOfAMI(tc, c, tc.As, tc.Send[s.r.IntN(len(tc.Send))], 0)
			s.mutantsOfAMI(tc, twin, who, tc.Twin.Send, 4)
			text := twin.fill(tc.Twin.Send)
			s.does(tc.Twin.Order, who, func() {
				s.until("the twin is done", func() error {
					got := s.inTwo(twin, text, 1+s.r.IntN(len(text)-1))
					if len(got) == 0 {
						return errors.New("it is not answered")
					}
					if word := got[0].Get("Message"); strings.HasPrefix(word, "You supervise already") { // what a mutant began is not over yet
						return errors.New(word)
					}
					if got[0].Get("Response") != "Success" {
						s.Errorf("the twin is answered by %v: %s", got, got[0].Get("Message"))
					}
					return nil
				})
			})
		})
	}
	s.scene("other applications, and functions", func(s *siege) {
		s.goesOn("own")
		alice := s.session("alice")
		var all []string
		for _, app := range strings.Fields("Bridge Pickup2 ParkedCall ConfBridge DISA Dial Page Record MixMonitor AudioSocket JACK EAGI VoiceMailMain Playback Gosub Set MSet ChannelRedirect SendDTMF StasisBroadcast AgentLogin QueueLog UserEvent PJSIPNotify Stasis System") {
			all = append(all, "Action: Originate\r\nChannel: PJSIP/100\r\nApplication: "+app+"\r\nData: {{CH210}}\r\nAsync: true\r\n\r\n")
		}
		for _, function := range []string{"AST_CONFIG(manager.conf,earshot,secret)", "AST_SORCERY(res_pjsip,auth,100,password)", "CURL(file:///etc/passwd)", "CHANNELS()", "ENV(PATH)", "CHANNEL(pjsip,call-id)", "IMPORT({{CH210}},CONNECTEDLINE(num))"} {
			all = append(all, "Action: Getvar\r\nChannel: {{CH100}}\r\nVariable: "+function+"\r\n\r\n", "Action: Status\r\nChannel: {{CH100}}\r\nVariables: "+function+"\r\n\r\n",
				"Action: Originate\r\nChannel: PJSIP/100\r\nExten: 120\r\nVariable: X=1,DB(earshot/sentinel)=1,"+function+"=1\r\nAsync: true\r\n\r\n")
		}
		for _, action := range all {
			text := alice.fill(action)
			s.nothing(text, func() {
				if got := alice.say(text); len(got) != 1 || got[0].Get("Response") != "Error" {
					s.Errorf("%q is answered by %v", text, got)
				}
			})
		}
	})
	if kept, err := s.PBX.Command(s.ctx, "database show earshot sentinel"); err != nil || strings.Contains(kept, "sentinel ") {
		s.Errorf("the AstDB has %q, %v", kept, err)
	}
	s.Logf("%d requests", *s.tried)
}

// inTwo sends the beginning of an action, has Earshot do something else meanwhile, and sends the rest.
func (s *siege) inTwo(c *session, text string, i int) []*ami.Message {
	s.Helper()
	_, err := c.conn.Write([]byte(text[:i]))
	s.must(err)
	s.marks.orders(s.tap.count()) // which takes many turns of both
	return c.say(text[i:])
}

// mutantsOfAMI sends mutants, and looks at what comes of them.
func (s *siege) mutantsOfAMI(tc amiCase, c *session, who, send string, few int) {
	s.Helper()
	s.phoneOf(who).SetReaction(phone.Reaction{Answer: true}) // since an Originate that is not Async waits for it
	defer func() { s.phoneOf(who).SetReaction(phone.Reaction{}) }()
	text := c.fill(send)
	all := mutation.AMI(text)
	places := s.places(all, few)
	for _, i := range places {
		m := mutation.AMI(text)[i]
		n := s.tap.count()
		if orders := s.attempt(func() { c.say(m.Text) }); len(orders) > 0 {
			s.judge(n, who, m.Kind, m.Text)
			s.again(tc.Setup)
			s.phoneOf(who).SetReaction(phone.Reaction{Answer: true})
			text = c.fill(send)
		}
	}
}
