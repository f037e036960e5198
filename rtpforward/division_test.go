// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"testing"
	"time"

	"github.com/switchyard-media/sfu/rtpforward/layers"
)

// TestLinkWishNeedNotWait: who asks for a larger picture gets it at once where the link carries it; what came by itself
// waits.
func TestLinkWishNeedNotWait(t *testing.T) {
	onLink(t, 5*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
		c := r.camera(200_000, 500_000, 1_000_000)
		r.play(10 * time.Second)
		aims := func(what string, want int) {
			t.Helper()
			if r.look(c); c.layer != want {
				t.Errorf("%s: aimed at %d, want %d", what, c.layer, want)
			}
		}
		aims("at first", 2)
		for range 3 {
			c.dt.SetWish(Wish{Preference: Preference{Spatial: 1}})
			aims("bounded", 0)
			r.play(2 * time.Second)
			c.dt.SetWish(Wish{})
			aims("set free", 2)
			r.play(time.Second)
			aims("a second later", 2)
		}
	})
}

// TestLinkAskedNeedNotWait: a layer that was asked of the publisher is shown from when it comes.
func TestLinkAskedNeedNotWait(t *testing.T) {
	onLink(t, 5*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
		c := r.camera(200_000, 500_000, 1_000_000)
		r.play(10 * time.Second)
		c.dt.SetWish(Wish{Preference: Preference{Spatial: 1}})
		c.offerUpTo(0)
		r.play(2 * time.Second)
		c.dt.SetWish(Wish{})
		if r.look(c); c.layer != 2 {
			t.Fatalf("asked for layer %d", c.layer)
		}
		r.play(500 * time.Millisecond) // until the publisher has heard of it
		c.offerUpTo(2)
		for range 100 {
			r.play(20 * time.Millisecond)
			if r.look(c); c.layer != 2 {
				t.Fatalf("aimed at layer %d when it was there", c.layer)
			}
		}
	})
}

// offerUpTo publishes the camera's qualities, of which some do not arrive.
func (c *camera) offerUpTo(top int) {
	var s shape
	for i, rate := range c.rates {
		s.ladder.rungs = append(s.ladder.rungs, rung{
			layer: layers.Layer{Spatial: int8(i)}, rate: rate, width: 320 << i, height: 180 << i, frameRate: 30, live: i <= top,
		})
	}
	c.up.track.shape.Store(&s)
}
