// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/binary"
	"errors"
	"math"
)

// The reasons why a packet is not accepted as RTP.
var (
	ErrShort     = errors.New("rtp: shorter than the fixed header")
	ErrLong      = errors.New("rtp: longer than a datagram")
	ErrVersion   = errors.New("rtp: version is not 2")
	ErrCSRC      = errors.New("rtp: contributing sources exceed the packet")
	ErrExtension = errors.New("rtp: header extension exceeds its bounds")
	ErrPadding   = errors.New("rtp: padding is zero or exceeds the payload")
)

const (
	rtpFixedHeader  = 12
	rtpOneByteForm  = 0xbede
	rtpTwoByteForm  = 0x1000 // the low four bits are free for applications
	rtpTwoByteMask  = 0xfff0
	rtpOneByteStop  = 15 // id that ends the elements
	rtpExtensionHdr = 4
)

// Header is a parsed RTP header (https://www.rfc-editor.org/rfc/rfc3550#section-5.1 ,
// https://www.rfc-editor.org/rfc/rfc8285 ). It is a plain value that holds
// offsets into the packet and no reference to it.
type Header struct {
	PayloadType   uint8 // 0 to 127
	Marker        bool
	Sequence      uint16
	Timestamp     uint32 // in units of the codec's clock
	SSRC          uint32
	PayloadOffset int // start of the payload in the packet
	PayloadEnd    int // its end, padding removed; equal to PayloadOffset in a packet of padding only

	present uint16 // kinds of ext that are there, one bit each
	ext     [extKinds]rtpSpan
}

// rtpSpan is a part of a packet. off is never 0 for one that is there, since an
// extension element lies behind the fixed header.
type rtpSpan struct{ off, len uint16 }

// ParseHeader reads the header of the packet in buf into h, noting where the
// extensions of m lie; m may be nil. Of elements with the same id the first
// wins. An element with an unknown id is passed over, an extension with an
// unknown profile is passed over as a whole. After an error the contents of h
// are unspecified. It does not allocate.
func ParseHeader(buf []byte, m *ExtensionMap, h *Header) error {
	*h = Header{}
	switch {
	case len(buf) < rtpFixedHeader:
		return ErrShort
	case len(buf) > math.MaxUint16:
		return ErrLong // offsets would not fit
	case buf[0]>>6 != 2:
		return ErrVersion
	}
	h.Marker = buf[1]&0x80 != 0
	h.PayloadType = buf[1] & 0x7f
	h.Sequence = binary.BigEndian.Uint16(buf[2:])
	h.Timestamp = binary.BigEndian.Uint32(buf[4:])
	h.SSRC = binary.BigEndian.Uint32(buf[8:])

	offset := rtpFixedHeader + 4*int(buf[0]&0x0f)
	if offset > len(buf) {
		return ErrCSRC
	}
	if buf[0]&0x10 != 0 {
		end, err := h.parseExtensions(buf, offset, m)
		if err != nil {
			return err
		}
		offset = end
	}
	h.PayloadOffset, h.PayloadEnd = offset, len(buf)
	if buf[0]&0x20 != 0 {
		// The last byte counts itself, so that neither 0 nor more than what
		// follows the header can be true.
		padding := int(buf[len(buf)-1])
		if padding == 0 || padding > len(buf)-offset {
			return ErrPadding
		}
		h.PayloadEnd -= padding
	}
	return nil
}

// parseExtensions reads the extension that starts at offset and returns where
// it ends.
func (h *Header) parseExtensions(buf []byte, offset int, m *ExtensionMap) (end int, err error) {
	if offset+rtpExtensionHdr > len(buf) {
		return 0, ErrExtension
	}
	profile := binary.BigEndian.Uint16(buf[offset:])
	start := offset + rtpExtensionHdr
	end = start + 4*int(binary.BigEndian.Uint16(buf[offset+2:]))
	if end > len(buf) {
		return 0, ErrExtension
	}
	ok := true
	switch {
	case profile == rtpOneByteForm:
		ok = h.oneByteElements(buf[:end], start, m)
	case profile&rtpTwoByteMask == rtpTwoByteForm:
		ok = h.twoByteElements(buf[:end], start, m)
	}
	if !ok {
		return 0, ErrExtension
	}
	return end, nil
}

// oneByteElements: https://www.rfc-editor.org/rfc/rfc8285#section-4.2 .
func (h *Header) oneByteElements(buf []byte, pos int, m *ExtensionMap) bool {
	for pos < len(buf) {
		head := buf[pos]
		pos++
		if head == 0 {
			continue // padding
		}
		id, size := head>>4, int(head&0x0f)+1
		if id == 0 || id == rtpOneByteStop {
			return true // the rest shall be ignored
		}
		if size > len(buf)-pos {
			return false
		}
		h.note(m, id, pos, size)
		pos += size
	}
	return true
}

// twoByteElements: https://www.rfc-editor.org/rfc/rfc8285#section-4.3 .
func (h *Header) twoByteElements(buf []byte, pos int, m *ExtensionMap) bool {
	for pos < len(buf) {
		id := buf[pos]
		pos++
		if id == 0 {
			continue // padding, a single byte
		}
		if pos == len(buf) {
			return false
		}
		size := int(buf[pos])
		pos++
		if size > len(buf)-pos {
			return false
		}
		h.note(m, id, pos, size)
		pos += size
	}
	return true
}

func (h *Header) note(m *ExtensionMap, id uint8, pos, size int) {
	if m == nil {
		return
	}
	if k := m.find(id); k < extKinds && h.ext[k].off == 0 {
		h.ext[k] = rtpSpan{off: uint16(pos), len: uint16(size)}
		h.present |= 1 << k
	}
}

// Extension returns the bytes of an extension in buf, which must be the packet
// that was parsed, or a copy. It aliases buf and has no capacity beyond its
// length; nil when the packet has none, not nil when it is there and empty.
func (h *Header) Extension(buf []byte, k ExtensionKind) []byte {
	if k >= extKinds {
		return nil
	}
	at := h.ext[k]
	start, end := int(at.off), int(at.off)+int(at.len)
	if start == 0 || end > len(buf) {
		return nil
	}
	return buf[start:end:end]
}
