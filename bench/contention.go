// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// contentionFlag makes a node's profiler see every wait for a lock.
const contentionFlag = "--profile-contention"

// contentionSubscribers is the load unless the command line says another.
const contentionSubscribers = 100

var errProfiler = errors.New("the node's profiler")

// contention is what has waited for what in the node during one measurement.
type contention struct {
	Report *Report `json:"report"`
	// Mutex is from the mutex profile: how long others waited for a lock that was held here.
	Mutex []*site `json:"mutex"`
	// Lock and Send are from the block profile: waiting here for a lock, and for room in a channel.
	Lock []*site `json:"lock"`
	Send []*site `json:"send"`
	// Wait is waiting for something to do: receive, select, condition. It is not contention, and listed for completeness.
	Wait []*site `json:"wait"`
	// Ours is what mutex, lock and send have in packages of the node.
	Ours Waits `json:"ours"`
}

// Waits are how many waits of a sort a profile has seen, and how long they took all together.
type Waits struct {
	Count   uint64  `json:"count"`
	DelayMs float64 `json:"delay_ms"`
}

// site is a function that waits, or makes others wait: the first one that is neither the runtime's nor of package sync.
type site struct {
	Waits
	Package  string `json:"package"`
	Function string `json:"function"`
	Ours     bool   `json:"ours"`
}

// contend plays the scenario with the profiles on.
func contend(ctx context.Context, o *options, notes io.Writer) (*contention, error) {
	at := *o
	at.nodeArgs = strings.TrimSpace(at.nodeArgs + " " + contentionFlag)
	at.floor, at.probes = false, 0
	if at.scenario == "webinar" {
		at.subscribers = at.or(at.subscribers, contentionSubscribers)
	}
	plans, err := plansOf(&at)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, at.longest())
	defer cancel()
	c := &contention{}
	r, done, err := openRun(ctx, &at, plans[len(plans)-1], notes)
	if err != nil {
		return nil, err
	}
	defer done()
	var from [2]profile
	read := func(into *[2]profile) func(context.Context) error {
		return func(ctx context.Context) (err error) {
			*into, err = r.node.contention(ctx)

			return err
		}
	}
	var to [2]profile
	for _, step := range []func(context.Context) error{
		r.joinAll, r.joinPilots, r.startMedia, read(&from), r.measureWindow, read(&to), r.floor, r.leaveAll,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	c.Report = r.report
	c.take(to[0].since(from[0]), to[1].since(from[1]))

	return c, nil
}

// take sorts two profiles by what waits.
func (c *contention) take(mutex, block profile) {
	c.Mutex = mutex.sites(func(*stack) bool { return true })
	c.Lock = block.sites(func(s *stack) bool { return s.kind() == "lock" })
	c.Send = block.sites(func(s *stack) bool { return s.kind() == "send" })
	c.Wait = block.sites(func(s *stack) bool { return s.kind() == "wait" })
	for _, s := range slices.Concat(c.Mutex, c.Lock, c.Send) {
		if s.Ours {
			c.Ours.Count += s.Count
			c.Ours.DelayMs = round(c.Ours.DelayMs + s.DelayMs)
		}
	}
}

// contention reads the mutex and the block profile.
func (n *node) contention(ctx context.Context) (out [2]profile, err error) {
	if n.pprof == "" {
		return out, fmt.Errorf("%w: its address is not known", errProfiler)
	}
	for i, kind := range []string{"mutex", "block"} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.pprof+kind+"?debug=1", http.NoBody)
		if err != nil {
			return out, err
		}
		reply, err := http.DefaultClient.Do(request)
		if err != nil {
			return out, err
		}
		text, err := io.ReadAll(reply.Body)
		reply.Body.Close()
		if err != nil {
			return out, err
		}
		if reply.StatusCode != http.StatusOK {
			return out, fmt.Errorf("%w: %s: %s", errProfiler, kind, reply.Status)
		}
		if out[i], err = parseProfile(string(text)); err != nil {
			return out, err
		}
	}

	return out, nil
}

func (c *contention) table(out io.Writer) error {
	r := c.Report
	tell(out, "%s, %g %s, %.0f s: %.0f packets/s, %.2f µs a packet with these profiles on, %d lost\n\n",
		r.Scenario, r.Size.Value, r.Size.Axis, r.DurationSeconds, r.PacketsPerSecond, r.CPUPerPacket, r.Lost)
	window := time.Duration(r.DurationSeconds * float64(time.Second))
	for _, part := range []struct {
		title string
		sites []*site
	}{
		{"mutex profile: others waited for a lock that was held in", c.Mutex},
		{"block profile: waited for a lock in", c.Lock},
		{"block profile: waited for room in a channel in", c.Send},
		{"block profile: waited for something to do in (no contention)", c.Wait},
	} {
		tell(out, "%s\n", part.title)
		printSites(out, part.sites, window)
	}
	tell(out, "contention in packages of the node: %d waits, %.2f ms\n\n", c.Ours.Count, c.Ours.DelayMs)

	return nil
}

// printSites sums up by package, and lists the functions of our own.
func printSites(out io.Writer, sites []*site, window time.Duration) {
	packages := make(map[string]*site)
	var order []*site
	for _, s := range sites {
		p := packages[s.Package]
		if p == nil {
			p = &site{Package: s.Package, Ours: s.Ours}
			packages[s.Package] = p
			order = append(order, p)
		}
		p.Count += s.Count
		p.DelayMs += s.DelayMs
	}
	if len(order) == 0 {
		tell(out, "  nothing\n")
	}
	slices.SortFunc(order, byDelay)
	for _, p := range order {
		note := ""
		if p.Ours {
			note = "  ours"
		}
		tell(out, "  %10d  %12.2f ms  %6.2f %% of the time  %s%s\n", p.Count, p.DelayMs, p.DelayMs/window.Seconds()/10, p.Package, note)
		for _, s := range sites {
			if p.Ours && s.Package == p.Package {
				tell(out, "  %10d  %12.2f ms      %s\n", s.Count, s.DelayMs, s.Function)
			}
		}
	}
	tell(out, "\n")
}
