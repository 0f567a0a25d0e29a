//go:build faults

package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// openHouse is a policy by which everybody may listen to anna, so that there are as many supervisors as stages.
const openHouse = `version: 1
timezone: Europe/Moscow
departments:
  office: {name: Office}
employees:
  anna:   {name: Anna Petrova, phones: [PJSIP/101], numbers: ["101"], department: office}
  boris:  {name: Boris Orlov, phones: [PJSIP/102], department: office, listen: true}
  irina:  {name: Irina Belova, phones: [PJSIP/103], department: office, listen: true}
  sergei: {name: Sergei Volkov, phones: [PJSIP/201], department: office, listen: true}
  olga:   {name: Olga Kim, phones: [PJSIP/202], department: office, listen: true}
  pavel:  {name: Pavel Sokolov, phones: [PJSIP/203], department: office, listen: true}
  maria:  {name: Maria Director, phones: [PJSIP/301], department: office, listen: true}
  nina:   {name: Nina Accountant, phones: [PJSIP/302], department: office, listen: true}
  gleb:   {name: Gleb Secretary, phones: [PJSIP/303], department: office, listen: true}
trunks: [PJSIP/trunk]
`

// demise is how an Earshot ends in the middle of all, and what follows.
type demise struct {
	name   string
	answer bool // what is held are answers, and not requests
	kill   bool
	soon   bool // the next Earshot begins at once, and not when every lease is over
}

var demises = []demise{
	{"killed, requests on their way", false, true, false},
	{"killed, answers on their way", true, true, false},
	{"killed, requests on their way, the next at once", false, true, true},
	{"killed, answers on their way, the next at once", true, true, true},
	{"ended, requests on their way", false, false, false},
	{"ended, answers on their way", true, false, false},
}

// progress is how far a supervision has come.
type progress struct {
	name, who string
	begin     func(s *staged) // and returns when it is there
}

// staged is one supervision on its way to a stage.
type staged struct {
	*office
	d     demise
	clerk *clerk
	who   string
	id    string
	w     *site.Stream
	call  *phone.Call // of the supervisor's phone, if it has been rung
	late  func() []*phone.Call
}

// held waits until what was to be held is.
func (s *staged) held(h *hold) {
	s.Helper()
	select {
	case <-h.reached:
	case <-s.ctx.Done():
		s.Fatalf("%s: %s …%s was not asked for", s.who, h.method, h.path)
	}
}

func (s *staged) hold(method, path, body string, skip int) *hold {
	return s.clerk.hold(hold{method: method, path: path, body: body, answer: s.d.answer, skip: skip})
}

// ask asks for the supervision.
func (s *staged) ask() {
	s.Helper()
	v, err := s.as(s.who).Supervise(s.ctx, "anna", "spy")
	s.must(err)
	s.id = v.ID
}

// comes asks, and answers the phone when what is to be held then is known by the id of it all.
func (s *staged) comes(hold func() *hold) {
	s.Helper()
	s.ask()
	s.call = s.rings(s.who)
	h := hold()
	s.must(s.call.Answer(s.ctx))
	s.held(h)
}

// active has it become so.
func (s *staged) active() {
	s.Helper()
	s.ask()
	s.call = s.answers(s.who)
	_, err := s.w.UntilAct(s.ctx, s.id, "active")
	s.must(err)
}

// changes has the mode be changed as far as one request.
func (s *staged) changes(method, path, body string, skip int) {
	s.Helper()
	s.active()
	h := s.hold(method, path, strings.ReplaceAll(body, "ID", s.id), skip)
	go func() { _, _ = s.as(s.who).Change(s.ctx, s.id, "whisper") }() // nobody is there to answer
	s.held(h)
}

var beginnings = []progress{
	// Before all others, whose bridges it would hold as well.
	{"the bridge is made", "irina", func(s *staged) {
		h := s.hold("POST", "/bridges", "-bridge", 0)
		s.ask()
		s.held(h)
	}},
	{"decided, and the leg is made", "boris", func(s *staged) {
		h := s.hold("POST", "/channels", "PJSIP/102", 0)
		s.ask()
		s.held(h)
	}},
	{"the phone rings", "sergei", func(s *staged) {
		s.ask()
		s.call = s.rings(s.who)
	}},
	{"answered, and the snoop is made", "olga", func(s *staged) {
		s.comes(func() *hold { return s.hold("POST", "/snoop", s.id, 0) })
	}},
	{"the snoop is given its lease", "pavel", func(s *staged) {
		s.comes(func() *hold { return s.hold("POST", s.id+"-snoop/variable", "", 0) })
	}},
	{"they join", "maria", func(s *staged) {
		s.comes(func() *hold { return s.hold("POST", "/addChannel", s.id, 0) })
	}},
	{"active", "nina", (*staged).active},
	{"ended, and the snoop goes", "gleb", func(s *staged) {
		s.active()
		h := s.hold("DELETE", s.id+"-snoop", "", 0)
		go func() { _ = s.as(s.who).End(s.ctx, s.id) }()
		s.held(h)
	}},
}

var changings = []progress{
	{"the new snoop is made", "boris", func(s *staged) { s.changes("POST", "/snoop", "ID-snoop1", 0) }},
	{"it is given its lease", "irina", func(s *staged) { s.changes("POST", "-snoop1/variable", "ID", 0) }},
	{"it joins, muted", "sergei", func(s *staged) { s.changes("POST", "/addChannel", "ID-snoop1", 0) }},
	{"the old one leaves", "olga", func(s *staged) { s.changes("POST", "/removeChannel", "ID-snoop", 0) }},
	{"it is heard", "pavel", func(s *staged) { s.changes("POST", "/addChannel", "ID-snoop1", 1) }},
	{"the old one goes", "maria", func(s *staged) { s.changes("DELETE", "-snoop", "ID", 0) }},
	{"revoked, and the snoop goes", "nina", func(s *staged) {
		s.active()
		h := s.hold("DELETE", s.id+"-snoop", "", 0)
		s.must(s.Edit("policy.yaml", "phones: [PJSIP/302], department: office, listen: true", "phones: [PJSIP/302], department: office"))
		s.held(h)
	}},
	{"ended, and the leg goes", "gleb", func(s *staged) {
		s.active()
		h := s.hold("DELETE", "/earshot-"+s.id, "", 0)
		go func() { _ = s.as(s.who).End(s.ctx, s.id) }()
		s.held(h)
	}},
}

// However Earshot ends, and wherever each supervision has come to, nobody is in earshot who must not be, nobody for longer than the lease, each decision has an
// outcome on record when the next Earshot is there, and nothing is left on the PBX then. What ran and holds is taken up.
func TestFaultAnEarshotThatEndsWhileSupervisionsBegin(t *testing.T) { demised(t, beginnings, "nina") }

// The same while modes are changed, and while supervisions end.
func TestFaultAnEarshotThatEndsWhileModesChange(t *testing.T) { demised(t, changings, "") }

func demised(t *testing.T, stages []progress, survivor string) {
	o := apart(t)
	c := o.clerk()
	for _, d := range demises {
		o.fault(d.name, func(o *office) {
			o.must(o.Write("policy.yaml", openHouse))
			p := o.start()
			defer c.release()
			began := time.Now()
			peer, target := o.talk(stranger, "anna")
			w := o.watch("irina")
			_, err := w.UntilState(o.ctx, "anna", "talking")
			o.must(err)
			var all []*staged
			for _, st := range stages {
				s := &staged{office: o, d: d, clerk: c, who: st.who, w: o.watch(st.who)}
				st.begin(s)
				if s.call == nil {
					s.late = o.visited(s.who)
				}
				all = append(all, s)
			}
			if survivor != "" {
				for _, s := range all {
					if s.who == survivor {
						o.hear(0, map[*phone.Call][]phone.Tone{s.call: {target.Tone(), peer.Tone()}})
					}
				}
			}
			asked := time.Now()
			if d.kill {
				p.Kill()
			} else {
				p.Stop()
			}
			o.Logf("it took %d ms to end", time.Since(asked).Milliseconds())
			gone := time.Now()
			c.release() // what has been sent arrives
			if d.soon {
				p = o.start()
				o.Logf("the next was ready %d ms after it", time.Since(gone).Milliseconds())
			}
			for i, s := range all {
				if s.call == nil || d.soon && s.who == survivor {
					continue
				}
				o.must(s.call.WaitEnded(o.ctx))
				if took := time.Since(gone); took > lease+slack {
					o.Errorf("%s: the supervisor's phone was hung up %v after Earshot was gone", stages[i].name, took)
				}
				last := max(s.call.LastHeard(target.Tone()).Sub(gone), s.call.LastHeard(peer.Tone()).Sub(gone))
				o.Logf("%s: heard the call until %d ms after Earshot was gone", stages[i].name, max(last, 0).Milliseconds())
			}
			if !d.soon || survivor == "" {
				o.until("no leg of a supervisor's is left", o.attended)
				o.within("no supervisor is in earshot after", gone, lease+2*slack)
			}
			if !d.soon {
				o.Logf("left on the PBX, heard by nobody, until the next Earshot comes: %s", o.leftover())
				p = o.start()
			}
			ready := time.Now()
			if d.soon && survivor != "" {
				for _, s := range all {
					if s.who == survivor {
						o.hear(lease+time.Second, map[*phone.Call][]phone.Tone{s.call: {target.Tone(), peer.Tone()}})
						o.must(o.as(s.who).End(o.ctx, s.id))
						o.must(s.call.WaitEnded(o.ctx))
					}
				}
			}
			o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
			o.until("each decision has an outcome", o.decidedHaveOutcomes)
			o.Logf("all was right %d ms after the next was ready", time.Since(ready).Milliseconds())
			o.hear(proof, map[*phone.Call][]phone.Tone{target: {peer.Tone()}, peer: {target.Tone()}})
			for i, s := range all {
				o.unheard("the customer of “"+stages[i].name+"”", peer, began, o.tone(s.who))
				if survivor != "" { // nobody whispers
					o.unheard("the employee of “"+stages[i].name+"”", target, began, o.tone(s.who))
				}
				if s.late != nil {
					for _, call := range s.late() {
						o.unheard("the supervisor of “"+stages[i].name+"”", call, began, target.Tone(), peer.Tone())
					}
				}
				o.Logf("%s: %q", stages[i].name, o.recorded(s.id))
			}
			for i, s := range all { // what was not decided is not on record
				if on := slices.ContainsFunc(o.audited(), func(e audit.Entry) bool { return e.Subject == s.who && e.Time.After(began) }); on != (s.id != "") {
					o.Errorf("%s: whether it is on record: %v", stages[i].name, on)
				}
			}
			o.verified()
			p.Stop()
			if o.Failed() {
				o.Logf("Earshot's log:\n%s", o.log.unusual())
			}
		})
	}
}

// attended says which of Earshot's legs are somebody's phone, or in a bridge with one.
func (o *office) attended() error {
	channels, err := o.admin.ListChannels(o.ctx)
	if err != nil {
		return err
	}
	bridges, err := o.admin.ListBridges(o.ctx)
	if err != nil {
		return err
	}
	for _, c := range channels {
		if strings.HasPrefix(c.ID, "earshot-") && !strings.HasPrefix(c.Name, "Snoop/") {
			return fmt.Errorf("channel %s is left", c.Name)
		}
	}
	for _, b := range bridges {
		if strings.HasPrefix(b.ID, "earshot-") && len(b.Channels) > 1 {
			return fmt.Errorf("bridge %s is left, with %d channels", b.ID, len(b.Channels))
		}
	}
	return nil
}

// leftover tells what of Earshot's is on the PBX.
func (o *office) leftover() string {
	o.Helper()
	channels, err := o.admin.ListChannels(o.ctx)
	o.must(err)
	bridges, err := o.admin.ListBridges(o.ctx)
	o.must(err)
	snoops, empty := 0, 0
	for _, c := range channels {
		if strings.HasPrefix(c.ID, "earshot-") {
			snoops++
		}
	}
	for _, b := range bridges {
		if strings.HasPrefix(b.ID, "earshot-") {
			empty++
		}
	}
	return fmt.Sprintf("%d snoops without a bridge, %d bridges", snoops, empty)
}
