package pbx

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/call"
	"github.com/earshot-pbx/earshot/ari"
)

// recorded is how long a recording of eight thousand samples of two bytes a second is, behind the header of a WAV file.
func (o *office) recorded(t *testing.T, name string) time.Duration {
	t.Helper()
	info, err := os.Stat(filepath.Join(o.pbx.Dir(), "spool", "recording", name+"."+RecordFormat))
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(info.Size()-44) * time.Second / 16000
}

// A recording goes on as long as its lease is renewed, leaves out what is said while it is paused, and ends with the lease. Nobody hears of it.
func TestARecordOrderRecordsUntilItsLeaseEnds(t *testing.T) {
	o := openOffice(t)
	over := make(chan Recording, 8)
	r := run(t, o, func(c *Config) {
		c.Recorded = func(rec Recording) {
			if rec.Over {
				over <- rec
			}
		}
	}, nil)
	r.up()
	defer o.hangupAll(t)
	target, peer, err := o.talk(r.ctx, "101", "102")
	r.must(err)
	r.shows("101 talking out with 102", "102 talking in with 101")
	leg := r.legs("PJSIP/101")[0]
	order := Record{Holder: Prefix + "taped", Snoop: Prefix + "taped-on", Target: leg, Name: Prefix + "tape", Lease: 2 * time.Second}
	began := time.Now()
	r.must(r.link.Record(r.ctx, order))
	recording := time.Now()
	r.shows("101 talking out with 102", "102 talking in with 101") // as before
	renew := func(d time.Duration) {
		t.Helper()
		for until := time.Now().Add(d); time.Now().Before(until); {
			r.must(target.HearsOnly(r.ctx, 500*time.Millisecond, peer.Tone()))
			r.must(r.link.Renew(r.ctx, order.Lease, order.Holder))
		}
	}
	renew(3 * time.Second)
	r.must(r.link.PauseRecording(r.ctx, order.Name))
	paused := time.Now()
	records := func() bool {
		t.Helper()
		runs, err := r.link.Records(r.ctx, order.Name)
		r.must(err)
		return runs
	}
	r.must(r.link.PauseRecording(r.ctx, order.Name)) // who does not know whether it is pauses it again
	if !records() {
		t.Error("one that is paused is taken to be over")
	}
	renew(1500 * time.Millisecond)
	r.must(r.link.ResumeRecording(r.ctx, order.Name))
	resumed := time.Now()
	renew(time.Second)
	last := time.Now()
	r.until("the lease ends it", func() bool { return !r.left(order.Holder) && !r.left(order.Snoop) })
	ended := time.Now()
	if lived := ended.Sub(last); lived < 1800*time.Millisecond || lived > 5*time.Second {
		t.Errorf("it lived for %v after a renewal for %v", lived, order.Lease)
	}
	select {
	case rec := <-over:
		if rec.Name != order.Name || rec.Leg != order.Snoop || rec.Format != RecordFormat {
			t.Errorf("%+v", rec)
		}
	case <-r.ctx.Done():
		t.Fatal("its end is not told")
	}
	if records() {
		t.Error("one that is over is taken to go on")
	}
	want := paused.Sub(recording) + ended.Sub(resumed)
	got := o.recorded(t, order.Name)
	t.Logf("made in %v; talked %v, paused %v; in the file %v", recording.Sub(began), want, resumed.Sub(paused), got)
	if d := got - want; d < -500*time.Millisecond || d > 500*time.Millisecond {
		t.Errorf("the file has %v, want %v", got, want)
	}
	if err := r.link.PauseRecording(r.ctx, order.Name); !errors.Is(err, ErrNotRecording) {
		t.Errorf("to pause one that is over: %v", err)
	}
	// A name that is there already is not written over, and nothing is left of the attempt.
	again := order
	again.Holder, again.Snoop = Prefix+"taped-again", Prefix+"taped-again-on"
	if err := r.link.Record(r.ctx, again); !errors.Is(err, ari.ErrConflict) {
		t.Errorf("the same name again: %v", err)
	}
	r.until("nothing is left", func() bool { return !r.left(again.Holder) && !r.left(again.Snoop) })
	if now := o.recorded(t, order.Name); now != got {
		t.Errorf("the file has %v after that", now)
	}
	// To drop it is to end it, and the file is whole.
	second := order
	second.Holder, second.Snoop = Prefix+"taped-2", Prefix+"taped-2-on" // Asterisk may still be busy with the others
	second.Name, second.Lease = Prefix+"tape-dropped", time.Minute
	r.must(r.link.Record(r.ctx, second))
	since := time.Now()
	r.must(target.HearsOnly(r.ctx, time.Second, peer.Tone()))
	r.must(r.link.Drop(r.ctx, "", second.Snoop, second.Holder))
	<-over
	if got, want := o.recorded(t, second.Name), time.Since(since); got < want-500*time.Millisecond || got > want+500*time.Millisecond {
		t.Errorf("the file has %v, want %v", got, want)
	}
	// What neither side sends audio for takes its time in the file all the same.
	third := second
	third.Holder, third.Snoop = Prefix+"taped-3", Prefix+"taped-3-on"
	third.Name = Prefix + "tape-silent"
	r.must(r.link.Record(r.ctx, third))
	since = time.Now()
	r.must(target.HearsOnly(r.ctx, time.Second, peer.Tone()))
	target.Silence(true)
	peer.Silence(true)
	silence := time.NewTimer(2 * time.Second)
	defer silence.Stop()
	<-silence.C
	r.must(r.link.Drop(r.ctx, "", third.Snoop, third.Holder))
	<-over
	if got, want := o.recorded(t, third.Name), time.Since(since); got < want-500*time.Millisecond || got > want+500*time.Millisecond {
		t.Errorf("with a silence the file has %v, want %v", got, want)
	}
	if err := r.link.Record(r.ctx, Record{Holder: Prefix + "nowhere", Snoop: Prefix + "nowhere-on", Target: call.LegID("1700000000.1"), Name: Prefix + "nothing", Lease: time.Minute}); !errors.Is(err, ari.ErrNotFound) {
		t.Errorf("of a leg that is not there: %v", err)
	}
}
