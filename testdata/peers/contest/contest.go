// Package contest measures several ways to do the same work in alternating rounds, so that what else the machine does slows all of them alike.
package contest

import (
	"math"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A Contender is one way to do the work.
type Contender struct {
	Name string
	// Do does it n times. It may keep where it is for the next round.
	Do func(n int)
	// AtLeast is how many times the work is done in a round; zero is once. A round has a multiple of it.
	AtLeast int
	// Crew is set when many goroutines do the work: what counts then is the time that went by. Of one alone it is the time that its thread had of the
	// processors, which on a quiet machine is the same and on a busy one is nobody else's.
	Crew bool
	// Holds is how many pieces there are to one work, of each of which the time is told; zero is one.
	Holds float64
}

// A Plan is how long is measured.
type Plan struct {
	Rounds int
	Each   time.Duration // about what a contender's part of a round takes
}

// A Result is what one contender took in each round.
type Result struct {
	Name   string
	Nanos  []float64 // for one piece of work
	CPU    []float64 // the same of all of the process's threads, the garbage collector's too
	Allocs float64   // for one piece of work, the most of any round
}

// Run has each contender do the work in every round. Who begins goes round.
func Run(p Plan, contenders ...Contender) map[string]*Result {
	results, times := map[string]*Result{}, make([]int, len(contenders))
	for i, c := range contenders {
		times[i] = calibrate(c, p.Each)
		results[c.Name] = &Result{Name: c.Name}
	}
	for round := range p.Rounds {
		for k := range contenders {
			i := (round + k) % len(contenders)
			results[contenders[i].Name].add(contenders[i], times[i])
		}
	}
	return results
}

// calibrate finds how often the work has to be done to take about so long; all caches are warm then.
func calibrate(c Contender, each time.Duration) int {
	unit := max(1, c.AtLeast)
	for n := unit; ; n *= 2 {
		if took, _ := c.time(n); took >= each/4 {
			wanted := float64(n) * float64(each) / float64(took)
			return unit * max(1, int(math.Round(wanted/float64(unit))))
		}
	}
}

// add measures one round. What others have left for the garbage collector is cleared away first.
func (r *Result) add(c Contender, n int) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	took, cpu := c.time(n)
	runtime.ReadMemStats(&after)
	pieces := float64(n) * max(1, c.Holds)
	r.Nanos = append(r.Nanos, float64(took.Nanoseconds())/pieces)
	r.CPU = append(r.CPU, float64(cpu.Nanoseconds())/pieces)
	r.Allocs = max(r.Allocs, float64(after.Mallocs-before.Mallocs)/pieces)
}

// time is what doing it n times takes.
func (c Contender) time(n int) (took, cpu time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	wall, thread, process := time.Now(), clock(unix.CLOCK_THREAD_CPUTIME_ID), clock(unix.CLOCK_PROCESS_CPUTIME_ID)
	c.Do(n)
	process = clock(unix.CLOCK_PROCESS_CPUTIME_ID) - process
	if c.Crew {
		return time.Since(wall), process
	}
	return clock(unix.CLOCK_THREAD_CPUTIME_ID) - thread, process
}

func clock(id int32) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		panic(err) // Linux has both clocks
	}
	return time.Duration(t.Nano())
}

// Over is how many times as long r took as other, round by round.
func (r *Result) Over(other *Result) []float64 {
	ratios := make([]float64, len(r.Nanos))
	for i := range ratios {
		ratios[i] = r.Nanos[i] / other.Nanos[i]
	}
	return ratios
}

// Processor is the same result in the time of all processors.
func (r *Result) Processor() *Result {
	return &Result{Name: r.Name, Nanos: r.CPU, CPU: r.CPU, Allocs: r.Allocs}
}

// Median is the middle of some figures.
func Median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}
