package policy_test

import (
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/policy"
)

func TestAsksReasonOfWhomARuleBinds(t *testing.T) {
	s, _, err := policy.Load("policy.yaml", []byte(`
version: 1
employees:
  anna:  {listen: true}
  boris: {listen: {to: any, reason: [anna]}}
  carl:  {listen: {to: any, except: [anna]}}
  dora:  {}
roles: {heard: {listen: {to: any, reason: true}}}
assign: [{role: heard, to: [dora]}]
`), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{"anna": false, "boris": true, "carl": false, "dora": true} {
		if ref, _ := s.Employee(id); s.AsksReason(ref) != want {
			t.Errorf("%s: %v", id, !want)
		}
	}
	if s.AsksReason(policy.Ref{}) {
		t.Error("nobody is asked")
	}
}
