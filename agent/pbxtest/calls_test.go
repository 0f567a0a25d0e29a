package pbxtest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// patience bounds each wait of a test; what is waited for comes within a second or two.
const patience = 20 * time.Second

// office is a running demo PBX with its phones and the outside world registered.
type office struct {
	*testing.T
	pbx    *pbxtest.PBX
	phones map[string]*phone.Phone
}

func newOffice(t *testing.T) *office {
	t.Helper()
	p, err := pbxtest.Start(t.Context(), pbxtest.Options{Plan: pbxtest.Demo()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	o := &office{T: t, pbx: p, phones: map[string]*phone.Phone{}}
	plan := p.Plan()
	var wg sync.WaitGroup
	add := func(id string, tone phone.Tone) {
		secret, ok := plan.Secret(id)
		if !ok {
			t.Fatalf("no secret for %s", id)
		}
		ph, err := phone.Listen(phone.Config{User: id, Password: secret, Server: p.SIP(), Tone: tone})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := ph.Close(); err != nil {
				t.Error(err)
			}
		})
		o.phones[id] = ph
		wg.Go(func() {
			if err := ph.Register(t.Context()); err != nil {
				t.Errorf("register %s: %v", id, err)
			}
		})
	}
	for i, ph := range plan.Phones {
		add(ph.ID, phone.Tone(3*i+1))
	}
	add("trunk", 30)
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return o
}

// in runs one scenario with everybody idle at its beginning and everybody hung up at its end.
func (o *office) in(name string, f func(o *office, ctx context.Context)) {
	o.Run(name, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		s := &office{T: t, pbx: o.pbx, phones: o.phones}
		defer func() {
			for _, ph := range s.phones {
				for _, c := range ph.Calls() {
					s.must(c.Hangup(ctx))
				}
			}
		}()
		f(s, ctx)
	})
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// dial makes a call and waits until it rings or is up.
func (o *office) dial(ctx context.Context, from, number string, options ...phone.DialOption) *phone.Call {
	o.Helper()
	c, err := o.phones[from].Dial(ctx, number, options...)
	o.must(err)
	return c
}

// answer answers the call that comes in at the phone.
func (o *office) answer(ctx context.Context, at string) *phone.Call {
	o.Helper()
	c, err := o.phones[at].Incoming(ctx)
	o.must(err)
	o.must(c.Answer(ctx))
	return c
}

// talk waits until both hear each other and nobody else.
func (o *office) talk(ctx context.Context, a, b *phone.Call) {
	o.Helper()
	o.must(a.WaitAnswered(ctx))
	_, err := a.WaitHearsOnly(ctx, b.Tone())
	o.must(err)
	_, err = b.WaitHearsOnly(ctx, a.Tone())
	o.must(err)
}

func TestThePlanCarriesCalls(t *testing.T) {
	o := newOffice(t)

	o.in("internal", func(o *office, ctx context.Context) {
		a := o.dial(ctx, "101", "102")
		b := o.answer(ctx, "102")
		o.talk(ctx, a, b)
		if r := b.Remote(); r.Number != "101" || r.Name != "Anna Petrova" {
			o.Errorf("the called phone shows %v", r)
		}
	})
	for name, dialled := range map[string]string{"9 is cut off": "974957654321", "international": "+74957654321", "national": "84957654321"} {
		o.in("outgoing "+name, func(o *office, ctx context.Context) {
			a := o.dial(ctx, "101", dialled)
			b := o.answer(ctx, "trunk")
			if want := strings.TrimPrefix(dialled, "9"); b.Called() != want {
				o.Errorf("outside was asked for %q, want %q", b.Called(), want)
			}
			o.talk(ctx, a, b)
		})
	}
	o.in("incoming with any caller, a phone's too", func(o *office, ctx context.Context) {
		for _, claimed := range []string{"+79161234567", "102"} {
			a := o.dial(ctx, "trunk", "74950000101", phone.As(claimed, "Client"))
			b := o.answer(ctx, "101")
			if r := b.Remote(); r.Number != claimed || r.Name != "Client" {
				o.Errorf("the called phone shows %v, want %s", r, claimed)
			}
			o.talk(ctx, a, b)
			if out := o.command(ctx, "core show channels concise"); !strings.Contains(out, "PJSIP/trunk-") || strings.Contains(out, "PJSIP/102-") {
				o.Errorf("the caller is not the trunk:\n%s", out)
			}
			o.must(a.Hangup(ctx))
			o.must(b.WaitEnded(ctx))
		}
	})
	o.in("a number that is not for outside", func(o *office, ctx context.Context) {
		a := o.dial(ctx, "trunk", "974957654321", phone.As("+79161234567", ""))
		o.must(a.WaitEnded(ctx))
		if a.Ending().Status != http.StatusNotFound {
			o.Errorf("it ended with %v", a.Ending())
		}
	})
	for name, prefix := range map[string]string{"Local that optimises": pbxtest.PrefixLocal, "Local that stays": pbxtest.PrefixLocalN} {
		o.in(name, func(o *office, ctx context.Context) {
			a := o.dial(ctx, "101", prefix+"102")
			b := o.answer(ctx, "102")
			o.talk(ctx, a, b)
			if stays := strings.Contains(o.command(ctx, "core show channels concise"), "Local/"); prefix == pbxtest.PrefixLocalN && !stays {
				o.Error("the Local channel is gone")
			}
		})
	}
	for number, member := range map[string]string{"74950000100": "102", "74950000200": "202"} {
		o.in("queue "+number, func(o *office, ctx context.Context) {
			a := o.dial(ctx, "trunk", number, phone.As("+79161234567", "Client"))
			if _, err := a.WaitHearsOnly(ctx, phone.Music); err != nil {
				o.Error("no music while waiting:", err)
			}
			o.talk(ctx, a, o.answer(ctx, member))
		})
	}
	o.in("group", func(o *office, ctx context.Context) {
		a := o.dial(ctx, "101", "630")
		other, err := o.phones["303"].Incoming(ctx)
		o.must(err)
		o.talk(ctx, a, o.answer(ctx, "301"))
		o.must(other.WaitEnded(ctx))
	})
	o.in("echo, music and silence", func(o *office, ctx context.Context) {
		echo := o.dial(ctx, "101", pbxtest.NumberEcho)
		_, err := echo.WaitHearsOnly(ctx, echo.Tone())
		o.must(err)
		music := o.dial(ctx, "102", pbxtest.NumberMusic)
		_, err = music.WaitHearsOnly(ctx, phone.Music)
		o.must(err)
		o.must(o.dial(ctx, "103", pbxtest.NumberSilence).WaitAnswered(ctx))
	})
	o.in("hold plays the music", func(o *office, ctx context.Context) {
		a := o.dial(ctx, "101", "102")
		b := o.answer(ctx, "102")
		o.talk(ctx, a, b)
		o.must(a.Hold(ctx))
		_, err := b.WaitHearsOnly(ctx, phone.Music)
		o.must(err)
		o.must(a.Unhold(ctx))
		o.talk(ctx, a, b)
	})
	o.in("conference", func(o *office, ctx context.Context) {
		a, b, c := o.dial(ctx, "101", "800"), o.dial(ctx, "102", "800"), o.dial(ctx, "103", "800")
		for _, pair := range [][3]*phone.Call{{a, b, c}, {b, c, a}, {c, a, b}} {
			_, err := pair[0].WaitHearsOnly(ctx, pair[1].Tone(), pair[2].Tone())
			o.must(err)
		}
	})
	for name, picker := range map[string]string{"group": pbxtest.NumberPickup, "directed": pbxtest.PrefixPickup + "101"} {
		o.in("pickup "+name, func(o *office, ctx context.Context) {
			for _, number := range []string{"74950000101", "101"} {
				from := "trunk"
				if number == "101" {
					from = "201"
				}
				a := o.dial(ctx, from, number)
				ringing, err := o.phones["101"].Incoming(ctx)
				o.must(err)
				b := o.dial(ctx, "103", picker)
				o.talk(ctx, a, b)
				o.must(ringing.WaitEnded(ctx))
				o.must(a.Hangup(ctx))
				o.must(b.WaitEnded(ctx))
			}
		})
	}
	o.in("blind transfer by keys", func(o *office, ctx context.Context) {
		a := o.dial(ctx, "trunk", "74950000101", phone.As("+79161234567", "Client"))
		b := o.answer(ctx, "101")
		o.talk(ctx, a, b)
		o.must(b.DTMF(ctx, pbxtest.FeatureBlind))
		// Asterisk may hang up on the last digit while the phone still sends its end.
		if err := b.DTMF(ctx, "102"); err != nil && b.State() != phone.Ended {
			o.Fatal(err)
		}
		o.talk(ctx, a, o.answer(ctx, "102"))
		o.must(b.WaitEnded(ctx))
	})
	o.in("attended transfer by keys", func(o *office, ctx context.Context) {
		a := o.dial(ctx, "trunk", "74950000101", phone.As("+79161234567", "Client"))
		b := o.answer(ctx, "101")
		o.talk(ctx, a, b)
		o.must(b.DTMF(ctx, pbxtest.FeatureAtxfer))
		o.must(b.DTMF(ctx, "102"))
		c := o.answer(ctx, "102")
		o.talk(ctx, b, c)
		o.must(b.Hangup(ctx))
		o.talk(ctx, a, c)
	})
	o.in("transfer by REFER, without and with Replaces", func(o *office, ctx context.Context) {
		a := o.dial(ctx, "101", "102")
		b := o.answer(ctx, "102")
		o.talk(ctx, a, b)
		o.must(b.Transfer(ctx, "103"))
		c := o.answer(ctx, "103")
		o.talk(ctx, a, c)
		o.must(c.Hold(ctx))
		d := o.dial(ctx, "103", "201")
		e := o.answer(ctx, "201")
		o.talk(ctx, d, e)
		o.must(c.TransferTo(ctx, d))
		o.talk(ctx, a, e)
	})
	o.in("parking", func(o *office, ctx context.Context) {
		a := o.dial(ctx, "101", "102")
		b := o.answer(ctx, "102")
		o.talk(ctx, a, b)
		o.must(b.DTMF(ctx, pbxtest.FeaturePark))
		_, err := a.WaitHearsOnly(ctx, phone.Music)
		o.must(err)
		if out := o.command(ctx, "parking show default"); !strings.Contains(out, "PJSIP/101-") {
			o.Fatalf("nobody is parked:\n%s", out)
		}
		o.must(b.Hangup(ctx))
		c := o.dial(ctx, "201", "701")
		o.talk(ctx, a, c)
	})
	o.in("direct media", func(o *office, ctx context.Context) {
		a := o.dial(ctx, "302", "303")
		b := o.answer(ctx, "303")
		o.talk(ctx, a, b)
		if out := o.command(ctx, "bridge show all"); !strings.Contains(out, "native_rtp") {
			o.Errorf("RTP does not bypass Asterisk:\n%s", out)
		}
		o.talk(ctx, a, b)
	})
	o.in("CDR has the answer time", func(o *office, ctx context.Context) {
		a := o.dial(ctx, "101", "102")
		o.talk(ctx, a, o.answer(ctx, "102"))
		id := ""
		for line := range strings.Lines(o.command(ctx, "core show channels concise")) {
			if f := strings.Split(strings.TrimSpace(line), "!"); strings.HasPrefix(line, "PJSIP/101-") {
				id = f[len(f)-1]
			}
		}
		if v := o.variable(ctx, id, "CDR(answer)"); v == "" {
			o.Error("CDR(answer) is empty")
		}
		if v := o.variable(ctx, id, "CHANNEL(linkedid)"); v != id {
			o.Errorf("CHANNEL(linkedid) is %q, want %q", v, id)
		}
	})
	o.in("registrations outlive a restart", func(o *office, ctx context.Context) {
		o.must(o.pbx.Restart(ctx))
		a := o.dial(ctx, "101", "102")
		o.talk(ctx, a, o.answer(ctx, "102"))
	})

	log, err := o.pbx.Log()
	o.must(err)
	for line := range strings.Lines(log) {
		if strings.Contains(line, "ERROR[") {
			t.Error(line)
		}
	}
}

func TestFixedAddressesNeedNoRegistration(t *testing.T) {
	listen := func(cfg phone.Config) *phone.Phone {
		t.Helper()
		p, err := phone.Listen(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
		return p
	}
	desk := listen(phone.Config{User: "101", Tone: 3, Password: "secret-101"})
	outside := listen(phone.Config{User: "trunk", Tone: 9})
	p, err := pbxtest.Start(t.Context(), pbxtest.Options{Plan: pbxtest.Plan{
		Phones:   []pbxtest.Phone{{ID: "101", Contact: desk.Addr()}},
		Trunks:   []pbxtest.Trunk{{ID: "trunk", Contact: outside.Addr()}},
		Incoming: []pbxtest.Incoming{{Number: "74950000101", To: "101"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o := &office{T: t, pbx: p, phones: map[string]*phone.Phone{"101": desk, "trunk": outside}}
	a := o.dial(ctx, "trunk", "74950000101", phone.At(p.SIP()), phone.As("101", "not a phone"))
	b := o.answer(ctx, "101")
	o.talk(ctx, a, b)
	if out := o.command(ctx, "core show channels concise"); !strings.Contains(out, "PJSIP/trunk-") {
		t.Errorf("the caller is not the trunk:\n%s", out)
	}
	o.must(a.Hangup(ctx))
	o.must(b.WaitEnded(ctx))
	c := o.dial(ctx, "101", "974957654321", phone.At(p.SIP()))
	d := o.answer(ctx, "trunk")
	o.talk(ctx, c, d)
	o.must(c.Hangup(ctx))
}

func (o *office) command(ctx context.Context, line string) string {
	o.Helper()
	out, err := o.pbx.Command(ctx, line)
	o.must(err)
	return out
}

// variable reads a channel variable or function through ARI.
func (o *office) variable(ctx context.Context, id, name string) string {
	o.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.pbx.ARI()+"/channels/"+url.PathEscape(id)+"/variable?variable="+url.QueryEscape(name), nil)
	o.must(err)
	req.SetBasicAuth(o.pbx.Site().Earshot.User, o.pbx.Site().Earshot.Password)
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	o.must(err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	o.must(err)
	var v struct{ Value string }
	if err := json.Unmarshal(raw, &v); err != nil || res.StatusCode != http.StatusOK {
		o.Fatalf("%s %s %v", res.Status, raw, err)
	}
	return v.Value
}
