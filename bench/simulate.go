// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/bench/links"
)

// yardstickVariable makes this program play pion's gcc and write to the file it names. gcc reads the clock, so that it has to be in
// a bubble of testing/synctest to be played in virtual time; a bubble is made by a test, and package testing ends the process that runs
// one. Hence a process of its own.
const yardstickVariable = "SWITCHYARD_BENCH_YARDSTICK"

const yardstickTimeout = 5 * time.Minute

var errYardstick = errors.New("the yard-stick has not run")

// simulate plays all simulated links with the node's estimator and with pion's gcc.
func simulate(ctx context.Context, o *options, out io.Writer) error {
	yardstick, err := playYardstick(ctx)
	if err != nil {
		return err
	}
	missed := 0
	for i, sc := range links.All() {
		ours, err := links.Run(sc, links.NewOurs(sc.Config))
		if err != nil {
			return fmt.Errorf("%s: %w", sc.Name, err)
		}
		r := newLinkReport(ctx, sc.Name, kindSimulated, nil, o)
		r.Seconds = float64(sc.Length) / float64(links.Second)
		r.Flows = []LinkFlow{flowOf("ours", sc, ours), yardstick[i]}
		r.Bounds = boundsOf(links.Bounds(sc, ours))
		missed += r.missed()
		if err := show(o, r, out); err != nil {
			return err
		}
	}
	if !o.json {
		tell(out, "%d bounds missed\n", missed)
	}

	return nil
}

// playYardstick runs the process, and reads what it has written.
func playYardstick(ctx context.Context) ([]LinkFlow, error) {
	dir, err := os.MkdirTemp("", "sfu-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a temporary directory
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	name := filepath.Join(dir, "flows.json")
	ctx, cancel := context.WithTimeout(ctx, yardstickTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), yardstickVariable+"="+name)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w: %w\n%s", errYardstick, err, said.Bytes())
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errYardstick, err)
	}
	var flows []LinkFlow
	if err := json.Unmarshal(data, &flows); err != nil || len(flows) != len(links.All()) {
		return nil, fmt.Errorf("%w: %d flows: %w", errYardstick, len(flows), err)
	}

	return flows, nil
}

// yardstickChild is that process; it does not return.
func yardstickChild(name string) {
	every := func(string, string) (bool, error) { return true, nil }
	testing.Main(every, []testing.InternalTest{{Name: "Yardstick", F: func(t *testing.T) { writeYardstick(t, name) }}}, nil, nil)
}

func writeYardstick(t *testing.T, name string) {
	t.Helper()
	var flows []LinkFlow
	for _, sc := range links.All() {
		o, err := links.RunPions(t, sc)
		if err != nil {
			t.Fatalf("%s: %v", sc.Name, err)
		}
		flows = append(flows, flowOf("pion's gcc", sc, o))
	}
	data, err := json.Marshal(flows)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
