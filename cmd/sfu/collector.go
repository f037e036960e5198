// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Families of the faces for clients. Label values come from fixed lists of the packages that count.
var (
	signalClients  = prometheus.NewDesc("sfu_signal_clients", "Clients connected to the signaling tier.", nil, nil)
	signalAccepted = prometheus.NewDesc("sfu_signal_connections_total", "Connections that the signaling tier has taken.", nil, nil)
	signalRequests = prometheus.NewDesc("sfu_signal_requests_total", "Requests of clients to the signaling tier.", []string{"kind"}, nil)
	signalFailures = prometheus.NewDesc("sfu_signal_failures_total", "Requests of clients that the signaling tier has refused, or the node.", []string{"reason"}, nil)
	signalNotices  = prometheus.NewDesc("sfu_signal_notices_total", "Notices that the signaling tier has sent to clients.", nil, nil)
	signalDropped  = prometheus.NewDesc("sfu_signal_dropped_total", "Connections that the signaling tier has cut off.", []string{"reason"}, nil)
	signalResyncs  = prometheus.NewDesc("sfu_signal_resyncs_total", "Times that the signaling tier has missed events of a node and asked for everything anew.", nil, nil)

	whipSessions = prometheus.NewDesc("sfu_whip_sessions", "Publishers and viewers by WHIP and WHEP.", []string{"protocol"}, nil)
	whipRequests = prometheus.NewDesc("sfu_whip_requests_total", "Requests to WHIP and WHEP.", []string{"method"}, nil)
	whipAnswers  = prometheus.NewDesc("sfu_whip_answers_total", "Answers of WHIP and WHEP.", []string{"status"}, nil)
)

// clientCollector has no state: what it reports is read from the faces each time.
type clientCollector struct{ clients *clients }

// Describe implements prometheus.Collector.
func (c clientCollector) Describe(ch chan<- *prometheus.Desc) {
	if c.clients.tier != nil {
		for _, d := range []*prometheus.Desc{
			signalClients, signalAccepted, signalRequests, signalFailures, signalNotices, signalDropped, signalResyncs,
		} {
			ch <- d
		}
	}
	if c.clients.whip != nil {
		ch <- whipSessions
		ch <- whipRequests
		ch <- whipAnswers
	}
}

// Collect implements prometheus.Collector.
func (c clientCollector) Collect(ch chan<- prometheus.Metric) {
	put := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	counts := func(d *prometheus.Desc, by map[string]uint64) {
		for label, n := range by {
			put(d, prometheus.CounterValue, float64(n), label)
		}
	}
	if c.clients.tier != nil {
		s := c.clients.tier.Stats()
		put(signalClients, prometheus.GaugeValue, float64(s.Clients))
		put(signalAccepted, prometheus.CounterValue, float64(s.Accepted))
		put(signalNotices, prometheus.CounterValue, float64(s.Notices))
		put(signalResyncs, prometheus.CounterValue, float64(s.Resyncs))
		counts(signalRequests, s.Requests)
		counts(signalFailures, s.Failures)
		counts(signalDropped, s.Dropped)
	}
	if c.clients.whip != nil {
		s := c.clients.whip.Stats()
		for protocol, n := range s.Sessions {
			put(whipSessions, prometheus.GaugeValue, float64(n), protocol)
		}
		counts(whipRequests, s.Requests)
		for status, n := range s.Statuses {
			put(whipAnswers, prometheus.CounterValue, float64(n), strconv.Itoa(status))
		}
	}
}
