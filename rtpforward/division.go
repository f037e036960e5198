// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"github.com/switchyard-media/sfu/rtpforward/allocate"
	"github.com/switchyard-media/sfu/rtpforward/layers"
)

const (
	// startBitrate is what an unknown link is taken to carry, as in
	// bandwidth.Config.
	startBitrate = 300_000
	// spareShare is what an upgrade leaves unused, as in allocate.Config, in per
	// cent.
	spareShare = 10
)

// share is a slot's part in the division of its session's link. Owned by the
// shard.
type share struct {
	memory allocate.Memory
	shown  layers.Layer // that memory speaks of
	layer  layers.Layer // aimed at
	limit  Limit
	aimed  bool // the two above hold
	shut   bool // the link does not carry it
	eager  bool // an upgrade need not wait: the subscriber has asked for it, or the node has asked the publisher
	told   SlotState
}

// division is what dividing takes up, once a shard.
type division struct {
	alloc  *allocate.Allocator
	subs   []allocate.Subscription // the first one is all audio together
	offers []offer                 // of subs
	steps  []allocate.Layer        // of all offers
	rungs  []*rung                 // of steps
	unseen []*DownTrack            // whose sources have not been measured

	fixed  int64 // bit/s that goes out whatever the link carries: audio, and video that has not been measured yet
	floor  int64 // bit/s with the first layer of everything
	demand int64 // bit/s with the best of everything
	used   int64 // bit/s that was given
}

// offer is what a slot may be given.
type offer struct {
	track    *DownTrack
	from, to int  // of division.steps
	kept     bool // its preference keeps it from what is there
}

// divide says to each slot what it is to show.
func (d *Downlink) divide(now int64) {
	v := &d.shard.division
	v.begin()
	for _, dt := range d.tracks {
		v.add(dt, now)
		if dt.cfg.Video && dt.track != nil {
			d.watchedAt = now
		}
	}
	v.demand += v.fixed
	v.floor += v.fixed
	budget, bounded := d.divisible(now)
	for _, dt := range v.unseen {
		dt.aimUnseen(bounded && len(v.unseen)+len(v.subs) > 2, now) // but for audio
	}
	if bounded {
		v.divide(budget, now)
	} else {
		v.giveAll(now)
	}
	if l := d.link; l != nil {
		l.est.SetDemand(v.demand * 100 / (100 - spareShare)) // an upgrade leaves that much unused
		l.dividedAt, l.budget, l.starved, l.wants = now, v.used, v.starved(), v.used < v.demand
	}
	v.end()
}

// divisible is what there is to divide; bounded is false if nothing is known
// that would bound it.
func (d *Downlink) divisible(now int64) (budget int64, bounded bool) {
	v, l := &d.shard.division, d.link
	switch {
	case !d.accounts || l != nil && l.blind:
		return 0, false
	case l == nil || l.firstAt == 0 && now-l.madeAt < feedbackHope:
		start := d.shard.f.cfg.StartBitrate
		if start <= 0 {
			start = startBitrate
		}
		return max(start, v.floor), true
	case l.firstAt == 0 && d.spoke: // it has fallen silent
		return v.fixed, true
	case l.firstAt == 0:
		return 0, false
	}
	e := l.est.Estimate()
	if l.silent && !e.Silent {
		// What went away because nobody answered need not wait as what the link
		// was too thin for has to.
		for i := 1; i < len(v.subs); i++ {
			v.subs[i].Memory = allocate.Memory{}
		}
	}
	l.silent = e.Silent
	if now-l.firstAt < optimism && !e.Congested {
		return max(l.calm.hold(e.Target, false, now), v.floor), true
	}
	return l.calm.hold(e.Target, e.Congested, now), true
}

func (v *division) begin() {
	if v.alloc == nil {
		v.alloc = allocate.New(allocate.Config{})
	}
	v.subs = append(v.subs, allocate.Subscription{Audio: true})
	v.offers = append(v.offers, offer{})
	v.steps = append(v.steps, allocate.Layer{}) // of audio
	v.rungs = append(v.rungs, nil)
	v.fixed, v.floor, v.demand, v.used = 0, 0, 0, 0
}

// end lets go of what was divided among.
func (v *division) end() {
	clear(v.subs)
	clear(v.offers)
	clear(v.rungs)
	clear(v.unseen)
	v.unseen = v.unseen[:0]
	v.subs, v.offers, v.steps, v.rungs = v.subs[:0], v.offers[:0], v.steps[:0], v.rungs[:0]
}

// add takes a slot among those that are divided among.
func (v *division) add(dt *DownTrack, now int64) {
	sh := &dt.share
	switch {
	case dt.track == nil:
		*sh = share{told: sh.told}
		return
	case !dt.cfg.Video:
		v.fixed += dt.audioRate(now)
		return
	case dt.paused:
		sh.memory, sh.shut = allocate.Memory{}, false
		dt.aimAt(layers.None, LimitPaused, now)
		return
	}
	from := len(v.steps)
	usable := dt.usable()
	kept := v.allow(dt.track.ladder().rungs, &usable)
	if len(v.steps) == from { // nothing is known of it yet: what comes shall go out
		sh.memory, sh.shut = allocate.Memory{}, false
		v.fixed += int64(dt.count[gaugeBitrate])
		v.unseen = append(v.unseen, dt)
		return
	}
	sh.memory.Layer = v.find(from, sh)
	// What somebody has just asked for need not wait; at the start everything is asked for, and little is known.
	eager := sh.eager || !sh.memory.Known && !dt.down.starts(now)
	v.subs = append(v.subs, allocate.Subscription{Weight: dt.wish.Weight, Priority: dt.wish.Priority, Eager: eager, Memory: sh.memory})
	v.offers = append(v.offers, offer{dt, from, len(v.steps), kept})
	v.demand += v.steps[len(v.steps)-1].Rate
	if v.steps[from].Quality > 0 {
		v.floor += v.steps[from].Rate
	}
}

// find is where what is shown stands among the steps now: layers come and go, and
// so do bounds on them.
func (v *division) find(from int, sh *share) int {
	if !sh.memory.Known || sh.memory.Layer < 0 {
		return sh.memory.Layer
	}
	at := 0
	for i, r := range v.rungs[from:] {
		if r.layer == sh.shown {
			return i
		}
		if r.layer.Spatial <= sh.shown.Spatial && r.layer.Temporal <= sh.shown.Temporal {
			at = i
		}
	}
	return at
}

// divide gives each slot its part of budget.
func (v *division) divide(budget, now int64) {
	v.steps[0] = allocate.Layer{Rate: v.fixed, Quality: 1}
	v.used = v.fixed
	for i := range v.subs {
		o := &v.offers[i]
		v.subs[i].Layers = v.steps[o.from:max(o.to, o.from+1)]
	}
	for i := 1; i < len(v.offers); i++ {
		v.bar(&v.offers[i], budget)
	}
	decisions := v.alloc.Run(budget, v.subs, max(now, 1))
	for i := range decisions[1:] {
		if n := decisions[1+i].Layer; n >= 0 {
			v.used += v.subs[1+i].Layers[n].Rate
		}
	}
	spare := budget - budget*spareShare/100 - v.used
	for i := 1; i < len(decisions); i++ {
		o, c := &v.offers[i], &decisions[i]
		sh := &o.track.share
		sh.memory = c.Memory
		if c.Memory.Layer >= 0 {
			sh.shown = v.rungs[o.from+c.Memory.Layer].layer
		}
		at, short := c.Layer, c.Short
		if !short {
			before := v.rate(o, at)
			if at, short = v.beyond(o, at, spare); v.rate(o, at) > before {
				spare -= v.rate(o, at) - before
			}
		}
		sh.eager = at > c.Layer // when it comes it is there at once: it was affordable when it was asked for
		v.give(o, at, short, now)
	}
}

// beyond looks above the best layer that arrives for one that would be asked of
// the publisher if somebody took it; what it takes has to be there. What does not
// arrive at all is asked for in any case.
func (v *division) beyond(o *offer, at int, spare int64) (to int, short bool) {
	last := o.to - o.from - 1
	for to = last; to > max(at, 0); to-- {
		if v.rate(o, to)-v.rate(o, at) <= spare {
			break
		}
	}
	return max(to, 0), to < last
}

func (v *division) rate(o *offer, at int) int64 {
	if at < 0 {
		return 0
	}
	return v.steps[o.from+at].Rate
}

// giveAll gives each slot the best that it may have.
func (v *division) giveAll(now int64) {
	v.used = v.demand
	for i := 1; i < len(v.offers); i++ {
		o := &v.offers[i]
		o.track.share.memory = allocate.Memory{}
		v.give(o, o.to-o.from-1, false, now)
	}
}

// give tells a slot which step it is to show; negative: none.
func (v *division) give(o *offer, at int, short bool, now int64) {
	dt := o.track
	dt.share.shut = at < 0
	switch {
	case at < 0:
		dt.aimAt(layers.None, LimitBandwidth, now)
		return
	case short:
		dt.aimAt(v.rungs[o.from+at].layer, LimitBandwidth, now)
	case !v.rungs[o.from+at].live:
		dt.aimAt(v.rungs[o.from+at].layer, LimitPublisher, now)
	case o.kept:
		dt.aimAt(v.rungs[o.from+at].layer, LimitPreference, now)
	default:
		dt.aimAt(v.rungs[o.from+at].layer, LimitNone, now)
	}
}

// starved is how many slots the link does not carry.
func (v *division) starved() (n int) {
	for i := 1; i < len(v.offers); i++ {
		if v.offers[i].track.share.shut {
			n++
		}
	}
	return n
}

// aimAt has the slot show up to l, if it does not already.
func (dt *DownTrack) aimAt(l layers.Layer, limit Limit, now int64) {
	sh := &dt.share
	if sh.aimed && sh.layer == l && sh.limit == limit {
		return
	}
	sh.layer, sh.limit, sh.aimed = l, limit, true
	dt.aim(l, limit, now)
}

// redivide has what was just changed take effect at once; dt is what has changed.
func (dt *DownTrack) redivide() {
	if !dt.cfg.Video || dt.gone {
		return
	}
	now := dt.shard().f.now()
	dt.share.aimed = false
	dt.down.watch(now)
	dt.down.divide(now)
}

// tellSlots tells what has changed about the slots since the last time.
func (d *Downlink) tellSlots() {
	if d.onSlot == nil {
		return
	}
	for _, dt := range d.tracks {
		if !dt.cfg.Video {
			continue
		}
		st := dt.slotState()
		if st == dt.share.told || dt.track == nil && dt.share.told == (SlotState{}) {
			continue
		}
		dt.share.told = st
		d.onSlot(st)
	}
}
