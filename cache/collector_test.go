package cache_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/earshot-pbx/earshot/cache"
)

func TestTheMetricsTellTheStatus(t *testing.T) {
	m := cache.NewMemory(cache.Options{Entries: 1})
	table := cache.Table{Name: "client", TTL: time.Hour, MissTTL: time.Hour}
	for _, k := range []string{"1", "2"} {
		if _, err := m.Fill(t.Context(), table, k, func(context.Context) (cache.Entry, error) { return cache.Entry{}, nil }); err != nil {
			t.Fatal(err)
		}
	}
	m.Lookup(table, "2")
	if err := m.PutSession(t.Context(), cache.Session{ID: "secret", Owner: "secret"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(cache.NewCollector(m))
	err := testutil.GatherAndCompare(r, strings.NewReader(`
# HELP earshot_cache_age_seconds Time since the sessions read were last known to be what the shared store holds; +Inf before the first contact.
# TYPE earshot_cache_age_seconds gauge
earshot_cache_age_seconds 0
# HELP earshot_cache_entries Entries in memory.
# TYPE earshot_cache_entries gauge
earshot_cache_entries{kind="look-up"} 1
earshot_cache_entries{kind="session"} 1
# HELP earshot_cache_evictions_total Look-ups driven out of memory by a bound before their time.
# TYPE earshot_cache_evictions_total counter
earshot_cache_evictions_total 1
# HELP earshot_cache_lookups_total Look-ups read from memory.
# TYPE earshot_cache_lookups_total counter
earshot_cache_lookups_total{result="hit"} 1
earshot_cache_lookups_total{result="miss"} 2
# HELP earshot_cache_overlay_age_seconds The same for the latest generation's overlay; +Inf when there is none or it was never read.
# TYPE earshot_cache_overlay_age_seconds gauge
earshot_cache_overlay_age_seconds +Inf
# HELP earshot_cache_state 1 for the state the shared store is in: away, refusing, up, or local when nothing is shared.
# TYPE earshot_cache_state gauge
earshot_cache_state{state="away"} 0
earshot_cache_state{state="local"} 1
earshot_cache_state{state="refusing"} 0
earshot_cache_state{state="up"} 0
`), "earshot_cache_age_seconds", "earshot_cache_entries", "earshot_cache_evictions_total", "earshot_cache_lookups_total",
		"earshot_cache_overlay_age_seconds", "earshot_cache_state")
	if err != nil {
		t.Error(err)
	}
	problems, err := testutil.GatherAndLint(r)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}
