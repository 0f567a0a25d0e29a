package publication_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/earshot-pbx/earshot/agent/publication"
	"github.com/earshot-pbx/earshot/cache/redistest"
	"github.com/earshot-pbx/earshot/policy"
	"github.com/earshot-pbx/earshot/policy/policyfile"
)

// company is a policy of some employees, of whom who may listen to all.
func company(employees int, who string) []policyfile.Document {
	var b strings.Builder
	b.WriteString(people)
	for i := range employees {
		_, _ = fmt.Fprintf(&b, "  e%d: {name: Employee %d, phones: [PJSIP/%d]}\n", i, i, 1000+i)
	}
	d := says(who)
	d[0].Text = b.String() + "groups:\n  " + who + "-group: [" + who + "]\n"
	return d
}

// measure publishes to three followers over a Redis on the same machine, again and again, and returns the times until all of them decide by it,
// in order.
func measure(t testing.TB, times, employees int) []time.Duration {
	t.Helper()
	s := redistest.Start(t)
	store := open(t, s)
	send := func(who string) uint64 {
		t.Helper()
		return publishFrom(t, store, 1, company(employees, who))
	}
	send("boris")
	changes := make(chan *policy.Set, 100)
	for i := range 3 {
		f, err := publication.Fetch(patient(t), config(open(t, s)), filepath.Join(t.TempDir(), fmt.Sprint(i)), policyfile.Options{OnChange: func(set *policy.Set, err error) {
			if err == nil {
				changes <- set
			}
		}})
		must(t, err)
		run(t, f.Run)
	}
	var took []time.Duration
	for n := range times {
		who := []string{"anna", "boris"}[n%2]
		begun := time.Now()
		g := send(who)
		for reached := 0; reached < 3; {
			if set := <-changes; set.Generation() == g && may(set, who) {
				reached++
			}
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	return took
}

func TestAChangeIsInForceEverywhereWithinAHundredMilliseconds(t *testing.T) {
	const times = 50
	took := measure(t, times, 200)
	t.Logf("200 employees, 3 followers, %d publications: median %v, 95%% %v, most %v", times, took[times/2], took[times*95/100], took[times-1])
	if took[times/2] > 100*time.Millisecond {
		t.Errorf("the median is %v", took[times/2])
	}
}

// BenchmarkPublish is the time from publishing until three followers decide by it, by the number of employees.
func BenchmarkPublish(b *testing.B) {
	for _, employees := range []int{20, 200, 2000} {
		b.Run(fmt.Sprint(employees), func(b *testing.B) {
			took := measure(b, max(b.N, 2), employees)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}
