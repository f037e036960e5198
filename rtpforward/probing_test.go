// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"
	"time"
)

// reconfigure changes a camera's slot.
func (c *camera) reconfigure(change func(cfg *DownTrackConfig)) {
	var cfg DownTrackConfig
	<-c.dt.shard().post(func() { cfg = c.dt.cfg })
	change(&cfg)
	c.dt.Reconfigure(cfg)
}

// TestLinkComesBack: what a link did not carry comes back when it does, also to
// clients to whom little can be sent that tells so: one whose line of audio has no
// transport-wide numbers, as Firefox's, and one without retransmissions.
func TestLinkComesBack(t *testing.T) {
	unnumbered := func(r *linkRig, _ *camera) {
		r.speak()
		r.voice.reconfigure(func(cfg *DownTrackConfig) { cfg.NoTransportCC = true })
	}
	plain := func(_ *linkRig, c *camera) {
		c.reconfigure(func(cfg *DownTrackConfig) {
			cfg.RTXSSRC, cfg.Formats = 0, []OutFormat{{Format: formatVP8, Payload: slotVP8}}
		})
	}
	both := func(r *linkRig, c *camera) {
		r.speak()
		plain(r, c)
	}
	for name, tt := range map[string]struct {
		client func(r *linkRig, c *camera)
		rate   int64 // of the link, while it is bad
		limit  time.Duration
	}{
		"voice without numbers":             {unnumbered, 250_000, 15 * time.Second},
		"voice without numbers, hardly any": {unnumbered, 60_000, 40 * time.Second},
		"voice without numbers, worse":      {unnumbered, 20_000, 40 * time.Second},
		"no retransmissions":                {both, 250_000, 40 * time.Second},
		"no retransmissions, no voice":      {plain, 250_000, 40 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			onLink(t, 3*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
				c := r.camera(600_000)
				tt.client(r, c)
				r.play(5 * time.Second)
				r.b.setRate(tt.rate)
				if r.until(10*time.Second, func() bool { return c.shut }) < 0 {
					t.Fatalf("600 kbit/s go on over %d: %+v", tt.rate, r.d.Link())
				}
				r.play(15 * time.Second)
				probed := r.d.Link().ProbeBytes
				r.b.setRate(3 * mbit)
				took := r.until(tt.limit, func() bool { return !c.shut })
				if took < 0 {
					t.Fatalf("still paused: %+v", r.d.Link())
				}
				r.play(10 * time.Second)
				st := r.d.Link()
				if c.shut || st.Paused != 0 {
					t.Errorf("paused again: %+v", st)
				}
				if st.ProbeBytes < probed {
					t.Errorf("%d bytes of probes, %d before", st.ProbeBytes, probed)
				}
				checkDownIdentity(t, c.dt.Stats())
				t.Logf("back after %v: %+v", took, st)
			})
		})
	}
}

// TestLinkComesBackREMB: a client that says what it takes only while video comes is
// asked again; if it says nothing any more it is not sent everything for that.
func TestLinkComesBackREMB(t *testing.T) {
	onLink(t, 10*mbit, Config{}, DownlinkConfig{REMB: true}, func(t *testing.T, r *linkRig) {
		c := r.camera(600_000)
		rate := int64(2 * mbit)
		step := func() {
			r.play(500 * time.Millisecond)
			sent, _ := r.b.take()
			if len(sent) > 0 && rate > 0 {
				r.d.HandleRTCP(appendREMB(nil, rate))
			}
		}
		until := func(limit int, good func() bool) bool {
			for range 2 * limit {
				if good() {
					return true
				}
				step()
			}
			return good()
		}
		until(5, func() bool { return false })
		rate = 60_000
		if !until(10, func() bool { return c.shut }) {
			t.Fatalf("600 kbit/s go on over 60: %+v", r.d.Link())
		}
		rate = 0
		shown := 0
		for range 200 {
			step()
			if !c.shut {
				shown++
			}
		}
		if shown == 0 || shown > 40 {
			t.Errorf("shown for %d of 200 half seconds to a client that says nothing", shown)
		}
		rate = 2 * mbit
		if !until(40, func() bool { return !c.shut && r.d.Link().Controlled }) {
			t.Fatalf("still paused: %+v", r.d.Link())
		}
		until(10, func() bool { return false })
		if c.shut {
			t.Errorf("paused again: %+v", r.d.Link())
		}
	})
}
