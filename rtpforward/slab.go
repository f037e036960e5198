// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

// Sizes of what is carved up. A packet that lives keeps its whole slab alive,
// so a slab holds about as much as a history would anyway.
const (
	slabRoom   = 1500     // least a reader is given: an Ethernet payload
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

// room returns the space for the next datagram, at least slabRoom bytes. The
// same space is returned until keep takes some of it.
func (s *slab) room() []byte {
	if len(s.free) < slabRoom {
		s.free = make([]byte, s.size)
	}
	return s.free
}

// keep takes the first bytes of room out of the slab for good. The capacity is
// cut as well: an append to a packet could otherwise write into its neighbor.
// Bytes that are not the slab's are kept as they are.
func (s *slab) keep(buf []byte) []byte {
	n := len(buf)
	if n > 0 && n <= len(s.free) && &buf[0] == &s.free[0] {
		s.free = s.free[n:]
	}
	return buf[:n:n]
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
