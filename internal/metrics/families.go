// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Family documents one metric; Families lists them all.
type Family struct {
	Name   string
	Type   string // "counter", "gauge", "histogram"
	Labels []string
	Help   string
}

// The families, in the order of the table in docs/operations.md.
var (
	buildInfo = family("build_info", "gauge", "1, labelled with what was built.", "version", "go_version")
	draining  = family("draining", "gauge", "1 while the node drains, else 0.")

	rooms         = family("rooms", "gauge", "Rooms with a member.")
	members       = family("members", "gauge", "Sessions in rooms; a session in three rooms counts three times.")
	sessions      = family("sessions", "gauge", "Sessions.")
	connections   = family("session_connections", "gauge", "Sessions by the state of their transport.", "state")
	profiles      = family("srtp_profiles_total", "counter", "Sessions that connected, by the SRTP profile they negotiated.", "profile")
	streams       = family("streams", "gauge", "Published streams, per room: one published in two rooms counts twice.")
	subscriptions = family("subscriptions", "gauge", "Subscriptions, pending ones included.")

	packetsIn     = family("rtp_received_packets_total", "counter", "RTP packets received from publishers.")
	bytesIn       = family("rtp_received_bytes_total", "counter", "Bytes of them, RTP headers included.")
	accepted      = family("rtp_accepted_packets_total", "counter", "Of the received packets, those kept: the rest is dropped, with a reason.")
	offered       = family("rtp_offered_packets_total", "counter", "Packets handed to slots, once for each: each is sent, or dropped with a reason.")
	packetsOut    = family("rtp_sent_packets_total", "counter", "RTP packets written to subscribers, without retransmissions.")
	bytesOut      = family("rtp_sent_bytes_total", "counter", "Bytes of them, RTP headers included.")
	retransmitted = family("rtp_retransmitted_packets_total", "counter", "RTP packets written to subscribers again because they asked (NACK).")
	dropped       = family("rtp_dropped_packets_total", "counter", "RTP packets not forwarded, by reason; each under exactly one.", "reason")
	nacksIn       = family("rtcp_received_nacks_total", "counter", "Packets that subscribers asked for again.")
	nacksOut      = family("rtcp_sent_nacks_total", "counter", "Packets asked of publishers again.")
	plisIn        = family("rtcp_received_plis_total", "counter", "Keyframe requests of subscribers (PLI and FIR).")
	plisOut       = family("rtcp_sent_plis_total", "counter", "Keyframe requests to publishers, after merging and throttling.")

	shardQueue     = family("shard_queue_length", "gauge", "Entries waiting in an egress worker's queue.", "shard")
	shardCapacity  = family("shard_queue_capacity", "gauge", "Entries that fit in it.", "shard")
	shardDownlinks = family("shard_sessions", "gauge", "Sessions placed on an egress worker.", "shard")
	shardSinks     = family("shard_sinks", "gauge", "Bound slots of those sessions.", "shard")
	shardPackets   = family("shard_packets_total", "counter", "Packets an egress worker took from its queue.", "shard")
	shardFeedback  = family("shard_rtcp_dropped_total", "counter", "RTCP packets of subscribers that an egress worker had no room for.", "shard")
	shardFull      = family("shard_queue_full_total", "counter", "Packets refused because the queue was full.", "shard")
	shardFlushes   = family("shard_flushes_total", "counter", "Groups of packets an egress worker fanned out.", "shard")

	udpIn       = family("udp_received_datagrams_total", "counter", "Datagrams received on the media sockets.")
	udpInBytes  = family("udp_received_bytes_total", "counter", "Bytes of them, without IP and UDP headers.")
	udpReads    = family("udp_reads_total", "counter", "System calls that received them; with batches and GRO one brings many.")
	udpOut      = family("udp_sent_datagrams_total", "counter", "Datagrams sent on the media sockets.")
	udpOutBytes = family("udp_sent_bytes_total", "counter", "Bytes of them, without IP and UDP headers.")
	udpSends    = family("udp_sends_total", "counter", "System calls that sent them.")
	udpRuns     = family("udp_sent_runs_total", "counter", "Runs of datagrams to one destination that the kernel took as one (UDP_SEGMENT); datagrams by runs is how well that works.")
	udpOffload  = family("udp_offload", "gauge", "1 while all media sockets use the offload (gso: sending, gro: receiving), else 0.", "kind")
	udpBuffer   = family("udp_buffer_bytes", "gauge", "Buffer that the kernel granted each media socket.", "direction")
	udpSockets  = family("udp_sockets", "gauge", "Media sockets on the one port.")
	udpKernel   = family("udp_kernel_dropped_total", "counter", "Datagrams that the kernel dropped because a media socket's receive buffer was full (SO_RXQ_OVFL).")
	udpDropped  = family("udp_dropped_total", "counter", "Datagrams that are for no session or could not be sent, packets that SRTP refused as replayed, forged or malformed, and those of no stream that was negotiated, by reason.", "reason")

	links         = family("link_controlled_sessions", "gauge", "Sessions whose client gives feedback that allows an estimate of its link.")
	linkEstimates = family("link_estimate_bitrate", "histogram", "Estimates of those links now in bit/s, one for each; unlike with other histograms counts go down too.")
	linkBacklog   = family("link_backlog_packets", "gauge", "Packets that wait for their turn on a link.")
	linkProbes    = family("link_probes_total", "counter", "Clusters of packets sent to find out what links carry.")
	probeBytes    = family("link_probe_bytes_total", "counter", "Bytes of padding, and of retransmissions that nobody asked for, sent for them.")
	videoSlots    = family("video_slots", "gauge", "Subscriptions to video that have a slot, by why they do not get a higher layer.", "limit")
	slotsPaused   = family("video_slots_paused_by_bandwidth", "gauge", "Slots of video that get nothing because their link does not carry it.")
	layerSwitches = family("layer_switches_total", "counter", "Times that a subscriber got another layer of a video.")
	freezes       = family("freezes_total", "counter", "Times that a subscriber's video stood still for longer than 500 ms, as far as the node can tell.")

	messagesDelivered = family("messages_delivered_total", "counter", "Room messages sent on data channels, once for each client.")
	messagesDropped   = family("messages_dropped_total", "counter", "Room messages not sent because a client's data channel was full or had closed. Clients that never opened one are not counted.")
	inboxFull         = family("session_inbox_full_total", "counter", "Sessions closed because they did not keep up with their commands.")
	panics            = family("session_panics_total", "counter", "Sessions closed because of a bug. Anything but 0 should be reported.")
	watchers          = family("event_watchers", "gauge", "Open event streams.")
	resyncs           = family("event_resyncs_total", "counter", "Times a watcher had missed events and was told to start over.")

	rpcDuration    = family("rpc_duration_seconds", "histogram", "Duration of finished unary calls of the control API, by method and status code.", "method", "code")
	rpcActive      = family("rpc_active", "gauge", "Unary calls of the control API running now.")
	rpcStreams     = family("rpc_streams", "gauge", "Event streams of the control API open now.")
	rpcConnections = family("rpc_connections", "gauge", "Connections to the control API.")
	rpcRefused     = family("rpc_refused_total", "counter", "Calls and connections of the control API not let in, by reason.", "reason")
	rpcPanics      = family("rpc_panics_total", "counter", "Calls that ended in a bug and were answered INTERNAL. Anything but 0 should be reported.")
)

// metric is a family ready to be collected.
type metric struct {
	Family
	desc *prometheus.Desc
}

var all []*metric

func family(name, kind, help string, labels ...string) *metric {
	f := Family{Name: "sfu_" + name, Type: kind, Help: help, Labels: labels}
	m := &metric{Family: f, desc: prometheus.NewDesc(f.Name, f.Help, f.Labels, nil)}
	all = append(all, m)
	return m
}

// Families lists every metric of ours, in a fixed order.
func Families() []Family {
	out := make([]Family, len(all))
	for i, m := range all {
		out[i] = m.Family
	}
	return out
}

// Table is the list of families in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, f := range Families() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, f.Type, strings.Join(f.Labels, ", "), f.Help)
	}
	return b.String()
}
