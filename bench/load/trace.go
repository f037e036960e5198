// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import (
	"slices"
	"time"

	"github.com/switchyard-media/sfu/bench/stats"
)

// Trace is what came to a client over time, in slices of Every. Read it inside Poller.Locked, or from Client.EndTrace.
type Trace struct {
	From  time.Time
	Every time.Duration
	Slots []TraceSlot

	Waits    []time.Duration // that datagrams stood in the bottleneck, in the order of arrival; of all the time
	WaitsAt  []time.Duration // since From
	Latency  stats.Histogram // of video packets of simulcasts, from the publisher's stamp to the end of the link
	Pictures map[uint32]*Pictures
	Gaps     int // since the client joined: numbers of video packets that did not come, though the link has not lost them
}

// TraceSlot is one slice of time.
type TraceSlot struct {
	Bytes   int // of RTP datagrams with IP and UDP headers, as the link counts
	Lost    int // media packets that the link dropped
	Longest time.Duration
	ByTrack map[uint32]int // bytes of payload, by track
	Layer   map[uint32]int // shown last, by track; none: nothing came
	Shown   int            // pictures, of all tracks
}

// Pictures are what a decoder makes of one simulcast track.
type Pictures struct {
	Shown    uint64
	Freezes  int           // times without a picture that could be decoded for longer than 500 ms
	Frozen   time.Duration // in all
	Switches []Switch
	Broken   uint64 // pictures that were whole, but that no decoder could make something of

	last int64
}

// Switch is a picture of another layer than the one before.
type Switch struct {
	At    time.Duration // since From
	Layer int
}

// FreezeAfter is what counts as a freeze.
const FreezeAfter = 500 * time.Millisecond

// StartTrace begins one of a length; what comes before from or after is left out.
func (c *Client) StartTrace(from time.Time, every, length time.Duration) {
	t := &Trace{From: from, Every: every, Slots: make([]TraceSlot, length/every), Pictures: make(map[uint32]*Pictures)}
	c.poller.Locked(func() {
		c.trace = t
		for _, d := range c.decoders { // the time before does not count
			d.freezeFrom(from.UnixNano())
		}
	})
}

// EndTrace gives what StartTrace began, and ends it. Without one it is nil.
func (c *Client) EndTrace() (t *Trace) {
	c.poller.Locked(func() {
		if t = c.trace; t == nil {
			return
		}
		end := t.From.Add(time.Duration(len(t.Slots)) * t.Every).UnixNano()
		for _, r := range c.received {
			if len(r.layers) > 0 {
				t.pictures(r.Track.ID).until(end, t.From.UnixNano())
			}
		}
		for _, s := range c.order {
			if s.video {
				t.Gaps += max(s.gaps(end), 0)
			}
		}
		c.trace = nil
	})

	return t
}

func (t *Trace) slot(at int64) *TraceSlot {
	i := (at - t.From.UnixNano()) / int64(t.Every)
	if at < t.From.UnixNano() || i >= int64(len(t.Slots)) {
		return nil
	}

	return &t.Slots[i]
}

func (t *Trace) took(at int64, size int) {
	if s := t.slot(at); s != nil {
		s.Bytes += size
	}
}

func (t *Trace) lost(at int64) {
	if s := t.slot(at); s != nil {
		s.Lost++
	}
}

func (t *Trace) waited(at, wait int64) {
	if s := t.slot(at); s != nil {
		s.Longest = max(s.Longest, durationOf(wait))
		t.Waits = append(t.Waits, durationOf(wait))
		t.WaitsAt = append(t.WaitsAt, durationOf(at-t.From.UnixNano()))
	}
}

func (t *Trace) pictures(track uint32) *Pictures {
	p := t.Pictures[track]
	if p == nil {
		p = &Pictures{}
		t.Pictures[track] = p
	}

	return p
}

// packet takes a packet of a simulcast track.
func (t *Trace) packet(track uint32, at, sent int64, size int) {
	s := t.slot(at)
	if s == nil {
		return
	}
	if s.ByTrack == nil {
		s.ByTrack, s.Layer = make(map[uint32]int), make(map[uint32]int)
	}
	s.ByTrack[track] += size
	t.Latency.Add(durationOf(at - sent))
}

// picture takes one that could be decoded.
func (t *Trace) picture(track uint32, layer int, at int64) {
	s := t.slot(at)
	if s == nil {
		return
	}
	if s.ByTrack == nil {
		s.ByTrack, s.Layer = make(map[uint32]int), make(map[uint32]int)
	}
	s.Layer[track] = layer
	s.Shown++
	p := t.pictures(track)
	if n := len(p.Switches); n == 0 || p.Switches[n-1].Layer != layer {
		p.Switches = append(p.Switches, Switch{durationOf(at - t.From.UnixNano()), layer})
	}
	p.until(at, t.From.UnixNano())
	p.Shown++
	p.last = max(p.last, at)
}

// until counts the time since the last picture, if that was long.
func (p *Pictures) until(at, from int64) {
	gap := durationOf(at - max(p.last, from))
	if gap > FreezeAfter {
		p.Freezes++
		p.Frozen += gap
	}
}

// Queued is a percentile (0 to 1) of what datagrams waited in the bottleneck in a part of the trace.
func (t *Trace) Queued(from, to time.Duration, share float64) time.Duration {
	var part stats.Sample
	for i, w := range t.Waits {
		if at := t.WaitsAt[i]; at >= from && at < to {
			part = append(part, w)
		}
	}
	if len(part) == 0 {
		return 0
	}
	slices.Sort(part)

	return part[int(float64(len(part)-1)*share)]
}
