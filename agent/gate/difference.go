package gate

import (
	"time"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/policy"
)

// Difference is one question that the two policies answer differently, as it is written down. It holds ids of the policy, never a number or an
// outside name.
type Difference struct {
	Time    time.Time `json:"time"` // UTC; when it was seen first
	Change  string    `json:"change"`
	Subject string    `json:"subject"`
	Action  string    `json:"action"`
	Target  string    `json:"target,omitempty"`
	// Destination is of what kind a number is that somebody wanted dialled: emergency, employee, client or outside.
	Destination string `json:"destination,omitempty"`
	// ID is that of the act in the audit log; empty for what somebody is shown.
	ID string `json:"id,omitempty"`
	// Running means that the act had been let before, and that it was decided again.
	Running bool    `json:"running,omitempty"`
	InForce Verdict `json:"in_force"`
	Shadow  Verdict `json:"shadow"`
}

// Verdict is one policy's answer with its ground.
type Verdict struct {
	Outcome    audit.Outcome `json:"outcome"`
	Reason     string        `json:"reason"`
	Rule       audit.Rule    `json:"rule,omitzero"`
	Generation uint64        `json:"generation"`
}

func verdictOf(set *policy.Set, d policy.Decision) Verdict {
	v := Verdict{Outcome: audit.Deny, Reason: d.Reason.String(), Generation: set.Generation()}
	if d.Allowed {
		v.Outcome = audit.Allow
	}
	if r := set.Rule(d.Rule); r.Line > 0 {
		v.Rule = audit.Rule{File: r.File, Line: r.Line}
	}
	return v
}

// maxTold is how many differences are told of two policies. A difference is some hundred bytes.
const maxTold = 100_000

// ledger knows which differences have been told. It belongs to Run.
type ledger struct {
	*ShadowConfig
	live, shadow *policy.Set // of which they are
	told         map[question]struct{}
	failing      bool // the last could not be written
	refs         [2][]policy.Ref
}

// question is what makes two differences one.
type question struct {
	subject, target, destination string
	action                       policy.Action
	now, then                    policy.Reason
	allowed, allows              bool
}

// tell writes a difference down, unless that has been done.
func (l *ledger) tell(p *pair) {
	if !p.live.Same(l.live) || !p.shadow.Same(l.shadow) { // another moment of the same policy brings the same differences again
		l.live, l.shadow = p.live, p.shadow
		clear(l.told)
	}
	q := question{p.subject, p.target, p.destination, p.action, p.now.Reason, p.then.Reason, p.now.Allowed, p.then.Allowed}
	if _, told := l.told[q]; told {
		return
	}
	if len(l.told) >= maxTold {
		l.Metrics.shadowDropped.Inc()
		return
	}
	err := l.Record(Difference{
		Time: time.Now().UTC(), Change: p.change(), Subject: p.subject, Action: p.action.String(), Target: p.target, Destination: p.destination,
		ID: p.id, Running: p.running, InForce: verdictOf(p.live, p.now), Shadow: verdictOf(p.shadow, p.then),
	})
	if err != nil {
		l.Metrics.shadowDropped.Inc()
		if !l.failing {
			l.Log.Warn().Err(err).Msg("differences of the shadow policy are not written down; they are counted")
		}
	} else {
		l.told[q] = struct{}{}
		if len(l.told) == maxTold {
			l.Log.Warn().Int("differences", maxTold).Msg("the shadow policy differs too often; until a policy changes the rest is counted and not written down")
		}
	}
	l.failing = err != nil
}

// scene is a row of the board as both policies read it. It is never changed.
type scene struct {
	live, shadow *policy.Set
	target       policy.Ref // of the policy in force
	legs         []sceneLeg
}

type sceneLeg struct {
	now  reading
	then second
}

// look compares what the policies let a subject see of a row's calls.
func (l *ledger) look(sc *scene, subject string) {
	now, ok := sc.live.Employee(subject)
	if !ok {
		return
	}
	p := pair{subject: subject, target: sc.live.ID(sc.target), live: sc.live, shadow: sc.shadow}
	then, target := sc.shadow.Foreign(sc.live, now), sc.shadow.Foreign(sc.live, sc.target)
	compare := func(action policy.Action, a, b policy.Decision) {
		p.action, p.now, p.then = action, a, b
		if l.count(&p) {
			l.tell(&p)
		}
	}
	for i := range sc.legs {
		leg := &sc.legs[i]
		_, peer, kind := leg.now.sight(sc.live, now, sc.target, &l.refs[0])
		peerThen := policy.Decision{Reason: policy.ReasonUnknownTarget}
		kindThen := peerThen
		if leg.then.theirs || then.IsZero() || target.IsZero() {
			_, peerThen, kindThen = leg.then.sight(sc.shadow, then, target, &l.refs[1])
		}
		compare(policy.Observe, peer, peerThen)
		if !peer.Allowed && !peerThen.Allowed {
			compare(policy.ObserveKind, kind, kindThen)
		}
	}
}
