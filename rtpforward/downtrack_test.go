// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// sources lists the source numbers of what left, and checks that the outgoing
// ones are consecutive.
func sources(t testing.TB, sent []written) (out []uint64) {
	t.Helper()
	for i, w := range sent {
		_, n := w.source()
		out = append(out, n)
		if i > 0 && w.header.SequenceNumber != sent[i-1].header.SequenceNumber+1 {
			t.Errorf("packet %d: sequence number %d after %d", i, w.header.SequenceNumber, sent[i-1].header.SequenceNumber)
		}
	}
	return out
}

func checkDrops(t testing.TB, dt *DownTrack, want map[DropReason]uint64) {
	t.Helper()
	var drops Drops
	for r, n := range want {
		drops[r] = n
	}
	st := dt.Stats()
	if diff := cmp.Diff(drops, st.Drops); diff != "" {
		t.Errorf("drops (-want +got): %s", diff)
	}
	checkDownIdentity(t, st)
}

const base = uint64(1 << 16)

func TestVideoStartsWithAKeyframe(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(true), &recorder{}
	_, dt := r.slot(up, w, videoSlot())
	if n := up.track.Stats().KeyframeRequests; n != 1 {
		t.Errorf("%d keyframes were asked for, want 1", n)
	}
	r.push(deltaPacket(up, base, 0, 0))
	r.push(deltaPacket(up, base+1, 3000, 0))
	r.push(keyPacket(up, base+2, 6000, 0))
	r.push(deltaPacket(up, base+3, 9000, 0))
	r.step(0)
	sent := w.take()
	if diff := cmp.Diff([]uint64{base + 2, base + 3}, sources(t, sent)); diff != "" {
		t.Fatal(diff)
	}
	checkDrops(t, dt, map[DropReason]uint64{DropKeyframeWait: 2})
	h := sent[0].header
	if h.SSRC != slotSSRC || h.PayloadType != slotVP8 || !h.Marker || h.Version != 2 || h.Padding || len(h.CSRC) != 0 {
		t.Errorf("header %+v", h)
	}
	if d := sent[1].header.Timestamp - h.Timestamp; d != 3000 {
		t.Errorf("timestamps are %d apart, want 3000", d)
	}
	if !bytes.Equal(sent[0].payload, keyPacket(up, base+2, 6000, 0).Payload()) {
		t.Error("the payload was changed")
	}
	if st := dt.Stats(); st.Codec != CodecVP8 || st.Forwarded != 2 {
		t.Errorf("stats %+v", st)
	}
}

func TestAudioStartsAtOnce(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(false), &recorder{}
	_, dt := r.slot(up, w, audioSlot())
	for n := range uint64(3) {
		p := packet(up, base+n, n*960, 0, 98, []byte{1})
		p.Header.Marker = n == 0
		r.push(p)
	}
	r.step(0)
	sent := w.take()
	if diff := cmp.Diff([]uint64{base, base + 1, base + 2}, sources(t, sent)); diff != "" {
		t.Error(diff)
	}
	if !sent[0].header.Marker || sent[1].header.Marker {
		t.Error("the marker is not kept")
	}
	checkDrops(t, dt, nil)
}

func TestNotReady(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(true), &recorder{}
	d := r.f.NewDownlink(DownlinkConfig{NewWriter: out(w)})
	dt := d.NewDownTrack(videoSlot())
	dt.Bind(up.track, false)
	r.step(0)
	r.push(keyPacket(up, base, 0, 0))
	r.step(0)
	if n := up.track.Stats().KeyframeRequests; n != 0 {
		t.Errorf("%d keyframes were asked for before the transport is up", n)
	}
	checkDrops(t, dt, map[DropReason]uint64{DropNotReady: 1})
	d.SetReady(true)
	r.push(deltaPacket(up, base+1, 3000, 0))
	r.push(keyPacket(up, base+2, 6000, 0))
	r.step(0)
	if n := up.track.Stats().KeyframeRequests; n != 1 {
		t.Errorf("%d keyframes were asked for, want 1", n)
	}
	if diff := cmp.Diff([]uint64{base + 2}, sources(t, w.take())); diff != "" {
		t.Error(diff)
	}
	d.SetReady(false)
	r.push(keyPacket(up, base+3, 9000, 0))
	r.step(0)
	checkDrops(t, dt, map[DropReason]uint64{DropNotReady: 2, DropKeyframeWait: 1})
}

func TestPause(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(true), &recorder{}
	_, dt := r.slot(up, w, videoSlot())
	at := func(n uint64) *Packet { return keyPacket(up, base+n, n*3000, int64(n)*33e6) }
	r.push(at(0))
	r.push(at(1))
	dt.SetPaused(true)
	r.push(at(2))
	r.push(at(3))
	dt.SetPaused(false)
	r.push(deltaPacket(up, base+4, 4*3000, 0))
	r.push(at(5))
	r.push(at(2)) // late: of before the pause's end
	r.step(0)
	sent := w.take()
	if diff := cmp.Diff([]uint64{base, base + 1, base + 5}, sources(t, sent)); diff != "" {
		t.Fatal(diff)
	}
	if d := sent[2].header.Timestamp - sent[1].header.Timestamp; d != 4*3000 {
		t.Errorf("the source's clock was not kept over the pause: %d", d)
	}
	checkDrops(t, dt, map[DropReason]uint64{DropPaused: 2, DropKeyframeWait: 1, DropStale: 1})
	if n := up.track.Stats().KeyframeRequests; n != 2 {
		t.Errorf("%d keyframes were asked for, want 2", n)
	}
}

func TestBindPaused(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(true), &recorder{}
	_, dt := r.slot(nil, w, videoSlot())
	r.push(keyPacket(up, base, 0, 0)) // before it is bound
	dt.Bind(up.track, true)
	r.push(keyPacket(up, base+1, 0, 0))
	r.step(0)
	checkDrops(t, dt, map[DropReason]uint64{DropPaused: 1})
	if n := up.track.Stats().KeyframeRequests; n != 0 {
		t.Errorf("%d keyframes were asked for while paused", n)
	}
	dt.Bind(up.track, false) // the same track: only resumes
	r.step(0)
	r.push(keyPacket(up, base+2, 3000, 0))
	r.step(0)
	if diff := cmp.Diff([]uint64{base + 2}, sources(t, w.take())); diff != "" {
		t.Error(diff)
	}
	if st := dt.Stats(); st.Switches != 0 {
		t.Errorf("%d switches", st.Switches)
	}
}

// TestSwitch: a slot shows one source after the other as one stream.
func TestSwitch(t *testing.T) {
	r := newEgressRig(t, Config{})
	w := &recorder{}
	ups := []*UpTrack{r.source(true), r.source(true), r.source(true)}
	_, dt := r.slot(ups[0], w, videoSlot())
	now, next := int64(0), []uint64{base + 65530, 3 * base, 9*base + 7}
	stamps := []uint64{1<<32 - 3000, 1 << 33, 7}
	frame := func(i int, key bool) *Packet {
		now += 33e6
		next[i]++
		stamps[i] += 2970
		if key {
			return keyPacket(ups[i], next[i], stamps[i], now)
		}
		return deltaPacket(ups[i], next[i], stamps[i], now)
	}
	var shown []int
	for n := range 100 {
		to := (n + 1) % 3
		if n > 0 {
			dt.Bind(ups[to].track, false)
			r.step(now)
			r.push(frame(to, false)) // waits for a keyframe
		} else {
			to = 0
		}
		r.push(frame(to, true))
		r.push(frame(to, false))
		shown = append(shown, to, to)
		r.step(now)
	}
	sent := w.take()
	sources(t, sent)
	if len(sent) != 200 {
		t.Fatalf("%d packets left, want 200", len(sent))
	}
	for i, p := range sent {
		if i%2 == 0 && !bytes.HasPrefix(p.payload, rigKey) {
			t.Errorf("switch %d does not start with a keyframe", i/2)
		}
		if i == 0 {
			continue
		}
		passed := uint32(2970)
		if i%2 == 0 {
			passed = 2 * 2970 // the frame that was dropped took its time as well
		}
		if d := p.header.Timestamp - sent[i-1].header.Timestamp; d != passed {
			t.Fatalf("packet %d (source %d): timestamp advances by %d, want %d", i, shown[i], d, passed)
		}
	}
	st := dt.Stats()
	if st.Switches != 99 || st.Drops[DropKeyframeWait] != 99 {
		t.Errorf("stats %+v", st)
	}
	checkDownIdentity(t, st)
	for i, up := range ups {
		want := uint64(0)
		if i == (99+1)%3 {
			want = 1
		}
		if got := up.track.interest.Load(); got != want {
			t.Errorf("source %d: interest %b, want %b", i, got, want)
		}
	}
}

// TestTimestampNeverGoesBack, even when the new source's packet came before the
// last of the old one.
func TestTimestampNeverGoesBack(t *testing.T) {
	r := newEgressRig(t, Config{})
	a, b, w := r.source(true), r.source(true), &recorder{}
	_, dt := r.slot(a, w, videoSlot())
	r.push(keyPacket(a, base, 0, 5e9))
	r.step(0)
	dt.Bind(b.track, false)
	r.step(0)
	r.push(keyPacket(b, base, 500, 4e9))
	r.step(0)
	sent := w.take()
	if len(sent) != 2 || sent[1].header.Timestamp != sent[0].header.Timestamp+1 {
		t.Errorf("%+v", sent)
	}
}

// TestBigStep: a publisher that begins anew on the same SSRC goes on without gap
// and with the time that passed.
func TestBigStep(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(true), &recorder{}
	r.slot(up, w, videoSlot())
	r.push(keyPacket(up, base, 1<<32|5, 0))
	r.push(deltaPacket(up, base+1, 1<<32|3005, 33e6))
	r.push(deltaPacket(up, base+1<<15, 1<<32-1<<31, 66e6))
	r.push(deltaPacket(up, base+1<<15+1, 1<<32-1<<31+3000, 99e6))
	r.step(0)
	sent := w.take()
	if n := len(sources(t, sent)); n != 4 {
		t.Fatalf("%d packets left", n)
	}
	for i, want := range []uint32{3000, 2970, 3000} {
		if d := sent[i+1].header.Timestamp - sent[i].header.Timestamp; d != want {
			t.Errorf("packet %d: timestamp advances by %d, want %d", i+1, d, want)
		}
	}
}

// TestPaddingLeavesNoGap: sequence numbers that the publisher spent on padding.
func TestPaddingLeavesNoGap(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(true), &recorder{}
	r.slot(up, w, videoSlot())
	ingest := func(p *Packet) {
		up.Ingest(p.Buf)
	}
	ingest(keyPacket(up, base+1, 0, 0))
	for n := range uint64(5) {
		p := deltaPacket(up, base+2+n, 0, 0)
		p.Buf = p.Buf[:12+4]
		p.Buf[0] |= 0x20
		p.Buf[15] = 4 // padding only
		ingest(p)
	}
	ingest(deltaPacket(up, base+8, 3000, 0)) // 7 is lost
	r.step(0)
	sent := w.take()
	if len(sent) != 2 {
		t.Fatalf("%d packets left, want 2", len(sent))
	}
	if d := sent[1].header.SequenceNumber - sent[0].header.SequenceNumber; d != 2 {
		t.Errorf("the next packet is %d ahead, want 2: one was lost", d)
	}
}

func TestUnreadablePayloads(t *testing.T) {
	structure := plainDescriptor(1, true)
	opaque := func(up *UpTrack, n uint64, ext ...rtpExt) *Packet {
		return packet(up, base+n, n*3000, 0, 95, []byte{0xff, 0xee}, ext...)
	}
	t.Run("with a dependency descriptor", func(t *testing.T) {
		r := newEgressRig(t, Config{})
		up, w := r.source(true), &recorder{}
		_, dt := r.slot(up, w, videoSlot())
		r.push(opaque(up, 0, rtpExt{upIDDependency, []byte{0x80, 0, 0}}))
		r.push(opaque(up, 1, rtpExt{upIDDependency, structure}))
		r.push(opaque(up, 2, rtpExt{upIDDependency, []byte{0x80, 0, 2}}))
		r.step(10e9) // however late
		if diff := cmp.Diff([]uint64{base + 1, base + 2}, sources(t, w.take())); diff != "" {
			t.Error(diff)
		}
		checkDrops(t, dt, map[DropReason]uint64{DropKeyframeWait: 1})
	})
	t.Run("without", func(t *testing.T) {
		r := newEgressRig(t, Config{})
		up, w := r.source(true), &recorder{}
		_, dt := r.slot(up, w, videoSlot())
		since := dt.since
		r.push(opaque(up, 0))
		r.step(since + int64(opaqueWait) - 1)
		half := opaque(up, 1)
		half.Timestamp = 0 // goes on with the same frame
		r.push(half)
		r.step(since + int64(opaqueWait))
		if n := len(w.take()); n != 0 {
			t.Fatalf("%d packets left too early", n)
		}
		r.push(opaque(up, 2))
		r.push(opaque(up, 3))
		r.step(since + int64(opaqueWait))
		if diff := cmp.Diff([]uint64{base + 2, base + 3}, sources(t, w.take())); diff != "" {
			t.Error(diff)
		}
		checkDrops(t, dt, map[DropReason]uint64{DropKeyframeWait: 2})
	})
}

func TestFormats(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(false), &recorder{}
	_, dt := r.slot(up, w, audioSlot())
	r.push(packet(up, base, 0, 0, 98, nil))
	r.push(packet(up, base+1, 0, 0, 97, nil)) // H264 in an audio slot: not negotiated
	r.push(packet(up, base+2, 960, 0, 98, nil))
	red := packet(up, base+3, 1920, 0, 99, []byte{0x80 | 111, 0, 0, 3, 111, 'o', 'l', 'd', 'n', 'e', 'w'})
	r.push(red)
	broken := packet(up, base+4, 2880, 0, 99, []byte{0x80 | 111, 0, 3, 255, 111})
	r.push(broken)
	r.push(packet(up, base+5, 3840, 0, 98, nil))
	r.step(0)
	sent := w.take()
	if diff := cmp.Diff([]uint64{base, base + 2, base + 3, base + 5}, sources(t, sent)); diff != "" {
		t.Fatal(diff)
	}
	if got := sent[2]; !bytes.HasPrefix(got.payload, []byte("new")) || got.header.PayloadType != slotOpus {
		t.Errorf("of RED %q left as %d", got.payload, got.header.PayloadType)
	}
	checkDrops(t, dt, map[DropReason]uint64{DropFormat: 2})
}

func TestRedundantAudio(t *testing.T) {
	for _, c := range []struct {
		in, want string
	}{
		{"\x6fabc", "abc"},
		{"\xef\x00\x00\x02\x6fxxabc", "abc"},
		{"\xef\x00\x00\x02\xef\x00\x00\x01\x6fxxyabc", "abc"},
		{"", ""},
		{"\x6f", ""},
		{"\xef\x00\x00", ""},
		{"\xef\x00\x00\x02", ""},
		{"\xef\x00\x00\x02\x6fxx", ""},
		{"\xef\xff\xff\xff\x6fxx", ""},
	} {
		got, ok := redPrimary([]byte(c.in))
		if string(got) != c.want || ok != (c.want != "") {
			t.Errorf("%q: %q, %v, want %q", c.in, got, ok, c.want)
		}
	}
}

func TestReconfigure(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(true), &recorder{}
	_, dt := r.slot(up, w, videoSlot())
	r.push(keyPacket(up, base, 0, 0))
	cfg := videoSlot()
	cfg.Formats[0].Payload = 55
	dt.Reconfigure(cfg)
	r.push(deltaPacket(up, base+1, 3000, 0))
	cfg.Formats[0].Payload = 56 // the caller's own again
	r.step(0)
	sent := w.take()
	if diff := cmp.Diff([]uint64{base, base + 1}, sources(t, sent)); diff != "" {
		t.Fatal(diff)
	}
	if sent[0].header.PayloadType != slotVP8 || sent[1].header.PayloadType != 55 {
		t.Errorf("payload types %d, %d", sent[0].header.PayloadType, sent[1].header.PayloadType)
	}
}

// TestWriteErrors: they cost the packet, nothing else, and nobody else.
func TestWriteErrors(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, bad, good := r.source(true), &recorder{}, &recorder{}
	_, dt := r.slot(up, bad, videoSlot())
	r.slot(up, good, videoSlot())
	r.push(keyPacket(up, base, 0, 0))
	r.step(0)
	bad.setErr(errRefused)
	r.push(deltaPacket(up, base+1, 3000, 0))
	r.step(0)
	bad.setErr(nil)
	r.push(deltaPacket(up, base+2, 6000, 0))
	r.step(0)
	if got := sources(t, good.take()); len(got) != 3 {
		t.Errorf("the other subscriber got %v", got)
	}
	sent := bad.take()
	if len(sent) != 2 || sent[1].header.SequenceNumber != sent[0].header.SequenceNumber+2 {
		t.Errorf("the number of a refused packet must not be used again: %+v", sent)
	}
	checkDrops(t, dt, map[DropReason]uint64{DropWrite: 1})
}

func TestUnbindDropsWhatIsCollected(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w, other := r.source(true), &recorder{}, &recorder{}
	_, dt := r.slot(up, w, videoSlot())
	r.slot(up, other, videoSlot())
	for n := range uint64(3) {
		p := keyPacket(up, base+n, 0, 0)
		p.Descriptor.FrameEnd = n == 2
		r.push(p)
	}
	done := dt.Unbind()
	r.step(0)
	select {
	case <-done:
	default:
		t.Error("not acknowledged")
	}
	if n := len(w.take()); n != 0 {
		t.Errorf("%d packets left after the unbind", n)
	}
	if n := len(other.take()); n != 3 {
		t.Errorf("the other got %d packets, want 3", n)
	}
	checkDrops(t, dt, map[DropReason]uint64{DropClosed: 3})
	if dt.clock.up != nil || dt.up != nil {
		t.Error("the idle slot holds on to the source")
	}
}

func TestDownlinkClose(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(true), &recorder{}
	d, dt := r.slot(up, w, videoSlot())
	r.push(keyPacket(up, base, 0, 0))
	done := d.Close()
	again := d.Close()
	late := dt.Bind(up.track, false)
	r.push(keyPacket(up, base+1, 3000, 0))
	r.step(0)
	<-done
	<-again
	<-late
	if n := len(w.take()); n != 0 {
		t.Errorf("%d packets left", n)
	}
	if st := r.f.Stats().Shards[0]; st.Downlinks != 0 || st.Sinks != 0 {
		t.Errorf("%+v", st)
	}
	if up.track.interest.Load() != 0 {
		t.Error("interest is still set")
	}
	if st := r.f.Stats(); st.Drops[DropClosed] != 1 {
		t.Errorf("the total forgot the closed session: %v", st.Drops)
	}
	checkDownIdentity(t, dt.Stats())
}

// TestLayers: of several layers one is shown: the first to have a keyframe, then
// a larger one, and when it falls silent another.
func TestLayers(t *testing.T) {
	r := newEgressRig(t, Config{})
	small := r.source(true)
	large := small.track.NewUpTrack(upConfig())
	large.cfg.SSRC = 78
	w := &recorder{}
	_, dt := r.slot(small, w, videoSlot())
	key := func(up *UpTrack, n uint64, at int64, height uint16) *Packet {
		p := keyPacket(up, base+n, n*3000, at)
		p.Unit.Width, p.Unit.Height = 16*height/9, height
		return p
	}
	ms := int64(time.Millisecond)
	push := func(p *Packet) {
		r.push(p)
		r.step(p.Arrival)
	}
	push(key(small, 0, 0, 180))
	push(deltaPacket(large, base+100, 0, 1*ms)) // not a keyframe
	push(deltaPacket(small, base+1, 3000, 2*ms))
	push(key(large, 101, 3*ms, 720)) // takes over
	push(deltaPacket(small, base+2, 6000, 4*ms))
	push(key(small, 3, 5*ms, 180))
	push(deltaPacket(large, base+102, 102*3000, 6*ms))
	push(key(small, 4, 500*ms, 180)) // 494 ms: not silent yet
	push(deltaPacket(small, base+5, 5*3000, 607*ms))
	push(key(small, 6, 608*ms, 180)) // takes over
	push(deltaPacket(large, base+103, 103*3000, 609*ms))
	var got []string
	sent := w.take()
	sources(t, sent)
	for _, p := range sent {
		layer, n := p.source()
		got = append(got, fmt.Sprint(layer-77, " ", n-base))
	}
	if diff := cmp.Diff([]string{"0 0", "0 1", "1 101", "1 102", "0 6"}, got); diff != "" {
		t.Error(diff)
	}
	checkDrops(t, dt, map[DropReason]uint64{DropLayer: 6})
	if n := small.track.Stats().KeyframeRequests; n != 2 {
		t.Errorf("%d keyframes were asked for, want 2: at the start and when the layer fell silent", n)
	}
}

// TestLayerIsReplaced: a publisher that goes on with another SSRC.
func TestLayerIsReplaced(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(true), &recorder{}
	_, dt := r.slot(up, w, videoSlot())
	r.push(keyPacket(up, base, 0, 0))
	r.step(0)
	up.Close()
	next := up.track.NewUpTrack(upConfig())
	r.push(keyPacket(next, base, 0, 20e6))
	r.push(deltaPacket(next, base+1, 3000, 40e6))
	r.step(0)
	if n := len(sources(t, w.take())); n != 3 {
		t.Errorf("%d packets left, want 3", n)
	}
	checkDrops(t, dt, nil)
}

func TestKeyframeRequestsFromSubscribers(t *testing.T) {
	r := newEgressRig(t, Config{})
	up := r.source(true)
	d, dt := r.slot(up, &recorder{}, videoSlot())
	d.HandleRTCP(appendPLI(nil, 1, slotSSRC))
	d.HandleRTCP(appendFIR(nil, 1, slotSSRC, 3))
	d.HandleRTCP(appendPLI(nil, 1, 4711)) // nobody's
	r.step(0)
	if st := dt.Stats(); st.PLIs != 2 {
		t.Errorf("%d requests counted, want 2", st.PLIs)
	}
	if n := up.track.Stats().KeyframeRequests; n != 3 {
		t.Errorf("%d wishes reached the track, want 3", n)
	}
}

func TestFeedbackIsBounded(t *testing.T) {
	r := newEgressRig(t, Config{})
	d, dt := r.slot(r.source(true), &recorder{}, videoSlot())
	pli := appendPLI(nil, 1, slotSSRC)
	for range 10 * feedbackPending {
		d.HandleRTCP(pli)
	}
	if n := r.s.queue.length(); n != feedbackPending {
		t.Errorf("%d wait, want %d", n, feedbackPending)
	}
	if n := d.shard.feedbackDropped.Load(); n != 9*feedbackPending {
		t.Errorf("%d dropped, want %d", n, 9*feedbackPending)
	}
	r.step(0)
	d.HandleRTCP(pli)
	d.HandleRTCP([]byte{1, 2, 3}) // garbage
	d.HandleRTCP(nil)
	r.step(0)
	if st := dt.Stats(); st.PLIs != feedbackPending+1 {
		t.Errorf("%d reached the shard, want %d", st.PLIs, feedbackPending+1)
	}
}

func TestExtensions(t *testing.T) {
	r := newEgressRig(t, Config{})
	up, w := r.source(true), &recorder{}
	d, _ := r.slot(up, w, videoSlot())
	long := append([]byte{0x80, 0x01, 0x00}, bytes.Repeat([]byte{0x80}, 30)...)
	r.push(packet(up, base, 0, 0, 96, rigKey, rtpExt{upIDDependency, long}, rtpExt{upIDOrientation, []byte{3}}))
	r.push(packet(up, base+1, 0, 0, 96, rigDelta, rtpExt{upIDDependency, []byte{0x80, 0x01, 0x01}}))
	r.step(0)
	d.HandleRTCP(appendReceiverReport(nil, 1, []ReportBlock{{SSRC: slotSSRC}}))
	r.push(packet(up, base+2, 0, 0, 96, rigDelta))
	r.step(0)
	d.SetExtensions(ExtensionMap{})
	r.push(packet(up, base+3, 0, 0, 96, rigDelta))
	r.step(0)
	sent := w.take()
	if len(sent) != 4 {
		t.Fatalf("%d packets left", len(sent))
	}
	h := sent[0].header
	if got := h.GetExtension(idMid); string(got) != "m7" {
		t.Errorf("mid %q", got)
	}
	if got := h.GetExtension(idDependency); !bytes.Equal(got, long) {
		t.Errorf("dependency descriptor %x", got)
	}
	if got := h.GetExtension(idOrientation); !bytes.Equal(got, []byte{3}) {
		t.Errorf("orientation %x", got)
	}
	if len(h.GetExtension(idAbsSendTime)) != 3 {
		t.Errorf("abs-send-time %x", h.GetExtension(idAbsSendTime))
	}
	if h.ExtensionProfile != 0x1000 || sent[1].header.ExtensionProfile != 0xbede {
		t.Errorf("profiles %x, %x", h.ExtensionProfile, sent[1].header.ExtensionProfile)
	}
	for i, p := range sent[:3] {
		if got := p.header.GetExtension(idTransportCC); len(got) != 2 || binary.BigEndian.Uint16(got) != uint16(i) {
			t.Errorf("packet %d: transport-wide sequence number %x", i, got)
		}
	}
	if got := sent[2].header.GetExtension(idMid); got != nil {
		t.Errorf("mid %q after the receiver has reported", got)
	}
	if len(sent[3].header.Extensions) != 0 || sent[3].header.Extension {
		t.Errorf("extensions that are not negotiated: %v", sent[3].header.Extensions)
	}
}

// plainDescriptor is a dependency descriptor of a stream of one layer.
func plainDescriptor(frame uint16, key bool) []byte {
	s := &layers.Structure{Count: 2, Targets: 1, Spatial: 1}
	s.Templates[0].Targets = layers.Indications(layers.Switch)
	s.Templates[1].Targets = layers.Indications(layers.Switch)
	s.Templates[1].References = layers.References{Count: 1, Diff: [layers.MaxReferences]uint16{1}}
	d := layers.Dependency{FrameStart: true, FrameEnd: true, Number: frame, Structure: s, Attached: key, TemplateID: 1}
	if key {
		d.TemplateID = 0
	}
	return d.Append(nil)
}

// TestFrameNumbersGoOn: receivers drop keyframes whose frame number is not newer
// than the last, so a switch must not take them back.
func TestFrameNumbersGoOn(t *testing.T) {
	r := newEgressRig(t, Config{})
	a, b, w := r.source(true), r.source(true), &recorder{}
	_, dt := r.slot(a, w, videoSlot())
	frame := func(n uint16, key bool) rtpExt { return rtpExt{upIDDependency, plainDescriptor(n, key)} }
	r.push(packet(a, base, 0, 0, 96, rigKey, frame(65535, true)))
	r.push(packet(a, base+1, 0, 0, 96, rigDelta, frame(0, false)))
	r.step(0)
	dt.Bind(b.track, false)
	r.step(0)
	r.push(packet(b, base, 0, 0, 96, rigKey, frame(40000, true)))
	r.push(packet(b, base+1, 0, 0, 96, rigDelta, frame(40001, false)))
	r.step(0)
	for i, p := range w.take() {
		want := uint16(i) + 65535
		if got := binary.BigEndian.Uint16(p.header.GetExtension(idDependency)[1:]); got != want {
			t.Errorf("packet %d: frame %d, want %d", i, got, want)
		}
	}
}
