// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import "time"

const (
	mostPending = 64
	mostAhead   = 8 // pictures of the base that may be whole before a keyframe they follow is
	stuckAfter  = int64(time.Second)
)

// decoder says which pictures of a VP8 simulcast a decoder could show: those that are whole, and whose base layer is there without a
// gap since a keyframe, as TL0PICIDX tells (RFC 7741, section 4.2).
type decoder struct {
	valid   bool
	tl0     uint8 // of the last picture of the base layer
	pending []picture
	shownAt int64
}

// picture is one that has come whole.
type picture struct {
	key   bool
	tl0   uint8
	tid   uint8
	layer int
	at    int64
}

// add takes a picture, and hands those over that can be shown now.
func (d *decoder) add(p picture, show func(picture)) (broken int) {
	if p.key {
		d.valid, d.tl0 = true, p.tl0
		broken = d.forget(p)
		d.show(p, show)
	} else {
		d.pending = append(d.pending, p)
	}
	for again := true; again; {
		again = false
		kept := d.pending[:0]
		for _, q := range d.pending {
			ahead := int8(q.tl0 - d.tl0)
			switch {
			case !d.valid, ahead > 1, ahead == 1 && q.tid > 0:
				kept = append(kept, q)
			case ahead == 1:
				d.tl0, again = q.tl0, true
				d.show(q, show)
			case ahead == 0 && q.tid > 0:
				d.show(q, show)
			default:
				broken++
			}
		}
		d.pending = kept
	}
	if n := len(d.pending) - mostPending; n > 0 {
		d.pending = d.pending[n:]
		broken += n
	}

	return broken
}

// forget drops what came before a keyframe.
func (d *decoder) forget(key picture) (broken int) {
	kept := d.pending[:0]
	for _, q := range d.pending {
		if ahead := int8(q.tl0 - key.tl0); q.layer == key.layer && ahead >= 0 && ahead <= mostAhead {
			kept = append(kept, q)
		} else {
			broken++
		}
	}
	d.pending = kept

	return broken
}

func (d *decoder) show(p picture, show func(picture)) {
	d.shownAt = p.at
	show(p)
}

func (d *decoder) freezeFrom(at int64) { d.shownAt = max(d.shownAt, at) }

// vp8Layers reads TL0PICIDX and TID of a payload descriptor; false where it has none.
func vp8Layers(b []byte) (tl0, tid uint8, ok bool) {
	if len(b) < 2 || b[0]&0x80 == 0 || b[1]&0x60 != 0x60 {
		return 0, 0, false
	}
	at := 2
	if b[1]&0x80 != 0 {
		if len(b) <= at {
			return 0, 0, false
		}
		if at++; b[at-1]&0x80 != 0 {
			at++
		}
	}
	if len(b) < at+2 {
		return 0, 0, false
	}

	return b[at], b[at+1] >> 6, true
}

// countLayer takes a packet of a simulcast.
func (c *Client) countLayer(r *Received, stamp Stamp, payload []byte, at int64, direct bool) {
	if int(stamp.Layer) >= len(r.layers) {
		c.poller.counters.Unexpected++

		return
	}
	if c.trace != nil {
		c.trace.packet(r.Track.ID, at, stamp.Sent, len(payload))
	}
	of := &r.layers[stamp.Layer]
	if !of.take(stamp, at, c.poller.window) {
		if direct {
			c.poller.counters.Duplicates++
		} else {
			c.poller.counters.Again++
		}

		return
	}
	r.Packets++
	r.Last = of.Last
	if r.First.IsZero() {
		r.First = of.First
	}
	if c.poller.window.holds(stamp.Sent) {
		r.WindowPackets++
		c.latency.Add(durationOf(at - stamp.Sent))
	}
	if !of.complete(stamp) {
		return
	}
	tl0, tid, ok := vp8Layers(payload)
	if !ok {
		c.poller.counters.Unexpected++

		return
	}
	d := c.decoders[r.Track.ID]
	if d == nil {
		d = &decoder{shownAt: at}
		c.decoders[r.Track.ID] = d
	}
	broken := d.add(picture{stamp.Key, tl0, tid, int(stamp.Layer), at}, func(p picture) {
		if r.FirstKeyframe.IsZero() {
			r.FirstKeyframe = time.Unix(0, p.at)
		}
		if c.trace != nil {
			c.trace.picture(r.Track.ID, p.layer, at)
		}
	})
	if c.trace != nil {
		c.trace.pictures(r.Track.ID).Broken += uint64(broken)
	}
}

// stuck says that pictures come, and none that can be shown.
func (c *Client) stuck(r *Received, now int64) bool {
	d := c.decoders[r.Track.ID]

	return d != nil && len(d.pending) > 0 && now-d.shownAt > stuckAfter
}
