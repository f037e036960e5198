// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
)

// Counters are what the payload descriptor of a VP8 packet counts (RFC 7741, section 4.2). A node may write them anew when what it
// sends changes or was interrupted: to one who receives, they go on.
type Counters struct {
	PictureBits    uint8 // 7 or 15; 0: none
	Picture        uint16
	TL0, Key       uint8
	HasTL0, HasKey bool

	pictureAt, tl0At, keyAt int // in the payload
}

// readCounters finds them in a payload. A descriptor that is cut off has none.
func readCounters(payload []byte) (c Counters) {
	if len(payload) < 2 || payload[0]&0x80 == 0 {
		return c
	}
	flags, at := payload[1], 2
	size := 0
	if flags&0x80 != 0 {
		size = 1
		if at < len(payload) && payload[at]&0x80 != 0 {
			size = 2
		}
		c.pictureAt = at
		at += size
	}
	if c.HasTL0 = flags&0x40 != 0; c.HasTL0 {
		c.tl0At = at
		at++
	}
	if c.HasKey = flags&0x10 != 0; c.HasKey {
		c.keyAt = at
	}
	if flags&0x30 != 0 { // either has the byte
		at++
	}
	if at > len(payload) {
		return Counters{}
	}
	switch size {
	case 1:
		c.PictureBits, c.Picture = 7, uint16(payload[c.pictureAt])
	case 2:
		c.PictureBits, c.Picture = 15, binary.BigEndian.Uint16(payload[c.pictureAt:])&0x7fff
	}
	if c.HasTL0 {
		c.TL0 = payload[c.tl0At]
	}
	if c.HasKey {
		c.Key = payload[c.keyAt] & 0x1f
	}
	return c
}

// differ says whether two payloads do, in anything but the values of c, which are those of sent.
func (c *Counters) differ(sent, got []byte) bool {
	if bytes.Equal(sent, got) {
		return false
	}
	if len(sent) != len(got) {
		return true
	}
	back := bytes.Clone(got)
	switch c.PictureBits {
	case 7:
		back[c.pictureAt] = back[c.pictureAt]&0x80 | sent[c.pictureAt]&0x7f
	case 15:
		back[c.pictureAt], back[c.pictureAt+1] = back[c.pictureAt]&0x80|sent[c.pictureAt]&0x7f, sent[c.pictureAt+1]
	}
	if c.HasTL0 {
		back[c.tl0At] = sent[c.tl0At]
	}
	if c.HasKey {
		back[c.keyAt] = back[c.keyAt]&0xe0 | sent[c.keyAt]&0x1f
	}
	return !bytes.Equal(sent, back)
}

// leaps lists where the counters of what came on one SSRC do not go on: a new picture is the next one, its base layer and
// keyframe at most the next, and packets that are missing may have been a picture each.
func leaps(packets []Packet) (faults []string) {
	packets = inOrder(packets)
	for i := 1; i < len(packets); i++ {
		p, was := &packets[i], &packets[i-1]
		if p.Counters.PictureBits == 0 || was.Counters.PictureBits == 0 || p.Sequence == was.Sequence {
			continue
		}
		least, most := uint16(0), uint16(0)
		if p.Timestamp != was.Timestamp {
			least, most = 1, p.Sequence-was.Sequence
		}
		mask := uint16(1)<<min(p.Counters.PictureBits, was.Counters.PictureBits) - 1
		step := (p.Counters.Picture - was.Counters.Picture) & mask
		if step < least || step > most {
			faults = append(faults, fmt.Sprintf("packet %d (mid %s): picture %d of %d bits after %d", p.Order, p.Mid, p.Counters.Picture, p.Counters.PictureBits, was.Counters.Picture))
			continue
		}
		if p.Counters.HasTL0 && was.Counters.HasTL0 && uint16(p.Counters.TL0-was.Counters.TL0) > step {
			faults = append(faults, fmt.Sprintf("packet %d (mid %s): TL0PICIDX %d after %d", p.Order, p.Mid, p.Counters.TL0, was.Counters.TL0))
		}
		if p.Counters.HasKey && was.Counters.HasKey && uint16((p.Counters.Key-was.Counters.Key)&0x1f) > step {
			faults = append(faults, fmt.Sprintf("packet %d (mid %s): KEYIDX %d after %d", p.Order, p.Mid, p.Counters.Key, was.Counters.Key))
		}
	}
	return faults
}

// inOrder sorts what came on one SSRC by sequence number.
func inOrder(packets []Packet) []Packet {
	type numbered struct {
		number int
		packet Packet
	}
	all := make([]numbered, len(packets))
	for i, p := range packets {
		all[i].packet = p
		if i > 0 {
			all[i].number = all[i-1].number + int(int16(p.Sequence-packets[i-1].Sequence))
		}
	}
	slices.SortStableFunc(all, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	sorted := make([]Packet, len(all))
	for i := range all {
		sorted[i] = all[i].packet
	}
	return sorted
}
