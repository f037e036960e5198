// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/switchyard-media/sfu/bench/load"
	"github.com/switchyard-media/sfu/bench/path"
)

const (
	fanoutViewers = 100
	fanoutLength  = 30 * time.Second
	thinnest      = 200_000.0
	widest        = 4_000_000.0
)

// fanout is one camera for viewers with a link each, all of them different; then once more without the tenth that has the thinnest.
func (r *linkRun) fanout(ctx context.Context) (*LinkReport, error) {
	n := max(r.o.or(r.o.subscribers, fanoutViewers), 10)
	report := newLinkReport(ctx, fmt.Sprintf("%s, %d viewers", fanoutScenario, n), kindNode, r.node, r.o)
	report.Seconds = fanoutLength.Seconds()
	all, err := r.fanOnce(ctx, n, 0)
	if err != nil {
		return nil, err
	}
	behind, late := r.poller.TakeLinkErrors()
	report.Emulator = &LinkErrors{ms(behind.Quantile(0.99)), ms(behind.Max()), ms(late.Quantile(0.99)), ms(late.Max())}
	without, err := r.fanOnce(ctx, n, n/10)
	if err != nil {
		return nil, err
	}
	report.Bounds = append(nearBest(all), untouched(all[n-n/10:], without[len(without)-n/10:])...)
	for _, i := range []int{0, n / 4, n / 2, 3 * n / 4, n - 1} {
		report.Flows = append(report.Flows, all[i].flow(fmt.Sprintf("viewer %d, %.0f kbit/s", i, linkOf(i, n)/1000)))
	}
	for _, s := range all {
		report.Viewers = append(report.Viewers, s.viewer())
	}

	return report, nil
}

// linkOf is what the i-th of n links carries, in bit/s: the same factor from each to the next.
func linkOf(i, n int) float64 {
	return thinnest * math.Pow(widest/thinnest, float64(i)/float64(n-1))
}

// fanOnce plays it for all viewers from the leaveOut-th on, from the thinnest link to the widest.
func (r *linkRun) fanOnce(ctx context.Context, n, leaveOut int) ([]*linkSeen, error) {
	ctx, cancel := context.WithTimeout(ctx, fanoutLength+2*time.Minute)
	defer cancel()
	var a audience
	defer a.close(context.WithoutCancel(ctx))
	room := fmt.Sprintf("fanout-%d", leaveOut)
	source := (&plan{}).camera()
	err := a.publish(ctx, r, load.Config{
		User: "host", Rooms: []string{room}, Sources: []load.Source{source}, Publishes: []load.Publication{{Room: room, Stream: "host"}},
	})
	if err != nil {
		return nil, err
	}
	clients, start := make([]*load.Client, n), &atomic.Int64{}
	err = eachOf(r.o.joinsAtOnce, n-leaveOut, func(k int) error {
		i, err := k+leaveOut, error(nil)
		shape := bottleneck(int64(linkOf(i, n)))
		clients[i], err = a.join(ctx, r, load.Config{
			User: fmt.Sprintf("viewer%d", i), Rooms: []string{room}, SubscribeOnly: true, Seed: uint64(i),
			Wants: []load.Want{{Room: room, Stream: "host", Expect: source}},
			Down:  behind(shape, start), Up: &path.Shape{Delay: shape.Delay},
		})

		return err
	})
	if err != nil {
		return nil, err
	}
	from := time.Now()
	start.Store(from.UnixNano())
	for _, c := range clients[leaveOut:] {
		c.StartTrace(from, linkSlice, fanoutLength)
	}
	if err := pause(ctx, time.Until(from.Add(fanoutLength))); err != nil {
		return nil, err
	}
	var out []*linkSeen
	for i, c := range clients[leaveOut:] {
		s := &linkSeen{
			length: fanoutLength, layers: cameraLayers(), tracks: []uint32{source.Video.ID}, trace: c.EndTrace(),
			capacity: path.Constant(int64(linkOf(i+leaveOut, n))),
		}
		s.estimates = make([]float64, len(s.trace.Slots))
		out = append(out, s)
	}

	return out, nil
}

// LinkViewer is one viewer of a fan-out.
type LinkViewer struct {
	Capacity float64 `json:"capacity"` // kbit/s
	Best     int     `json:"best"`     // layer that the link carries; -1: none
	Usual    int     `json:"usual"`    // that was shown most of the last half
	Received float64 `json:"received"`
	Q95      float64 `json:"q95_ms"`
	Lost     int     `json:"lost_on_link"`
	P99      float64 `json:"latency_p99_ms"`
	Freezes  int     `json:"freezes"`
}

func (s *linkSeen) viewer() LinkViewer {
	capacity := float64(s.capacity(0))
	v := LinkViewer{
		Capacity: math.Round(capacity / 1000), Best: fits(s.layers, capacity), Usual: s.usual(s.tracks[0], s.length/2, s.length),
		Received: math.Round(s.received(s.length/2, s.length) / 1000), Q95: ms(s.trace.Queued(0, s.length, 0.95)),
		P99: ms(s.trace.Latency.Quantile(0.99)), Freezes: s.freezes(),
	}
	for _, slot := range s.trace.Slots {
		v.Lost += slot.Lost
	}

	return v
}

// nearBest counts viewers within one layer of the best that their links carry, and at it.
func nearBest(all []*linkSeen) []LinkBound {
	near, at, above := 0, 0, 0
	for _, s := range all {
		switch v := s.viewer(); {
		case v.Usual == v.Best:
			at++
			near++
		case v.Usual > v.Best:
			above++
		case v.Best-v.Usual == 1:
			near++
		}
	}

	return []LinkBound{
		bound(fmt.Sprintf("viewers within one layer of the best (%d at it, %d above)", at, above), "", float64(near+above), float64(len(all)), false),
	}
}

// untouched compares the viewers with the widest links beside all others and without the thinnest links.
func untouched(with, without []*linkSeen) []LinkBound {
	sum := func(all []*linkSeen) (lost, freezes int, p99 float64) {
		for _, s := range all {
			v := s.viewer()
			lost += v.Lost
			freezes += v.Freezes
			p99 = max(p99, v.P99)
		}

		return lost, freezes, p99
	}
	lost, freezes, p99 := sum(with)
	lost0, freezes0, p990 := sum(without)

	return []LinkBound{
		bound("lost by the widest tenth, beside and without the thinnest", "packets", float64(lost), float64(lost0), true),
		bound("its freezes, beside and without", "", float64(freezes), float64(freezes0), true),
		bound("its largest p99 of latency, beside and half as much again as without", "ms", p99, 1.5*p990, true),
	}
}
