// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/switchyard-media/sfu/bench/load"
)

const (
	costViewers = 100
	costRepeat  = 3
	costMost    = 1.15 // of the CPU per packet without
)

// CostReport is what congestion control and simulcast cost, all in one run; it is a JSON object.
type CostReport struct {
	Off    string      `json:"off"` // the setting
	Rows   []CostRow   `json:"rows"`
	Bounds []LinkBound `json:"bounds"`

	// Reports are all that was measured, in turn.
	Reports []*Report `json:"reports"`
}

// CostRow is one variant; medians of its repetitions.
type CostRow struct {
	Congestion   bool      `json:"congestion"`
	Simulcast    bool      `json:"simulcast"`
	CPUPerPacket float64   `json:"cpu_us_per_packet"`
	All          []float64 `json:"all_cpu_us_per_packet"`
	Packets      float64   `json:"packets_per_second"`
	Bits         float64   `json:"bits_per_second"`
}

// simulcasts turns cameras into simulcasts, whose largest layer has the camera's bit rate.
func simulcasts(p *plan, bits int) {
	for _, m := range p.members {
		for _, s := range m.Sources {
			if s.Video != nil {
				s.Video.Layers = []load.Layer{
					{RID: "q", Bits: bits / 10, Width: 320, Height: 180},
					{RID: "h", Bits: bits / 3, Width: 640, Height: 360},
					{RID: "f", Bits: bits, Width: 1280, Height: 720},
				}
			}
		}
	}
}

// compareCost measures the four variants in turn.
func compareCost(ctx context.Context, o *options, out, notes io.Writer) error {
	report := &CostReport{Off: o.costOff}
	for _, simulcast := range []bool{false, true} {
		for _, congestion := range []bool{true, false} {
			report.Rows = append(report.Rows, CostRow{Congestion: congestion, Simulcast: simulcast})
		}
	}
	repeat := o.repeat
	if repeat == 1 {
		repeat = costRepeat
	}
	var failed error
	for range repeat {
		for i := range report.Rows {
			r, err := costOnce(ctx, o, report.Rows[i], notes)
			if err != nil {
				failed = err

				break
			}
			report.Reports = append(report.Reports, r)
			row := &report.Rows[i]
			row.All = append(row.All, r.CPUPerPacket)
			row.Packets, row.Bits = r.PacketsPerSecond, r.BitsPerSecond
		}
		if failed != nil {
			break
		}
	}
	for i := range report.Rows {
		report.Rows[i].CPUPerPacket = middleOf(report.Rows[i].All)
	}
	report.judge()

	return errors.Join(failed, show(o, report, out))
}

// costOnce measures one variant.
func costOnce(ctx context.Context, o *options, row CostRow, notes io.Writer) (*Report, error) {
	v := *o
	v.subscribers, v.floor, v.probes, v.simulcast, v.warmUp = o.or(o.subscribers, costViewers), false, 0, row.Simulcast, o.costWarmUp
	if !row.Congestion {
		v.settings = append(slices.Clone(o.settings), o.costOff)
	}
	plans, err := plansOf(&v)
	if err != nil {
		return nil, err
	}
	r, err := measure(ctx, &v, plans[0], notes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", row.name(), err)
	}
	r.Scenario += ": " + row.name()

	return r, nil
}

func (r CostRow) name() string {
	name := "without congestion control"
	if r.Congestion {
		name = "with congestion control"
	}
	if r.Simulcast {
		name += ", three layers"
	}

	return name
}

func middleOf(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)

	return round((sorted[(n-1)/2] + sorted[n/2]) / 2)
}

// judge compares with and without: each thing by itself, and both with neither.
func (r *CostReport) judge() {
	of := func(congestion, simulcast bool) float64 {
		for _, row := range r.Rows {
			if row.Congestion == congestion && row.Simulcast == simulcast {
				return row.CPUPerPacket
			}
		}

		return 0
	}
	for _, c := range []struct {
		what       string
		with, base float64
	}{
		{"CPU per packet with congestion control, by that without, one layer", of(true, false), of(false, false)},
		{"the same with three layers", of(true, true), of(false, true)},
		{"CPU per packet with both, by that with neither", of(true, true), of(false, false)},
	} {
		if c.base > 0 {
			r.Bounds = append(r.Bounds, bound(c.what, "", c.with/c.base, costMost, true))
		}
	}
}

// table prints the report for people.
func (r *CostReport) table(out io.Writer) error {
	tell(out, "%-42s %9s %9s %9s  %s\n", "", "µs/pkt", "packets/s", "Mbit/s", "all")
	for _, row := range r.Rows {
		tell(out, "%-42s %9.2f %9.0f %9.1f  %v\n", row.name(), row.CPUPerPacket, row.Packets, row.Bits/1e6, row.All)
	}
	for _, b := range r.Bounds {
		tell(out, "  %v\n", b)
	}
	tell(out, "\n")

	return nil
}
