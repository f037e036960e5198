// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
)

// growth is curves: what a packet, and what a session costs as the node gets larger.
type growth struct {
	Machine     Machine  `json:"machine"`
	NodeVersion string   `json:"node_version"`
	NodeArgs    string   `json:"node_args,omitempty"`
	Curves      []*curve `json:"curves"`
}

// curve is one scenario at several sizes.
type curve struct {
	Scenario string        `json:"scenario"`
	Axis     string        `json:"axis"`
	Points   []*curvePoint `json:"points"`
}

// curvePoint is one size. Idle sessions have no packets: what speaks of them is 0 then.
type curvePoint struct {
	Size         float64 `json:"size"`
	Sessions     int     `json:"sessions"`
	Packets      float64 `json:"packets_per_second"`
	CPUPerPacket float64 `json:"cpu_us_per_packet"`
	Floor        float64 `json:"floor_us_per_packet,omitempty"`
	Ratio        float64 `json:"cpu_ratio_to_floor,omitempty"`
	CPUCores     float64 `json:"cpu_cores"`
	P50          float64 `json:"latency_p50_ms"`
	P99          float64 `json:"latency_p99_ms"`
	Lost         uint64  `json:"lost"`
	RSS          float64 `json:"rss_mb"`
	Heap         float64 `json:"heap_mb"`
	Goroutines   uint64  `json:"goroutines"`
	CPUPerJoin   float64 `json:"cpu_ms_per_join"`
}

// curvePlan is what one curve plays.
type curvePlan struct {
	scenario string
	axis     axis
	sizes    []float64
	fix      func(*options) // what stays the same over all sizes
}

// curvePlans are the four of -scenario all, or one of the scenario named.
func curvePlans(o *options) ([]curvePlan, error) {
	sizes := make([]float64, len(o.sizes))
	for i, text := range o.sizes {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n < 1 || n > 10_000 {
			return nil, fmt.Errorf("%w: give -size 1 to 10000", errUsage)
		}
		sizes[i] = n
	}
	same := func(*options) {}
	if o.scenario == "all" {
		hundred := func(o *options) { o.subscribers = 100 }
		idle := axis{"sessions", func(o *options) float64 { return float64(o.idle) }, func(o *options, x float64) { o.idle = int(x) }, 10_000}

		return []curvePlan{
			{"webinar", subscribersAxis(viewersWebinar), []float64{10, 25, 50, 100, 200}, same},
			{"webinar", roomsAxis, []float64{1, 2, 5, 10, 25}, hundred},
			{"meeting", membersAxis(membersMeeting), []float64{2, 4, 6, 8, 10}, same},
			{"idle", idle, []float64{50, 100, 200, 400, 800}, same},
		}, nil
	}
	s, err := scenarioOf(o.scenario)
	if err != nil {
		return nil, err
	}
	if len(sizes) == 0 {
		for _, share := range []float64{0.25, 0.5, 1, 2} {
			sizes = append(sizes, max(float64(int(s.axis.get(o)*share)), 1))
		}
	}

	return []curvePlan{{s.name, s.axis, sizes, same}}, nil
}

// grow measures every point on a node of its own.
func grow(ctx context.Context, o *options, notes io.Writer) (*growth, error) {
	plans, err := curvePlans(o)
	if err != nil {
		return nil, err
	}
	g := &growth{NodeArgs: o.nodeArgs}
	for _, p := range plans {
		c := &curve{Scenario: p.scenario, Axis: p.axis.name}
		g.Curves = append(g.Curves, c)
		for _, size := range p.sizes {
			at := *o
			at.scenario, at.probes = p.scenario, 0
			p.fix(&at)
			p.axis.set(&at, size)
			point, err := g.point(ctx, &at, notes)
			if err != nil {
				return g, fmt.Errorf("%s with %g %s: %w", p.scenario, size, p.axis.name, err)
			}
			point.Size = size
			c.Points = append(c.Points, point)
		}
	}

	return g, nil
}

func (g *growth) point(ctx context.Context, o *options, notes io.Writer) (*curvePoint, error) {
	if o.scenario == "idle" {
		r, err := measureIdle(ctx, o, o.idle, notes)
		if err != nil {
			return nil, err
		}

		return &curvePoint{
			Sessions: r.Sessions, RSS: r.RSS, Heap: r.Heap, Goroutines: r.Goroutines, CPUCores: round(r.CPUPercent / 100), CPUPerJoin: r.CPUPerJoin,
		}, nil
	}
	r, err := rampOnce(ctx, o, notes)
	if err != nil {
		return nil, err
	}
	g.Machine, g.NodeVersion = r.Machine, r.NodeVersion
	point := &curvePoint{
		Sessions: r.Sessions, Packets: r.PacketsPerSecond, CPUPerPacket: r.CPUPerPacket, Ratio: r.RatioToFloor, CPUCores: r.CPUCores,
		P50: r.Latency.P50, P99: r.Latency.P99, Lost: r.Lost, RSS: r.Memory.RSS, Heap: r.Memory.Heap, Goroutines: r.Memory.Goroutines, CPUPerJoin: r.Join.CPU,
	}
	if r.Floor != nil {
		point.Floor = r.Floor.CPUPerPacket
	}

	return point, nil
}

func (g *growth) table(out io.Writer) error {
	for _, c := range g.Curves {
		tell(out, "%s\n%12s %9s %10s %8s %8s %7s %8s %8s %6s %8s %11s\n", c.Scenario,
			c.Axis, "sessions", "packets/s", "µs/pkt", "floor", "ratio", "p50 ms", "p99 ms", "lost", "RSS MB", "goroutines")
		for _, p := range c.Points {
			tell(out, "%12g %9d %10.0f %8.2f %8.2f %7.2f %8.2f %8.2f %6d %8.1f %11d\n",
				p.Size, p.Sessions, p.Packets, p.CPUPerPacket, p.Floor, p.Ratio, p.P50, p.P99, p.Lost, p.RSS, p.Goroutines)
		}
		tell(out, "\n")
	}

	return nil
}
