// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// clientFamily is a family of the faces for clients. Label values come from fixed lists of the packages that count.
type clientFamily struct {
	name, label, help string // label empty: none
	kind              prometheus.ValueType
	desc              *prometheus.Desc
}

func newFamily(kind prometheus.ValueType, name, label, help string) *clientFamily {
	var labels []string
	if label != "" {
		labels = []string{label}
	}
	return &clientFamily{name: name, label: label, help: help, kind: kind, desc: prometheus.NewDesc(name, help, labels, nil)}
}

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// Families of the signaling tier, and of WHIP and WHEP.
var (
	signalClients  = newFamily(gauge, "sfu_signal_clients", "", "Clients connected to the signaling tier.")
	signalAccepted = newFamily(counter, "sfu_signal_connections_total", "", "Connections that the signaling tier has taken.")
	signalRequests = newFamily(counter, "sfu_signal_requests_total", "kind", "Requests of clients to the signaling tier.")
	signalFailures = newFamily(counter, "sfu_signal_failures_total", "reason", "Requests of clients that failed, by what they were told.")
	signalNotices  = newFamily(counter, "sfu_signal_notices_total", "", "Notices that the signaling tier has sent to clients.")
	signalDropped  = newFamily(counter, "sfu_signal_dropped_total", "reason", "Connections that the signaling tier has cut off.")
	signalResyncs  = newFamily(counter, "sfu_signal_resyncs_total", "", "Times that the signaling tier missed events of a node and asked for everything anew.")

	whipSessions = newFamily(gauge, "sfu_whip_sessions", "protocol", "Publishers and viewers, by whip and whep.")
	whipRequests = newFamily(counter, "sfu_whip_requests_total", "method", "Requests to WHIP and WHEP.")
	whipAnswers  = newFamily(counter, "sfu_whip_answers_total", "status", "Answers of WHIP and WHEP, by HTTP status.")

	signalFamilies = []*clientFamily{signalClients, signalAccepted, signalRequests, signalFailures, signalNotices, signalDropped, signalResyncs}
	whipFamilies   = []*clientFamily{whipSessions, whipRequests, whipAnswers}
)

// clientCollector has no state: what it reports is read from the faces each time.
type clientCollector struct{ clients *clients }

// Describe implements prometheus.Collector.
func (c clientCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range c.families() {
		ch <- f.desc
	}
}

// families are those of what is switched on.
func (c clientCollector) families() []*clientFamily {
	var out []*clientFamily
	if c.clients.tier != nil {
		out = append(out, signalFamilies...)
	}
	if c.clients.whip != nil {
		out = append(out, whipFamilies...)
	}
	return out
}

// Collect implements prometheus.Collector.
func (c clientCollector) Collect(ch chan<- prometheus.Metric) {
	put := func(f *clientFamily, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(f.desc, f.kind, v, labels...)
	}
	counts := func(f *clientFamily, by map[string]uint64) {
		for label, n := range by {
			put(f, float64(n), label)
		}
	}
	if c.clients.tier != nil {
		s := c.clients.tier.Stats()
		put(signalClients, float64(s.Clients))
		put(signalAccepted, float64(s.Accepted))
		put(signalNotices, float64(s.Notices))
		put(signalResyncs, float64(s.Resyncs))
		counts(signalRequests, s.Requests)
		counts(signalFailures, s.Failures)
		counts(signalDropped, s.Dropped)
	}
	if c.clients.whip != nil {
		s := c.clients.whip.Stats()
		for protocol, n := range s.Sessions {
			put(whipSessions, float64(n), protocol)
		}
		counts(whipRequests, s.Requests)
		for status, n := range s.Statuses {
			put(whipAnswers, float64(n), strconv.Itoa(status))
		}
	}
}
