package pbxtest

import (
	"context"
	"testing"
	"time"
)

func TestFirst(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	t0 := time.Now()
	a, err := Find(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("find", time.Since(t0), a.Version)
	t0 = time.Now()
	p, err := Start(ctx, Options{Plan: Demo(), Asterisk: a})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("start", time.Since(t0))
	l, _ := p.Log()
	t.Log(l)
	for _, c := range []string{"module show", "pjsip show endpoints", "dialplan show", "queue show"} {
		out, err := p.Command(ctx, c)
		t.Log(out, err)
	}
	t0 = time.Now()
	t.Log(p.Stop(), time.Since(t0))
}
