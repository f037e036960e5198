// SPDX-FileCopyrightText: 2026 The Switchyard authors
// SPDX-License-Identifier: Apache-2.0

package bandwidth

// PacerConfig is how what is sent is spaced. The zero value means the defaults.
type PacerConfig struct {
	// Factor is the pace, in multiples of the target, in per cent: 100 to 1000,
	// default 150. Above 100 so that what waits gets less; not much above, because
	// a keyframe that leaves faster than the link carries it waits on the way.
	Factor int64
	// BurstTime is how much of the pace may leave at once, in ns. Default 17 ms.
	BurstTime int64
	// BurstLeast and BurstMost bound that in bytes. Defaults 4 800, four full
	// packets, so that a run of segments stays possible on thin links, and
	// 38 400, a run of 32.
	BurstLeast, BurstMost int64
	// Longest is how long a backlog may take to leave, in ns: the pace goes up
	// for one that would take longer. Default 250 ms.
	Longest int64
}

// Pacer says how much may leave when. In any time of t seconds at most
// burst + pace × t bytes leave through Take, where the pace is the target times
// Factor (more only for a backlog beyond Longest) and the burst is BurstTime of
// it within BurstLeast and BurstMost; one packet larger than the burst leaves
// alone. What is charged without asking counts against it afterwards.
//
// Owned by the session's shard; not safe for concurrent use.
type Pacer struct {
	cfg    PacerConfig
	target int64 // bit/s
	pace   int64 // bytes/s
	burst  int64 // bytes
	budget int64 // bytes × second: exact, no rounding is lost; may be negative
	at     int64
}

// NewPacer gives a pacer for a target in bit/s, with a full burst at at.
func NewPacer(cfg PacerConfig, target, at int64) Pacer {
	if cfg.Factor <= 0 {
		cfg.Factor = 150
	}
	if cfg.BurstTime <= 0 {
		cfg.BurstTime = 17 * millisecond
	}
	if cfg.BurstLeast <= 0 {
		cfg.BurstLeast = 4800
	}
	if cfg.BurstMost <= 0 {
		cfg.BurstMost = 38400
	}
	if cfg.Longest <= 0 {
		cfg.Longest = 250 * millisecond
	}
	cfg.Factor = min(max(cfg.Factor, 100), 1000)
	cfg.BurstMost = max(cfg.BurstMost, cfg.BurstLeast)
	p := Pacer{cfg: cfg, at: at}
	p.SetTarget(target, 0, at)
	p.budget = p.burst * second

	return p
}

// SetTarget changes the target, in bit/s, and says how many bytes wait to leave.
func (p *Pacer) SetTarget(target, backlog, at int64) {
	if p.pace > 0 {
		p.refill(at)
	}
	p.target = min(max(target, 8000), 10_000_000_000)
	p.pace = p.target * p.cfg.Factor / 800
	p.pace = max(p.pace, min(max(backlog, 0), 1<<32)*1000/(p.cfg.Longest/millisecond+1))
	p.burst = min(max(p.pace*(p.cfg.BurstTime/microsecond)/1_000_000, p.cfg.BurstLeast), p.cfg.BurstMost)
	p.budget = min(p.budget, p.burst*second)
}

// refill adds what the time since brought: an hour of silence fills the burst
// and no more, and cannot overflow.
func (p *Pacer) refill(at int64) {
	if at <= p.at {
		return
	}
	missing := p.burst*second - p.budget
	if at-p.at > missing/p.pace {
		p.budget += missing
	} else {
		p.budget += (at - p.at) * p.pace
	}
	p.at = at
}

// Take says whether size bytes may leave now, and counts them if so. A run of
// several packets may be asked for in one call.
func (p *Pacer) Take(size int, at int64) bool {
	p.refill(at)
	need := min(int64(size), p.burst) * second
	if p.budget < need {
		return false
	}
	p.budget -= int64(size) * second

	return true
}

// Charge counts bytes that leave whatever the pacer says: audio, and what a
// probe sends. The debt is at most two bursts, so that it never stops video
// for long.
func (p *Pacer) Charge(size int, at int64) {
	p.refill(at)
	p.budget = max(p.budget-int64(size)*second, -2*p.burst*second)
}

// When gives the time at which size bytes may leave, at itself if they may now.
func (p *Pacer) When(size int, at int64) int64 {
	p.refill(at)
	missing := min(int64(size), p.burst)*second - p.budget
	if missing <= 0 {
		return at
	}

	return at + (missing+p.pace-1)/p.pace
}

// Burst is how many bytes may leave at once.
func (p *Pacer) Burst() int { return int(p.burst) }
