// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package rtpforward

// fromCache starts the slot from the newest keyframe in the history of the stream
// that it is to show, and what followed, if Config.StartFromCache says so and all
// of that is there. It reports whether it did; then no keyframe is needed.
func (dt *DownTrack) fromCache(now int64) bool {
	if !dt.shard().f.cfg.StartFromCache || dt.running || !dt.takes() || dt.ranking == nil {
		return false
	}
	at := max(min(int(dt.selector.Target().Spatial), len(dt.ranking.ups)-1), 0)
	if at >= len(dt.ranking.ups) || dt.selector.Target().Spatial < 0 {
		return false
	}
	up := dt.ranking.ups[at]
	first, last, ok := up.cached(now)
	if !ok {
		return false
	}
	// A command has it sent, not a fan-out, which would have seen to the time of sending.
	dt.shard().at = max(dt.shard().at, now)
	dt.down.stamp(dt.shard().f.ntp(now))
	for n := first; n <= last; n++ {
		if p := up.hist.at(n); p != nil && p.Buf != nil {
			dt.forwardOne(p, now)
		}
	}
	dt.touch()
	return dt.running
}

// cached is the range of the history from the newest keyframe on, if it is whole
// and within the bounds. Any goroutine; takes no lock.
func (u *UpTrack) cached(now int64) (first, last uint64, ok bool) {
	cfg := &u.f.cfg
	first, last = u.keyFirst.Load(), u.hist.highest.Load()
	if first == 0 || last < first || last-first >= u.hist.size()/2 || u.closed.Load() {
		return 0, 0, false
	}
	bytes := 0
	for n := first; n <= last; n++ {
		p := u.hist.at(n)
		if p == nil {
			return 0, 0, false
		}
		bytes += len(p.Buf)
		if n == first && now-p.Arrival > int64(cfg.CacheAge) || bytes > cfg.CacheBytes {
			return 0, 0, false
		}
	}
	return first, last, true
}
