// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

import (
	"github.com/switchyard-media/sfu/rtpforward/allocate"
	"github.com/switchyard-media/sfu/rtpforward/layers"
)

const (
	// voice is what a stream of audio is taken to need in the voiceGuess after it
	// was bound, until it has been measured.
	voice      = 40_000
	voiceGuess = 2 * second
	// voiceHeaders is what the headers of fifty packets a second take.
	voiceHeaders = 50 * wireOverhead * 8
	// unseenRate is how many times what the layer below takes one takes that was
	// never measured.
	unseenRate = 3
	// frameSlack is how far, in per cent, a measured frame rate may stay below
	// the one that it stands for.
	frameSlack = 10
)

// audioRate is what a slot of audio takes of the link, in bit/s.
func (dt *DownTrack) audioRate(now int64) int64 {
	measured := int64(dt.count[gaugeBitrate])
	switch {
	case dt.paused || dt.gate != nil && dt.gate.shut.Load():
		return 0
	case measured == 0 && now-dt.since < voiceGuess:
		return voice
	}
	return min(measured*3/2, measured+voiceHeaders) // fewer packets a second when there is less to hear
}

// allow adds the rungs that a preference leaves, as steps from the least to the
// best; kept says that there are better ones.
func (v *division) allow(rungs []rung, p *Preference) (kept bool) {
	if len(rungs) == 0 {
		return false
	}
	sized := true
	for i := range rungs {
		sized = sized && rungs[i].width > 0 && rungs[i].height > 0
	}
	from := len(v.steps)
	for i := range rungs {
		r := &rungs[i]
		if !p.allows(r, rungs) {
			kept = true
			continue
		}
		kept = false
		step := allocate.Layer{Rate: r.rate + r.rate*wireOverhead/1100}
		if r.live {
			step.Quality = r.quality(i, sized)
		}
		v.steps, v.rungs = append(v.steps, step), append(v.rungs, r)
	}
	if len(v.steps) == from { // less than the least cannot be had
		r := &rungs[0]
		step := allocate.Layer{Rate: r.rate + r.rate*wireOverhead/1100}
		if r.live {
			step.Quality = r.quality(0, sized)
		}
		v.steps, v.rungs = append(v.steps, step), append(v.rungs, r)
	}
	if !guess(v.steps[from:]) {
		v.steps, v.rungs = v.steps[:from], v.rungs[:from]
	}
	return kept
}

// guess puts a rate to steps that have not been measured: what is not known is
// neither nothing nor enormous. It reports whether any has.
func guess(steps []allocate.Layer) bool {
	first := 0
	for first < len(steps) && steps[first].Rate <= 0 {
		first++
	}
	if first == len(steps) {
		return false
	}
	for i := first - 1; i >= 0; i-- {
		steps[i].Rate = max(steps[i+1].Rate/unseenRate, 1)
	}
	for i := first + 1; i < len(steps); i++ {
		if steps[i].Rate <= 0 {
			steps[i].Rate = steps[i-1].Rate * unseenRate
		}
	}
	return true
}

// quality says how good a rung looks. While sizes are not known, each counts as a
// larger picture than the one before.
func (r *rung) quality(place int, sized bool) float64 {
	frames := r.frameRate
	if frames <= 0 {
		frames = 30
	}
	if !sized {
		return allocate.Quality(320<<min(place, 8), 180<<min(place, 8), 30)
	}
	return allocate.Quality(int(r.width), int(r.height), frames)
}

// allows reports whether r is of use to who has the preference. Of several that
// cover the place and the frame rate the smallest is.
func (p *Preference) allows(r *rung, rungs []rung) bool {
	if p.Spatial > 0 && r.layer.Spatial >= int8(min(p.Spatial, layers.MaxStreams)) ||
		p.Temporal > 0 && r.layer.Temporal >= int8(min(p.Temporal, layers.MaxLayers)) {
		return false
	}
	for i := range rungs {
		o := &rungs[i]
		if o.layer.Spatial < r.layer.Spatial && p.covered(o) ||
			o.layer.Spatial == r.layer.Spatial && o.layer.Temporal < r.layer.Temporal && p.moves(o) {
			return false
		}
	}
	return true
}

// covered reports whether the pictures of r are as large as the place for them.
func (p *Preference) covered(r *rung) bool {
	return (p.Width > 0 || p.Height > 0) && r.live && r.width > 0 && r.width >= p.Width && r.height >= p.Height
}

// moves reports whether r has as many frames as are of use.
func (p *Preference) moves(r *rung) bool {
	return p.FrameRate > 0 && r.live && r.frameRate*(100+frameSlack) >= float64(p.FrameRate)*100
}

// top is the most that is allowed of a source of which nothing is known.
func (p *Preference) top() layers.Layer {
	l := layers.Layer{Spatial: layers.MaxStreams - 1, Temporal: layers.MaxLayers - 1}
	if p.Spatial > 0 {
		l.Spatial = int8(min(p.Spatial, layers.MaxStreams)) - 1
	}
	if p.Temporal > 0 {
		l.Temporal = int8(min(p.Temporal, layers.MaxLayers)) - 1
	}
	return l
}
