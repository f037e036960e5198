// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/switchyard-media/sfu/bench/links"
)

// LinkReport is what one link has shown; it is a JSON object.
type LinkReport struct {
	Link        string    `json:"link"`
	Kind        string    `json:"kind"` // simulated: no node, virtual time; node: a real one, real clients, emulated links
	Started     time.Time `json:"started"`
	NodeVersion string    `json:"node_version,omitempty"`
	Machine     Machine   `json:"machine"`
	Settings    []string  `json:"node_settings,omitempty"`
	NodeArgs    string    `json:"node_args,omitempty"`
	Seconds     float64   `json:"seconds"`

	Flows  []LinkFlow  `json:"flows"`
	Bounds []LinkBound `json:"bounds"` // of the first flow

	Viewers  []LinkViewer `json:"viewers,omitempty"`  // of a fan-out, from the thinnest link to the widest
	Emulator *LinkErrors  `json:"emulator,omitempty"` // of all links that were played at the same time
}

// LinkErrors is how exact emulated links were: how much later than they came from the node datagrams entered them, and how late they
// were handed over behind them, in ms. Times that clients report are those of the link and not late.
type LinkErrors struct {
	BehindP99 float64 `json:"behind_p99_ms"`
	BehindMax float64 `json:"behind_max_ms"`
	LateP99   float64 `json:"late_p99_ms"`
	LateMax   float64 `json:"late_max_ms"`
}

// Kinds of links.
const (
	kindSimulated = "simulated"
	kindNode      = "node"
)

// LinkFlow is one sender over the link. Rates are kbit/s, times ms.
type LinkFlow struct {
	Name     string             `json:"name"`
	Figures  map[string]float64 `json:"figures"`
	Every    float64            `json:"every_ms"`           // between values of what follows
	Capacity []float64          `json:"capacity,omitempty"` // of the bottleneck
	Estimate []float64          `json:"estimate,omitempty"`
	Sent     []float64          `json:"sent,omitempty"`
	Received []float64          `json:"received,omitempty"`
	Rival    []float64          `json:"rival,omitempty"`
	Delay    []float64          `json:"delay,omitempty"`  // longest in the bottleneck's queue
	Layer    []float64          `json:"layer,omitempty"`  // shown, 0 the smallest; -1: none
	Target   []float64          `json:"target,omitempty"` // that the node aims at
	Seen     []LinkSeen         `json:"node_sees,omitempty"`
}

// LinkSeen is what the node knows of a link at a moment.
type LinkSeen struct {
	Loss         float64 `json:"loss"` // 0 to 1
	Queue        float64 `json:"queue_ms"`
	RTT          float64 `json:"rtt_ms"`
	Acknowledged float64 `json:"acknowledged"` // kbit/s
	Sending      float64 `json:"sending"`      // kbit/s
	Backlog      uint32  `json:"backlog"`      // packets
	Temporal     uint32  `json:"temporal"`
}

// LinkBound is something asked of the link.
type LinkBound struct {
	What  string  `json:"what"`
	Unit  string  `json:"unit"`
	Got   float64 `json:"got"` // -1 of a time: never
	Limit float64 `json:"limit"`
	Most  bool    `json:"upper"` // Limit is an upper one
	Held  bool    `json:"held"`
}

func (b LinkBound) String() string {
	mark, sign := "pass", "≥"
	if !b.Held {
		mark = "MISS"
	}
	if b.Most {
		sign = "≤"
	}
	plain := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	got := strings.TrimSpace(plain(b.Got) + " " + b.Unit)
	if b.Got < 0 && b.Most {
		got = "never"
	}

	return fmt.Sprintf("%s %s: %s (%s)", mark, b.What, got, sign+" "+plain(b.Limit))
}

// bound compares; an upper bound of a time that is below 0 is missed: it never happened.
func bound(what, unit string, got, limit float64, most bool) LinkBound {
	held := got >= limit
	if most {
		held = got >= 0 && got <= limit
	}

	return LinkBound{what, unit, round(got), limit, most, held}
}

func newLinkReport(ctx context.Context, name, kind string, n *node, o *options) *LinkReport {
	r := &LinkReport{
		Link: name, Kind: kind, Started: time.Now().UTC().Truncate(time.Second),
		Machine: Machine{runtime.NumCPU(), cpuModel(), kernel(), runtime.Version()},
	}
	if n != nil {
		r.NodeVersion, r.Settings, r.NodeArgs = n.version(ctx), o.settings, o.nodeArgs
	}

	return r
}

// missed counts bounds that do not hold.
func (r *LinkReport) missed() int {
	n := 0
	for _, b := range r.Bounds {
		if !b.Held {
			n++
		}
	}

	return n
}

// figureOrder is that of tables; what is not in it is not shown there.
var figureOrder = []struct{ key, label string }{
	{"received", "kbit/s"},
	{"q95", "q95"},
	{"q50", "q50"},
	{"rival", "rival"},
	{"ready", "80 % after s"},
	{"estimate", "estimate"},
	{"layer", "layer"},
	{"fps", "fps"},
	{"changes", "changes"},
	{"freezes", "freezes"},
	{"gaps", "gaps"},
	{"undecodable", "undecodable"},
	{"latency_p99_ms", "p99 ms"},
	{"audio_lost", "audio lost"},
}

// table prints the report for people.
func (r *LinkReport) table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	tell(w, "%s", r.Link)
	for _, f := range r.shown() {
		tell(w, "\t%s", f.label)
	}
	tell(w, "\n")
	for _, f := range r.Flows {
		tell(w, "  %s", f.Name)
		for _, k := range r.shown() {
			tell(w, "\t%s", figure(f.Figures, k.key))
		}
		tell(w, "\n")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, b := range r.Bounds {
		tell(out, "  %v\n", b)
	}
	if e := r.Emulator; e != nil {
		tell(out, "  the emulated links were behind by p99 %.2f, max %.2f ms, and late by p99 %.2f, max %.2f ms\n", e.BehindP99, e.BehindMax, e.LateP99, e.LateMax)
	}
	tell(out, "\n")

	return nil
}

// shown are the figures that any flow has.
func (r *LinkReport) shown() []struct{ key, label string } {
	out := figureOrder[:0:0]
	for _, f := range figureOrder {
		for _, flow := range r.Flows {
			if _, ok := flow.Figures[f.key]; ok {
				out = append(out, f)

				break
			}
		}
	}

	return out
}

func figure(all map[string]float64, key string) string {
	v, ok := all[key]
	switch {
	case !ok:
		return "–"
	case v < 0 && key == "ready":
		return "never"
	default:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
}

// flowOf is a simulated run as the report has it.
func flowOf(name string, sc links.Scenario, o links.Outcome) LinkFlow {
	f := links.FiguresOf(sc, o)
	flow := LinkFlow{Name: name, Every: float64(links.PointEvery) / 1e6, Figures: map[string]float64{
		"received": kilo(f.Received), "q95": milli(f.Q95), "q50": milli(f.Q50), "ready": float64(f.Ready) / 1e9,
	}}
	if f.Ready < 0 {
		flow.Figures["ready"] = -1
	}
	if sc.Link.Rival {
		flow.Figures["rival"] = kilo(f.Rival)
	}
	for _, p := range o.Points {
		flow.Capacity = append(flow.Capacity, kilo(p.Capacity))
		flow.Estimate = append(flow.Estimate, kilo(p.Target))
		flow.Sent = append(flow.Sent, kilo(p.Sent))
		flow.Received = append(flow.Received, kilo(p.Received))
		flow.Delay = append(flow.Delay, milli(p.Queue))
		if sc.Link.Rival {
			flow.Rival = append(flow.Rival, kilo(p.Rival))
		}
	}

	return flow
}

func kilo(v int64) float64 { return math.Round(float64(v) / 1000) }

func milli(v int64) float64 { return math.Round(float64(v) / 1e6) }

func boundsOf(all []links.Bound) []LinkBound {
	out := make([]LinkBound, len(all))
	for i, b := range all {
		out[i] = LinkBound{b.What, b.Unit, float64(b.Got), float64(b.Limit), b.Most, b.Held()}
	}

	return out
}
