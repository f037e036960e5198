// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

// Bounds of a video layers allocation, all by the width of its fields.
const (
	allocationStreams  = 4
	allocationSpatial  = 4
	allocationTemporal = 4
)

// Allocation is what a publisher says of the layers that it sends, in
// ExtVideoLayersAllocation. It is a plain value.
type Allocation struct {
	Stream  uint8 // on which this was sent
	Streams uint8 // 1 to 4; 0: nothing is sent
	Layers  [allocationStreams][allocationSpatial]AllocatedLayer
	Sized   bool // Width, Height and FrameRate of the layers are given
}

// AllocatedLayer is one spatial layer of one stream.
type AllocatedLayer struct {
	Active        bool
	Temporal      uint8                      // layers, 1 to 4
	Bitrate       [allocationTemporal]uint32 // kbit/s, of everything up to that temporal layer
	Width, Height uint32                     // pixels, 1 to 65536
	FrameRate     uint8                      // frames/s at most
}

// ParseAllocation reads ExtVideoLayersAllocation; ok is false if it is cut. It
// allocates nothing.
//
//	|RID|NS| sl_bm | |sl_bm0 |sl_bm1 |… #tl (2 bits each)… target bitrates (leb128)… width, height, frame rate…
//
// http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00
func ParseAllocation(b []byte) (a Allocation, ok bool) {
	if len(b) == 0 {
		return Allocation{}, false
	}
	if len(b) == 1 && b[0] == 0 {
		return Allocation{}, true // nothing is sent
	}
	a.Stream, a.Streams = b[0]>>6, b[0]>>4&3+1
	rest, ok := a.readActive(b)
	if !ok {
		return Allocation{}, false
	}
	if rest, ok = a.readTemporal(rest); !ok {
		return Allocation{}, false
	}
	if rest, ok = a.readBitrates(rest); !ok {
		return Allocation{}, false
	}
	if len(rest) > 0 && !a.readSizes(rest) {
		return Allocation{}, false
	}
	return a, true
}

// readActive reads which spatial layers there are: the same ones in all streams, or
// half a byte for each stream.
func (a *Allocation) readActive(b []byte) (rest []byte, ok bool) {
	same := b[0] & 0x0f
	b = b[1:]
	masks := [allocationStreams]byte{same, same, same, same}
	if same == 0 {
		n := (int(a.Streams) + 1) / 2
		if len(b) < n {
			return nil, false
		}
		for i := range int(a.Streams) {
			masks[i] = b[i/2] >> (4 * (1 - i%2)) & 0x0f
		}
		b = b[n:]
	}
	for i := range int(a.Streams) {
		for s := range allocationSpatial {
			a.Layers[i][s].Active = masks[i]>>s&1 != 0
		}
	}
	return b, true
}

// each calls do for the layers that are there, in their order, until it reports
// false.
func (a *Allocation) each(do func(l *AllocatedLayer) bool) bool {
	for i := range int(a.Streams) {
		for s := range allocationSpatial {
			if l := &a.Layers[i][s]; l.Active && !do(l) {
				return false
			}
		}
	}
	return true
}

func (a *Allocation) readTemporal(b []byte) (rest []byte, ok bool) {
	n := 0
	ok = a.each(func(l *AllocatedLayer) bool {
		if n/4 >= len(b) {
			return false
		}
		l.Temporal = b[n/4]>>(6-2*(n%4))&3 + 1
		n++
		return true
	})
	if !ok {
		return nil, false
	}
	return b[(n+3)/4:], true
}

func (a *Allocation) readBitrates(b []byte) (rest []byte, ok bool) {
	ok = a.each(func(l *AllocatedLayer) bool {
		for t := range l.Temporal {
			rate, after, ok := av1Leb128(b)
			if !ok {
				return false
			}
			l.Bitrate[t], b = uint32(min(rate, 1<<32-1)), after
		}
		return true
	})
	return b, ok
}

func (a *Allocation) readSizes(b []byte) bool {
	a.Sized = true
	return a.each(func(l *AllocatedLayer) bool {
		if len(b) < 5 {
			return false
		}
		l.Width, l.Height, l.FrameRate = uint32(b[0])<<8+uint32(b[1])+1, uint32(b[2])<<8+uint32(b[3])+1, b[4]
		b = b[5:]
		return true
	})
}

// allocated notes what the publisher says of its layers: the sizes of streams from
// which nothing has come yet, or that cannot be read. The reader only.
func (u *UpTrack) allocated(p *Packet) {
	if p.Header.present&(1<<ExtVideoLayersAllocation) == 0 {
		return
	}
	a, ok := ParseAllocation(p.Header.Extension(p.Buf, ExtVideoLayersAllocation))
	if !ok || !a.Sized {
		return
	}
	ups := u.track.eachLayer()
	for _, up := range ups {
		at := up.cfg.Index
		if len(ups) == 1 {
			at = int(a.Stream)
		}
		if at < 0 || at >= int(a.Streams) || up.read.Load() {
			continue
		}
		for s := allocationSpatial - 1; s >= 0; s-- {
			if l := &a.Layers[at][s]; l.Active {
				up.sized(uint16(min(l.Width, 65535)), uint16(min(l.Height, 65535)))
				break
			}
		}
	}
}
