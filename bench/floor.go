// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
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
	Packets            uint64
	Runs               uint64 // for one receiver each
	Calls              uint64 // of the system
	User, System, Wall time.Duration
}

// floor stops the publishers and measures the floor against the clients' sockets.
func (r *run) floor(ctx context.Context) error {
	r.stopMedia()
	if !r.o.floor && !r.plan.bare {
		return nil
	}
	r.progress.say("floor")
	if err := pause(ctx, r.o.settle); err != nil {
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
	patterns := make(map[int]load.Pattern) // by bit rate; 0: audio
	streams := make(map[*load.Track]*floorStream)
	var order []*load.Track
	for i, m := range r.plan.members {
		for _, w := range m.Wants {
			for _, t := range []*load.Track{w.Expect.Audio, w.Expect.Video} {
				if t == nil {
					continue
				}
				if streams[t] == nil {
					streams[t] = &floorStream{Pattern: r.pattern(patterns, t)}
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

func (r *run) pattern(known map[int]load.Pattern, t *load.Track) load.Pattern {
	bits := 0
	if t.Video {
		bits = cmp.Or(t.Bits, r.o.videoBits)
	}
	p, ok := known[bits]
	if !ok {
		p = load.PatternOf(t.Video, bits)
		known[bits] = p
	}

	return p
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
