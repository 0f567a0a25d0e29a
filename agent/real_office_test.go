package agent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent"
	"github.com/earshot-pbx/earshot/agent/audit"
	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/pbxtest"
	"github.com/earshot-pbx/earshot/agent/pbxtest/phone"
	"github.com/earshot-pbx/earshot/agent/pbxtest/site"
	"github.com/earshot-pbx/earshot/ari"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

// patience bounds one scene; what is waited for comes within a second or two.
const patience = 25 * time.Second

// lease is the site's: the shortest that there is, so that a killed Earshot's supervisions end while a test waits.
const lease = 3 * time.Second

// houseRules is the policy that every test begins with. olga and maria listen without seeing with whom; nina may nothing.
const houseRules = `version: 1
timezone: Europe/Moscow
departments:
  sales:   {name: Sales}
  support: {name: Support}
  office:  {name: Office}
employees:
  anna:   {name: Anna Petrova, phones: [PJSIP/101], numbers: ["101"], department: sales}
  boris:  {name: Boris Orlov, phones: [PJSIP/102], numbers: ["102"], department: sales}
  irina:
    name: Irina Belova
    phones: [PJSIP/103]
    numbers: ["103"]
    department: sales
    observe: true
    listen: {to: any, except: [pavel]}
  sergei: {name: Sergei Volkov, phones: [PJSIP/201], numbers: ["201"], department: support}
  olga:
    name: Olga Kim
    phones: [PJSIP/202]
    numbers: ["202"]
    department: support
    listen: {to: any, allow: [spy, whisper]}
  pavel:  {name: Pavel Sokolov, phones: [PJSIP/203], numbers: ["203"], department: support, listen: {to: [sergei]}}
  maria:  {name: Maria Director, phones: [PJSIP/301], numbers: ["301"], department: office, listen: {to: any, allow: [spy, whisper]}}
  nina:   {name: Nina Accountant, phones: [PJSIP/302], numbers: ["302"], department: office}
  gleb:   {name: Gleb Secretary, phones: [PJSIP/303], numbers: ["303"], department: office, intercept: {to: any, except: [pavel]}}
roles:
  seller: {intercept: true}
assign:
  - {role: seller, to: [department:sales, sergei]}
protected:
  employees: [maria]
  numbers: ["+7 495 765-43-21"]
trunks: [PJSIP/trunk]
`

const directory = `region: RU
clients:
  - {number: "+7 916 123-45-67", name: Vera Client, responsible: anna}
  - {number: "+7 916 222-33-44", name: Oleg Customer, responsible: sergei}
`

// caller is somebody outside, with a voice of his own.
type caller struct {
	number, name string
	tone         phone.Tone
}

var (
	vera     = caller{"+79161234567", "VERA C", 21}    // anna's client
	oleg     = caller{"+79162223344", "OLEG K", 22}    // sergei's client
	stranger = caller{"+78125550101", "STRANGER", 23}  // nobody's client
	secret   = caller{"+74957654321", "PROTECTED", 24} // a protected number
)

// seeds are what may stand in no metric, no log line and no audit entry: numbers and names, of callers and employees.
var seeds = []string{
	"9161234567", "9162223344", "8125550101", "4957654321", "VERA C", "OLEG K", "STRANGER", "PROTECTED", "Vera Client", "Oleg Customer",
	"30123456789", "HERR VON", "Anna Petrova", "Irina Belova", "Maria Director",
}

// unknownPhone is an endpoint of the PBX of which the policy knows nothing.
const unknownPhone = "304"

func TestMain(m *testing.M) {
	code := m.Run()
	if binDir != "" {
		_ = os.RemoveAll(binDir)
	}
	if err := closeCompany(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the company:", err)
		code = max(code, 1)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// company is what all tests of the package share: one Asterisk with its phones, and a token for each employee.
type company struct {
	*site.Site
	tokens  map[string]string
	unknown *phone.Phone
	admin   *ari.Client  // looks at the PBX past Earshot
	sink    net.Listener // where audio is carried to
}

var theCompany struct {
	sync.Mutex
	c   *company
	err error
}

func openCompany(ctx context.Context) (*company, error) {
	theCompany.Lock()
	defer theCompany.Unlock()
	if theCompany.c == nil && theCompany.err == nil {
		theCompany.c, theCompany.err = startCompany(ctx, nil)
	}
	return theCompany.c, theCompany.err
}

func startCompany(ctx context.Context, clock *pbxtest.Clock) (*company, error) {
	plan := pbxtest.Demo()
	plan.Phones = append(plan.Phones, pbxtest.Phone{ID: unknownPhone})
	for i := range listeners {
		plan.Phones = append(plan.Phones, pbxtest.Phone{ID: listener(i)})
	}
	plan.Incoming = append(plan.Incoming, pbxtest.Incoming{Number: "74950000161", To: "161"}, pbxtest.Incoming{Number: "74950000162", To: "162"}, pbxtest.Incoming{Number: "74950000164", To: "164"}, pbxtest.Incoming{Number: "74950000" + ringGroup, To: ringGroup})
	plan.Extensions = append(plan.Extensions,
		pbxtest.Extension{Context: "incoming", Number: "161", Steps: []string{"Dial(Local/101@phones,60)"}},
		pbxtest.Extension{Context: "incoming", Number: ringGroup, Steps: []string{"Dial(PJSIP/102&Local/" + stranger.number[1:] + "@phones,60)"}},
		pbxtest.Extension{Context: "incoming", Number: "162", Steps: []string{"Dial(Local/101@phones/n,60)"}},
		pbxtest.Extension{Context: "incoming", Number: "164", Steps: []string{"Wait(60)"}},
		pbxtest.Extension{Number: localSpy, Steps: []string{"Dial(Local/*50101@phones/n,60)"}},
		pbxtest.Extension{Context: outsideRoutes, Number: "_X!", Steps: []string{"Dial(PJSIP/${EXTEN}@trunk,60,TK)"}})
	sink, err := listenForAudio()
	if err != nil {
		return nil, err
	}
	hunting(&plan)
	waysPast(&plan, sink.Addr().String())
	s, err := site.Start(ctx, site.Options{Plan: &plan, Policy: houseRules, Clients: directory, Lease: lease.String(), RingTimeout: "10s", Clock: clock})
	if err != nil {
		return nil, errors.Join(err, sink.Close())
	}
	c := &company{Site: s, tokens: map[string]string{}, sink: sink}
	if err := c.install(ctx); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	for _, e := range site.Employees {
		token, hash := auth.NewToken()
		if err := auth.AddToken(s.Path("tokens.yaml"), auth.Entry{Employee: e.ID, Hash: hash, Label: e.ID, Created: time.Now()}); err != nil {
			return nil, errors.Join(err, s.Stop())
		}
		c.tokens[e.ID] = token
	}
	if c.unknown, err = phone.Listen(phone.Config{User: unknownPhone, Password: "secret-" + unknownPhone, Server: s.PBX.SIP(), Tone: 12}); err == nil {
		err = c.unknown.Register(ctx)
	}
	if err == nil {
		account := s.PBX.Site().Admin
		c.admin, err = ari.New(ari.Config{BaseURL: s.PBX.ARI(), Username: account.User, Password: account.Password})
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return c, nil
}

func closeCompany() error {
	theCompany.Lock()
	defer theCompany.Unlock()
	c := theCompany.c
	if c == nil {
		return nil
	}
	return c.close()
}

func (c *company) close() error {
	c.admin.Close()
	return errors.Join(c.unknown.Close(), c.Stop(), c.sink.Close())
}

// binDir is where earshot puts the program, until the tests end.
var binDir string

// earshot builds the program once.
var earshot = sync.OnceValues(func() (string, error) {
	var err error
	if binDir, err = os.MkdirTemp("", "earshot-bin-"); err != nil {
		return "", err
	}
	path := filepath.Join(binDir, "earshot")
	out, err := exec.Command("go", "build", "-o", path, "../cmd/earshot").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the program: %w: %s", err, out)
	}
	return path, nil
})

// office is the company with an Earshot beside it, for one test.
type office struct {
	*testing.T
	*company
	ctx   context.Context
	agent *agent.Agent // nil when Earshot runs as a program of its own
	log   *journal
}

// journal keeps a program's log.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// unusual is the lines of a log that tell of something gone wrong.
func (j *journal) unusual() string {
	var out strings.Builder
	for line := range strings.Lines(j.String()) {
		if !strings.Contains(line, `"level":"info"`) && !strings.Contains(line, `"level":"debug"`) {
			out.WriteString(line)
		}
	}
	return out.String()
}

// enter gives a test the company, with its files as they should be.
func enter(t *testing.T) *office {
	t.Helper()
	start, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // the first one on a machine downloads Asterisk
	defer cancel()
	c, err := openCompany(start)
	if err != nil {
		t.Fatal(err)
	}
	o := &office{T: t, company: c, ctx: t.Context(), log: &journal{}}
	o.must(c.Write("policy.yaml", houseRules))
	o.must(c.Write("clients.yaml", directory))
	return o
}

// open starts an Earshot within the test. At the test's end it is stopped, and nothing that identifies anybody may stand in what it wrote.
func open(t *testing.T, change ...func(*agent.Config)) *office {
	t.Helper()
	return openOn(enter(t), change...)
}

// openOn starts an Earshot over what has been written.
func openOn(o *office, change ...func(*agent.Config)) *office {
	o.Helper()
	cfg, err := agent.LoadConfig(o.Path("earshot.yaml"))
	o.must(err)
	for _, f := range change {
		f(cfg)
	}
	a, err := agent.New(cfg, zerolog.New(o.log).Level(zerolog.DebugLevel), "test")
	o.must(err)
	o.run(a)
	return o
}

func (o *office) run(a *agent.Agent) {
	o.Helper()
	ctx, stop := context.WithCancel(context.Background())
	o.agent = a
	done, ended := make(chan error, 1), make(chan struct{})
	go func() {
		done <- a.Run(ctx)
		close(ended)
	}()
	o.Cleanup(func() {
		o.discreet()
		stop()
		if err := <-done; err != nil {
			o.Errorf("Earshot ended with: %v", err)
		}
		if o.Failed() {
			o.Logf("Earshot's log:\n%s", o.log.unusual())
		}
		o.discreetOnDisk()
	})
	ready, cancel := context.WithTimeout(o.ctx, patience)
	defer cancel()
	o.must(o.WaitReady(ready, ended))
}

var (
	uniqueID = regexp.MustCompile(`\b1[0-9]{9}\.[0-9]+\b`)
	handle   = regexp.MustCompile(`\bc[a-z2-9]{20}\b`)
)

// discreet looks for numbers, names and call ids in the metrics' names, labels and help texts.
func (o *office) discreet() {
	o.Helper()
	for line := range strings.Lines(o.metricsText()) {
		if !strings.HasPrefix(line, "#") {
			line = line[:strings.LastIndexByte(strings.TrimSpace(line), ' ')]
		}
		for _, seed := range seeds {
			if strings.Contains(line, seed) {
				o.Errorf("%q stands in the metrics: %s", seed, line)
			}
		}
		if uniqueID.MatchString(line) || handle.MatchString(line) {
			o.Errorf("a call id stands in the metrics: %s", line)
		}
	}
}

// discreetOnDisk looks into the log and the audit file.
func (o *office) discreetOnDisk() {
	o.Helper()
	record, err := os.ReadFile(o.Path("audit.jsonl"))
	if err != nil {
		o.Error(err)
	}
	for where, text := range map[string]string{"log": o.log.String(), "audit file": string(record)} {
		for _, seed := range seeds {
			if i := strings.Index(text, seed); i >= 0 {
				o.Errorf("%q stands in the %s: …%s…", seed, where, text[max(0, i-200):min(len(text), i+100)])
			}
		}
	}
	o.verified()
}

// verified makes sure that the audit log is whole.
func (o *office) verified() {
	o.Helper()
	report, err := audit.VerifyFiles(nil, o.Path("audit.jsonl"))
	if err != nil || !report.OK() {
		o.Errorf("the audit log is not whole: %v, %v", err, report.Fault)
	}
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// scene runs one part of a test with everybody idle at its beginning and at its end.
func (o *office) scene(name string, f func(o *office)) {
	o.Helper()
	o.Run(name, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		s := &office{T: t, company: o.company, ctx: ctx, agent: o.agent, log: o.log}
		defer s.clear()
		f(s)
	})
}

// clear hangs everything up and waits until nothing is left of it on the PBX.
func (o *office) clear() {
	o.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	phones := o.All()
	if o.unknown != nil {
		phones = append(phones, o.unknown)
	}
	for _, p := range phones {
		p.SetReaction(phone.Reaction{})
		for _, c := range p.Calls() {
			if err := c.Hangup(ctx); err != nil {
				o.Error(err)
			}
		}
	}
	if err := o.eventually(ctx, "the PBX is empty", func() error { return o.empty(ctx, "") }); err != nil {
		o.Error(err)
	}
	o.calm(ctx)
}

// calm waits until the board, too, has heard that all calls are over, where there is an Earshot that has one.
func (o *office) calm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		var b site.Board
		err := o.as("anna").Do(ctx, http.MethodGet, "/v1/employees", nil, &b)
		if err != nil || !slices.ContainsFunc(b.Employees, func(r site.Row) bool { return len(r.Calls) > 0 }) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// empty says what is left on the PBX of channels and bridges whose id begins so.
func (o *office) empty(ctx context.Context, prefix string) error {
	channels, err := o.admin.ListChannels(ctx)
	if err != nil {
		return err
	}
	bridges, err := o.admin.ListBridges(ctx)
	if err != nil {
		return err
	}
	for _, c := range channels {
		if strings.HasPrefix(c.ID, prefix) {
			return fmt.Errorf("channel %s is left", c.Name)
		}
	}
	for _, b := range bridges {
		if strings.HasPrefix(b.ID, prefix) && b.Class != "parking" { // the lot, which stays once it has been used
			return fmt.Errorf("bridge %s is left", b.ID)
		}
	}
	return nil
}

// eventually asks again until nothing is wrong any more.
func (o *office) eventually(ctx context.Context, what string, wrong func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := wrong()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w: %w", what, ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// until is eventually for the scene.
func (o *office) until(what string, wrong func() error) {
	o.Helper()
	o.must(o.eventually(o.ctx, what, wrong))
}

func (o *office) as(employee string) *site.Client {
	return &site.Client{Base: "http://" + o.HTTP, Token: o.tokens[employee]}
}

// watch opens an employee's event stream.
func (o *office) watch(employee string) *site.Stream {
	o.Helper()
	w, err := o.as(employee).Watch(o.ctx)
	o.must(err)
	o.Cleanup(w.Close)
	return w
}

func (o *office) tone(employee string) phone.Tone { return o.Phones[employee].Tone() }

// rings waits for the call that comes in at an employee's phone.
func (o *office) rings(employee string) *phone.Call {
	o.Helper()
	c, err := o.Phones[employee].Incoming(o.ctx)
	o.must(err)
	return c
}

func (o *office) answers(employee string) *phone.Call {
	o.Helper()
	c := o.rings(employee)
	o.must(c.Answer(o.ctx))
	return c
}

// dials has an employee dial.
func (o *office) dials(employee, number string) *phone.Call {
	o.Helper()
	c, err := o.Phones[employee].Dial(o.ctx, number)
	o.must(err)
	return c
}

// calls has somebody outside dial one of the company's numbers.
func (o *office) calls(who caller, number string) *phone.Call {
	o.Helper()
	c, err := o.Trunk.Dial(o.ctx, "74950000"+number, phone.As(who.number, who.name), phone.WithTone(who.tone))
	o.must(err)
	return c
}

// called waits until somebody outside is called and has him answer.
func (o *office) called(who caller) *phone.Call {
	o.Helper()
	c, err := o.Trunk.Incoming(o.ctx)
	o.must(err)
	c.SetTone(who.tone)
	o.must(c.Answer(o.ctx))
	return c
}

// together waits until two hear each other and nobody else.
func (o *office) together(a, b *phone.Call) {
	o.Helper()
	o.must(a.WaitAnswered(o.ctx))
	o.hear(0, map[*phone.Call][]phone.Tone{a: {b.Tone()}, b: {a.Tone()}})
}

// talk has somebody outside talk with an employee.
func (o *office) talk(who caller, employee string) (outside, inside *phone.Call) {
	o.Helper()
	outside = o.calls(who, o.Phones[employee].User())
	inside = o.answers(employee)
	o.together(outside, inside)
	return outside, inside
}

// chat has two employees talk.
func (o *office) chat(from, to string) (out, in *phone.Call) {
	o.Helper()
	out = o.dials(from, o.Phones[to].User())
	in = o.answers(to)
	o.together(out, in)
	return out, in
}

// hear makes sure that each call comes to hear exactly these tones and, for a time, no other.
func (o *office) hear(during time.Duration, want map[*phone.Call][]phone.Tone) {
	o.Helper()
	var wg sync.WaitGroup
	for c, tones := range want {
		wg.Go(func() {
			_, err := c.WaitHearsOnly(o.ctx, tones...)
			if err == nil && during > 0 {
				err = c.HearsOnly(o.ctx, during, tones...)
			}
			if err != nil {
				o.Error(err)
			}
		})
	}
	wg.Wait()
	if o.Failed() {
		o.FailNow()
	}
}

// supervises has a supervisor ask, answer his phone at once, and waits until the supervision is active.
func (o *office) supervises(w *site.Stream, who, target, mode string) (site.Supervision, *phone.Call) {
	o.Helper()
	o.Phones[who].SetReaction(phone.Reaction{Answer: true})
	s, err := o.as(who).Supervise(o.ctx, target, mode)
	o.must(err)
	c := o.rings(who)
	s, err = w.UntilAct(o.ctx, s.ID, "active")
	o.must(err)
	return s, c
}

// over waits until a supervision has ended for a reason and the supervisor's phone is hung up.
func (o *office) over(w *site.Stream, id string, sup *phone.Call, reason string) {
	o.Helper()
	s, err := w.UntilAct(o.ctx, id, "ended")
	o.must(err)
	if s.Reason != reason {
		o.Errorf("it ended because of %s, not of %s", s.Reason, reason)
	}
	o.must(sup.WaitEnded(o.ctx))
}

// refused makes sure that a request was refused so.
func (o *office) refused(err error, status int, code string) *site.Problem {
	o.Helper()
	var p *site.Problem
	if !errors.As(err, &p) {
		o.Fatalf("got %v where %d %s belongs", err, status, code)
	}
	if p.Status != status || p.Code != code {
		o.Fatalf("got %v where %d %s belongs", p, status, code)
	}
	return p
}

// get asks the admin listener.
func (o *office) get(method, path string) (int, string) {
	o.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+o.Admin+path, nil)
	o.must(err)
	resp, err := http.DefaultClient.Do(req)
	o.must(err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	o.must(err)
	return resp.StatusCode, string(body)
}

func (o *office) metricsText() string {
	o.Helper()
	_, text := o.get(http.MethodGet, "/metrics")
	return text
}

// metric is the value of one series; 0 if there is none.
func (o *office) metric(series string) float64 {
	o.Helper()
	for line := range strings.Lines(o.metricsText()) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			o.must(err)
			return v
		}
	}
	return 0
}

// reaches waits until a series has a value.
func (o *office) reaches(series string, want float64) {
	o.Helper()
	o.until(series, func() error {
		if v := o.metric(series); v != want {
			return fmt.Errorf("%s is %g and not %g", series, v, want)
		}
		return nil
	})
}

// spread gives the median and the maximum.
func spread(d []time.Duration) (median, most time.Duration) {
	s := slices.Sorted(slices.Values(d))
	return s[len(s)/2], s[len(s)-1]
}
