package pbx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ami"
)

// Where Asterisk takes beginnings of names nothing but a whole one is given to it, and a number is one extension of one context.
func TestWhatIsDoneWithACallNamesOneLegAndOneNumber(t *testing.T) {
	p := newPlayer(t)
	link, ctx := p.link, t.Context()
	const name, half = "PJSIP/101-0000000a", "Local/+7916@from-internal-0000000b;1"
	for what, err := range map[string]error{
		"a beginning":           link.Connect(ctx, Connect{"PJSIP/101", name}),
		"a beginning of a name": link.Connect(ctx, Connect{name, "PJSIP/101-0000000"}),
		"a unique id":           link.Connect(ctx, Connect{name, "1795299332.1"}),
		"no name":               link.Connect(ctx, Connect{"", name}),
		"all of a Local one":    link.Connect(ctx, Connect{name, strings.TrimSuffix(half, ";1")}),
		"a list":                link.Park(ctx, Park{"1.1", name + "&" + name}),
		"a variable":            link.Park(ctx, Park{"1.1", "PJSIP/${X}-0000000a"}),
		"a direction":           link.Mute(ctx, Mute{"1.1", "in)=on,x(", true}),
		"no digits":             link.Press(ctx, Press{"1.1", ""}),
		"what is no digit":      link.Press(ctx, Press{"1.1", "1w"}),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "pbx: ") || strings.Contains(err.Error(), "no AMI connection") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, to := range []Place{{"phones", ""}, {"phones", "1,2"}, {"phones", "${X}"}, {"phones", "1 2"}, {"phones", "s"}, {"", "101"}, {"a,b", "101"}, {"${X}", "101"}} {
		for what, err := range map[string]error{
			"redirect": link.Redirect(ctx, Redirect{Leg: "1.1", To: to}), "transfer": link.Transfer(ctx, Transfer{Leg: "1.1", To: to}),
			"consult": link.Consult(ctx, Consult{Asks: "1.1", Waits: "1.2", AsksName: name, WaitsName: half, To: to}),
		} {
			if err == nil || !strings.HasPrefix(err.Error(), "pbx: where") {
				t.Errorf("%s to %+v: %v", what, to, err)
			}
		}
	}
	// The controls get as far as there being nobody who could be asked.
	for what, err := range map[string]error{
		"connect": link.Connect(ctx, Connect{name, half}), "park": link.Park(ctx, Park{"1.1", name}), "mute": link.Mute(ctx, Mute{"1.1", "all", true}),
		"press": link.Press(ctx, Press{"1.1", "1A#"}),
	} {
		if err == nil || !strings.Contains(err.Error(), "no AMI connection") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := link.Redirect(ctx, Redirect{Leg: "1.1", To: Place{"from-internal", "*98"}}); err == nil || strings.HasPrefix(err.Error(), "pbx:") {
		t.Errorf("redirect: %v", err)
	}
}

// busy is AMI at its other end: it does one thing after the other, and while a digit is pressed nothing else.
type busy struct {
	conn   net.Conn
	begun  []time.Time           // when digits were
	digits map[call.LegID]string // that were pressed
}

func (b *busy) serve() error {
	if _, err := io.WriteString(b.conn, "Asterisk Call Manager/9.0.0\r\n"); err != nil {
		return err
	}
	r, w := ami.NewReader(b.conn, ami.Limits{}), ami.NewWriter(b.conn)
	for {
		m, err := r.Read()
		if err != nil {
			return err
		}
		if string(m.Action()) == "PlayDTMF" {
			b.begun = append(b.begun, time.Now())
			b.digits[call.LegID(m.Get("Channel"))] += m.Get("Digit")
			ms, err := strconv.Atoi(m.Get("Duration"))
			if err != nil {
				return err
			}
			time.Sleep(time.Duration(ms) * time.Millisecond)
		}
		if err := w.Write(ami.NewResponse("Success").Append("ActionID", m.Get("ActionID")).Append("Message", "done")); err != nil {
			return err
		}
	}
}

// Whatever is asked of Asterisk meanwhile, and whatever it tells, waits for one digit at most, however many are to be pressed for however many people.
func TestNothingWaitsForMoreThanOneDigit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		link := newPlayer(t).link
		near, far := net.Pipe()
		b := &busy{conn: far, digits: map[call.LegID]string{}}
		served := make(chan struct{})
		go func() { defer close(served); _ = b.serve() }() // its end is the connection's
		c, err := ami.Dial(t.Context(), ami.Config{
			Username: "earshot", Secret: "x", PlainLogin: true,
			DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { c.Close(); <-served }()
		link.setAMI(c)
		const people, number = 7, "1A#"
		pressed := make(chan error, people)
		for i := range people {
			go func() { pressed <- link.Press(t.Context(), Press{call.LegID(fmt.Sprint("1.", i)), number}) }()
		}
		gone, leave := context.WithCancel(t.Context())
		defer leave()
		go func() { pressed <- link.Press(gone, Press{"2.1", strings.Repeat("9", 20)}) }()
		synctest.Wait()
		for done := 0; done < people; { // the watchdog's looks, two that follow one another
			begun := time.Now()
			for range 2 {
				if err := link.setvar(t.Context(), "9.9", "LOOK", "1"); err != nil {
					t.Fatal(err)
				}
			}
			if late := time.Since(begun); late > digitTime {
				t.Fatalf("they wait for %v", late)
			}
			time.Sleep(7 * time.Millisecond)
			leave()
			for len(pressed) > 0 {
				if err := <-pressed; err == nil {
					done++
				} else if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
		}
		for i := range people {
			if got := b.digits[call.LegID(fmt.Sprint("1.", i))]; got != number {
				t.Errorf("%q was pressed for one of them", got)
			}
		}
		for i := range b.begun[1:] {
			if d := b.begun[i+1].Sub(b.begun[i]); d < 2*digitTime {
				t.Errorf("a digit comes %v after the one before", d)
			}
		}
	})
}

// What an account may not do, and what there is not, have words of their own, and neither says which channel was meant.
func TestWhyNothingWasDoneWithACallIsTold(t *testing.T) {
	o := openOffice(t)
	for name, c := range map[string]struct {
		change func(*Config)
		want   error
	}{
		"the right is there": {func(*Config) {}, ErrGone},
		"it is not":          {func(c *Config) { c.AMI.Username, c.AMI.Secret = "still", "lacks" }, ErrNoRight},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, o, c.change, nil)
			r.up()
			const leg, whole = "9.9", "PJSIP/999-0000000a"
			for what, err := range map[string]error{
				"park": r.link.Park(r.ctx, Park{leg, whole}), "connect": r.link.Connect(r.ctx, Connect{whole, "PJSIP/998-0000000a"}),
				"mute": r.link.Mute(r.ctx, Mute{leg, "in", true}), "press": r.link.Press(r.ctx, Press{leg, "1"}),
				"redirect": r.link.redirect(r.ctx, leg, "phones", "101", "", "", ""),
			} {
				if !errors.Is(err, c.want) || strings.Contains(err.Error(), "999") || strings.Contains(err.Error(), leg) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

// A number that the dialplan does not have would hang up whoever is sent there.
func TestNobodyIsSentToANumberThatIsNotThere(t *testing.T) {
	o := openOffice(t)
	r := run(t, o, func(*Config) {}, nil)
	r.up()
	c, err := o.phones["101"].Dial(r.ctx, "*45")
	r.must(err)
	r.must(c.WaitAnswered(r.ctx))
	var leg call.LegID
	r.until("it is up", func() bool {
		legs := r.legs("PJSIP/101")
		if len(legs) == 1 {
			leg = legs[0]
		}
		return leg != ""
	})
	if err := r.link.Redirect(r.ctx, Redirect{Leg: leg, To: Place{"phones", "399"}}); !errors.Is(err, ErrNoExtension) {
		t.Errorf("to nowhere: %v", err)
	}
	r.must(r.link.Redirect(r.ctx, Redirect{Leg: leg, To: Place{"phones", "102"}}))
	in, err := o.phones["102"].Incoming(r.ctx)
	r.must(err)
	r.must(in.Answer(r.ctx))
	r.must(c.Hangup(r.ctx))
	r.must(in.WaitEnded(r.ctx))
	if err := r.link.Redirect(r.ctx, Redirect{Leg: leg, To: Place{"phones", "102"}}); !errors.Is(err, ErrGone) {
		t.Errorf("a leg that is gone: %v", err)
	}
}
