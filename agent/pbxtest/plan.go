package pbxtest

import (
	"fmt"
	"strings"
)

// Plan is a PBX as Go values: who has a phone, which numbers lead where, how calls go outside. The zero Plan is
// a PBX without phones, which still answers AMI and ARI. A Plan is data: it is not changed once it is started.
//
// Every internal number is in the context "phones"; calls from a trunk arrive in the context "outside".
type Plan struct {
	Phones []Phone
	Trunks []Trunk
	Queues []Queue
	Groups []Group
	// Incoming are the numbers that callers outside may dial, for every trunk.
	Incoming []Incoming
	// Rooms are numbers of conference rooms (ConfBridge).
	Rooms []string
	// Extensions are further numbers with the dialplan they run.
	Extensions []Extension
	// Extra is appended to the generated files, by file name ("pjsip.conf"). For what the values above do not say.
	Extra map[string]string
	// Modules are loaded beside those that the Plan needs anyway, for example "app_agi.so".
	Modules []string
}

// Numbers and feature codes that every Plan has (dialled by a phone, or sent as DTMF within a call).
const (
	NumberEcho    = "*43"  // Echo: the caller hears itself
	NumberMusic   = "*44"  // Answer, then MusicOnHold: the tone MusicTone
	NumberSilence = "*45"  // Answer, then nothing is sent (Wait)
	NumberPickup  = "*8"   // picks up a ringing phone of the same Phone.Group (features.conf pickupexten)
	PrefixPickup  = "**"   // PrefixPickup + number: picks up that ringing number (Pickup application)
	PrefixLocal   = "*61"  // PrefixLocal + number: dials the number through a Local channel that optimises itself away
	PrefixLocalN  = "*62"  // PrefixLocalN + number: dials it through a Local channel that stays (/n)
	PrefixOutside = "9"    // PrefixOutside + number: dials out through the first trunk; +7…, 8 and ten digits do too
	NumberPark    = "700"  // transfers to it park the call; 701 to 720 are the slots (res_parking.conf)
	FeatureBlind  = "##"   // within a call: blind transfer, then the number
	FeatureAtxfer = "*2"   // within a call: attended transfer, then the number; hanging up completes it
	FeatureAbort  = "*1"   // within an attended transfer: back to the first call
	FeatureThree  = "*3"   // within an attended transfer: all three in one call
	FeaturePark   = "#72"  // within a call: parks the other side
	FeatureEnd    = "*0"   // within a call: ends it
	MusicTone     = 1130.0 // Hz: what a held or waiting party hears

	Melody = "melody" // a sound: MusicTone for two seconds
)

// Phone is an endpoint PJSIP/ID that registers with user ID and its password.
type Phone struct {
	ID       string // endpoint, user and AOR: "101"
	Name     string // caller name; empty means "Phone ID"
	Number   string // dialled and shown; empty means ID
	Password string // empty means "secret-ID"
	// Contact, an address as "127.0.0.1:5071", makes the phone reachable without registering. Empty: it registers.
	Contact string
	// DirectMedia lets RTP bypass Asterisk between two phones that both have it (PJSIP's default, direct_media=yes). Calls to such
	// a phone have no DTMF features, since these keep Asterisk in the media path.
	DirectMedia bool
	// Group is the named call and pickup group, for NumberPickup. Empty: none.
	Group string
	// Forward, a number, is where a call goes after ForwardAfter seconds without an answer (at once when that is 0),
	// through a Local channel as a dialplan forward does.
	Forward      string
	ForwardAfter int
}

// Trunk is an endpoint PJSIP/ID that leads outside. Its far side, which plays all outside parties, either registers with user ID
// and Password, or sits at Contact and is identified by that address. Calls from it show the caller that it claims in From.
type Trunk struct {
	ID       string
	Password string // empty means "secret-ID"
	Contact  string // "127.0.0.1:5080", or empty for one that registers and proves itself by digest
}

// Queue is a line that customers call (app_queue), dialled by Number.
type Queue struct {
	Name     string
	Number   string
	Strategy string // empty means "ringall"
	Timeout  int    // seconds that one member rings; 0 means 15
	Members  []Member
}

// Member is a phone in a Queue.
type Member struct {
	Phone string // Phone.ID
	Local bool   // called as Local/NUMBER@phones/n with the phone's state, as FreePBX does; else as PJSIP/ID
}

// Group is a number that rings several phones at once; the first to answer has the call.
type Group struct {
	Number string
	Phones []string // Phone.ID
}

// Incoming is a number dialled from outside and the internal number that it leads to.
type Incoming struct{ Number, To string }

// Extension is a number and its dialplan: one application call an entry, run in order, for example
// {"Answer()", "Playback(tt-monkeys)"}. Context empty means "phones". Number may be a pattern ("_5XX").
type Extension struct {
	Context string
	Number  string
	Steps   []string
}

func (p Phone) name() string     { return or(p.Name, "Phone "+p.ID) }
func (p Phone) number() string   { return or(p.Number, p.ID) }
func (p Phone) password() string { return or(p.Password, "secret-"+p.ID) }
func (t Trunk) password() string { return or(t.Password, "secret-"+t.ID) }

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Secret is the password with which the phone or trunk of that ID registers.
func (p *Plan) Secret(id string) (string, bool) {
	for _, ph := range p.Phones {
		if ph.ID == id {
			return ph.password(), true
		}
	}
	for _, t := range p.Trunks {
		if t.ID == id {
			return t.password(), true
		}
	}
	return "", false
}

func (p *Plan) phone(id string) (Phone, bool) {
	for _, ph := range p.Phones {
		if ph.ID == id {
			return ph, true
		}
	}
	return Phone{}, false
}

// check finds what would make Asterisk read something else than the Plan says.
func (p *Plan) check() error {
	ids, numbers := map[string]bool{}, map[string]bool{}
	claim := func(seen map[string]bool, what, name string) error {
		if name == "" || strings.ContainsAny(name, " \t\r\n;[]()=,&|\"\\${}/@") {
			return fmt.Errorf("plan: %s %q cannot be written into Asterisk's configuration", what, name)
		}
		if seen[name] {
			return fmt.Errorf("plan: %s %q is used twice", what, name)
		}
		seen[name] = true
		return nil
	}
	for _, ph := range p.Phones {
		if err := claim(ids, "endpoint", ph.ID); err != nil {
			return err
		}
		if err := claim(numbers, "number", ph.number()); err != nil {
			return err
		}
		if strings.ContainsAny(ph.Name+ph.Password+ph.Contact, "\r\n;\"<>") {
			return fmt.Errorf("plan: name, password or contact of phone %q cannot be written into Asterisk's configuration", ph.ID)
		}
	}
	for _, t := range p.Trunks {
		if err := claim(ids, "endpoint", t.ID); err != nil {
			return err
		}
	}
	names := map[string]bool{}
	for _, q := range p.Queues {
		if err := claim(names, "queue", q.Name); err != nil {
			return err
		}
		if err := claim(numbers, "number", q.Number); err != nil {
			return err
		}
		for _, m := range q.Members {
			if _, ok := p.phone(m.Phone); !ok {
				return fmt.Errorf("plan: queue %q has a member %q that is no phone", q.Name, m.Phone)
			}
		}
	}
	for _, g := range p.Groups {
		if err := claim(numbers, "number", g.Number); err != nil {
			return err
		}
		for _, id := range g.Phones {
			if _, ok := p.phone(id); !ok {
				return fmt.Errorf("plan: group %q has %q that is no phone", g.Number, id)
			}
		}
	}
	for _, r := range p.Rooms {
		if err := claim(numbers, "number", r); err != nil {
			return err
		}
	}
	return nil
}
