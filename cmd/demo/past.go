package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
)

// pastRow is a row of the journal, as far as the tour looks at it.
type pastRow struct {
	ID, Employee, Direction, Outcome string
	Ended                            *time.Time
	Talk                             int
	Peer                             *site.Peer
	Hidden                           bool
	Recordings                       []struct{ ID, State string }
}

// past has a call recorded by the PBX, as its dialplan would, and read and played when it is over.
func (d *demo) past(ctx context.Context) error {
	t, err := d.talk(ctx, vera, "anna")
	if err != nil {
		return err
	}
	if err := d.record(ctx, "PJSIP/101"); err != nil {
		return err
	}
	if err := t.inside.HearsOnly(ctx, 2*time.Second, vera.tone); err != nil {
		return err
	}
	if err := t.outside.Hangup(ctx); err != nil {
		return err
	}
	if err := t.inside.WaitEnded(ctx); err != nil {
		return err
	}
	irina, err := d.reads(ctx, "irina", "available")
	if err != nil {
		return err
	}
	olga, err := d.reads(ctx, "olga", "no_access")
	if err != nil {
		return err
	}
	if irina.Peer == nil || irina.Peer.Name != "Vera Client" || olga.Peer != nil || !olga.Hidden || irina.ID == olga.ID {
		return errors.New("irina should read with whom anna talked, and olga not, each by an id of her own")
	}
	path := "/v1/recordings/" + irina.Recordings[0].ID
	seconds, err := d.play(ctx, "irina", path)
	if err != nil {
		return err
	}
	say("irina plays it: %.1f s of sound", seconds)
	if seconds < 1.5 {
		return fmt.Errorf("two seconds were talked, and the recording has %.1f", seconds)
	}
	say("olga asks for the same recording")
	_, err = d.play(ctx, "olga", path)
	return refused(err, "no_such_recording")
}

// record has the PBX record a phone's call into the folder that Earshot serves.
func (d *demo) record(ctx context.Context, phone string) error {
	list, err := d.site.PBX.Command(ctx, "core show channels concise")
	if err != nil {
		return err
	}
	for line := range strings.Lines(list) {
		if f := strings.Split(strings.TrimSpace(line), "!"); strings.HasPrefix(line, phone+"-") {
			_, err := d.site.PBX.Command(ctx, "mixmonitor start "+f[0]+" "+d.site.Path("recordings/"+f[len(f)-1]+".wav"))
			return err
		}
	}
	return fmt.Errorf("%s has no channel", phone)
}

// reads waits until a reader's journal has the newest call with its recording, and shows it.
func (d *demo) reads(ctx context.Context, reader, recording string) (pastRow, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var page struct{ Rows []pastRow }
		if err := d.clients[reader].Do(ctx, http.MethodGet, "/v1/journal?employee=anna&limit=1", nil, &page); err != nil {
			return pastRow{}, fmt.Errorf("%s should read that anna's call is over and its recording %s: %w", reader, recording, err)
		}
		if len(page.Rows) == 1 && len(page.Rows[0].Recordings) == 1 && page.Rows[0].Ended != nil && page.Rows[0].Recordings[0].State == recording {
			r := page.Rows[0]
			with := "(hidden)"
			if r.Peer != nil {
				with = r.Peer.Name + " " + r.Peer.Number
			}
			say("%s reads: %-5s %s %s, talked %d s with %-30s recording: %s", reader, r.Employee, r.Direction, r.Outcome, r.Talk, with, r.Recordings[0].State)
			return r, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// play gets a recording and says how long it is.
func (d *demo) play(ctx context.Context, who, path string) (seconds float64, err error) {
	c := d.clients[who]
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Base+path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	sound, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return 0, c.Do(ctx, http.MethodGet, path, nil, nil) // which reads why not
	}
	const header, second = 44, 16_000 // of a WAV file as Asterisk writes it: 8000 samples of two bytes
	if !bytes.HasPrefix(sound, []byte("RIFF")) || len(sound) < header {
		return 0, errors.New("what was played is no WAV file")
	}
	return float64(len(sound)-header) / second, nil
}
