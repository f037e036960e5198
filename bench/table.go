// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// table prints the report for people.
func (r *Report) table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	row := func(name, format string, args ...any) { tell(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("scenario", "%s, %.0f s, %d sessions, %d tracks published, %d subscribed", r.Scenario, r.DurationSeconds, r.Sessions, r.Publishers, r.Subscriptions)
	row("node CPU per packet", "%.2f µs (user %.2f, system %.2f), %.2f cores", r.CPUPerPacket, r.CPUPerPacketUser, r.CPUPerPacketSystem, r.CPUCores)
	if f := r.Floor; f != nil {
		row("floor", "%.2f µs (user %.2f, system %.2f) at %.0f packets/s, %.1f a send; node / floor %.2f",
			f.CPUPerPacket, f.CPUPerPacketUser, f.CPUPerPacketSystem, f.PacketsPerSecond, f.PacketsPerSend, r.RatioToFloor)
	}
	row("packets", "%.0f/s to clients (%.1f Mbit/s), %.0f/s from publishers", r.PacketsPerSecond, r.BitsPerSecond/1e6, r.PacketsInPerSecond)
	row("lost", "%d of %d; duplicates %d, reordered %d, unexpected %d, undecrypted %d, without stamp %d",
		r.Lost, r.Expected, r.Duplicates, r.Reordered, r.Unexpected, r.Undecrypted, r.Foreign)
	row("latency", "p50 %.2f  p95 %.2f  p99 %.2f  max %.2f ms", r.Latency.P50, r.Latency.P95, r.Latency.P99, r.Latency.Max)
	row("join", "CPU %.2f ms; under load (%d timed): %s", r.Join.CPU, r.Join.Timed, r.joinTimes())
	row("leave", "silence after p50 %.1f, max %.1f ms; %d packets after the answer; %d sessions, %d goroutines left",
		r.Leave.Silence.P50, r.Leave.Silence.Max, r.Leave.AfterAnswer, r.Leave.Sessions, r.Leave.Goroutines)
	row("memory", "RSS %.0f MB, heap %.0f MB, %.0f KiB and %.1f goroutines a session", r.Memory.RSS, r.Memory.Heap, r.Memory.RSSPerSession, r.Memory.GoroutinesPerSession)
	row("node's drops", "%s", counts(r.Drops))
	row("kernel's drops", "%d at clients' sockets; machine: %d receiving, %d sending", r.KernelDrops.Clients, r.KernelDrops.Receive, r.KernelDrops.SendBuffers)
	row("feedback", "%d reports, %d NACK, %d PLI, %d transport-cc; %d repaired, %d keyframes asked of publishers",
		r.Feedback.Reports, r.Feedback.NACKs, r.Feedback.PLIs, r.Feedback.TransportCC, r.Feedback.Repaired, r.Feedback.PLIsToSend)
	row("load generator", "%.2f cores; other processes %.2f", r.Generator.CPUCores, r.Generator.Others)
	tell(w, "\n")

	return w.Flush()
}

func (r *Report) joinTimes() string {
	text := fmt.Sprintf("connected p50 %.1f, first packet p50 %.1f p95 %.1f", r.Join.Connected.P50, r.Join.FirstPacket.P50, r.Join.FirstPacket.P95)
	if r.Join.Keyframe.P50 > 0 {
		text += fmt.Sprintf(", keyframe p50 %.1f p95 %.1f", r.Join.Keyframe.P50, r.Join.Keyframe.P95)
	}

	return text + " ms"
}

func counts(m map[string]uint64) string {
	if len(m) == 0 {
		return "none"
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, m[k]))
	}

	return strings.Join(parts, ", ")
}
