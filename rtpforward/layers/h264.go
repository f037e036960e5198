// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

import "encoding/binary"

// NAL unit types, https://www.rfc-editor.org/rfc/rfc6184#section-5.2 and
// https://www.rfc-editor.org/rfc/rfc6190#section-1.1.3 .
const (
	nalSlice    = 1
	nalPartC    = 4
	nalIDR      = 5
	nalSPS      = 7
	nalPrefix   = 14
	nalScalable = 20
	nalSTAPA    = 24
	nalFUA      = 28
)

// readH264 reads what packetization modes 0 and 1 allow. Temporal layers are told
// by the three bytes behind the header of a prefix NAL unit (or of a scalable
// slice), and without such by nal_ref_idc: what nothing refers to is layer 1.
func readH264(b []byte, u *Unit) bool {
	if b[0]&0x80 != 0 {
		return false
	}
	switch kind := b[0] & 0x1f; {
	case kind >= 1 && kind < nalSTAPA:
		u.FrameStart = true
		readNAL(b, u)
		return true
	case kind == nalSTAPA:
		u.FrameStart = true
		return readSTAPA(b[1:], u)
	case kind == nalFUA:
		return readFUA(b, u)
	}
	return false
}

func readSTAPA(b []byte, u *Unit) bool {
	if len(b) == 0 {
		return false
	}
	for len(b) > 0 {
		if len(b) < 3 {
			return false
		}
		size := int(binary.BigEndian.Uint16(b))
		if size == 0 || size > len(b)-2 {
			return false
		}
		readNAL(b[2:2+size], u)
		b = b[2+size:]
	}
	return true
}

// readFUA reads a fragment, |F|NRI|type| and |S|E|R|type|, of which the first has
// the NAL unit's own nal_ref_idc.
func readFUA(b []byte, u *Unit) bool {
	if len(b) < 3 || b[1]&0xc0 == 0xc0 {
		return false
	}
	kind, start := b[1]&0x1f, b[1]&0x80 != 0
	if kind == 0 || kind >= nalSTAPA {
		return false
	}
	u.FrameStart = start
	if start && kind == nalScalable {
		readNALExtension(b[2:], u)
	}
	noteNAL(kind, b[0]>>5&3, start, u)
	return true
}

func readNAL(b []byte, u *Unit) {
	kind := b[0] & 0x1f
	if kind == nalPrefix || kind == nalScalable {
		readNALExtension(b[1:], u)
	}
	noteNAL(kind, b[0]>>5&3, true, u)
}

func noteNAL(kind, reference byte, start bool, u *Unit) {
	switch {
	case kind == nalIDR || kind == nalSPS:
		u.Key = u.Key || start
	case kind >= nalSlice && kind <= nalPartC && reference == 0:
		u.Discardable, u.Sync = true, true
		if !u.temporalOwn {
			u.Temporal = 1
		}
	}
}

// readNALExtension reads nal_unit_header_svc_extension(), ITU-T H.264 G.7.3.1.1:
// |1|idr|priority:6| |no_inter|dependency:3|quality:4| |temporal:3|…
func readNALExtension(b []byte, u *Unit) {
	if len(b) < 3 || b[0]&0x80 == 0 {
		return // svc_extension_flag 0: multiview, which has no such fields
	}
	u.Temporal, u.temporalOwn = b[2]>>5, true
}
