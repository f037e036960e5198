// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/switchyard-media/sfu/bench/html"
)

func main() {
	if os.Getenv(floorVariable) != "" {
		os.Exit(code(floorChild(os.Stdin, os.Stdout)))
	}
	if name := os.Getenv(yardstickVariable); name != "" {
		yardstickChild(name)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := bench(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code(err))
}

func code(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)

		return 1
	}
}

// bench is the command: reports go to out, all else to notes.
func bench(ctx context.Context, args []string, out, notes io.Writer) error {
	o, err := parse(args, notes)
	if err != nil {
		return err
	}
	if len(o.page.inputs) > 0 {
		return html.File(o.page.out, o.page.inputs...)
	}
	if o.links {
		return o.page.write(simulate(ctx, o, out))
	}
	if !isLinks(o.scenario) {
		if err := o.checkScenario(); err != nil {
			return err
		}
	}
	if len(o.binaries) == 0 && o.node == "" {
		built, clean, err := buildNode(ctx)
		if err != nil {
			return err
		}
		defer clean()
		o.binary = built
	}
	if o.cost {
		once := *o // repetitions are inside: variants have to be in turn
		once.repeat = 1

		return o.page.write(once.each(func(v *options) error {
			v.repeat = o.repeat

			return compareCost(ctx, v, out, notes)
		}))
	}
	if isLinks(o.scenario) {
		return o.page.write(o.each(func(v *options) error { return playLinks(ctx, v, out, notes) }))
	}
	play := o.mode()
	if play == nil {
		return o.page.write(measureAll(ctx, o, out, notes))
	}

	return o.page.write(o.each(func(v *options) error {
		result, err := play(ctx, v, notes)
		if err != nil {
			return err
		}

		return show(v, result, out)
	}))
}

// result is what a run or a mode has shown; it is a JSON object too.
type result interface {
	table(out io.Writer) error
}

// mode is what the command does instead of measuring a scenario once; nil: nothing.
func (o *options) mode() func(context.Context, *options, io.Writer) (result, error) {
	switch {
	case o.ramp:
		return func(ctx context.Context, o *options, notes io.Writer) (result, error) {
			return climb(ctx, o, playerOf(notes))
		}
	case o.contention:
		return func(ctx context.Context, o *options, notes io.Writer) (result, error) { return contend(ctx, o, notes) }
	case o.idle > 0:
		return func(ctx context.Context, o *options, notes io.Writer) (result, error) {
			return measureIdle(ctx, o, o.idle, notes)
		}
	case o.grow:
		return func(ctx context.Context, o *options, notes io.Writer) (result, error) { return grow(ctx, o, notes) }
	default:
		return nil
	}
}

// checkScenario refuses what the flags alone do not show.
func (o *options) checkScenario() error {
	if o.grow {
		_, err := curvePlans(o)

		return err
	}
	_, err := plansOf(o)

	return err
}

// measureAll measures the scenario's plans on each variant of the node, and compares if there are several.
func measureAll(ctx context.Context, o *options, out, notes io.Writer) error {
	var reports []*Report
	err := o.each(func(v *options) error {
		plans, err := plansOf(v)
		if err != nil {
			return err
		}
		for _, p := range plans {
			r, err := measure(ctx, v, p, notes)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			reports = append(reports, r)
			if err := show(o, r, out); err != nil {
				return err
			}
		}

		return nil
	})
	if err == nil && len(reports) > 1 && !o.json {
		compare(out, reports)
	}

	return err
}

// show prints one JSON object, or the table, and keeps it for the page.
func show(o *options, r result, out io.Writer) error {
	if err := o.page.add(r); err != nil {
		return err
	}
	if !o.json {
		return r.table(out)
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")

	return enc.Encode(r)
}
