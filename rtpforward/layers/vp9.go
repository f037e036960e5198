// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

import "encoding/binary"

// readVP9 reads the payload descriptor |I|P|L|F|B|E|V|Z| of
// https://www.rfc-editor.org/rfc/rfc9628#section-4.2 , in flexible and in
// non-flexible mode.
func readVP9(b []byte, u *Unit) bool {
	flags, at, ok := b[0], 1, true
	if flags&0x80 != 0 {
		if at, ok = readPictureID(b, at, u); !ok {
			return false
		}
	} else {
		flags &^= 0x10 // without I, F is to be ignored
	}
	alone := true // no lower spatial layer is needed
	if flags&0x20 != 0 {
		if at >= len(b) {
			return false
		}
		u.Temporal, u.Sync, u.Layered = b[at]>>5, b[at]&0x10 != 0, true
		u.Spatial, alone = b[at]>>1&7, b[at]&1 == 0
		at++
		if flags&0x10 == 0 {
			if at >= len(b) {
				return false
			}
			u.TL0PicIdx, u.HasTL0PicIdx, u.tl0At = b[at], true, uint8(at)
			at++
		}
	}
	if flags&0x50 == 0x50 {
		if at, ok = skipVP9References(b, at); !ok {
			return false
		}
	}
	if flags&0x02 != 0 {
		if at, ok = readVP9Structure(b, at, u); !ok {
			return false
		}
	}
	u.FrameStart = flags&0x08 != 0
	u.FrameEnd = u.FrameEnd || flags&0x04 != 0
	u.PictureStart = u.FrameStart && u.Spatial == 0
	// Upper layers of a key picture are not predicted from pictures before either,
	// but they need the lower ones.
	u.Key = flags&0x48 == 0x08 && u.Spatial == 0 && alone
	return at < len(b)
}

// skipVP9References skips the one to three P_DIFF of flexible mode; the low bit
// announces another.
func skipVP9References(b []byte, at int) (next int, ok bool) {
	for range 3 {
		if at >= len(b) {
			return 0, false
		}
		at++
		if b[at-1]&1 == 0 {
			return at, true
		}
	}
	return 0, false
}

// readVP9Structure skips |N_S|Y|G|-| and what it announces, noting the size of
// the highest layer.
func readVP9Structure(b []byte, at int, u *Unit) (next int, ok bool) {
	if at >= len(b) {
		return 0, false
	}
	head, count := b[at], int(b[at]>>5)+1
	at++
	if head&0x10 != 0 {
		if len(b) < at+4*count {
			return 0, false
		}
		at += 4 * count
		u.Width, u.Height = binary.BigEndian.Uint16(b[at-4:]), binary.BigEndian.Uint16(b[at-2:])
	}
	if head&0x08 == 0 {
		return at, true
	}
	if at >= len(b) {
		return 0, false
	}
	pictures := b[at]
	at++
	for range pictures {
		if at >= len(b) {
			return 0, false
		}
		at += 1 + int(b[at]>>2&3) // |T|U|R|RES| and R differences
	}
	return at, at <= len(b)
}
