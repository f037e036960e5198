// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchyard-media/sfu/bench/load"
	"github.com/switchyard-media/sfu/bench/path"
	sfuv1 "github.com/switchyard-media/sfu/proto/sfu/v1"
)

// Names of scenarios with links, beside those of linkCases.
const (
	linksScenario  = "links" // all of linkCases
	fanoutScenario = "link-fanout"
	roomsScenario  = "link-rooms"
)

// isLinks says whether a scenario is one of links: such have no plan.
func isLinks(scenario string) bool {
	return scenario == linksScenario || strings.HasPrefix(scenario, "link-")
}

// linkNames are the scenarios of links as -help lists them.
func linkNames() []string {
	out := []string{linksScenario}
	for _, c := range linkCases() {
		out = append(out, c.name)
	}

	return append(out, fanoutScenario, roomsScenario)
}

// linkRun is a node and a Poller, that clients behind links are played with.
type linkRun struct {
	o      *options
	node   *node
	poller *load.Poller
	window *load.Window
	notes  io.Writer
}

func openLinks(ctx context.Context, o *options, notes io.Writer) (*linkRun, func(), error) {
	n, err := openNode(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	w := load.NewWindow()
	p, err := load.NewPoller(w, 0, false)
	if err != nil {
		n.close()

		return nil, nil, err
	}

	return &linkRun{o, n, p, w, notes}, func() {
		p.Close()
		n.close()
	}, nil
}

// playLinks plays a scenario of links.
func playLinks(ctx context.Context, o *options, out, notes io.Writer) error {
	r, done, err := openLinks(ctx, o, notes)
	if err != nil {
		return err
	}
	defer done()
	switch o.scenario {
	case fanoutScenario:
		report, err := r.fanout(ctx)

		return errors.Join(err, showLink(o, report, out))
	case roomsScenario:
		report, err := r.fiveRooms(ctx)

		return errors.Join(err, showLink(o, report, out))
	}
	var cases []linkCase
	for _, c := range linkCases() {
		if o.scenario == linksScenario || c.name == o.scenario {
			cases = append(cases, c)
		}
	}

	return r.playCases(ctx, cases, out)
}

func showLink(o *options, r *LinkReport, out io.Writer) error {
	if r == nil {
		return nil
	}

	return show(o, r, out)
}

// playCases plays some at a time, and shows them in order.
func (r *linkRun) playCases(ctx context.Context, cases []linkCase, out io.Writer) error {
	reports, missed := make([]*LinkReport, len(cases)), 0
	err := eachOf(r.o.linksAtOnce, len(cases), func(i int) error {
		var err error
		if reports[i], err = r.playCase(ctx, cases[i]); err != nil {
			return fmt.Errorf("%s: %w", cases[i].name, err)
		}

		return nil
	})
	behind, late := r.poller.TakeLinkErrors()
	for _, report := range reports {
		if report == nil {
			continue
		}
		report.Emulator = &LinkErrors{ms(behind.Quantile(0.99)), ms(behind.Max()), ms(late.Quantile(0.99)), ms(late.Max())}
		missed += report.missed()
		if err := show(r.o, report, out); err != nil {
			return err
		}
	}
	if err == nil && !r.o.json && len(cases) > 1 {
		tell(out, "%d bounds missed\n", missed)
	}

	return err
}

// audience is clients that were let in, to be closed.
type audience struct {
	mu         sync.Mutex // guards what follows
	publishers []*load.Publisher
	clients    []*load.Client
}

// join lets one in.
func (a *audience) join(ctx context.Context, r *linkRun, cfg load.Config) (*load.Client, error) {
	cfg.App, cfg.TransportCC = app, r.o.transportCC
	c, err := load.Join(ctx, r.poller, r.node.sessions, cfg)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.clients = append(a.clients, c)
	a.mu.Unlock()

	return c, nil
}

// publish lets a publisher in and starts it.
func (a *audience) publish(ctx context.Context, r *linkRun, cfg load.Config) error {
	c, err := a.join(ctx, r, cfg)
	if err != nil {
		return err
	}
	all, err := load.StartPublishers(c, cfg.Sources, r.o.videoBits)
	a.mu.Lock()
	a.publishers = append(a.publishers, all...)
	a.mu.Unlock()

	return err
}

func (a *audience) close(ctx context.Context) {
	load.StopAll(a.publishers)
	for _, c := range a.clients {
		_ = c.Leave(ctx) // the node may have gone; it is asked for order, not for a figure
		c.Close()
	}
}

// camera is a simulcast and a voice.
func (p *plan) camera() load.Source {
	s := p.source(true)
	s.Video.Layers, s.Audio.Bits = cameraLayers(), voiceBits

	return s
}

// behind makes a shape whose times are from a start that is told later.
func behind(s path.Shape, start *atomic.Int64) *path.Shape {
	if capacity := s.Capacity; capacity != nil {
		s.Capacity = func(at int64) int64 {
			from := start.Load()
			if from == 0 {
				return capacity(0)
			}

			return capacity(max(at-from, 0))
		}
	}

	return &s
}

// playCase is one client behind one link.
func (r *linkRun) playCase(ctx context.Context, c linkCase) (*LinkReport, error) {
	ctx, cancel := context.WithTimeout(ctx, c.length+time.Minute)
	defer cancel()
	var a audience
	defer a.close(context.WithoutCancel(ctx))
	p, start := &plan{}, &atomic.Int64{}
	viewer := load.Config{
		User: c.name, Rooms: []string{c.name}, SubscribeOnly: true, Seed: 1,
		Down: behind(c.shape, start), Up: &path.Shape{Delay: c.shape.Delay},
	}
	seen := &linkSeen{length: c.length, layers: cameraLayers(), capacity: c.shape.Capacity}
	for i := range max(c.cameras, 1) {
		host, s := fmt.Sprintf("%s-host%d", c.name, i), p.camera()
		seen.tracks = append(seen.tracks, s.Video.ID)
		viewer.Wants = append(viewer.Wants, load.Want{Room: c.name, Stream: host, Expect: s})
		err := a.publish(ctx, r, load.Config{
			User: host, Rooms: []string{c.name}, Sources: []load.Source{s}, Publishes: []load.Publication{{Room: c.name, Stream: host}},
		})
		if err != nil {
			return nil, err
		}
	}
	a.hold(c, 0)
	if err := pause(ctx, time.Second); err != nil { // layers are known by then
		return nil, err
	}
	report := newLinkReport(ctx, c.name, kindNode, r.node, r.o)
	client, err := a.join(ctx, r, viewer)
	if err != nil {
		return nil, err
	}
	from := time.Now()
	start.Store(from.UnixNano())
	client.StartTrace(from, linkSlice, c.length)
	if err := r.follow(ctx, client, seen, from, func(at time.Duration) { a.hold(c, at) }); err != nil {
		return nil, err
	}
	b := &linkBounds{s: seen}
	c.ask(b)
	report.Seconds, report.Flows, report.Bounds = c.length.Seconds(), []LinkFlow{seen.flow(c.name)}, b.all
	if !c.shape.Rival {
		report.Flows[0].Rival = nil
	}

	return report, nil
}

// hold has cameras send the layers that the case wants.
func (a *audience) hold(c linkCase, at time.Duration) {
	if c.layers == nil {
		return
	}
	n := c.layers(at)
	for _, p := range a.publishers {
		if _, layer, simulcast := p.Layer(); simulcast {
			p.Hold(layer >= n)
		}
	}
}

// follow asks the node slice by slice, until the trace ends.
func (r *linkRun) follow(ctx context.Context, client *load.Client, seen *linkSeen, from time.Time, each func(time.Duration)) error {
	subscriptions, err := r.subscriptions(ctx, client)
	if err != nil {
		return err
	}
	rival := uint64(0)
	for i := range int(seen.length / linkSlice) {
		if err := pause(ctx, time.Until(from.Add(time.Duration(i+1)*linkSlice))); err != nil {
			return err
		}
		each(time.Duration(i+1) * linkSlice)
		stats, err := r.statsOf(ctx, subscriptions[0].GetId())
		if err != nil {
			return err
		}
		seen.estimates, seen.said = append(seen.estimates, estimateOf(stats)), append(seen.said, stats)
		now := client.Access().RivalBytes
		seen.rival = append(seen.rival, perSecond(int(now-rival)))
		rival = now
	}
	seen.trace = client.EndTrace()

	return nil
}

var errNoSubscription = errors.New("the session has no subscription")

func (r *linkRun) subscriptions(ctx context.Context, c *load.Client) ([]*sfuv1.Subscription, error) {
	reply, err := r.node.wishes.ListSubscriptions(ctx, &sfuv1.ListSubscriptionsRequest{SessionId: c.Session})
	if err != nil {
		return nil, err
	}
	if len(reply.GetSubscriptions()) == 0 {
		return nil, errNoSubscription
	}

	return reply.GetSubscriptions(), nil
}

func (r *linkRun) statsOf(ctx context.Context, subscription string) (*sfuv1.SubscriptionStats, error) {
	reply, err := r.node.wishes.GetSubscriptionStats(ctx, &sfuv1.GetSubscriptionStatsRequest{SubscriptionId: subscription})

	return reply.GetStats(), err
}

// estimateOf is bit/s; 0: none.
func estimateOf(s *sfuv1.SubscriptionStats) float64 {
	if target := s.GetLink().GetTargetBitrate(); target > 0 {
		return float64(target)
	}

	return float64(s.GetEstimatedBitrate())
}
