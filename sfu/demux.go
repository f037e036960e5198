// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfu

import (
	"encoding/binary"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/switchyard-media/sfu/rtpforward"
)

// undeclaredSSRCs is how many SSRCs a client may use over time, beyond what its lines may announce at once, before its session
// is ended: SRTP keeps state for each.
const undeclaredSSRCs = 64

// demux finds the stream that an RTP packet is of, as RFC 9143, section 9.2, has it: by SSRC once that is known; before, by
// what the offer says of the SSRC, by the header extensions for mid, rid and repaired rid, and by the payload type.
type demux struct {
	unknown *atomic.Uint64 // immutable; counts packets that are of no stream

	// guards the rest. The transport calls media for one packet after the other, so it waits for nothing but an update,
	// which takes microseconds.
	mu         sync.Mutex
	uplink     *rtpforward.Uplink // nil before the first source
	lines      []*upLine          // active sources, in m-line order
	extensions rtpforward.ExtensionMap
	streams    map[uint32]*stream  // by SSRC
	seen       map[uint32]struct{} // every SSRC so far, up to one more than limit
	reporter   uint32              // of the last report, if it is known
	limit      int
	closed     bool
}

// upLine is an active source line, as negotiated last. Immutable.
type upLine struct {
	lineFormats
	source      *source
	repairing   [2]uint64         // a bit for each payload type of retransmissions
	ssrcs       []uint32          // announced, of media
	repairSSRCs map[uint32]uint32 // announced, of retransmissions, to the one of media that each repairs
	rids        []string          // announced
	places      map[string]int    // of the rids among the simulcast streams
	ladder      []uint32          // announced simulcast streams without rids, in their order
}

// stream is what one SSRC carries.
type stream struct {
	ssrc uint32
	line *upLine // as of the last time that it was active
	rid  string
	up   *rtpforward.UpTrack // nil: its line is inactive, or the layer has another SSRC by now
	past bool                // the latter; for good, or two that take turns would make layers without end
	of   *stream             // what these are retransmissions of; nil: none, this is media, and the fields above count
}

func (d *demux) init(unknown *atomic.Uint64) {
	d.unknown = unknown
	d.streams, d.seen, d.limit = make(map[uint32]*stream), make(map[uint32]struct{}), undeclaredSSRCs
}

func newUpLine(a *agreed, src *source) *upLine {
	l := &upLine{lineFormats: a.lineFormats, source: src, ssrcs: a.ssrcs, repairSSRCs: a.repairSSRCs}
	l.ladder = a.ladder
	for _, rid := range a.rids { // it outlives the offer's text
		l.rids = append(l.rids, strings.Clone(rid))
	}
	l.places = a.ridPlaces(l.rids)
	for payload := range a.repairs {
		l.repairing[payload>>6&1] |= 1 << (payload & 63)
	}

	return l
}

// media takes one RTP packet. It reports true once, when the client has used more SSRCs than any honest one.
func (d *demux) media(packet []byte) (flood bool) {
	if len(packet) < 12 {
		return false
	}
	ssrc := binary.BigEndian.Uint32(packet[8:])
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.streams[ssrc]
	repair := st != nil && st.of != nil
	if repair {
		st = st.of
	}
	if st == nil || st.up == nil {
		if st, repair, flood = d.learn(ssrc, packet); st == nil {
			return flood
		}
	}
	if payload := packet[1] & 0x7f; repair || st.line.repairing[payload>>6]&(1<<(payload&63)) != 0 {
		st.up.IngestRetransmission(packet)
	} else {
		st.up.Ingest(packet)
	}

	return flood
}

// report notes whose RTCP packet this is, and reports what media does: SRTCP keeps state for each SSRC as well.
func (d *demux) report(packet []byte) (flood bool) {
	if len(packet) < 8 {
		return false
	}
	ssrc := binary.BigEndian.Uint32(packet[4:])
	d.mu.Lock()
	defer d.mu.Unlock()
	if ssrc == d.reporter && ssrc != 0 { // clients report under one SSRC
		return false
	}
	known, flood := d.note(ssrc)
	if known {
		d.reporter = ssrc
	}

	return flood
}

// learn finds the layer for an SSRC that has none, or none that is running; nil: there is none.
func (d *demux) learn(ssrc uint32, packet []byte) (layer *stream, repair, flood bool) {
	known, flood := d.note(ssrc) // before anything that can be wrong with the packet: SRTP has its state already
	var h rtpforward.Header
	if rtpforward.ParseHeader(packet, &d.extensions, &h) != nil {
		d.unknown.Add(1)

		return nil, false, flood
	}
	if known && ssrc != 0 && !d.closed { // browsers probe for bandwidth with 0
		st := d.streams[ssrc]
		if st == nil || st.of != nil && st.of.past && h.Extension(packet, rtpforward.ExtMid) != nil {
			st = d.identify(ssrc, packet, &h) // the latter: its layer has another SSRC by now, and it says whose it is
		}
		if st != nil && d.resume(ssrc, st) {
			if st.of != nil {
				return st.of, true, flood
			}

			return st, false, flood
		}
	}
	if h.PayloadEnd > h.PayloadOffset {
		d.unknown.Add(1)
	}
	// Its transport-wide number belongs into the feedback all the same, or what the client probes with looks lost.
	if seq, ok := rtpforward.TransportSequence(h.Extension(packet, rtpforward.ExtTransportCC)); ok && d.uplink != nil {
		d.uplink.ObserveTransport(seq)
	}

	return nil, false, flood
}

// note counts an SSRC. It reports whether it is known by now, and true when it is the first one too many.
func (d *demux) note(ssrc uint32) (known, flood bool) {
	if _, known = d.seen[ssrc]; known || len(d.seen) > d.limit {
		return known, false
	}
	d.seen[ssrc] = struct{}{}

	return true, len(d.seen) > d.limit
}

// identify works out what an SSRC is that was never seen, or whose stream an update has forgotten.
func (d *demux) identify(ssrc uint32, packet []byte, h *rtpforward.Header) *stream {
	if l, repair := d.announced(ssrc); repair {
		return d.repairOf(ssrc, l, d.streams[l.repairSSRCs[ssrc]])
	} else if l != nil {
		return &stream{ssrc: ssrc, line: l}
	}
	mid := h.Extension(packet, rtpforward.ExtMid)
	for _, l := range d.lines {
		if mid == nil || l.source.mid != string(mid) {
			continue
		}
		rid := h.Extension(packet, rtpforward.ExtRid)
		if repaired := h.Extension(packet, rtpforward.ExtRepairedRid); repaired != nil {
			return d.repairOf(ssrc, l, d.layer(l, repaired))
		}
		if _, repair := l.repairs[h.PayloadType]; repair { // of the only layer there is
			return d.repairOf(ssrc, l, d.onlyLayer(l))
		}
		if !slices.Contains(l.rids, string(rid)) && len(l.rids)+len(rid) > 0 {
			return nil // not a layer that was offered, or it does not say which
		}

		return &stream{ssrc: ssrc, line: l, rid: string(rid)}
	}
	if mid != nil {
		return nil
	}

	return d.byPayload(ssrc, h.PayloadType)
}

// byPayload finds the one line that uses a payload type. Only one that announces nothing about its streams is found so: of
// the others the client has said what it will send.
func (d *demux) byPayload(ssrc uint32, payload uint8) *stream {
	var found *upLine
	repair := false
	for _, l := range d.lines {
		_, media := l.payloads[payload]
		_, repairs := l.repairs[payload]
		if !media && !repairs {
			continue
		}
		if found != nil {
			return nil
		}
		found, repair = l, repairs
	}
	switch {
	case found == nil || len(found.ssrcs)+len(found.rids) > 0:
		return nil
	case repair:
		return d.repairOf(ssrc, found, d.onlyLayer(found))
	}

	return &stream{ssrc: ssrc, line: found}
}

// repairOf makes the stream for retransmissions of another one; nil while that has not started.
func (d *demux) repairOf(ssrc uint32, l *upLine, of *stream) *stream {
	if of == nil || of.up == nil || of.line != l {
		return nil
	}

	return &stream{ssrc: ssrc, of: of}
}

// layer finds the running layer of a line with that rid.
func (d *demux) layer(l *upLine, rid []byte) *stream {
	for _, st := range d.streams {
		if st.line == l && st.up != nil && st.rid == string(rid) {
			return st
		}
	}

	return nil
}

// onlyLayer finds the running layer of a line that has one.
func (d *demux) onlyLayer(l *upLine) (only *stream) {
	for _, st := range d.streams {
		if st.line != l || st.up == nil {
			continue
		}
		if only != nil {
			return nil
		}
		only = st
	}

	return only
}

// resume starts a stream and enters it. Where the layer had another SSRC so far, that is past.
func (d *demux) resume(ssrc uint32, st *stream) bool {
	if st.of != nil {
		if st.of.up != nil {
			d.streams[ssrc] = st
		}

		return st.of.up != nil
	}
	if st.past || !slices.Contains(d.lines, st.line) {
		return false
	}
	if !slices.Contains(st.line.ssrcs, ssrc) {
		d.replace(st)
	}
	st.up = st.line.open(ssrc, st.rid)
	d.streams[ssrc] = st

	return true
}

// replace ends what a line's layer was before. SSRCs that the client has announced are layers of their own.
func (d *demux) replace(by *stream) {
	for ssrc, st := range d.streams {
		if st.of == nil && st.line == by.line && st.rid == by.rid && st != by && !slices.Contains(st.line.ssrcs, ssrc) {
			st.stop()
			st.past = true
		}
	}
}

func (st *stream) stop() {
	if st.up != nil {
		st.up.Close()
		st.up = nil
	}
}

func (l *upLine) open(ssrc uint32, rid string) *rtpforward.UpTrack {
	return l.source.track.NewUpTrack(rtpforward.UpTrackConfig{
		SSRC: ssrc, RID: rid, Index: l.place(ssrc, rid), Payloads: l.payloads, Retransmissions: l.repairs, Extensions: l.extensions,
		NACK: l.nack, TransportCC: l.transport, PLI: l.pli, FIR: l.fir,
	})
}

// close ends all streams; what comes after it is for nobody.
func (d *demux) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, st := range d.streams {
		st.stop()
	}
}
