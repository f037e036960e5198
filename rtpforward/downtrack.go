// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

const (
	// opaqueWait is how long a slot waits for a keyframe of payloads that
	// cannot be read before it starts with whatever comes.
	opaqueWait = time.Second
	// layerSilence is how long a layer may be silent before another takes over.
	layerSilence = 500 * time.Millisecond
)

// DownTrack is a slot: one outgoing stream with its SSRC, which shows one Track
// after the other. Its methods may be called from any goroutine; those of one
// caller take effect in the order of the calls. They wait only while the
// shard's queue has no room for a command.
type DownTrack struct {
	// immutable after newDownTrack
	down *Downlink

	counters ledger // atomic: written by the shard, read by Stats

	// owned by the shard
	cfg     DownTrackConfig
	mid     []byte // cfg.Mid
	count   tally
	touched bool // count differs from counters, and dt is in shard.unpublished
	gone    bool // closed

	wish  Wish
	gate  *Gate        // nil: none
	quiet bool         // by gate
	aimed layers.Layer // by aim
	limit Limit        // the same

	share           share
	queued          int                         // packets that wait in Downlink.link
	heldUps         [layers.MaxStreams]*UpTrack // layers other than up that some of them are of
	reportedHighest uint32                      // of the last receiver report

	track   *Track // bound to; nil: to nothing
	video   bool   // as cfg says
	place   int    // in the sinks of track
	paused  bool
	waiting bool     // for a keyframe
	since   int64    // when waiting began
	up      *UpTrack // the layer that is forwarded; nil before the first packet
	running bool     // the next packet of up follows the one before
	anew    bool     // up's numbers have begun anew: so does the run
	heard   int64    // arrival of the newest packet of up
	skipped uint64   // timestamp of the packet of an unreadable frame that was dropped last
	passed  passing  // what went by while a keyframe was waited for

	// of video
	whole      bool     // all that comes of up is sent as it comes: selector and rewriter need not be asked
	unsure     bool     // there is another target: is a keyframe needed?
	frozen     bool     // what was to be shown since shownAt did not come
	shownAt    int64    // when something of a picture left last, 0: nothing is to be shown
	behind     *Packet  // the last that was sent without asking them; nil: they know
	ranking    *ranking // the streams of selector by their number; nil: none yet
	retargetAt int64    // when retarget is due

	formatID  uint16 // of the packet before, whose out format is in format
	format    *OutFormat
	formatRED bool // only the primary block of it is understood

	seq   renumbering
	clock outputClock
	sent  *sentRing // nil: nothing may be asked for again

	confirmed, rtxConfirmed bool   // the receiver knows the SSRC, so that mid can be left out
	rtxSequence             uint16 // of the next packet on RTXSSRC

	packets, octets uint32 // for sender reports: of SSRC, octets of payload
	lastReport      uint32 // packets at the last sender report
	reports         [4]sentReport
	bitrateBytes    uint64 // count[countBytes] at the last tick
	bitrateAt       int64

	// of video
	wants     uint8        // spatial layers, as track.takers counts them
	shown     layers.Layer // as of noteLayer
	settledAt int64        // until then it turns out what layers up has
	selector  layers.Selector
	rewriter  layers.Rewriter // never reset: the slot is one stream to its receiver
}

func newDownTrack(d *Downlink, cfg DownTrackConfig) *DownTrack {
	dt := &DownTrack{down: d, bitrateAt: d.shard.f.now(), aimed: theTop, shown: layers.None}
	dt.selector.Reset(false)
	dt.simplify()
	cfg.Formats = slices.Clone(cfg.Formats) // the caller keeps his
	dt.setConfig(cfg)
	// Below half of the range, so that reordering around the first packets
	// cannot wrap backwards: receivers derive SRTP's rollover counter from it.
	dt.seq.next = uint64(rand.Uint32N(1 << 15))
	dt.clock.last = uint64(rand.Uint32N(1 << 31))
	dt.rtxSequence = uint16(rand.Uint32N(1 << 15))
	return dt
}

func (dt *DownTrack) setConfig(cfg DownTrackConfig) {
	if cfg.SSRC != dt.cfg.SSRC {
		dt.confirmed = false
	}
	if cfg.RTXSSRC != dt.cfg.RTXSSRC {
		dt.rtxConfirmed = false
	}
	dt.cfg, dt.mid, dt.video = cfg, []byte(cfg.Mid), cfg.Video
	dt.formatID, dt.format = 0, nil
}

// Reconfigure replaces the configuration after a renegotiation. SSRC and
// formats that stay the same go on without a gap.
func (dt *DownTrack) Reconfigure(cfg DownTrackConfig) {
	cfg.Formats = slices.Clone(cfg.Formats)
	dt.shard().post(func() {
		dt.shard().flush(dt.shard().f.now())
		dt.setConfig(cfg)
		dt.forget()
	})
}

// Bind shows t from now on. It starts the slot, or switches it in place: then
// sequence numbers go on without a gap and timestamps by the time that passed.
// Audio goes on at once, video with the next keyframe, which is asked for. When
// the channel is closed, nothing of the former Track leaves any more, not even
// as a retransmission. Binding to the same Track again only sets paused.
func (dt *DownTrack) Bind(t *Track, paused bool) <-chan struct{} {
	return dt.shard().post(func() { dt.bind(t, paused) })
}

// Unbind shows nothing. When the channel is closed, not one more packet of the
// Track leaves, not even as a retransmission.
func (dt *DownTrack) Unbind() <-chan struct{} {
	return dt.shard().post(dt.unbind)
}

// Close takes the slot away. When the channel is closed, nothing more leaves on
// it, and the Downlink keeps nothing of it.
func (dt *DownTrack) Close() <-chan struct{} {
	return dt.shard().post(func() {
		dt.unbind()
		dt.gone = true
		dt.down.tracks = slices.DeleteFunc(dt.down.tracks, func(o *DownTrack) bool { return o == dt })
	})
}

// SetPaused stops or resumes what is shown; nothing leaves after the channel of
// SetPaused(true) is closed. Resumed video starts with a keyframe, which is
// asked for. Without a bound Track it does nothing.
func (dt *DownTrack) SetPaused(paused bool) <-chan struct{} {
	return dt.shard().post(func() { dt.pause(paused) })
}

// Stats returns the counters, which are 50 ms old at most, and as of its end after
// any call that was acknowledged.
func (dt *DownTrack) Stats() DownTrackStats {
	t := dt.counters.read()
	st := DownTrackStats{
		Received: t[countReceived], Forwarded: t[countForwarded], Bytes: t[countBytes],
		Retransmitted: t[countRetransmitted], RetransmitBytes: t[countRetransmitBytes], RetransmitRefused: t[countRetransmitRefused],
		NACKs: t[countNACKs], PLIs: t[countPLIs], Switches: t[countSwitches],
		Lost: int32(t[gaugeLost]), FractionLost: uint8(t[gaugeFractionLost]),
		Jitter: time.Duration(t[gaugeJitter]), RTT: time.Duration(t[gaugeRTT]),
		Bitrate: t[gaugeBitrate], Codec: Codec(t[gaugeCodec]),
		Current: unpackLayer(uint16(t[gaugeLayers] >> 32)), Target: unpackLayer(uint16(t[gaugeLayers] >> 16)), Limit: Limit(t[gaugeLayers] & 0xffff),
		LayerSwitches: t[countLayerSwitches], Freezes: t[countFreezes], FrozenFor: time.Duration(t[countFrozen]),
	}
	copy(st.Drops[:], t[countDrops:])
	return st
}

func (dt *DownTrack) shard() *shard { return dt.down.shard }

// touch has the counters published soon.
func (dt *DownTrack) touch() {
	if !dt.touched {
		dt.touched = true
		dt.shard().unpublished = append(dt.shard().unpublished, dt)
	}
}

func (dt *DownTrack) bind(t *Track, paused bool) {
	switch {
	case dt.down.closed || dt.gone || t == nil:
		return
	case dt.track == t:
		dt.pause(paused)
		return
	}
	s := dt.shard()
	now := s.f.now()
	s.flush(now) // what was collected is for those who were bound when it came
	if dt.track != nil {
		s.detach(dt, dt.track)
		dt.count[countSwitches]++
		dt.touch()
	}
	dt.letGo()
	dt.track, dt.paused = t, paused
	s.attach(dt, t) // before the keyframe is asked for: it shall come here
	dt.restart(now)
	dt.redivide()
}

func (dt *DownTrack) unbind() {
	if dt.track == nil {
		return
	}
	dt.shard().detach(dt, dt.track)
	dt.letGo()
	dt.touch()
}

func (dt *DownTrack) pause(paused bool) {
	if dt.track == nil || dt.paused == paused {
		return
	}
	now := dt.shard().f.now()
	dt.shard().flush(now)
	dt.down.dropBacklog(dt, DropPaused)
	dt.paused = paused
	dt.restart(now)
	dt.redivide()
}

// restart makes the next packet the first of a run; of video that is a keyframe.
func (dt *DownTrack) restart(now int64) {
	dt.halt()
	if dt.track == nil {
		return
	}
	dt.waiting, dt.since, dt.skipped, dt.passed = false, now, 0, passing{}
	dt.selector.SetTarget(layers.None)
	dt.retarget(now)
	dt.gauge()
	dt.touch()
}

// askKeyframe asks the publisher for a keyframe if one is waited for by a
// subscriber that could take it. Track.RequestKeyframe merges and repeats.
func (dt *DownTrack) askKeyframe() {
	if !dt.waiting || !dt.takes() {
		return
	}
	stream, need := dt.selector.NeedsKeyframe()
	switch {
	case !need:
	case dt.ranking != nil && stream < len(dt.ranking.ups):
		dt.track.wishFor(dt.ranking.ups[stream])
	default: // there is no stream yet
		dt.track.RequestKeyframe()
	}
}

// keyframeWanted is a PLI or FIR from the subscriber.
func (dt *DownTrack) keyframeWanted() {
	dt.count[countPLIs]++
	dt.touch()
	dt.refresh()
}

// refresh asks for a keyframe of what is sent.
func (dt *DownTrack) refresh() {
	switch {
	case dt.track == nil || dt.paused || dt.quiet || !dt.cfg.Video:
	case dt.running:
		dt.track.wishFor(dt.up)
	default:
		dt.waiting = true
		dt.askKeyframe()
	}
}

// tick does what is done once per report interval.
func (dt *DownTrack) tick(now int64) {
	if passed := now - dt.bitrateAt; passed > 0 {
		bytes := dt.count[countBytes] - dt.bitrateBytes
		dt.count[gaugeBitrate] = uint64(float64(bytes) * 8 / (float64(passed) / float64(time.Second)))
		dt.bitrateBytes, dt.bitrateAt = dt.count[countBytes], now
		dt.touch()
	}
	if dt.track != nil {
		dt.heed(now)
		dt.retarget(now)
		dt.expect(now) // the repetition above ends some day
	}
}
