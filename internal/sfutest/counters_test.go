// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package sfutest

import (
	"bytes"
	"testing"
)

// described is a VP8 payload with all counters.
func described(picture uint16, tl0, key byte) []byte {
	return []byte{0x90, 0xf0, 0x80 | byte(picture>>8), byte(picture), tl0, 0x40 | key, 1, 2, 3}
}

func TestReadCounters(t *testing.T) {
	for name, row := range map[string]struct {
		payload []byte
		want    Counters
	}{
		"all":             {described(0x1234, 5, 6), Counters{PictureBits: 15, Picture: 0x1234, TL0: 5, Key: 6, HasTL0: true, HasKey: true, pictureAt: 2, tl0At: 4, keyAt: 5}},
		"short picture":   {[]byte{0x80, 0x80, 0x12, 1}, Counters{PictureBits: 7, Picture: 0x12, pictureAt: 2}},
		"layers alone":    {[]byte{0x80, 0x20, 0x40, 1}, Counters{}},
		"not extended":    {[]byte{0x10, 0x80, 1, 2}, Counters{}},
		"cut off":         {described(1, 2, 3)[:5], Counters{}},
		"cut off earlier": {described(1, 2, 3)[:3], Counters{}},
		"nothing":         {nil, Counters{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := readCounters(row.payload); got != row.want {
				t.Errorf("read %+v, want %+v", got, row.want)
			}
		})
	}
}

func TestDiffer(t *testing.T) {
	sent := described(100, 5, 6)
	c := readCounters(sent)
	if c.differ(sent, sent) || c.differ(sent, described(0x7fff, 200, 31)) {
		t.Error("other values of counters are a difference")
	}
	for at := range sent {
		for _, mask := range []byte{1, 0x40, 0x80} {
			if at == 3 || at == 4 || at == 2 && mask != 0x80 || at == 5 && mask == 1 {
				continue // counters
			}
			got := bytes.Clone(sent)
			got[at] ^= mask
			if !c.differ(sent, got) {
				t.Errorf("byte %d may differ by %#x", at, mask)
			}
		}
	}
	if !c.differ(sent, sent[:len(sent)-1]) {
		t.Error("a payload may be cut off")
	}
	if none := (Counters{}); !none.differ(sent, described(101, 5, 6)) {
		t.Error("what has no counters may differ")
	}
}

func TestLeaps(t *testing.T) {
	at := func(sequence, timestamp, picture int, more ...byte) Packet {
		c := Counters{PictureBits: 15, Picture: uint16(picture)}
		if len(more) == 2 {
			c.HasTL0, c.TL0, c.HasKey, c.Key = true, more[0], true, more[1]
		}
		return Packet{Sequence: uint16(sequence), Timestamp: uint32(timestamp), Counters: c}
	}
	short := func(p Packet) Packet {
		p.Counters.PictureBits, p.Counters.Picture = 7, p.Counters.Picture&0x7f
		return p
	}
	for name, row := range map[string]struct {
		packets []Packet
		wrong   int
	}{
		"on and on":              {[]Packet{at(1, 1, 1), at(2, 1, 1), at(3, 2, 2)}, 0},
		"over wraps":             {[]Packet{at(65535, 1, 0x7fff), at(0, 2, 0)}, 0},
		"late":                   {[]Packet{at(1, 1, 1), at(3, 3, 3), at(2, 2, 2)}, 0},
		"one missing":            {[]Packet{at(1, 1, 1), at(3, 3, 3)}, 0},
		"a jump":                 {[]Packet{at(1, 1, 1), at(2, 2, 3)}, 1},
		"a jump beyond missing":  {[]Packet{at(1, 1, 1), at(3, 3, 4)}, 1},
		"back":                   {[]Packet{at(1, 1, 5), at(2, 2, 4)}, 1},
		"not counted":            {[]Packet{at(1, 1, 5), at(2, 2, 5)}, 1},
		"counted within":         {[]Packet{at(1, 1, 5), at(2, 1, 6)}, 1},
		"shorter":                {[]Packet{at(1, 1, 255), short(at(2, 2, 256)), at(3, 3, 257)}, 0},
		"shorter, a jump":        {[]Packet{at(1, 1, 255), short(at(2, 2, 257))}, 1},
		"none":                   {[]Packet{at(1, 1, 5), {Sequence: 2, Timestamp: 2}, at(3, 3, 9)}, 0},
		"base layers, keyframes": {[]Packet{at(1, 1, 1, 255, 31), at(2, 2, 2, 0, 0), at(3, 3, 3, 0, 0)}, 0},
		"base layers back":       {[]Packet{at(1, 1, 1, 5, 1), at(2, 2, 2, 4, 1)}, 1},
		"keyframes leap":         {[]Packet{at(1, 1, 1, 5, 1), at(2, 2, 2, 5, 3)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := leaps(row.packets); len(got) != row.wrong {
				t.Errorf("found %q, want %d", got, row.wrong)
			}
		})
	}
}
