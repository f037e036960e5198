// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"encoding/binary"
	"testing"
)

// FuzzLinkFeedback has a client say anything at all about what it was sent: the
// estimate stays within its bounds, and nothing is kept of the caller's bytes.
func FuzzLinkFeedback(f *testing.F) {
	first := []byte{0x8f, rtcpRTPFB, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 1, 0, 0x20, 4, 8, 8}
	f.Add(append(first, 8, 8), byte(4))
	f.Add(appendREMB(first[:0:0], 500_000), byte(2))
	f.Add(append(appendReceiverReport(nil, 1, []ReportBlock{{SSRC: slotSSRC, HighestSequence: 9}}), first...), byte(9))
	f.Fuzz(func(t *testing.T, raw []byte, sent byte) {
		r := newEgressRig(t, Config{MostBitrate: 5_000_000, LeastBitrate: 40_000})
		up, w := r.source(true), &discard{}
		d, dt := r.slot(up, w, videoSlot())
		n := base
		for round := range 4 {
			for range sent % 32 {
				r.push(keyPacket(up, n, n*3000, 0))
				n++
			}
			r.step(r.f.now())
			buf := append([]byte(nil), raw...)
			if len(buf) >= 16 && round%2 == 1 { // about what was sent
				binary.BigEndian.PutUint16(buf[12:], d.stamps.next-uint16(sent%32))
			}
			d.HandleRTCP(buf)
			clear(buf)
			r.step(r.f.now())
			for range 2 {
				r.s.tick(r.f.now())
			}
		}
		if d.link == nil {
			return
		}
		if e := d.link.est.Estimate(); e.Target < 40_000 || e.Target > 5_000_000 {
			t.Errorf("target %d", e.Target)
		}
		if b := &d.link.backlog; b.n > backlogMost || b.n != dt.queued || b.bytes < 0 {
			t.Errorf("%d packets of %d bytes wait, %d of the slot", b.n, b.bytes, dt.queued)
		}
		if most := uint64(probeReserve + 2000); d.link.probing.bytes > most {
			t.Errorf("%d bytes of probes", d.link.probing.bytes)
		}
		r.s.abandon()
		checkDownIdentity(t, dt.Stats())
	})
}
