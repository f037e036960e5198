// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"runtime"
	"sync/atomic"
)

const second = int64(1e9) // on the Forwarder's clock

// reception is what a receiver report says about a layer,
// https://www.rfc-editor.org/rfc/rfc3550#section-6.4.1 .
type reception struct {
	// atomic: written by the reader, read by anyone
	expected atomic.Uint64 // sequence numbers that should have come
	received atomic.Uint64 // distinct ones that did
	jitter   atomic.Uint32 // in units of the clock
	clock    atomic.Uint32 // Hz

	// owned by the reader
	transit   int64 // of the newest packet, in units of the clock
	timestamp uint64
	sixteenth int64 // jitter in 1/16

	// owned by Uplink.run
	priorExpected, priorReceived uint64

	sender senderInfo // written by Uplink.HandleRTCP, read by anyone
}

// senderInfo is the last sender report that was received. A reader gets one
// report, never parts of two, and nothing is allocated for a new one.
type senderInfo struct {
	// atomic: written by Uplink.HandleRTCP, read by anyone
	version atomic.Uint64 // odd while note is at work, 0 before the first report
	ntp     atomic.Uint64
	rtp     atomic.Uint32
	arrival atomic.Int64
}

// note takes the next report. One goroutine at a time.
func (s *senderInfo) note(ntp uint64, rtp uint32, arrival int64) {
	s.version.Add(1)
	s.ntp.Store(ntp)
	s.rtp.Store(rtp)
	s.arrival.Store(arrival)
	s.version.Add(1)
}

// read returns the last report; ok is false when there is none.
func (s *senderInfo) read() (ntp uint64, rtp uint32, arrival int64, ok bool) {
	for {
		before := s.version.Load()
		if before == 0 {
			return 0, 0, 0, false
		}
		ntp, rtp, arrival = s.ntp.Load(), s.rtp.Load(), s.arrival.Load()
		if before%2 == 0 && s.version.Load() == before {
			return ntp, rtp, arrival, true
		}
		runtime.Gosched() // it meets note, which takes nanoseconds
	}
}

// observe updates the jitter with a packet that is newer than all before. Two
// kinds of packets are left out since their distance says nothing about the
// network: late ones, mostly retransmissions, and those of the frame that was
// observed already, which the sender spreads out by itself.
func (r *reception) observe(timestamp uint64, arrival int64, clock uint32) {
	if clock == 0 {
		return
	}
	if clock != r.clock.Load() {
		r.clock.Store(clock)
		r.timestamp = 0
	}
	if timestamp == r.timestamp {
		return
	}
	fresh := r.timestamp == 0
	transit := signedTicks(arrival, clock) - int64(timestamp)
	distance := transit - r.transit
	r.transit, r.timestamp = transit, timestamp
	distance = max(distance, -distance)
	if fresh || distance > 5*int64(clock) {
		return // no predecessor, or another time base
	}
	r.sixteenth += distance - (r.sixteenth+8)>>4
	r.jitter.Store(uint32(r.sixteenth >> 4))
}

// signedTicks converts nanoseconds to a clock's units without overflow.
func signedTicks(ns int64, clock uint32) int64 {
	return ns/second*int64(clock) + ns%second*int64(clock)/second
}

// lost is how many packets are missing. It may be read at any time and then is
// off by what is just arriving.
func (r *reception) lost() uint64 {
	expected := r.expected.Load()
	return expected - min(expected, r.received.Load())
}

// block makes the next report block. Uplink.run only.
func (r *reception) block(ssrc uint32, highest uint64, now int64) ReportBlock {
	expected, received := r.expected.Load(), r.received.Load()
	b := ReportBlock{
		SSRC:            ssrc,
		HighestSequence: uint32(highest - 1<<16), // our numbers start in the second cycle
		Jitter:          r.jitter.Load(),
		TotalLost:       int32(min(max(int64(expected-received), -1<<23), 1<<23-1)),
	}
	interval := expected - r.priorExpected
	lost := int64(interval) - int64(received-r.priorReceived)
	r.priorExpected, r.priorReceived = expected, received
	if interval > 0 && lost > 0 {
		b.FractionLost = uint8(min(lost<<8/int64(interval), 255))
	}
	if ntp, _, arrival, ok := r.sender.read(); ok {
		b.LastSR = uint32(ntp >> 16)
		b.DelaySinceSR = uint32(min(max(signedTicks(now-arrival, 1<<16), 0), 1<<32-1))
	}
	return b
}

// wallclock maps a timestamp of the layer to the sender's NTP time by its last
// report.
func (r *reception) wallclock(timestamp uint64) (ntp uint64, ok bool) {
	reported, stamp, _, ok := r.sender.read()
	clock := int64(r.clock.Load())
	if !ok || clock == 0 {
		return 0, false
	}
	// The difference is right as long as the report is not half a cycle of the
	// timestamp away, 6.6 hours of video.
	ahead := int64(int32(uint32(timestamp) - stamp))
	return reported + uint64(ahead/clock<<32+ahead%clock<<32/clock), true
}
