package gate_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/pbx"
)

// switchboard is one in memory, which tells what it was asked.
type switchboard struct {
	mu    sync.Mutex
	kept  map[string]string // of the family DND
	asked []string
	fail  error
	lets  chan struct{} // nil: at once; else a family is told when something is received
}

func (b *switchboard) take(question string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, question)
	return b.fail
}

// questions are what it was asked since that was last looked at.
func (b *switchboard) questions() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := strings.Join(b.asked, " ")
	b.asked = nil
	return all
}

// set has these extensions not be disturbed, as their telephones' own code would.
func (b *switchboard) set(extensions ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = map[string]string{}
	for _, e := range extensions {
		b.kept[e] = "YES"
	}
}

func (b *switchboard) value(family, key string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if family != "DND" {
		return ""
	}
	return b.kept[key]
}

func (b *switchboard) Lookup(_ context.Context, family, key string) (string, error) {
	return b.value(family, key), b.take(family + "/" + key)
}

func (b *switchboard) Family(ctx context.Context, family string) (map[string]string, error) {
	if family != "DND" {
		return nil, nil // what is known of forwardings
	}
	err := b.take(family)
	b.mu.Lock()
	kept := maps.Clone(b.kept) // as it is when it is asked
	b.mu.Unlock()
	if b.lets != nil {
		select {
		case <-b.lets:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return kept, err
}

func (b *switchboard) Keep(_ context.Context, _ call.LegID, family, key, value string) error {
	err := b.take(family + "/" + key + "=" + value)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = maps.Clone(b.kept)
	b.kept[key] = value
	return err
}

func (b *switchboard) Memberships(context.Context, []string) ([]pbx.Member, error) { return nil, nil }

func (b *switchboard) Pause(context.Context, pbx.Member) error { return nil }

// desk is a company in which desk sees everybody's settings and ann and bea their own.
const desk = `
version: 1
employees:
  desk: {name: Desk, phones: [PJSIP/100], numbers: ["100"], settings.user: any}
  ann:  {name: Ann, phones: [PJSIP/101], numbers: ["101"], settings.user: own}
  bea:  {name: Bea, phones: [PJSIP/102], numbers: ["102"], settings.user: own}
  non:  {name: Non, phones: [PJSIP/103], numbers: ["103"]}
`

// atDesk runs a test with a switchboard, in time of its own.
func atDesk(t *testing.T, test func(t *testing.T, o *office, b *switchboard)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &switchboard{kept: map[string]string{}}
		o := newOffice(t, desk, func(c *gate.Config) { c.Settings = gate.Settings{Switchboard: b, Forward: "CF", DoNotDisturb: "DND"} })
		defer o.close()
		test(t, o, b)
	})
}

// quiet are those of whom somebody is told that they are not to be disturbed.
func (o *office) quiet(subject string) string {
	o.t.Helper()
	of, err := o.gate.DoNotDisturb(o.t.Context(), who(subject))
	if err != nil {
		return gate.AsProblem(err).Code
	}
	var told []string
	for employee, quiet := range of {
		if quiet {
			told = append(told, employee)
		}
	}
	slices.Sort(told)
	return fmt.Sprint(len(of), told)
}

func TestThePBXIsAskedNowAndThenWhoIsNotToBeDisturbed(t *testing.T) {
	atDesk(t, func(t *testing.T, o *office, b *switchboard) {
		b.set("101")
		for range 50 {
			if got := o.quiet("desk"); got != "4 [ann]" {
				t.Fatal(got)
			}
		}
		if got := b.questions(); got != "DND" {
			t.Errorf("it was asked %q", got)
		}
		b.set("102") // by the telephone's code
		time.Sleep(3*time.Second - time.Nanosecond)
		if got := o.quiet("desk"); got != "4 [ann]" {
			t.Error(got)
		}
		time.Sleep(time.Nanosecond)
		if got := o.quiet("desk"); got != "4 [bea]" || b.questions() != "DND" {
			t.Error(got)
		}
		// Of oneself alone one value is read, and who sees nobody's asks nothing.
		if got := o.quiet("bea"); got != "1 [bea]" || b.questions() != "DND/102" {
			t.Error(got)
		}
		if got := o.quiet("ann"); got != "1 []" || b.questions() != "DND/101" {
			t.Error(got)
		}
		if got := o.quiet("non"); got != "0 []" || b.questions() != "" {
			t.Error(got)
		}
	})
}

func TestWhatEarshotChangesIsToldAtOnce(t *testing.T) {
	for name, fail := range map[string]error{"it is written": nil, "it may have been": errors.New("no answer")} {
		t.Run(name, func(t *testing.T) {
			atDesk(t, func(t *testing.T, o *office, b *switchboard) {
				b.lets = make(chan struct{}, 1)
				b.lets <- struct{}{}
				if got := o.quiet("desk"); got != "4 []" {
					t.Fatal(got)
				}
				time.Sleep(3 * time.Second)
				early := make(chan string)
				go func() { early <- o.quiet("desk") }() // it is asked before, and told after the change
				synctest.Wait()
				on := true
				b.fail = fail
				_, err := o.gate.ChangeSettings(t.Context(), who("desk"), gate.SettingsAsk{Employee: "ann", DoNotDisturb: &on, Door: "test"})
				if (err != nil) != (fail != nil) {
					t.Fatal(err)
				}
				b.fail = nil
				b.lets <- struct{}{}
				<-early
				b.lets <- struct{}{}
				if got := o.quiet("desk"); got != "4 [ann]" {
					t.Error(got)
				}
				off := false // and what is known and new goes too
				if _, err := o.gate.ChangeSettings(t.Context(), who("ann"), gate.SettingsAsk{Employee: "ann", DoNotDisturb: &off, Door: "test"}); err != nil {
					t.Fatal(err)
				}
				b.lets <- struct{}{}
				if got := o.quiet("desk"); got != "4 []" {
					t.Error(got)
				}
			})
		})
	}
}

// One asks and the others wait; who asks and gives up, or is told nothing, leaves it to the next.
func TestOneAtATimeAsksWhoIsNotToBeDisturbed(t *testing.T) {
	atDesk(t, func(t *testing.T, o *office, b *switchboard) {
		b.lets = make(chan struct{})
		b.set("101")
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error)
		go func() {
			_, err := o.gate.DoNotDisturb(ctx, who("desk"))
			first <- err
		}()
		synctest.Wait()
		told := make(chan string)
		for range 10 {
			go func() { told <- o.quiet("desk") }()
		}
		gone, leave := context.WithCancel(t.Context())
		defer leave()
		go func() {
			_, err := o.gate.DoNotDisturb(gone, who("desk"))
			first <- err
		}()
		synctest.Wait()
		leave()
		if err := <-first; gate.AsProblem(err).Code != "pbx_failed" {
			t.Errorf("who waits and leaves is told %v", err)
		}
		if got := b.questions(); got != "DND" {
			t.Errorf("it was asked %q", got)
		}
		cancel()
		if err := <-first; gate.AsProblem(err).Code != "pbx_failed" {
			t.Errorf("who asks and leaves is told %v", err)
		}
		synctest.Wait()
		b.lets <- struct{}{}
		for range 10 {
			if got := <-told; got != "4 [ann]" {
				t.Error(got)
			}
		}
		if got := b.questions(); got != "DND" {
			t.Errorf("it was asked %q once more", got)
		}
		b.fail = errors.New("no")
		time.Sleep(3 * time.Second)
		for range 2 {
			go func() { told <- o.quiet("desk") }()
			b.lets <- struct{}{}
			if got := <-told; got != "pbx_failed" {
				t.Error(got)
			}
		}
		if got := b.questions(); got != "DND DND" {
			t.Errorf("it was asked %q", got)
		}
	})
}
