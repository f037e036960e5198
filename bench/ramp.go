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
	rampMost   = 1500 // subscribers; the load generator's own bound is near
	kneeP99    = 50   // ms
	kneeLoss   = 0.001
	beyondKnee = 1.5
)

// ramp raises the subscribers until the node does not keep up, and then looks at half as much again.
type ramp struct {
	Steps []*Report `json:"steps"`
	// Knee is the last step that held, Beyond the one half past it; nil: the ramp ended before.
	Knee   *Report `json:"knee,omitempty"`
	Beyond *Report `json:"beyond,omitempty"`
	// Kept is the throughput beyond the knee as a share of the knee's.
	Kept float64 `json:"throughput_kept,omitempty"`
}

// climb runs the scenario again and again, each time on a node of its own.
func climb(ctx context.Context, o *options, notes io.Writer) (*ramp, error) {
	up := *o
	up.floor, up.probes = false, 0
	r := &ramp{}
	step := func(subscribers int) (*Report, error) {
		up.subscribers = subscribers
		plans, err := plansOf(&up)
		if err != nil {
			return nil, err
		}
		return measure(ctx, &up, plans[0], notes)
	}
	for n := float64(o.subscribers); len(r.Steps) < rampSteps && n <= rampMost; n *= rampStep {
		report, err := step(int(n))
		if err != nil {
			return r, fmt.Errorf("with %d subscribers: %w", int(n), err)
		}
		r.Steps = append(r.Steps, report)
		if !report.holds() {
			break
		}
		r.Knee = report
	}
	last := r.Steps[len(r.Steps)-1]
	if r.Knee == nil || last.holds() {
		return r, nil
	}
	beyond, err := step(int(float64(r.Knee.Subscribers) * beyondKnee))
	if err != nil {
		return r, err
	}
	r.Beyond = beyond
	r.Kept = round(beyond.PacketsPerSecond / r.Knee.PacketsPerSecond)

	return r, nil
}

// holds says whether the node has kept up.
func (r *Report) holds() bool {
	return r.Latency.P99 <= kneeP99 && float64(r.Lost) <= kneeLoss*float64(r.Expected)
}

func (r *ramp) table(out io.Writer) {
	tell(out, "%11s %10s %8s %8s %9s %9s %6s\n", "subscribers", "packets/s", "µs/pkt", "p99 ms", "lost", "cores", "")
	row := func(s *Report, note string) {
		tell(out, "%11d %10.0f %8.2f %8.2f %9d %9.2f %s\n", s.Subscribers, s.PacketsPerSecond, s.CPUPerPacket, s.Latency.P99, s.Lost, s.CPUCores, note)
	}
	for _, s := range r.Steps {
		note := ""
		if s == r.Knee {
			note = "knee"
		}
		row(s, note)
	}
	if r.Beyond != nil {
		row(r.Beyond, fmt.Sprintf("past the knee: %.0f %% of its throughput", r.Kept*100))
	}
}
