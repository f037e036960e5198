// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"time"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// Packet is one received RTP packet, parsed once. It is immutable from the moment UpTrack.Ingest has built it: sinks on any
// goroutine read it, nobody writes into it, and the garbage collector frees it when the last reference is gone.
type Packet struct {
	Buf        []byte      // the whole packet, decrypted, as received; carved from a slab
	Header     Header      // offsets into Buf
	Descriptor Descriptor  // of the payload
	Unit       layers.Unit // of video: what it is in the order of layers
	Format     Format      // of the payload type it came with
	Up         *UpTrack    // the layer it belongs to
	Sequence   uint64      // extended sequence number within Up, never decreasing by wrap
	Timestamp  uint64      // extended RTP timestamp within Up
	Arrival    int64       // nanoseconds on the Forwarder's clock
}

// Payload is the packet's payload without padding; it aliases Buf.
func (p *Packet) Payload() []byte { return p.Buf[p.Header.PayloadOffset:p.Header.PayloadEnd] }

// Format is a payload format as the owner of the Forwarder has interned it: two payload types of two sessions mean the same
// format exactly when their IDs are equal. The zero Format is unknown.
type Format struct {
	ID        uint16
	Codec     Codec
	ClockRate uint32 // Hz
}

// OutFormat is the payload type under which a subscriber negotiated a format.
type OutFormat struct {
	Format     Format
	Payload    uint8 // RTP payload type
	RTXPayload uint8 // payload type of its retransmissions (RFC 4588), 0 when not negotiated
	NACK       bool  // generic NACK negotiated (RFC 4585)
}

// Writer is the way out of one session. It belongs to the session's shard, whose goroutine alone calls it. No method waits,
// for the receiver, the network or the kernel. What it has taken has left when Config.Flush of the shard returns.
type Writer interface {
	// Reserve returns room for one RTP packet of n bytes, at the place that it is sent from, so that it is written once and
	// encrypted in place. nil: the transport is not there (yet), or a packet of that size does not fit it. Room that is not
	// committed is room for the next call.
	Reserve(n int) []byte
	// Commit encrypts and sends the whole packet that was written into what Reserve returned last.
	Commit() error
	// WriteRTCP sends one compound packet (already marshalled). It does not keep buf.
	WriteRTCP(buf []byte) error
}

// Config of a Forwarder.
type Config struct {
	Shards           int           // egress workers; default GOMAXPROCS, at most 64
	QueueLength      int           // entries of a shard's queue, rounded up to a power of two; default 8192, of which an eighth is kept for control
	Hold             time.Duration // how long the packets of an open frame may wait for each other; default 1 ms, 0 means default, negative: none
	VideoHistory     int           // packets kept per video layer for retransmission, rounded up to a power of two; default 1024
	AudioHistory     int           // per audio layer; default 128
	HistoryAge       time.Duration // older packets are not retransmitted; default 2 s
	KeyframeEvery    time.Duration // least time between two upward keyframe requests of a layer; default 500 ms
	ReportEvery      time.Duration // receiver and sender reports; default 1 s
	TransportCCEvery time.Duration // transport-wide feedback to publishers; default 50 ms
	RetransmitShare  float64       // most of a session's sent bytes that may be retransmissions, over a second; default 0.25
	RetransmitMax    int           // times one packet is retransmitted to one subscriber; default 3
	UnwantedAfter    time.Duration // how long nobody takes a layer before its publisher is told; default 2 s

	// NoCongestionControl sends every slot the best that its subscriber asked for, whatever the link carries.
	NoCongestionControl bool
	// StartBitrate, LeastBitrate and MostBitrate bound the estimate of every session's link, bit/s; see bandwidth.Config.
	StartBitrate, LeastBitrate, MostBitrate int64
	// StartFromCache starts video for a new subscriber from the newest keyframe in the history and what followed it, at once
	// and without asking for another one, where these are at most CacheBytes (default 512 KiB) and CacheAge (default 1 s) old.
	StartFromCache bool
	CacheBytes     int
	CacheAge       time.Duration

	// Kicked says that whoever calls Ingest and HandleRTCP calls Forwarder.Kick behind it, once for as many packets as there
	// are. false: Ingest wakes the shards by itself.
	Kicked bool
	// Flush sends what the Writers of a shard have taken. Called by the shard's goroutine, with the shard's index, when it
	// has written what it had to, and always before a stop is acknowledged; must not wait. nil: Writers send by themselves.
	Flush func(shard int)
}

// UplinkConfig describes the publishing side of one session.
type UplinkConfig struct {
	SSRC uint32 // sender SSRC of our feedback
	// WriteRTCP sends one compound packet (already marshalled). Called by the uplink's goroutine only; may be slow, must
	// not block for ever. It must not keep buf.
	WriteRTCP func(buf []byte) error
}

// TrackConfig describes one source: an up m-line.
type TrackConfig struct {
	Mid   string
	Video bool
	// OnLive is told when media starts to arrive, and when none came for two seconds (video) or five (audio, which
	// may pause by DTX for long: see the owner). Called on the uplink's goroutine; must not block.
	OnLive func(live bool)
	// OnWanted is told which layers somebody takes: bit i stands for spatial layer i, which in simulcast is the i-th stream by
	// size. A layer that nobody takes any more is told after Config.UnwantedAfter, one that is wanted again at once. Before the
	// first call all are wanted. Called on the uplink's goroutine; must not block.
	OnWanted func(spatial uint8)
}

// UpTrackConfig describes one layer: one RTP stream from the publisher.
type UpTrackConfig struct {
	SSRC        uint32
	RID         string           // simulcast id, empty without simulcast
	Index       int              // place among the simulcast streams as the offer lists them, from 0; sizes that arrive correct it
	Payloads    map[uint8]Format // by the publisher's payload types
	Extensions  ExtensionMap     // the publisher's ids
	NACK        bool             // ask for what is missing
	TransportCC bool             // the publisher stamps transport-wide sequence numbers and wants feedback
	PLI, FIR    bool             // which keyframe requests the publisher understands
	// Retransmissions has the payload type of the original for each that retransmissions come with (apt of RFC 4588).
	// Without it they are taken to be of the payload type that came last.
	Retransmissions map[uint8]uint8
}

// DownlinkConfig describes the receiving side of one session.
type DownlinkConfig struct {
	CNAME      string
	Extensions ExtensionMap // the subscriber's ids; changed by Downlink.SetExtensions
	// TransportCC stamps transport-wide sequence numbers on what is sent, when the extension is negotiated.
	TransportCC bool
	// REMB says that the client sends its own estimate (draft-alvestrand-rmcat-remb-03) and no transport-wide feedback.
	REMB bool
	// OnSlot is told what a slot shows when that changes. Called by the shard; must not block and not call the Downlink or its
	// slots.
	OnSlot func(SlotState)
	// NewWriter makes the session's way out; called once, by NewDownlink, with the index of the shard it was placed on.
	NewWriter func(shard int) Writer
}

// DownTrackConfig describes one slot: a down m-line.
type DownTrackConfig struct {
	Mid     string
	Video   bool
	SSRC    uint32
	RTXSSRC uint32 // 0: retransmissions go out on SSRC itself
	Formats []OutFormat
	// NoTransportCC sends the slot's packets without transport-wide numbers though the session has them: its line has not
	// agreed to the feedback (Firefox, audio), and numbers that the client does not answer look lost.
	NoTransportCC bool
}

// DropReason says why a packet was not forwarded. Every drop is counted under exactly one.
type DropReason uint8

// The drop reasons.
const (
	DropMalformed    DropReason = iota // in: header does not parse
	DropPayloadType                    // in: unknown payload type
	DropDuplicate                      // in: received before
	DropTooOld                         // in: older than the history, or after a jump that is not believed yet
	DropPadding                        // in: padding only, nothing to forward
	DropQueueFull                      // hand-over: the shard's queue was full
	DropPaused                         // out: subscription paused or stream muted
	DropKeyframeWait                   // out: waiting for a keyframe after start, switch or resume
	DropFormat                         // out: the subscriber did not negotiate the format
	DropLayer                          // out: another layer is being forwarded
	DropStale                          // out: arrived after a switch had passed it, or was reordered beyond what is kept
	DropNotReady                       // out: the transport is not connected yet
	DropWrite                          // out: the transport refused the packet
	DropClosed                         // out: the sink was closed with packets collected for it
	DropQuiet                          // out: the room forwards only its loudest, see Gate
	DropPaced                          // out: waited too long for its turn on the link
	DropReasons                        // number of reasons
)

// String is the reason's label in metrics, for example "queue_full".
func (r DropReason) String() string {
	if int(r) < len(dropNames) {
		return dropNames[r]
	}
	return "unknown"
}

var dropNames = [DropReasons]string{
	"malformed", "payload_type", "duplicate", "too_old", "padding", "queue_full", "paused", "keyframe_wait", "format",
	"layer", "stale", "not_ready", "write", "closed", "quiet", "paced",
}

// Drops counts drops by reason.
type Drops [DropReasons]uint64

// Total is the sum over all reasons.
func (d Drops) Total() uint64 {
	var n uint64
	for _, v := range d {
		n += v
	}
	return n
}

// TrackStats is a copy of a source's counters. Received = Accepted + the sum of Drops.
type TrackStats struct {
	Received, Accepted  uint64 // packets, retransmissions included
	Bytes               uint64 // of accepted packets, headers included
	Drops               Drops
	Lost                uint64        // missing for good, as in receiver reports
	Recovered           uint64        // came after a NACK
	NACKsSent, PLIsSent uint64        // requests sent upward
	KeyframeRequests    uint64        // wishes that were merged into those
	Handed, Refused     uint64        // hand-overs to shards, one a packet and shard; refused: the shard's queue was full
	Keyframes           uint64        // keyframes seen
	Jitter              time.Duration // RFC 3550, section 6.4.1
	RTT                 time.Duration // 0 unknown
	Bitrate             uint64        // bit/s over the last second or so
	FrameRate           float64       // frames/s over the last second or so, video
	Codec               Codec
	LastArrival         time.Time // zero: nothing yet
}

// DownTrackStats is a copy of a slot's counters. While bound, Received = Forwarded + the sum of Drops; packets of a frame
// that is still being collected are in neither.
type DownTrackStats struct {
	Received, Forwarded uint64 // packets handed to the sink, packets written
	Bytes               uint64 // forwarded, headers included
	Drops               Drops
	Retransmitted       uint64 // packets
	RetransmitBytes     uint64
	RetransmitRefused   uint64 // asked for, not sent: not in the history, asked too often, budget spent
	NACKs, PLIs         uint64 // requested sequence numbers, keyframe requests received
	Lost                int32  // from the last receiver report, cumulative
	FractionLost        uint8  // of 256, from the last receiver report
	Jitter, RTT         time.Duration
	Bitrate             uint64 // bit/s over the last second or so
	Codec               Codec
	Switches            uint64
	Current, Target     layers.Layer // of video; None: nothing is shown, is to be shown
	Limit               Limit        // why Target is not higher
	LayerSwitches       uint64
	Freezes             uint64        // times that video stood still for longer than 500 ms though it was to be shown, as far as the node can tell
	FrozenFor           time.Duration // in all
}

// ShardStats is a copy of a shard's counters.
type ShardStats struct {
	Downlinks, Sinks int    // sessions placed on it, bound DownTracks
	Queue            int    // entries waiting now
	Capacity         int    // entries it holds at most
	Packets          uint64 // taken from the queue
	QueueFull        uint64 // packets refused at the queue
	FeedbackDropped  uint64 // compound RTCP packets of subscribers that it had no room for
	Flushes          uint64 // groups fanned out
}

// Stats is a copy of a Forwarder's counters since it was made, over tracks and slots that exist and that are gone.
type Stats struct {
	In, InBytes       uint64 // packets received from publishers
	Accepted          uint64 // of In, those kept: In = Accepted + the drops whose reasons are of "in"
	Offered           uint64 // packets handed to slots: Offered = Out + the drops whose reasons are of "out"
	Out, OutBytes     uint64 // packets written to subscribers, retransmissions not included
	Retransmitted     uint64
	NACKsIn, NACKsOut uint64
	PLIsIn, PLIsOut   uint64
	Drops             Drops
	Shards            []ShardStats
}
