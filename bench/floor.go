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
	"time"

	"github.com/switchyard-media/sfu/bench/load"
)

// floorVariable in the environment makes this program the floor: encrypt and send, in a process of its own.
const floorVariable = "SFU_BENCH_FLOOR"

var errFloor = errors.New("floor")

// floorOrder is what the floor sends: the same packets as the plan's publishers, to the same receivers.
type floorOrder struct {
	Streams  []floorStream
	Duration time.Duration
}

// floorStream is one track and the ports of those who receive it.
type floorStream struct {
	Pattern load.Pattern
	Ports   []int
}

// floorResult is what it cost.
type floorResult struct {
	Packets, Sends     uint64
	User, System, Wall time.Duration
}

// floor stops the publishers and measures the floor against the clients' sockets.
func (r *run) floor(ctx context.Context) error {
	load.StopAll(r.publishers)
	r.publishers = nil
	if !r.o.floor {
		return nil
	}
	r.progress.say("floor")
	if err := pause(ctx, inFlight); err != nil {
		return err
	}
	order, err := json.Marshal(r.floorOrder())
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.o.floorDuration+10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), floorVariable+"=1", "GOGC=off")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(order), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%w: %w", errFloor, err)
	}
	var result floorResult
	if err := json.Unmarshal(out, &result); err != nil || result.Packets == 0 {
		return fmt.Errorf("%w: %q: %w", errFloor, out, err)
	}
	r.report.floor(result)

	return nil
}

func (r *run) floorOrder() floorOrder {
	patterns := [2]load.Pattern{load.PatternOf(false, 0), load.PatternOf(true, r.o.videoBits)}
	streams := make(map[*load.Track]*floorStream)
	var order []*load.Track
	for i, m := range r.plan.members {
		for _, w := range m.Wants {
			for k, t := range []*load.Track{w.Expect.Audio, w.Expect.Video} {
				if t == nil {
					continue
				}
				if streams[t] == nil {
					streams[t] = &floorStream{Pattern: patterns[k]}
					order = append(order, t)
				}
				streams[t].Ports = append(streams[t].Ports, r.clients[i].Port())
			}
		}
	}
	o := floorOrder{Duration: r.o.floorDuration}
	for _, t := range order {
		o.Streams = append(o.Streams, *streams[t])
	}

	return o
}

// floorChild is the floor's process.
func floorChild(in io.Reader, out io.Writer) error {
	var order floorOrder
	if err := json.NewDecoder(in).Decode(&order); err != nil {
		return fmt.Errorf("%w: %w", errFloor, err)
	}
	result, err := sendFloor(order)
	if err != nil {
		return fmt.Errorf("%w: %w", errFloor, err)
	}

	return json.NewEncoder(out).Encode(result)
}
