// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// How long no media may come before OnLive(false).
const (
	silentVideo = 2 * second
	silentAudio = 5 * second
)

// Track is one source: what a publisher sends under one mid, in one or several
// layers, and what any number of sinks are bound to. It may exist before and
// without media. All methods are safe for concurrent use.
type Track struct {
	// immutable after NewTrack
	f      *Forwarder
	uplink *Uplink
	cfg    TrackConfig

	// interest has bit i set while shard i has a sink bound to this track.
	// atomic: written by shard i, read by the readers
	interest atomic.Uint64

	egress []fan // element i is owned by shard i; the slice is immutable

	// atomic: written under mu, read by anyone; the slice is immutable
	layers atomic.Pointer[[]*UpTrack]

	ranking atomic.Pointer[ranking] // atomic: written by rerank, read by anyone
	shape   atomic.Pointer[shape]   // atomic: written by Uplink.run, read by anyone
	takers  []takers                // element i is owned by shard i; the slice is immutable
	wanted  wantedState             // Uplink.run's

	// owned by Uplink.run
	measureAt int64
	metered   bool // something was live at the last measure

	// atomic: written by anyone who wishes
	wishes atomic.Uint64
	wished atomic.Int64 // last time, 0 never

	live atomic.Bool // atomic: written by Uplink.run, read by the readers; what OnLive was told last

	// guarded by mu
	mu     sync.Mutex
	closed bool
	gone   TrackStats // counters of closed layers
}

func (t *Track) eachLayer() []*UpTrack {
	if layers := t.layers.Load(); layers != nil {
		return *layers
	}
	return nil
}

// NewUpTrack adds a layer. A closed Track gives a layer that ignores packets.
func (t *Track) NewUpTrack(cfg UpTrackConfig) *UpTrack {
	u := &UpTrack{f: t.f, uplink: t.uplink, track: t, cfg: cfg, slab: newSlab(t.cfg.Video)}
	u.cfg.Payloads = nil // the table takes its place
	if t.cfg.Video {
		u.counts = new(layerCounts)
	}
	for payload, format := range cfg.Payloads {
		if int(payload) < len(u.formats) {
			u.formats[payload] = format
			u.reception.clock.Store(format.ClockRate) // until a packet says which one it is
		}
	}
	length := t.f.cfg.AudioHistory
	if t.cfg.Video {
		length = t.f.cfg.VideoHistory
	}
	u.hist.init(length)
	u.order.window = u.hist.size()

	t.mu.Lock()
	if t.closed {
		u.closed.Store(true)
		t.mu.Unlock()
		return u
	}
	layers := append(slices.Clone(t.eachLayer()), u)
	t.layers.Store(&layers)
	t.rerank(false)
	t.mu.Unlock()

	t.uplink.start(cfg.TransportCC)
	t.uplink.wakeRun() // who is told of wanted layers is told of this one
	if at, now := t.wished.Load(), t.f.now(); at != 0 && now-at < keyframeBackoff {
		u.wish(now) // asked for before there was anybody to ask
	}
	return u
}

// remove takes a closed layer out and keeps its counters.
func (t *Track) remove(u *UpTrack) {
	t.mu.Lock()
	defer t.mu.Unlock()
	layers := slices.DeleteFunc(slices.Clone(t.eachLayer()), func(l *UpTrack) bool { return l == u })
	t.layers.Store(&layers)
	t.rerank(false)
	u.addCounters(&t.gone)
	t.uplink.wakeRun() // it may have been the last one
}

// Close ends the track and its layers. It does not unbind sinks. An OnLive that
// is under way may still be running when it returns; no other follows.
func (t *Track) Close() {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	t.closed = true
	t.mu.Unlock()
	for _, u := range t.eachLayer() {
		u.Close()
	}
	t.uplink.remove(t)
	t.f.removeTrack(t)
}

// RequestKeyframe asks the publisher for a keyframe of every layer. All wishes,
// from whatever room, are merged: a request goes out at once, then at most one
// per layer and Config.KeyframeEvery, and it is repeated with growing distance
// while sinks are bound and no keyframe comes. It neither locks nor allocates.
func (t *Track) RequestKeyframe() {
	now := t.f.now()
	t.wishes.Add(1)
	t.wished.Store(max(now, 1))
	for _, u := range t.eachLayer() {
		u.wish(now)
	}
}

// wishFor asks the publisher for a keyframe of one layer, like RequestKeyframe.
func (t *Track) wishFor(u *UpTrack) {
	t.wishes.Add(1)
	u.wish(t.f.now())
}

// AudioLevel is the smoothed level of RFC 6464 in -dBov, 0 the loudest and 127
// silence, of the loudest layer, and if it holds voice. ok is false while no
// packet had one.
func (t *Track) AudioLevel() (level uint8, voice, ok bool) {
	now := t.f.now()
	for _, u := range t.eachLayer() {
		if l, v, has := u.level.read(now); has && (!ok || l < level) {
			level, voice, ok = l, v, true
		}
	}
	return level, voice, ok
}

// Stats returns the counters of the track since it was made, over all layers.
func (t *Track) Stats() TrackStats {
	t.mu.Lock()
	s := t.gone
	layers := t.eachLayer()
	for _, u := range layers {
		u.addCounters(&s)
	}
	t.mu.Unlock()
	s.KeyframeRequests = t.wishes.Load()
	now := t.f.now()
	for _, u := range layers {
		s.Jitter = max(s.Jitter, u.reception.jitterTime())
		s.RTT = max(s.RTT, time.Duration(u.missing.rtt.Load()))
		s.Bitrate += uint64(8 * u.bytes.perSecond(now))
		s.FrameRate = max(s.FrameRate, u.frames.perSecond(now))
	}
	return s
}

// addCounters adds what only grows. Received is the sum of its parts, so that
// the identity holds in every copy.
func (u *UpTrack) addCounters(s *TrackStats) {
	accepted := u.accepted.Load()
	received := accepted
	for reason := range u.drops {
		n := u.drops[reason].Load()
		s.Drops[reason] += n
		received += n
	}
	s.Received += received
	s.Accepted += accepted
	s.Bytes += u.acceptedBytes.Load()
	s.Handed += u.handed.Load()
	s.Refused += u.refused.Load()
	s.Keyframes += u.keys.Load()
	s.Lost += u.reception.lost()
	s.Recovered += u.missing.recovered.Load()
	s.NACKsSent += u.missing.sent.Load()
	s.PLIsSent += u.keyframes.sent.Load()
	if at := u.arrived.Load(); at != 0 {
		if last := u.f.start.Add(time.Duration(at)); last.After(s.LastArrival) {
			s.LastArrival, s.Codec = last, Codec(u.codec.Load())
		}
	}
}

func (r *reception) jitterTime() time.Duration {
	clock := r.clock.Load()
	if clock == 0 {
		return 0
	}
	return time.Duration(int64(r.jitter.Load()) * second / int64(clock))
}

// checkLive tells OnLive what changed. Uplink.run only; next is when to call
// again, 0 for when a packet comes.
func (t *Track) checkLive(now int64) (next int64) {
	limit := silentAudio
	if t.cfg.Video {
		limit = silentVideo
	}
	newest := int64(0)
	for _, u := range t.eachLayer() {
		newest = max(newest, u.lastArrival())
	}
	live := newest != 0 && now-newest < limit
	if live != t.live.Load() {
		t.live.Store(live)
		if t.cfg.OnLive != nil {
			t.cfg.OnLive(live)
		}
	}
	if !live {
		return 0
	}
	return newest + limit
}
