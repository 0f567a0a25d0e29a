package fanout

import (
	"context"
	"net"

	"github.com/earshot-pbx/earshot/testdata/peers/contest"
)

// AMI has the masked events of calls brought to the panels of AMI: by the door, and by broadcasters in the place of its sessions, who send all of a kind
// the same bytes. Two panels are the door's beside these too, one of each kind, so that everything is applied, decided and made events of.
func AMI() (contenders []contest.Contender, end func(), err error) {
	var offices []*office
	end = func() {
		for _, o := range offices {
			o.close()
		}
	}
	told, err := recorded()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range []string{Earshot, Batched, Single} {
		o, addr, err := newAMI()
		if err != nil {
			return nil, end, err
		}
		offices = append(offices, o)
		var t *telling
		if name == Earshot {
			conns, err := logIn(o, addr, Panels)
			if err != nil {
				return nil, end, err
			}
			t = read(conns, told, func(i int) { o.ingest(life(i, caller)...) }, o)
		} else {
			limit := chunk
			if name == Single {
				limit = 1
			}
			if t, err = broadcast(o, addr, told, limit); err != nil {
				return nil, end, err
			}
		}
		deliveries := float64(Panels/2) * float64(len(told[0])+len(told[1]))
		contenders = append(contenders, contest.Contender{Name: name, Do: t.do, AtLeast: callsAhead, Crew: true, Holds: deliveries})
	}
	return contenders, end, nil
}

// broadcast is a door with two panels, and a plain broadcaster for all others. For each of these it has a queue of bytes, and a goroutine that writes
// whatever waits in one go, as sessions do, of at most limit bytes; or one event.
func broadcast(o *office, addr string, told [2][][]byte, limit int) (*telling, error) {
	conns, err := logIn(o, addr, 2)
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer func() { _ = l.Close() }()
	queues := make([]chan []byte, Panels-2)
	for i := range queues {
		conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		conns = append(conns, conn)
		theirs, err := l.Accept()
		if err != nil {
			return nil, err
		}
		queue := make(chan []byte, 2*callsAhead*len(told[0]))
		queues[i] = queue
		o.later(func() { close(queue); _ = conn.Close() })
		go func() {
			defer func() { _ = theirs.Close() }()
			drain(queue, limit, func(events []byte) error { _, err := theirs.Write(events); return err })
		}()
	}
	return read(conns, told, func(i int) {
		o.ingest(life(i, caller)...)
		for e := range max(len(told[0]), len(told[1])) {
			for i, queue := range queues {
				if all := told[i&1]; e < len(all) {
					queue <- all[e]
				}
			}
		}
	}, o), nil
}

// drain writes what is in a queue, as much as waits and is within the limit in one go, until it is closed.
func drain(queue <-chan []byte, limit int, write func([]byte) error) {
	buf := make([]byte, 0, chunk)
	for wire := range queue {
		buf = append(buf[:0], wire...)
		for open := true; open && len(buf)+len(wire) <= limit; {
			select {
			case wire, open = <-queue:
				buf = append(buf, wire...)
				continue
			default:
			}
			break
		}
		if write(buf) != nil {
			return
		}
	}
}
