package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/ari"
)

const secret = "doctor-secret"

// the rig's own configuration has an account for the doctor, from the start.
const doctorAccount = "[doctor]\nsecret=" + secret + "\nread=config,command,reporting\nwrite=config,command,reporting\n"

var earshots = Own{AMI: "earshot", ARI: "earshot", Application: "earshot", Doctor: "doctor", Emergency: []string{"112", "9112"}, Trusted: []string{"AudioSocket/192.0.2.9:*", "EAGI/transcribe*"}}

// office is a real Asterisk with the configuration of a folder of testdata, live and as files.
type office struct {
	pbx   *pbxtest.PBX
	live  *Live
	files *Files
	lines map[string][]string // of each file as it stands in the folder
	first map[string]int      // how many lines stand before the ones of testdata
}

// open starts an Asterisk with more modules, or without some. What AMI reads of its files is what stands on the disk, so that it need not
// really listen beyond loopback for a test.
func open(t *testing.T, folder string, more []string, without []string) *office {
	t.Helper()
	extra := map[string]string{"manager.conf": doctorAccount}
	for _, m := range without {
		extra["modules.conf"] += "noload=" + m + "\n"
	}
	p, err := pbxtest.Start(t.Context(), pbxtest.Options{Plan: pbxtest.Plan{Modules: more, Extra: extra}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	o := &office{pbx: p, lines: map[string][]string{}, first: map[string]int{}}
	etc := filepath.Join(p.Dir(), "etc")
	err = filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if name == "asterisk.conf" { // says where everything is
			before, err := os.ReadFile(filepath.Join(etc, name))
			if err != nil {
				return err
			}
			o.first[name] = bytes.Count(before, []byte("\n"))
			text = append(before, text...)
		}
		o.lines[name] = strings.Split(string(text), "\n")
		if err := os.MkdirAll(filepath.Dir(filepath.Join(etc, name)), 0o700); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(etc, name), text, 0o600)
	})
	if err != nil || len(o.lines) == 0 {
		t.Fatalf("%d files: %v", len(o.lines), err)
	}
	if _, err := p.Command(t.Context(), "dialplan reload"); err != nil {
		t.Fatal(err)
	}
	if o.live, err = Dial(t.Context(), p.AMI(), "doctor", secret); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.live.Close)
	if o.files, err = OpenFiles(etc); err != nil {
		t.Fatal(err)
	}
	return o
}

func examine(t *testing.T, own Own, sides ...PBX) *Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := Examine(ctx, own, sides...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// marked are the findings that the comments of the files want, as "file:line code".
func (o *office) marked() []string {
	var want []string
	for name, lines := range o.lines {
		for i, l := range lines {
			if _, codes, ok := strings.Cut(l, ";! "); ok {
				for _, code := range strings.Fields(codes) {
					want = append(want, fmt.Sprintf("%s:%d %s", name, i+1, code))
				}
			}
		}
	}
	slices.Sort(want)
	return want
}

// placed are findings as marked gives them, without those of modules.conf, which is the rig's.
func placed(r *Report) []string {
	var got []string
	for _, f := range r.Findings {
		if f.File != "modules.conf" {
			got = append(got, fmt.Sprintf("%s:%d %s", f.File, f.Line, f.Code))
		}
	}
	slices.Sort(got)
	return got
}

// named are findings by what they are about, which is the same however a PBX is read.
func named(r *Report) []string {
	var got []string
	for _, f := range r.Findings {
		got = append(got, fmt.Sprintf("%s %s [%s] %s", f.Severity, f.Code, f.Section, f.Subject))
	}
	slices.Sort(got)
	return got
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(want) == 0 {
		t.Fatalf("%s: nothing is wanted", what)
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("%s: not found: %s", what, w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("%s: found beside: %s", what, g)
		}
	}
	if len(got) != len(want) && !t.Failed() {
		t.Errorf("%s: %d findings, want %d", what, len(got), len(want))
	}
}

// added are modules beside the rig's that the faulty PBX loads.
var added = []string{"func_curl.so", "res_curl.so", "func_shell.so", "app_system.so", "res_agi.so", "res_rtp_multicast.so", "chan_rtp.so", "func_export.so", "pbx_spool.so", "app_mp3.so", "app_dictate.so"}

func TestAFaultyPBXIsFoundOutByItsFilesAndLive(t *testing.T) {
	o := open(t, "testdata/faulty", added, nil)
	files := examine(t, earshots, o.files)
	same(t, "files", placed(files), o.marked())

	live := examine(t, earshots, o.live)
	same(t, "live", named(live), named(files))
	for _, f := range live.Findings {
		if f.File == "" {
			t.Errorf("live: no file for %s %s", f.Code, f.Subject)
		}
		// The dialplan alone has lines in a running Asterisk.
		if strings.HasPrefix(f.Code, "dialplan-") && f.Code != "dialplan-elsewhere" || strings.HasPrefix(f.Code, "spy-") {
			if at := fmt.Sprintf("%s:%d %s", f.File, f.Line, f.Code); !slices.ContainsFunc(o.marked(), func(m string) bool { return strings.HasSuffix("/"+m, "/"+at) }) {
				t.Errorf("live: a wrong place: %s", at)
			}
		}
	}

	joined := examine(t, earshots, o.live, o.files)
	same(t, "both", named(joined), named(files))
	same(t, "both, by line", placed(joined), o.marked())
	for _, f := range joined.Findings {
		if !slices.Equal(f.Seen, []string{"live", "files"}) {
			t.Errorf("%s %s was seen by %v", f.Code, f.Subject, f.Seen)
		}
	}

	t.Run("modules", func(t *testing.T) { o.modules(t, files) })
	t.Run("replaces", func(t *testing.T) { o.replaces(t, files) })
	t.Run("secrets", func(t *testing.T) { o.secretless(t, joined) })
	t.Run("applications", o.applications)
	t.Run("without an account of ours", func(t *testing.T) {
		got := named(examine(t, Own{}, o.live))
		for _, want := range []string{"high ami-powers [earshot] write", "high ami-powers [doctor] write", "high ari-user [earshot] "} {
			if !slices.Contains(got, want) {
				t.Errorf("not found: %s", want)
			}
		}
	})
}

// modules holds what is found of modules against modules.conf.
func (o *office) modules(t *testing.T, files *Report) {
	raw, err := os.ReadFile(filepath.Join(o.pbx.Dir(), "etc", "modules.conf"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(raw), "\n")
	var got, want []string
	for _, f := range files.Findings {
		if f.Code == "module" {
			got = append(got, f.Subject)
			if lines[f.Line-1] != "load="+f.Subject {
				t.Errorf("%s:%d is %q, which does not load %s", f.File, f.Line, lines[f.Line-1], f.Subject)
			}
		}
	}
	for _, r := range risks {
		if slices.Contains(lines, "load="+r.name) {
			want = append(want, r.name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if len(want) < 19 || !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// secretless looks for secrets in what is printed, and in what was read.
func (o *office) secretless(t *testing.T, r *Report) {
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	held := fmt.Sprintf("%+v %+v", slices.Collect(maps.Values(o.live.configs)), slices.Collect(maps.Values(o.files.configs)))
	for _, c := range o.live.configs {
		held += fmt.Sprintf("%+v", *c)
	}
	for _, c := range o.files.configs {
		held += fmt.Sprintf("%+v", *c)
	}
	if !strings.Contains(held, "named_pickup_group") {
		t.Fatal("nothing was read")
	}
	for _, secret := range []string{"earshot-secret", "doctor-secret", "secret-101", "secret-room"} {
		for what, text := range map[string]string{"the JSON": string(raw), "the text": out.String(), "the memory": held} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds the secret %s", what, secret)
			}
		}
	}
	if strings.Contains(string(raw), "no-password") || strings.Contains(out.String(), "40325ec2") {
		t.Error("arguments of the dialplan are told")
	}
}

// replaces looks for the finding about who takes calls by their dialogs, which is about a line of the rig's own modules.conf.
func (o *office) replaces(t *testing.T, r *Report) {
	var found []string
	for _, f := range r.Findings {
		if f.Code == "sip-replaces" {
			found = append(found, f.Subject)
			if f.Line == 0 {
				t.Error("it has no line")
			}
		}
	}
	if !slices.Equal(found, []string{referrer}) {
		t.Errorf("found %q", found)
	}
}

// applications connects two by ARI, one of which gets all events.
func (o *office) applications(t *testing.T) {
	s := o.pbx.Site()
	c, err := ari.New(ari.Config{BaseURL: o.pbx.ARI(), Username: s.Admin.User, Password: s.Admin.Password})
	if err != nil {
		t.Fatal(err)
	}
	for name, all := range map[string]bool{"hungry": true, "modest": false, "earshot": true} {
		stream, err := c.Listen(t.Context(), name, ari.ListenOptions{SubscribeAll: all})
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
	}
	var got []string
	for _, f := range examine(t, earshots, o.live).Findings {
		if f.Code == "ari-devices" {
			got = append(got, f.Section)
		}
	}
	if !slices.Equal(got, []string{"hungry"}) {
		t.Errorf("found %v, want hungry alone", got)
	}
}

func TestACleanPBXHasNothingOpen(t *testing.T) {
	risky := []string{referrer}
	for _, r := range risks {
		if !r.ari { // without anybody beside Earshot who has ARI, these open nothing, and the rig asks them whether Asterisk is up
			risky = append(risky, r.name)
		}
	}
	o := open(t, "testdata/clean", nil, risky)
	for name, sides := range map[string][]PBX{"live": {o.live}, "files": {o.files}, "both": {o.live, o.files}} {
		r := examine(t, earshots, sides...)
		if len(r.Findings) > 0 || r.Open() {
			t.Errorf("%s: found %q", name, named(r))
		}
	}
	// The control of the control: it was looked at.
	if plan, err := o.live.Dialplan(t.Context()); err != nil || len(plan.Steps) < 7 || len(plan.Hints) != 2 {
		t.Errorf("%d steps, %d hints: %v", len(plan.Steps), len(plan.Hints), err)
	}
}

func TestTheDemoPBXIsOpenWhereItIsSaidToBe(t *testing.T) {
	plan := pbxtest.Demo()
	plan.Extra = map[string]string{"manager.conf": doctorAccount}
	p, err := pbxtest.Start(t.Context(), pbxtest.Options{Plan: plan})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}()
	live, err := Dial(t.Context(), p.AMI(), "doctor", secret)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	files, err := OpenFiles(filepath.Join(p.Dir(), "etc"))
	if err != nil {
		t.Fatal(err)
	}
	var high []string
	for _, f := range examine(t, earshots, live, files).Findings {
		if f.Severity == High {
			high = append(high, f.Code+" "+f.Section)
		}
	}
	same(t, "the demo", high, []string{
		"ami-powers admin", "ari-user admin", "module modules", // the tests' own account, and what it could do with ARI
		"dialplan-pickup phones", "pickup-code general", // pickup by keys, which the demo shows
	})
}

func TestThePBXOfTheContainersIsOpenWhereItIsSaidToBe(t *testing.T) {
	files, err := OpenFiles("../../testdata/pbx")
	if err != nil {
		t.Fatal(err)
	}
	r := examine(t, earshots, files)
	var high, unread []string
	for _, f := range r.Findings {
		switch {
		case f.Severity == High:
			high = append(high, f.Code+" "+f.Section)
		case f.Code == "unread":
			unread = append(unread, f.File)
		}
	}
	same(t, "high", high, []string{"dialplan-pickup phones", "pickup-code general"})
	same(t, "unread", unread, []string{"pjsip.conf"}) // it includes a file that the container writes
}

func TestAnAccountWithTooLittleIsAnErrorAndNoCleanBill(t *testing.T) {
	p, err := pbxtest.Start(t.Context(), pbxtest.Options{Plan: pbxtest.Plan{Extra: map[string]string{
		"manager.conf": doctorAccount + "[poor]\nsecret=" + secret + "\nread=config\nwrite=config\n",
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	}()
	for user, want := range map[string]bool{"doctor": true, "poor": false, "earshot": false} {
		secret := secret
		if user == "earshot" {
			secret = p.Site().Earshot.Password
		}
		live, err := Dial(t.Context(), p.AMI(), user, secret)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Examine(t.Context(), earshots, live); (err == nil) != want {
			t.Errorf("%s: %v", user, err)
		}
		live.Close()
	}
	if live, err := Dial(t.Context(), p.AMI(), "doctor", "wrong"); err == nil {
		live.Close()
		t.Error("a wrong secret logs in")
	}
}
