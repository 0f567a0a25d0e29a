package main

import (
	"encoding/binary"
	"net"
	"sync"
	"time"
)

// speaker sends a frame of PCMU for each of its calls every 20 ms.
type speaker struct {
	conn *net.UDPConn
	stop chan struct{}
	done chan struct{}

	mu    sync.Mutex
	on    bool
	legs  map[*leg]uint32 // with the id of the stream
	count uint32
	late  int // frames that were left out, since the machine had no time
}

func newSpeaker(c *net.UDPConn) *speaker {
	s := &speaker{conn: c, stop: make(chan struct{}), done: make(chan struct{}), legs: map[*leg]uint32{}}
	go s.run()
	return s
}

// speak has the calls that are answered from now on speak, or not.
func (s *speaker) speak(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on = on
}

func (s *speaker) add(l *leg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.on {
		s.count++
		s.legs[l] = 0x10000000 + s.count
	}
}

func (s *speaker) remove(l *leg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.legs, l)
}

func (s *speaker) lateSoFar() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.late
}

func (s *speaker) close() {
	close(s.stop)
	<-s.done
}

func (s *speaker) run() {
	defer close(s.done)
	const frame = 20 * time.Millisecond
	tick := time.NewTicker(frame)
	defer tick.Stop()
	var packet [172]byte
	packet[0] = 0x80
	for i := range packet[12:] {
		packet[12+i] = byte(0xd0 + i%8) // some sound: the same each time
	}
	began, sent := time.Now(), 0
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		due := int(time.Since(began) / frame)
		if due-sent > 5 {
			s.mu.Lock()
			s.late += (due - sent - 5) * len(s.legs)
			s.mu.Unlock()
			sent = due - 5
		}
		for ; sent < due; sent++ {
			binary.BigEndian.PutUint16(packet[2:], uint16(sent))
			binary.BigEndian.PutUint32(packet[4:], uint32(sent*160))
			s.mu.Lock()
			for l, id := range s.legs {
				binary.BigEndian.PutUint32(packet[8:], id)
				_, _ = s.conn.WriteToUDP(packet[:], l.sound)
			}
			s.mu.Unlock()
		}
	}
}
