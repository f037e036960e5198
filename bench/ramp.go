// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
)

const (
	rampStep   = 1.4
	rampSteps  = 12
	kneeP99    = 50 // ms
	kneeLoss   = 0.001
	beyondKnee = 1.5
)

// ramp raises a scenario's load until the node does not keep up, and then looks at half as much again.
type ramp struct {
	Scenario string    `json:"scenario"`
	Axis     string    `json:"axis"`
	NodeArgs string    `json:"node_args,omitempty"`
	Steps    []*Report `json:"steps"`
	// Knee is the last step that held, Beyond the one half past it; nil: the ramp ended before.
	Knee   *Report `json:"knee,omitempty"`
	Beyond *Report `json:"beyond,omitempty"`
	// Kept is the throughput beyond the knee as a share of the knee's.
	Kept float64 `json:"throughput_kept,omitempty"`
	// Ended says why the ramp ended, if not because the node did not keep up.
	Ended string `json:"ended,omitempty"`
}

// climb runs the scenario again and again, each time on a node of its own, and each time with more subscriptions.
func climb(ctx context.Context, o *options, notes io.Writer) (*ramp, error) {
	s, err := scenarioOf(o.scenario)
	if err != nil {
		return nil, err
	}
	r := &ramp{Scenario: s.name, Axis: s.axis.name, NodeArgs: o.nodeArgs}
	up := *o
	up.floor, up.probes = false, 0
	knee := up
	for fits := true; ; {
		report, err := rampOnce(ctx, &up, notes)
		if err != nil {
			r.Ended = fmt.Sprintf("with %g %s: %v", s.axis.get(&up), s.axis.name, err)

			break
		}
		r.Steps = append(r.Steps, report)
		if !report.holds() {
			break
		}
		r.Knee, knee = report, up
		if fits, err = raise(&up, s, rampStep); err != nil {
			return r, err
		}
		if !fits || len(r.Steps) == rampSteps {
			r.Ended = "the ramp ends here, and the node has kept up"

			return r, nil
		}
	}
	if r.Knee == nil {
		return r, ctx.Err()
	}
	if _, err := raise(&knee, s, beyondKnee); err != nil {
		return r, err
	}
	if r.Beyond, err = rampOnce(ctx, &knee, notes); err != nil {
		r.Ended = fmt.Sprintf("half past the knee: %v", err)

		return r, ctx.Err()
	}
	r.Kept = round(r.Beyond.PacketsPerSecond / r.Knee.PacketsPerSecond)

	return r, nil
}

// rampOnce plays the last of the scenario's plans: the hardest.
func rampOnce(ctx context.Context, o *options, notes io.Writer) (*Report, error) {
	plans, err := plansOf(o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.longest())
	defer cancel()

	return measure(ctx, o, plans[len(plans)-1], notes)
}

// holds says whether the node has kept up.
func (r *Report) holds() bool {
	return r.Latency.P99 <= kneeP99 && float64(r.Lost) <= kneeLoss*float64(r.Expected)
}

func (r *ramp) table(out io.Writer) error {
	tell(out, "%15s %10s %8s %9s %9s %9s %10s %10s\n", r.Axis, "packets/s", "µs/pkt", "p99 ms", "lost", "node", "generator", "others")
	row := func(s *Report, note string) {
		tell(out, "%15g %10.0f %8.2f %9.2f %9d %9.2f %10.2f %10.2f  %s\n",
			s.Size.Value, s.PacketsPerSecond, s.CPUPerPacket, s.Latency.P99, s.Lost, s.CPUCores, s.Generator.CPUCores, s.Generator.Others, note)
	}
	for _, s := range r.Steps {
		note := ""
		if s == r.Knee {
			note = "knee"
		}
		row(s, note)
	}
	if r.Beyond != nil {
		row(r.Beyond, fmt.Sprintf("half past the knee: %.0f %% of its throughput; dropped by the node: %s; by the kernel: %d at the node, %d at clients",
			r.Kept*100, counts(r.Beyond.Drops), r.Beyond.KernelDrops.Node, r.Beyond.KernelDrops.Clients))
	}
	if r.Ended != "" {
		tell(out, "%s\n", r.Ended)
	}

	return nil
}
