package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/policy"
)

// late is what it is when the PBX, or whoever else is asked, does not answer in time.
var late = fmt.Errorf("asked: %w", context.DeadlineExceeded)

func (f *fakePBX) fails(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = err
}

// A change of mode that took too long has been taken back, and is on record as failed: nobody is to wait for it. Who asks again has it.
func TestAChangeOfModeThatTookTooLongIsSaidToHaveFailed(t *testing.T) {
	w := newWorld(t)
	w.talking(ivanov, "1", "PJSIP/101", "101")
	s := w.watch("carl")
	var v mask.Supervision
	w.ask("carl", http.MethodPost, "/v1/supervisions", `{"target":"anna","mode":"spy"}`).decode(t, &v)
	w.answered(recv(t, w.pbx.rung).Leg, "PJSIP/103")
	recv(t, w.pbx.tapped)
	for m := s.next(); m.Supervision == nil || m.Supervision.State != "active"; m = s.next() {
	}
	where := "/v1/supervisions/" + v.ID
	w.pbx.fails(late)
	if a := w.ask("carl", http.MethodPatch, where, `{"mode":"whisper"}`); a.status != 503 || a.problem(t).Code != "pbx_failed" || !strings.Contains(a.problem(t).Detail, "the mode is as it was") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if e := w.book.Until(t, audit.Failed); e.ID != v.ID || e.Mode != "whisper" || e.Reason != "pbx_failed" {
		t.Errorf("on record is %+v", e)
	}
	if w.ask("carl", http.MethodGet, where, "").decode(t, &v); v.Mode != "spy" || v.State != "active" {
		t.Errorf("it is %+v", v)
	}
	w.pbx.fails(nil)
	if a := w.ask("carl", http.MethodPatch, where, `{"mode":"whisper"}`); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Of what the PBX was told to do, and has not answered, nobody can say that it will not be done; the record has under which id it was asked.
func TestWhatThePBXDoesNotAnswerMayStillBeDone(t *testing.T) {
	w := newWorldOver(t, func(c *gate.Config) {
		set, _, err := policy.Load("policy.yaml", []byte(strings.Replace(policyText, "observe: true, listen: true", "dial: any", 1)), start)
		if err != nil {
			t.Fatal(err)
		}
		c.Policy, c.Dialling.Context, c.Dialling.Numbering.Region = set, "phones", "RU"
	})
	for _, c := range []struct {
		err  error
		code string
	}{{late, "timeout"}, {errors.New("500"), "pbx_failed"}} {
		w.pbx.fails(c.err)
		a := w.ask("carl", http.MethodPost, "/v1/calls", `{"number":"+79161234567"}`)
		if p := a.problem(t); a.status != 503 || p.Code != c.code || p.ID == "" || !w.book.Has(p.ID) {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}

// northern is the way to a sidecar beside another PBX, from which no answer comes.
type northern struct {
	southern
	err error
}

func (n *northern) Send(context.Context, string, []byte) ([]byte, error) { return nil, n.err }

// Whether something was done beside another PBX is known to be unknown, or it was not done; how long it took says nothing of that.
func TestWhatIsAskedBesideAnotherPBXSaysWhetherItWasDone(t *testing.T) {
	way := &northern{}
	w := newWorldOver(t, func(c *gate.Config) {
		set, _, err := policy.Load("policy.yaml", []byte(strings.Replace(policyText, "name: Fred Voss, ", "name: Fred Voss, pbx: north, ", 1)), start)
		if err != nil {
			t.Fatal(err)
		}
		c.Cluster, c.Policy = way, set.Beside("south")
	})
	w.gate.Elsewhere(gate.News{PBX: "north", Known: true, Shown: []gate.Shown{
		{Key: "state", Value: []byte(`{"v":1,"known":true}`)},
		{Key: "leg/1", Value: []byte(`{"v":1,"e":"fred","d":"in","ph":"talking","o":"2","p":{"n":"+442071838750","m":"J. Smith"},"in":["fred"]}`)},
	}})
	for _, c := range []struct {
		err  error
		code string
	}{{errors.Join(gate.ErrMayBeDone, late), "outcome_unknown"}, {late, "other_pbx_unreachable"}} {
		way.err = c.err
		if a := w.ask("carl", http.MethodPost, "/v1/supervisions", `{"target":"fred","mode":"spy"}`); a.status != 503 || a.problem(t).Code != c.code {
			t.Errorf("want %s: %d %s", c.code, a.status, a.body)
		}
	}
}
