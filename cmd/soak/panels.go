package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// panels are the watchers that are there all along, at each door, and the ears of those that come and go.
type panels struct {
	soak  *soak
	stop  context.CancelFunc
	all   sync.WaitGroup
	ears  []*ear
	board *board
	asked atomic.Int64 // connections
}

// board is what the one who sees everything is shown by the HTTP door.
type board struct {
	mu    sync.Mutex
	rows  map[string]site.Row
	known bool // the stream is up
}

func (b *board) take(text []byte) {
	var m site.Message
	if json.Unmarshal(text, &m) != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case m.Board != nil:
		b.rows, b.known = map[string]site.Row{}, m.Board.Known
		for _, r := range m.Board.Employees {
			b.rows[r.ID] = r
		}
	case m.Employee != nil:
		b.rows[m.Employee.ID] = *m.Employee
	case m.Type == "unknown":
		b.known = false
	}
}

func (b *board) lost() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known = false
}

// calls is how many calls each employee has on it, and whether the board is to be believed.
func (b *board) calls() (of map[string]int, known bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	of = map[string]int{}
	for id, r := range b.rows {
		of[id] = len(r.Calls)
	}
	return of, b.known
}

// ear is one for a watcher at a door.
func (s *soak) ear(who, door string) *ear {
	e := &ear{name: who + " at the " + door + " door", of: s.hidden, heard: map[string]int{}}
	if slices.Contains(masked, who) {
		e.told = s.leaked
	}
	return e
}

func (s *soak) openPanels(ctx context.Context) *panels {
	ctx, cancel := context.WithCancel(ctx)
	p := &panels{soak: s, stop: cancel, board: &board{}}
	for _, who := range append([]string{seeing}, masked...) {
		for door, watch := range map[string]func(context.Context, string, *ear) error{"HTTP": p.http, "AMI": p.ami, "ARI": p.ari, "asking HTTP": p.asks} {
			e := s.ear(who, door)
			p.ears = append(p.ears, e)
			p.all.Go(func() {
				for ctx.Err() == nil {
					p.asked.Add(1)
					_ = watch(ctx, who, e)
					e.cut()
					select {
					case <-ctx.Done():
					case <-time.After(200 * time.Millisecond):
					}
				}
			})
		}
	}
	slices.SortFunc(p.ears, func(a, b *ear) int { return strings.Compare(a.name, b.name) })
	return p
}

func (p *panels) close() {
	p.stop()
	p.all.Wait()
}

// http follows the event stream of the HTTP door until it ends.
func (p *panels) http(ctx context.Context, who string, e *ear) error {
	if who == seeing {
		defer p.board.lost()
	}
	conn, resp, err := websocket.Dial(ctx, "ws://"+p.soak.HTTP+"/v1/events", &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + p.soak.tokens[who]}}})
	if err != nil {
		return err
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(16 << 20)
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		_, _ = e.Write(text)
		if who == seeing {
			p.board.take(text)
		}
	}
}

// asks asks the HTTP door for this and that, again and again.
func (p *panels) asks(ctx context.Context, who string, e *ear) error {
	for {
		for _, path := range []string{"/v1/employees", "/v1/me", "/v1/supervisions", "/v1/lines", "/v1/lines/soak/conversations", "/v1/recordings", "/v1/journal?limit=50", "/v1/me/supervised"} {
			if err := p.get(ctx, "http://"+p.soak.HTTP+path, "Bearer "+p.soak.tokens[who], "", "", e); err != nil {
				return err
			}
		}
		if err := rest(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

func (p *panels) get(ctx context.Context, address, bearer, user, password string, e *ear) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	if bearer != "" {
		req.Header.Set("Authorization", bearer)
	} else {
		req.SetBasicAuth(user, password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(e, resp.Body)
	e.cut()
	return err
}

// ami logs in at the AMI door and asks for lists beside the events.
func (p *panels) ami(ctx context.Context, who string, e *ear) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.soak.AMI)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "Action: Login\r\nUsername: %s\r\nSecret: %s\r\n\r\n", who, p.soak.tokens[who]); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	asking.Go(func() {
		for rest(ctx, time.Second) == nil {
			for _, action := range []string{"CoreShowChannels", "Status", "QueueStatus", "BridgeList", "ParkedCalls", "ExtensionStateList", "Ping"} {
				if _, err := fmt.Fprintf(conn, "Action: %s\r\n\r\n", action); err != nil {
					return
				}
			}
		}
	})
	_, err = io.Copy(e, bufio.NewReader(conn))
	return err
}

// ari follows the event stream of the ARI door and asks for lists beside it.
func (p *panels) ari(ctx context.Context, who string, e *ear) error {
	query := url.Values{"app": {"soak-" + who}, "subscribeAll": {"true"}, "api_key": {who + ":" + p.soak.tokens[who]}}
	conn, resp, err := websocket.Dial(ctx, "ws://"+p.soak.ARI+"/ari/events?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(16 << 20)
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	lists := p.soak.ear(who, "ARI") // of its own: answers and events do not go on one in the other
	asking.Go(func() {
		for rest(ctx, time.Second) == nil {
			for _, path := range []string{"channels", "bridges", "endpoints"} {
				if p.get(ctx, "http://"+p.soak.ARI+"/ari/"+path, "", who, p.soak.tokens[who], lists) != nil {
					return
				}
			}
		}
	})
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		_, _ = e.Write(text)
	}
}

// rest waits.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func init() {
	deeds["panel"], deeds["slow"], deeds["session"] = passing, slow, session
	for _, kind := range []string{"panel", "slow", "session"} {
		explains[kind] = []string{partEarshot, partRedis, partPBX}
	}
}

// passing is a panel at one of the doors that goes after a while, as a closed laptop does.
func passing(ctx context.Context, t *turn) error {
	who := append([]string{seeing}, masked...)[t.r.IntN(1+len(masked))]
	door := []string{"HTTP", "AMI", "ARI"}[t.r.IntN(3)]
	watch := map[string]func(context.Context, string, *ear) error{"HTTP": (&panels{soak: t.soak, board: &board{}}).http, "AMI": t.panels.ami, "ARI": t.panels.passingARI}[door]
	e := t.ear(who, "passing "+door)
	ctx, cancel := context.WithTimeout(ctx, time.Duration(200+t.r.IntN(4000))*time.Millisecond)
	defer cancel()
	err := watch(ctx, who, e)
	t.panels.hear(e)
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("a panel of %s at the %s door was ended: %w", who, door, err)
}

// passingARI follows the events alone: two streams of one application would be one.
func (p *panels) passingARI(ctx context.Context, who string, e *ear) error {
	return p.stream(ctx, who, fmt.Sprintf("passing-%d", p.asked.Add(1)), e)
}

// stream follows the events of one application.
func (p *panels) stream(ctx context.Context, who, app string, e *ear) error {
	query := url.Values{"app": {app}, "subscribeAll": {"true"}, "api_key": {who + ":" + p.soak.tokens[who]}}
	conn, _, err := websocket.Dial(ctx, "ws://"+p.soak.ARI+"/ari/events?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(16 << 20)
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		_, _ = e.Write(text)
	}
}

// hear adds what a panel that has gone was sent to the figures.
func (p *panels) hear(e *ear) {
	bytes, _ := e.figures()
	for _, of := range p.ears {
		if of.name == e.name {
			of.mu.Lock()
			of.bytes += bytes
			of.mu.Unlock()
			return
		}
	}
	p.soak.ledger.note("%s: %d bytes", e.name, bytes)
	p.soak.passed.Add(bytes)
}

// slow is a panel that reads a little and then nothing, until it goes. That nobody else waits for it the others show.
func slow(ctx context.Context, t *turn) error {
	who := append([]string{seeing}, masked...)[t.r.IntN(1+len(masked))]
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.AMI)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	if _, err := fmt.Fprintf(conn, "Action: Login\r\nUsername: %s\r\nSecret: %s\r\n\r\n", who, t.tokens[who]); err != nil {
		return err
	}
	e := t.ear(who, "slow AMI")
	some := make([]byte, 64)
	for range 10 + t.r.IntN(40) {
		_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		for range 5 {
			_, _ = io.WriteString(conn, "Action: CoreShowChannels\r\n\r\n")
		}
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		n, err := conn.Read(some)
		_, _ = e.Write(some[:n])
		if err != nil {
			break // cut off, which it may be
		}
		if err := rest(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	t.panels.hear(e)
	return nil
}

// session is a browser's: made, used, ended.
func session(ctx context.Context, t *turn) error {
	who := append([]string{seeing}, masked...)[t.r.IntN(1+len(masked))]
	var made struct{ Token string }
	if err := t.as(who).Do(ctx, http.MethodPost, "/v1/sessions", map[string]int{"ttl": 60}, &made); err != nil {
		return fmt.Errorf("make a session: %w", err)
	}
	c := &site.Client{Base: "http://" + t.HTTP, Token: made.Token}
	if err := c.Do(ctx, http.MethodGet, "/v1/me", nil, nil); err != nil {
		return fmt.Errorf("use a session: %w", err)
	}
	if err := c.Do(ctx, http.MethodDelete, "/v1/sessions/current", nil, nil); err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	if err := c.Do(ctx, http.MethodGet, "/v1/me", nil, nil); err == nil {
		t.faults.add("deed %d: a session that was ended works", t.deed.number)
	}
	return nil
}
