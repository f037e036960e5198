// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

const (
	// An estimate that goes down by dipMost per cent at most, without a jam, takes
	// nothing away for dipTime: most of that is noise, and passes.
	dipMost = 10
	dipTime = second
)

// calm is what dividing remembers of a link. Owned by the shard.
type calm struct {
	target int64 // that was divided last
	dipAt  int64 // since when the estimate is a little less than that, 0 it is not
}

// hold is what to divide of a target.
func (c *calm) hold(target int64, jammed bool, now int64) int64 {
	if dips := target < c.target && target >= c.target-c.target*dipMost/100; !dips || jammed {
		c.target, c.dipAt = target, 0
		return target
	}
	if c.dipAt == 0 {
		c.dipAt = now
	}
	if now-c.dipAt >= dipTime {
		c.target, c.dipAt = target, 0
	}
	return c.target
}

// starts reports whether the link is not known yet.
func (d *Downlink) starts(now int64) bool {
	l := d.link
	return l == nil || l.firstAt == 0 || now-l.firstAt < optimism
}

// aimUnseen has a slot show a source of which nothing is known yet: as it comes, or
// the least of its streams if it is one of many, since the best of each of them
// would be a flood.
func (dt *DownTrack) aimUnseen(least bool, now int64) {
	top, limit := dt.wish.Preference.top(), LimitNone
	if r := dt.track.ranking.Load(); least && r != nil && len(r.ups) > 1 && top.Spatial > 0 {
		top.Spatial, limit = 0, LimitBandwidth
	}
	dt.aimAt(top, limit, now)
}

// bar keeps a slot from going up to pictures of which the link does not carry all
// frames: a keyframe is as large whether or not all frames follow, and one of a
// layer that is more than the link jams it.
func (v *division) bar(o *offer, budget int64) {
	m := &o.track.share.memory
	shown := v.rungs[o.from].layer.Spatial
	if m.Known && m.Layer > 0 {
		shown = max(shown, v.rungs[o.from+m.Layer].layer.Spatial)
	}
	full := int64(0)
	for i := o.to - 1; i >= o.from; i-- {
		spatial := v.rungs[i].layer.Spatial
		if spatial <= shown {
			return
		}
		if i == o.to-1 || v.rungs[i+1].layer.Spatial != spatial {
			full = v.steps[i].Rate
		}
		if full > budget {
			v.steps[i].Quality, v.steps[i].Rate = 0, max(v.steps[i].Rate, full)
		}
	}
}
