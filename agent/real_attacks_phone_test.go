//go:build attacks

package agent_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
)

// dialling is one way to dial something.
type dialling struct {
	kind, number string
	options      []phone.DialOption
}

// dialledOtherwise are ways to dial a number that some might take for the same one. The letters of a number have no case and no key, and a datagram comes
// in one piece.
func dialledOtherwise(number, claim string) (all []dialling) {
	add := func(kind, text string, options ...phone.DialOption) { all = append(all, dialling{kind, text, options}) }
	for _, i := range []int{0, len(number) / 2, len(number) - 1} {
		c := number[i : i+1]
		add("percent", number[:i]+fmt.Sprintf("%%%02X", c[0])+number[i+1:])
		add("double percent", number[:i]+fmt.Sprintf("%%25%02X", c[0])+number[i+1:])
		add("NUL", number[:i]+"%00"+number[i:])
		add("CR LF", number[:i]+"%0D%0A"+number[i:])
		add("space", number[:i]+"%20"+number[i:])
		add("tab", number[:i]+"%09"+number[i:])
		add("overlong", number[:i]+fmt.Sprintf("%%%02X%%%02X", 0xc0|c[0]>>6, 0x80|c[0]&0x3f)+number[i+1:])
		add("invisible", number[:i]+"%E2%80%8B"+number[i:])
		add("separator", number[:i]+"-"+number[i:])
		add("separator", number[:i]+"."+number[i:])
	}
	wide := strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r - '0' + '０'
		}
		return r
	}, number)
	add("full width", url.PathEscape(wide)) // Asterisk throws away a datagram with such letters as they are
	for _, end := range []string{"%20", "%00", "#", "%23", ",1", "%26101", ";phone-context=x", "%3Bx", "%40phones"} {
		add("behind it", number+end)
	}
	for _, front := range []string{"+", "0", "%20", "sip%3A", "tel%3A"} {
		add("before it", front+number)
	}
	add("twice", number+number)
	as := fmt.Sprintf(`"Olga" <sip:%s@127.0.0.1>`, claim)
	add("a claim", number, phone.As(claim, "Olga"))
	add("a claim", number, phone.As(claim+"%0D%0A", "Olga"))
	for _, header := range []string{"P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Diversion", "Referred-By", "History-Info", "p-asserted-identity"} {
		add("a claim", number, phone.WithHeader(header, as))
		add("a claim twice", number, phone.WithHeader(header, as), phone.WithHeader(header, as))
	}
	add("a header of Earshot's", number, phone.WithHeader("X-EARSHOT-EMPLOYEE", "olga"))
	add("a header of Earshot's", number, phone.WithHeader("Replaces", "x;to-tag=1;from-tag=2"))
	return all
}

// turning is what Earshot has Asterisk do with a leg that has asked for something.
var turning = regexp.MustCompile(`^ARI (POST|DELETE) /ari/channels/([\d.]+)(/(continue|answer|variable|play|silence|moh|ring)\b.*|\?.*)?(\n.*)?$`)

// dialsAs dials something, waits until it is over or until Earshot has had Asterisk do something, and returns what; the call stays. Of some numbers neither
// comes to pass: Asterisk's dialplan does something of its own with them. Those are waited for a while.
func (s *siege) dialsAs(who string, d dialling) (*phone.Call, []sent) {
	s.Helper()
	*s.tried++
	n := s.tap.count()
	c, err := s.phoneOf(who).Dial(s.ctx, d.number, d.options...)
	s.must(err)
	ctx, cancel := context.WithTimeout(s.ctx, 2*time.Second)
	defer cancel()
	if err := s.eventually(ctx, "what was dialled comes to something", func() error {
		if c.State() != phone.Dialling || len(s.marks.without(n)) > 0 {
			return nil
		}
		return errors.New("it does not")
	}); err != nil {
		s.Logf("%s: of %q nothing comes at Earshot", d.kind, d.number)
	}
	return c, s.marks.orders(n)
}

// turnedAway makes sure that Asterisk was asked for nothing but to turn away a leg that is none of the scene's.
func (s *siege) turnedAway(who string, d dialling, orders []sent) {
	s.Helper()
	for _, o := range orders {
		m := turning.FindStringSubmatch(o.String())
		if m == nil || s.legs[m[2]] != "" {
			s.Errorf("%s: for %q of %s's Asterisk is asked for %q", d.kind, d.number, who, o)
		}
	}
}

// Nothing that the phone door refuses comes to Asterisk, however it is dialled; its twin does, as what it is, and Asterisk does it.
func TestThePhoneDoorUnderAttack(t *testing.T) {
	s := besiege(t)
	for _, tc := range stage.Attacks[struct {
		ID, As, Claim, Setup string
		Dial                 []string
		Twin                 struct{ As, Dial, Order string }
	}](t, 7, "dialplan", "testdata", "attacks.yaml") {
		s.scene(tc.ID, func(s *siege) {
			s.goesOn(tc.Setup)
			claim := attackPhone("300")
			refused := func(d dialling) {
				c, orders := s.dialsAs(tc.As, d)
				s.turnedAway(tc.As, d, orders)
				s.must(c.Hangup(s.ctx))
			}
			for _, number := range tc.Dial {
				d := dialling{kind: "as it is", number: here(number)}
				if tc.Claim != "" {
					d.options = []phone.DialOption{phone.As(attackPhone(tc.Claim), "Olga"), phone.WithHeader("P-Asserted-Identity", "<sip:"+attackPhone(tc.Claim)+"@127.0.0.1>")}
				}
				refused(d)
			}
			of := map[string][]dialling{}
			for _, d := range dialledOtherwise(here(tc.Dial[s.r.IntN(len(tc.Dial))]), claim) {
				if before, _, cut := strings.Cut(d.number, "%00"); cut && before == here(tc.Twin.Dial) {
					continue // behind a NUL Asterisk reads nothing, so it is the twin
				}
				of[d.kind] = append(of[d.kind], d)
			}
			for _, kind := range sortedKeys(of) {
				refused(of[kind][s.r.IntN(len(of[kind]))])
			}
			who := tc.As
			if tc.Twin.As != "" {
				who = tc.Twin.As
			}
			s.twinDials(who, here(tc.Twin.Dial), tc.Twin.Order)
		})
	}
	s.Logf("%d calls", *s.tried)
}

func sortedKeys[T any](m map[string]T) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// twinDials has somebody dial what he may, and makes sure that Asterisk is asked for it, and does it.
func (s *siege) twinDials(who, number, order string) {
	s.Helper()
	n := s.tap.count()
	c, orders := s.dialsAs(who, dialling{kind: "the twin", number: number})
	var shape string
	switch order {
	case "spy":
		_, err := c.WaitHears(s.ctx, s.tone(attackPeople["bob"]))
		s.must(err)
		shape = strings.ReplaceAll(snoopOn, "%s", "<210>")
	case "take":
		_, err := c.WaitHears(s.ctx, stranger.tone)
		s.must(err)
	case "out":
		s.called(vera)
		s.must(c.WaitAnswered(s.ctx))
	default:
		s.turnedAway(who, dialling{number: number}, orders)
		return
	}
	orders = s.marks.without(n)
	if len(orders) == 0 || shape != "" && !slices.ContainsFunc(orders, func(o sent) bool { return s.shape(shape).MatchString(o.String()) }) {
		s.Errorf("for %q Asterisk is asked for %q", number, orders)
	}
	for _, o := range orders {
		if m := turning.FindStringSubmatch(o.String()); (m == nil || s.legs[m[2]] != "") && !s.permits(who, o) {
			s.Errorf("for %q Asterisk is asked for %q", number, o)
		}
	}
}

// Whoever writes an event of AMI's into his SIP identity changes nothing of what Earshot knows, and has it do nothing.
func TestForgedEventsUnderAttack(t *testing.T) {
	s := besiege(t)
	s.scene("in a caller's number, and in a registration", func(s *siege) {
		s.goesOn("talking")
		bob, board := s.legs["PJSIP/201"], ""
		see := func() string {
			var all struct {
				Employees []struct {
					ID    string
					Calls []struct{ ID, State, Direction string }
				}
			}
			s.must(s.as("olga").Do(s.ctx, "GET", "/v1/employees", nil, &all))
			for _, e := range all.Employees {
				if e.ID == "bob" || e.ID == "boss" {
					board += fmt.Sprint(e)
				}
			}
			return board
		}
		before := see()
		for _, event := range []string{"BridgeLeave", "Hangup", "ChanSpyStart", "Pickup", "Newchannel", "Rename"} {
			board = ""
			for _, end := range []string{"\r\n", "\n", "\r\n\r\n"} {
				user := strings.NewReplacer("\r", "%0D", "\n", "%0A", ":", "%3A", " ", "%20").Replace("200\r\n" + end + "Event: " + event + "\r\nUniqueid: " + bob + "\r\nSpyeeUniqueid: " + bob + end)
				*s.tried++
				n := s.tap.count()
				c, err := s.Trunk.Dial(s.ctx, "74950000103", phone.As(user, "x"))
				s.must(err)
				_, err = s.phoneOf("carol").Incoming(s.ctx)
				s.must(err)
				s.must(c.Hangup(s.ctx))
				if all := s.marks.orders(n); len(all) > 0 {
					s.Errorf("for a forged %s Asterisk is asked for %q", event, all)
				}
				s.until("the forged call is over", func() error { return s.only("PJSIP/103") })
			}
			s.registers(event, bob)
			if after := see(); after != before {
				s.Errorf("behind a forged %s the board is %s, and was %s", event, after, before)
			}
		}
	})
}

// registers has somebody whom nobody knows register under a name that is a forged event. The PBX's answer says that it has read it.
func (s *siege) registers(event, leg string) {
	s.Helper()
	*s.tried++
	n := s.tap.count()
	conn, err := new(net.Dialer).DialContext(s.ctx, "udp", s.PBX.SIP())
	s.must(err)
	defer func() { _ = conn.Close() }()
	deadline, _ := s.ctx.Deadline()
	s.must(conn.SetDeadline(deadline))
	who := "sip:x%0D%0A%0D%0AEvent%3A%20" + event + "%0D%0AUniqueid%3A%20" + leg + "%0D%0A%0D%0A@127.0.0.1"
	_, err = fmt.Fprintf(conn, "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\nFrom: <%s>;tag=1\r\nTo: <%s>\r\nCall-ID: forged-%s@x\r\nCSeq: 1 REGISTER\r\nContact: <sip:x@%s>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
		conn.LocalAddr(), event, who, who, event, conn.LocalAddr())
	s.must(err)
	answer := make([]byte, 4096)
	size, err := conn.Read(answer)
	s.must(err)
	if !strings.HasPrefix(string(answer[:size]), "SIP/2.0 4") {
		s.Errorf("a stranger who registers is answered by %q", answer[:size])
	}
	if all := s.marks.orders(n); len(all) > 0 {
		s.Errorf("for a forged %s in a registration Asterisk is asked for %q", event, all)
	}
}

// only says whether a telephone is still on a call.
func (s *siege) only(without string) error {
	all, err := s.admin.ListChannels(s.ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		if endpoint(c.Name) == without {
			return fmt.Errorf("%s is on a call", without)
		}
	}
	return nil
}
