// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

// startReach is how many packets around the one that starts a run are looked at
// in the history: about the longest keyframe.
const startReach = 256

// passing is what went by a slot that waited for a keyframe.
type passing struct {
	up     *UpTrack // the layer that newest is of
	newest uint64   // sequence number, the highest that was dropped
	behind bool     // a run has started before newest
}

func (w *passing) note(p *Packet) {
	if w.up != p.Up {
		w.up, w.newest = p.Up, p.Sequence
	}
	w.newest = max(w.newest, p.Sequence)
}

// started notes that a run starts with p.
func (w *passing) started(p *Packet) {
	w.behind = w.up == p.Up && w.newest > p.Sequence && w.newest-p.Sequence < startReach
	w.up = nil
}

// catchUp sends what went by before the beginning of its keyframe came, lost at
// first and recovered: the receiver would ask in vain for it.
func (dt *DownTrack) catchUp(now int64) {
	last := dt.passed.newest
	dt.passed = passing{}
	for n := dt.seq.highest + 1; n <= last; n++ {
		if p := dt.up.hist.at(n); p != nil && p.Buf != nil {
			dt.forwardOne(p, now)
		}
	}
}

// lead offers what leads a keyframe, if the slot would start with p.
func (dt *DownTrack) lead(stream int, p *Packet, now int64) {
	if p.Format.Codec != CodecH264 && p.Format.Codec != CodecH265 {
		return
	}
	first := dt.leader(p)
	if first == p {
		return
	}
	if probe := dt.selector; !probe.Choose(stream, p.Timestamp, &p.Unit).Start {
		return
	}
	for n := first.Sequence; n < p.Sequence; n++ {
		if q := p.Up.hist.at(n); q != nil && q.Buf != nil {
			dt.forwardOne(q, now)
		}
	}
	if dt.formatID != p.Format.ID {
		dt.selectFormat(p.Format)
	}
}

// leader is the packet that a keyframe starts with. H264 and H265 say of every
// slice that a keyframe may start there, but the parameter sets before it, which
// came before the slot was bound, must not be left behind.
func (dt *DownTrack) leader(p *Packet) *Packet {
	first := p
	for n := p.Sequence - 1; p.Sequence-n < startReach; n-- {
		q := p.Up.hist.at(n)
		if q == nil || q.Timestamp != p.Timestamp || p.Up == dt.up && n <= dt.seq.highest {
			break
		}
		if q.Descriptor.Keyframe {
			first = q
		}
	}
	return first
}
