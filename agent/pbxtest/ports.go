package pbxtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// The ports of an instance are one block, claimed by a listener on its first port that the claim holds. They are not found by
// binding port 0: those lie in the range from which the system gives every outgoing connection its port, so that a restart of
// Asterisk might find its own ports taken. The range below is left alone by Linux (ip_local_port_range starts at 32768).
const (
	blockSize  = 800
	blockFirst = 10000
	blockLast  = 32000
	rtpOffset  = 20
	host       = "127.0.0.1"
)

// ports is a claimed block.
type ports struct {
	base  int
	claim net.Listener
}

// claimPorts claims a block that no other instance, of this process or another, has and whose fixed ports are free.
func claimPorts() (*ports, error) {
	n := (blockLast - blockFirst) / blockSize
	start := rand.IntN(n)
	var last error
	for i := range n {
		p, err := claimBlock(blockFirst + (start+i)%n*blockSize)
		if err == nil {
			return p, nil
		}
		last = err
	}
	return nil, fmt.Errorf("no free block of %d ports from %d to %d on %s; the last one: %w", blockSize, blockFirst, blockLast, host, last)
}

func claimBlock(base int) (*ports, error) {
	l, err := net.Listen("tcp", address(base))
	if err != nil {
		return nil, err
	}
	p := &ports{base: base, claim: l}
	if err := p.free(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return p, nil
}

func (p *ports) sip() int  { return p.base + 1 }
func (p *ports) ami() int  { return p.base + 2 }
func (p *ports) http() int { return p.base + 3 }

// free reports as an error which of the fixed ports somebody else has. A busy RTP port is no harm: Asterisk takes the next.
func (p *ports) free() error {
	for _, port := range []int{p.ami(), p.http()} {
		l, err := net.Listen("tcp", address(port))
		if err != nil {
			return err
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	c, err := net.ListenPacket("udp", address(p.sip()))
	if err != nil {
		return err
	}
	return c.Close()
}

func (p *ports) release() error { return p.claim.Close() }

func address(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
