// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"bytes"
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtp"
)

// ingest puts a packet in as the publisher's reader does.
func ingest(up *UpTrack, p *Packet) {
	up.Ingest(p.Buf)
}

// nackRig is a slot of whose packets some are asked for again.
type nackRig struct {
	*egressRig
	up *UpTrack
	w  *recorder
	d  *Downlink
	dt *DownTrack
}

// newNackRig has sent n packets, a kilobyte each.
func newNackRig(t testing.TB, cfg Config, slot func() DownTrackConfig, n int) (*nackRig, []written) {
	r := &nackRig{egressRig: newEgressRig(t, cfg), w: &recorder{}}
	r.up = r.source(true)
	r.d, r.dt = r.slot(r.up, r.w, slot())
	for i := range uint64(n) {
		payload := rigDelta
		if i == 0 {
			payload = rigKey
		}
		body := append(bytes.Clone(payload), make([]byte, 1000)...)
		ingest(r.up, packet(r.up, base+100+i, i*3000, 0, 96, body, rtpExt{upIDOrientation, []byte{1}}))
		r.step(r.f.now())
	}
	sent := r.w.take()
	if len(sent) != n {
		t.Fatalf("%d packets left, want %d", len(sent), n)
	}
	return r, sent
}

func (r *nackRig) nack(seqs ...uint16) {
	r.d.HandleRTCP(appendNACK(nil, 1, slotSSRC, seqs))
	r.step(r.f.now())
}

func plainSlot() DownTrackConfig {
	cfg := videoSlot()
	cfg.RTXSSRC = 0
	return cfg
}

// original is the inverse of RFC 4588: what the packet was before.
func original(w written) written {
	h := w.header
	h.SSRC, h.PayloadType = slotSSRC, slotVP8
	h.SequenceNumber = binary.BigEndian.Uint16(w.payload)
	return written{header: h, payload: w.payload[2:]}
}

func dropStamps(h rtp.Header) rtp.Header {
	h = h.Clone()
	_ = h.DelExtension(idTransportCC)
	_ = h.DelExtension(idAbsSendTime)
	return h
}

func TestRTXRestoresThePacket(t *testing.T) {
	r, sent := newNackRig(t, Config{}, videoSlot, 10)
	r.nack(sent[3].header.SequenceNumber, sent[7].header.SequenceNumber)
	again := r.w.take()
	if len(again) != 2 {
		t.Fatalf("%d retransmissions, want 2", len(again))
	}
	for i, want := range []written{sent[3], sent[7]} {
		if again[i].header.SSRC != slotRTXSSRC || again[i].header.PayloadType != slotVP8RTX {
			t.Errorf("sent as SSRC %x, payload type %d", again[i].header.SSRC, again[i].header.PayloadType)
		}
		got := original(again[i])
		if diff := cmp.Diff(dropStamps(want.header), dropStamps(got.header), cmp.AllowUnexported(rtp.Extension{})); diff != "" {
			t.Errorf("header (-sent +restored): %s", diff)
		}
		if !bytes.Equal(got.payload, want.payload) {
			t.Error("the payload is not restored")
		}
	}
	if d := again[1].header.SequenceNumber - again[0].header.SequenceNumber; d != 1 {
		t.Errorf("the retransmissions' own sequence numbers are %d apart", d)
	}
	if tcc := binary.BigEndian.Uint16(again[0].header.GetExtension(idTransportCC)); tcc != 10 {
		t.Errorf("transport-wide sequence number %d, want 10", tcc)
	}
	st := r.dt.Stats()
	if st.NACKs != 2 || st.Retransmitted != 2 || st.RetransmitRefused != 0 || st.Forwarded != 10 || st.RetransmitBytes < 2000 {
		t.Errorf("%+v", st)
	}
}

// TestPlainRetransmission has to be the very packet: with the same SRTP index
// another one must not be sent.
func TestPlainRetransmission(t *testing.T) {
	r, sent := newNackRig(t, Config{}, plainSlot, 5)
	r.d.HandleRTCP(appendReceiverReport(nil, 1, []ReportBlock{{SSRC: slotSSRC}})) // new packets go without mid
	r.nack(sent[2].header.SequenceNumber)
	again := r.w.take()
	if len(again) != 1 {
		t.Fatalf("%d retransmissions, want 1", len(again))
	}
	raw := func(w written) []byte {
		b, err := (&rtp.Packet{Header: w.header, Payload: w.payload}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(raw(again[0]), raw(sent[2])) {
		t.Errorf("sent first\n%x, then\n%x", raw(sent[2]), raw(again[0]))
	}
}

// TestNACKOfTheUnknown: numbers that were never sent, or of other streams.
func TestNACKOfTheUnknown(t *testing.T) {
	r, sent := newNackRig(t, Config{}, videoSlot, 5)
	first := sent[0].header.SequenceNumber
	var never []uint16
	for n := range uint16(500) {
		never = append(never, first-1-n, first+5+n)
	}
	r.nack(never...)
	r.d.HandleRTCP(appendNACK(nil, 1, 4711, []uint16{first}))
	r.d.HandleRTCP(appendNACK(nil, 1, slotRTXSSRC, []uint16{first}))
	r.step(0)
	if n := len(r.w.take()); n != 0 {
		t.Errorf("%d packets left", n)
	}
	if st := r.dt.Stats(); st.NACKs != 1000 || st.RetransmitRefused != 1000 {
		t.Errorf("%d asked for, %d refused", st.NACKs, st.RetransmitRefused)
	}
}

func TestRetransmissionsApartAndFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, sent := newNackRig(t, Config{}, videoSlot, 5)
		var after []time.Duration
		start := time.Now()
		for range 200 {
			r.nack(sent[1].header.SequenceNumber)
			for _, w := range r.w.take() {
				after = append(after, w.at.Sub(start))
			}
			time.Sleep(time.Millisecond)
		}
		if diff := cmp.Diff([]time.Duration{0, 10 * time.Millisecond, 20 * time.Millisecond}, after); diff != "" {
			t.Error(diff)
		}
		after, start = nil, time.Now()
		r.d.rtt = int64(40 * time.Millisecond)
		for range 200 {
			r.nack(sent[2].header.SequenceNumber)
			for _, w := range r.w.take() {
				after = append(after, w.at.Sub(start))
			}
			time.Sleep(time.Millisecond)
		}
		if diff := cmp.Diff([]time.Duration{0, 40 * time.Millisecond, 80 * time.Millisecond}, after); diff != "" {
			t.Error(diff)
		}
		if st := r.dt.Stats(); st.NACKs != 400 || st.Retransmitted != 6 || st.RetransmitRefused != 394 {
			t.Errorf("%+v", st)
		}
		time.Sleep(3 * time.Second) // older than the history keeps
		r.nack(sent[3].header.SequenceNumber)
		if n := len(r.w.take()); n != 0 {
			t.Error("a packet that is too old was sent")
		}
		r.u.Close()
	})
}

// TestNACKFlood: whatever is asked for, retransmissions stay within their share
// of what is sent (and the floor that slow streams need).
func TestNACKFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := newNackRig(t, Config{RetransmitMax: 100}, videoSlot, 1)
		sequence, sent, resent := base+101, 0, 0
		body := append(bytes.Clone(rigDelta), make([]byte, 1000)...)
		const seconds = 5
		for range seconds * 100 { // 300 packets/s, 2.4 Mbit/s; 1000 numbers asked for 100 times a second
			for range 3 {
				ingest(r.up, packet(r.up, sequence, sequence*1000, 0, 96, body))
				sequence++
			}
			r.step(r.f.now())
			newest := uint16(r.dt.seq.next - 1)
			var all []uint16
			for n := range uint16(1000) {
				all = append(all, newest-n)
			}
			r.nack(all...)
			for _, w := range r.w.take() {
				if w.header.SSRC == slotRTXSSRC {
					resent += 12 + len(w.payload)
				} else {
					sent += 12 + len(w.payload)
				}
			}
			time.Sleep(10 * time.Millisecond)
			r.d.budget.tick(r.f.now())
		}
		limit := sent/4 + budgetFloor*seconds + 2*budgetBurst
		if resent > limit || resent < sent/5 {
			t.Errorf("%d bytes were retransmitted for %d sent; the limit is %d, and much of it should be used", resent, sent, limit)
		}
		r.u.Close()
	})
}

// TestSlowStreamsAreRepaired: a share of little would not pay for one packet.
func TestSlowStreamsAreRepaired(t *testing.T) {
	r, sent := newNackRig(t, Config{}, videoSlot, 2)
	r.nack(sent[0].header.SequenceNumber, sent[1].header.SequenceNumber)
	if n := len(r.w.take()); n != 2 {
		t.Errorf("%d retransmissions, want 2", n)
	}
}

// TestNothingOfALeftSource: after Unbind, and after a switch, nothing of the old
// source can be asked for; nor while paused.
func TestNothingOfALeftSource(t *testing.T) {
	all := func(sent []written) (seqs []uint16) {
		for _, w := range sent {
			seqs = append(seqs, w.header.SequenceNumber)
		}
		return seqs
	}
	t.Run("unbound", func(t *testing.T) {
		r, sent := newNackRig(t, Config{}, videoSlot, 5)
		r.dt.Unbind()
		r.nack(all(sent)...)
		r.dt.Bind(r.up.track, false)
		r.nack(all(sent)...)
		if n := len(r.w.take()); n != 0 {
			t.Errorf("%d packets left", n)
		}
	})
	t.Run("switched", func(t *testing.T) {
		r, sent := newNackRig(t, Config{}, videoSlot, 5)
		other := r.source(true)
		r.dt.Bind(other.track, false)
		r.step(r.f.now())
		ingest(other, keyPacket(other, base+100, 0, 0)) // the same source number as of the old one
		r.step(r.f.now())
		next := r.w.take()
		if len(next) != 1 {
			t.Fatalf("%d packets left", len(next))
		}
		r.nack(append(all(sent), all(next)...)...)
		again := r.w.take()
		if len(again) != 1 || !bytes.Equal(original(again[0]).payload, next[0].payload) {
			t.Errorf("%d packets left, want the one of the new source", len(again))
		}
	})
	t.Run("paused", func(t *testing.T) {
		r, sent := newNackRig(t, Config{}, videoSlot, 5)
		r.dt.SetPaused(true)
		r.nack(all(sent)...)
		if n := len(r.w.take()); n != 0 {
			t.Errorf("%d packets left", n)
		}
	})
	t.Run("closed", func(t *testing.T) {
		r, sent := newNackRig(t, Config{}, videoSlot, 5)
		r.d.Close()
		r.nack(all(sent)...)
		if n := len(r.w.take()); n != 0 {
			t.Errorf("%d packets left", n)
		}
	})
}

// TestNACKAfterReconfigure: what is sent afterwards can be asked for.
func TestNACKAfterReconfigure(t *testing.T) {
	r, sent := newNackRig(t, Config{}, videoSlot, 3)
	r.dt.Reconfigure(videoSlot())
	ingest(r.up, packet(r.up, base+103, 9000, 0, 96, rigDelta))
	r.step(r.f.now())
	next := r.w.take()
	r.nack(sent[0].header.SequenceNumber, next[0].header.SequenceNumber)
	if again := r.w.take(); len(again) != 1 || !bytes.Equal(original(again[0]).payload, next[0].payload) {
		t.Errorf("%d packets left, want the one after the change", len(again))
	}
}

// TestNACKAcrossRuns: after a pause of the same source what left before can
// still be asked for, with the timestamp it had.
func TestNACKAcrossRuns(t *testing.T) {
	r, sent := newNackRig(t, Config{}, videoSlot, 3)
	for n := range uint64(3) {
		r.dt.SetPaused(true)
		r.dt.SetPaused(false)
		ingest(r.up, packet(r.up, base+103+n, 9000+n*3000, 0, 96, rigKey))
		r.step(r.f.now())
	}
	sent = append(sent, r.w.take()...)
	sources(t, sent)
	for i, want := range sent {
		r.nack(want.header.SequenceNumber)
		again := r.w.take()
		if len(again) != 1 {
			t.Fatalf("packet %d: %d retransmissions", i, len(again))
		}
		if got := original(again[0]); got.header.Timestamp != want.header.Timestamp || !bytes.Equal(got.payload, want.payload) {
			t.Errorf("packet %d: another one was sent", i)
		}
	}
}
