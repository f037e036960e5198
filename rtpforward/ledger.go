// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"runtime"
	"sync/atomic"
)

// The places of tally. The first group are counters, which Forwarder.Stats sums
// up; the second are measurements, where only the last value means something.
const (
	countReceived = iota
	countForwarded
	countBytes
	countRetransmitted
	countRetransmitBytes
	countRetransmitRefused
	countNACKs
	countPLIs
	countSwitches
	countLayerSwitches
	countFreezes
	countFrozen // ns
	countDrops  // and DropReasons-1 after it

	gaugeLost = iota + int(DropReasons) - 1
	gaugeFractionLost
	gaugeJitter // ns
	gaugeRTT    // ns
	gaugeBitrate
	gaugeCodec
	gaugeLayers // current, target, limit: 16 bits each, see gauge
	tallies
)

// tally is a set of plain counters; its owner increments them without ceremony.
type tally [tallies]uint64

// ledger is the copy of a tally that other goroutines may read. One goroutine
// publishes. A reader gets one published state, never parts of two, so that
// sums which hold in the tally hold in the copy.
type ledger struct {
	version atomic.Uint64          // odd while publish is at work; written by the owner, read by read
	values  [tallies]atomic.Uint64 // written by the owner, read by read
}

// publish copies t, and adds what changed since the last time to sums.
func (l *ledger) publish(t, sums *tally) {
	l.version.Add(1)
	for i := range t {
		if old := l.values[i].Load(); old != t[i] {
			sums[i] += t[i] - old
			l.values[i].Store(t[i])
		}
	}
	l.version.Add(1)
}

// read returns the state published last. It is for statistics: it tries again
// when it meets publish, which takes nanoseconds.
func (l *ledger) read() (t tally) {
	stable(&l.version, func() {
		for i := range t {
			t[i] = l.values[i].Load()
		}
	})
	return t
}

// stable calls look until nothing was published meanwhile: version is odd while
// something is.
func stable(version *atomic.Uint64, look func()) {
	for {
		before := version.Load()
		look()
		if before%2 == 0 && version.Load() == before {
			return
		}
		runtime.Gosched()
	}
}
