// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
)

const (
	rampStep    = 1.4
	rampSteps   = 16
	rampFine    = 1.12 // below what has not held
	rampRefined = 2    // times
	kneeP99     = 50   // ms
	kneeLoss    = 0.001
	beyondKnee  = 1.5
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

// player measures one size.
type player func(context.Context, *options) (*Report, error)

// climb runs the scenario again and again, each time on a node of its own, and each time with more subscriptions. A size that
// does not hold is tried once more, since something else may have disturbed it; then the knee is looked for below it.
func climb(ctx context.Context, o *options, play player) (*ramp, error) {
	s, err := scenarioOf(o.scenario)
	if err != nil {
		return nil, err
	}
	c := &climber{play: func(o *options) (*Report, error) { return play(ctx, o) }, s: s, ramp: &ramp{Scenario: s.name, Axis: s.axis.name, NodeArgs: o.nodeArgs}}
	up := *o
	up.floor, up.probes = false, 0
	for fits := true; fits && c.tries(up) && len(c.ramp.Steps) < rampSteps; {
		if fits, err = raise(&up, s, rampStep); err != nil {
			return c.ramp, err
		}
	}
	switch {
	case c.ramp.Knee == nil && c.ramp.Ended == "":
		c.ramp.Ended = "the smallest size has not held: begin with less"
	case c.failed == 0:
		c.ramp.Ended = "the ramp ends here, and the node has kept up"
	}
	if c.ramp.Knee == nil || c.failed == 0 {
		return c.ramp, ctx.Err()
	}
	for range rampRefined {
		between := c.knee
		if ok, err := raise(&between, s, rampFine); err != nil || !ok || s.axis.get(&between) >= c.failed || !c.tries(between) {
			break
		}
	}

	return c.ramp, c.beyond()
}

// climber is the state of climb.
type climber struct {
	play   func(*options) (*Report, error)
	s      scenario
	ramp   *ramp
	knee   options
	failed float64 // the least size that has not held; 0: none
}

// tries measures one size, if need be twice, and says whether it has held.
func (c *climber) tries(o options) bool {
	for range 2 {
		report, err := c.play(&o)
		if err != nil {
			c.ramp.Ended = fmt.Sprintf("with %g %s: %v", c.s.axis.get(&o), c.s.axis.name, err)

			continue
		}
		c.ramp.Steps = append(c.ramp.Steps, report)
		if report.holds() {
			c.ramp.Knee, c.knee = report, o

			return true
		}
	}
	c.failed = c.s.axis.get(&o)

	return false
}

// beyond measures half past the knee.
func (c *climber) beyond() error {
	o := c.knee
	if _, err := raise(&o, c.s, beyondKnee); err != nil {
		return err
	}
	report, err := c.play(&o)
	if err != nil {
		c.ramp.Ended = fmt.Sprintf("half past the knee: %v", err)

		return nil
	}
	c.ramp.Beyond = report
	c.ramp.Kept = round(report.PacketsPerSecond / c.ramp.Knee.PacketsPerSecond)

	return nil
}

// playerOf measures for real.
func playerOf(notes io.Writer) player {
	return func(ctx context.Context, o *options) (*Report, error) { return rampOnce(ctx, o, notes) }
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
