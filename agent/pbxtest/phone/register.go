package phone

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// A StatusError is a refusal by the other side.
type StatusError struct {
	Method string
	Status int
	Reason string
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s: %d %s", e.Method, e.Status, e.Reason) }

// registration is a phone's standing with its registrar.
type registration struct {
	turn   sync.Mutex // one REGISTER at a time
	callID string
	tag    string
	cseq   uint32

	mu      sync.Mutex
	renewal context.CancelFunc // ends the goroutine that renews; nil while not registered
	done    chan struct{}      // closed when that goroutine has ended
}

// Register makes the phone known at its server and keeps it known until Close
// or Unregister. Calling it again renews at once, as a phone does after the PBX was
// restarted.
func (p *Phone) Register(ctx context.Context) error {
	granted, err := p.register(ctx, p.cfg.Expires)
	if err != nil {
		return fmt.Errorf("register %s: %w", p.cfg.User, err)
	}
	r := &p.registration
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.renewal != nil {
		return nil
	}
	if p.life.Err() != nil {
		return errClosed
	}
	renew, cancel := context.WithCancel(p.life)
	r.renewal, r.done = cancel, make(chan struct{})
	p.running.Add(1)
	go func() {
		defer p.running.Done()
		defer close(r.done)
		p.renew(renew, granted)
	}()
	return nil
}

// Unregister ends the registration.
func (p *Phone) Unregister(ctx context.Context) error {
	if !p.stopRenewal() {
		return nil
	}
	if _, err := p.register(ctx, 0); err != nil {
		return fmt.Errorf("unregister %s: %w", p.cfg.User, err)
	}
	return nil
}

func (p *Phone) stopRenewal() bool {
	r := &p.registration
	r.mu.Lock()
	cancel, done := r.renewal, r.done
	r.renewal = nil
	r.mu.Unlock()
	if cancel == nil {
		return false
	}
	cancel()
	<-done
	return true
}

// forget unregisters as part of Close, where a PBX that is gone is no error.
func (p *Phone) forget(ctx context.Context) { _ = p.Unregister(ctx) }

// renew registers again at half time, and each second while that fails.
func (p *Phone) renew(ctx context.Context, granted time.Duration) {
	timer := time.NewTimer(granted / 2)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		next, err := p.register(attempt, p.cfg.Expires)
		cancel()
		if err != nil {
			next = 2 * time.Second
		}
		timer.Reset(next / 2)
	}
}

// register sends one REGISTER (RFC 3261 10.2) and returns the time granted.
func (p *Phone) register(ctx context.Context, expires time.Duration) (time.Duration, error) {
	if p.cfg.Server == "" {
		return 0, errors.New("no server")
	}
	r := &p.registration
	r.turn.Lock()
	defer r.turn.Unlock()
	if r.callID == "" {
		r.callID, r.tag = newCallID(), sip.GenerateTagN(16)
	}
	host, port, err := sip.ParseAddr(p.cfg.Server)
	if err != nil {
		return 0, fmt.Errorf("server address: %w", err)
	}
	r.cseq++
	req := sip.NewRequest(sip.REGISTER, sip.Uri{Scheme: "sip", Host: host, Port: port})
	self := sip.Uri{Scheme: "sip", User: escapeUser(p.cfg.User), Host: host, Port: port}
	from := &sip.FromHeader{Address: self}
	from.Params.Add("tag", r.tag)
	id := sip.CallIDHeader(r.callID)
	hops := sip.MaxForwardsHeader(70)
	req.AppendHeader(from)
	req.AppendHeader(&sip.ToHeader{Address: self})
	req.AppendHeader(&id)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: r.cseq, MethodName: sip.REGISTER})
	req.AppendHeader(&hops)
	req.AppendHeader(p.contact())
	req.AppendHeader(sip.NewHeader("Expires", strconv.Itoa(int(expires/time.Second))))

	res, last, err := p.roundTrip(ctx, req)
	if last != nil {
		r.cseq = last.CSeq().SeqNo
	}
	if err != nil {
		return 0, err
	}
	if !res.IsSuccess() {
		return 0, &StatusError{Method: "REGISTER", Status: res.StatusCode, Reason: res.Reason}
	}
	return p.granted(res, expires), nil
}

// granted finds the life time that the registrar gave this phone's contact.
func (p *Phone) granted(res *sip.Response, asked time.Duration) time.Duration {
	for _, h := range res.GetHeaders("Contact") {
		if !strings.Contains(h.Value(), p.addr) {
			continue
		}
		for param := range strings.SplitSeq(h.Value(), ";") {
			if v, ok := strings.CutPrefix(param, "expires="); ok {
				if n, err := strconv.Atoi(v); err == nil && n > 0 {
					return time.Duration(n) * time.Second
				}
			}
		}
	}
	return asked
}

// roundTrip sends a request outside INVITE and waits for its final response,
// answering one digest challenge. last is the request sent last.
func (p *Phone) roundTrip(ctx context.Context, req *sip.Request) (res *sip.Response, last *sip.Request, err error) {
	tx, err := p.client.TransactionRequest(ctx, req, p.outgoing)
	if err != nil {
		return nil, req, err
	}
	res, err = final(ctx, tx)
	tx.Terminate()
	if err != nil || !challenged(res) || p.cfg.Password == "" {
		return res, req, err
	}
	req = req.Clone()
	tx, err = p.authorise(ctx, req, res)
	if err != nil {
		return nil, req, err
	}
	defer tx.Terminate()
	res, err = final(ctx, tx)
	return res, req, err
}

// authorise sends req again with credentials; req becomes the new request.
func (p *Phone) authorise(ctx context.Context, req *sip.Request, res *sip.Response) (sip.ClientTransaction, error) {
	req.Laddr = p.laddr
	return p.client.TransactionDigestAuth(ctx, req, res, sipgo.DigestAuth{Username: p.cfg.User, Password: p.cfg.Password})
}

func challenged(res *sip.Response) bool {
	return res.StatusCode == sip.StatusUnauthorized || res.StatusCode == sip.StatusProxyAuthRequired
}

// final waits for the final response of a transaction.
func final(ctx context.Context, tx sip.ClientTransaction) (*sip.Response, error) {
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, errors.Join(errors.New("no answer"), tx.Err())
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// outgoing prepares a request whose other headers are complete: Via, the
// phone's own socket, Content-Length.
func (p *Phone) outgoing(c *sipgo.Client, req *sip.Request) error {
	req.Laddr = p.laddr
	req.SetTransport("UDP")
	if req.Body() == nil {
		req.SetBody(nil)
	}
	return sipgo.ClientRequestAddVia(c, req)
}
