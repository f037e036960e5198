// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "encoding/binary"

// Sizes of what is carved up. A packet that lives keeps its whole slab alive,
// so a slab holds about as much as a history would anyway.
const (
	slabVideo  = 64 << 10 // some 60 packets
	slabAudio  = 16 << 10 // some 100 packets
	chunkVideo = 32       // Packets an array
	chunkAudio = 16
)

// slab carves packet bytes and Packets out of larger allocations, so that a
// received packet costs a fraction of one. Owned by one reader; what was carved
// is immutable and belongs to the garbage collector.
type slab struct {
	size, chunk int // of the next allocation: bytes, Packets

	free    []byte
	packets []Packet
}

func newSlab(video bool) slab {
	if video {
		return slab{size: slabVideo, chunk: chunkVideo}
	}
	return slab{size: slabAudio, chunk: chunkAudio}
}

// room carves n bytes out of the slab. The capacity is cut as well: an append to
// a packet could otherwise write into its neighbor.
func (s *slab) room(n int) []byte {
	if n > len(s.free) {
		s.free = make([]byte, max(s.size, n))
	}
	b := s.free[:n:n]
	s.free = s.free[n:]
	return b
}

// keep returns a copy of buf.
func (s *slab) keep(buf []byte) []byte {
	b := s.room(len(buf))
	copy(b, buf)
	return b
}

// original returns the packet that head and rest are parts of, with the payload
// type, sequence number and SSRC of h and without padding.
func (s *slab) original(head, rest []byte, h *Header) []byte {
	b := s.room(len(head) + len(rest))
	copy(b[copy(b, head):], rest)
	b[0] &^= 0x20
	b[1] = b[1]&0x80 | h.PayloadType
	binary.BigEndian.PutUint16(b[2:], h.Sequence)
	binary.BigEndian.PutUint32(b[8:], h.SSRC)
	return b
}

// packet returns a zero Packet.
func (s *slab) packet() *Packet {
	if len(s.packets) == 0 {
		s.packets = make([]Packet, s.chunk)
	}
	p := &s.packets[0]
	s.packets = s.packets[1:]
	return p
}
