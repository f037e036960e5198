// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import "encoding/binary"

// describeOpus: each packet is a whole frame and a point to start decoding at,
// DTX packets included. Nothing of the payload is looked at.
func describeOpus(d *Descriptor) {
	d.FrameStart, d.FrameEnd, d.Keyframe = true, true, true
}

// describeRED walks the block headers of
// https://www.rfc-editor.org/rfc/rfc2198#section-3 : four bytes for a redundant
// block (10 bits of length at their end), one byte for the primary one.
func describeRED(b []byte, d *Descriptor) bool {
	redundant := 0
	for len(b) > 0 && b[0]&0x80 != 0 {
		if len(b) < 4 {
			return false
		}
		redundant += int(binary.BigEndian.Uint16(b[2:]) & 0x3ff)
		b = b[4:]
	}
	if len(b) < 1+redundant {
		return false
	}
	describeOpus(d)
	return true
}
