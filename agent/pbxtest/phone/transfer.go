package phone

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Transfer sends the other side to a number, or to a whole SIP URI (REFER,
// RFC 3515: a blind transfer), and returns when it has got there or the call has ended. The phone
// then leaves the call, as desk phones do.
func (c *Call) Transfer(ctx context.Context, number string) error {
	if strings.HasPrefix(number, "sip:") {
		return c.refer(ctx, number)
	}
	c.mu.Lock()
	target := *c.target.Clone()
	c.mu.Unlock()
	target.User, target.UriParams = escapeUser(number), nil
	return c.refer(ctx, target.String())
}

// TransferTo connects the other side of c with the other side of consultation
// (REFER with Replaces, RFC 3891: an attended transfer), and leaves c.
func (c *Call) TransferTo(ctx context.Context, consultation *Call) error {
	consultation.mu.Lock()
	target := *consultation.target.Clone()
	consultation.mu.Unlock()
	target.UriParams = nil
	if target.User == "" {
		target.User = escapeUser(consultation.Remote().Number)
	}
	return c.refer(ctx, target.String()+"?Replaces="+url.QueryEscape(consultation.Replaces()))
}

// Replaces is the header by which another call takes the place of this one at the server (RFC 3891).
func (c *Call) Replaces() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id + ";to-tag=" + c.peer.tag + ";from-tag=" + c.local.tag
}

func (c *Call) refer(ctx context.Context, target string) error {
	if c.State() != Up {
		return fmt.Errorf("%s: transfer: %w", c, errNotUp)
	}
	req := c.request(sip.REFER)
	req.AppendHeader(sip.NewHeader("Refer-To", "<"+target+">"))
	req.AppendHeader(sip.NewHeader("Referred-By", "<sip:"+escapeUser(c.phone.cfg.User)+"@"+c.phone.addr+">"))
	res, err := c.send(ctx, req)
	if err != nil {
		return fmt.Errorf("%s: transfer: %w", c, err)
	}
	if !res.IsSuccess() {
		return &StatusError{Method: "REFER", Status: res.StatusCode, Reason: res.Reason}
	}
	for {
		select {
		case status := <-c.progress:
			switch {
			case status >= 300:
				return &StatusError{Method: "REFER", Status: status, Reason: "told by NOTIFY"}
			case status >= 200:
				return c.Hangup(ctx)
			}
		case <-c.done:
			return nil // the PBX has taken the call from this phone
		case <-ctx.Done():
			return fmt.Errorf("%s: transfer: %w", c, ctx.Err())
		}
	}
}

// onNotify takes the news of a transfer (RFC 3515 2.4.5); other notices, such
// as waiting messages, are welcomed and ignored.
func (p *Phone) onNotify(req *sip.Request, tx sip.ServerTransaction) {
	p.reply(req, tx, 200, "OK")
	c := p.call(req)
	event := req.GetHeader("Event")
	if c == nil || event == nil || !strings.HasPrefix(event.Value(), "refer") {
		return
	}
	// A sipfrag: "SIP/2.0 200 OK".
	_, rest, _ := strings.Cut(string(req.Body()), " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(strings.TrimSpace(code))
	if err != nil {
		return
	}
	select {
	case c.progress <- status:
	default: // nobody asks
	}
}

// onRefer follows a transfer: it calls where it is sent, replacing the call
// named if one is, and tells how that went.
func (p *Phone) onRefer(req *sip.Request, tx sip.ServerTransaction) {
	c := p.call(req)
	if c == nil {
		p.reply(req, tx, 481, "Call/Transaction Does Not Exist")
		return
	}
	target, replaces, err := referTarget(req)
	if err != nil {
		_ = tx.Respond(c.response(req, 400, "Bad Request"))
		return
	}
	_ = tx.Respond(c.response(req, 202, "Accepted"))
	c.notify("100 Trying", "active")

	d := dialled{name: p.cfg.Name, number: p.cfg.User, tone: c.Tone()}
	if replaces != "" {
		d.headers = append(d.headers, sip.NewHeader("Replaces", replaces))
	}
	next, err := p.dial(p.life, target.User, target, d)
	if err != nil {
		c.notify("503 Service Unavailable", "terminated")
		return
	}
	if next.WaitAnswered(p.life) == nil {
		c.notify("200 OK", "terminated")
		return
	}
	e := next.Ending()
	c.notify(fmt.Sprintf("%d %s", max(e.Status, 400), e.Reason), "terminated")
}

func referTarget(req *sip.Request) (target sip.Uri, replaces string, err error) {
	h := req.GetHeader("Refer-To")
	if h == nil {
		return target, "", fmt.Errorf("REFER without Refer-To")
	}
	var params sip.HeaderParams
	if _, err := sip.ParseAddressValue(h.Value(), &target, &params); err != nil {
		return target, "", fmt.Errorf("Refer-To: %w", err)
	}
	if escaped, ok := target.Headers.Get("Replaces"); ok {
		if replaces, err = url.QueryUnescape(escaped); err != nil {
			return target, "", fmt.Errorf("Refer-To: %w", err)
		}
	}
	target.Headers = nil
	return target, replaces, nil
}

// notify tells the transferer how far its transfer has got. The call may be
// over by then, and the news of no more use.
func (c *Call) notify(line, state string) {
	if c.State() == Ended {
		return
	}
	req := c.request(sip.NOTIFY)
	req.AppendHeader(sip.NewHeader("Event", "refer"))
	req.AppendHeader(sip.NewHeader("Subscription-State", state))
	req.AppendHeader(sip.NewHeader("Content-Type", "message/sipfrag;version=2.0"))
	req.SetBody([]byte("SIP/2.0 " + line + "\r\n"))
	_, _ = c.send(c.phone.life, req)
}

// replaced finds the call that a Replaces header names (RFC 3891 3): the tags
// are as seen from here, to-tag ours.
func (p *Phone) replaced(value string) *Call {
	id, rest, _ := strings.Cut(value, ";")
	p.mu.Lock()
	c := p.calls[strings.TrimSpace(id)]
	p.mu.Unlock()
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var to, from bool
	for param := range strings.SplitSeq(rest, ";") {
		name, tag, _ := strings.Cut(strings.TrimSpace(param), "=")
		to = to || name == "to-tag" && tag == c.local.tag
		from = from || name == "from-tag" && tag == c.peer.tag
	}
	if !to || !from || c.state == Ended || c.incoming && c.state != Up {
		return nil
	}
	return c
}
