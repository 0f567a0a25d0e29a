package phone

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// play feeds an ear frames that mix the given tones, starting at sample at.
type player struct {
	e     *ear
	now   time.Time
	seq   uint16
	stamp uint32
	at    int
}

func newPlayer() *player {
	return &player{e: newEar(), now: time.Unix(1000, 0), seq: 65530, stamp: math.MaxUint32 - 500}
}

func mix(at, n int, tones ...Tone) []byte {
	out := make([]byte, n)
	for i := range out {
		var s float64
		for _, t := range tones {
			s += toneAmplitude * math.Sin(2*math.Pi*float64(t.Hz())*float64(at+i)/sampleRate)
		}
		out[i] = encodeUlaw(int16(s))
	}
	return out
}

func (p *player) play(frames int, tones ...Tone) {
	for range frames {
		p.e.take(p.now, 7, p.seq, p.stamp, mix(p.at, frameSamples, tones...))
		p.lose(1)
	}
}

// lose lets frames pass that do not come.
func (p *player) lose(frames int) {
	p.seq += uint16(frames)
	p.stamp += uint32(frames * frameSamples)
	p.at += frames * frameSamples
	p.now = p.now.Add(time.Duration(frames) * frameTime)
}

func TestEachToneIsHeardAndNoOther(t *testing.T) {
	for tone := Tone(1); tone <= tones; tone++ {
		p := newPlayer()
		p.play(50, tone)
		p.e.lull()
		if n := p.e.windows.len(); n != 10 {
			t.Fatalf("%v: %d windows of one second", tone, n)
		}
		for i := range p.e.windows.len() {
			w := p.e.windows.at(i)
			if got := w.Tones(); !slices.Equal(got, []Tone{tone}) {
				t.Errorf("%v: window %d hears %v", tone, i, got)
			}
			if l := w.Level(tone); l < 0.95 || l > 1.05 {
				t.Errorf("%v: level %.3f", tone, l)
			}
		}
	}
}

func TestMixedTonesAreToldApart(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		perm := r.Perm(tones)[:1+r.IntN(5)]
		var tones []Tone
		for _, i := range perm {
			tones = append(tones, Tone(i+1))
		}
		slices.Sort(tones)
		p := newPlayer()
		p.at = r.IntN(sampleRate)
		p.play(10, tones...)
		p.e.lull()
		for i := range p.e.windows.len() {
			if got := p.e.windows.at(i).Tones(); !slices.Equal(got, tones) {
				t.Errorf("sent %v, heard %v", tones, got)
			}
		}
	}
}

func TestNeighbouringTonesAreToldApart(t *testing.T) {
	for tone := Tone(2); tone < Voices; tone++ {
		p := newPlayer()
		p.play(10, tone-1, tone+1)
		p.e.lull()
		if got := p.e.windows.at(0).Tones(); !slices.Equal(got, []Tone{tone - 1, tone + 1}) {
			t.Errorf("neighbours of %v: heard %v", tone, got)
		}
	}
}

func TestAToneSurvivesLossAndNothingElseAppears(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	p := newPlayer()
	for range 500 {
		if r.IntN(10) == 0 {
			p.lose(1)
		}
		p.play(1, 9)
	}
	p.e.lull()
	heard := 0
	for i := range p.e.windows.len() {
		w := p.e.windows.at(i)
		for _, tone := range w.Tones() {
			if tone != 9 {
				t.Errorf("heard %v in a window of %d frames", tone, w.Frames)
			}
		}
		if w.Hears(9) {
			heard++
		}
	}
	if n := p.e.windows.len(); heard < n*95/100 {
		t.Errorf("heard in %d of %d windows", heard, n)
	}
	if p.e.stats.Lost < 20 || p.e.stats.Received != 500 {
		t.Errorf("stats %+v", p.e.stats)
	}
}

func TestStartAndStopOfATonePutNoOtherInTheRecord(t *testing.T) {
	for offset := range 10 {
		p := newPlayer()
		p.at = offset * 53
		p.play(5+offset%5, 4)
		p.play(5, 4, 20)
		p.play(3)
		p.play(7, 20)
		p.e.lull()
		for i := range p.e.windows.len() {
			for _, tone := range p.e.windows.at(i).Tones() {
				if tone != 4 && tone != 20 {
					t.Errorf("offset %d: heard %v", offset, tone)
				}
			}
		}
	}
}

func TestNoiseIsNoTone(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	p := newPlayer()
	for range 500 {
		frame := make([]byte, frameSamples)
		for i := range frame {
			frame[i] = encodeUlaw(int16(r.IntN(16000) - 8000))
		}
		p.e.take(p.now, 7, p.seq, p.stamp, frame)
		p.lose(1)
	}
	for i := range p.e.windows.len() {
		if got := p.e.windows.at(i).Tones(); len(got) > 0 {
			t.Errorf("noise taken for %v", got)
		}
	}
}

func TestMissingCountsLostAndEmptyFrames(t *testing.T) {
	p := newPlayer()
	start := p.now
	p.play(20, 6, 16)
	p.lose(1)
	p.play(10, 6, 16)
	p.play(2, 16)
	p.play(10, 6, 16)
	if got := p.e.missing(6, start, p.now); got != 3 {
		t.Errorf("tone 6 misses %d frames, want 3", got)
	}
	if got := p.e.missing(16, start, p.now); got != 1 {
		t.Errorf("tone 16 misses %d frames, want 1", got)
	}
	if got := p.e.missing(6, start, start.Add(15*frameTime)); got != 0 {
		t.Errorf("first part misses %d frames, want 0", got)
	}
}

func TestHoldingCountsEvenOneFrame(t *testing.T) {
	p := newPlayer()
	start := p.now
	p.play(20, 1, 2)
	p.play(1, 1, 2, 31)
	p.play(20, 1, 2)
	for tone, want := range map[Tone]int{31: 1, 1: 41, 20: 0} {
		if got := p.e.holding(tone, start, p.now); got != want {
			t.Errorf("%s was held by %d frames, want %d", tone, got, want)
		}
	}
}

func TestANewStreamIsNoLoss(t *testing.T) {
	p := newPlayer()
	p.play(10, 3)
	p.e.take(p.now, 8, 12345, 99, mix(0, frameSamples, 3))
	if s := p.e.stats; s.Lost != 0 || s.Streams != 2 {
		t.Errorf("stats %+v", s)
	}
	p.e.take(p.now, 8, 12345, 99, mix(0, frameSamples, 3)) // a repeat
	if s := p.e.stats; s.Late != 1 || s.Received != 11 {
		t.Errorf("stats %+v", s)
	}
}

func TestUlawIsG711(t *testing.T) {
	// Values of the ITU-T G.191 reference.
	for b, want := range map[byte]int16{0xFF: 0, 0x7F: 0, 0x00: -32124, 0x80: 32124, 0xFE: 8, 0xEF: 132, 0x90: 15996, 0x9F: 8316} {
		if got := ulaw[b]; got != want {
			t.Errorf("decode %#x: %d, want %d", b, got, want)
		}
	}
	for i := range 256 {
		if b := byte(i); b != 0x7F && encodeUlaw(ulaw[b]) != b { // 0x7F is a second zero
			t.Errorf("decode and encode %#x gives %#x", b, encodeUlaw(ulaw[b]))
		}
	}
	for s := -32124; s <= 32124; s++ {
		if diff := math.Abs(float64(ulaw[encodeUlaw(int16(s))]) - float64(s)); diff > 4+math.Abs(float64(s))/16 {
			t.Fatalf("sample %d comes back off by %.0f", s, diff)
		}
	}
}

func TestThePlanKeepsItsDistances(t *testing.T) {
	for a := Tone(1); a <= tones; a++ {
		if a.Hz()%10 != 0 || len(probes) > 128 {
			t.Errorf("%v is no multiple of 10 Hz, or there are too many probes (%d)", a, len(probes))
		}
		for b := Tone(1); b < a; b++ {
			if d := a.Hz() - b.Hz(); max(d, -d) < 80 {
				t.Errorf("%v and %v are too close", a, b)
			}
		}
		for _, hz := range []int{697, 770, 852, 941, 1209, 1336, 1477, 1633, 1100, 2100} {
			if d := a.Hz() - hz; max(d, -d) < 15 {
				t.Errorf("%v is too close to the signal of %d Hz", a, hz)
			}
		}
	}
}

func BenchmarkEarTakesOneSecond(b *testing.B) {
	frame := mix(0, frameSamples, 5, 12)
	p := newPlayer()
	b.ReportAllocs()
	for b.Loop() {
		for range 50 {
			p.e.take(p.now, 7, p.seq, p.stamp, frame)
			p.seq++
			p.stamp += frameSamples
		}
	}
}
