// Package dialplan is the phone door: it takes what a desk phone asks for by dialling a feature code or a number, which the include for
// extensions.conf sends into Earshot's Stasis application.
//
// Its invariant: who asks is whose phone the channel's endpoint is, by Asterisk's word, or whose phone has just transferred the leg to where it asks
// to go, by Asterisk's word too; nothing that the phone or the leg says of itself is looked at. A leg
// that gets no yes from the gate is told so and hung up, by Earshot or, when that is late or away, by the dialplan itself.
package dialplan

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/earshot-pbx/earshot/agent/auth"
	"github.com/earshot-pbx/earshot/agent/gate"
	"github.com/earshot-pbx/earshot/agent/mask"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// Requests: the first of Stasis's arguments.
const (
	requestSpy     = "spy"
	requestWhisper = "whisper"
	requestBarge   = "barge"
	requestPickup  = "take"
	requestGroup   = "group"
	requestDial    = "dial"
	requestLock    = "lock"
)

// Gate is what the door needs of gate.Gate.
type Gate interface {
	Supervise(ctx context.Context, s auth.Subject, ask gate.Ask) (mask.Supervision, error)
	Intercept(ctx context.Context, s auth.Subject, ask gate.Ask) (mask.Intercept, error)
	InterceptOldest(ctx context.Context, s auth.Subject, ask gate.Ask) (mask.Intercept, error)
	Dial(ctx context.Context, s auth.Subject, ask gate.DialAsk) (mask.Dialled, error)
	SwitchLock(ctx context.Context, s auth.Subject, leg string) error
	ChangeModeOn(ctx context.Context, leg, mode string, may func(auth.Subject) error) error
	Emergency(number string) bool
	TransferredBy(ctx context.Context, leg, number string) (endpoint string, ok bool)
	TurnAway(leg string, err error)
}

// Config is what a Door is made of.
type Config struct {
	Gate Gate
	Auth auth.Authenticator // proves a Credential.Phone
	Keys bool               // keys change the mode of a supervision: 4 spy, 5 whisper, 6 barge
	// Command counts something that somebody begins or changes, and reports whether he may do so now; nil: he always may. Nobody is kept from
	// an emergency number by it.
	Command    func(auth.Subject) bool
	Registerer prometheus.Registerer
	Log        zerolog.Logger
}

// maxUnderWay is how many requests are looked at at once. More wait for their turn.
const maxUnderWay = 64

// Door takes requests. It is safe for concurrent use.
type Door struct {
	cfg    Config
	asked  *prometheus.CounterVec
	slots  chan struct{}
	ctx    context.Context // of every request; ends with Close
	cancel context.CancelFunc

	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // added to under mu
}

// New makes a door. It starts nothing.
func New(cfg Config) *Door {
	ctx, cancel := context.WithCancel(context.Background())
	d := &Door{
		cfg: cfg, slots: make(chan struct{}, maxUnderWay), ctx: ctx, cancel: cancel,
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "earshot_phone_requests_total", Help: "Requests from desk phones, by what was asked for and what came of it.",
		}, []string{"request", "outcome"}),
	}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(d.asked)
	}
	return d
}

// Asked takes a leg that the dialplan has sent into the application: its unique id, the endpoint that it belongs to and Stasis's arguments. It
// returns at once.
func (d *Door) Asked(leg, endpoint string, args []string) {
	d.start(d.emergency(args), func(ctx context.Context) { d.answer(ctx, leg, endpoint, args) })
}

// emergency reports whether a request is for a call to an emergency number: it waits for no turn, and whose phone it is makes no difference.
func (d *Door) emergency(args []string) bool {
	return len(args) == 2 && args[0] == requestDial && isNumber(args[1], requestDial) && d.cfg.Gate.Emergency(args[1])
}

// Pressed takes a key that was pressed on a leg. It returns at once.
func (d *Door) Pressed(leg, key string) {
	mode := map[string]string{"4": requestSpy, "5": requestWhisper, "6": requestBarge}[key]
	if !d.cfg.Keys || mode == "" {
		return
	}
	d.start(false, func(ctx context.Context) {
		switch err := d.cfg.Gate.ChangeModeOn(ctx, leg, mode, d.counted); {
		case err == nil:
			d.asked.WithLabelValues("key", "ok").Inc()
		case gate.AsProblem(err).Kind != gate.NotFound: // keys are pressed on other legs too
			d.asked.WithLabelValues("key", gate.AsProblem(err).Code).Inc()
		}
	})
}

// start does something in a goroutine of its own, when its turn has come, or at once. What has not had it in the dialplan's patience is not done: the leg
// has been told that Earshot does not answer.
func (d *Door) start(atOnce bool, do func(context.Context)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.running.Add(1)
	go func() {
		defer d.running.Done()
		ctx, cancel := context.WithTimeout(d.ctx, PatienceSeconds*time.Second)
		defer cancel()
		if atOnce {
			do(ctx)
			return
		}
		select {
		case d.slots <- struct{}{}:
			defer func() { <-d.slots }()
			do(ctx)
		case <-ctx.Done():
			d.asked.WithLabelValues("none", "busy").Inc()
		}
	}()
}

func unknownPhone() *gate.Problem {
	return &gate.Problem{Kind: gate.Refused, Code: "unknown_phone", Text: "The policy does not say whose phone this is."}
}

func badRequest() *gate.Problem {
	return &gate.Problem{Kind: gate.Invalid, Code: "bad_request", Text: "The dialplan has sent what is no request; install the include that belongs to this Earshot."}
}

func noRequest() *gate.Problem {
	return &gate.Problem{Kind: gate.Unavailable, Code: "no_request", Text: "The dialplan has not said what is asked; install the include that belongs to this Earshot."}
}

func tooManyRequests() *gate.Problem {
	return &gate.Problem{Kind: gate.Unavailable, Code: "too_many_requests", Text: "So much at once is not allowed; ask again in a while."}
}

// counted counts a request, and says so when there were too many.
func (d *Door) counted(s auth.Subject) error {
	if d.cfg.Command != nil && !d.cfg.Command(s) {
		return tooManyRequests()
	}
	return nil
}

// answer takes one request from its beginning to the gate's answer.
func (d *Door) answer(ctx context.Context, leg, endpoint string, args []string) {
	request, err := "none", error(nil)
	s, denied := d.cfg.Auth.Authenticate(ctx, auth.Credential{Phone: endpoint})
	switch {
	case denied != nil && d.emergency(args):
		request, err = d.ask(ctx, auth.Subject{}, leg, endpoint, false, args)
	case denied != nil:
		err = unknownPhone()
	default:
		request, err = d.ask(ctx, s, leg, endpoint, false, args)
	}
	// Somebody whom an employee has transferred out: it is for the employee to be allowed that, whoever is transferred.
	if code := codeOf(err); len(args) == 2 && args[0] == requestDial && (code == unknownPhone().Code || code == gate.NotYourPhone) {
		if by, ok := d.cfg.Gate.TransferredBy(ctx, leg, args[1]); ok {
			if s, denied := d.cfg.Auth.Authenticate(ctx, auth.Credential{Phone: by}); denied == nil {
				request, err = d.ask(ctx, s, leg, by, true, args)
			}
		}
	}
	if err == nil {
		d.asked.WithLabelValues(request, "ok").Inc()
		return
	}
	p := gate.AsProblem(err)
	d.asked.WithLabelValues(request, p.Code).Inc()
	if p.Code == unknownPhone().Code {
		d.cfg.Log.Warn().Msg("a phone that the policy gives to nobody has dialled one of Earshot's codes, and was refused")
	}
	if p.Kind == gate.Internal {
		d.cfg.Log.Error().Err(err).Str("request", request).Msg("a request from a desk phone was not answered")
	}
	d.cfg.Gate.TurnAway(leg, p)
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return gate.AsProblem(err).Code
}

// ask asks the gate, and says by what name the request is counted.
func (d *Door) ask(ctx context.Context, s auth.Subject, leg, endpoint string, transferred bool, args []string) (request string, err error) {
	if len(args) == 0 {
		return "none", noRequest()
	}
	request, number := args[0], ""
	if len(args) == 2 {
		number = args[1]
	}
	ask := gate.Ask{Number: number, Phone: endpoint, Leg: leg, Mode: request, Door: gate.DoorPhone}
	switch {
	case len(args) > 2, alone(request) != (len(args) == 1):
		return "none", badRequest()
	case !isNumber(number, request):
		return "none", badRequest()
	}
	if s.Known() { // nobody dials an emergency number
		if err := d.counted(s); err != nil && !d.emergency(args) {
			return request, err
		}
	}
	switch request {
	case requestSpy, requestWhisper, requestBarge:
		_, err = d.cfg.Gate.Supervise(ctx, s, ask)
	case requestPickup:
		_, err = d.cfg.Gate.Intercept(ctx, s, ask)
	case requestGroup:
		_, err = d.cfg.Gate.InterceptOldest(ctx, s, ask)
	case requestDial:
		_, err = d.cfg.Gate.Dial(ctx, s, gate.DialAsk{Number: number, Phone: endpoint, Leg: leg, Transferred: transferred, Door: gate.DoorPhone})
	case requestLock:
		err = d.cfg.Gate.SwitchLock(ctx, s, leg)
	default:
		return "none", badRequest()
	}
	return request, err
}

// alone reports whether a request has no number.
func alone(request string) bool { return request == requestGroup || request == requestLock }

// isNumber reports whether what was dialled is what the include lets through for a request.
func isNumber(number, request string) bool {
	if alone(request) {
		return number == ""
	}
	if request == requestDial {
		number = strings.TrimPrefix(number, "+")
	}
	return number != "" && len(number) <= maxNumber && strings.Trim(number, "0123456789") == ""
}

// Close takes no more requests and waits for those that are under way. When ctx is over it gives them up.
func (d *Door) Close(ctx context.Context) error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	done := make(chan struct{})
	go func() { d.running.Wait(); close(done) }()
	defer d.cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		d.cancel()
		<-done
		return ctx.Err()
	}
}
