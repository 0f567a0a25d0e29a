package pbxtest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// asterisk is the installation for the tests of this package; the first one on a machine downloads it.
func asterisk(t *testing.T) *Asterisk {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	a, err := Find(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func start(t *testing.T, o Options) *PBX {
	t.Helper()
	p, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// get is the status and body of an ARI request with Earshot's account, within the given time.
func get(t *testing.T, p *PBX, path string, within time.Duration) (int, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.ARI()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(p.Site().Earshot.User, p.Site().Earshot.Password)
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	return res.StatusCode, string(raw), err
}

func TestTheDemoPBXBootsWithoutAnErrorInItsLog(t *testing.T) {
	p := start(t, Options{Plan: Demo(), Asterisk: asterisk(t)})
	t.Log("Asterisk", p.Version())
	status, body, err := get(t, p, "/asterisk/info", 10*time.Second)
	if err != nil || status != http.StatusOK || !strings.Contains(body, `"version":"`+p.Version()) {
		t.Fatalf("asterisk/info: %d %s %v", status, body, err)
	}
	log, err := p.Log()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log, "modules will be loaded") {
		t.Errorf("the log does not hold what it should: %s", log)
	}
	for line := range strings.Lines(log) {
		if strings.Contains(line, "ERROR[") || strings.Contains(line, "WARNING[") {
			t.Error(line)
		}
	}
	// Without this prompt every DTMF transfer is given up.
	if _, err := os.Stat(filepath.Join(p.Dir(), "data/sounds/en/pbx-transfer.gsm")); err != nil {
		t.Error(err)
	}
}

func TestThePlanIsWhatAsteriskHas(t *testing.T) {
	plan := Demo()
	plan.Extensions = []Extension{
		{Number: "555", Steps: []string{"Answer()", "Wait(1)"}},
		{Context: "other", Number: "_6XX", Steps: []string{"Hangup()"}},
	}
	p := start(t, Options{Plan: plan, Asterisk: asterisk(t)})
	for line, want := range map[string][]string{
		"dialplan show 555@phones":          {"Answer()", "Wait(1)"},
		"dialplan show 101@phones":          {"Dial(PJSIP/101,60,tTkK)"},
		"dialplan show other":               {"_6XX"},
		"dialplan show 74950000101@outside": {"Goto(incoming,101,1)"},
		"pjsip show endpoint trunk":         {"identify_by                        : auth_username"},
		"pjsip show endpoint 303":           {"direct_media                       : true", "named_pickup_group                 : office"},
		"pjsip show endpoint 101":           {"direct_media                       : false", `"Anna Petrova" <101>`},
		"queue show support":                {"Local/201@phones/n from PJSIP/201"},
		"parking show default":              {"701-720"},
		"moh show files":                    {"data/moh/tone"},
		"manager show user earshot":         {"read perm: call,agent", "write perm: call,agent,reporting,originate"},
		"core show application Stasis":      {"Stasis"},
		"core show function TIMEOUT":        {"absolute"},
		"core show function CDR":            {"answer"},
	} {
		out, err := p.Command(t.Context(), line)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%q does not say %q:\n%s", line, w, out)
			}
		}
	}
}

func TestSeveralRunAtOnce(t *testing.T) {
	a := asterisk(t)
	const n = 3
	var wg sync.WaitGroup
	all := make([]*PBX, n)
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { all[i], errs[i] = Start(t.Context(), Options{Plan: Demo(), Asterisk: a}) })
	}
	wg.Wait()
	seen := map[string]bool{}
	for i, p := range all {
		if errs[i] != nil {
			t.Error(errs[i])
			continue
		}
		for _, addr := range []string{p.SIP(), p.AMI(), p.ARI()} {
			if seen[addr] {
				t.Errorf("%s is used twice", addr)
			}
			seen[addr] = true
		}
		if out, err := p.Command(t.Context(), "core show settings"); err != nil || !strings.Contains(out, p.Dir()) {
			t.Errorf("the command line of another instance answered: %v\n%s", err, out)
		}
	}
	for _, p := range all {
		if p == nil {
			continue
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(p.Dir()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", p.Dir(), err)
		}
		select {
		case <-p.Done():
		default:
			t.Error("the process is left")
		}
	}
}

func TestAPausedAsteriskKeepsItsConnectionsAndDoesNotAnswer(t *testing.T) {
	p := start(t, Options{Asterisk: asterisk(t)})
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := get(t, p, "/asterisk/info", 300*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a paused Asterisk answered, or refused the connection: %v", err)
	}
	if err := p.Continue(); err != nil {
		t.Fatal(err)
	}
	if status, _, err := get(t, p, "/asterisk/info", 10*time.Second); err != nil || status != http.StatusOK {
		t.Errorf("after Continue: %d %v", status, err)
	}
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stop a paused one: %v", err)
	}
}

func TestRestartKeepsThePorts(t *testing.T) {
	p := start(t, Options{Plan: Demo(), Asterisk: asterisk(t)})
	for _, end := range []func() error{nil, p.Kill} {
		sip, ami, ari, before := p.SIP(), p.AMI(), p.ARI(), p.Done()
		if end != nil {
			if err := end(); err != nil {
				t.Fatal(err)
			}
			if _, _, err := get(t, p, "/asterisk/info", 5*time.Second); err == nil {
				t.Error("a killed Asterisk answered")
			}
		}
		if err := p.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		select {
		case <-before:
		default:
			t.Error("the process of before still runs")
		}
		if p.SIP() != sip || p.AMI() != ami || p.ARI() != ari {
			t.Errorf("%s %s %s became %s %s %s", sip, ami, ari, p.SIP(), p.AMI(), p.ARI())
		}
		if status, _, err := get(t, p, "/asterisk/info", 10*time.Second); err != nil || status != http.StatusOK {
			t.Errorf("after the restart: %d %v", status, err)
		}
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := p.Restart(t.Context()); err == nil {
		t.Error("a stopped PBX was restarted")
	}
}

func TestATakenPortIsNoticedAndAnotherBlockIsUsed(t *testing.T) {
	a := asterisk(t)
	for name, take := range map[string]func(*ports) (io.Closer, error){
		"SIP":  func(p *ports) (io.Closer, error) { return net.ListenPacket("udp", address(p.sip())) },
		"AMI":  func(p *ports) (io.Closer, error) { return net.Listen("tcp", address(p.ami())) },
		"HTTP": func(p *ports) (io.Closer, error) { return net.Listen("tcp", address(p.http())) },
	} {
		t.Run(name, func(t *testing.T) {
			claimed, err := claimPorts()
			if err != nil {
				t.Fatal(err)
			}
			taken, err := take(claimed)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = taken.Close() }()
			if err := claimed.free(); err == nil {
				t.Error("the taken port was not noticed before the start")
			}
			first := true
			p := &PBX{asterisk: a}
			err = p.beginAnywhere(t.Context(), func() (*ports, error) {
				if first {
					first = false
					return claimed, nil
				}
				return claimPorts()
			})
			if err != nil {
				t.Fatal(err)
			}
			if p.ports.base == claimed.base {
				t.Error("it came up on the block where a port is taken")
			}
			if err := p.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAnAsteriskThatDoesNotComeUpShowsItsLog(t *testing.T) {
	plan := Plan{Extra: map[string]string{"modules.conf": "require=app_nowhere.so"}}
	_, err := Start(t.Context(), Options{Plan: plan, Asterisk: asterisk(t)})
	if err == nil || !strings.Contains(err.Error(), "the process ended") || !strings.Contains(err.Error(), "app_nowhere") {
		t.Errorf("the error does not tell what is wrong: %v", err)
	}
}

func TestWithoutAnyAsteriskTheErrorSaysWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("EARSHOT_CACHE", t.TempDir())
	t.Setenv("EARSHOT_ASTERISK", "")
	_, err := Start(t.Context(), Options{Progress: func(string) {}})
	if err == nil {
		t.Fatal("an Asterisk was found")
	}
	for _, want := range []string{"apt-get is missing", "no asterisk on the PATH", "20 or newer", EnvAsterisk} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestVersions(t *testing.T) {
	for out, want := range map[string]struct {
		version    string
		by20, by16 bool
	}{
		"Asterisk 22.10.1~dfsg+~cs6\n":         {"22.10.1~dfsg+~cs6", true, false},
		"Asterisk 20.0.0\n":                    {"20.0.0", true, false},
		"Asterisk 16.28.0~dfsg-0+deb11u4\n":    {"16.28.0~dfsg-0+deb11u4", false, true},
		"warning first\nAsterisk 23.1.0-rc1\n": {"23.1.0-rc1", true, false},
		"Asterisk certified/18.9\n":            {},
		"zsh: command not found: asterisk\n":   {},
	} {
		for _, c := range []struct {
			versions
			ok bool
		}{{since(oldest), want.by20}, {exactly(16), want.by16}} {
			got, err := parseVersion(out, c.versions)
			if (err == nil) != c.ok || c.ok && got != want.version {
				t.Errorf("%q where %s is needed: %q, %v", out, c.words, got, err)
			}
			if err != nil && want.version != "" && !strings.Contains(err.Error(), c.words+" is needed") {
				t.Errorf("%q does not say what is needed", err)
			}
		}
	}
}

func TestAReleaseThatNobodyPackagesIsRefused(t *testing.T) {
	t.Setenv(EnvAsterisk, "18")
	if _, err := Find(t.Context(), func(string) {}); err == nil || !strings.Contains(err.Error(), "neither 22 nor 16") {
		t.Errorf("18 was asked for, and the answer is %v", err)
	}
}

func TestAPlanThatAsteriskWouldReadDifferentlyIsRefused(t *testing.T) {
	for name, plan := range map[string]Plan{
		"a number twice":          {Phones: []Phone{{ID: "101"}, {ID: "102", Number: "101"}}},
		"an endpoint twice":       {Phones: []Phone{{ID: "101"}}, Trunks: []Trunk{{ID: "101"}}},
		"no id":                   {Phones: []Phone{{Name: "Anna"}}},
		"a line feed in a name":   {Phones: []Phone{{ID: "101", Name: "Anna\ncontext=outside"}}},
		"a comment in a password": {Phones: []Phone{{ID: "101", Password: "a;b"}}},
		"a foreign queue member":  {Queues: []Queue{{Name: "q", Number: "600", Members: []Member{{Phone: "999"}}}}},
		"a foreign group member":  {Groups: []Group{{Number: "600", Phones: []string{"999"}}}},
		"a section in an id":      {Phones: []Phone{{ID: "101](!)"}}},
	} {
		if _, err := plan.Files(Site{}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
