package audit_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/earshot-pbx/earshot/agent/audit"
)

// One op is one entry that is safe on the disk; entries/sync is what a commit carries.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 64} {
		for _, sync := range []bool{true, false} {
			name := fmt.Sprintf("writers=%d", writers)
			if !sync {
				name += "/no sync"
			}
			b.Run(name, func(b *testing.B) { benchmarkAppend(b, writers, !sync) })
		}
	}
}

func benchmarkAppend(b *testing.B, writers int, noSync bool) {
	l, err := audit.OpenFaulty(filepath.Join(b.TempDir(), "audit.log"), audit.Options{Key: testKey}, &audit.Faults{Space: 1 << 40, NoSync: noSync})
	if err != nil {
		b.Fatal(err)
	}
	closeAtEnd(b, l)
	b.ReportAllocs()
	b.ResetTimer()
	work := make(chan int)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for n := range work {
				if err := l.Append(b.Context(), entry(n)); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for n := range b.N {
		work <- n
	}
	close(work)
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(l.Stats().Written)/float64(l.Stats().Commits), "entries/sync")
}

func BenchmarkVerify(b *testing.B) {
	var log []byte
	var last audit.Link
	for n := range 10_000 {
		e := entry(n)
		e.Time = clock()
		line, next, err := audit.ChainLine(testKey, last, e)
		if err != nil {
			b.Fatal(err)
		}
		log, last = append(log, line...), next
	}
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		if rep, err := audit.Verify(bytes.NewReader(log), testKey); err != nil || rep.Lines != 10_000 {
			b.Fatal(err, rep.Fault)
		}
	}
	b.ReportMetric(10_000*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
