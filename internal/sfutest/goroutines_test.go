// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestGoroutinesAtRest: a goroutine that waits is counted under the statement that started it, one at work is waited for.
func TestGoroutinesAtRest(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	before, ok := AtRest(ctx)
	if !ok {
		t.Fatalf("the process never rests: %v", before)
	}
	end, working := make(chan struct{}), make(chan struct{})
	defer close(end)
	for range 3 {
		go func() { <-end }()
	}
	go func() { // at work until its maker is the only one that is too
		defer close(working)
		for until := time.Now().Add(50 * time.Millisecond); time.Now().Before(until); {
		}
	}()
	now, ok := AtRest(ctx)
	if !ok {
		t.Fatalf("the process never rests again: %v", now)
	}
	select {
	case <-working:
	default:
		t.Error("a goroutine was at work")
	}
	grown := now.Beyond(before)
	if len(grown) != 1 || !strings.HasPrefix(grown[0], "3, 0 before: ") || !strings.Contains(grown[0], "sfutest.TestGoroutinesAtRest at goroutines_test.go:") {
		t.Errorf("grown: %q", grown)
	}
	if fewer := before.Beyond(now); len(fewer) != 0 {
		t.Errorf("fewer: %q", fewer)
	}
	if over := NoMore(ctx, now); len(over) != 0 {
		t.Errorf("more than a moment ago: %q", over)
	}
	if got := now.Total() - before.Total(); got != 3 {
		t.Errorf("%d more in all, want 3", got)
	}
}

// TestGoroutinesBusy: a process of which one goroutine never waits is never at rest, and the answer comes in time.
func TestGoroutinesBusy(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var stop atomic.Bool
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for !stop.Load() {
			continue
		}
	}()
	if now, ok := AtRest(ctx); ok {
		t.Errorf("at rest: %v", now)
	}
	stop.Store(true)
	<-stopped
}

// TestNoMore: one that is left is named, one that ends is waited for.
func TestNoMore(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	before, ok := AtRest(ctx)
	if !ok {
		t.Fatalf("the process never rests: %v", before)
	}
	end := make(chan struct{})
	go func() { <-end }()
	short, cut := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cut()
	over := NoMore(short, before)
	if len(over) != 2 || !strings.HasPrefix(over[0], "1, 0 before: ") || !strings.Contains(over[0], "sfutest.TestNoMore at goroutines_test.go:") {
		t.Errorf("%q", over)
	}
	close(end)
	if over := NoMore(ctx, before); len(over) != 0 {
		t.Errorf("after it has ended: %q", over)
	}
}

func TestGoroutinesBeyond(t *testing.T) {
	before := Goroutines{"a": 3, "b": 1, "c": 2}
	now := Goroutines{"b": 2, "c": 2, "d": 4, "e": 1}
	want := []string{"4, 0 before: d", "2, 1 before: b", "1, 0 before: e"}
	if got := now.Beyond(before); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestReadStack(t *testing.T) {
	for _, test := range []struct {
		stack, origin string
		working       bool
	}{
		{"goroutine 1 [chan receive, 2 minutes]:\nmain.main()\n\t/x/main.go:3 +0x1", "the program's first", false},
		{"goroutine 7 [IO wait]:\nnet.(*conn).Read(...)\n\t/x/net.go:3 +0x1\ncreated by a.b/c.(*D).e in goroutine 1\n\t/x/y/d.go:77 +0x1f", "a.b/c.(*D).e at d.go:77", false},
		{"goroutine 7 [runnable]:\nruntime.goexit({})\n\t/x/asm.s:3 +0x1\ncreated by a.b in goroutine 1\n\td.go:7 +0x1f", "a.b at d.go:7", true},
		{"goroutine 9 [syscall, 1 minutes]:\nos/signal.signal_recv()\n\t/x/sig.go:1\ncreated by os/signal.Notify.func1.1\n\t/x/signal.go:9 +0x1", "os/signal.Notify.func1.1 at signal.go:9", false},
		{"goroutine 4 [syscall]:\nruntime/pprof.readProfile()\n\t/x/cpuprof.go:251\ncreated by runtime/pprof.StartCPUProfile in goroutine 1\n\t/x/pprof.go:911 +0x1", "runtime/pprof.StartCPUProfile at pprof.go:911", false},
		{"goroutine 9 [syscall]:\nsyscall.Syscall()\n\t/x/sys.go:1", "the program's first", true},
		{"what is this", "the program's first", true},
	} {
		if origin, working := read(test.stack); origin != test.origin || working != test.working {
			t.Errorf("%q: %q, %v", test.stack, origin, working)
		}
	}
}
