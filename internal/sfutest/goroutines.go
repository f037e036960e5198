// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
)

// looks is how often in a row the scheduler must have had nothing to do before the stacks are read. Between two of them the processor
// is left to others, so that what has come in from the kernel wakes somebody up.
const looks = 5

// Goroutines is a count of the process's goroutines by origin: the go statement that started them. Counts are compared origin by
// origin, so that one that has ended does not make up for one that is left, and a difference says what it is.
type Goroutines map[string]int

// AtRest waits until every goroutine waits for something, and counts them. Only such counts are worth comparing: libraries start
// goroutines that live for one read or write, so that a process at work has now a few more, now a few less. What has yet to
// come up when nothing happens for a moment, such as a connection that waits for an answer, the caller must have waited for. False:
// the process was never at rest in the time that Eventually takes.
func AtRest(ctx context.Context) (Goroutines, bool) {
	return atRest(ctx, func(Goroutines) bool { return true })
}

// NoMore waits until the process is at rest and has no more goroutines of any origin than before. It returns what there is too much
// of when that did not come to be.
func NoMore(ctx context.Context, before Goroutines) []string {
	now, ok := atRest(ctx, func(g Goroutines) bool { return len(g.Beyond(before)) == 0 })
	if ok {
		return nil
	}
	return append(now.Beyond(before), fmt.Sprintf("%d goroutines in all, %d before", now.Total(), before.Total()))
}

// atRest counts the goroutines once all wait and enough says so. The scheduler's own figures are cheap but not exact, the stacks are
// exact and stop the whole process while they are read: who reads them all the time gets in the way of what he waits for.
func atRest(ctx context.Context, enough func(Goroutines) bool) (Goroutines, bool) {
	var now Goroutines
	quiet := 0
	rest := Eventually(ctx, func() bool {
		if quiet++; busy() {
			quiet = 0
		}
		if quiet < looks {
			return false
		}
		quiet = 0
		var working bool
		now, working = goroutines()
		return !working && enough(now)
	})
	if now == nil {
		now, _ = goroutines()
	}
	return now, rest
}

// busy says whether more goroutines than the caller's have something to do.
func busy() bool {
	work := []metrics.Sample{{Name: "/sched/goroutines/runnable:goroutines"}, {Name: "/sched/goroutines/running:goroutines"}}
	metrics.Read(work)
	var n uint64
	for _, s := range work {
		if s.Value.Kind() == metrics.KindUint64 {
			n += s.Value.Uint64()
		}
	}
	return n > 1
}

// Total is the number of all of them.
func (g Goroutines) Total() int {
	n := 0
	for _, count := range g {
		n += count
	}
	return n
}

// Beyond lists the origins that have more goroutines than they had before, those that grew most first.
func (g Goroutines) Beyond(before Goroutines) []string {
	var grown []string
	for origin, n := range g {
		if n > before[origin] {
			grown = append(grown, origin)
		}
	}
	slices.SortFunc(grown, func(a, b string) int {
		return cmp.Or(cmp.Compare(g[b]-before[b], g[a]-before[a]), cmp.Compare(a, b))
	})
	for i, origin := range grown {
		grown[i] = fmt.Sprintf("%d, %d before: %s", g[origin], before[origin], origin)
	}
	return grown
}

// goroutines counts all there are now but the caller's and the runtime's, and says whether any of them is at work.
func goroutines() (counts Goroutines, working bool) {
	counts = make(Goroutines)
	blocks := strings.Split(stacks(), "\n\n")
	for _, block := range blocks[1:] { // the first is the caller's
		origin, works := read(block)
		counts[origin]++
		working = working || works
	}
	return counts, working
}

// stacks is what the runtime prints of all goroutines.
func stacks() string {
	for size := 1 << 20; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return strings.TrimSpace(string(buf[:n]))
		}
	}
}

var (
	state   = regexp.MustCompile(`^goroutine \d+ \[([^\],]+)`)
	creator = regexp.MustCompile(`\ncreated by (\S+)(?: in goroutine \d+)?\n\t(?:.*/)?([^/]+:\d+)`)
)

// read takes a goroutine's origin and whether it is at work out of its stack: the first line has its state, the last two have the
// go statement.
func read(stack string) (origin string, working bool) {
	origin = "the program's first"
	if f := creator.FindStringSubmatch(stack); f != nil {
		origin = f[1] + " at " + f[2]
	}
	f := state.FindStringSubmatch(stack)
	if f == nil {
		return origin, true
	}
	switch f[1] {
	case "running", "runnable", "preempted", "copystack", "GC assist wait", "GC assist marking":
		return origin, true
	case "syscall":
		// Two sit there all the time: who waits for signals, and who reads a CPU profile.
		return origin, !strings.Contains(stack, "\nos/signal.signal_recv(") && !strings.Contains(stack, "\nruntime/pprof.readProfile(")
	}
	return origin, false
}
