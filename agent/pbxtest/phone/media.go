package phone

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"
)

const (
	frameTime = 20 * time.Millisecond

	// Ticks that a busy machine swallowed are made up for, up to this many
	// frames, so that the PBX sees a stream without holes.
	mostCatchUp = 10

	// RFC 4733 2.5.1.3, 2.5.1.4: an event's end is sent three times. Asterisk needs
	// a pause to take two equal digits for two.
	digitFrames = 5
	digitEnds   = 3
	digitPause  = 4
)

const digitNames = "0123456789*#ABCD" // RFC 4733 table 3, in the order of their codes

// media is the audio side of one call: a socket, a paced sender of the call's
// tone and an ear. The sender starts with start, everything ends with close.
type media struct {
	rtp, rtcp *net.UDPConn // rtcp is only held, so that reports for it reach nobody else
	ear       *ear
	ssrc      uint32

	stop    chan struct{}
	once    sync.Once
	started sync.Once
	running sync.WaitGroup

	mu      sync.Mutex
	remote  netip.AddrPort
	flows   direction
	event   uint8
	tone    Tone
	silent  bool
	digits  []digit
	heard   strings.Builder // digits received
	lastDig uint32          // timestamp of the last digit received
	sent    int
}

// digit is one DTMF event to be sent; done is closed when it was.
type digit struct {
	code byte
	done chan struct{}
}

func openMedia(host string, tone Tone) (*media, error) {
	m := &media{
		ear:  newEar(),
		ssrc: rand.Uint32(),
		stop: make(chan struct{}),
		tone: tone,
	}
	if err := m.bind(net.ParseIP(host)); err != nil {
		return nil, err
	}
	m.running.Add(1)
	go m.listen()
	return m, nil
}

// bind takes an even port and the next one: a peer sends RTCP to the port
// above (RFC 3550 11), which must not be another phone's.
func (m *media) bind(ip net.IP) error {
	const tries = 50
	var last error
	for range tries {
		a, err := net.ListenUDP("udp4", &net.UDPAddr{IP: ip})
		if err != nil {
			return fmt.Errorf("bind RTP port: %w", err)
		}
		port := a.LocalAddr().(*net.UDPAddr).Port
		b, err := net.ListenUDP("udp4", &net.UDPAddr{IP: ip, Port: port ^ 1})
		if err != nil {
			last = errors.Join(err, a.Close())
			continue
		}
		if port&1 != 0 {
			a, b = b, a
		}
		m.rtp, m.rtcp = a, b
		return nil
	}
	return fmt.Errorf("bind a pair of RTP ports: %w", last)
}

func (m *media) local() netip.AddrPort {
	return m.rtp.LocalAddr().(*net.UDPAddr).AddrPort()
}

// direct sends to the address that a session description names. flows is seen from here.
func (m *media) direct(remote session, flows direction) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remote, m.event, m.flows = remote.audio, remote.event, flows
}

// start lets the phone speak.
func (m *media) start() {
	m.started.Do(func() {
		m.running.Add(1)
		go m.speak()
	})
}

// close ends sender and ear and waits for both.
func (m *media) close() {
	m.once.Do(func() {
		m.started.Do(func() {}) // no start after close
		close(m.stop)
		_ = m.rtp.Close()
		_ = m.rtcp.Close()
	})
	m.running.Wait()
}

// listen reads frames until the socket is closed.
func (m *media) listen() {
	defer m.running.Done()
	buf := make([]byte, 2048)
	var packet rtp.Packet
	for {
		// A deadline in the past would fail at once, so it is set anew before each read.
		if m.rtp.SetReadDeadline(time.Now().Add(windowGiveUp)) != nil {
			return
		}
		n, _, err := m.rtp.ReadFromUDPAddrPort(buf)
		at := time.Now()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			m.ear.lull()
			continue
		case errors.Is(err, net.ErrClosed):
			m.ear.lull()
			return
		case err != nil:
			continue // an ICMP error of an earlier send
		}
		if packet.Unmarshal(buf[:n]) != nil || packet.Version != 2 {
			continue
		}
		switch packet.PayloadType {
		case payloadPCMU:
			m.ear.take(at, packet.SSRC, packet.SequenceNumber, packet.Timestamp, packet.Payload)
		case payloadEvent:
			m.digit(packet.Timestamp, packet.Payload)
		}
	}
}

// digit notes a received DTMF event once, whichever of its packets came.
func (m *media) digit(stamp uint32, payload []byte) {
	if len(payload) < 4 || int(payload[0]) >= len(digitNames) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.heard.Len() > 0 && stamp == m.lastDig {
		return
	}
	m.lastDig = stamp
	m.heard.WriteByte(digitNames[payload[0]])
}

// speak sends one frame each 20 ms until the call's media is closed.
func (m *media) speak() {
	defer m.running.Done()
	ticker := time.NewTicker(frameTime)
	defer ticker.Stop()
	v := voice{
		media:  m,
		buf:    make([]byte, 0, 256),
		first:  true,
		header: rtp.Header{Version: 2, SSRC: m.ssrc, SequenceNumber: uint16(rand.Uint32()), Timestamp: rand.Uint32()},
	}
	begun, ticks := time.Now(), 0
	for {
		select {
		case <-m.stop:
			return
		case <-ticker.C:
		}
		due := int(time.Since(begun)/frameTime) - ticks
		for i := range due {
			v.frame(due-i <= mostCatchUp)
		}
		ticks += due
	}
}

// voice is the state of the sender between two frames.
type voice struct {
	media  *media
	buf    []byte
	header rtp.Header
	first  bool // the next audio frame begins a talkspurt (RFC 3551 4.1)
	at     int  // place in the tone's loop

	digit *digit
	step  int    // frame within the digit
	began uint32 // timestamp of the digit
}

// frame sends what is due now, if anything, and moves the clock on by 20 ms.
// With send false only the clock moves.
func (v *voice) frame(send bool) {
	m := v.media
	m.mu.Lock()
	remote, tone, event := m.remote, m.tone, m.event
	quiet := m.silent || !m.flows.sends() || !remote.IsValid()
	if v.digit == nil && len(m.digits) > 0 && remote.IsValid() {
		v.digit, v.step = &m.digits[0], 0
		m.digits = m.digits[1:]
	}
	m.mu.Unlock()

	switch {
	case v.digit != nil:
		v.digitFrame(remote, event)
	case quiet:
		v.first = true
	case send:
		audio := tone.loop()[v.at : v.at+frameSamples]
		v.header.PayloadType, v.header.Marker = payloadPCMU, v.first
		v.write(remote, v.header.Timestamp, audio)
		v.first = false
	}
	v.at = (v.at + frameSamples) % sampleRate
	v.header.Timestamp += frameSamples
}

// digitFrame sends one frame of a telephone-event (RFC 4733 2.3): all carry the
// timestamp of its beginning and the duration so far, the last ones the end bit.
func (v *voice) digitFrame(remote netip.AddrPort, event uint8) {
	if v.step == 0 {
		v.began = v.header.Timestamp
	}
	if v.step < digitFrames+digitEnds {
		const volume = 10 // -10 dBm0
		duration := min(v.step+1, digitFrames) * frameSamples
		payload := [4]byte{v.digit.code, volume, byte(duration >> 8), byte(duration)}
		if v.step >= digitFrames {
			payload[1] |= 0x80
		}
		v.header.PayloadType, v.header.Marker = event, v.step == 0
		v.write(remote, v.began, payload[:])
	}
	if v.step++; v.step == digitFrames+digitEnds+digitPause {
		close(v.digit.done)
		v.digit, v.first = nil, true
	}
}

func (v *voice) write(remote netip.AddrPort, stamp uint32, payload []byte) {
	v.header.SequenceNumber++
	header := v.header
	header.Timestamp = stamp
	v.buf = v.buf[:header.MarshalSize()]
	n, err := header.MarshalTo(v.buf)
	if err != nil {
		return // cannot be: the buffer has the size asked for
	}
	v.buf = append(v.buf[:n], payload...)
	// A send that fails is a frame lost on the way, as on any network.
	if _, err := v.media.rtp.WriteToUDPAddrPort(v.buf, remote); err == nil {
		v.media.mu.Lock()
		v.media.sent++
		v.media.mu.Unlock()
	}
}

// press queues digits and waits until the last was sent.
func (m *media) press(ctx context.Context, digits string) error {
	var queue []digit
	for _, r := range strings.ToUpper(digits) {
		code := strings.IndexRune(digitNames, r)
		if code < 0 {
			return fmt.Errorf("no DTMF digit: %q", r)
		}
		queue = append(queue, digit{code: byte(code), done: make(chan struct{})})
	}
	if len(queue) == 0 {
		return nil
	}
	m.mu.Lock()
	if m.event == 0 {
		m.mu.Unlock()
		return errors.New("the peer takes no telephone-event")
	}
	m.digits = append(m.digits, queue...)
	m.mu.Unlock()
	select {
	case <-queue[len(queue)-1].done:
		return nil
	case <-m.stop:
		return errHungUp
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *media) stats() Stats {
	m.ear.mu.Lock()
	s := m.ear.stats
	m.ear.mu.Unlock()
	m.mu.Lock()
	s.Sent = m.sent
	m.mu.Unlock()
	return s
}
