package pbxtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Branches is the company of Demo with a PBX for each department, by name: north has the phones of sales, south those of support, west the
// office's. Each has a trunk outside and one to each of the others, called by its name, over which its phones dial the others' numbers. Where the
// others are is said to each by Reach, once they run.
func Branches() map[string]Plan {
	all := []struct{ name, digit string }{{"north", "1"}, {"south", "2"}, {"west", "3"}} // with which its phones' numbers begin
	out := map[string]Plan{}
	for _, b := range all {
		p := Demo().only(func(phone string) bool { return strings.HasPrefix(phone, b.digit) })
		for _, other := range all {
			if other != b {
				p.Trunks = append(p.Trunks, Trunk{ID: other.name})
				p.Extensions = append(p.Extensions, Extension{Number: "_" + other.digit + "XX", Steps: []string{fmt.Sprintf("Dial(PJSIP/${EXTEN}@%s,60,%s)", other.name, keysBoth)}})
			}
		}
		// The others dial a phone by its number.
		for _, ph := range p.Phones {
			p.Incoming = append(p.Incoming, Incoming{Number: ph.number(), To: ph.number()})
		}
		out[b.name] = p
	}
	return out
}

// only is the part of the Plan that has to do with some of its phones alone.
func (p Plan) only(has func(phone string) bool) Plan {
	numbers := map[string]bool{}
	out := Plan{Trunks: slices.Clone(p.Trunks)}
	for _, ph := range p.Phones {
		if has(ph.ID) {
			out.Phones = append(out.Phones, ph)
			numbers[ph.number()] = true
		}
	}
	for _, q := range p.Queues {
		if !slices.ContainsFunc(q.Members, func(m Member) bool { return !has(m.Phone) }) {
			out.Queues = append(out.Queues, q)
			numbers[q.Number] = true
		}
	}
	for _, g := range p.Groups {
		if !slices.ContainsFunc(g.Phones, func(id string) bool { return !has(id) }) {
			out.Groups = append(out.Groups, g)
			numbers[g.Number] = true
		}
	}
	for _, in := range p.Incoming {
		if numbers[in.To] {
			out.Incoming = append(out.Incoming, in)
		}
	}
	return out
}

// Reach says at which address the far side of each of some trunks is now, by the trunk's ID. It identifies them by that address from then on.
func (p *PBX) Reach(ctx context.Context, trunks map[string]string) error {
	p.life.Lock()
	defer p.life.Unlock()
	plan := p.plan
	plan.Trunks = slices.Clone(plan.Trunks)
	for id, contact := range trunks {
		i := slices.IndexFunc(plan.Trunks, func(t Trunk) bool { return t.ID == id })
		if i < 0 {
			return errors.New("reach: the plan has no trunk " + id)
		}
		plan.Trunks[i].Contact = contact
	}
	files, err := plan.Files(p.site)
	if err != nil {
		return err
	}
	if err := p.scratch.configure(p.asterisk, files); err != nil {
		return err
	}
	if _, err := p.Command(ctx, "module reload res_pjsip.so"); err != nil {
		return err
	}
	// The command is answered before the reload is done; an identify that a look does not find yet is not there.
	return poll(ctx, func() error { return nil }, func() error {
		said, err := p.Command(ctx, "pjsip show identifies")
		for id := range trunks {
			if err == nil && !strings.Contains(said, id+"-address/"+id) {
				err = fmt.Errorf("trunk %s is not identified by its address", id)
			}
		}
		return err
	})
}
