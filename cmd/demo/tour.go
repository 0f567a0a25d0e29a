package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// Outside parties of the tour, each with a voice of its own.
var (
	vera     = caller{number: "+79161234567", name: "VERA C", tone: 21}    // Anna's client in the directory
	stranger = caller{number: "+78125550101", name: "STRANGER", tone: 22}  // nobody's client
	secret   = caller{number: "+74957654321", name: "PROTECTED", tone: 23} // protected.numbers
)

type caller struct {
	number, name string
	tone         phone.Tone
}

// step is one part of the tour.
type step struct {
	title string
	run   func(context.Context) error
}

// tour walks through the main job. Each step says what should be true and returns an error if it is not.
func (d *demo) tour(ctx context.Context) error {
	return walk(ctx, []step{
		{"Irina listens to a call of Anna's: she hears both, neither hears her", d.spy},
		{"Irina whispers: Anna hears her, the customer does not", d.whisper},
		{"Irina barges in: both hear her", d.barge},
		{"Irina changes from listening to whispering to barging and back, without losing a word", d.modes},
		{"Who has no right, or asks for an excluded colleague, is refused", d.noRight},
		{"Who talks with a protected person or number cannot be listened to either", d.protected},
		{"One call, two watchers: Irina may see with whom Anna talks, Olga may not", d.masked},
		{"A panel made for Asterisk logs in to Earshot instead: it lists a call, and hears it end", d.panel},
		{"An application made for Asterisk asks Earshot instead: Irina's listens by a snoop and her own phone, Boris's may not", d.application},
		{"A client's call rings at Boris: Sergei may not take it, Anna, who is responsible, is told of it and does", d.intercept},
		{"Anna calls her client from the panel, and may not call the rest of the world", d.dials},
		{"An excluded colleague joins the call: the supervision ends", d.joins},
		{"The policy is edited: the running supervision ends", d.edited},
		{"Earshot is killed: the supervision ends with its lease; started again at once, it takes it up", d.killed},
		{"What has been: Irina reads with whom Anna talked and plays it, Olga reads that there was a call", d.past},
		{"The record of all this is whole, and an altered line is found", d.recorded},
	}, d.quiet)
}

// walk runs one step after the other, each from a quiet PBX.
func walk(ctx context.Context, steps []step, quiet func(context.Context) error) error {
	for i, s := range steps {
		fmt.Printf("\n%d. %s\n", i+1, s.title)
		began := time.Now()
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, s.title, err)
		}
		if err := quiet(ctx); err != nil {
			return fmt.Errorf("after step %d: %w", i+1, err)
		}
		fmt.Printf("   as it should be (%.1f s)\n", time.Since(began).Seconds())
	}
	fmt.Println("\nThe tour is complete: everything was as it should be.")
	return nil
}

func say(format string, args ...any) { fmt.Printf("   "+format+"\n", args...) }

// talk lets an outside party call an employee, who answers.
type talk struct {
	outside, inside *phone.Call
}

func (d *demo) talk(ctx context.Context, who caller, employee string) (*talk, error) {
	p := d.site.Phones[employee]
	p.SetReaction(phone.Reaction{})
	out, err := d.site.Trunk.Dial(ctx, "74950000"+p.User(), phone.As(who.number, who.name), phone.WithTone(who.tone))
	if err != nil {
		return nil, err
	}
	in, err := p.Incoming(ctx)
	if err != nil {
		return nil, err
	}
	if err := in.Answer(ctx); err != nil {
		return nil, err
	}
	if err := out.WaitAnswered(ctx); err != nil {
		return nil, err
	}
	if _, err := in.WaitHears(ctx, who.tone); err != nil {
		return nil, err
	}
	_, err = out.WaitHears(ctx, p.Tone())
	return &talk{outside: out, inside: in}, err
}

// supervise has a supervisor's phone answer and waits until the supervision is active.
func (d *demo) supervise(ctx context.Context, w *site.Stream, who, target, mode string) (site.Supervision, *phone.Call, error) {
	d.site.Phones[who].SetReaction(phone.Reaction{Answer: true, After: 100 * time.Millisecond})
	s, err := d.clients[who].Supervise(ctx, target, mode)
	if err != nil {
		return s, nil, err
	}
	c, err := d.site.Phones[who].Incoming(ctx)
	if err != nil {
		return s, nil, err
	}
	s, err = w.UntilAct(ctx, s.ID, "active")
	return s, c, err
}

// hears waits until a call hears exactly these voices.
func (d *demo) hears(ctx context.Context, who string, c *phone.Call, tones ...phone.Tone) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := c.WaitHearsOnly(ctx, tones...); err != nil {
		return fmt.Errorf("%s should hear %s, and hears %s: %w", who, d.names(tones), d.names(c.Hearing()), err)
	}
	say("%-9s hears %s", who, d.names(tones))
	return nil
}

func (d *demo) names(tones []phone.Tone) string {
	var names []string
	for _, t := range tones {
		switch {
		case d.tones[t] != "":
			names = append(names, d.tones[t])
		case outsider(t):
			names = append(names, "the customer")
		default:
			names = append(names, t.String())
		}
	}
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, " and ")
}

func outsider(t phone.Tone) bool {
	return slices.ContainsFunc(customers, func(c caller) bool { return c.tone == t })
}

// quiet ends every call and waits until the board is idle.
func (d *demo) quiet(ctx context.Context) error {
	errs := []error{d.hangUp(ctx)}
	w, err := d.clients["irina"].Watch(ctx)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	defer w.Close()
	return errors.Join(append(errs, w.Until(ctx, "everybody is idle", func(s *site.Stream) bool {
		for _, r := range s.Rows {
			if r.State != "idle" {
				return false
			}
		}
		return true
	}))...)
}

// hangUp ends every call of the site's phones and has them do nothing by themselves.
func (d *demo) hangUp(ctx context.Context) error {
	var errs []error
	for _, p := range d.site.All() {
		for _, c := range p.Calls() {
			errs = append(errs, c.Hangup(ctx))
		}
		p.SetReaction(phone.Reaction{})
	}
	return errors.Join(errs...)
}

// refused makes sure that a request was refused with this code.
func refused(err error, code string) error {
	var p *site.Problem
	if err == nil {
		return fmt.Errorf("should have been refused (%s), and was not", code)
	}
	if !errors.As(err, &p) {
		return fmt.Errorf("should have been refused (%s), and got: %w", code, err)
	}
	if p.Code != code {
		return fmt.Errorf("should have been refused with %s, and got %w", code, p)
	}
	rule := ""
	if p.Rule != "" {
		rule = ", by " + p.Rule[strings.LastIndexByte(p.Rule, '/')+1:]
	}
	say("refused: %d %s%s", p.Status, p.Code, rule)
	return nil
}

// row waits until a watcher sees an employee in a state with these buttons, and shows it. The button that calls the employee is on his row in every
// state, for whom dial lets, and is not what the tour is about.
func (d *demo) row(ctx context.Context, watcher, employee, state string, buttons ...string) (site.Row, error) {
	w, err := d.clients[watcher].Watch(ctx)
	if err != nil {
		return site.Row{}, err
	}
	defer w.Close()
	wait, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err = w.Until(wait, employee+" is "+state, func(s *site.Stream) bool {
		r := s.Rows[employee]
		can := slices.DeleteFunc(slices.Clone(r.Can), func(b string) bool { return b == "dial" })
		return r.State == state && (slices.Equal(can, buttons) || len(can)+len(buttons) == 0)
	})
	r := w.Rows[employee]
	if d.pbx != "" {
		watcher += " at " + d.pbx
	}
	show(watcher, r)
	if err != nil {
		return r, fmt.Errorf("%s should see %s %s with the buttons %v, and sees him %s with %v: %w", watcher, employee, state, buttons, r.State, r.Can, err)
	}
	return r, nil
}

// show prints what a watcher sees on a row.
func show(watcher string, r site.Row) {
	var calls []string
	for _, c := range r.Calls {
		other := "nobody"
		switch {
		case c.Hidden:
			other = "(hidden)"
		case c.Peer != nil:
			other = strings.TrimSpace(c.Peer.Name + " " + c.Peer.Number)
		}
		calls = append(calls, fmt.Sprintf("%s call with %s", c.Direction, other))
	}
	say("%s sees:  %-8s %-9s %-45s buttons: %s", watcher, r.ID, r.State, strings.Join(calls, ", "), strings.Join(r.Can, " "))
}
