// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"cmp"
	"runtime"
	"sync"
	"time"
)

// maxShards is the width of Track.interest.
const maxShards = 64

// Forwarder owns the shards and is the root of everything in this package. Its
// methods are safe for concurrent use.
type Forwarder struct {
	// immutable after New
	cfg    Config
	shards []*shard
	start  time.Time // wall clock and monotonic; the zero of now

	// guarded by mu
	mu     sync.Mutex
	tracks map[*Track]struct{} // not yet closed
	gone   TrackStats          // sums over the closed ones, counters only
	closed bool
}

// New makes a Forwarder and starts its shards. Close stops them.
func New(cfg Config) *Forwarder {
	f := newForwarder(cfg)
	for _, s := range f.shards {
		go s.run()
	}
	return f
}

// newForwarder makes one whose shards do not run.
func newForwarder(cfg Config) *Forwarder {
	cfg = cfg.withDefaults()
	f := &Forwarder{cfg: cfg, start: time.Now(), tracks: make(map[*Track]struct{})}
	for i := range cfg.Shards {
		f.shards = append(f.shards, newShard(f, i))
	}
	return f
}

func (c Config) withDefaults() Config {
	c.Shards = min(cmp.Or(max(c.Shards, 0), runtime.GOMAXPROCS(0)), maxShards)
	c.QueueLength = cmp.Or(max(c.QueueLength, 0), 8192)
	switch {
	case c.Hold == 0:
		c.Hold = time.Millisecond
	case c.Hold < 0:
		c.Hold = 0
	}
	c.VideoHistory = cmp.Or(max(c.VideoHistory, 0), 1024)
	c.AudioHistory = cmp.Or(max(c.AudioHistory, 0), 128)
	c.HistoryAge = cmp.Or(max(c.HistoryAge, 0), 2*time.Second)
	c.KeyframeEvery = cmp.Or(max(c.KeyframeEvery, 0), 500*time.Millisecond)
	c.ReportEvery = cmp.Or(max(c.ReportEvery, 0), time.Second)
	c.TransportCCEvery = cmp.Or(max(c.TransportCCEvery, 0), 50*time.Millisecond)
	c.RetransmitShare = cmp.Or(max(c.RetransmitShare, 0), 0.25)
	c.RetransmitMax = cmp.Or(max(c.RetransmitMax, 0), 3)
	c.UnwantedAfter = cmp.Or(max(c.UnwantedAfter, 0), 2*time.Second)
	c.CacheBytes = cmp.Or(max(c.CacheBytes, 0), 512<<10)
	c.CacheAge = cmp.Or(max(c.CacheAge, 0), time.Second)
	return c
}

// Close stops the shards and waits for them. What is still queued is dropped,
// every acknowledgement that somebody waits for is given, and later calls of
// Bind and its like are acknowledged without effect. Close uplinks first:
// packets that arrive later are dropped. Calling it again does nothing.
func (f *Forwarder) Close() {
	f.mu.Lock()
	was := f.closed
	f.closed = true
	f.mu.Unlock()
	for _, s := range f.shards {
		if !was {
			s.shut()
		}
	}
	for _, s := range f.shards {
		<-s.stopped
	}
}

// Kick has the shards carry out what was handed to them, see Config.Kicked. Small
// fan-outs are done by the calling goroutine. It never waits.
func (f *Forwarder) Kick() {
	for _, s := range f.shards {
		s.kick()
	}
}

// now is the time since New in nanoseconds, monotonic.
func (f *Forwarder) now() int64 { return int64(time.Since(f.start)) }

// ntpEpoch is 1900 seen from 1970, in seconds.
const ntpEpoch = 2_208_988_800

// ntp converts a time of now to the node's NTP time, in 32.32 fixed point
// seconds. It follows the monotonic clock from New on, so that a step of the
// wall clock is not seen by receivers.
func (f *Forwarder) ntp(at int64) uint64 {
	t := uint64(f.start.UnixNano()+at) + ntpEpoch*uint64(time.Second)
	seconds, rest := t/uint64(time.Second), t%uint64(time.Second)
	return seconds<<32 | rest<<32/uint64(time.Second)
}

// place chooses the least loaded shard, and the session's phase there. A shard's
// load is its share of all packets that were sent lately and its share of all
// sessions: many sessions may join before any of them gets a packet.
func (f *Forwarder) place() (s *shard, phase int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	packets, sessions := 0.0, 0.0
	for _, s := range f.shards {
		packets += float64(s.lately.Load())
		sessions += float64(s.placed.Load())
	}
	load := func(s *shard) float64 {
		return float64(s.lately.Load())/max(packets, 1) + float64(s.placed.Load())/max(sessions, 1)
	}
	best := f.shards[0]
	for _, s := range f.shards[1:] {
		if load(s) < load(best) {
			best = s
		}
	}
	best.placed.Add(1)
	best.nextPhase++
	return best, best.nextPhase % best.phases
}

// addTrack makes t count in Stats.
func (f *Forwarder) addTrack(t *Track) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tracks[t] = struct{}{}
}

// removeTrack keeps the final counters of t, which will not change any more.
// Calling it again does nothing.
func (f *Forwarder) removeTrack(t *Track) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.tracks[t]; !ok {
		return
	}
	delete(f.tracks, t)
	addTrackStats(&f.gone, t.Stats())
}

// addTrackStats adds the counters that Stats sums up.
func addTrackStats(sum *TrackStats, t TrackStats) {
	sum.Received += t.Received
	sum.Accepted += t.Accepted
	sum.Bytes += t.Bytes
	sum.NACKsSent += t.NACKsSent
	sum.PLIsSent += t.PLIsSent
	for r := range t.Drops {
		sum.Drops[r] += t.Drops[r]
	}
}

// Stats adds up the counters of everything that exists and that is gone. Those
// of slots are at most 50 ms behind.
func (f *Forwarder) Stats() Stats {
	f.mu.Lock()
	in := f.gone
	for t := range f.tracks {
		addTrackStats(&in, t.Stats())
	}
	f.mu.Unlock()

	st := Stats{In: in.Received, InBytes: in.Bytes, Accepted: in.Accepted, NACKsOut: in.NACKsSent, PLIsOut: in.PLIsSent, Drops: in.Drops}
	for _, s := range f.shards {
		sums := s.sums.read()
		st.Offered += sums[countReceived]
		st.Out += sums[countForwarded]
		st.OutBytes += sums[countBytes]
		st.Retransmitted += sums[countRetransmitted]
		st.NACKsIn += sums[countNACKs]
		st.PLIsIn += sums[countPLIs]
		for r := range st.Drops {
			st.Drops[r] += sums[countDrops+r]
		}
		st.Shards = append(st.Shards, s.stats())
	}
	return st
}
