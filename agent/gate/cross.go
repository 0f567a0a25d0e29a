package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// A request about a call or a phone on another PBX is carried out by the gate there. Here it is found out where that is, and that the subject is who he
// is; there it is decided anew, by that gate's own policy and state, recorded and carried out. It is sent once and never again: what is not known to have
// been done is said to be unknown.

// crossing is what a gate has to do with those beside other PBXs. The gate's lock guards it.
type crossing struct {
	acts    map[string]*farAct   // that run on other PBXs, by id
	locks   map[string]*farLock  // that lie on calls there, by id
	holds   map[string]*farHold  // what other sidecars say of credentials for which they vouch, by farKey
	joined  map[string]time.Time // by PBX, since when its sidecar is within reach
	lost    map[string]time.Time // and since when it is not
	vouched map[string]*vouching // for whom this sidecar vouches, by the voucher's id
	resume  func(credential, employee string) (auth.Subject, bool)
	retry   *time.Timer // runs until it is tried again to know somebody by his credential's name
}

func newCrossing(resume func(credential, employee string) (auth.Subject, bool)) crossing {
	if resume == nil {
		resume = func(string, string) (auth.Subject, bool) { return auth.Subject{}, false }
	}
	return crossing{
		acts: map[string]*farAct{}, locks: map[string]*farLock{}, holds: map[string]*farHold{},
		joined: map[string]time.Time{}, lost: map[string]time.Time{}, vouched: map[string]*vouching{},
		resume: resume,
	}
}

// crossTime bounds how long a request may take on another PBX. Nothing that crosses over takes longer there unless a disk hangs.
const crossTime = 15 * time.Second

// crossVersion is that of requests and answers. Who has another performs none.
const crossVersion = 1

// request is what is sent, and reply what comes back: Done or Problem.
type request struct {
	Version int             `json:"v"`
	Op      string          `json:"op"`
	Subject auth.Voucher    `json:"subject"`
	Ask     json.RawMessage `json:"ask"`
}

type reply struct {
	Version int             `json:"v"`
	Done    json.RawMessage `json:"done,omitempty"`
	Problem *problemForm    `json:"problem,omitempty"`
}

type problemForm struct {
	Kind Kind   `json:"kind"`
	Code string `json:"code"`
	Text string `json:"text"`
	Rule string `json:"rule,omitempty"`
	ID   string `json:"id,omitempty"`
}

// afar says of a request that it is about a leg on another PBX, and how it is asked there. It leaves the gate as no error.
type afar struct {
	pbx, target, call string
}

func (*afar) Error() string { return "it is about a call on another PBX" }

// across asks on another PBX to begin something, where err says that the request belongs there; otherwise that is the answer.
func across[V any](ctx context.Context, g *Gate, s auth.Subject, err error, op string, ask func(*afar) any) (V, error) {
	var to *afar
	if !errors.As(err, &to) {
		var none V
		return none, err
	}
	v, err := send[V](ctx, g, s, to.pbx, op, ask(to))
	if err == nil {
		g.expect(to.pbx, s, v)
	}
	return v, err
}

// at is the request as it is made where the call is.
func (ask Ask) at(to *afar) any {
	ask.Target, ask.Number, ask.Call = to.target, "", to.call
	return ask
}

// send has a request carried out beside another PBX, and returns what came of it.
func send[V any](ctx context.Context, g *Gate, s auth.Subject, pbx, op string, ask any) (v V, err error) {
	if err := ctx.Err(); err != nil {
		return v, err
	}
	form := request{Version: crossVersion, Op: op}
	var ok bool
	if form.Subject, ok = s.Voucher(); !ok {
		return v, stateUnknown() // nothing that has crossed over goes on from here
	}
	if form.Ask, err = json.Marshal(ask); err != nil {
		return v, err
	}
	message, err := json.Marshal(form)
	if err != nil {
		return v, err
	}
	runs := begins(op)
	var p *Problem
	g.locked(func(*call.Table) {
		switch {
		case g.closed:
			p = stateUnknown()
		case !g.holds(s):
			p = credentialEnded()
		case g.others[pbx] == nil:
			p = otherPBXUnreachable(nil)
		default:
			g.running.Add(1)
			if runs {
				g.vouch(s)
			}
		}
	})
	if p != nil {
		return v, p
	}
	defer g.running.Done()
	if runs {
		defer g.locked(func(*call.Table) { g.vouchedFor(form.Subject.ID()) })
	}
	ctx, cancel := context.WithTimeout(ctx, crossTime)
	defer cancel()
	defer context.AfterFunc(g.ctx, cancel)()
	answer, err := g.cfg.Cluster.Send(ctx, pbx, message)
	switch {
	case errors.Is(err, ErrMayBeDone):
		p = outcomeUnknown(err)
	case err != nil:
		p = otherPBXUnreachable(err)
	default:
		p = readReply(answer, &v)
	}
	outcome := "done"
	if p != nil {
		outcome = p.Code
	}
	g.log.Info().Str("op", op).Str("pbx", pbx).Str("subject", s.Employee()).Str("outcome", outcome).Msg("asked beside another PBX")
	if p != nil {
		var none V
		return none, p
	}
	return v, nil
}

// readReply reads what another gate has answered. What nobody can read may have been done.
func readReply(answer []byte, v any) *Problem {
	var r reply
	switch {
	case !readForm(answer, &r), r.Version != crossVersion, (r.Done == nil) == (r.Problem == nil), r.Problem != nil && (r.Problem.Kind > Unconditional || r.Problem.Code == ""):
		return outcomeUnknown(errors.New("the answer cannot be read"))
	case r.Problem != nil:
		p := r.Problem
		return &Problem{Kind: p.Kind, Code: p.Code, Text: p.Text, Rule: p.Rule, ID: p.ID}
	}
	if err := json.Unmarshal(r.Done, v); err != nil {
		return outcomeUnknown(fmt.Errorf("the answer: %w", err))
	}
	return nil
}

// crosses reports whether what this subject asks may belong on another PBX: what has crossed over to here is about what is here or about nothing.
func (g *Gate) crosses(s auth.Subject) bool { return g.cfg.Cluster != nil && s.Origin() == "" }

// homeOf is the PBX on which an employee's phones are, where that is another than this one; empty otherwise.
func (g *Gate) homeOf(set *policy.Set, who policy.Ref) string {
	if g.cfg.Cluster == nil {
		return ""
	}
	if home := set.PBX(who); home != g.cfg.Cluster.PBX() {
		return home
	}
	return ""
}

// route finds out on which PBX a request is about a leg of the target's, by the leg that it means or by where his phones are. Nil says that it is
// about one here, or that this is to be found out in the ordinary way. Otherwise it is refused, or a says where it belongs. What the policy says of the two is said before anything
// of the call.
func (g *Gate) route(set *policy.Set, subject policy.Ref, a *act, ask Ask, fits fit) *Problem {
	if !g.crosses(a.subject) {
		return nil
	}
	target, _ := set.Employee(a.target)
	f, p := g.pick(set, subject, a, g.board[target], ask.Call, fits)
	pbx := g.homeOf(set, target)
	if f != nil {
		pbx = f.pbx
	}
	if pbx == "" {
		return nil
	}
	if a.tape == nil {
		if p := g.reachesPhone(set, subject, pbx, a, ask); p != nil {
			return p
		}
	}
	switch {
	case g.others[pbx] == nil:
		return otherPBXUnreachable(nil)
	case p != nil:
		return p
	}
	a.afar = &afar{pbx: pbx, target: a.target, call: g.handle(a.employee, a.target, f.leg, g.sight(set, subject, target, f))}
	return nil
}

// reachesPhone refuses what needs a phone of the subject's on a PBX where he has none, or not that one.
func (g *Gate) reachesPhone(set *policy.Set, subject policy.Ref, pbx string, a *act, ask Ask) *Problem {
	phones := set.PhonesOn(subject, pbx)
	switch {
	case len(phones) > 0 && ask.Leg == "" && a.steered == nil:
	case len(phones) > 0, len(set.Phones(subject)) > 0, g.homeOf(set, subject) != "":
		return onOtherPBX()
	default:
		return noPhone()
	}
	if ask.Phone == "" {
		return nil
	}
	for _, phone := range phones {
		if samePhone(phone, ask.Phone) {
			return nil
		}
	}
	return notYourPhone()
}

func onOtherPBX() *Problem {
	return &Problem{Kind: Conflict, Code: "other_pbx", Text: "The audio of a call can only be had on the PBX that carries it, and your phone is on another one. Somebody with a phone there can do it, or the administrator gives you one there."}
}

func otherPBXUnreachable(cause error) *Problem {
	return &Problem{Kind: Unavailable, Code: reasonUnreachablePBX, Text: "The Earshot beside the other PBX is out of reach, so nothing was done; try again shortly.", cause: cause}
}

func outcomeUnknown(cause error) *Problem {
	return &Problem{Kind: Unavailable, Code: reasonOutcome, Text: "The Earshot beside the other PBX has not said in time whether it was done. Look at the list of what runs before you ask again.", cause: cause}
}
