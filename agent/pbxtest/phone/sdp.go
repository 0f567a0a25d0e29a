package phone

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

const (
	payloadPCMU  = 0   // RFC 3551 table 4
	payloadEvent = 101 // dynamic; the number that phones offer for telephone-event
)

// direction says which way audio flows, seen from the one who states it (RFC 3264 5.1).
type direction uint8

const (
	sendrecv direction = iota
	sendonly
	recvonly
	inactive
)

var directionNames = [...]string{sendrecv: "sendrecv", sendonly: "sendonly", recvonly: "recvonly", inactive: "inactive"}

func (d direction) sends() bool    { return d == sendrecv || d == sendonly }
func (d direction) receives() bool { return d == sendrecv || d == recvonly }

// answer is the direction that answers an offer of d when the answerer wants
// want (RFC 3264 6.1).
func (d direction) answer(want direction) direction {
	sends, receives := want.sends() && d.receives(), want.receives() && d.sends()
	switch {
	case sends && receives:
		return sendrecv
	case sends:
		return sendonly
	case receives:
		return recvonly
	}
	return inactive
}

// session is the part of a session description (RFC 8866) that a phone uses:
// one audio stream of PCMU, perhaps with telephone-event.
type session struct {
	id, version uint64
	audio       netip.AddrPort
	event       uint8 // payload type of telephone-event, 0 for none
	direction   direction
}

var (
	errNoAudio = errors.New("session description without PCMU audio")
	errNoAddr  = errors.New("session description without an IP address for audio")
)

// parseSession reads the first audio stream of a session description.
func parseSession(body []byte) (session, error) {
	var s session
	var addr netip.Addr
	var port uint16
	var media, inAudio, pcmu bool
	for line := range bytes.Lines(body) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) < 2 || line[1] != '=' {
			continue
		}
		value := string(line[2:])
		if line[0] == 'm' {
			if inAudio {
				break // only the first audio stream counts
			}
			media = true
			f := strings.Fields(value)
			if len(f) < 4 || f[0] != "audio" {
				continue
			}
			n, err := strconv.ParseUint(f[1], 10, 16)
			if err != nil {
				return session{}, fmt.Errorf("audio port %q: %w", f[1], err)
			}
			inAudio, port = true, uint16(n)
			for _, p := range f[3:] {
				pcmu = pcmu || p == "0"
			}
			continue
		}
		if media && !inAudio {
			continue // belongs to a stream of another kind
		}
		switch line[0] {
		case 'o':
			f := strings.Fields(value)
			if len(f) >= 3 {
				s.id, _ = strconv.ParseUint(f[1], 10, 64) // only compared, so a stranger's odd id may count as 0
				s.version, _ = strconv.ParseUint(f[2], 10, 64)
			}
		case 'c':
			f := strings.Fields(value)
			if len(f) != 3 {
				return session{}, errNoAddr
			}
			a, err := netip.ParseAddr(f[2])
			if err != nil {
				return session{}, fmt.Errorf("connection address: %w", err)
			}
			addr = a.WithZone("")
		case 'a':
			s.attribute(value)
		}
	}
	if !inAudio || !pcmu || port == 0 {
		return session{}, errNoAudio
	}
	if !addr.IsValid() {
		return session{}, errNoAddr
	}
	if addr.IsUnspecified() && s.direction == sendrecv {
		s.direction = sendonly // hold as RFC 2543 spelled it
	}
	s.audio = netip.AddrPortFrom(addr, port)
	return s, nil
}

func (s *session) attribute(value string) {
	for d, name := range directionNames {
		if value == name {
			s.direction = direction(d)
			return
		}
	}
	if rest, ok := strings.CutPrefix(value, "rtpmap:"); ok {
		number, codec, _ := strings.Cut(rest, " ")
		if strings.HasPrefix(strings.ToLower(codec), "telephone-event/8000") {
			if n, err := strconv.ParseUint(number, 10, 7); err == nil {
				s.event = uint8(n)
			}
		}
	}
}

func (s session) bytes() []byte {
	family := "IP4"
	if s.audio.Addr().Is6() {
		family = "IP6"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "v=0\r\no=- %d %d IN %s %s\r\ns=-\r\nc=IN %[3]s %[4]s\r\nt=0 0\r\n", s.id, s.version, family, s.audio.Addr())
	fmt.Fprintf(&b, "m=audio %d RTP/AVP %d", s.audio.Port(), payloadPCMU)
	if s.event != 0 {
		fmt.Fprintf(&b, " %d", s.event)
	}
	fmt.Fprintf(&b, "\r\na=rtpmap:%d PCMU/8000\r\n", payloadPCMU)
	if s.event != 0 {
		fmt.Fprintf(&b, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%[1]d 0-16\r\n", s.event)
	}
	fmt.Fprintf(&b, "a=ptime:20\r\na=%s\r\n", directionNames[s.direction])
	return b.Bytes()
}
