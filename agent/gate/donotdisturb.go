package gate

import (
	"context"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/policy"
)

// quietTime is how long it is gone by what the PBX has said of who is not to be disturbed: panels ask for each of their people, and often. What Earshot
// changes itself shows at once, what a telephone's own code changes no later than that.
const quietTime = 3 * time.Second

// quiet is what the PBX has last said of who is not to be disturbed. Asterisk goes through the whole family for that, on the connection by which the
// watchdog's events come, so it is asked by one at a time; the others wait for the answer.
type quiet struct {
	asks chan struct{} // of one; whoever has sent asks the PBX, until he has received

	mu      sync.Mutex        // guards what follows
	kept    map[string]string // by extension; not written to any more
	until   time.Time
	changes int // how often Earshot has changed something in it
}

// fresh is what is known of a family that is new enough.
func (q *quiet) fresh() (kept map[string]string, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.kept, time.Now().Before(q.until)
}

// changed says that what is known holds no more, nor what is being asked just now.
func (q *quiet) changed() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.changes++
	q.until = time.Time{}
}

// read is the family, as the PBX has said it or says it now.
func (q *quiet) read(ctx context.Context, ask func(context.Context) (map[string]string, error)) (map[string]string, error) {
	if kept, ok := q.fresh(); ok {
		return kept, nil
	}
	select {
	case q.asks <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-q.asks }()
	if kept, ok := q.fresh(); ok { // somebody else has asked meanwhile
		return kept, nil
	}
	q.mu.Lock()
	changes := q.changes
	q.mu.Unlock()
	kept, err := ask(ctx)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.changes == changes {
		q.kept, q.until = kept, time.Now().Add(quietTime)
	}
	return kept, nil
}

// DoNotDisturb tells of each employee whose settings the subject may change whether he is not to be disturbed, by employee id. Of the others there is
// nothing, nor of those whose telephones are on another PBX, and the PBX is not asked where that is all. It is counted and not recorded, as Settings is.
func (g *Gate) DoNotDisturb(ctx context.Context, s auth.Subject) (map[string]bool, error) {
	a := g.newAct(s, policy.SettingsUser, "")
	defer a.stop()
	var p *Problem
	g.locked(func(*call.Table) { p = g.asks(a) })
	if p != nil {
		return nil, p
	}
	set, c := g.policy.Load(), &g.cfg.Settings
	me, ok := set.Employee(s.Employee())
	if !ok {
		return nil, refusedSubject()
	}
	of := map[string]string{} // extensions, by employee
	for ref := range set.Employees() {
		if ext := extension(set, ref); ext != "" && g.homeOf(set, ref) == "" && set.Decide(&policy.Request{Subject: me, Action: policy.SettingsUser, Target: ref}).Allowed {
			of[set.ID(ref)] = ext
		}
	}
	g.met.question(policy.SettingsUser, len(of) > 0)
	if len(of) == 0 || c.Switchboard == nil {
		return nil, nil
	}
	kept, err := g.keptQuiet(ctx, of, s.Employee())
	if err != nil {
		return nil, notSet(err)
	}
	told := make(map[string]bool, len(of))
	for employee, ext := range of {
		told[employee] = kept[ext] != ""
	}
	return told, nil
}

// keptQuiet has what the PBX keeps for these extensions, by employee: of one's own alone that one value is read.
func (g *Gate) keptQuiet(ctx context.Context, of map[string]string, self string) (map[string]string, error) {
	c := &g.cfg.Settings
	if ext := of[self]; ext != "" && len(of) == 1 {
		value, err := c.Switchboard.Lookup(ctx, c.DoNotDisturb, ext)
		return map[string]string{ext: value}, err
	}
	return g.quiet.read(ctx, func(ctx context.Context) (map[string]string, error) { return c.Switchboard.Family(ctx, c.DoNotDisturb) })
}
