package phone

import (
	"math"
	"slices"
	"sync"
	"time"
)

const (
	windowSamples = 800
	windowTime    = 100 * time.Millisecond
	windowGiveUp  = 150 * time.Millisecond // silence after which a begun window is closed
	keptWindows   = 6000                   // ten minutes
	keptFrames    = 1500                   // half a minute

	// A tone is heard at a quarter of the amplitude at which it is sent: one
	// that begins or ends half-way through a window still reaches it, what leaks
	// from the other tones does not (Hann side lobes are below 1/35).
	heardAmplitude = toneAmplitude / 4

	// A tone must stand out from the probes half-way to its neighbours, which
	// noise and most music do not let it do.
	prominence = 4

	// Windows with fewer samples are too short to tell the tones apart.
	leastSamples = 2 * frameSamples
)

// Window is what was heard in 100 ms of received audio.
type Window struct {
	From, To time.Time // arrival of its first and last frame
	Frames   int       // frames received
	heard    uint64    // bit t: Tone(t) heard
	level    [tones + 1]float32
}

// Hears reports whether t was heard in the window.
func (w *Window) Hears(t Tone) bool { return w.heard&(1<<t) != 0 }

// Level is the amplitude of t in the window; 1 is the amplitude at which phones send.
func (w *Window) Level(t Tone) float64 { return float64(w.level[t]) }

// Tones lists all tones heard in the window, in ascending order.
func (w *Window) Tones() []Tone {
	var out []Tone
	for t := Tone(1); t <= tones; t++ {
		if w.Hears(t) {
			out = append(out, t)
		}
	}
	return out
}

// Stats counts the RTP frames of one call.
type Stats struct {
	Sent     int           // frames sent
	Received int           // audio frames received
	Lost     int           // sequence numbers passed over, within one stream
	Late     int           // frames out of order (counted as lost before) and repeats; not listened to
	Streams  int           // streams (SSRC) seen: a PBX or direct peer that starts anew
	Longest  time.Duration // longest time between two received frames
}

type frame struct {
	at      time.Time
	stamp   uint32
	stream  int
	payload [frameSamples]byte
	n       int
}

// ear turns received frames into windows. Its methods are safe for concurrent
// use; frames come from one goroutine.
type ear struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced with each finished window
	windows ring[Window]
	frames  ring[frame]
	stats   Stats

	ssrc     uint32
	nextSeq  uint16
	lastAt   time.Time
	base     uint32 // RTP timestamp at which the open window begins
	open     bool
	pending  Window
	samples  [windowSamples]float64
	present  [windowSamples]bool
	received int
}

func newEar() *ear { return &ear{changed: make(chan struct{})} }

// take adds one audio frame. Order, gaps and repeats are judged by the RTP
// sequence number, places in a window by the timestamp (RFC 3550 5.1).
func (e *ear) take(at time.Time, ssrc uint32, seq uint16, stamp uint32, payload []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stats.Streams == 0 || ssrc != e.ssrc {
		e.finish()
		e.ssrc, e.nextSeq = ssrc, seq
		e.stats.Streams++
	} else {
		switch ahead := int16(seq - e.nextSeq); {
		case ahead < 0 && ahead > -100:
			e.stats.Late++
			return
		case ahead < 0, ahead > 1000: // the sender starts anew
			e.finish()
		default:
			e.stats.Lost += int(ahead)
		}
	}
	e.nextSeq = seq + 1
	e.stats.Received++
	if !e.lastAt.IsZero() {
		e.stats.Longest = max(e.stats.Longest, at.Sub(e.lastAt))
	}
	e.lastAt = at

	f := frame{at: at, stamp: stamp, stream: e.stats.Streams}
	f.n = copy(f.payload[:], payload)
	e.frames.push(f, keptFrames)
	e.place(at, stamp, payload)
}

// place puts a frame's samples into the open window, closing it when they
// belong to the next one.
func (e *ear) place(at time.Time, stamp uint32, payload []byte) {
	for len(payload) > 0 {
		offset := int(int32(stamp - e.base))
		if e.open && (offset < 0 || offset >= 2*windowSamples) {
			e.finish() // a jump of the sender's clock
		}
		if !e.open {
			e.open, e.base, offset = true, stamp, 0
			e.pending = Window{From: at}
		}
		if offset >= windowSamples {
			e.finish()
			// The next window joins the last, so no sample is left out between them.
			e.open, e.base = true, e.base+windowSamples
			e.pending = Window{From: at}
			continue
		}
		n := min(len(payload), windowSamples-offset)
		for i, b := range payload[:n] {
			e.samples[offset+i] = float64(ulaw[b])
			e.present[offset+i] = true
		}
		e.received += n
		e.pending.To = at
		e.pending.Frames++
		payload, stamp = payload[n:], stamp+uint32(n)
	}
}

// lull closes the open window when nothing has come for a while.
func (e *ear) lull() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.finish()
}

// finish measures the open window and adds it to the record; the lock is held.
func (e *ear) finish() {
	if !e.open {
		return
	}
	e.open = false
	if e.received >= leastSamples {
		measure(&e.pending, &e.samples, &e.present)
		e.windows.push(e.pending, keptWindows)
		close(e.changed)
		e.changed = make(chan struct{})
	}
	e.received = 0
	clear(e.samples[:])
	clear(e.present[:])
}

// since appends the windows that began at or after from, oldest first, and
// returns the channel that is closed with the next one.
func (e *ear) since(dst []Window, from time.Time) ([]Window, <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.windows.len()
	first := n
	for first > 0 && !e.windows.at(first-1).From.Before(from) {
		first--
	}
	for i := first; i < n; i++ {
		dst = append(dst, *e.windows.at(i))
	}
	return dst, e.changed
}

func (e *ear) last() (Window, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.windows.len() == 0 {
		return Window{}, false
	}
	return *e.windows.at(e.windows.len() - 1), true
}

func (e *ear) lastHeard(t Tone) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := e.windows.len() - 1; i >= 0; i-- {
		if w := e.windows.at(i); w.Hears(t) {
			return w.To
		}
	}
	return time.Time{}
}

// missing counts the 20 ms frames between the first and the last one received
// in [from, to] that did not come or did not hold t.
func (e *ear) missing(t Tone, from, to time.Time) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	var count int
	var before *frame
	for i := range e.frames.len() {
		f := e.frames.at(i)
		if f.at.Before(from) || f.at.After(to) {
			continue
		}
		if before != nil && before.stream == f.stream {
			if gap := int32(f.stamp-before.stamp)/frameSamples - 1; gap > 0 {
				count += int(gap)
			}
		}
		if frameLevel(f, t) < 0.5 {
			count++
		}
		before = f
	}
	return count
}

// holding counts the frames received in [from, to] that held t.
func (e *ear) holding(t Tone, from, to time.Time) (count int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.frames.len() {
		if f := e.frames.at(i); !f.at.Before(from) && !f.at.After(to) && frameLevel(f, t) >= 0.5 {
			count++
		}
	}
	return count
}

// ring keeps the last items pushed, up to a limit.
type ring[T any] struct {
	items []T
	head  int
}

func (r *ring[T]) push(item T, limit int) {
	if len(r.items) < limit {
		r.items = append(r.items, item)
		return
	}
	r.items[r.head] = item
	r.head = (r.head + 1) % limit
}

func (r *ring[T]) len() int    { return len(r.items) }
func (r *ring[T]) at(i int) *T { return &r.items[(r.head+i)%len(r.items)] }

func hann(n int) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(n))
	}
	return w
}

var (
	windowShape = hann(windowSamples)
	frameShape  = hann(frameSamples)
)

// probes are the frequencies measured in each window: every tone, and the
// places 40 Hz below and above it, which neighbours share.
var (
	probes = func() (hz []float64) {
		for t := Tone(1); t <= tones; t++ {
			f := float64(t.Hz())
			hz = append(hz, f-40, f, f+40)
		}
		slices.Sort(hz)
		return slices.Compact(hz)
	}()
	probeOf = func() (at [tones + 1][3]int) {
		for t := Tone(1); t <= tones; t++ {
			for i := range 3 {
				at[t][i], _ = slices.BinarySearch(probes, float64(t.Hz()+40*(i-1)))
			}
		}
		return at
	}()
)

// measure finds the level of each tone of the plan by Goertzel's algorithm
// over a Hann window, and which of them stand out.
func measure(w *Window, samples *[windowSamples]float64, present *[windowSamples]bool) {
	var gain, energy float64
	for i, here := range present {
		samples[i] *= windowShape[i]
		energy += samples[i] * samples[i]
		if here {
			gain += windowShape[i]
		}
	}
	// No tone can be louder than all the energy there is (Cauchy and Schwarz), so
	// what is nearly silent is spared the work.
	if gain < 1 || 4*windowSamples*energy < heardAmplitude*heardAmplitude*gain*gain {
		return
	}
	var level [128]float64
	for i := 0; i < len(probes); i += 4 {
		goertzel4(samples[:], probes[i:min(i+4, len(probes))], level[i:])
	}
	scale := 2 / gain
	for t := Tone(1); t <= tones; t++ {
		p := probeOf[t]
		below, at, above := scale*level[p[0]], scale*level[p[1]], scale*level[p[2]]
		w.level[t] = float32(at / toneAmplitude)
		if at >= heardAmplitude && at >= prominence*max(below, above) {
			w.heard |= 1 << t
		}
	}
}

func frameLevel(f *frame, t Tone) float64 {
	var samples [frameSamples]float64
	var gain float64
	for i := range f.n {
		samples[i] = float64(ulaw[f.payload[i]]) * frameShape[i]
		gain += frameShape[i]
	}
	if gain < 1 {
		return 0
	}
	return 2 / gain * goertzel(samples[:f.n], float64(t.Hz())) / toneAmplitude
}

// goertzel4 is goertzel for up to four frequencies in one pass: the chains of
// additions do not wait for each other.
func goertzel4(samples, hz, out []float64) {
	var c, s1, s2 [4]float64
	for i, f := range hz {
		c[i] = 2 * math.Cos(2*math.Pi*f/sampleRate)
	}
	c0, c1, c2, c3 := c[0], c[1], c[2], c[3]
	var a1, a2, b1, b2, d1, d2, e1, e2 float64
	for _, x := range samples {
		a1, a2 = x+c0*a1-a2, a1
		b1, b2 = x+c1*b1-b2, b1
		d1, d2 = x+c2*d1-d2, d1
		e1, e2 = x+c3*e1-e2, e1
	}
	s1, s2 = [4]float64{a1, b1, d1, e1}, [4]float64{a2, b2, d2, e2}
	for i := range hz {
		out[i] = math.Sqrt(max(0, s1[i]*s1[i]+s2[i]*s2[i]-c[i]*s1[i]*s2[i]))
	}
}

// goertzel is the magnitude of one DFT term of samples at frequency hz.
func goertzel(samples []float64, hz float64) float64 {
	c := 2 * math.Cos(2*math.Pi*hz/sampleRate)
	var s1, s2 float64
	for _, x := range samples {
		s1, s2 = x+c*s1-s2, s1
	}
	return math.Sqrt(max(0, s1*s1+s2*s2-c*s1*s2))
}
