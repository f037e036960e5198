// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package layers

// bitReader reads big-endian bit fields. Past the end every read gives 0 and
// bad is set. Value type, owned by its caller.
type bitReader struct {
	buf []byte
	pos int // bit
	bad bool
}

// bits reads n bits, at most 32.
func (r *bitReader) bits(n int) (v uint32) {
	if r.pos+n > 8*len(r.buf) {
		r.pos, r.bad = 8*len(r.buf), true
		return 0
	}
	for n > 0 {
		have := 8 - r.pos&7
		take := min(have, n)
		v = v<<take | uint32(r.buf[r.pos>>3])>>(have-take)&(1<<take-1)
		r.pos += take
		n -= take
	}
	return v
}

func (r *bitReader) flag() bool { return r.bits(1) == 1 }

// ns reads a number below n in the code "ns(n)" of the AV1 bitstream
// specification, section 4.10.7: the smaller values take one bit less.
func (r *bitReader) ns(n uint32) uint32 {
	width := 0
	for x := n; x != 0; x >>= 1 {
		width++
	}
	short := uint32(1)<<width - n
	v := r.bits(width - 1)
	if v < short {
		return v
	}
	return v<<1 - short + r.bits(1)
}

// bitWriter writes into a buffer whose length is known to suffice; past its end
// it counts and writes nothing, so that a nil buffer measures. Bytes are
// cleared when their first bit is written. Value type, owned by its caller.
type bitWriter struct {
	buf []byte
	pos int // bit
}

// bits writes the low n bits of v, at most 32.
func (w *bitWriter) bits(v uint32, n int) {
	for n > 0 {
		room := 8 - w.pos&7
		take := min(room, n)
		if at := w.pos >> 3; at < len(w.buf) {
			if room == 8 {
				w.buf[at] = 0
			}
			w.buf[at] |= byte(v >> (n - take) & (1<<take - 1) << (room - take))
		}
		w.pos += take
		n -= take
	}
}

func (w *bitWriter) flag(b bool) {
	if b {
		w.bits(1, 1)
	} else {
		w.bits(0, 1)
	}
}

// ns is the inverse of bitReader.ns.
func (w *bitWriter) ns(v, n uint32) {
	width := 0
	for x := n; x != 0; x >>= 1 {
		width++
	}
	short := uint32(1)<<width - n
	if v < short {
		w.bits(v, width-1)
		return
	}
	w.bits(v+short, width)
}

// copy writes the n bits of r that come next.
func (w *bitWriter) copy(r *bitReader, n int) {
	for n > 0 {
		take := min(32, n)
		w.bits(r.bits(take), take)
		n -= take
	}
}

// bytes is the number of bytes that the bits written so far take.
func (w *bitWriter) bytes() int { return (w.pos + 7) >> 3 }
