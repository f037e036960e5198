// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/switchyard-media/sfu/bench/load"
)

// linkBounds judges what one client behind a link has seen.
type linkBounds struct {
	s   *linkSeen
	all []LinkBound
}

func (b *linkBounds) add(what, unit string, got, limit float64, most bool) {
	b.all = append(b.all, bound(what, unit, got, limit, most))
}

// half is where the last half begins.
func (b *linkBounds) half() time.Duration { return b.s.length / 2 }

// layer asks for a layer, or a better one, during nine tenths of the last half.
func (b *linkBounds) layer(want int) {
	b.add("time at layer "+b.s.layers[want].RID+" or better", "%", 100*b.s.atLeast(want, b.half(), b.s.length), 90, false)
}

// share asks for a part of the best layer's rate.
func (b *linkBounds) share(of float64) {
	best := b.s.layers[len(b.s.layers)-1].Bits
	b.add("video that came", "kbit/s", b.s.video(b.half(), b.s.length)/1000, of*float64(best)/1000, false)
}

func (b *linkBounds) queue() { b.queueOf(5*time.Second, b.s.length) }

func (b *linkBounds) queueOf(from, to time.Duration) {
	b.add("95 % wait in the bottleneck", "ms", ms(b.s.trace.Queued(from, to, 0.95)), standingQueue, true)
}

// calm asks that no camera changes its layer more than once in ten seconds when the start is over, and that it never freezes.
func (b *linkBounds) calm() {
	b.add("changes of layer in 10 s", "", float64(b.s.flaps(b.half(), b.s.length)), 1, true)
	b.add("freezes", "", float64(b.s.freezes()), 0, true)
}

// step: down and up with the link.
func (b *linkBounds) step() {
	before := b.s.shown(dropAt - time.Second)
	b.add("layer before the drop (0 is the smallest)", "", float64(before), 1, false)
	fits := 300_000 / 1000 * wayBytes
	b.add("down to 300 kbit/s sent after the drop", "ms", b.s.sentBelow(dropAt, fits), ms(downWithin), true)
	b.add("back at the layer before after its end", "ms", b.s.back(dropEnd, before), ms(upWithin), true)
	b.queueOf(dropAt+5*time.Second, dropEnd)
}

// rival asks for a fifth of the link for each.
func (b *linkBounds) rival() {
	from := b.s.length / 3
	b.add("received", "kbit/s", b.s.received(from, b.s.length)/1000, 400, false)
	b.add("left to the other flow", "kbit/s", b.s.rivals(from, b.s.length)/1000, 400, false)
}

// start asks for the estimate, because layers leave a part of any link unused.
func (b *linkBounds) start() {
	b.add("estimate at 2400 kbit/s after the start", "ms", b.s.estimated(0, 2_400_000), 3000, true)
	b.add("received at 80 % of what layers fill of it", "ms", b.s.receivedAbove(0, 0.8*2_000_000*wayBytes), ms(upWithin), true)
	b.queueOf(3*time.Second, b.s.length)
}

func (b *linkBounds) limited() {
	b.add("estimate at 2400 kbit/s after all layers are there", "ms", b.s.estimated(fullAt, 2_400_000), 10_000, true)
	b.add("estimate while little is sent", "kbit/s", b.s.estimateOf(fullAt-5*time.Second, fullAt)/1000, 3300, true)
	b.queueOf(fullAt, b.s.length)
	b.add("freezes", "", float64(b.s.freezes()), 0, true)
}

// fits is the best layer of one camera that a link carries beside a voice, and -1 if it carries none: no headroom is taken off.
func fits(layers []load.Layer, capacity float64) int {
	best := -1
	for i, l := range layers {
		if float64(l.Bits)*wayBytes+voiceWay <= capacity {
			best = i
		}
	}

	return best
}
