// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

// usage is what the delay says about the link.
type usage uint8

const (
	usageNormal usage = iota
	usageOver         // the queue grows
	usageUnder        // the queue drains
)

// The detector's constants are those of
// https://datatracker.ietf.org/doc/html/draft-ietf-rmcat-gcc-02#section-5.4 , the
// line through smoothed delays in place of its Kalman filter.
const (
	groupSpan      = 5 * millisecond
	trendPoints    = 20
	trendSmoothing = 0.9
	trendGain      = 4.0
	trendMostCount = 60
	thresholdStart = 12.5 // ms
	thresholdLeast = 6.0
	thresholdMost  = 600.0
	thresholdUp    = 0.0087 // per ms
	thresholdDown  = 0.039
	thresholdFar   = 15.0 // ms beyond which a sample is an accident of the route
	overuseTime    = 10.0 // ms for which growth has to hold
	trendSilence   = 2 * second
)

// group is packets that left together.
type group struct {
	firstSent, lastSent, lastArrival int64
	packets                          int
}

// trend finds out whether the one-way delay grows, from how the distances
// between groups of packets change on the way.
type trend struct {
	current, before group

	accumulated, smoothed float64 // ms
	x, y                  [trendPoints]float64
	points, next          int
	origin                int64 // arrival of the first group; x counts from it

	threshold   float64 // ms
	updatedAt   int64   // of threshold
	slope       float64 // modified, in ms like the threshold
	overFor     float64 // ms
	overSamples int
	deltas      int
	state       usage
}

func (t *trend) reset() { *t = trend{threshold: thresholdStart} }

// add takes the packets in the order in which they were sent.
func (t *trend) add(sent, arrival int64) {
	switch {
	case t.current.packets == 0:
		t.current = group{firstSent: sent, lastSent: sent, lastArrival: arrival, packets: 1}

		return
	case sent < t.current.firstSent: // late, and its group is closed
		return
	case sent-t.current.firstSent <= groupSpan || t.sameBurst(sent, arrival):
		t.current.lastSent = max(t.current.lastSent, sent)
		t.current.lastArrival = max(t.current.lastArrival, arrival)
		t.current.packets++

		return
	}
	if t.before.packets != 0 {
		t.sample(&t.before, &t.current)
	}
	t.before = t.current
	t.current = group{firstSent: sent, lastSent: sent, lastArrival: arrival, packets: 1}
}

// sameBurst: packets that a queue on the way has pushed together say nothing
// about it by their distances.
func (t *trend) sameBurst(sent, arrival int64) bool {
	gap := arrival - t.current.lastArrival

	return gap >= 0 && gap <= groupSpan && gap < sent-t.current.lastSent
}

func (t *trend) sample(before, current *group) {
	sent := float64(current.lastSent-before.lastSent) / float64(millisecond)
	arrived := float64(current.lastArrival-before.lastArrival) / float64(millisecond)
	if sent > float64(trendSilence/millisecond) {
		return // too long ago to be compared
	}
	// Groups that overtook each other count too, with a negative distance: left
	// out, jitter that reorders would look like a queue that only ever grows.
	t.deltas++
	if t.origin == 0 {
		t.origin = current.lastArrival
	}
	t.accumulated += arrived - sent
	t.smoothed = trendSmoothing*t.smoothed + (1-trendSmoothing)*t.accumulated
	t.x[t.next] = float64(current.lastArrival-t.origin) / float64(millisecond)
	t.y[t.next] = t.smoothed
	t.next = (t.next + 1) % trendPoints
	t.points = min(t.points+1, trendPoints)
	if t.points < trendPoints {
		return
	}
	t.detect(t.fit()*float64(min(t.deltas, trendMostCount))*trendGain, sent, current.lastArrival)
}

// fit is the slope of the least-squares line, in ms of delay per ms.
func (t *trend) fit() float64 {
	var sumX, sumY float64
	for i := range trendPoints {
		sumX += t.x[i]
		sumY += t.y[i]
	}
	meanX, meanY := sumX/trendPoints, sumY/trendPoints
	var over, under float64
	for i := range trendPoints {
		over += (t.x[i] - meanX) * (t.y[i] - meanY)
		under += (t.x[i] - meanX) * (t.x[i] - meanX)
	}
	if under == 0 {
		return 0
	}

	return over / under
}

func (t *trend) detect(slope, interval float64, at int64) {
	growing := slope >= t.slope
	switch {
	case slope > t.threshold:
		if t.overSamples == 0 {
			t.overFor = interval / 2
		} else {
			t.overFor += interval
		}
		t.overSamples++
		if t.overFor > overuseTime && t.overSamples > 1 && growing {
			t.overFor, t.overSamples, t.state = 0, 0, usageOver
		}
	case slope < -t.threshold:
		t.overFor, t.overSamples, t.state = 0, 0, usageUnder
	default:
		t.overFor, t.overSamples, t.state = 0, 0, usageNormal
	}
	t.slope = slope
	t.adapt(slope, at)
}

// adapt lets the threshold follow the slope, quicker down than up: without it a
// competing flow that fills the queue would starve us.
func (t *trend) adapt(slope float64, at int64) {
	if t.updatedAt == 0 {
		t.updatedAt = at
	}
	size := max(slope, -slope)
	elapsed := min(float64(at-t.updatedAt)/float64(millisecond), 100)
	t.updatedAt = at
	if size > t.threshold+thresholdFar {
		return
	}
	k := thresholdDown
	if size > t.threshold {
		k = thresholdUp
	}
	t.threshold = min(max(t.threshold+k*(size-t.threshold)*elapsed, thresholdLeast), thresholdMost)
}
