package gate

import (
	"strconv"
	"testing"

	"github.com/earshot-pbx/earshot/policy"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
)

// However much two policies differ, what is written down of it, and kept, has an end.
func TestDifferencesWithoutEndAreNotAllToldAndAreCounted(t *testing.T) {
	told := 0
	s := NewShadow(ShadowConfig{Record: func(Difference) error { told++; return nil }, Log: zerolog.Nop()})
	p := pair{action: policy.Spy, live: &policy.Set{}, shadow: &policy.Set{}, then: policy.Decision{Allowed: true}}
	for i := range maxTold + 5 {
		p.subject = strconv.Itoa(i)
		s.ledger.tell(&p)
	}
	if dropped := testutil.ToFloat64(s.cfg.Metrics.shadowDropped); told != maxTold || dropped != 5 {
		t.Errorf("%d were told, and %v dropped", told, dropped)
	}
	p.shadow = &policy.Set{}
	s.ledger.tell(&p)
	if told != maxTold+1 {
		t.Error("another policy's differences are not told")
	}
}
