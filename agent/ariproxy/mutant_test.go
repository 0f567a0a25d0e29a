package ariproxy_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/ariproxy"
	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/pbxtest/mutation"
	"github.com/earshot-pbx/earshot/agent/pbxtest/stage"
)

var (
	everyMutant = mutation.EveryFlag()
	seed        = mutation.SeedFlag()
)

// pieces is the door over connections without a buffer.
type pieces struct {
	*stage.Pieces
	from byte // each comes from an address of its own, so that none pays for another's guesses
}

func (w *world) inPieces(t *testing.T) *pieces {
	t.Helper()
	return &pieces{Pieces: stage.InPieces(t, w.door.Serve)}
}

// say writes each piece by itself on a connection of its own, and returns the first answer; its status is 0 when the connection was closed without one.
func (p *pieces) say(t *testing.T, text ...string) answer {
	t.Helper()
	p.from++
	client := p.Dial(p.from)
	defer func() { _ = client.Close() }()
	_ = client.SetDeadline(time.Now().Add(30 * time.Second))
	written := make(chan struct{})
	go func() {
		defer close(written)
		for _, piece := range text {
			if _, err := io.WriteString(client, piece); err != nil {
				return // it was answered before its end
			}
		}
	}()
	defer func() { <-written }()
	defer func() { _ = client.Close() }()
	r, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil {
		if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
			t.Fatalf("no answer comes to %q", text)
		}
		return answer{}
	}
	defer func() { _ = r.Body.Close() }()
	var body []byte
	if r.StatusCode != http.StatusSwitchingProtocols {
		body, _ = io.ReadAll(r.Body) // what a HEAD announces does not come
	}
	return answer{r.StatusCode, r.Header, string(body)}
}

// orders are what each subject may have the PBX do in the attack cases, as the fake writes it down: with phones and legs of his own.
var orders = map[string]*regexp.Regexp{
	"alice": regexp.MustCompile(`^(ring \[\{.*Endpoint:PJSIP/100 .*|drop \[3\.p\])$`),
	"carol": regexp.MustCompile(`^ring \[\{.*Endpoint:PJSIP/120 .*$`),
}

// may reports whether the record lets a subject do something that an attack is after.
func may(e *audit.Entry) bool {
	switch {
	case e.Action == "dial", strings.HasPrefix(e.Action, "stasis."), strings.HasPrefix(e.Action, "call."): // with phones of one's own and what became of them, as the orders show
		return true
	}
	return e.Action == "spy" && e.Subject == "carol" && slices.Equal(e.Targets, []string{"bob"}) && !slices.Contains(e.Employees, "boss")
}

// happened reports whether something was done, after which a case is no longer what it was.
func (w *world) happened() bool { return len(w.pbx.taken())+len(w.book.Allowed()) > 0 }

// judge looks at what has come of something that a subject has sent.
func (w *world) judge(t *testing.T, who, what, sent string, got answer) {
	t.Helper()
	for _, o := range w.pbx.taken() {
		if re := orders[who]; re == nil || !re.MatchString(o) {
			t.Errorf("%s: %q of %s's has the PBX do %q", what, sent, who, o)
		}
	}
	for _, e := range w.book.Allowed() {
		if e.Subject != who || !may(&e) {
			t.Errorf("%s: for %q the record lets %s %s %v", what, sent, e.Subject, e.Action, e.Targets)
		}
	}
	if strings.Contains(got.body, "4915550001") || strings.Contains(got.body, "4915550002") {
		t.Errorf("%s: %q is told whom others talk with: %s", what, sent, got.body)
	}
}

// scene is what the cases begin with.
func (w *world) scene(who string) {
	w.talks("1", "", "+4915550001", "PJSIP/210")
	w.talks("2", "", "+4915550002", "PJSIP/200")
	w.talks("3", "", "+4915550003", "PJSIP/100")
	w.listen(who, "app=x")
}

// request is one of a case's, filled in.
func (w *world) request(tc *attack, line string, plain bool) mutation.Request {
	method, target, _ := strings.Cut(w.fill(tc.As, line), " ")
	q := mutation.Request{Method: method, Target: target, Headers: []string{w.by(tc.As), "Connection: close"}}
	if !plain {
		q.Headers, q.Body = append(q.Headers, tc.Headers...), w.fill(tc.As, tc.Body)
		if tc.Kind != "" {
			q.Headers = append(q.Headers, "Content-Type: "+tc.Kind)
		}
	}
	return q
}

func lenient(c *ariproxy.Config) { c.PerMinute, c.Burst, c.PerEmployee = 1_000_000, 1_000_000, 1000 }

// A request of the attack cases that is spelled otherwise is refused too, or it is carried out as something that its sender may have. So is one that is
// permitted.
func TestNoMutantOfAnAttackGetsMore(t *testing.T) {
	r := seed.Rand(t)
	tried, acted := 0, 0
	for _, tc := range attacks(t) {
		t.Run(tc.ID, func(t *testing.T) {
			for i, line := range append(slices.Concat(tc.Send, tc.Unrecorded), tc.Twin) {
				plain := tc.Twinless && i == len(tc.Send)+len(tc.Unrecorded)
				w, p, all := (*world)(nil), (*pieces)(nil), []mutation.Mutant(nil)
				begin := func() { // ids and tokens are others in each world, and the mutants otherwise the same
					w = newWorld(t, lenient)
					w.scene(tc.As)
					p = w.inPieces(t)
					all = mutation.HTTP(w.request(&tc, line, plain))
				}
				begin()
				n := len(all)
				for _, i := range mutation.Some(all, *everyMutant, r) {
					if len(all) != n {
						t.Fatalf("of %q there are %d mutants, and %d", line, n, len(all))
					}
					tried++
					w.judge(t, tc.As, all[i].Kind, all[i].Text, p.say(t, all[i].Text))
					if w.happened() {
						acted++
						begin()
					}
				}
			}
		})
	}
	t.Logf("%d mutants, of which %d had the PBX do what their senders may", tried, acted)
	if tried < 5000 || acted < 20 {
		t.Errorf("%d mutants were tried, of which %d did something", tried, acted)
	}
}

// Whoever spells his credential otherwise is himself or nobody.
func TestAMutantOfACredentialIsNobodyElses(t *testing.T) {
	w := newWorld(t, lenient)
	w.scene("alice")
	p := w.inPieces(t)
	q := mutation.Request{Method: "GET", Target: "/ari/channels/" + w.channel("alice", "PJSIP/200"), Headers: []string{w.by("alice"), "Connection: close"}}
	own := p.say(t, q.Bytes())
	if own.status != http.StatusOK {
		t.Fatalf("she is answered by %d %s", own.status, own.body)
	}
	all := mutation.Credentials(q)
	got := make([]answer, len(all))
	done := make(chan struct{})
	for i := range all { // a wrong one waits a second
		client := &pieces{Pieces: p.Pieces, from: byte(i + 10)}
		go func() { got[i] = client.say(t, all[i].Text); done <- struct{}{} }()
	}
	same := 0
	for range all {
		<-done
	}
	for i, m := range all {
		switch {
		case got[i].status == http.StatusOK && got[i].body == own.body:
			same++
		case got[i].status != http.StatusUnauthorized && got[i].status != http.StatusBadRequest && got[i].status != http.StatusForbidden:
			t.Errorf("%s: %q is answered by %d %s", m.Kind, m.Text, got[i].status, got[i].body)
		}
	}
	if same == 0 || same == len(all) {
		t.Errorf("%d of %d are hers", same, len(all))
	}
}

// A request that comes in two pieces is the one that it is in one, wherever it is cut.
func TestAnAttackInTwoPiecesIsTheSame(t *testing.T) {
	tried := 0
	for _, tc := range attacks(t) {
		t.Run(tc.ID, func(t *testing.T) {
			w := newWorld(t, lenient)
			w.scene(tc.As)
			p := w.inPieces(t)
			for _, line := range slices.Concat(tc.Send, tc.Unrecorded) {
				text := w.request(&tc, line, false).Bytes()
				whole := p.say(t, text)
				for i := 1; i < len(text); i += step(line, text) {
					tried++
					if got := p.say(t, text[:i], text[i:]); got.status != whole.status || got.status < 400 {
						t.Fatalf("cut behind %q it is answered by %d and not by %d", text[:i], got.status, whole.status)
					}
				}
			}
			if all := w.pbx.taken(); len(all) > 0 {
				t.Errorf("the PBX was asked for %v", all)
			}
			text := w.request(&tc, tc.Twin, tc.Twinless).Bytes()
			for i := 1; i < len(text); i++ {
				if w.happened() { // it rings or listens already
					if i%9 != 0 && !*everyMutant {
						continue
					}
					w = newWorld(t, lenient)
					w.scene(tc.As)
					p = w.inPieces(t)
					text = w.request(&tc, tc.Twin, tc.Twinless).Bytes()
				}
				tried++
				if got := p.say(t, text[:i], text[i:]); got.status != http.StatusOK && got.status != http.StatusNoContent {
					t.Fatalf("the twin cut behind %q is answered by %d %s", text[:i], got.status, got.body)
				}
				w.judge(t, tc.As, "in two pieces", text, answer{})
			}
		})
	}
	if tried < 10000 {
		t.Errorf("%d places were tried", tried)
	}
}

// step is 1, or more for what is guessed, where each wrong one waits a second, and for what is very long.
func step(line, text string) int {
	switch {
	case strings.Contains(line, "api_key"):
		return 100
	case len(text) > 2000:
		return 41
	}
	return 1
}
