package phone

import (
	"fmt"
	"math"
	"sync"
)

// Tone is one of the pure sine tones that phones send and listen for. Tone(1)
// to Tone(Voices) are for phones; the zero Tone is silence: a call with it
// sends frames with nothing in them.
type Tone uint8

const (
	// Voices is how many tones there are for phones.
	Voices = 31

	// Music is the tone that the PBX of the tests plays as music on hold, 1130 Hz.
	Music Tone = 32

	tones = 32
)

const (
	sampleRate   = 8000
	frameSamples = 160 // 20 ms of PCMU, RFC 3551 table 4

	// Five voices at this amplitude (of 32767) still mix without clipping, and
	// clipping would make tones of the plan out of others (2a-b = c in an
	// equally spaced plan).
	toneAmplitude = 6000
)

// toneHz holds multiples of 10 Hz, the resolution of a 100 ms window, at least
// 80 Hz apart so that the probes half-way between two tones see neither. Left out are the
// neighbours of DTMF tones and of the fax tones 1100 and 2100 Hz, so that no
// detector in the PBX takes a voice for a signal.
var toneHz = [tones + 1]int{
	0,
	510, 590, 670, 750, 830, 910, 990, 1230, 1310, 1390, 1550,
	1710, 1790, 1870, 1950, 2030, 2190, 2270, 2350, 2430, 2510, 2590, 2670,
	2750, 2830, 2910, 2990, 3070, 3150, 3230, 3310,
	1130,
}

// Hz is the frequency of t, 0 for silence. It panics for a tone outside the plan.
func (t Tone) Hz() int { return toneHz[t] }

// String gives the tone's number and frequency.
func (t Tone) String() string {
	switch {
	case t == 0:
		return "silence"
	case t == Music:
		return "music (1130 Hz)"
	case t > tones:
		return fmt.Sprintf("tone %d (not in the plan)", uint8(t))
	}
	return fmt.Sprintf("tone %d (%d Hz)", uint8(t), toneHz[t])
}

var loops [tones + 1]struct {
	once sync.Once
	ulaw []byte
}

// loop is one second of the tone in PCMU. Whole Hertz make it join itself
// without a step, so sending costs a copy.
func (t Tone) loop() []byte {
	l := &loops[t]
	l.once.Do(func() {
		l.ulaw = make([]byte, sampleRate)
		for i := range l.ulaw {
			angle := 2 * math.Pi * float64(t.Hz()) * float64(i) / sampleRate
			l.ulaw[i] = encodeUlaw(int16(math.Round(toneAmplitude * math.Sin(angle))))
		}
	})
	return l.ulaw
}

// encodeUlaw is ITU-T G.711 µ-law.
func encodeUlaw(sample int16) byte {
	const bias, clip = 0x84, 32635
	s, sign := int(sample), byte(0)
	if s < 0 {
		s, sign = -s, 0x80
	}
	s = min(s, clip) + bias
	exponent := byte(7)
	for mask := 0x4000; s&mask == 0 && exponent > 0; mask >>= 1 {
		exponent--
	}
	mantissa := byte(s>>(exponent+3)) & 0x0F
	return ^(sign | exponent<<4 | mantissa)
}

// ulaw decodes PCMU: ulaw[b] is the sample for byte b.
var ulaw = func() (table [256]int16) {
	for i := range table {
		b := ^byte(i)
		s := (int(b&0x0F)<<3 + 0x84) << (b >> 4 & 7)
		s -= 0x84
		if b&0x80 != 0 {
			s = -s
		}
		table[i] = int16(s)
	}
	return table
}()
