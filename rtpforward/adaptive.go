// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"sync/atomic"
	"time"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// Preference bounds from above what a subscriber can use of a video. The zero value bounds nothing.
type Preference struct {
	Spatial, Temporal uint8  // layers at most: 1 is the smallest alone; 0: no bound
	Width, Height     uint16 // of the place where it is shown, pixels; 0: no bound
	FrameRate         uint16 // frames/s that are of use; 0: no bound
}

// Wish is how a slot takes part when the session's link is divided.
type Wish struct {
	Preference Preference
	Weight     float64 // of the room among the session's rooms, above 0 to 1000; 0 means 1
	Priority   float64 // within the room, above 0 to 1000; 0 means 1
}

// Limit says why a slot's target is not a higher layer.
type Limit uint8

// The limits.
const (
	LimitNone       Limit = iota // it is the highest there is
	LimitPreference              // the subscriber wants no more
	LimitBandwidth               // the link carries no more
	LimitPublisher               // the publisher does not send more at the moment
	LimitPaused                  // nothing is to be shown
)

// String is the limit's name in metrics and dumps, for example "bandwidth".
func (l Limit) String() string {
	if int(l) < len(limitNames) {
		return limitNames[l]
	}
	return "unknown"
}

var limitNames = [...]string{"none", "preference", "bandwidth", "publisher", "paused"}

// SlotState is what a slot of video shows.
type SlotState struct {
	Mid             string
	Current, Target layers.Layer // None: nothing
	Limit           Limit
}

// LayerStats is a copy of what is known of a layer that arrives.
type LayerStats struct {
	Layer          layers.Layer // Temporal: the highest that was seen
	RID            string       // empty without simulcast
	SSRC           uint32
	Width, Height  uint16  // pixels, 0 unknown
	FrameRate      float64 // frames/s over the last second or so
	Bitrate        uint64  // bit/s over the last second or so, of this spatial layer alone
	TemporalLayers int     // at least 1
	Live           bool    // media of it arrives
	Wanted         bool    // as OnWanted was told last
}

// LinkStats is a copy of what is known of a session's link.
type LinkStats struct {
	Controlled   bool  // there is an estimate: the client gives feedback that allows one
	Target       int64 // what is sent at most on average, bit/s; 0 unknown
	Acknowledged int64 // what came through lately, bit/s
	Sending      int64 // what was sent lately, bit/s
	Loss         float64
	Queue, RTT   time.Duration
	Backlog      int    // packets that wait for their turn
	Probes       uint64 // clusters sent
	ProbeBytes   uint64 // of padding and of retransmissions that nobody asked for
	Paused       int    // slots of video that the link does not carry
}

// Gate holds back one stream for all slots that were given it, from any goroutine and at once: a room that forwards only its
// loudest has one for each audio stream. The zero value is open.
type Gate struct {
	shut atomic.Bool // atomic: written by Set, read by shards
}

// Set shuts or opens the gate.
func (g *Gate) Set(shut bool) { g.shut.Store(shut) }

// SetWish changes how the slot takes part in the division of the link, and what it shows at most.
func (dt *DownTrack) SetWish(w Wish) {
	dt.shard().post(func() {
		// Waiting is for upgrades that somebody might not notice; this one was asked for.
		dt.share.eager = dt.share.eager || w.Preference != dt.wish.Preference
		dt.wish = w
		dt.redivide()
	})
}

// SetGate has the slot heed g; nil: none. It stays until the next Bind to another Track, or Unbind.
func (dt *DownTrack) SetGate(g *Gate) {
	dt.shard().post(func() {
		if dt.track == nil {
			return
		}
		now := dt.shard().f.now()
		dt.shard().flush(now)
		dt.gate = g
		dt.heed(now)
	})
}

// rung is one choice that a source offers to a slot.
type rung struct {
	layer         layers.Layer
	rate          int64 // bit/s with everything that it needs
	width, height uint16
	frameRate     float64
	live          bool
}

// ladder is what a source offers, from the least to the best. Immutable.
type ladder struct {
	rungs []rung
}
