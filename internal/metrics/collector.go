// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/switchyard-media/sfu/internal/control"
	"github.com/switchyard-media/sfu/rtpforward"
	"github.com/switchyard-media/sfu/sfu"
)

// Sources are read at each scrape. They are safe to call from any goroutine, and cheap.
type Sources struct {
	Load    func() sfu.Load
	Info    func() sfu.Info
	Control func() control.Stats
	Version string
}

// NewRegistry makes a registry with the node's metrics and those of the process and the Go runtime (process_*, go_*).
func NewRegistry(src Sources) (*prometheus.Registry, error) {
	r := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		collector{src}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// collector has no state: what it reports is worked out from the sources each time.
type collector struct {
	src Sources
}

// Describe implements prometheus.Collector.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range all {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	e := emitter{ch}
	load, info, rpc := c.src.Load(), c.src.Info(), c.src.Control()
	e.put(buildInfo, 1, c.src.Version, runtime.Version())
	e.put(draining, boolean(info.Draining))
	e.rooms(load)
	e.media(load.Forward)
	e.adaptive(load.Adaptive)
	e.sockets(load)
	e.put(messagesDelivered, float64(load.MessagesDelivered))
	e.put(messagesDropped, float64(load.MessagesDropped))
	e.put(inboxFull, float64(load.EffectsDropped))
	e.put(panics, float64(load.Panics))
	e.put(watchers, float64(load.Watchers))
	e.put(resyncs, float64(load.Resyncs))
	e.rpc(rpc)
}

// emitter sends metrics to one scrape.
type emitter struct {
	ch chan<- prometheus.Metric
}

func (e emitter) put(m *metric, value float64, labels ...string) {
	kind := prometheus.GaugeValue
	if m.Type == "counter" {
		kind = prometheus.CounterValue
	}
	made, err := prometheus.NewConstMetric(m.desc, kind, value, labels...)
	if err != nil { // a label that is not UTF-8: the scrape fails and says so
		made = prometheus.NewInvalidMetric(m.desc, err)
	}
	e.ch <- made
}

// labelled sends one value per label; their order does not matter to a scrape.
func (e emitter) labelled(m *metric, values map[string]uint64) {
	for label, v := range values {
		e.put(m, float64(v), label)
	}
}

func (e emitter) rooms(l sfu.Load) {
	e.put(rooms, float64(l.Counts.Rooms))
	e.put(members, float64(l.Counts.Members))
	e.put(sessions, float64(l.Counts.Sessions))
	e.put(streams, float64(l.Counts.Streams))
	e.put(subscriptions, float64(l.Counts.Subscriptions))
	e.labelled(connections, l.Connections)
	e.labelled(profiles, l.Profiles)
}

func (e emitter) media(f rtpforward.Stats) {
	e.put(packetsIn, float64(f.In))
	e.put(bytesIn, float64(f.InBytes))
	e.put(accepted, float64(f.Accepted))
	e.put(offered, float64(f.Offered))
	e.put(packetsOut, float64(f.Out))
	e.put(bytesOut, float64(f.OutBytes))
	e.put(retransmitted, float64(f.Retransmitted))
	for r := range rtpforward.DropReasons { // every reason from the start, so that a first drop shows as an increase
		e.put(dropped, float64(f.Drops[r]), r.String())
	}
	e.put(nacksIn, float64(f.NACKsIn))
	e.put(nacksOut, float64(f.NACKsOut))
	e.put(plisIn, float64(f.PLIsIn))
	e.put(plisOut, float64(f.PLIsOut))
	for i, s := range f.Shards {
		shard := strconv.Itoa(i)
		e.put(shardQueue, float64(s.Queue), shard)
		e.put(shardCapacity, float64(s.Capacity), shard)
		e.put(shardDownlinks, float64(s.Downlinks), shard)
		e.put(shardSinks, float64(s.Sinks), shard)
		e.put(shardPackets, float64(s.Packets), shard)
		e.put(shardFull, float64(s.QueueFull), shard)
		e.put(shardFeedback, float64(s.FeedbackDropped), shard)
		e.put(shardFlushes, float64(s.Flushes), shard)
	}
}

// estimateBounds are the upper bounds of the buckets of estimates, in bit/s: from one voice to several films.
var estimateBounds = [...]int64{
	50_000, 100_000, 200_000, 300_000, 500_000, 750_000, 1_000_000, 1_500_000, 2_000_000, 3_000_000, 5_000_000, 10_000_000, 20_000_000,
}

func (e emitter) adaptive(a sfu.AdaptiveLoad) {
	e.put(links, float64(a.Controlled))
	e.ch <- estimates(a.Estimates)
	e.put(linkBacklog, float64(a.Backlog))
	e.put(linkProbes, float64(a.Probes))
	e.put(probeBytes, float64(a.ProbeBytes))
	for l := rtpforward.LimitNone; l <= rtpforward.LimitPaused; l++ { // every limit, so that one with no slots shows as 0
		e.put(videoSlots, float64(a.Limits[l.String()]), l.String())
	}
	e.put(slotsPaused, float64(a.PausedByBandwidth))
	e.put(layerSwitches, float64(a.LayerSwitches))
	e.put(freezes, float64(a.Freezes))
}

// estimates makes a histogram of what holds now.
func estimates(list []int64) prometheus.Metric {
	buckets := make(map[float64]uint64, len(estimateBounds))
	var sum float64
	for _, bound := range estimateBounds {
		buckets[float64(bound)] = 0
		for _, v := range list {
			if v <= bound {
				buckets[float64(bound)]++
			}
		}
	}
	for _, v := range list {
		sum += float64(v)
	}
	m, err := prometheus.NewConstHistogram(linkEstimates.desc, uint64(len(list)), sum, buckets)
	if err != nil {
		return prometheus.NewInvalidMetric(linkEstimates.desc, err)
	}
	return m
}

func (e emitter) sockets(l sfu.Load) {
	s := l.Socket
	e.put(udpIn, float64(s.In))
	e.put(udpInBytes, float64(s.InBytes))
	e.put(udpReads, float64(s.Reads))
	e.put(udpOut, float64(s.Out))
	e.put(udpOutBytes, float64(s.OutBytes))
	e.put(udpSends, float64(s.Sends))
	e.put(udpRuns, float64(s.Runs))
	e.put(udpOffload, boolean(s.GSO), "gso")
	e.put(udpOffload, boolean(s.GRO), "gro")
	e.put(udpBuffer, float64(s.ReadBuffer), "receive")
	e.put(udpBuffer, float64(s.WriteBuffer), "send")
	e.put(udpSockets, float64(s.Sockets))
	e.put(udpKernel, float64(s.KernelDrops))
	e.labelled(udpDropped, l.UDPDropped)
}

func (e emitter) rpc(s control.Stats) {
	for _, c := range s.Calls {
		e.ch <- histogram(c)
	}
	e.put(rpcActive, float64(s.Active))
	e.put(rpcStreams, float64(s.Streams))
	e.put(rpcConnections, float64(s.Connections))
	e.labelled(rpcRefused, s.Refused)
	e.put(rpcPanics, float64(s.Panics))
}

// histogram makes Prometheus's cumulative buckets of plain ones.
func histogram(c control.CallStats) prometheus.Metric {
	buckets := make(map[float64]uint64, len(control.LatencyBounds))
	var sum uint64
	for i, bound := range control.LatencyBounds {
		sum += c.Buckets[i]
		buckets[bound] = sum
	}
	m, err := prometheus.NewConstHistogram(rpcDuration.desc, c.Count, c.Seconds, buckets, c.Method, c.Code)
	if err != nil {
		return prometheus.NewInvalidMetric(rpcDuration.desc, err)
	}
	return m
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
