package gate_test

import (
	"context"

	"github.com/earshot-pbx/earshot/agent/pbx"
)

// ownOrder takes an order about a call of somebody's own.
func (p *fakePBX) ownOrder(ctx context.Context, name string, o any) error {
	if err := p.order(ctx, name); err != nil {
		return err
	}
	p.set(func() { p.owns = append(p.owns, o) })
	return nil
}

func (p *fakePBX) Redirect(ctx context.Context, o pbx.Redirect) error {
	return p.ownOrder(ctx, "redirect", o)
}

func (p *fakePBX) Transfer(ctx context.Context, o pbx.Transfer) error {
	return p.ownOrder(ctx, "transfer", o)
}

func (p *fakePBX) Consult(ctx context.Context, o pbx.Consult) error {
	return p.ownOrder(ctx, "consult", o)
}

func (p *fakePBX) Park(ctx context.Context, o pbx.Park) error { return p.ownOrder(ctx, "park", o) }

func (p *fakePBX) Connect(ctx context.Context, o pbx.Connect) error {
	return p.ownOrder(ctx, "connect", o)
}

func (p *fakePBX) Mute(ctx context.Context, o pbx.Mute) error { return p.ownOrder(ctx, "mute", o) }

func (p *fakePBX) Press(ctx context.Context, o pbx.Press) error { return p.ownOrder(ctx, "press", o) }
