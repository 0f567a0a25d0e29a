package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// late is for how long the board may differ from the PBX: what one of them says is some moments old, and a machine that others use has its moments.
const late = 10 * time.Second

// stalled is how late somebody who was to run has to be for the machine to count as too busy: phones miss their times then, and the PBX and Earshot are
// as late as this program.
const stalled = 500 * time.Millisecond

// stalls notes when the machine is too busy.
func (s *soak) stalls(ctx context.Context) {
	for {
		began := time.Now()
		if rest(ctx, 50*time.Millisecond) != nil {
			return
		}
		if time.Since(began) > 50*time.Millisecond+stalled {
			s.ledger.past(partMachine, "it stood still", began)
		}
	}
}

// sluggish notes when a part that is up takes its time over what takes it no time.
func (s *soak) sluggish(ctx context.Context, part, how string, ask func(context.Context) error) {
	for rest(ctx, 250*time.Millisecond) == nil {
		asked := time.Now()
		err := ask(ctx)
		if err == nil && time.Since(asked) > stalled && s.ledger.touched(asked, time.Now(), 0, part) == nil {
			s.ledger.past(partMachine, how, asked)
		}
	}
}

// pingRedis asks whether the Redis is there.
func (s *soak) pingRedis(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.redis.Addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 16))
	return err
}

// pingEarshot asks whether Earshot is.
func (s *soak) pingEarshot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Admin+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// watch holds the board against the PBX while calls go on. Each employee has as many calls on the one as channels on the other.
func (s *soak) watch(ctx context.Context) {
	differ := map[string]time.Time{} // since when
	employees := map[string]string{}
	for who, p := range s.phones {
		employees["PJSIP/"+p.User()] = who
	}
	for rest(ctx, 500*time.Millisecond) == nil {
		asked := time.Now()
		channels, _, err := s.onPBX(ctx)
		if took := time.Since(asked); err == nil && took > 2*stalled && s.ledger.touched(asked, time.Now(), 0, partPBX) == nil {
			s.ledger.past(partMachine, "the PBX took its time to answer", asked)
		}
		calls, known := s.panels.board.calls()
		if err != nil || !known {
			clear(differ) // it is away
			continue
		}
		on := map[string]int{}
		var names []string
		for _, c := range channels {
			endpoint, _, _ := strings.Cut(c.Name, "-")
			if who := employees[endpoint]; who != "" {
				on[who]++
				names = append(names, c.Name)
			}
		}
		s.compared.Add(1)
		for who := range s.phones {
			since, before := differ[who]
			switch {
			case on[who] == calls[who]:
				delete(differ, who)
			case !before:
				differ[who] = time.Now()
			case time.Since(since) > late:
				if s.ledger.touched(since, time.Now(), settles, partEarshot, partPBX, partMachine) == nil {
					s.faults.add("for %v %s has had %d calls on the board and %d on the PBX, where there are %v", late, who, calls[who], on[who], names)
				}
				delete(differ, who)
			}
		}
	}
}
