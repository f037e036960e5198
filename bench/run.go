// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/switchyard-media/sfu/bench/load"
	"github.com/switchyard-media/sfu/bench/stats"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

const (
	firstPackets = 10 * time.Second // all subscriptions must deliver by then
	openIn       = 20 * time.Millisecond
)

var errNotFlowing = errors.New("not every subscription delivers")

// run is one plan on one node.
type run struct {
	o        *options
	plan     *plan
	node     *node
	window   *load.Window
	poller   *load.Poller
	progress *progress
	report   *Report

	clients    []*load.Client
	pilots     []*load.Client
	publishers []*load.Publisher
	joins      joinTimes
}

// measure plays a plan and reports. Whatever happens, nothing of it is left running.
func measure(ctx context.Context, o *options, p *plan, notes io.Writer) (*Report, error) {
	ctx, cancel := context.WithTimeout(ctx, o.longest())
	defer cancel()
	r, done, err := openRun(ctx, o, p, notes)
	if err != nil {
		return nil, err
	}
	defer done()
	for _, step := range r.steps() {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}

	return r.report, nil
}

// openRun opens the node for a plan; done stops what was started.
func openRun(ctx context.Context, o *options, p *plan, notes io.Writer) (r *run, done func(), err error) {
	n, err := openNode(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	r = &run{o: o, plan: p, node: n, window: load.NewWindow(), report: newReport(ctx, o, p, n)}
	if r.poller, err = load.NewPoller(r.window, o.rest, o.receiveGRO); err != nil {
		n.close()

		return nil, nil, err
	}
	r.progress = startProgress(r, notes)

	return r, func() {
		r.closeAll()
		r.progress.stop()
		r.poller.Close()
		n.close()
	}, nil
}

func (r *run) steps() []func(context.Context) error {
	if r.plan.bare {
		return []func(context.Context) error{r.joinAll, r.floor, r.leaveAll}
	}

	return []func(context.Context) error{r.joinAll, r.joinPilots, r.startMedia, r.measureWindow, r.probe, r.floor, r.leaveAll}
}

// stopMedia stops all publishers, and takes how long they took to send.
func (r *run) stopMedia() {
	load.StopAll(r.publishers)
	var all stats.Histogram
	for _, p := range r.publishers {
		all.Merge(p.Delay())
	}
	r.report.Generator.SendP99, r.report.Generator.SendMax = ms(all.Quantile(0.99)), ms(all.Max())
	r.publishers = nil
}

// closeAll frees what clients hold; publishers first.
func (r *run) closeAll() {
	load.StopAll(r.publishers)
	r.publishers = nil
	for _, c := range slices.Concat(r.clients, r.pilots) {
		if c != nil {
			c.Close()
		}
	}
	r.clients, r.pilots = nil, nil
}

// joinAll lets all members in while nobody sends, so that the node's CPU time is that of joining.
func (r *run) joinAll(ctx context.Context) error {
	r.progress.say("joining")
	before, err := r.node.load(ctx)
	if err != nil {
		return err
	}
	r.clients = make([]*load.Client, len(r.plan.members))
	err = eachOf(r.o.joinsAtOnce, len(r.clients), func(i int) error {
		c, err := load.Join(ctx, r.poller, r.node.sessions, r.plan.members[i])
		r.clients[i] = c

		return err
	})
	if err != nil {
		return err
	}
	after, err := r.node.load(ctx)
	if err != nil {
		return err
	}
	r.report.setUp(before, after, r.clients)

	return nil
}

// eachOf calls f for 0 to n-1, at most width at a time, until one fails.
func eachOf(width, n int, f func(i int) error) error {
	var wait sync.WaitGroup
	slots := make(chan struct{}, width)
	errs := make([]error, n)
	failed := make(chan struct{})
	var once sync.Once
	for i := range n {
		slots <- struct{}{}
		select {
		case <-failed:
			wait.Wait()

			return errors.Join(errs...)
		default:
		}
		wait.Go(func() {
			if errs[i] = f(i); errs[i] != nil {
				once.Do(func() { close(failed) })
			}
			<-slots
		})
	}
	wait.Wait()

	return errors.Join(errs...)
}

// startMedia starts all publishers and waits until everybody receives everything.
func (r *run) startMedia(ctx context.Context) error {
	r.progress.say("starting media")
	for i, m := range r.plan.members {
		all, err := load.StartPublishers(r.clients[i], m.Sources, r.o.videoBits)
		if err != nil {
			return err
		}
		r.publishers = append(r.publishers, all...)
	}
	for deadline := time.Now().Add(firstPackets); ; {
		missing := r.missing()
		if missing == 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: %d of %d after %v", errNotFlowing, missing, r.plan.subscriptions(), firstPackets)
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}

	r.disturb()

	return pause(ctx, r.o.warmUp)
}

// disturb makes the slow subscriber slow.
func (r *run) disturb() {
	last := r.clients[len(r.clients)-1]
	switch r.plan.slow {
	case slowStalled:
		last.Stall()
	case slowLossy:
		last.Lose(r.o.loss)
	}
}

// missing counts tracks that have not begun: no packet, or for video no whole keyframe.
func (r *run) missing() int {
	n := 0
	r.poller.Locked(func() {
		for _, c := range r.clients {
			for _, t := range c.Received() {
				if t.First.IsZero() || t.Track.Video && t.FirstKeyframe.IsZero() {
					n++
				}
			}
		}
	})

	return n
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// point is what is read at both ends of the window.
type point struct {
	at       time.Time
	load     *sfuv1.Load
	counters load.Counters
	kernel   udpErrors
	own      time.Duration // CPU time of the load generator
	busy     time.Duration // of the machine

	nodeDrops uint64 // by the kernel, at the node's sockets
}

func (r *run) point(ctx context.Context) (point, error) {
	l, err := r.node.load(ctx)
	if err != nil {
		return point{}, err
	}

	port := int(r.clients[0].NodeAddress().Port())

	return point{time.Now(), l, r.poller.Counters(), readUDPErrors(), ownCPU(), busy(), socketDrops(port)}, nil
}

// cpuBetween is the node's CPU time.
func cpuBetween(from, to point) time.Duration {
	u0, s0 := cpuOf(from.load)
	u1, s1 := cpuOf(to.load)

	return u1 + s1 - u0 - s0
}

// measureWindow is the measurement itself.
func (r *run) measureWindow(ctx context.Context) error {
	r.progress.say("measuring")
	opens := time.Now().Add(openIn)
	r.window.Open(opens, r.o.duration)
	if err := pause(ctx, openIn); err != nil {
		return err
	}
	from, err := r.point(ctx)
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	var failed error
	if r.plan.pilot != nil {
		wait.Go(func() { failed = r.steer(ctx, opens.Add(r.o.duration)) })
	}
	if r.plan.churn {
		wait.Go(func() { failed = r.churn(ctx, opens.Add(r.o.duration)) })
	}
	if r.o.profiles != "" {
		wait.Go(func() { r.capture(ctx) })
	}
	err = pause(ctx, time.Until(opens.Add(r.o.duration)))
	to, pointErr := r.point(ctx)
	wait.Wait()
	if err := errors.Join(err, pointErr, failed); err != nil {
		return err
	}
	if err := pause(ctx, r.o.settle); err != nil {
		return err
	}
	latency := r.poller.TakeLatency()
	r.report.window(from, to, &latency)
	if r.plan.slow != "" {
		apart := r.poller.TakeApart()
		r.report.Slow = &Slow{Kind: r.plan.slow, Latency: latencyOf(&apart), Thrown: to.counters.Thrown - from.counters.Thrown}
	}
	r.report.account(r)

	return nil
}

// probe times joins and leaves under load, one after the other.
func (r *run) probe(ctx context.Context) error {
	r.window.Shut()
	r.progress.say("timing joins")
	for i := range r.o.probes {
		if err := pause(ctx, probeApart+rand.N(probeApart)); err != nil {
			return err
		}
		if err := r.joinAndLeave(ctx, fmt.Sprintf("probe%d", i), 0); err != nil {
			return err
		}
	}
	r.report.joined(&r.joins)

	return nil
}

// leaveAll ends all sessions and looks at what is left.
func (r *run) leaveAll(ctx context.Context) error {
	r.progress.say("leaving")
	all := slices.Concat(r.clients, r.pilots)
	err := eachOf(r.o.joinsAtOnce, len(all), func(i int) error {
		err := all[i].Leave(ctx)
		if status.Code(err) == codes.NotFound && r.plan.slow == slowStalled && i == len(r.clients)-1 {
			return nil // the node has given it up
		}

		return err
	})
	if err != nil {
		return err
	}
	if err := pause(ctx, r.o.settle); err != nil {
		return err
	}
	l, err := r.node.load(ctx)
	if err != nil {
		return err
	}
	r.report.left(l)

	return nil
}

// joinTimes are those of single joins and leaves under load.
type joinTimes struct {
	mu sync.Mutex // guards what follows

	joins       int
	answered    stats.Sample // Connect has answered
	connected   stats.Sample // DTLS is done
	firstPacket stats.Sample
	keyframe    stats.Sample // the first is there whole
	silence     stats.Sample // last packet after the call to leave; 0: none came after it
	left        stats.Sample // LeaveRoom has answered
	quiet       stats.Sample // last packet after that; below 0: before it
	late        uint64       // packets that came after the answer to a leave
	later       uint64       // packets that were even sent after it
	never       int          // joins without a packet
}
