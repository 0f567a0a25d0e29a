package gate

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/clients"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbx"
	"github.com/earshot-pbx/earshot/policy"
)

// Dialling is how the company's phones dial. The zero value takes no prefix off and has no context, so that nobody can be called.
type Dialling struct {
	Context   string // of the dialplan, in which employees' phones begin their calls
	Numbering clients.Numbering
}

// DialAsk is a request to call somebody from one's own phone.
type DialAsk struct {
	Number   string // as one would dial it; or
	Employee string // the id of a colleague
	Phone    string // the own phone to ring; empty for the first
	// Leg is the unique id of a leg of Phone that waits in the Stasis application: it goes on where calls go out, and no phone is rung. Empty for
	// none.
	Leg string `json:"-"`
	// Transferred: the leg is not of Phone, but was transferred to Number by it, see [Gate.TransferredBy].
	Transferred bool `json:"-"`
	Door        string
}

// Kinds of destination, for the record, which has no numbers.
const (
	destEmergency = "emergency"
	destEmployee  = "employee"
	destClient    = "client"
	destOutside   = "outside"
)

// directoryTime is how long a request to dial, or an intercept that is under way, waits for a directory that has to ask a foreign system first.
const directoryTime = 3 * time.Second

// Dial rings the subject's own phone, on the PBX where that is, which, once answered, calls the number, if he may call it. It returns when the phone is
// being rung.
//
// A call to an emergency number waits for no record: that is written beside it. One by a leg that waits goes out whosever phone that is, also nobody's,
// for which s is the zero Subject.
func (g *Gate) Dial(ctx context.Context, s auth.Subject, ask DialAsk) (mask.Dialled, error) {
	if ask.Leg != "" && !ask.Transferred {
		if v, done, err := g.goesOut(ctx, s, ask); done {
			return v, err
		}
	}
	if pbx := g.dialsAfar(s, ask); pbx != "" {
		return send[mask.Dialled](ctx, g, s, pbx, opDial, ask)
	}
	a := g.newAct(s, policy.Dial, ask.Door)
	defer a.stop()
	var set *policy.Set
	var subject policy.Ref
	var to Destination
	var d policy.Decision
	// Deciding may wait for a directory. What is found to be another policy's decision then is decided again.
	for begun := false; !begun; {
		set = g.policy.Load()
		number, p := "", (*Problem)(nil)
		if subject, number, p = g.whom(set, a, ask); p != nil && (ask.Leg == "" || !g.Emergency(number)) {
			return mask.Dialled{}, p
		}
		to, d = g.DecideDial(ctx, set, subject, number)
		g.locked(func(t *call.Table) {
			switch {
			case g.policy.Load() != set:
				return
			case g.closed:
				p = stateUnknown()
			case d.Reason == policy.ReasonEmergency && ask.Leg != "":
				a.phone, p = ask.Phone, g.sitToDial(t, a, ask.Leg, d)
			case !g.holds(s):
				p = credentialEnded()
			default:
				p = g.ownPhone(set, subject, a, ask.Phone)
				if (d.Reason == policy.ReasonEmergency || ask.Leg != "") && p != nil && p.Code == alreadySupervising().Code {
					p = nil // his phone rings beside what it hears, or he has taken another line of it
				}
				if p == nil && ask.Transferred {
					p = g.sitTransferred(t, a, call.LegID(ask.Leg), ask.Number)
				} else if p == nil && ask.Leg != "" {
					p = g.sitToDial(t, a, ask.Leg, d)
				}
			}
			if p == nil {
				g.running.Add(1)
			}
			begun = true
		})
		if p != nil {
			return mask.Dialled{}, p
		}
	}
	defer g.running.Done()
	if !subject.IsZero() {
		g.secondDial(set, a, ask, to, d)
	}
	e := a.entry(audit.Decided, set, d)
	if e.Detail = to.kind(d); subject.IsZero() {
		e.Credential = phoneCode(ask.Phone)
	}
	if !to.Employee.IsZero() {
		e.Targets = []string{set.ID(to.Employee)}
	}
	if !d.Allowed {
		return mask.Dialled{}, g.refuse(a, g.dialRefusal(set, d, to, a.id), d, e)
	}
	g.met.decision(a.action, string(e.Outcome), e.Reason)
	g.canonical(&e)
	noted := g.recordCame
	if d.Reason == policy.ReasonEmergency {
		noted = g.recordBeside(e)
	} else if err := g.record(e); err != nil {
		return mask.Dialled{}, notRecorded(err)
	}
	err := g.carry(ctx, set, subject, a, to)
	e.Phase, e.Outcome, e.Reason, e.Rule = audit.Done, "", "", audit.Rule{}
	if err != nil {
		e.Phase, e.Reason = audit.Failed, reasonPBX
		if errors.Is(err, pbx.ErrUnreachable) {
			e.Reason = reasonUnreachable
		}
		g.log.Error().Err(err).Str("id", a.id).Msg("what was decided was not carried out")
	}
	noted(e)
	switch {
	case e.Reason == reasonUnreachable:
		return mask.Dialled{}, phoneUnreachable(a.id, err)
	case err != nil:
		return mask.Dialled{}, notCalled(a.id, err)
	}
	return mask.Dialled{ID: a.id, Phone: a.phone}, nil
}

// recordBeside writes a decision down that is carried out meanwhile, and what came of it once that is told: a disk that fails or hangs keeps nobody.
// Caller holds running.
func (g *Gate) recordBeside(decided audit.Entry) (noted func(audit.Entry)) {
	came := make(chan audit.Entry, 1)
	g.running.Add(1)
	go func() {
		defer g.running.Done()
		if err := g.fact(decided); err != nil {
			g.log.Error().Err(err).Str("id", decided.ID).Msg("a call to an emergency number goes out unrecorded")
		}
		g.recordCame(<-came)
	}()
	return func(e audit.Entry) { came <- e }
}

// recordCame writes down what came of a decision.
func (g *Gate) recordCame(e audit.Entry) {
	if err := g.fact(e); err != nil {
		g.log.Error().Err(err).Str("id", e.ID).Msg("what came of a decision was not recorded")
	}
}

// whom tells who asks, and what number he wants dialled.
func (g *Gate) whom(set *policy.Set, a *act, ask DialAsk) (subject policy.Ref, number string, p *Problem) {
	subject, ok := set.Employee(a.employee)
	if !ok {
		return subject, ask.Number, refusedSubject()
	}
	if ask.Employee == "" {
		return subject, ask.Number, nil
	}
	number, p = numberOf(set, ask.Employee)
	return subject, number, p
}

// numberOf is the number at which a colleague is called.
func numberOf(set *policy.Set, employee string) (string, *Problem) {
	ref, ok := set.Employee(employee)
	if !ok {
		return "", noSuchEmployee()
	}
	number := set.Number(ref)
	if number == "" {
		return "", noNumber()
	}
	return number, nil
}

// carry carries out what was decided. What has been written down is carried out, though ctx may have ended meanwhile.
func (g *Gate) carry(ctx context.Context, set *policy.Set, subject policy.Ref, a *act, to Destination) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if a.seated {
		return g.cfg.PBX.Send(ctx, pbx.Send{Leg: a.own, Context: OutgoingContext, Extension: to.dial})
	}
	o := pbx.Call{
		Leg: a.own, Endpoint: a.phone, Number: call.Number(to.dial), Context: g.cfg.Dialling.Context,
		Caller: call.Identity{Name: set.Name(subject), Number: call.Number(set.Number(subject))}, Timeout: g.cfg.RingTimeout,
	}
	g.clicks(a, set, to.dial)
	return g.cfg.PBX.Call(ctx, o)
}

// Destination is what is known of a number that somebody wants dialled.
type Destination struct {
	policy.Destination
	dial   string         // what is dialled: digits, "+", "*" and "#" as they were asked for
	asked  string         // the number about which the directory was asked; empty when it need not be
	client clients.Answer // what it said,
	found  clients.Client // and of whom
	hangs  bool           // it cannot say now, and he who asks may call the number if it is his client's
}

// DecideDial says whether the subject may have a number dialled, which every door has to ask before it lets one be. A directory that has to
// ask elsewhere first is waited for when the answer depends on it, but no longer than ctx and some seconds; then he is no client.
func (g *Gate) DecideDial(ctx context.Context, set *policy.Set, subject policy.Ref, text string) (Destination, policy.Decision) {
	to, d := g.decideNow(set, subject, text, g.cfg.Clients.Find)
	if !to.hangs {
		return to, d
	}
	changed := g.wait(to.asked)
	defer g.unwait(to.asked, changed)
	if to, d = g.decideNow(set, subject, text, g.cfg.Clients.Find); to.client == clients.Unknown { // it may have been told meanwhile
		timer := time.NewTimer(directoryTime)
		defer timer.Stop()
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		}
		to, d = g.decideNow(set, subject, text, g.cfg.Clients.Find)
	}
	return to, d
}

// find is Directory.Find, or what it has said before.
type find func(number string) (clients.Client, clients.Answer)

// decideNow decides by what is known now. A prefix may be taken off by the PBX or be part of a short number: what is granted is the one reading
// that is the likeliest, and what is excluded is every reading that there is.
func (g *Gate) decideNow(set *policy.Set, subject policy.Ref, text string, find find) (Destination, policy.Decision) {
	to := g.destination(set, text, find)
	d := decideReadings(set, subject, g.readings(set, &to))
	if !d.Allowed && to.asked != "" && to.client == clients.Unknown {
		his := to
		his.Client, his.Responsible = true, subject
		to.hangs = decideReadings(set, subject, g.readings(set, &his)).Allowed
	}
	return to, d
}

// readings are what a number may be taken for: first as what it is granted, and then everything else that it may be excluded as.
func (g *Gate) readings(set *policy.Set, to *Destination) []policy.Destination {
	list, n := []policy.Destination{to.Destination}, g.cfg.Dialling.Numbering
	for _, reading := range n.Readings(to.dial) {
		if full, ok := clients.Normalise(reading, n.Region); ok {
			reading = full
		}
		list = append(list, set.Destination(reading))
	}
	return list
}

// decideReadings decides over readings of a number, of which there is one at least. It allocates nothing.
func decideReadings(set *policy.Set, subject policy.Ref, list []policy.Destination) policy.Decision {
	d := set.DecideDial(subject, &list[0])
	if d.Reason == policy.ReasonEmergency || d.Reason == policy.ReasonExcluded {
		return d
	}
	for i := range list[1:] {
		if o := set.DecideDial(subject, &list[1+i]); o.Reason == policy.ReasonExcluded {
			return o
		}
	}
	return d
}

// callable is a colleague's number in every reading; nil if he has none. It is found among the employees' before the directory would be asked.
func (g *Gate) callable(set *policy.Set, ref policy.Ref) []policy.Destination {
	number := set.Number(ref)
	if number == "" {
		return nil
	}
	to := g.destination(set, number, nobodysClient)
	return g.readings(set, &to)
}

// nobodysClient is a directory that is not asked.
func nobodysClient(string) (clients.Client, clients.Answer) {
	return clients.Client{}, clients.Stranger
}

// destination reads a number: formatting, a technology, a Local channel and the prefixes that the PBX takes off change nothing of whom it
// reaches.
func (g *Gate) destination(set *policy.Set, text string, find find) Destination {
	to := Destination{dial: dialled(text)}
	digits := to.dial
	to.Destination = set.Destination(digits)
	if set.Emergency(digits) || !to.Employee.IsZero() {
		return to
	}
	for _, reading := range g.cfg.Dialling.Numbering.Readings(digits) {
		if set.Emergency(reading) {
			to.Number = reading
			return to
		}
	}
	number, ok := g.cfg.Dialling.Numbering.Dialled(digits)
	if !ok {
		return to // a feature code perhaps; what is no number at all is refused
	}
	to.Destination = set.Destination(number)
	if !to.Employee.IsZero() {
		return to
	}
	c, answer := find(number)
	if to.asked, to.client, to.found = number, answer, c; answer != clients.Found {
		return to
	}
	to.Client = true
	to.Responsible, _ = set.Employee(c.Responsible)
	for _, id := range c.Access {
		if ref, ok := set.Employee(id); ok {
			to.Access = append(to.Access, ref)
		}
	}
	return to
}

// Emergency reports whether a number, however it is dialled, is one that everybody may dial.
func (g *Gate) Emergency(number string) bool {
	set := g.policy.Load()
	to := g.destination(set, number, nobodysClient)
	return set.Emergency(to.dial) || set.Emergency(to.Number)
}

// kind says in a code what sort of destination a decision was about.
func (to *Destination) kind(d policy.Decision) string {
	switch {
	case d.Reason == policy.ReasonEmergency:
		return destEmergency
	case !to.Employee.IsZero():
		return destEmployee
	case to.Client:
		return destClient
	default:
		return destOutside
	}
}

// dialled takes from what somebody wants dialled what is not number: a technology before it ("PJSIP/", "Local/", an endpoint before a URI, "sip:"),
// host and context after it, and formatting. What is left may still be no number, above all when several were named or options.
func dialled(text string) string {
	if whole, _, _ := strings.Cut(text, "@"); strings.ContainsAny(text, "&,") || strings.ContainsRune(whole, ';') {
		return text
	}
	text = bare(call.Number(text))
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \u00a0-.()", r) {
			return -1
		}
		return r
	}, text)
}

// dialRefusal is what a subject is told. Of dialling everything follows from him and the number.
func (g *Gate) dialRefusal(set *policy.Set, d policy.Decision, to Destination, id string) *Problem {
	switch {
	case to.hangs: // whatever the reason is that the policy gives, such as another right at other times
		return clientUnknown(id)
	case d.Reason == policy.ReasonBadNumber:
		return badNumber(id)
	default:
		return g.refusal(set, d, id)
	}
}
