// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"slices"
	"testing"
	"time"

	"github.com/switchyard-media/sfu/rtpforward/allocate"
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

// TestDipsPass: a small dip of the estimate takes nothing away unless it lasts, or the link jams.
func TestDipsPass(t *testing.T) {
	const ms = int64(time.Millisecond)
	for _, c := range []struct {
		name   string
		target int64
		jammed bool
		after  int64
		want   int64
	}{
		{"small", 920_000, false, 500 * ms, 1_000_000},
		{"small that lasts", 920_000, false, 1000 * ms, 920_000},
		{"a jam", 920_000, true, 100 * ms, 920_000},
		{"large", 880_000, false, 100 * ms, 880_000},
		{"upwards", 1_100_000, false, 100 * ms, 1_100_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			var link calm
			link.hold(1_000_000, false, 1)
			got := link.hold(c.target, c.jammed, 2)
			if c.after >= 200*ms {
				got = link.hold(c.target, c.jammed, 2+c.after)
			}
			if got != c.want {
				t.Errorf("%d is divided, want %d", got, c.want)
			}
		})
	}
}

// TestDipsDoNotAddUp: a slow decline is followed.
func TestDipsDoNotAddUp(t *testing.T) {
	var link calm
	target := int64(1_000_000)
	for at := int64(1); at < 60*int64(time.Second); at += 100 * int64(time.Millisecond) {
		if got := link.hold(target, false, at); got > target*10/9+1 {
			t.Fatalf("%d is divided of %d", got, target)
		}
		target -= target / 200
	}
}

// TestGuess: what was not measured is neither nothing nor enormous.
func TestGuess(t *testing.T) {
	for _, c := range []struct{ rates, want []int64 }{
		{[]int64{0, 0}, nil},
		{[]int64{150, 500}, []int64{150, 500}},
		{[]int64{0, 600, 1500}, []int64{200, 600, 1500}},
		{[]int64{0, 0, 1800}, []int64{200, 600, 1800}},
		{[]int64{200, 0, 0}, []int64{200, 600, 1800}},
		{[]int64{0, 600, 0}, []int64{200, 600, 1800}},
	} {
		var steps []allocate.Layer
		for _, rate := range c.rates {
			steps = append(steps, allocate.Layer{Rate: rate})
		}
		known := guess(steps)
		var got []int64
		for i := range steps {
			got = append(got, steps[i].Rate)
		}
		if known != (c.want != nil) || known && !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, %v, want %v", c.rates, got, known, c.want)
		}
	}
}

// TestRatesFollow: noise moves a rate little, a change at once.
func TestRatesFollow(t *testing.T) {
	rate := 0.0
	if follow(&rate, 500_000); rate != 500_000 {
		t.Errorf("%v at first", rate)
	}
	if follow(&rate, 550_000); rate < 500_000 || rate > 520_000 {
		t.Errorf("%v after noise", rate)
	}
	for range 30 {
		follow(&rate, 550_000)
	}
	if rate < 549_000 || rate > 550_000 {
		t.Errorf("%v after what was no noise", rate)
	}
	if follow(&rate, 1_500_000); rate != 1_500_000 {
		t.Errorf("%v after a leap", rate)
	}
	if follow(&rate, 0); rate != 0 {
		t.Errorf("%v after the end", rate)
	}
}

// fiveFaces binds five cameras of equal layers in rooms of different weight, with a voice.
func (r *linkRig) fiveFaces() {
	r.speak()
	for _, weight := range []float64{4, 2, 1, 1, 1} {
		c := r.camera(60_000, 150_000, 500_000)
		c.dt.SetWish(Wish{Weight: weight})
	}
}

func (r *linkRig) shown() (layers []int) {
	for _, c := range r.cameras {
		r.look(c)
		if c.shut {
			c.layer = -1
		}
		layers = append(layers, c.layer)
	}
	return layers
}

// TestLinkOfFiveRooms: something of every room is seen, more of those that count more; over a thin link the last ones are
// paused, and they come back.
func TestLinkOfFiveRooms(t *testing.T) {
	onLink(t, mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
		r.fiveFaces()
		check := func(what string) []int {
			t.Helper()
			got := r.shown()
			for i := 1; i < len(got); i++ {
				if got[i] > got[i-1] && i < 3 {
					t.Errorf("%s: rooms by weight show %v", what, got)
				}
			}
			return got
		}
		r.play(15 * time.Second)
		if got := check("over 1 Mbit/s"); slices.Min(got) < 0 || got[0] < 1 {
			t.Errorf("over 1 Mbit/s rooms show %v", got)
		}
		r.b.setRate(250_000)
		r.play(10 * time.Second)
		if got := check("over 250 kbit/s"); got[0] < 0 || got[4] >= 0 && got[3] >= 0 {
			t.Errorf("over 250 kbit/s rooms show %v", got)
		}
		r.b.setRate(mbit)
		if took := r.until(10*time.Second, func() bool { return slices.Min(r.shown()) >= 0 }); took < 0 {
			t.Errorf("10 s later rooms show %v", r.shown())
		} else {
			t.Logf("all are back after %v", took)
		}
		r.told()
		r.play(20 * time.Second)
		pauses := 0
		for _, s := range r.told() {
			if s.Target.Spatial < 0 {
				pauses++
			}
		}
		if pauses > 0 {
			t.Errorf("%d pauses over a steady link", pauses)
		}
	})
}

// TestLinkThinShowsSomething: a picture that fits beside the voice is shown, soon after the link got thin.
func TestLinkThinShowsSomething(t *testing.T) {
	onLink(t, 2*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
		r.speak()
		c := r.camera(60_000, 150_000, 500_000, 1_300_000)
		r.play(15 * time.Second)
		r.b.setRate(300_000)
		r.play(2 * time.Second)
		shown := 0
		for range 180 {
			r.play(100 * time.Millisecond)
			if r.look(c); !c.shut {
				shown++
			}
		}
		if shown < 100 {
			t.Errorf("shown for %d of 18000 ms", 100*shown)
		}
		t.Logf("shown for %d of 18000 ms", 100*shown)
	})
}

// TestLinkBarsKeyframesThatJamIt: a link that carries some frames of large pictures, and more than all of the smaller ones,
// is not jammed by a keyframe for that.
func TestLinkBarsKeyframesThatJamIt(t *testing.T) {
	for _, c := range []struct {
		budget int64
		want   layers.Layer
	}{
		{1_000_000, layers.Layer{Spatial: 1, Temporal: 2}},
		{1_800_000, layers.Layer{Spatial: 2, Temporal: 1}},
		{2_000_000, layers.Layer{Spatial: 2, Temporal: 2}},
	} {
		onLink(t, 5*mbit, Config{}, transportCC, func(t *testing.T, r *linkRig) {
			c0 := r.camera(1)
			var s shape
			for spatial, rate := range []int64{150_000, 500_000, 1_600_000} {
				for temporal, part := range []int64{4, 2, 1} {
					s.ladder.rungs = append(s.ladder.rungs, rung{
						layer: layers.Layer{Spatial: int8(spatial), Temporal: int8(temporal)}, rate: rate / part,
						width: 320 << spatial, height: 180 << spatial, frameRate: 30 / float64(part), live: true,
					})
				}
			}
			<-r.d.shard.post(func() {
				c0.up.track.shape.Store(&s)
				v, now := &r.d.shard.division, r.f.now()
				for range 100 {
					now += int64(100 * time.Millisecond)
					v.begin()
					v.add(c0.dt, now)
					v.divide(c.budget, now)
					v.end()
				}
			})
			if got := c0.dt.share.layer; got != c.want {
				t.Errorf("over %d bit/s: layer %v, want %v", c.budget, got, c.want)
			}
		})
	}
}
