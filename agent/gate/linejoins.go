package gate

import (
	"context"
	"slices"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/mask"
)

// Joins lists what the subject does on lines: conversations that he is in, or is about to come into or to take over.
func (g *Gate) Joins(s auth.Subject) (out []mask.Join, err error) {
	g.locked(func(*call.Table) { out = g.joinsOf(s.Employee(), "") })
	return out, nil
}

// JoinsOfLine lists what the subject does on one line, and who has joined conversations of it that are the subject's own. Of a line that he may not
// view, and on which there is neither, he gets the answer of one that is not there.
func (g *Gate) JoinsOfLine(s auth.Subject, id string) (own []mask.Join, joined []mask.Supervised, err error) {
	g.locked(func(*call.Table) {
		set := g.policy.Load()
		own, joined = g.joinsOf(s.Employee(), id), []mask.Supervised{}
		for _, a := range g.joining(func(a *act) bool { return a.line == id && slices.Contains(a.told.panel, s.Employee()) }) {
			joined = append(joined, a.supervised(time.Time{}))
		}
		me, _ := set.Employee(s.Employee())
		if line, ok := set.Line(id); len(own)+len(joined) == 0 && (!ok || !g.mayView(set, me, line)) {
			err = noSuchLine()
		}
	})
	return own, joined, err
}

// joinsOf lists what an employee does on a line, or on any, oldest first. Caller holds the lock.
func (g *Gate) joinsOf(employee, line string) []mask.Join {
	out := []mask.Join{}
	for _, a := range g.joining(func(a *act) bool { return a.employee == employee && (line == "" || a.line == line) }) {
		out = append(out, a.joinView())
	}
	return out
}

// joining are the acts on lines that are under way, oldest first. Caller holds the lock.
func (g *Gate) joining(which func(*act) bool) (acts []*act) {
	for _, a := range g.acts {
		if a.begun && a.mode != modeNone && which(a) {
			acts = append(acts, a)
		}
	}
	slices.SortFunc(acts, byAge)
	return acts
}

// Join is one of what the subject does on a line. Another's, one on another line and one that is over get the same answer.
func (g *Gate) Join(s auth.Subject, line, id string) (v mask.Join, err error) {
	err = noSuchJoin()
	g.locked(func(*call.Table) {
		if a := g.myJoin(s, line, id); a != nil {
			v, err = a.joinView(), nil
		}
	})
	return v, err
}

// EndJoin takes the subject out of a conversation that he has joined, in which the others go on; or calls off a joining or a take-over for which his
// phone rings still. It returns when his leg is hung up. A customer who has been left to him is not hung up on: that is an ordinary call.
func (g *Gate) EndJoin(ctx context.Context, s auth.Subject, line, id string) error {
	var a *act
	g.locked(func(*call.Table) {
		if a = g.myJoin(s, line, id); a != nil {
			a.finish(ending{reason: reasonBySupervisor})
		}
	})
	if a == nil {
		return noSuchJoin()
	}
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Gate) myJoin(s auth.Subject, line, id string) *act {
	if a := g.acts[id]; a != nil && a.begun && a.mode != modeNone && a.line == line && a.employee == s.Employee() {
		return a
	}
	return nil
}
