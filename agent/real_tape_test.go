package agent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
	"github.com/earshot-pbx/earshot/ari"
)

// tape is an event stream that keeps every byte it was sent.
type tape struct {
	who  string
	conn *websocket.Conn
	done chan struct{}

	mu       sync.Mutex
	messages [][]byte
	rows     map[string]site.Row
	changed  chan struct{} // closed and replaced with each message
}

// record opens an employee's event stream and takes the snapshot.
func (o *office) record(who string) *tape {
	o.Helper()
	conn, resp, err := websocket.Dial(o.ctx, "ws://"+o.HTTP+"/v1/events", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + o.tokens[who]}}})
	o.must(err)
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	conn.SetReadLimit(16 << 20)
	p := &tape{who: who, conn: conn, done: make(chan struct{}), rows: map[string]site.Row{}, changed: make(chan struct{})}
	go p.run()
	o.Cleanup(func() {
		_ = conn.CloseNow()
		<-p.done
	})
	o.must(p.until(o.ctx, "there is a snapshot", func(map[string]site.Row) error {
		if len(p.messages) == 0 {
			return io.EOF
		}
		return nil
	}))
	return p
}

func (p *tape) run() {
	defer close(p.done)
	for {
		_, b, err := p.conn.Read(context.Background())
		if err != nil {
			return
		}
		var m site.Message
		if json.Unmarshal(b, &m) != nil {
			return
		}
		p.mu.Lock()
		p.messages = append(p.messages, b)
		switch {
		case m.Board != nil:
			for _, r := range m.Board.Employees {
				p.rows[r.ID] = r
			}
		case m.Employee != nil:
			p.rows[m.Employee.ID] = *m.Employee
		}
		close(p.changed)
		p.changed = make(chan struct{})
		p.mu.Unlock()
	}
}

// until waits until nothing is wrong with the rows that the messages have built.
func (p *tape) until(ctx context.Context, what string, wrong func(rows map[string]site.Row) error) error {
	for {
		p.mu.Lock()
		err, changed := wrong(p.rows), p.changed
		p.mu.Unlock()
		if err == nil {
			return nil
		}
		select {
		case <-changed:
		case <-p.done:
			return fmt.Errorf("%s waits until %s: the stream has ended: %w", p.who, what, err)
		case <-ctx.Done():
			return fmt.Errorf("%s waits until %s: %w", p.who, what, err)
		}
	}
}

// take gives the messages so far and forgets them.
func (p *tape) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, m := range p.messages {
		out = append(out, string(m))
	}
	p.messages = nil
	return out
}

func (p *tape) row(employee string) site.Row {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rows[employee]
}

var (
	moment   = regexp.MustCompile(`"[0-9]{4}-[0-9]{2}-[0-9]{2}T[^"]*"`)
	anHandle = regexp.MustCompile(`"c[a-z2-9]{20}"`)
	number   = regexp.MustCompile(`"seq":[0-9]+`)
)

// plain takes out of what a watcher was sent what the contract excepts: times, and the letters of handles. Which handles are the same stays.
func plain(texts []string) []string {
	names := map[string]string{}
	out := make([]string, len(texts))
	for i, t := range texts {
		t = number.ReplaceAllString(moment.ReplaceAllString(t, `"T"`), `"seq":0`)
		out[i] = anHandle.ReplaceAllStringFunc(t, func(h string) string {
			if names[h] == "" {
				names[h] = fmt.Sprintf(`"H%d"`, len(names)+1)
			}
			return names[h]
		})
	}
	return out
}

// board is what GET /v1/employees sends, to the byte.
func (o *office) board(who string) string {
	o.Helper()
	var raw json.RawMessage
	o.must(o.as(who).Do(o.ctx, http.MethodGet, "/v1/employees", nil, &raw))
	return string(raw)
}

// snapshot asks the PBX, past Earshot, for everything there is.
func (o *office) snapshot() *call.Snapshot {
	o.Helper()
	channels, err := o.admin.ListChannels(o.ctx)
	o.must(err)
	bridges, err := o.admin.ListBridges(o.ctx)
	o.must(err)
	identity := func(c ari.CallerID) call.Identity { return call.Identity{Name: c.Name, Number: call.Number(c.Number)} }
	s := &call.Snapshot{}
	for _, c := range channels {
		s.Channels = append(s.Channels, call.Channel{
			ID: call.LegID(c.ID), Name: c.Name, State: call.ParseState(c.State), Caller: identity(c.Caller), Connected: identity(c.Connected), Created: c.CreationTime,
		})
	}
	for _, b := range bridges {
		sb := call.Bridge{ID: call.BridgeID(b.ID), Type: b.Type}
		for _, id := range b.Channels {
			sb.Legs = append(sb.Legs, call.LegID(id))
		}
		s.Bridges = append(s.Bridges, sb)
	}
	return s
}

// agrees waits until the table of calls is what a fresh snapshot of the PBX says.
func (o *office) agrees() {
	o.Helper()
	o.until("the table of calls equals a snapshot", func() error {
		s := o.snapshot()
		var differences []string
		o.agent.Read(func(t *call.Table) { differences = t.Diff(s) })
		if len(differences) > 0 {
			return fmt.Errorf("%s", strings.Join(differences, "; "))
		}
		return nil
	})
}
