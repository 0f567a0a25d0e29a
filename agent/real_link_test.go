package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// wire passes connections on to an address until it is cut.
type wire struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	cut   bool
}

func (o *office) wire(target string) *wire {
	o.Helper()
	l, err := new(net.ListenConfig).Listen(o.ctx, "tcp", "127.0.0.1:0")
	o.must(err)
	w := &wire{listener: l, target: target}
	w.running.Go(w.accept)
	o.Cleanup(func() {
		_ = l.Close()
		w.cutOff()
		w.running.Wait()
	})
	return w
}

func (w *wire) accept() {
	for {
		c, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := new(net.Dialer).DialContext(context.Background(), "tcp", w.target)
		if err != nil {
			_ = c.Close()
			continue
		}
		w.mu.Lock()
		if w.cut {
			_, _ = c.Close(), far.Close()
		} else {
			w.conns = append(w.conns, c, far)
			for _, pair := range [][2]net.Conn{{c, far}, {far, c}} {
				w.running.Go(func() {
					_, _ = io.Copy(pair[0], pair[1])
					_, _ = pair[0].Close(), pair[1].Close()
				})
			}
		}
		w.mu.Unlock()
	}
}

// cutOff ends every connection and lets no other through.
func (w *wire) cutOff() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for _, c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

func (w *wire) restore() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = false
}

// told waits until the stream has brought a message of a type, the first of which is after those taken before.
func (o *office) told(p *tape, kind string) site.Message {
	o.Helper()
	var found site.Message
	o.must(p.until(o.ctx, "it is told "+kind, func(map[string]site.Row) error {
		for _, raw := range p.messages {
			var m site.Message
			if err := json.Unmarshal(raw, &m); err == nil && m.Type == kind {
				found = m
				return nil
			}
		}
		return fmt.Errorf("%d other messages", len(p.messages))
	}))
	return found
}

// ready says what /readyz answers.
func (o *office) ready() (missing string) {
	o.Helper()
	status, text := o.get(http.MethodGet, "/readyz")
	if (status == http.StatusOK) != (strings.TrimSpace(text) == "ready") {
		o.Errorf("readyz: %d %s", status, text)
	}
	if status == http.StatusOK {
		return ""
	}
	return text
}

// unready waits until /readyz names just these links.
func (o *office) unready(links ...string) {
	o.Helper()
	o.until(fmt.Sprint("readyz names ", links), func() error {
		text := o.ready()
		for _, link := range []string{"ami", "ari"} {
			want := false
			for _, l := range links {
				want = want || l == link
			}
			if strings.Contains(text, "\n"+link+": ") != want {
				return errors.New(text)
			}
		}
		if len(links) == 0 && text != "" {
			return errors.New(text)
		}
		return nil
	})
}

// While a link to the PBX is away Earshot says so, shows nothing and does nothing; when it is back it shows what is, and goes on.
func TestALostLinkIsTold(t *testing.T) {
	base := enter(t)
	ami, ari := base.wire(base.PBX.AMI()), base.wire(strings.TrimSuffix(strings.TrimPrefix(base.PBX.ARI(), "http://"), "/ari"))
	o := open(t, func(c *agent.Config) {
		c.PBX.AMI.Address, c.PBX.ARI.URL = ami.listener.Addr().String(), "http://"+ari.listener.Addr().String()+"/ari"
	})

	o.scene("ARI, for a moment", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w, p := o.watch("irina"), o.record("nina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		s, sup := o.supervises(w, "irina", "anna", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}})
		p.take()
		cut := time.Now()
		ari.cutOff()
		o.told(p, "unknown")
		o.Logf("watchers were told %d ms after the cut", time.Since(cut).Milliseconds())
		o.unready("ari")
		o.reaches(`earshot_link_up{link="ari"}`, 0)
		o.denied("olga", supervisions, spy("anna"), 503, "state_unknown")
		o.denied("gleb", intercepts, map[string]string{"target": "anna"}, 503, "state_unknown")
		var b site.Board
		o.must(json.Unmarshal([]byte(o.board("nina")), &b))
		if b.Known {
			o.Error("the board says that the state is known")
		}
		for _, r := range b.Employees {
			if len(r.Calls) > 0 || len(r.Can) > 0 {
				o.Errorf("while nothing is known, the board shows %+v", r)
			}
		}
		p.take()
		ari.restore()
		back := time.Now()
		if m := o.told(p, "snapshot"); !m.Board.Known {
			o.Error("the snapshot says that nothing is known")
		}
		o.Logf("the snapshot came %d ms after the link could come back", time.Since(back).Milliseconds())
		if row := p.row("anna"); row.State != "talking" {
			o.Errorf("anna is %s", row.State)
		}
		o.unready()
		o.reaches(`earshot_link_up{link="ari"}`, 1)
		// The supervision has gone on, and goes on for longer than its lease.
		o.must(sup.HearsOnly(o.ctx, lease, target.Tone(), peer.Tone()))
		o.must(o.as("irina").End(o.ctx, s.ID))
		o.over(w, s.ID, sup, "ended_by_supervisor")
		o.agrees()
	})

	o.scene("ARI, for longer than the lease", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w := o.watch("irina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		s, sup := o.supervises(w, "irina", "anna", "whisper")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}, target: {peer.Tone(), sup.Tone()}})
		cut := time.Now()
		ari.cutOff()
		o.must(sup.WaitEnded(o.ctx))
		took := time.Since(cut)
		o.Logf("the lease ended it %d ms after the cut", took.Milliseconds())
		if took > lease+1500*time.Millisecond {
			o.Errorf("it outlived its lease by %v", took-lease)
		}
		ari.restore()
		ended, err := w.UntilAct(o.ctx, s.ID, "ended")
		o.must(err)
		o.Logf("its reason: %s", ended.Reason)
		o.until("nothing is left of it", func() error { return o.empty(o.ctx, "earshot-") })
		o.hear(0, map[*phone.Call][]phone.Tone{target: {peer.Tone()}})
	})

	o.scene("AMI", func(o *office) {
		ami.cutOff()
		o.unready("ami")
		o.reaches(`earshot_link_up{link="ami"}`, 0)
		ami.restore()
		o.unready()
		o.reaches(`earshot_link_up{link="ami"}`, 1)
	})

	o.scene("Asterisk is killed and comes back", func(o *office) {
		peer, target := o.talk(stranger, "anna")
		w, p := o.watch("irina"), o.record("nina")
		_, err := w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		s, sup := o.supervises(w, "irina", "anna", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}})
		p.take()
		o.must(o.PBX.Kill())
		o.told(p, "unknown")
		o.unready("ami", "ari")
		o.denied("olga", supervisions, spy("anna"), 503, "state_unknown")
		o.must(o.PBX.Restart(o.ctx))
		up := time.Now()
		if m := o.told(p, "snapshot"); !m.Board.Known {
			o.Error("the snapshot says that nothing is known")
		}
		o.Logf("the snapshot came %d ms after Asterisk was up", time.Since(up).Milliseconds())
		o.unready()
		if row := p.row("anna"); row.State != "idle" {
			o.Errorf("anna is %s", row.State)
		}
		ended, err := w.UntilAct(o.ctx, s.ID, "ended")
		o.must(err)
		o.Logf("the supervision's reason: %s", ended.Reason)
		for _, c := range []*phone.Call{peer, target, sup} {
			_ = c.Hangup(o.ctx) // Asterisk knows nothing of it any more
		}
		o.must(o.Register(o.ctx))
		o.must(o.unknown.Register(o.ctx))
		peer, target = o.talk(stranger, "anna")
		_, err = w.UntilState(o.ctx, "anna", "talking")
		o.must(err)
		_, sup = o.supervises(w, "irina", "anna", "spy")
		o.hear(0, map[*phone.Call][]phone.Tone{sup: {target.Tone(), peer.Tone()}})
	})
}
