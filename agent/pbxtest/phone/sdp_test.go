package phone

import (
	"net/netip"
	"testing"
)

func TestParseSession(t *testing.T) {
	const asterisk = "v=0\r\no=- 1754 4 IN IP4 127.0.0.1\r\ns=Asterisk\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
		"m=audio 15310 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n" +
		"a=ptime:20\r\na=maxptime:150\r\na=sendonly\r\nm=video 0 RTP/AVP 31\r\na=inactive\r\n"
	got, err := parseSession([]byte(asterisk))
	want := session{id: 1754, version: 4, audio: netip.MustParseAddrPort("127.0.0.1:15310"), event: 101, direction: sendonly}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for name, body := range map[string]string{
		"empty":           "",
		"no audio":        "v=0\r\nc=IN IP4 127.0.0.1\r\nm=video 4000 RTP/AVP 31\r\n",
		"other codec":     "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\n",
		"refused stream":  "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 0 RTP/AVP 0\r\n",
		"no address":      "v=0\r\nm=audio 4000 RTP/AVP 0\r\n",
		"host name":       "v=0\r\nc=IN IP4 localhost\r\nm=audio 4000 RTP/AVP 0\r\n",
		"port too large":  "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 70000 RTP/AVP 0\r\n",
		"video comes 1st": "v=0\r\nc=IN IP4 127.0.0.1\r\nm=video 4 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
	} {
		if s, err := parseSession([]byte(body)); err == nil {
			t.Errorf("%s: accepted as %+v", name, s)
		}
	}
	old, err := parseSession([]byte("v=0\nc=IN IP4 0.0.0.0\nm=audio 4000 RTP/AVP 0\n"))
	if err != nil || old.direction.receives() {
		t.Errorf("RFC 2543 hold: %+v, %v", old, err)
	}
}

func TestDirectionsOfAnswers(t *testing.T) {
	for _, c := range []struct{ offer, want, answer direction }{
		{sendrecv, sendrecv, sendrecv}, {sendonly, sendrecv, recvonly}, {recvonly, sendrecv, sendonly},
		{inactive, sendrecv, inactive}, {sendrecv, sendonly, sendonly}, {sendonly, sendonly, inactive},
	} {
		if got := c.offer.answer(c.want); got != c.answer {
			t.Errorf("%s offered, %s wanted: %s, want %s", directionNames[c.offer], directionNames[c.want], directionNames[got], directionNames[c.answer])
		}
	}
}

// What parses comes back the same from what is written for it.
func FuzzSession(f *testing.F) {
	f.Add([]byte("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\na=recvonly\r\n"))
	f.Add([]byte("c=IN IP6 ::1\nm=audio 1 x 0\n"))
	f.Add([]byte("c=IN IP4 0.0.0.0\nm=audio 1 x 0\n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := parseSession(body)
		if err != nil {
			return
		}
		if !s.audio.IsValid() || s.audio.Port() == 0 {
			t.Fatalf("accepted without an address: %+v", s)
		}
		again, err := parseSession(s.bytes())
		if err != nil || again != s {
			t.Fatalf("%+v comes back as %+v, %v", s, again, err)
		}
	})
}
