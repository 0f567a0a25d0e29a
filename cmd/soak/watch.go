package main

import (
	"context"
	"strings"
	"time"
)

// late is for how long the board may differ from the PBX: what one of them says is some moments old, and a machine that others use has its moments.
const late = 10 * time.Second

// watch holds the board against the PBX while calls go on. Each employee has as many calls on the one as channels on the other.
func (s *soak) watch(ctx context.Context) {
	differ := map[string]time.Time{} // since when
	employees := map[string]string{}
	for who, p := range s.phones {
		employees["PJSIP/"+p.User()] = who
	}
	for rest(ctx, 500*time.Millisecond) == nil {
		channels, _, err := s.onPBX(ctx)
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
				if s.ledger.touched(since, time.Now(), settles, partEarshot, partPBX) == nil {
					s.faults.add("for %v %s has had %d calls on the board and %d on the PBX, where there are %v", late, who, calls[who], on[who], names)
				}
				delete(differ, who)
			}
		}
	}
}
