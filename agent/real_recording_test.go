package agent_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/recording"
	"github.com/earshot-pbx/earshot/ami"
)

// rate is how many samples a second has in what Asterisk records of a telephone.
const rate = 8000

// levels is how loud a tone is in each tenth of a second of a recording.
func levels(samples []byte, t phone.Tone) (list []float64) {
	const n = rate / 10
	for len(samples) >= 2*n {
		c := 2 * math.Cos(2*math.Pi*float64(t.Hz())/rate)
		var s1, s2 float64
		for i := range n {
			s1, s2 = float64(int16(binary.LittleEndian.Uint16(samples[2*i:])))+c*s1-s2, s1
		}
		list = append(list, 2*math.Sqrt(max(0, s1*s1+s2*s2-c*s1*s2))/n)
		samples = samples[2*n:]
	}
	return list
}

// heard is from when to when a tone is heard in a recording.
func heard(samples []byte, t phone.Tone) (from, to time.Duration) {
	from = -1
	for i, l := range levels(samples, t) {
		if l > 500 {
			if from < 0 {
				from = time.Duration(i) * 100 * time.Millisecond
			}
			to = time.Duration(i+1) * 100 * time.Millisecond
		}
	}
	return from, to
}

// fetch asks for a recording as an employee.
func (o *office) fetch(who, path, part string) (int, []byte) {
	o.Helper()
	req, err := http.NewRequestWithContext(o.ctx, http.MethodGet, o.as(who).Base+path, nil)
	o.must(err)
	if who != "" {
		req.Header.Set("Authorization", "Bearer "+o.as(who).Token)
	}
	if part != "" {
		req.Header.Set("Range", part)
	}
	resp, err := http.DefaultClient.Do(req)
	o.must(err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	o.must(err)
	return resp.StatusCode, body
}

// A call is recorded by MixMonitor, once with the channel's unique id in the file's name and once without. What the door plays, and the parts of it, hold
// the tones of the seconds that were talked; who has no right hears nothing of it.
func TestWhatIsPlayedIsWhatWasSaid(t *testing.T) {
	dir := t.TempDir()
	o := enter(t)
	o.must(o.Write("policy.yaml", strings.Replace(strings.Replace(houseRules, "roles:\n", "roles:\n  archivist: {journal: any, recordings: any}\n  reader: {journal: any}\n", 1),
		"assign:\n", "assign:\n  - {role: archivist, to: [irina]}\n  - {role: reader, to: [nina]}\n", 1)))
	openOn(o, func(c *agent.Config) {
		c.Journal.File = filepath.Join(t.TempDir(), "journal.db")
		c.Recordings.Spools = []recording.SpoolConfig{{Name: "monitor", Path: dir}}
	})
	for _, name := range []string{"external-101-8125550101-20261122-110000-%s.wav", "bound.wav"} {
		o.scene(name, func(o *office) {
			outside, anna := o.talk(stranger, "anna")
			m := o.manager(nil)
			leg := o.legOf("PJSIP/101")
			if strings.Contains(name, "%s") {
				name = fmt.Sprintf(name, leg)
			}
			file := filepath.Join(dir, name)
			first, second := outside.Tone(), phone.Tone(25)
			_, err := m.Do(o.ctx, ami.NewAction("MixMonitor").Append("Channel", leg).Append("File", file))
			o.must(err)
			began := time.Now()
			o.must(anna.HearsOnly(o.ctx, 1500*time.Millisecond, first))
			outside.SetTone(second)
			changed := time.Now()
			_, err = anna.WaitHears(o.ctx, second)
			o.must(err)
			o.must(anna.HearsOnly(o.ctx, 2*time.Second, second))
			_, err = m.Do(o.ctx, ami.NewAction("StopMixMonitor").Append("Channel", leg))
			o.must(err)
			ended := time.Now()

			path := ""
			o.until("the recording is there", func() error {
				path = ""
				var page mask.JournalPage
				if err := o.as("irina").Do(o.ctx, http.MethodGet, "/v1/journal?employee=anna&limit=1", nil, &page); err != nil {
					return err
				}
				if len(page.Rows) == 0 || len(page.Rows[0].Recordings) != 1 || page.Rows[0].Recordings[0].State != mask.RecordingAvailable {
					return fmt.Errorf("the journal has %+v", page.Rows)
				}
				path = "/v1/recordings/" + page.Rows[0].Recordings[0].ID
				return nil
			})
			status, whole := o.fetch("irina", path, "")
			disk, err := os.ReadFile(file)
			o.must(err)
			if status != 200 || !bytes.Equal(whole, disk) {
				o.Fatalf("%d, %d bytes of %d", status, len(whole), len(disk))
			}
			samples := whole[44:]
			a0, a1 := heard(samples, first)
			b0, b1 := heard(samples, second)
			annas0, annas1 := heard(samples, anna.Tone())
			o.Logf("talked: first tone %v, second %v; in the file of %v: first %v to %v, second %v to %v, anna %v to %v", changed.Sub(began).Round(10*time.Millisecond), ended.Sub(changed).Round(10*time.Millisecond),
				time.Duration(len(samples)/2)*time.Second/rate, a0, a1, b0, b1, annas0, annas1)
			o.near("the first tone's beginning", a0, 0)
			o.near("its end", a1, changed.Sub(began))
			o.near("the second tone's beginning", b0, changed.Sub(began))
			o.near("its end", b1, ended.Sub(began))
			o.near("anna's beginning", annas0, 0)
			o.near("anna's end", annas1, ended.Sub(began))
			// A part from the middle of the second tone has that tone alone.
			from := 44 + 2*int((changed.Sub(began)+600*time.Millisecond).Seconds()*rate)
			status, part := o.fetch("irina", path, fmt.Sprintf("bytes=%d-%d", from, from+rate*2-1))
			if status != 206 || !bytes.Equal(part, whole[from:from+rate*2]) {
				o.Fatalf("a part: %d, %d bytes", status, len(part))
			}
			if x, _ := heard(part, first); x >= 0 {
				o.Error("the part has the first tone")
			}
			if x, y := heard(part, second); x != 0 || y != time.Second {
				o.Errorf("the part has the second tone from %v to %v", x, y)
			}
			// Who may read the journal alone sees that there is one, and has it by nobody's id.
			var page mask.JournalPage
			o.must(o.as("nina").Do(o.ctx, http.MethodGet, "/v1/journal?employee=anna&limit=1", nil, &page))
			if r := page.Rows[0].Recordings; len(r) != 1 || r[0].State != mask.RecordingNoAccess || r[0].ID != "" {
				o.Errorf("nina sees %+v", r)
			}
			if status, got := o.fetch("nina", path, ""); status != 404 || bytes.Contains(got, whole[:100]) {
				o.Errorf("nina got %d", status)
			}
			o.must(errors.Join(outside.Hangup(o.ctx), anna.WaitEnded(o.ctx)))
		})
	}
	o.reaches("earshot_recordings_kept_total", 2)
}
