package ami

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"sync"
	"testing"
)

// corpus is a stream of the events of simulated two-party calls with Asterisk's names, order and sizes: 46 events of 19
// fields and 440 bytes on average for each call.
var corpus = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	snapshot := func(suffix string, call, leg int) {
		fmt.Fprintf(&b, "%[1]sChannel: PJSIP/%[2]d-%08[3]x\r\n%[1]sChannelState: 6\r\n%[1]sChannelStateDesc: Up\r\n"+
			"%[1]sCallerIDNum: %[2]d\r\n%[1]sCallerIDName: Employee %[2]d\r\n%[1]sConnectedLineNum: 7916%07[3]d\r\n"+
			"%[1]sConnectedLineName: <unknown>\r\n%[1]sLanguage: en\r\n%[1]sAccountCode: \r\n%[1]sContext: from-internal\r\n"+
			"%[1]sExten: 7916%07[3]d\r\n%[1]sPriority: 1\r\n%[1]sUniqueid: 1795299332.%[3]d\r\n%[1]sLinkedid: 1795299332.%[4]d\r\n",
			suffix, 100+leg, 2*call+leg, 2*call)
	}
	event := func(name, class string, legs, call int, more ...string) {
		fmt.Fprintf(&b, "Event: %s\r\nPrivilege: %s,all\r\nTimestamp: 1795299332.123456\r\nSystemName: pbx\r\n", name, class)
		for leg := range legs {
			snapshot([]string{"", "Dest"}[leg], call, leg)
		}
		for _, line := range more {
			b.WriteString(line + "\r\n")
		}
		b.WriteString("\r\n")
	}
	rtp := "Value: ssrc=1234567890;themssrc=987654321;lp=0;rxjitter=0.000000;rxcount=1234;txjitter=0.000125;txcount=1230;rlp=0;rtt=0.001000"
	for call := range 255 {
		for range 2 {
			event("Newchannel", "call", 1, call)
			event("Newstate", "call", 1, call)
			event("NewCallerid", "call", 1, call, "CID-CallingPres: 0 (Presentation Allowed, Not Screened)")
			event("NewConnectedLine", "call", 1, call)
			event("DeviceStateChange", "call", 0, call, "Device: PJSIP/101", "State: INUSE")
			event("ExtensionStatus", "call", 0, call, "Exten: 101", "Context: hints", "Hint: PJSIP/101", "Status: 1", "StatusText: InUse")
			event("BridgeEnter", "call", 1, call, "BridgeUniqueid: 5f0c1a52-1c1c-4c1c-9c1c-1c1c1c1c1c1c", "BridgeType: basic", "BridgeNumChannels: 2")
			event("BridgeLeave", "call", 1, call, "BridgeUniqueid: 5f0c1a52-1c1c-4c1c-9c1c-1c1c1c1c1c1c", "BridgeType: basic", "BridgeNumChannels: 1")
			event("RTCPSent", "reporting", 1, call, "To: 127.0.0.1:4001", "From: 127.0.0.1:4000", "SSRC: 0x1a2b3c4d", "PT: 200(SR)", "ReportCount: 1")
			event("SoftHangupRequest", "call", 1, call, "Cause: 16")
			event("Hangup", "call", 1, call, "Cause: 16", "Cause-txt: Normal Clearing")
		}
		for range 10 {
			event("VarSet", "dialplan", 1, call, "Variable: RTPAUDIOQOS", rtp)
		}
		for i := range 8 {
			event("Newexten", "dialplan", 1, call, "Extension: 101", "Application: Dial", fmt.Sprintf("AppData: PJSIP/101,%d", i))
		}
		event("DialBegin", "call", 2, call, "DialString: 101")
		event("DialState", "call", 2, call, "DialStatus: RINGING")
		event("DialEnd", "call", 2, call, "DialStatus: ANSWER")
		event("BridgeCreate", "call", 0, call, "BridgeUniqueid: 5f0c1a52-1c1c-4c1c-9c1c-1c1c1c1c1c1c", "BridgeType: basic")
		event("BridgeDestroy", "call", 0, call, "BridgeUniqueid: 5f0c1a52-1c1c-4c1c-9c1c-1c1c1c1c1c1c", "BridgeType: basic")
		event("HangupRequest", "call", 1, call, "Cause: 16")
	}
	return b.Bytes()
})

// repeated gives the corpus for ever.
type repeated struct{ at int }

func (r *repeated) Read(p []byte) (int, error) {
	all := corpus()
	n := copy(p, all[r.at:])
	r.at += n
	if r.at == len(all) {
		r.at = 0
	}
	return n, nil
}

// floor is the least that a reader of this protocol has to do: a buffer, one search for the line's end and one for the
// colon, and where each field is. It trusts the peer: no limits, no checks, and no event larger than its buffer.
type floor struct {
	src        io.Reader
	buf        []byte
	start, end int
	fields     [128][4]int
}

func (f *floor) read() (int, error) {
	line, n := f.start, 0
	for {
		i := bytes.IndexByte(f.buf[line:f.end], '\n')
		if i < 0 {
			copy(f.buf, f.buf[f.start:f.end])
			line, f.end, f.start, n = 0, f.end-f.start, 0, 0
			got, err := f.src.Read(f.buf[f.end:])
			if err != nil {
				return 0, err
			}
			f.end += got
			continue
		}
		if i == 1 {
			f.start = line + 2
			return n, nil
		}
		colon := bytes.IndexByte(f.buf[line:line+i], ':')
		f.fields[n] = [4]int{line, line + colon, line + colon + 2, line + i - 1}
		n++
		line += i + 1
	}
}

func newFloor(src io.Reader) *floor { return &floor{src: src, buf: make([]byte, readBuffer)} }

// perEvent reports what one event costs in bytes, so that b.N is the number of events.
func perEvent(b *testing.B) {
	b.Helper()
	b.ReportAllocs()
	b.SetBytes(int64(len(corpus()) / bytes.Count(corpus(), []byte("\r\n\r\n"))))
}

// BenchmarkRead reads an event and finds every field of it, as the floor does.
func BenchmarkRead(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		perEvent(b)
		f := newFloor(&repeated{})
		for b.Loop() {
			if n, err := f.read(); n < 4 || err != nil {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("earshot", func(b *testing.B) {
		perEvent(b)
		r := NewReader(&repeated{}, Limits{})
		for b.Loop() {
			if n, err := readFields(r); n < 4 || err != nil {
				b.Fatal(n, err)
			}
		}
		b.ReportMetric(1.5, "max-ratio")
		b.ReportMetric(0, "max-allocs")
	})
	// What an event costs that nobody looks into.
	b.Run("unlooked-at", func(b *testing.B) {
		perEvent(b)
		r := NewReader(&repeated{}, Limits{})
		for b.Loop() {
			if m, err := r.Read(); err != nil || m.Len() < 4 {
				b.Fatal(m, err)
			}
		}
		b.ReportMetric(0, "max-allocs")
	})
	b.Run("textproto", func(b *testing.B) {
		perEvent(b)
		r := textproto.NewReader(bufio.NewReaderSize(&repeated{}, readBuffer))
		for b.Loop() {
			if h, err := r.ReadMIMEHeader(); err != nil || len(h) < 4 {
				b.Fatal(h, err)
			}
		}
	})
}

// readFields reads an event and looks at every field of it.
func readFields(r *Reader) (fields int, err error) {
	m, err := r.Read()
	if err != nil {
		return 0, err
	}
	for i := range m.Len() {
		if name, _ := m.Field(i); len(name) == 0 {
			return i, fmt.Errorf("field %d has no name", i)
		}
	}
	return m.Len(), nil
}

func BenchmarkMessage(b *testing.B) {
	m := read(b, string(corpus()[:1000]))
	b.Run("lookup of a late field", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if v, ok := m.Lookup("Linkedid"); !ok || len(v) == 0 {
				b.Fatal("no Linkedid")
			}
		}
	})
	b.Run("irregular", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if x := m.Irregular(); x != 0 {
				b.Fatal(x)
			}
		}
	})
	b.Run("clone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if m.Clone().Len() == 0 {
				b.Fatal("empty")
			}
		}
	})
	b.Run("write", func(b *testing.B) {
		b.ReportAllocs()
		w := NewWriter(io.Discard)
		for b.Loop() {
			if err := w.Write(m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkClientLoopback floods a logged-in client over TCP; the floor does no more than read events from such a
// connection.
func BenchmarkClientLoopback(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		perEvent(b)
		conn, err := net.Dial("tcp", flood(b, func(*peer) {}))
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		f := newFloor(conn)
		for b.Loop() {
			if _, err := f.read(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("earshot", func(b *testing.B) {
		perEvent(b)
		turns := make(chan struct{})
		batch := 0
		c, err := Dial(b.Context(), Config{
			Addr: flood(b, (*peer).login), Username: "earshot", Secret: testSecret,
			OnEvent: func(*Message) error {
				if batch++; batch == 1000 {
					batch = 0
					turns <- struct{}{}
				}
				return nil
			},
		})
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for b.Loop() {
			if n++; n%1000 == 0 {
				<-turns
			}
		}
		b.StopTimer()
		go func() { // OnEvent may be waiting to hand over
			for range turns {
			}
		}()
		c.Close()
		close(turns)
	})
}

// flood listens on loopback and, after the script, sends the corpus until the other end closes.
func flood(b *testing.B, script func(*peer)) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	b.Cleanup(wg.Wait)
	wg.Go(func() {
		conn, err := l.Accept()
		_ = l.Close() // one connection is enough
		if err != nil {
			b.Error(err)
			return
		}
		play(b, conn, func(p *peer) {
			script(p)
			for {
				p.write(string(corpus()[:1<<20]))
				p.write(string(corpus()[1<<20:]))
			}
		})
	})
	return l.Addr().String()
}

func TestReadingAllocatesNothing(t *testing.T) {
	r := NewReader(&repeated{}, Limits{})
	allocs := testing.AllocsPerRun(20_000, func() {
		m, err := r.Read()
		if err != nil || string(m.Event()) == "" {
			t.Fatal(m, err)
		}
		if v, ok := m.Lookup("Privilege"); !ok || string(v) == "call" || m.Irregular() != 0 {
			t.Fatal(m)
		}
		for i := range m.Len() {
			if name, _ := m.Field(i); len(name) == 0 {
				t.Fatal(m)
			}
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for each event", allocs)
	}
}

func TestTheCorpusIsWhatTheBenchmarksSay(t *testing.T) {
	events, fields := 0, 0
	r := NewReader(bytes.NewReader(corpus()), Limits{})
	f := newFloor(bytes.NewReader(corpus()))
	for {
		m, err := r.Read()
		n, floorErr := f.read()
		if err != floorErr {
			t.Fatalf("reader %v, floor %v", err, floorErr)
		}
		if err != nil {
			break
		}
		if n != m.Len() {
			t.Fatalf("event %d: the floor has %d fields, the reader %d", events, n, m.Len())
		}
		events++
		fields += n
	}
	bytesEach, fieldsEach := float64(len(corpus()))/float64(events), float64(fields)/float64(events)
	if events != 255*46 || bytesEach < 400 || bytesEach > 500 || fieldsEach < 17 || fieldsEach > 21 {
		t.Errorf("%d events of %.0f bytes and %.1f fields", events, bytesEach, fieldsEach)
	}
}
