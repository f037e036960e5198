// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/switchyard-media/sfu/rtpforward/bandwidth"
)

// settled plays until the session's link is known, with a camera of one quality.
func (r *linkRig) settled(rate int64) *camera {
	c := r.camera(rate)
	r.play(8 * time.Second)
	if st := r.d.Link(); !st.Controlled || c.shut {
		r.t.Fatalf("%+v", st)
	}
	r.b.take()
	return c
}

// pace is what the session's pacer is held to while at most so many bytes wait: bytes/s,
// and bytes at once. What would take longer than 250 ms raises it.
func (r *linkRig) pace(backlog int64) (pace, burst int64) {
	<-r.d.shard.post(func() {
		l := r.d.link
		target := max(l.est.Estimate().Target, l.budget)
		pace, burst = max(target*150/800, backlog*1000/251), int64(l.pacer.Burst())
	})
	return pace, burst
}

// TestPacedKeyframe: a keyframe leaves over the time that the pace says, in runs,
// whole and in order.
func TestPacedKeyframe(t *testing.T) {
	onLink(t, 3*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
		c := r.settled(1_000_000)
		pace, burst := r.pace(120_000)
		first := c.seq
		start := time.Since(r.b.start)
		r.frame(c, 110_000, start)
		synctest.Wait()
		if n := r.d.Link(); n.Backlog != 0 {
			t.Logf("published: %+v", n)
		}
		packets := int(c.seq - first)
		r.cameras = nil // nothing else is sent
		r.play(time.Second)
		sent, _ := r.b.take()
		var media []departure
		for _, s := range sent {
			if s.ssrc == slotSSRC {
				media = append(media, s)
			}
		}
		if len(media) != packets {
			t.Fatalf("%d of %d packets left", len(media), packets)
		}
		runs := 1
		for i := 1; i < len(media); i++ {
			if media[i].seq != media[i-1].seq+1 {
				t.Errorf("number %d follows %d", media[i].seq, media[i-1].seq)
			}
			if media[i].at != media[i-1].at {
				runs++
			}
		}
		if runs > packets/2 {
			t.Errorf("%d packets in %d runs", packets, runs)
		}
		took := media[len(media)-1].at - start
		least := time.Duration((int64(bitsOf(media))/8 - burst) * int64(time.Second) / pace)
		if took < least-5*time.Millisecond || took > 300*time.Millisecond {
			t.Errorf("%d bytes took %v, at a pace of %d bytes/s at least %v", bitsOf(media)/8, took, pace, least)
		}
		checkWindows(t, media, pace, burst)
		t.Logf("%d bytes in %d runs over %v, pace %d, burst %d", bitsOf(media)/8, runs, took, pace, burst)
	})
}

// checkWindows wants at most burst + pace × t bytes in any time t. The packet that
// begins it is in any case of no length.
func checkWindows(t *testing.T, sent []departure, pace, burst int64) {
	t.Helper()
	for i := range sent {
		bytes := int64(0)
		for _, s := range sent[i:] {
			bytes += int64(s.size)
			passed := int64(s.at - sent[i].at)
			if bytes > burst+pace*passed/int64(time.Second)+2000 {
				t.Fatalf("%d bytes in %v, at a pace of %d and a burst of %d", bytes, time.Duration(passed), pace, burst)
			}
		}
	}
}

// TestPacedBacklogIsBounded: more than fits is dropped as a whole, counted, and the
// slot goes on with a keyframe.
func TestPacedBacklogIsBounded(t *testing.T) {
	onLink(t, 3*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
		c := r.settled(1_000_000)
		before := c.dt.Stats()
		for range 6 { // as one frame each, in no time
			r.frame(c, 300_000, time.Since(r.b.start))
			synctest.Wait()
		}
		<-r.d.shard.post(func() {
			if n := r.d.link.backlog.n; n > backlogMost {
				t.Errorf("%d packets wait", n)
			}
		})
		r.play(2 * time.Second)
		<-r.d.shard.post(func() {
			if l := r.d.link; l.backlog.n != 0 || l.backlog.bytes != 0 || c.dt.queued != 0 {
				t.Errorf("%d packets, %d bytes are left, %d of the slot", l.backlog.n, l.backlog.bytes, c.dt.queued)
			}
		})
		st := c.dt.Stats()
		if st.Drops[DropPaced] == 0 || st.Forwarded == before.Forwarded {
			t.Errorf("forwarded %d, dropped %v", st.Forwarded-before.Forwarded, st.Drops)
		}
		checkDownIdentity(t, st)
	})
}

// TestPacedStops: whatever ends a slot ends what waits for it, before it is
// acknowledged, and nothing of it is lost from the counts.
func TestPacedStops(t *testing.T) {
	for name, stop := range map[string]func(c *camera, other *Track, d *Downlink) <-chan struct{}{
		"paused":   func(c *camera, _ *Track, _ *Downlink) <-chan struct{} { return c.dt.SetPaused(true) },
		"unbound":  func(c *camera, _ *Track, _ *Downlink) <-chan struct{} { return c.dt.Unbind() },
		"closed":   func(c *camera, _ *Track, _ *Downlink) <-chan struct{} { return c.dt.Close() },
		"switched": func(c *camera, other *Track, _ *Downlink) <-chan struct{} { return c.dt.Bind(other, false) },
		"left":     func(_ *camera, _ *Track, d *Downlink) <-chan struct{} { return d.Close() },
		"down": func(c *camera, _ *Track, d *Downlink) <-chan struct{} {
			d.SetReady(false)
			return d.shard.post(func() {})
		},
	} {
		t.Run(name, func(t *testing.T) {
			onLink(t, 3*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
				c, other := r.settled(1_000_000), r.camera(1)
				r.cameras = nil
				r.frame(c, 110_000, time.Since(r.b.start))
				synctest.Wait()
				waits := 0
				<-r.d.shard.post(func() { waits = c.dt.queued })
				if waits == 0 {
					t.Fatal("nothing waits")
				}
				<-stop(c, other.up.track, r.d)
				r.b.take()
				r.play(time.Second)
				sent, _ := r.b.take()
				for _, s := range sent {
					if s.ssrc == slotSSRC || s.ssrc == slotRTXSSRC && name != "switched" {
						t.Fatalf("a packet left afterwards, %v", s)
					}
				}
				st := c.dt.Stats()
				checkDownIdentity(t, st)
				if n := st.Drops[DropPaced] + st.Drops[DropPaused] + st.Drops[DropClosed] + st.Drops[DropNotReady]; n < uint64(waits) {
					t.Errorf("%d packets waited, dropped %v", waits, st.Drops)
				}
			})
		})
	}
}

// TestPacedHelped: a reader that fans out in the shard's place heeds the pacer, and
// the shard wakes for what it has left behind.
func TestPacedHelped(t *testing.T) {
	onLink(t, 3*mbit, Config{Kicked: true}, transportCC, func(t *testing.T, r *linkRig) {
		r.kicks = true
		c := r.settled(1_000_000)
		pace, burst := r.pace(66_000)
		start := time.Since(r.b.start)
		r.frame(c, 60_000, start)
		r.f.Kick()
		r.cameras = nil
		time.Sleep(400 * time.Millisecond) // and nobody else has a turn
		synctest.Wait()
		sent, _ := r.b.take()
		var media []departure
		for _, s := range sent {
			if s.ssrc == slotSSRC {
				media = append(media, s)
			}
		}
		if got := bitsOf(media) / 8; got < 60_000 {
			t.Errorf("%d bytes have left", got)
		}
		checkWindows(t, media, pace, burst)
	})
}

// TestPacedVoice: nothing holds back audio, nor what is asked for again.
func TestPacedVoice(t *testing.T) {
	onLink(t, 3*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
		r.speak()
		c := r.settled(1_000_000)
		r.frame(c, 110_000, time.Since(r.b.start))
		synctest.Wait()
		sent, _ := r.b.take()
		last := uint16(0)
		for _, s := range sent {
			if s.ssrc == slotSSRC {
				last = s.seq
			}
		}
		now := time.Since(r.b.start)
		r.frame(r.voice, 60, now)
		r.d.HandleRTCP(appendNACK(nil, 1, slotSSRC, []uint16{last - 20, last - 19}))
		synctest.Wait()
		time.Sleep(2 * time.Millisecond) // the hold
		synctest.Wait()
		sent, _ = r.b.take()
		voice, again := 0, 0
		for _, s := range sent {
			switch s.ssrc {
			case 0x7000:
				voice++
			case slotRTXSSRC:
				again++
			}
		}
		if voice != 1 || again != 2 {
			t.Errorf("%d of audio, %d again, while video waits: %v", voice, again, sent)
		}
	})
}

// TestBacklogKeepsOrder against a plain list.
func TestBacklogKeepsOrder(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var b backlog
	tracks := []*DownTrack{{}, {}, {}}
	var want []waiting
	for range 5000 {
		dt := tracks[rnd.IntN(len(tracks))]
		switch n := rnd.IntN(20); {
		case n == 0:
			removed := 0
			kept := want[:0]
			for _, w := range want {
				if w.track == dt {
					removed++
					continue
				}
				kept = append(kept, w)
			}
			want = kept
			if got := b.remove(dt); got != removed {
				t.Fatalf("%d removed, want %d", got, removed)
			}
		case n < 9 && b.n > 0:
			if got := *b.at(0); got != want[0] {
				t.Fatalf("%v is next, want %v", got, want[0])
			}
			b.pop()
			want = want[1:]
		case b.n < backlogMost:
			w := waiting{dt, &Packet{Buf: make([]byte, rnd.IntN(1200))}}
			b.push(w.track, w.packet)
			want = append(want, w)
		}
		bytes, counts := 0, map[*DownTrack]int{}
		for i, w := range want {
			if *b.at(i) != w {
				t.Fatalf("at %d stands another packet", i)
			}
			bytes += paceSize(w.packet)
			counts[w.track]++
		}
		if b.n != len(want) || b.bytes != bytes {
			t.Fatalf("%d packets, %d bytes, want %d and %d", b.n, b.bytes, len(want), bytes)
		}
		for _, dt := range tracks {
			if dt.queued != counts[dt] {
				t.Fatalf("%d packets of a slot, want %d", dt.queued, counts[dt])
			}
		}
	}
}

// TestPacedLayers: what goes by of other layers does not wait, and neither slows
// nor speeds up what does; but the layer that the slot is about to change over to
// waits whole.
func TestPacedLayers(t *testing.T) {
	onLink(t, 3*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
		c := r.settled(1_000_000)
		cfg := upConfig()
		cfg.SSRC = 150
		other := c.up.track.NewUpTrack(cfg)
		push := func(up *UpTrack, key bool, count int) {
			for range count {
				payload := make([]byte, 1000)
				copy(payload, rigDelta)
				if key {
					copy(payload, rigKey)
				}
				p := packet(up, c.seq, c.seq*3000, int64(time.Since(r.b.start)), 96, payload)
				key = false
				r.d.shard.push(p)
				c.seq++
			}
			synctest.Wait()
		}
		queued := func() (n int) {
			<-r.d.shard.post(func() { n = c.dt.queued })
			return n
		}
		r.cameras = nil
		r.frame(c, 50_000, time.Since(r.b.start))
		synctest.Wait()
		waits := queued()
		if push(other, false, 200); queued() > waits {
			t.Errorf("%d packets wait, %d before those of another layer", queued(), waits)
		}
		if push(other, true, 20); queued() < waits+15 {
			t.Errorf("%d packets wait, with a keyframe of another layer and %d before", queued(), waits)
		}
		r.play(time.Second)
		if queued() != 0 {
			t.Errorf("%d packets wait a second later", queued())
		}
		checkDownIdentity(t, c.dt.Stats())
	})
}

// TestUsualFrame: a frame that is somewhat larger than others leaves in one piece,
// whatever the rate; a keyframe does not.
func TestUsualFrame(t *testing.T) {
	for target := int64(200_000); target <= 6_000_000; target += 100_000 {
		p := bandwidth.NewPacer(bandwidth.PacerConfig{BurstTime: paceBurst}, target, 0)
		frame := int(target / 8 / 30)
		if p.Burst() < frame*14/10 {
			t.Errorf("at %d bit/s %d bytes may leave at once, a frame is %d", target, p.Burst(), frame)
		}
		if target >= 600_000 && p.Burst() > 2*frame {
			t.Errorf("at %d bit/s %d bytes may leave at once, twice a frame of %d and more", target, p.Burst(), frame)
		}
	}
}

// TestAtMost: of a group with several layers, the one that is shown is what counts, and what the slot may change over to.
func TestAtMost(t *testing.T) {
	onLink(t, 3*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
		c := r.settled(1_000_000)
		cfg := upConfig()
		cfg.SSRC = 150
		other := c.up.track.NewUpTrack(cfg)
		media := func(up *UpTrack, start []byte) *Packet {
			payload := make([]byte, 1000)
			copy(payload, start)
			c.seq++
			return packet(up, c.seq, c.seq*3000, int64(time.Since(r.b.start)), 96, payload)
		}
		shown, beside, key := media(c.up, rigDelta), media(other, rigDelta), media(other, rigKey)
		one := paceSize(shown)
		for _, test := range []struct {
			group []*Packet
			want  int
		}{
			{[]*Packet{shown, beside, shown, beside}, 2 * one},
			{[]*Packet{beside, beside}, 0},
			{[]*Packet{beside, key, shown}, 2 * one},
		} {
			<-r.d.shard.post(func() {
				if got := c.dt.atMost(test.group); got != test.want {
					t.Errorf("a group of %d counts as %d bytes, want %d", len(test.group), got, test.want)
				}
			})
		}
	})
}
