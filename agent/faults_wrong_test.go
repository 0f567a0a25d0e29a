//go:build faults

package agent_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
)

// mostMemory is what Earshot may have had of it when a PBX has told it gigabytes.
const mostMemory = 700 // MiB

// endless writes a text again and again, until who reads has enough or there is more than anybody should take, and adds how much was taken.
func endless(w io.Writer, text string, taken *atomic.Int64) {
	text = strings.Repeat(text, 1+(64<<10)/len(text))
	for taken.Load() < 4<<30 {
		n, err := io.WriteString(w, text)
		taken.Add(int64(n))
		if err != nil {
			return
		}
	}
}

// falsehoods are answers to the question which channels there are.
func falsehoods(taken *atomic.Int64) (names []string, tell []func(w http.ResponseWriter)) {
	add := func(name string, f func(w http.ResponseWriter)) { names, tell = append(names, name), append(tell, f) }
	for _, text := range []string{`{}`, `"channels"`, `[1,2]`, `null`, `[{"id":7,"name":["PJSIP/101"]}]`, `<html></html>`, ``, `[{"id":"b","bridge_type":"mixing","channels":[]}]`} {
		add("200 "+text, func(w http.ResponseWriter) { _, _ = io.WriteString(w, text) })
	}
	add("503", func(w http.ResponseWriter) { http.Error(w, "no", http.StatusServiceUnavailable) })
	add("cut short", func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `[{"id":"1.1","name":"PJSIP/101-00000001"`)
		panic(http.ErrAbortHandler)
	})
	const real = `{"id":"1790000000.1","name":"PJSIP/101-00000001","state":"Up","protocol_id":"","caller":{"name":"","number":"101"},"connected":{"name":"","number":""},"accountcode":"","dialplan":{"context":"phones","exten":"1","priority":2,"app_name":"Dial","app_data":""},"creationtime":"2026-11-22T01:00:00.000+0000","language":"en"},`
	for name, text := range map[string]string{"a list without an end": real, "a list of nothing, without an end": "{},", "depth without an end": "[", "depth of objects without an end": `{"a":`} {
		add(name, func(w http.ResponseWriter) { _, _ = io.WriteString(w, "["); endless(w, text, taken) })
	}
	add("60 MiB of nothing", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "["+strings.Repeat("{},", 20<<20)+"{}]") })
	add("a million channels", func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, "[")
		for range 1000 {
			n, err := io.WriteString(w, strings.Repeat(real, 1000))
			if taken.Add(int64(n)); err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, strings.TrimSuffix(real, ",")+"]")
	})
	add("a header without an end", func(w http.ResponseWriter) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX-Endless: ")
		endless(conn, "x", taken)
	})
	return names, tell
}

// A PBX that answers wrongly, or more than anybody can take, has Earshot say that it knows nothing, and grant nothing, until it answers well; what that takes in
// memory is bounded, and nobody hears what he must not.
func TestFaultAPBXThatLies(t *testing.T) {
	o := apart(t)
	c, g := o.clerk(), o.gossip()
	o.must(o.Edit("earshot.yaml", "policy: policy.yaml\n", "policy: policy.yaml\njournal: {file: journal.db}\n"))
	p := o.start()
	before, err := peak(p.PID())
	o.must(err)
	var taken atomic.Int64
	o.fault("about its channels", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w := o.watch("irina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		_, sup := o.supervises(w, "irina", "anna", "spy")
		names, tell := falsehoods(&taken)
		var told atomic.Int32
		c.tell(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || r.URL.Path != "/ari/channels" {
				return false
			}
			n := int(told.Add(1)) - 1
			if n >= len(tell) {
				return false
			}
			tell[n](w)
			return true
		}, nil)
		lied, looked := time.Now(), 0
		c.cut()
		o.until("it has heard all lies", func() error {
			n := int(told.Load())
			if n > 0 && n < len(tell) && n != looked {
				looked = n
				if status, _ := o.get(http.MethodGet, "/readyz"); status == http.StatusOK && int(told.Load()) < len(tell) {
					o.Fatalf("it is ready after %q", names[n-1])
				}
				o.denied("olga", supervisions, spy("anna"), 503, "state_unknown")
			}
			if n < len(tell) {
				return fmt.Errorf("it has heard %d", n)
			}
			return nil
		})
		o.Logf("%d lies in %d ms, of which it has taken %d MiB", len(tell), time.Since(lied).Milliseconds(), taken.Load()>>20)
		o.unready()
		row, err := o.as("irina").Row(o.ctx, "anna")
		o.must(err)
		if row.State != "talking" {
			o.Errorf("anna is %s", row.State)
		}
		o.must(sup.WaitEnded(o.ctx)) // by its lease, which nobody could renew
		o.hear(proof, map[*phone.Call][]phone.Tone{target: {peer.Tone()}, peer: {target.Tone()}})
		o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
	})
	c.tell(nil, nil)
	o.fault("about what it has done", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w := o.watch("irina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		o.Phones["irina"].SetReaction(phone.Reaction{Answer: true})
		began := time.Now()
		for name, lie := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
			"the snoop is refused":          lieTo("POST", "/snoop", func(w http.ResponseWriter) { http.Error(w, `{"message":"no"}`, 500) }),
			"the snoop is another's":        lieTo("POST", "/snoop", func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"id":"1.1","name":"PJSIP/101-1"}`) }),
			"the lease is refused":          lieTo("POST", "-snoop/variable", func(w http.ResponseWriter) { http.Error(w, "", http.StatusConflict) }),
			"the joining is refused":        lieTo("POST", "/addChannel", func(w http.ResponseWriter) { http.Error(w, "", http.StatusUnprocessableEntity) }),
			"the answer to the ring is cut": lieTo("POST", "/channels", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }),
		} {
			c.tell(lie, nil)
			s, err := o.as("irina").Supervise(o.ctx, "anna", "barge")
			o.must(err)
			ended, err := w.UntilAct(o.ctx, s.ID, "ended")
			o.must(err)
			o.until("its leg is gone", func() error { return o.empty(o.ctx, "earshot-") })
			o.Logf("%s: it ended because of %s", name, ended.Reason)
		}
		c.tell(nil, nil)
		o.unheard("the customer", peer, began, o.tone("irina"))
		o.unheard("the employee", target, began, o.tone("irina"))
		o.until("each decision has an outcome", o.decidedHaveOutcomes)
	})
	o.fault("twice, and between nonsense", func(o *office) {
		nonsense := [][]byte{[]byte(`{"type":"Never"}`), []byte(`{"type":"Never","channel":{"id":7},"bridge":[]}`), []byte(`{"type":"ApplicationMoved","args":{}}`)}
		i := 0
		c.tell(nil, func(text []byte) [][]byte {
			i++
			return [][]byte{text, nonsense[i%len(nonsense)], text}
		})
		for _, what := range []string{"POST snoop", "POST channels", "POST addChannel"} {
			c.count(what)
		}
		peer, target := o.talk(stranger, "anna")
		w := o.watch("irina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		s, sup := o.supervises(w, "irina", "anna", "spy")
		o.hear(lease+time.Second, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}, target: {peer.Tone()}, peer: {target.Tone()}})
		for _, what := range []string{"POST snoop", "POST channels", "POST addChannel"} {
			if n := c.count(what); n != 1 {
				o.Errorf("%s was asked for %d times", what, n)
			}
		}
		o.must(o.as("irina").End(o.ctx, s.ID))
		o.must(sup.WaitEnded(o.ctx))
		o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
		c.tell(nil, nil)
	})
	o.fault("in events that cannot be read", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w, p := o.watch("irina"), o.record("nina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		s, sup := o.supervises(w, "irina", "anna", "spy")
		for _, text := range []string{`{"type":"ChannelEnteredBridge","bridge":`, `{"type":"ChannelDestroyed","channel":{"id":7}}`, "\x00\xff", strings.Repeat("[", 100_000)} {
			gaps, faults, missed := o.metric("earshot_journal_gaps"), o.metric("earshot_schema_faults_total"), o.metric(`earshot_resyncs_total{cause="missed"}`)
			connected := o.metric(`earshot_resyncs_total{cause="connected"}`)
			p.take()
			sent := time.Now()
			c.sends(o.ctx, text)
			o.told(p, "unknown")
			if m := o.told(p, "snapshot"); !m.Board.Known || p.row("anna").State != "talking" {
				o.Errorf("the snapshot after %.10q has %+v", text, m.Board)
			}
			o.Logf("%.10q: all is known again after %d ms", text, time.Since(sent).Milliseconds())
			o.unready()
			o.reaches("earshot_journal_gaps", gaps+1)
			o.reaches("earshot_schema_faults_total", faults+1)
			o.reaches(`earshot_resyncs_total{cause="missed"}`, missed+1)
			o.reaches(`earshot_resyncs_total{cause="connected"}`, connected)
		}
		o.hear(lease+time.Second, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}, target: {peer.Tone()}, peer: {target.Tone()}})
		o.must(o.as("irina").End(o.ctx, s.ID))
		o.must(sup.WaitEnded(o.ctx))
		o.until("nothing is left", func() error { return o.empty(o.ctx, "earshot-") })
	})
	o.fault("in another order, and in an event too large", func(o *office) {
		var kept []byte
		c.tell(nil, func(text []byte) [][]byte {
			if kept == nil {
				kept = append([]byte{}, text...)
				return nil
			}
			all := [][]byte{text, kept}
			kept = nil
			return all
		})
		began := time.Now()
		peer, target := o.talk(stranger, "anna")
		_, _ = o.as("irina").Supervise(o.ctx, "anna", "spy") // whatever it is answered: what it sees is not what is
		c.tell(nil, nil)
		c.sends(o.ctx, `{"type":"Large","x":"`+strings.Repeat("x", 2<<20)+`"}`)
		o.until("the state is known again, and right", func() error {
			row, err := o.as("irina").Row(o.ctx, "anna")
			if err == nil && (row.State != "talking" || o.ready() != "") {
				err = fmt.Errorf("anna is %s, not ready: %s", row.State, o.ready())
			}
			return err
		})
		o.unheard("the customer", peer, began, o.tone("irina"))
		o.hear(proof, map[*phone.Call][]phone.Tone{target: {peer.Tone()}, peer: {target.Tone()}})
	})
	o.fault("on AMI", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w := o.watch("irina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		_, sup := o.supervises(w, "irina", "anna", "spy")
		g.says("Response: Success\r\nActionID: 0011223344556677-1\r\nMessage: of nobody's\r\n\r\n", 1)
		g.says("Event: ChanSpyStart\r\nPrivilege: call,all\r\nSpyerChannel: PJSIP/302-00000001\r\n\r\n", 1)
		g.says("Event: QueueMember\r\nActionID: 0011223344556677-1\r\n\r\n", 1)
		for _, text := range []string{"\x00\xff\xfe: \r\r\n\n\r\n", strings.Repeat("x", 64<<10), "X: y\r\n"} {
			said := g.says(text, 256<<20)
			o.Logf("of %.10q it has taken %d KiB", text, said>>10)
			o.until("AMI is there again", func() error {
				if o.metric(`earshot_link_up{link="ami"}`) != 1 || o.ready() != "" {
					return fmt.Errorf("not yet: %s", o.ready())
				}
				return nil
			})
		}
		o.hear(lease+time.Second, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}, target: {peer.Tone()}, peer: {target.Tone()}})
	})
	after, err := peak(p.PID())
	o.must(err)
	o.Logf("the most memory that it has had is %d MiB, and was %d before; it was told %d MiB", after, before, taken.Load()>>20)
	if after > mostMemory {
		o.Errorf("it has had %d MiB", after)
	}
	select {
	case <-p.Done():
		o.Error("it has ended")
	default:
	}
	if strings.Contains(o.log.String(), "panic") {
		o.Error("it has panicked")
	}
	o.verified()
	p.Stop()
	if o.Failed() {
		o.Logf("Earshot's log:\n%s", o.log.unusual())
	}
}

// lieTo lies to one request, whose path ends so. One that is cut off has been carried out.
func lieTo(method, path string, lie func(w http.ResponseWriter)) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.HasSuffix(r.URL.Path, path) {
			return false
		}
		lie(w)
		return true
	}
}
