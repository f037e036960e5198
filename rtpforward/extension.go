// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/binary"
	"time"
)

// ExtensionKind names an RTP header extension that the node understands.
type ExtensionKind uint8

// The header extensions that are parsed or carried.
const (
	ExtMid ExtensionKind = iota
	ExtRid
	ExtRepairedRid
	ExtAbsSendTime
	ExtTransportCC
	ExtAudioLevel
	ExtVideoOrientation
	ExtPlayoutDelay
	ExtAbsCaptureTime
	ExtDependencyDescriptor
	ExtVideoLayersAllocation
	extKinds
)

var extURIs = [extKinds]string{
	ExtMid:                   "urn:ietf:params:rtp-hdrext:sdes:mid",
	ExtRid:                   "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
	ExtRepairedRid:           "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
	ExtAbsSendTime:           "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
	ExtTransportCC:           "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
	ExtAudioLevel:            "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
	ExtVideoOrientation:      "urn:3gpp:video-orientation",
	ExtPlayoutDelay:          "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
	ExtAbsCaptureTime:        "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
	ExtDependencyDescriptor:  "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
	ExtVideoLayersAllocation: "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00",
}

// URI returns the identifier used in SDP, "" for a value that is no kind.
func (k ExtensionKind) URI() string {
	if k >= extKinds {
		return ""
	}
	return extURIs[k]
}

// ExtensionFromURI maps an SDP identifier to a kind; ok is false when the node
// does not understand it.
func ExtensionFromURI(uri string) (kind ExtensionKind, ok bool) {
	for k, known := range extURIs {
		if known == uri {
			return ExtensionKind(k), true
		}
	}
	return 0, false
}

// Extensions returns every kind the node understands, in a new slice.
func Extensions() []ExtensionKind {
	kinds := make([]ExtensionKind, extKinds)
	for k := range kinds {
		kinds[k] = ExtensionKind(k)
	}
	return kinds
}

// extDirect is the number of ids that the one-byte form can carry, plus zero;
// they are looked up without a search.
const extDirect = 15

// ExtensionMap holds the negotiated ids of one direction of one transport. The
// zero value has nothing negotiated. It is a comparable value; two maps made by
// the same calls of Set are equal. Methods that read may run concurrently.
type ExtensionMap struct {
	ids    [extKinds]uint8  // 0 is not negotiated
	direct [extDirect]uint8 // kind + 1 by id, derived from ids
}

// Set negotiates id for kind, 1 to 14 where packets use the one-byte form and 1
// to 255 in the two-byte form; 0 removes it. An id stands for one kind: whoever
// had it before loses it. An unknown kind is ignored.
func (m *ExtensionMap) Set(kind ExtensionKind, id uint8) {
	if kind >= extKinds {
		return
	}
	if old := m.ids[kind]; old != 0 && old < extDirect {
		m.direct[old] = 0
	}
	m.ids[kind] = 0
	if id == 0 {
		return
	}
	if other, ok := m.Kind(id); ok {
		m.ids[other] = 0
	}
	m.ids[kind] = id
	if id < extDirect {
		m.direct[id] = uint8(kind) + 1
	}
}

// ID returns the id negotiated for kind, 0 for none.
func (m ExtensionMap) ID(kind ExtensionKind) uint8 {
	if kind >= extKinds {
		return 0
	}
	return m.ids[kind]
}

// Kind returns the kind negotiated for id.
func (m ExtensionMap) Kind(id uint8) (kind ExtensionKind, ok bool) {
	k := m.find(id)
	return k, k < extKinds
}

// find is Kind without the copy of the map; extKinds stands for none.
func (m *ExtensionMap) find(id uint8) ExtensionKind {
	if id < extDirect {
		if k := m.direct[id]; k != 0 {
			return ExtensionKind(k - 1)
		}
		return extKinds
	}
	for k, have := range m.ids {
		if have == id {
			return ExtensionKind(k)
		}
	}
	return extKinds
}

// AudioLevel reads ExtAudioLevel, https://www.rfc-editor.org/rfc/rfc6464 :
// level is in -dBov, 0 the loudest and 127 silence.
func AudioLevel(b []byte) (level uint8, voice, ok bool) {
	if len(b) == 0 {
		return 0, false, false
	}
	return b[0] & 0x7f, b[0]&0x80 != 0, true
}

// TransportSequence reads the transport-wide sequence number of ExtTransportCC.
func TransportSequence(b []byte) (sequence uint16, ok bool) {
	if len(b) != 2 {
		return 0, false
	}
	return binary.BigEndian.Uint16(b), true
}

// AbsSendTime reads ExtAbsSendTime: 24 bits, seconds in 6.18 fixed point,
// wrapping every 64 seconds.
func AbsSendTime(b []byte) (sent uint32, ok bool) {
	if len(b) != 3 {
		return 0, false
	}
	return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]), true
}

// PutAbsSendTime writes the ExtAbsSendTime of ntp64, an NTP time in 32.32 fixed
// point seconds.
func PutAbsSendTime(dst *[3]byte, ntp64 uint64) {
	sent := ntp64 >> 14
	dst[0], dst[1], dst[2] = byte(sent>>16), byte(sent>>8), byte(sent)
}

// VideoOrientation reads ExtVideoOrientation (3GPP TS 26.114, 7.4.5): how far
// the receiver shall turn the picture clockwise (0, 90, 180 or 270 degrees),
// whether to mirror it first, and whether the camera faces away from the user.
func VideoOrientation(b []byte) (degrees uint16, flip, back, ok bool) {
	if len(b) == 0 {
		return 0, false, false, false
	}
	return uint16(b[0]&3) * 90, b[0]&4 != 0, b[0]&8 != 0, true
}

// PlayoutDelay reads ExtPlayoutDelay: the bounds for the receiver's jitter
// buffer, in steps of 10 ms up to 40.95 s. ok is false when they contradict each other.
func PlayoutDelay(b []byte) (minimum, maximum time.Duration, ok bool) {
	if len(b) != 3 {
		return 0, 0, false
	}
	low, high := uint16(b[0])<<4|uint16(b[1]>>4), uint16(b[1]&15)<<8|uint16(b[2])
	if low > high {
		return 0, 0, false
	}
	return time.Duration(low) * 10 * time.Millisecond, time.Duration(high) * 10 * time.Millisecond, true
}
