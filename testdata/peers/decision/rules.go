package decision

import "github.com/earshot-pbx/earshot/testdata/peers/company"

// rules is the other floor: the rules themselves in nested maps, as one would write it by hand for this policy and no other.
type rules struct {
	rights     map[string]map[string]right // by subject and action
	department map[string]string
	board      map[string]bool
}

type right struct {
	any        bool
	department string // the one that he heads
	targets    map[string]bool
	except     map[string]bool
}

func newRules(c *company.Company) (Engine, error) {
	e := rules{rights: map[string]map[string]right{}, department: map[string]string{}, board: set(c.Groups["board"])}
	change := func(subject string, by func(r *right), actions ...string) {
		if e.rights[subject] == nil {
			e.rights[subject] = map[string]right{}
		}
		for _, a := range actions {
			r := e.rights[subject][a]
			by(&r)
			e.rights[subject][a] = r
		}
	}
	supervisions := company.Actions[1:]
	for _, d := range c.Departments {
		change(d.Head, func(r *right) { r.department = d.ID }, company.Actions...)
	}
	legal := set(c.Groups["legal"])
	for _, id := range c.Groups["quality"] {
		change(id, func(r *right) { r.any = true }, company.Actions...)
		change(id, func(r *right) { r.except = legal }, supervisions...)
	}
	trainees := set(c.Groups["trainees"])
	for _, id := range c.Groups["trainers"] {
		change(id, func(r *right) { r.targets = trainees }, company.Spy, company.Whisper)
	}
	for _, one := range c.Employees {
		e.department[one.ID] = one.Department
		if len(one.Observes) > 0 {
			change(one.ID, func(r *right) { r.targets = set(one.Observes) }, company.Observe)
		}
		if len(one.Barred) > 0 {
			barred := set(one.Barred)
			change(one.ID, func(r *right) {
				for id := range r.except {
					barred[id] = true
				}
				r.except = barred
			}, supervisions...)
		}
	}
	return e, nil
}

func set(ids []string) map[string]bool {
	all := map[string]bool{}
	for _, id := range ids {
		all[id] = true
	}
	return all
}

func (e rules) allows(q *company.Question) bool {
	if q.Subject == q.Target {
		return q.Action == company.Observe
	}
	r, ok := e.rights[q.Subject][q.Action]
	if !ok || r.except[q.Target] || q.Action != company.Observe && e.board[q.Target] {
		return false
	}
	return r.any || r.department != "" && r.department == e.department[q.Target] || r.targets[q.Target]
}

// Ready takes them as they are.
func (e rules) Ready(questions []company.Question) (func() int, error) {
	return func() (allowed int) {
		for i := range questions {
			if e.allows(&questions[i]) {
				allowed++
			}
		}
		return allowed
	}, nil
}
