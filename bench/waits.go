// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// module is where packages of our own are.
const module = "github.com/switchyard-media/sfu/"

// profile is a mutex or block profile of Go in its text form (debug=1).
type profile struct {
	cycles float64           // a second
	stacks map[string]*stack // by their addresses
}

// stack is one place that waits.
type stack struct {
	functions []string // the innermost first
	delay     float64  // cycles
	count     uint64
}

// parseProfile reads lines of this form, and comments with the functions after each:
//
//	cycles/second=2000000000
//	1234 5 @ 0x1 0x2
//	#	0x1	sync.(*Mutex).Unlock+0x10	/go/src/sync/mutex.go:223
func parseProfile(text string) (profile, error) {
	p := profile{stacks: make(map[string]*stack)}
	var open *stack
	for l := range strings.Lines(text) {
		l = strings.TrimSuffix(l, "\n")
		if value, ok := strings.CutPrefix(l, "cycles/second="); ok {
			p.cycles, _ = strconv.ParseFloat(value, 64) // 0 is refused below
		}
		if f := strings.Split(l, "\t"); open != nil && len(f) >= 3 && f[0] == "#" {
			name, _, _ := strings.Cut(f[2], "+0x")
			open.functions = append(open.functions, name)

			continue
		}
		numbers, addresses, ok := strings.Cut(l, " @ ")
		if !ok {
			continue
		}
		open = &stack{}
		if n, _ := fmt.Sscanf(numbers, "%f %d", &open.delay, &open.count); n != 2 {
			return p, fmt.Errorf("%w: %q", errProfiler, l)
		}
		p.stacks[addresses] = open
	}
	if p.cycles <= 0 {
		return p, fmt.Errorf("%w: no cycles in a second", errProfiler)
	}

	return p, nil
}

// since is what p has more than an earlier one.
func (p profile) since(before profile) profile {
	out := profile{cycles: p.cycles, stacks: make(map[string]*stack)}
	for at, s := range p.stacks {
		d := *s
		if b := before.stacks[at]; b != nil {
			d.delay, d.count = d.delay-b.delay, d.count-b.count
		}
		if d.count > 0 {
			out.stacks[at] = &d
		}
	}

	return out
}

// kind is what a stack of the block profile waits for: "lock", "send" (room in a channel) or "wait" (something to do).
func (s *stack) kind() string {
	for _, f := range s.functions {
		switch {
		case strings.Contains(f, "sync.(*Mutex)"), strings.Contains(f, "sync.(*RWMutex)"):
			return "lock"
		case f == "runtime.chansend1":
			return "send"
		case !beneath(f):
			return "wait"
		}
	}

	return "wait"
}

// site is the function that a stack is counted under.
func (s *stack) site() string {
	for _, f := range s.functions {
		if !beneath(f) {
			return f
		}
	}
	if len(s.functions) > 0 {
		return s.functions[0]
	}

	return "unknown"
}

// beneath says that a function belongs to the runtime or to package sync.
func beneath(function string) bool {
	p := packageOf(function)

	return p == "sync" || p == "runtime" || strings.HasPrefix(p, "runtime/") || strings.HasPrefix(p, "internal/")
}

// packageOf is the package of a function as profiles name it: all before the first point after the last slash.
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/') + 1
	if i := strings.IndexByte(function[slash:], '.'); i >= 0 {
		return function[:slash+i]
	}

	return function
}

// sites adds stacks up by the function that waits, the longest first.
func (p profile) sites(which func(*stack) bool) []*site {
	found := make(map[string]*site)
	for _, s := range p.stacks {
		if !which(s) {
			continue
		}
		f := s.site()
		if found[f] == nil {
			pkg := packageOf(f)
			found[f] = &site{Package: pkg, Function: f, Ours: strings.HasPrefix(pkg+"/", module) || pkg == "main"}
		}
		found[f].Count += s.count
		found[f].DelayMs += s.delay / p.cycles * 1000
	}
	out := slices.SortedFunc(maps.Values(found), byDelay)
	for _, s := range out {
		s.DelayMs = round(s.DelayMs)
	}

	return out
}

func byDelay(a, b *site) int {
	return cmp.Or(cmp.Compare(b.DelayMs, a.DelayMs), strings.Compare(a.Function, b.Function))
}
