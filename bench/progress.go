// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/switchyard-media/sfu/bench/load"
)

// progress tells people that something happens: a line that is written over on a terminal, else a line a step.
type progress struct {
	// immutable after startProgress
	to       io.Writer // nil: quiet
	terminal bool
	name     string
	poller   *load.Poller
	start    time.Time
	quit     chan struct{}
	done     chan struct{}

	mu   sync.Mutex // guards step
	step string
}

func startProgress(r *run, to io.Writer) *progress {
	p := &progress{name: r.plan.name, poller: r.poller, start: time.Now(), quit: make(chan struct{}), done: make(chan struct{})}
	if !r.o.quiet {
		p.to = to
	}
	if f, ok := to.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			p.terminal = info.Mode()&os.ModeCharDevice != 0
		}
	}
	go p.run()

	return p
}

// say names the step that begins.
func (p *progress) say(step string) {
	p.mu.Lock()
	p.step = step
	p.mu.Unlock()
	if p.to != nil && !p.terminal {
		tell(p.to, "%s: %5.1f s  %s\n", p.name, time.Since(p.start).Seconds(), step)
	}
}

func (p *progress) run() {
	defer close(p.done)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	last := uint64(0)
	for {
		select {
		case <-p.quit:
			return
		case <-tick.C:
		}
		if p.to == nil || !p.terminal {
			continue
		}
		n := p.poller.Counters().Packets
		p.mu.Lock()
		step := p.step
		p.mu.Unlock()
		tell(p.to, "\r%s: %5.1f s  %-16s %8d packets/s ", p.name, time.Since(p.start).Seconds(), step, (n-last)*2)
		last = n
	}
}

func (p *progress) stop() {
	close(p.quit)
	<-p.done
	if p.to != nil && p.terminal {
		tell(p.to, "\r\x1b[K")
	}
}

// tell writes for people; when they have closed their end there is nobody to tell.
func tell(to io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(to, format, args...) }
