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
)

func main() {
	if os.Getenv(floorVariable) != "" {
		os.Exit(code(floorChild(os.Stdin, os.Stdout)))
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
	ctx, cancel := context.WithTimeout(ctx, o.longest())
	defer cancel()
	plans, err := plansOf(o)
	if err != nil {
		return err
	}
	if o.sfu == "" && o.node == "" {
		built, clean, err := buildNode(ctx)
		if err != nil {
			return err
		}
		defer clean()
		o.sfu = built
	}
	if o.ramp {
		r, err := climb(ctx, o, notes)
		if err != nil {
			return err
		}
		if o.json {
			return encode(out, r)
		}
		r.table(out)

		return nil
	}
	var reports []*Report
	for _, p := range plans {
		r, err := measure(ctx, o, p, notes)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		reports = append(reports, r)
	}

	return write(o, reports, out)
}

// write prints one JSON object a report, or the tables.
func write(o *options, reports []*Report, out io.Writer) error {
	for _, r := range reports {
		if !o.json {
			if err := r.table(out); err != nil {
				return err
			}

			continue
		}
		if err := encode(out, r); err != nil {
			return err
		}
	}

	return nil
}

func encode(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")

	return enc.Encode(v)
}
