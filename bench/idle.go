// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/switchyard-media/sfu/bench/load"
)

// idleRoom is how many idle sessions share a room.
const idleRoom = 10

// idleReport is what connected sessions cost that neither send nor receive media.
type idleReport struct {
	Scenario             string   `json:"scenario"` // idle
	NodeVersion          string   `json:"node_version"`
	NodeBinary           string   `json:"node_binary,omitempty"`
	NodeArgs             string   `json:"node_args,omitempty"`
	Machine              Machine  `json:"machine"`
	Settings             []string `json:"node_settings,omitempty"`
	Sessions             int      `json:"sessions"`
	DurationSeconds      float64  `json:"duration_seconds"`
	CPUPerJoin           float64  `json:"cpu_ms_per_join"`
	RSSEmpty             float64  `json:"rss_mb_without_sessions"`
	RSS                  float64  `json:"rss_mb"`
	Heap                 float64  `json:"heap_mb"`
	RSSPerSession        float64  `json:"rss_kb_per_session"`
	Goroutines           uint64   `json:"goroutines"`
	GoroutinesPerSession float64  `json:"goroutines_per_session"`
	CPUPercent           float64  `json:"cpu_percent_of_a_core"`
	Connected            uint64   `json:"sessions_at_the_end"`
	GoroutinesLeft       int64    `json:"goroutines_left"`
}

// idlePlan is n sessions with two slots each, ten of them in a room.
func idlePlan(o *options, n int) *plan {
	p := &plan{name: "idle"}
	for i := range n {
		p.members = append(p.members, load.Config{
			App: app, User: fmt.Sprintf("idler%d", i), Rooms: []string{fmt.Sprintf("room%d", i/idleRoom)}, TransportCC: o.transportCC,
			IdleAudio: 1, IdleVideo: 1,
		})
	}

	return p
}

// measureIdle connects n sessions, leaves them alone, and sees what the node needs meanwhile.
func measureIdle(ctx context.Context, o *options, n int, notes io.Writer) (*idleReport, error) {
	ctx, cancel := context.WithTimeout(ctx, o.longest()+time.Duration(n)*50*time.Millisecond)
	defer cancel()
	r, done, err := openRun(ctx, o, idlePlan(o, n), notes)
	if err != nil {
		return nil, err
	}
	defer done()
	empty, err := r.node.load(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.joinAll(ctx); err != nil {
		return nil, err
	}
	r.progress.say("idling")
	if err := pause(ctx, 2*o.warmUp+o.settle); err != nil { // past the timers that joining has set
		return nil, err
	}
	from, err := r.point(ctx)
	if err != nil {
		return nil, err
	}
	if o.profiles != "" {
		r.capture(ctx) // takes a little less than the measurement
	}
	if err := pause(ctx, o.duration-time.Since(from.at)); err != nil {
		return nil, err
	}
	to, err := r.point(ctx)
	if err != nil {
		return nil, err
	}
	base := r.report
	out := &idleReport{
		Scenario: "idle", NodeVersion: base.NodeVersion, NodeBinary: base.NodeBinary, NodeArgs: base.NodeArgs, Machine: base.Machine,
		Settings: base.Settings, Sessions: n, DurationSeconds: o.duration.Seconds(), CPUPerJoin: base.Join.CPU,
		RSSEmpty: round(float64(empty.GetRss()) / 1e6), RSS: round(float64(to.load.GetRss()) / 1e6), Heap: round(float64(to.load.GetHeap()) / 1e6),
		RSSPerSession: round((float64(to.load.GetRss()) - float64(empty.GetRss())) / float64(n) / 1024), Goroutines: to.load.GetGoroutines(),
		GoroutinesPerSession: round((float64(to.load.GetGoroutines()) - float64(empty.GetGoroutines())) / float64(n)),
		CPUPercent:           round(cpuBetween(from, to).Seconds() / to.at.Sub(from.at).Seconds() * 100), Connected: to.load.GetSessions(),
	}
	if err := r.leaveAll(ctx); err != nil {
		return nil, err
	}
	out.GoroutinesLeft = r.report.Leave.Goroutines

	return out, nil
}

func (r *idleReport) table(out io.Writer) error {
	tell(out, "idle sessions    %d connected, %d at the end, %.0f s\n", r.Sessions, r.Connected, r.DurationSeconds)
	tell(out, "memory           RSS %.0f MB (%.0f MB without sessions), heap %.0f MB, %.0f KiB a session\n", r.RSS, r.RSSEmpty, r.Heap, r.RSSPerSession)
	tell(out, "goroutines       %d, %.1f a session; %d left after all have left\n", r.Goroutines, r.GoroutinesPerSession, r.GoroutinesLeft)
	tell(out, "CPU              %.2f %% of a core; %.2f ms a join\n\n", r.CPUPercent, r.CPUPerJoin)

	return nil
}
