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
	row("scenario", "%s, %.0f s, %d sessions, %d tracks published, %d subscribed", r.variant(), r.DurationSeconds, r.Sessions, r.Publishers, r.Subscriptions)
	if r.PacketsPerSecond == 0 && r.Floor != nil { // of the floor alone
		row("floor", "%s", r.Floor.text())
		tell(w, "\n")

		return w.Flush()
	}
	row("node CPU per packet", "%.2f µs (user %.2f, system %.2f), %.2f cores", r.CPUPerPacket, r.CPUPerPacketUser, r.CPUPerPacketSystem, r.CPUCores)
	if f := r.Floor; f != nil {
		row("floor", "%s; node / floor %.2f", f.text(), r.RatioToFloor)
	}
	row("packets", "%.0f/s to clients (%.1f Mbit/s), %.0f/s from publishers (%.2f Mbit/s)", r.PacketsPerSecond, r.BitsPerSecond/1e6, r.PacketsInPerSecond, r.UplinkBits/1e6)
	row("lost", "%d of %d; duplicates %d, reordered %d, unexpected %d, undecrypted %d, without stamp %d",
		r.Lost, r.Expected, r.Duplicates, r.Reordered, r.Unexpected, r.Undecrypted, r.Foreign)
	row("latency", "p50 %.2f  p95 %.2f  p99 %.2f  p99.9 %.2f  max %.2f ms", r.Latency.P50, r.Latency.P95, r.Latency.P99, r.Latency.P999, r.Latency.Max)
	row("join", "CPU %.2f ms; under load (%d timed): %s", r.Join.CPU, r.Join.Timed, r.joinTimes())
	row("leave", "answered p50 %.1f, p95 %.1f ms; last packet p50 %.1f, max %.1f ms after the call, at most %.1f ms after the answer",
		r.Leave.ToAnswer.P50, r.Leave.ToAnswer.P95, r.Leave.Silence.P50, r.Leave.Silence.Max, r.Leave.Quiet.Max)
	row("", "%d packets after the answer, %d sent after it; %d sessions, %d goroutines left", r.Leave.AfterAnswer, r.Leave.SentLater, r.Leave.Sessions, r.Leave.Goroutines)
	if r.Churn > 0 {
		row("churn", "%d joins and leaves during the measurement", r.Churn)
	}
	row("memory", "RSS %.0f MB, heap %.0f MB, %.0f KiB and %.1f goroutines a session", r.Memory.RSS, r.Memory.Heap, r.Memory.RSSPerSession, r.Memory.GoroutinesPerSession)
	row("node's drops", "%s", counts(r.Drops))
	row("kernel's drops", "%d at the node's sockets, %d at clients'; machine: %d receiving, %d InErrors, %d sending",
		r.KernelDrops.Node, r.KernelDrops.Clients, r.KernelDrops.Receive, r.KernelDrops.InErrors, r.KernelDrops.SendBuffers)
	row("feedback", "%d reports, %d NACK, %d PLI, %d transport-cc; %d repaired, %d repeated, %d keyframes asked of publishers",
		r.Feedback.Reports, r.Feedback.NACKs, r.Feedback.PLIs, r.Feedback.TransportCC, r.Feedback.Repaired, r.Feedback.Again, r.Feedback.PLIsToSend)
	row("load generator", "%.2f cores, sending took p99 %.2f, max %.2f ms; other processes %.2f cores", r.Generator.CPUCores, r.Generator.SendP99, r.Generator.SendMax, r.Generator.Others)
	if s := r.Slow; s != nil {
		row("slow subscriber", "%s: %d of %d packets, %d thrown away, p99 %.2f ms; all else here is of the others", s.Kind, s.Delivered, s.Expected, s.Thrown, s.Latency.P99)
	}
	if r.Control != nil {
		r.Control.rows(row)
	}
	tell(w, "\n")

	return w.Flush()
}

func (f *Floor) text() string {
	return fmt.Sprintf("%.2f µs (user %.2f, system %.2f) at %.0f packets/s, %.1f a run, %.0f a call",
		f.CPUPerPacket, f.CPUPerPacketUser, f.CPUPerPacketSystem, f.PacketsPerSecond, f.PacketsPerSend, f.PacketsPerCall)
}

func (c *Control) rows(row func(name, format string, args ...any)) {
	title := fmt.Sprintf("calls (%.0f/s)", c.CallsPerSecond)
	one := func(name string, t Calls) {
		row(title, "%s p50 %.2f  p95 %.2f  p99 %.2f  max %.2f ms of %d", name, t.P50, t.P95, t.P99, t.Max, t.Count)
		title = ""
	}
	for _, name := range slices.Sorted(maps.Keys(c.Calls)) {
		one(name, c.Calls[name])
	}
	title = "events"
	one("join_room to its event", c.EventLag)
	one("resumed", c.Resume)
	row("", "%d events resumed, %d missed, %d resyncs", c.ResumedEvents, c.MissedEvents, c.Resyncs)
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
