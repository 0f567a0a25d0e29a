//go:build attacks

package agent_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/pbxtest/mutation"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
	"github.com/earshot-pbx/earshot/agent/recording"
)

var attackSeed = mutation.SeedFlag()

// attackRules are the people of the attack cases, at the telephones of this company.
const attackRules = `version: 1
employees:
  alice: {name: Alice, phones: [PJSIP/101], numbers: ["101"], dial: employees}
  carol: {name: Carol, phones: [PJSIP/103], numbers: ["103"], listen: {to: [bob, boss], allow: [spy]}}
  dave:  {name: Dave, phones: [PJSIP/303], numbers: ["303"], intercept: {to: [bob]}}
  boss:  {name: Boss, phones: [PJSIP/301], numbers: ["301"]}
  bob:   {name: Bob, phones: [PJSIP/201], numbers: ["201"]}
  frank: {name: Frank, phones: [PJSIP/302], numbers: ["302"], dial: any}
  olga:  {name: Olga, phones: [PJSIP/202], numbers: ["202"], observe: true, listen: true, intercept: true, dial: employees, line.view: any, line.connect: any, line.change: any, record: true}
lines:
  sales: {name: Sales line, queue: support, members: [bob]}
protected: {employees: [boss]}
trunks: [PJSIP/trunk]
emergency: ["112"]
`

// attackPhones are those telephones by the numbers that the cases have for them, and whose they are in this company.
var attackPhones = map[string]string{"100": "101", "120": "103", "130": "303", "200": "301", "210": "201", "300": "202", "310": "302"}

var attackPeople = map[string]string{"alice": "anna", "carol": "irina", "dave": "gleb", "boss": "maria", "bob": "sergei", "frank": "nina", "olga": "olga"}

var (
	attackNumber = regexp.MustCompile(`(\b|%2F|\*5\d)(100|120|130|200|210|300|310)\b`)
	attackFill   = regexp.MustCompile(`\{\{(CH|U|R)(\d+)(\|lower|\|upper)?\}\}`)
)

// here rewrites what a case sends for this company.
func here(text string) string {
	text = strings.NewReplacer("PJSIP/21\r", "PJSIP/20\r", "PJSIP/21,", "PJSIP/20,", "q-sales", "support", "internal", "phones").Replace(text)
	return attackNumber.ReplaceAllStringFunc(text, func(n string) string { return n[:len(n)-3] + attackPhones[n[len(n)-3:]] })
}

// siege is a company whose doors are attacked, and what stands between its Earshot and its Asterisk.
type siege struct {
	*office
	tap   *wiretap
	r     *rand.Rand
	marks *milestones
	tried *int
	legs  map[string]string // of the scene: by phone, the unique id and the name
}

// besiege starts it.
func besiege(t *testing.T) *siege {
	t.Helper()
	r := attackSeed.Rand(t)
	o := enter(t)
	dir := t.TempDir()
	put(t, filepath.Join(dir, "policy.yaml"), attackRules)
	tokens := map[string]string{}
	for who := range attackPeople {
		token, hash := auth.NewToken()
		o.must(auth.AddToken(filepath.Join(dir, "tokens.yaml"), auth.Entry{Employee: who, Hash: hash}))
		tokens[who] = token
	}
	o.company = &company{Site: o.Site, tokens: tokens, unknown: o.unknown, admin: o.admin, sink: o.sink}
	tap, configure := taps(t)
	many := agent.Rate{PerMinute: 1_000_000, Burst: 1_000_000} // none is to be refused for being one too many
	openOn(o, configure, func(c *agent.Config) {
		c.Policy, c.Tokens = []string{filepath.Join(dir, "policy.yaml")}, filepath.Join(dir, "tokens.yaml")
		c.AMI.Listen, c.AMI.Actions, c.AMI.MaxPerEmployee = "127.0.0.1:0", many, 1000
		c.ARI.Listen, c.ARI.Requests, c.ARI.MaxPerEmployee = "127.0.0.1:0", many, 1000
		c.HTTP.Limits.Commands, c.HTTP.Limits.Reads, c.HTTP.Limits.Failures = many, many, many
		c.Journal.File = filepath.Join(dir, "journal.db")
		c.Recordings.Spools = []recording.SpoolConfig{{Name: "ari", Path: filepath.Join(o.PBX.Dir(), "spool", "recording"), ARI: true}}
	})
	s := &siege{office: o, tap: tap, r: r, tried: new(int)}
	s.marks = s.marksOf("olga")
	return s
}

// scene runs a case with everybody idle at its beginning and at its end.
func (s *siege) scene(name string, f func(s *siege)) {
	s.office.scene(name, func(o *office) { f(&siege{office: o, tap: s.tap, r: s.r, marks: s.marks.in(o), tried: s.tried}) })
}

// phoneOf is the telephone of one of the cases' people.
func (s *siege) phoneOf(who string) *phone.Phone { return s.Phones[attackPeople[who]] }

// goesOn sets up what a case wants.
func (s *siege) goesOn(setup string) {
	s.Helper()
	switch setup {
	case "talking", "own":
		s.talk(stranger, attackPeople["bob"])
		s.talk(oleg, attackPeople["boss"])
		if setup == "own" {
			s.talk(vera, attackPeople["alice"])
		}
	case "ringing":
		s.calls(stranger, "201")
		s.rings(attackPeople["bob"])
	case "meeting":
		s.chat(attackPeople["bob"], attackPeople["boss"])
	default:
		s.Fatalf("there is no setup %q", setup)
	}
	s.legs = map[string]string{}
	s.until("Earshot knows the legs", func() error {
		all, err := s.admin.ListChannels(s.ctx)
		if err != nil {
			return err
		}
		for _, c := range all {
			s.legs[endpoint(c.Name)], s.legs[c.ID] = c.ID, c.Name
		}
		var board struct {
			Employees []struct{ Calls []struct{ State string } }
		}
		if err := s.as("olga").Do(s.ctx, http.MethodGet, "/v1/employees", nil, &board); err != nil {
			return err
		}
		n := 0
		for _, e := range board.Employees {
			for _, c := range e.Calls {
				if c.State == "talking" || setup == "ringing" {
					n++
				}
			}
		}
		if want := map[string]int{"talking": 2, "own": 3, "ringing": 1, "meeting": 2}[setup]; n != want {
			return fmt.Errorf("%d calls are as they should be, of %d", n, want)
		}
		return nil
	})
	if setup == "own" {
		s.legs["peer"] = s.peer()
	}
}

// peer is the other leg on the call of alice's.
func (s *siege) peer() string {
	bridges, err := s.admin.ListBridges(s.ctx)
	s.must(err)
	for _, b := range bridges {
		if own := slices.Index(b.Channels, s.legs["PJSIP/101"]); own >= 0 && len(b.Channels) == 2 {
			return b.Channels[1-own]
		}
	}
	return "nobody"
}

// again sets the scene up anew.
func (s *siege) again(setup string) {
	s.Helper()
	s.clear()
	s.queuesBack()
	for _, who := range []string{"carol", "dave", "olga"} {
		w, err := s.as(who).Watch(s.ctx)
		s.must(err)
		s.must(w.Until(s.ctx, "nothing of "+who+"'s runs", func(w *site.Stream) bool {
			for _, a := range w.Acts {
				if a.State != "ended" {
					return false
				}
			}
			return true
		}))
		w.Close()
	}
	s.goesOn(setup)
}

// attempt is what Earshot has Asterisk do while something is sent and answered, up to what it is asked for afterwards at both sockets.
func (s *siege) attempt(send func()) []sent {
	s.Helper()
	*s.tried++
	n := s.tap.count()
	send()
	return s.marks.orders(n)
}

// nothing makes sure that for something Earshot has Asterisk do nothing, and asks it nothing of the client's.
func (s *siege) nothing(what string, send func()) {
	s.Helper()
	if all := s.attempt(send); len(all) > 0 {
		s.Errorf("for %q Asterisk is asked for %q", what, all)
	}
}

// shape is that of something that Earshot has Asterisk do. Between < and > stands a telephone of the cases, for its leg in the scene; N<100> is the leg's
// name, and peer the other leg of alice's call.
func (s *siege) shape(text string) *regexp.Regexp {
	s.Helper()
	return regexp.MustCompile("(?s)^(" + attackLeg.ReplaceAllStringFunc(text, func(m string) string {
		id := s.legs["PJSIP/"+attackPhone(strings.Trim(m, "N<>"))]
		if strings.HasSuffix(m, "<peer>") {
			id = s.legs["peer"]
		}
		if m[0] == 'N' {
			id = s.legs[id]
		}
		if id == "" {
			return "no leg of the scene"
		}
		return regexp.QuoteMeta(id)
	}) + ")$")
}

var attackLeg = regexp.MustCompile(`N?<\w+>`)

func (s sent) String() string { return s.to + " " + s.what }

// matches compares orders with shapes, each once, in whatever order: requests at ARI have none among each other.
func (s *siege) matches(all []sent, shapes ...string) error {
	s.Helper()
	left := slices.Clone(all)
	for _, text := range shapes {
		re := s.shape(text)
		i := slices.IndexFunc(left, func(o sent) bool { return re.MatchString(o.String()) })
		if i < 0 {
			return fmt.Errorf("nothing of %q is %s", left, re)
		}
		left = slices.Delete(left, i, i+1)
	}
	if len(left) > 0 {
		return fmt.Errorf("too much is %q", left)
	}
	return nil
}
