// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"path/filepath"
	"slices"
)

// compare prints reports beside each other: what was played several times is one line, with the median of its runs.
func compare(out io.Writer, reports []*Report) {
	var order []string
	runs := make(map[string][]*Report)
	for _, r := range reports {
		name := r.variant()
		if runs[name] == nil {
			order = append(order, name)
		}
		runs[name] = append(runs[name], r)
	}
	tell(out, "%4s %9s %7s %13s %6s %6s %8s %8s %7s %7s %8s %8s  %s\n",
		"runs", "packets/s", "µs/pkt", "least–most", "floor", "ratio", "p50 ms", "p99 ms", "lost", "cores", "Mbit/s up", "RSS MB", "of")
	for _, name := range order {
		all := runs[name]
		mid := func(f func(*Report) float64) float64 { return median(all, f) }
		cost := func(r *Report) float64 { return r.CPUPerPacket }
		lost := uint64(0)
		for _, r := range all {
			lost += r.Lost
		}
		least, most := cost(slices.MinFunc(all, by(cost))), cost(slices.MaxFunc(all, by(cost)))
		tell(out, "%4d %9.0f %7.2f %6.2f–%6.2f %6.2f %6.2f %8.2f %8.2f %7d %7.2f %8.2f %8.1f  %s\n",
			len(all), mid(func(r *Report) float64 { return r.PacketsPerSecond }), mid(cost), least, most,
			mid(func(r *Report) float64 {
				if r.Floor == nil {
					return 0
				}

				return r.Floor.CPUPerPacket
			}), mid(func(r *Report) float64 { return r.RatioToFloor }),
			mid(func(r *Report) float64 { return r.Latency.P50 }), mid(func(r *Report) float64 { return r.Latency.P99 }), lost,
			mid(func(r *Report) float64 { return r.CPUCores }), mid(func(r *Report) float64 { return r.UplinkBits / 1e6 }),
			mid(func(r *Report) float64 { return r.Memory.RSS }), name)
	}
	tell(out, "\n")
}

// variant names what a report is of.
func (r *Report) variant() string {
	name := r.Scenario
	if r.NodeBinary != "" {
		name += ", " + filepath.Base(r.NodeBinary)
	}
	if r.NodeArgs != "" {
		name += ", " + r.NodeArgs
	}

	return name
}

func by(f func(*Report) float64) func(a, b *Report) int {
	return func(a, b *Report) int {
		switch x, y := f(a), f(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		default:
			return 0
		}
	}
}

func median(all []*Report, f func(*Report) float64) float64 {
	sorted := slices.SortedFunc(slices.Values(all), by(f))
	n := len(sorted)

	return (f(sorted[(n-1)/2]) + f(sorted[n/2])) / 2
}
