// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"
	"time"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// TestLinkGoesDownAndUp: 2 Mbit/s, 300 kbit/s for 20 s, 2 Mbit/s again, with a
// camera of three layers and a voice.
func TestLinkGoesDownAndUp(t *testing.T) {
	onLink(t, 2*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
		r.speak()
		c := r.camera(120_000, 500_000, 1_300_000)
		if took := r.until(10*time.Second, func() bool { return c.layer == 2 }); took < 0 {
			t.Fatalf("layer %d after 10 s of 2 Mbit/s: %+v", c.layer, r.d.Link())
		} else {
			t.Logf("layer 2 after %v", took)
		}
		r.play(5 * time.Second)
		t.Logf("before: %+v", r.d.Link())
		r.b.setRate(300_000)
		r.b.take()
		took := r.until(2*time.Second, func() bool { return c.layer <= 0 })
		if took < 0 {
			t.Errorf("layer %d, shut %v, two seconds after the drop: %+v", c.layer, c.shut, r.d.Link())
		}
		t.Logf("down after %v", took)
		r.play(15 * time.Second)
		if c.layer != 0 {
			t.Errorf("layer %d over 300 kbit/s: %+v", c.layer, r.d.Link())
		}
		r.b.take()
		r.play(3 * time.Second)
		if sent, waited := r.b.take(); waited > 150*time.Millisecond || bitsOf(sent) > 3*300_000 {
			t.Errorf("%d kbit/s over 300, the queue is %v", bitsOf(sent)/3000, waited)
		}
		t.Logf("during: %+v", r.d.Link())
		r.b.setRate(2 * mbit)
		if took = r.until(20*time.Second, func() bool { return c.layer == 2 }); took < 0 {
			t.Errorf("layer %d, 20 s after the end of the drop: %+v", c.layer, r.d.Link())
		}
		t.Logf("up after %v: %+v", took, r.d.Link())
		if st := r.voice.dt.Stats(); st.Drops.Total() != 0 {
			t.Errorf("of the voice is missing: %v", st.Drops)
		}
		checkDownIdentity(t, c.dt.Stats())
	})
}

// TestLinkPausesAndResumes: what the link does not carry is paused, its owner is
// told, and it comes back, also if there is nothing else whose feedback could tell
// that the link is better.
func TestLinkPausesAndResumes(t *testing.T) {
	for name, voice := range map[string]bool{"with a voice": true, "alone": false} {
		t.Run(name, func(t *testing.T) {
			onLink(t, 300_000, Config{}, transportCC, func(t *testing.T, r *linkRig) {
				if voice {
					r.speak()
				}
				c := r.camera(1_000_000)
				r.until(10*time.Second, func() bool { return c.shut })
				r.play(300 * time.Millisecond)
				if st := r.d.Link(); !c.shut || st.Paused != 1 {
					t.Fatalf("1 Mbit/s goes on over 300 kbit/s: %+v", st)
				}
				last := SlotState{}
				for _, last = range r.told() {
				}
				if last.Limit != LimitBandwidth || last.Target != layers.None || last.Mid != "m7" {
					t.Errorf("was told %+v", last)
				}
				r.play(5 * time.Second)
				r.b.setRate(3 * mbit)
				took := r.until(40*time.Second, func() bool { return !c.shut })
				if took < 0 {
					t.Fatalf("still paused: %+v", r.d.Link())
				}
				r.play(10 * time.Second)
				for _, last = range r.told() {
				}
				if st := r.d.Link(); c.shut || st.Paused != 0 || last.Limit != LimitNone || last.Target.Spatial != 0 {
					t.Errorf("%+v, told %+v", st, last)
				}
				t.Logf("back after %v: %+v", took, r.d.Link())
			})
		})
	}
}

// TestLinkUnknownStartsAtOnce: a stream that has but one quality starts at once
// and is not interrupted, whatever an estimate begins with.
func TestLinkUnknownStartsAtOnce(t *testing.T) {
	onLink(t, 10*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
		c := r.camera(2_000_000)
		for range 50 {
			r.play(100 * time.Millisecond)
			if c.shut {
				t.Fatalf("paused after %v: %+v", time.Since(r.b.start), r.d.Link())
			}
		}
		sent, _ := r.b.take()
		if sent[0].at > 10*time.Millisecond {
			t.Errorf("the first packet left after %v", sent[0].at)
		}
		if got := bitsOf(sent); got < 9_500_000 {
			t.Errorf("%d bits in 5 s", got)
		}
		if st := c.dt.Stats(); st.Drops.Total() != 0 || r.d.Link().Target < 2_000_000 {
			t.Errorf("%+v, dropped %v", r.d.Link(), st.Drops)
		}
	})
}

// TestLinkThinStart: of several layers an unknown link gets the first until its
// client has been heard, and the best if it never is.
func TestLinkThinStart(t *testing.T) {
	onLink(t, 10*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
		r.b.deaf = true
		c := r.camera(100_000, 500_000, 2_000_000)
		r.play(2 * time.Second)
		if c.layer != 0 {
			t.Errorf("layer %d on an unknown link", c.layer)
		}
		r.play(2 * time.Second)
		if st := r.d.Link(); c.layer != 2 || st.Controlled || st.Target != 0 {
			t.Errorf("layer %d though the client says nothing: %+v", c.layer, st)
		}
	})
}

// TestLinkNoControl: neither without transport-wide feedback nor without leave is
// anything held back or numbered.
func TestLinkNoControl(t *testing.T) {
	for name, down := range map[string]DownlinkConfig{"not negotiated": {}, "switched off": transportCC} {
		t.Run(name, func(t *testing.T) {
			onLink(t, 300_000, Config{NoCongestionControl: down.TransportCC}, down, func(t *testing.T, r *linkRig) {
				c := r.camera(100_000, 2_000_000)
				r.play(3 * time.Second)
				if st := r.d.Link(); c.layer != 1 || st != (LinkStats{}) || r.d.link != nil {
					t.Errorf("layer %d, %+v", c.layer, st)
				}
			})
		})
	}
}

// TestLinkREMB: a client without transport-wide feedback says itself what it takes.
func TestLinkREMB(t *testing.T) {
	onLink(t, 10*mbit, Config{}, DownlinkConfig{REMB: true}, func(t *testing.T, r *linkRig) {
		r.speak()
		c := r.camera(100_000, 400_000, 2_000_000)
		say := func(rate int64, length time.Duration) {
			for end := time.Since(r.b.start) + length; time.Since(r.b.start) < end; {
				r.d.HandleRTCP(appendREMB(nil, rate))
				r.play(500 * time.Millisecond)
			}
		}
		say(700_000, 20*time.Second)
		if st := r.d.Link(); c.layer != 1 || !st.Controlled || st.Target != 700_000 || st.Probes != 0 {
			t.Errorf("layer %d at 700 kbit/s: %+v", c.layer, st)
		}
		say(200_000, 2*time.Second)
		if st := r.d.Link(); c.layer != 0 || st.Target != 200_000 {
			t.Errorf("layer %d at 200 kbit/s: %+v", c.layer, st)
		}
	})
}

// appendREMB appends draft-alvestrand-rmcat-remb-03.
func appendREMB(buf []byte, rate int64) []byte {
	exponent := 0
	for ; rate >= 1<<18; rate >>= 1 {
		exponent++
	}
	return append(buf, 0x8f, rtcpPSFB, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, 'R', 'E', 'M', 'B', 1,
		byte(exponent<<2)|byte(rate>>16), byte(rate>>8), byte(rate), 0, 0, 0x50, 0)
}

// TestLinkSilence: a client that falls silent is sent less and less, and is back
// when it speaks again.
func TestLinkSilence(t *testing.T) {
	onLink(t, 5*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
		r.speak()
		c := r.camera(150_000, 500_000, 1_500_000)
		if r.until(10*time.Second, func() bool { return c.layer == 2 }) < 0 {
			t.Fatalf("layer %d over 5 Mbit/s: %+v", c.layer, r.d.Link())
		}
		r.b.setDeaf(true)
		r.play(30 * time.Second)
		if st := r.d.Link(); !c.shut || st.Target > 50_000 {
			t.Errorf("30 s of silence: shut %v, %+v", c.shut, st)
		}
		r.b.setDeaf(false)
		if took := r.until(4*time.Second, func() bool { return c.layer == 2 }); took < 0 {
			t.Errorf("layer %d, 4 s after the silence: %+v", c.layer, r.d.Link())
		} else {
			t.Logf("layer 2 after %v", took)
		}
	})
}

// TestLinkLies: a client that says that everything came at once gets what the node
// allows and no more; so do probes.
func TestLinkLies(t *testing.T) {
	const most = 4 * mbit
	onLink(t, 500_000, Config{MostBitrate: most}, transportCC, func(t *testing.T, r *linkRig) {
		r.b.lies = true
		r.camera(150_000, 500_000, 3_000_000, 20_000_000)
		r.play(30 * time.Second)
		sent, _ := r.b.take()
		st := r.d.Link()
		if st.Target > most || bitsOf(sent) > 30*most {
			t.Errorf("%d bit/s sent, %+v", bitsOf(sent)/30, st)
		}
		spare := int64(st.ProbeBytes)
		if spare > probeReserve+30*probeFloor+bitsOf(sent)/8/probeShare {
			t.Errorf("%d bytes of probes in 30 s", spare)
		}
		t.Logf("%d bit/s, %+v", bitsOf(sent)/30, st)
	})
}

// TestLinkNothingToGain: who has the best of everything is not probed.
func TestLinkNothingToGain(t *testing.T) {
	onLink(t, 10*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
		r.speak()
		r.camera(300_000)
		r.play(10 * time.Second)
		before := r.d.Link()
		r.play(30 * time.Second)
		if after := r.d.Link(); after.Probes != before.Probes {
			t.Errorf("%d probes for nothing: %+v", after.Probes-before.Probes, after)
		}
	})
}

// TestLinkManyNACKs: a client that asks for everything again, all the time, gets
// its share of that and still its video.
func TestLinkManyNACKs(t *testing.T) {
	onLink(t, 3*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
		c := r.settled(1_000_000)
		again, media := 0, 0
		for range 100 {
			r.play(100 * time.Millisecond)
			sent, _ := r.b.take()
			var wanted []uint16
			for _, s := range sent {
				switch {
				case s.ssrc == slotSSRC:
					media += s.size
					wanted = append(wanted, s.seq)
				case s.ssrc == slotRTXSSRC && !s.empty:
					again += s.size
				}
			}
			for range 5 {
				r.d.HandleRTCP(appendNACK(nil, 1, slotSSRC, wanted))
			}
		}
		if media*8 < 9*mbit || again > media*3/10+100_000 { // a quarter, and what is allowed to the slowest
			t.Errorf("%d bytes of video and %d again in 10 s", media, again)
		}
		if st := c.dt.Stats(); st.Drops.Total() != 0 || st.RetransmitRefused == 0 {
			t.Errorf("%+v", st)
		}
		if st := r.d.Link(); c.shut || st.Target < 1_000_000 {
			t.Errorf("shut %v, %+v", c.shut, st)
		}
	})
}

// TestHeardBudget: a client is heard about what it was sent, at any rate, but not
// about thousands of packets in every few bytes.
func TestHeardBudget(t *testing.T) {
	const feedback = 50 * time.Millisecond
	var b heardBudget
	packets, now := uint64(0), int64(0)
	for range 200 { // 60 Mbit/s
		packets, now = packets+300, now+int64(feedback)
		if !b.take(300, packets, now) {
			t.Fatalf("not heard after %v, though all are reported on once", time.Duration(now))
		}
	}
	taken := 0
	for range 10_000 { // in 10 s
		now += int64(time.Millisecond)
		if b.take(4096, packets, now) {
			taken++
		}
	}
	if most := (heardBurst + 10*heardFloor) / 4096; taken == 0 || taken > most {
		t.Errorf("heard %d times about 4096 packets in 10 s, want at most %d", taken, most)
	}
	// When it is over, it is heard as before.
	for range 20 {
		packets, now = packets+100, now+int64(feedback)
		b.take(100, packets, now)
	}
	if packets, now = packets+100, now+int64(feedback); !b.take(100, packets, now) {
		t.Error("not heard any more")
	}
}
