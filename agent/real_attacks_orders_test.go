//go:build attacks

package agent_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/earshot-pbx/earshot/agent/pbxtest/mutation"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/ami"
	"github.com/earshot-pbx/earshot/ari"
)

// attackPhone is the telephone that the cases have a number for.
func attackPhone(n string) string {
	if p := attackPhones[n]; p != "" {
		return p
	}
	return n
}

// places are those of some mutants: one of each kind, or a few of all.
func (s *siege) places(all []mutation.Mutant, few int) []int {
	places := mutation.One(all, s.r)
	s.r.Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
	if few > 0 {
		places = places[:min(few, len(places))]
	}
	return places
}

const (
	anOwn   = `earshot-[\w.-]+` // what is Earshot's is told by its id
	inside  = `(101|103|201|202|301|302|303)`
	ringOf  = `ARI POST /ari/channels\n\{"endpoint":"PJSIP/%s","app":"earshot",.*"channelId":"` + anOwn + `".*`
	callOf  = `ARI POST /ari/channels\n\{"endpoint":"PJSIP/%s","context":"phones","extension":"` + inside + `","priority":1,.*"channelId":"` + anOwn + `".*`
	snoopOn = `ARI POST /ari/channels/%s/snoop\n\{"spy":"both","app":"earshot","snoopId":"` + anOwn + `"\}` // which speaks to nobody
	takeBy  = `AMI Action: Originate\r\nChannel: PJSIP/%s\r\nApplication: PickupChan\r\nData: <210>\r\n.*`
	member  = `AMI Action: Queue(%s)\r\nQueue: support\r\nInterface: (PJSIP/101|PJSIP/201|Local/201@phones/n)\r\n.*`
)

// lent are the shapes of what Earshot does with legs and bridges that are its own.
var lent = []string{
	`ARI POST /ari/bridges\n\{"bridgeId":"` + anOwn + `".*`,
	`ARI (POST|DELETE) /ari/(channels|bridges|playbacks)/` + anOwn + `([/?\n].*)?`,
	`AMI Action: Setvar\r\nChannel: ` + anOwn + `\r\n.*`,
}

// may are the shapes of what each may have Asterisk do in the cases, beside that.
var may = map[string][]string{
	"alice": {
		fmt.Sprintf(ringOf, "101"), fmt.Sprintf(callOf, "101"),
		`AMI Action: (Redirect|BlindTransfer)\r\nChannel: (<100>|<peer>)\r\nContext: [\w-]+\r\nExten: (` + inside + `|asks|meets|waits|\w+)\r\n.*`,
		`AMI Action: Setvar\r\nChannel: (<100>|<peer>)\r\nVariable: (_?EARSHOT_\w+|MUTEAUDIO\(\w+\))\r\n.*`,
		`AMI Action: Park\r\nChannel: <peer>\r\nTimeoutChannel: N<100>\r\n.*`, `AMI Action: PlayDTMF\r\nChannel: <peer>\r\nDigit: [0-9*#]\r\n.*`,
		`ARI DELETE /ari/channels/(<100>|<peer>)(\?.*)?`,
	},
	"carol": {fmt.Sprintf(ringOf, "103"), fmt.Sprintf(snoopOn, "<210>")},
	"dave":  {fmt.Sprintf(takeBy, "303")},
	"frank": {`ARI POST /ari/channels\n\{"endpoint":"PJSIP/302","context":"phones","extension":"\+?[0-9]+","priority":1,.*`},
	"olga": {
		fmt.Sprintf(ringOf, "202"), fmt.Sprintf(callOf, "202"), fmt.Sprintf(takeBy, "202"), fmt.Sprintf(member, `\w+`), fmt.Sprintf(snoopOn, "<210>"),
		`ARI (POST|DELETE) /ari/recordings/live/` + anOwn + `.*`,
	},
}

// permits reports whether something that Earshot has Asterisk do is what somebody may have done.
func (s *siege) permits(who string, o sent) bool {
	return slices.ContainsFunc(slices.Concat(lent, may[who]), func(text string) bool { return s.shape(text).MatchString(o.String()) })
}

// judge looks at what Earshot has had Asterisk do for a mutant. Where a phone was rung, it is waited until it was given what for.
func (s *siege) judge(n int, who, what, request string) {
	s.Helper()
	s.settles(n, who)
	for _, o := range s.marks.without(n) {
		if !s.permits(who, o) {
			s.Errorf("%s: for %q of %s's Asterisk is asked for %q", what, request, who, o)
		}
	}
}

// settles waits, where a phone was rung for a supervision, until it hears what it was rung for, or was hung up.
func (s *siege) settles(n int, who string) {
	s.Helper()
	rung := func(o sent) bool { return strings.Contains(o.what, `"app":"earshot","callerId":"\"spy`) }
	if slices.ContainsFunc(s.marks.without(n), func(o sent) bool { return strings.Contains(o.what, "PickupChan") }) {
		_, err := s.phoneOf(who).Incoming(s.ctx) // Asterisk rings it when it has answered
		s.must(err)
	}
	over := func(o sent) bool {
		return strings.Contains(o.what, "/addChannel") || strings.HasPrefix(o.what, "DELETE /ari/channels/")
	}
	s.until("the rung phone is given what for", func() error {
		all := s.marks.without(n)
		if slices.ContainsFunc(all, rung) && !slices.ContainsFunc(all, over) {
			return fmt.Errorf("asked for is %q", all)
		}
		return nil
	})
}

// does makes sure that for a twin Asterisk is asked for what it should be, and does it. An order is of the words of the cases.
func (s *siege) does(order, who string, send func()) {
	s.Helper()
	word, _, _ := strings.Cut(order, " ")
	own := s.phoneOf(who)
	own.SetReaction(phone.Reaction{})
	if slices.Contains([]string{"ring", "call", "take"}, word) {
		own.SetReaction(phone.Reaction{Answer: true})
	}
	defer func() { own.SetReaction(phone.Reaction{}) }()
	n := s.tap.count()
	orders := s.attempt(send)
	if order == "" {
		if len(orders) > 0 {
			s.Errorf("for the twin Asterisk is asked for %q", orders)
		}
		return
	}
	is, ok := carriedOut[word]
	if !ok {
		s.Fatalf("there is no order %q", order)
	}
	is.done(s, own)
	var found int
	for _, o := range s.marks.without(n) {
		for _, shape := range is.shapes {
			if s.shape(strings.ReplaceAll(shape, "%s", own.User())).MatchString(o.String()) {
				found++
			}
		}
		if !s.permits(who, o) {
			s.Errorf("for the twin, %q, Asterisk is asked for %q too", order, o)
		}
	}
	s.queuesBack()
	if found != len(is.shapes) {
		s.Errorf("for the twin, %q, Asterisk is asked for %q", order, s.marks.without(n))
	}
}

// queuesBack has the queues as they were: they are all tests'.
func (s *siege) queuesBack() {
	s.Helper()
	s.session("olga").say(here("Action: QueuePause\r\nQueue: q-sales\r\nInterface: PJSIP/210\r\nPaused: false\r\n\r\nAction: QueueRemove\r\nQueue: q-sales\r\nInterface: PJSIP/100\r\n\r\n"))
}

// carried is an order of the cases: what Asterisk is asked for, each once, and what is seen when Asterisk has done it.
type carried struct {
	shapes []string
	done   func(s *siege, own *phone.Phone)
}

var carriedOut = map[string]carried{
	"ring": {[]string{ringOf, strings.ReplaceAll(snoopOn, "%s", "<210>")}, func(s *siege, own *phone.Phone) {
		c, err := own.Incoming(s.ctx)
		s.must(err)
		_, err = c.WaitHears(s.ctx, s.tone(attackPeople["bob"]))
		s.must(err)
	}},
	"lend": {[]string{ringOf}, func(s *siege, own *phone.Phone) { // an application's own leg
		_, err := own.Incoming(s.ctx)
		s.must(err)
	}},
	"call": {[]string{callOf}, func(s *siege, own *phone.Phone) {
		c, err := own.Incoming(s.ctx)
		s.must(err)
		s.must(c.WaitAnswered(s.ctx))
		s.rings(attackPeople["carol"])
	}},
	"take": {[]string{takeBy}, func(s *siege, own *phone.Phone) {
		c, err := own.Incoming(s.ctx)
		s.must(err)
		_, err = c.WaitHears(s.ctx, stranger.tone)
		s.must(err)
	}},
	"queue": {[]string{strings.ReplaceAll(member, "%s", "Add|Pause")}, func(s *siege, _ *phone.Phone) {
		m := s.manager(nil)
		s.until("the member is there, and one paused", func() error {
			rows, _, err := m.List(s.ctx, ami.NewAction("QueueStatus").Append("Queue", "support"))
			for _, r := range rows {
				if r.Get("Name") == "PJSIP/101" || r.Get("Location") == "PJSIP/101" || r.Get("Paused") == "1" {
					return err
				}
			}
			return fmt.Errorf("he is not on pause: %v, %w", rows, err)
		})
	}},
	"redirect": {[]string{`AMI Action: Redirect\r\nChannel: <100>\r\nContext: phones\r\nExten: 103\r\nPriority: 1\r\n.*`}, func(s *siege, _ *phone.Phone) { s.rings(attackPeople["carol"]) }},
	"transfer": {[]string{`AMI Action: BlindTransfer\r\nChannel: <100>\r\nContext: phones\r\nExten: 103\r\n.*`}, func(s *siege, _ *phone.Phone) { s.rings(attackPeople["carol"]) }},
	"consult":  {[]string{`AMI Action: Redirect\r\nChannel: <100>\r\n.*ExtraChannel: <peer>\r\n.*`}, func(s *siege, _ *phone.Phone) { s.rings(attackPeople["carol"]) }},
	"park": {[]string{`AMI Action: Park\r\nChannel: <peer>\r\nTimeoutChannel: N<100>\r\n.*`}, func(s *siege, _ *phone.Phone) {
		s.until("it is parked", func() error {
			bridges, err := s.admin.ListBridges(s.ctx)
			if !slices.ContainsFunc(bridges, func(b ari.Bridge) bool { return b.Class == "parking" && len(b.Channels) == 1 }) {
				return fmt.Errorf("nobody is parked: %v, %w", bridges, err)
			}
			return nil
		})
	}},
	"press": {[]string{`AMI Action: PlayDTMF\r\nChannel: <peer>\r\nDigit: 1\r\n.*`}, func(*siege, *phone.Phone) {}}, // Asterisk has said that it does
	"record": {[]string{strings.ReplaceAll(snoopOn, "%s", "<210>"), `ARI POST /ari/channels/` + anOwn + `/record\n.*`}, func(s *siege, _ *phone.Phone) {
		all, err := s.admin.ListChannels(s.ctx)
		s.must(err)
		if !slices.ContainsFunc(all, func(c ari.Channel) bool { return strings.HasPrefix(c.Name, "Snoop/") }) {
			s.Error("nothing records")
		}
	}},
}
