// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package load

import "encoding/binary"

// stampMagic begins a stamp; it is no secret, only unlikely.
const stampMagic = 0x53777962

// stampSize is what a stamp takes of a payload's end.
const stampSize = 28

// Stamp is what a publisher writes into the end of every payload.
type Stamp struct {
	Track   uint32 // Track.ID
	Counter uint64 // from 0, by one a packet
	Sent    int64  // Unix time in ns, just before encryption
	Key     bool   // the packet is part of a keyframe
	Index   uint8  // number in its frame, from 0
	Count   uint8  // packets of its frame
	Layer   uint8  // of a simulcast, 0 the smallest; counters are of each layer
}

// put writes s into the last stampSize bytes of payload.
func (s Stamp) put(payload []byte) {
	b := payload[len(payload)-stampSize:]
	binary.BigEndian.PutUint32(b, stampMagic)
	binary.BigEndian.PutUint32(b[4:], s.Track)
	binary.BigEndian.PutUint64(b[8:], s.Counter)
	binary.BigEndian.PutUint64(b[16:], uint64(s.Sent))
	b[24], b[25], b[26], b[27] = 0, s.Index, s.Count, s.Layer
	if s.Key {
		b[24] = 1
	}
}

// readStamp reads the stamp of a payload; false where there is none.
func readStamp(payload []byte) (Stamp, bool) {
	if len(payload) < stampSize {
		return Stamp{}, false
	}
	b := payload[len(payload)-stampSize:]
	if binary.BigEndian.Uint32(b) != stampMagic {
		return Stamp{}, false
	}

	return Stamp{
		Track: binary.BigEndian.Uint32(b[4:]), Counter: binary.BigEndian.Uint64(b[8:]), Sent: int64(binary.BigEndian.Uint64(b[16:])),
		Key: b[24] == 1, Index: b[25], Count: b[26], Layer: b[27],
	}, true
}
