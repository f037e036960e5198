// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ingest enters packets into the history of their layer, as Ingest does, and hands them over.
func (r *egressRig) ingest(packets ...*Packet) {
	r.t.Helper()
	for _, p := range packets {
		if p.Up.hist.highest.Load() == 0 {
			p.Up.hist.first.Store(p.Sequence)
		}
		p.Up.hist.put(p)
		r.push(p)
	}
	r.step(0)
}

// TestStartsWithALateKeyframe loses the first packet of a keyframe on the way up. When it comes, what has come of the
// frame before it follows it, and nothing stays missing.
func TestStartsWithALateKeyframe(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(true), &recorder{}
	_, dt := r.slot(up, w, videoSlot())
	r.ingest(
		deltaPacket(up, base, 0, 0),
		deltaPacket(up, base+2, 3000, 0), deltaPacket(up, base+3, 3000, 0), deltaPacket(up, base+4, 6000, 0),
	)
	r.ingest(keyPacket(up, base+1, 3000, 0))
	r.ingest(deltaPacket(up, base+5, 9000, 0))
	if diff := cmp.Diff([]uint64{base + 1, base + 2, base + 3, base + 4, base + 5}, sources(t, w.take())); diff != "" {
		t.Error(diff)
	}
	st := dt.Stats()
	checkDownIdentity(t, st)
	if st.Drops[DropKeyframeWait] != 4 || st.Forwarded != 5 || st.Switches != 0 {
		t.Errorf("stats %+v", st)
	}
}

// TestLateKeyframeAfterAPause does the same with a keyframe of before the pause: nothing of that time follows.
func TestLateKeyframeAfterAPause(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(true), &recorder{}
	_, dt := r.slot(up, w, videoSlot())
	r.ingest(deltaPacket(up, base, 0, 0), deltaPacket(up, base+2, 3000, 0))
	dt.SetPaused(true)
	r.ingest(deltaPacket(up, base+3, 6000, 0), deltaPacket(up, base+4, 6000, 0))
	dt.SetPaused(false)
	r.ingest(keyPacket(up, base+5, 9000, 0), deltaPacket(up, base+6, 9000, 0))
	if diff := cmp.Diff([]uint64{base + 5, base + 6}, sources(t, w.take())); diff != "" {
		t.Error(diff)
	}
	checkDownIdentity(t, dt.Stats())
}

// TestH264StartsWithItsParameterSets binds a slot between the packets of a keyframe: it starts with what leads the picture.
func TestH264StartsWithItsParameterSets(t *testing.T) {
	sps := []byte{0x67, 0x42, 0xc0, 0x1f, 0xda}
	idr := []byte{0x65, 0x88, 0x84, 0x00}
	r := newEgressRig(t, Config{})
	up, w := r.source(true), &recorder{}
	cfg := videoSlot()
	cfg.Formats = append(cfg.Formats, OutFormat{Format: formatH264, Payload: slotH264, RTXPayload: slotH264 + 1, NACK: true})
	_, dt := r.slot(nil, w, cfg)
	slice := []byte{0x41, 0x9a, 0x00}
	r.ingest(
		packet(up, base, 0, 0, 97, slice), packet(up, base+1, 3000, 0, 97, sps),
		packet(up, base+2, 3000, 0, 97, []byte{0x68, 0xce, 0x3c, 0x80}),
	)
	dt.Bind(up.track, false)
	r.ingest(packet(up, base+3, 3000, 0, 97, idr), packet(up, base+4, 6000, 0, 97, slice))
	if diff := cmp.Diff([]uint64{base + 1, base + 2, base + 3, base + 4}, sources(t, w.take())); diff != "" {
		t.Error(diff)
	}
	checkDownIdentity(t, dt.Stats())
	// A resumed slot repeats nothing that it has sent.
	r.ingest(packet(up, base+5, 9000, 0, 97, sps))
	dt.SetPaused(true)
	dt.SetPaused(false)
	r.ingest(packet(up, base+6, 9000, 0, 97, idr))
	if diff := cmp.Diff([]uint64{base + 5}, sources(t, w.take())); diff != "" {
		t.Error(diff) // nor goes it on within a picture that it has given up
	}
	r.ingest(packet(up, base+7, 12000, 0, 97, idr))
	if diff := cmp.Diff([]uint64{base + 7}, sources(t, w.take())); diff != "" {
		t.Error(diff)
	}
}

// TestWishWithinAKeyframe asks for a keyframe while one is arriving: its later packets, which say keyframe too, are no answer.
func TestWishWithinAKeyframe(t *testing.T) {
	r := newEgressRig(t, Config{})
	up := r.source(true)
	up.account(packet(up, base, 3000, 10, 97, []byte{0x67, 0x42, 0xc0, 0x1f, 0xda}), standAhead)
	up.keyframes.wish(20)
	up.account(packet(up, base+1, 3000, 30, 97, []byte{0x65, 0x88, 0x84, 0x00}), standAhead)
	if up.keyframes.answered() {
		t.Error("a slice of the keyframe that was under way is taken for the answer")
	}
	up.account(packet(up, base+2, 6000, 40, 97, []byte{0x65, 0x88, 0x84, 0x00}), standAhead)
	if !up.keyframes.answered() {
		t.Error("the next keyframe is not taken for the answer")
	}
}

// TestPaddingBehindAGap: numbers that the publisher used for padding close up, also behind packets that are lost; those far
// behind are not looked for.
func TestPaddingBehindAGap(t *testing.T) {
	for gap, closed := range map[uint64]bool{10: true, blankReach: true, blankReach + 1: false, 1000: false} {
		r := newEgressRig(t, Config{})
		up, w := r.source(true), &recorder{}
		r.slot(up, w, videoSlot())
		r.ingest(keyPacket(up, base, 0, 0))
		up.hist.put(&Packet{Up: up, Sequence: base + 1}) // padding
		r.ingest(deltaPacket(up, base+1+gap, 3000, 0))
		sent := w.take()
		if len(sent) != 2 {
			t.Fatalf("%d packets left", len(sent))
		}
		want := gap + 1
		if closed {
			want--
		}
		if got := uint64(sent[1].header.SequenceNumber - sent[0].header.SequenceNumber); got != want {
			t.Errorf("after a gap of %d the number goes on by %d, want %d", gap, got, want)
		}
	}
}
